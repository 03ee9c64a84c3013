// A WebSocket client from RFC 6455 alone, on a bare TCP socket: no library, so that a mistake that
// a library shares with the server is seen, and so that a connection can be broken at any byte.
import { createHash, randomBytes } from 'node:crypto';
import net from 'node:net';

const MAGIC = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
const NO_STATUS = 1005;
export const CUT = 1006; // as RFC 6455 calls an end without a close frame

export const acceptOf = (key) => createHash('sha1').update(key + MAGIC).digest('base64');

// One masked frame.
export function encodeFrame(opcode, payload, final = true) {
    const bytes = Buffer.from(payload);
    const long = bytes.length > 125 ? (bytes.length > 0xffff ? 8 : 2) : 0;
    const frame = Buffer.allocUnsafe(2 + long + 4 + bytes.length);
    frame[0] = (final ? 0x80 : 0) | opcode;
    frame[1] = 0x80 | (long === 0 ? bytes.length : long === 2 ? 126 : 127);
    if (long === 2) frame.writeUInt16BE(bytes.length, 2);
    if (long === 8) frame.writeBigUInt64BE(BigInt(bytes.length), 2);
    const mask = randomBytes(4);
    const start = 2 + long + 4;
    mask.copy(frame, start - 4);
    for (let i = 0; i < bytes.length; i++) frame[start + i] = bytes[i] ^ mask[i & 3];
    return frame;
}

// {opcode, final, payload, end}, or null while it is not whole. Throws on what a server must not
// send.
export function decodeFrame(bytes, at) {
    if (bytes.length - at < 2) return null;
    const [first, second] = [bytes[at], bytes[at + 1]];
    if (first & 0x70) throw new Error('reserved bits');
    if (second & 0x80) throw new Error('a masked frame from the server');
    let size = second & 0x7f;
    let start = at + 2;
    if (size === 126) {
        if (bytes.length - at < 4) return null;
        size = bytes.readUInt16BE(start);
        start += 2;
    } else if (size === 127) {
        if (bytes.length - at < 10) return null;
        size = Number(bytes.readBigUInt64BE(start));
        start += 8;
    }
    const end = start + size;
    if (bytes.length < end) return null;
    const opcode = first & 0x0f;
    return { opcode, final: (first & 0x80) !== 0, payload: bytes.subarray(start, end), end };
}

// What to write for the handshake.
function handshake({ path, headers, key, port }) {
    const lines = [
        `GET ${path} HTTP/1.1`,
        `Host: 127.0.0.1:${port}`,
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        `Sec-WebSocket-Key: ${key}`,
        'Sec-WebSocket-Protocol: confab.v1',
        ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ];
    return `${lines.join('\r\n')}\r\n\r\n`;
}

// `on.text(text)` for each message, `on.end({code, reason, status, fault})` once. `breakAt`: so
// many bytes of the handshake are written, then the connection is cut.
export class RawSocket {
    constructor({ port, path, headers = {}, on, breakAt }) {
        this.on = on;
        this.rest = Buffer.alloc(0);
        this.parts = [];
        this.isOpen = false;
        this.outcome = { code: CUT, reason: '', status: 0, fault: null };
        this.key = randomBytes(16).toString('base64');
        const request = handshake({ path, headers, key: this.key, port });
        this.socket = net.connect(port, '127.0.0.1', () => {
            if (breakAt === undefined) return this.socket.write(request);
            return this.socket.write(request.slice(0, breakAt), () => this.socket.destroy());
        });
        this.socket.setNoDelay(true);
        this.socket.on('data', (part) => this.take(part));
        this.socket.on('error', () => {});
        this.socket.on('close', () => this.on.end(this.outcome));
    }

    take(part) {
        this.rest = this.rest.length > 0 ? Buffer.concat([this.rest, part]) : part;
        try {
            if (!this.isOpen && !this.readHandshake()) return;
            this.readFrames();
        } catch (error) {
            this.outcome.fault = error.message;
            this.socket.destroy();
        }
    }

    readHandshake() {
        const end = this.rest.indexOf('\r\n\r\n');
        if (end < 0) return false;
        const head = this.rest.toString('latin1', 0, end);
        this.rest = this.rest.subarray(end + 4);
        this.outcome.status = Number(head.split(' ')[1]);
        if (this.outcome.status !== 101) {
            this.socket.destroy();
            return false;
        }
        const accept = /^sec-websocket-accept:\s*(\S+)/im.exec(head)?.[1];
        if (accept !== acceptOf(this.key)) throw new Error('a wrong Sec-WebSocket-Accept');
        if (!/^sec-websocket-protocol:\s*confab\.v1\s*$/im.test(head))
            throw new Error('no subprotocol');
        this.isOpen = true;
        return true;
    }

    readFrames() {
        let at = 0;
        for (;;) {
            const frame = decodeFrame(this.rest, at);
            if (!frame) break;
            at = frame.end;
            this.takeFrame(frame);
        }
        this.rest = this.rest.subarray(at);
    }

    takeFrame({ opcode, final, payload }) {
        if (opcode === PING) return this.write(PONG, payload);
        if (opcode === PONG) return undefined;
        if (opcode === CLOSE) return this.takeClose(payload);
        if (opcode > TEXT) throw new Error(`a frame of opcode ${opcode}`);
        this.parts.push(payload);
        if (!final) return undefined;
        const whole = this.parts.length === 1 ? payload : Buffer.concat(this.parts);
        this.parts = [];
        return this.on.text(whole.toString('utf8'));
    }

    takeClose(payload) {
        this.outcome.code = payload.length >= 2 ? payload.readUInt16BE(0) : NO_STATUS;
        this.outcome.reason = payload.toString('utf8', 2);
        this.write(CLOSE, payload.subarray(0, 2));
        this.socket.end();
    }

    write(opcode, payload, final) {
        if (this.socket.writable) this.socket.write(encodeFrame(opcode, payload, final));
    }

    sendText(text) {
        this.write(TEXT, text);
    }

    // The same message in two frames and the bytes in three writes.
    sendInPieces(text) {
        const bytes = Buffer.from(text);
        const half = bytes.length >> 1;
        const wire = Buffer.concat([
            encodeFrame(TEXT, bytes.subarray(0, half), false),
            encodeFrame(0, bytes.subarray(half)),
        ]);
        const piece = Math.ceil(wire.length / 3);
        for (let at = 0; at < wire.length && this.socket.writable; at += piece)
            this.socket.write(wire.subarray(at, at + piece));
    }

    pause() {
        this.socket.pause();
    }

    resume() {
        this.socket.resume();
    }

    // In the middle of a frame: what came of it must not be acted upon.
    cutInFrame(text) {
        const wire = encodeFrame(TEXT, text);
        if (!this.socket.writable) return;
        this.socket.write(wire.subarray(0, wire.length - 1), () => this.socket.destroy());
    }

    cut() {
        this.socket.destroy();
    }

    // Node's resetAndDestroy() never closes a socket whose end() is under way.
    reset() {
        if (this.socket.writable) this.socket.resetAndDestroy();
        else this.socket.destroy();
    }

    // As a client that is done: a close frame, then the end.
    close() {
        this.write(CLOSE, Buffer.from([0x03, 0xe8]));
        this.socket.end();
    }
}
