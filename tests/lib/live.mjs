// Clients of the three transports of real time, as raw as black-box tests need them: Socket
// (WebSocket), RawSocket (WebSocket frames by hand, wrong ones too), EventStream (server-sent
// events), Poller (long poll). Each collects the frames that come, in order, waits for one that
// matches, and knows the last cursor that it was told. None reconnects.
import assert from 'node:assert/strict';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import http from 'node:http';
import net from 'node:net';
import { isDeepStrictEqual } from 'node:util';

import { WebSocket } from 'ws';

import { Answer, makeConversation, register, say, unique, withQuery } from './client.mjs';
import { ok } from './expect.mjs';
import { sleep } from './server.mjs';

export const KINDS = ['ws', 'sse', 'poll'];
export const PROTOCOL = 'confab.v1';
export const WS_PATH = '/api/ws/';
export const SSE_PATH = '/api/events/';
export const POLL_PATH = '/api/sync/';
// A bound for tests that would else hang; no claim about time.
export const WAIT_MS = 40_000;

const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

// Does `value` have what `part` says? A text is a frame's type, an object's fields must be there
// and match, a pattern or a function decides for itself.
export function matches(value, part) {
    if (typeof part === 'function') return Boolean(part(value));
    if (part instanceof RegExp) return part.test(value);
    if (isObject(part)) {
        return isObject(value) && Object.keys(part).every((key) => matches(value[key], part[key]));
    }
    return isDeepStrictEqual(value, part);
}

const matchesFrame = (frame, part) =>
    typeof part === 'string' ? frame.type === part : matches(frame, part);

const brief = (value) => JSON.stringify(value)?.slice(0, 200);
const nameOf = (part) => (typeof part === 'function' ? String(part) : JSON.stringify(part));

// What all transports share.
export class Listener {
    frames = [];
    cursor = '';
    closed = null; // how it ended, once it has
    mark = 0; // frames before it are not looked at any more
    broken = null; // what the server did against the protocol
    #waiting = new Set();

    constructor(user) {
        this.user = user;
    }

    take(frame) {
        this.frames.push(frame);
        if (typeof frame.cursor === 'string') this.cursor = frame.cursor;
        this.wake();
    }

    wake() {
        for (const look of [...this.#waiting]) look();
    }

    end(how) {
        this.closed ??= how;
        this.wake();
    }

    fail(text) {
        this.broken ??= text;
        this.wake();
    }

    show() {
        const last = this.frames.slice(-5).map(brief).join('\n  ');
        const how = this.closed ? ` closed ${brief(this.closed)}` : '';
        return `${this.frames.length} frames,${how} the last:\n  ${last}`;
    }

    // Resolves with the first answer of ask() but undefined and false; asked whenever something
    // comes.
    until(ask, what, { whenClosed = false, ms = WAIT_MS } = {}) {
        return new Promise((resolve, reject) => {
            const stop = (settle, value) => {
                clearTimeout(timer);
                this.#waiting.delete(look);
                settle(value);
            };
            const give = (why) => stop(reject, new Error(`${why}: ${what}; ${this.show()}`));
            const look = () => {
                const answer = ask();
                if (this.broken) give(this.broken);
                else if (answer !== undefined && answer !== false) stop(resolve, answer);
                else if (this.closed && !whenClosed) give('closed before');
            };
            const timer = setTimeout(() => give('not in time'), ms);
            this.#waiting.add(look);
            look();
        });
    }

    // The frames that match, of those behind the mark.
    all(part) {
        return this.frames.slice(this.mark).filter((frame) => matchesFrame(frame, part));
    }

    // Waits for the first frame behind the mark that matches.
    get(part) {
        let at = this.mark;
        return this.until(() => {
            for (; at < this.frames.length; at++) {
                if (matchesFrame(this.frames[at], part)) return this.frames[at];
            }
            return undefined;
        }, nameOf(part));
    }

    // From now on only what comes.
    forget() {
        this.mark = this.frames.length;
        return this;
    }

    ended() {
        return this.until(() => this.closed ?? undefined, 'the end', { whenClosed: true });
    }

    // Caught up with what was there when it came.
    async synced() {
        await this.get('synced');
        return this;
    }
}

// --- WebSocket --------------------------------------------------------------------------------

const webSocketKey = () => randomBytes(16).toString('base64');
export const acceptOf = (key) =>
    createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

const upgradeHeaders = () => ({
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': webSocketKey(),
});

// A handshake and nothing more: the answer (its status is 101 if the socket was opened; it is
// closed again). Headers with the value undefined are left out.
export function handshake(user, { method = 'GET', path = WS_PATH, query, headers = {} } = {}) {
    const given = { ...upgradeHeaders(), ...user.headers, ...headers };
    const kept = Object.entries(given).filter(([, value]) => value !== undefined);
    const full = withQuery(path, query);
    return new Promise((resolve, reject) => {
        const request = http.request({
            host: '127.0.0.1',
            port: user.server.port,
            method,
            path: full,
            headers: Object.fromEntries(kept),
            agent: false,
            timeout: WAIT_MS,
        });
        request.on('timeout', () => request.destroy(new Error(`no answer: ${full}`)));
        request.on('error', reject);
        request.on('upgrade', (response, socket) => {
            socket.on('error', () => {});
            socket.destroy();
            const answer = new Answer(method, full, response, Buffer.alloc(0));
            answer.key = given['sec-websocket-key'];
            resolve(answer);
        });
        request.on('response', (response) => {
            const parts = [];
            response.on('data', (part) => parts.push(part));
            response.on('error', reject);
            response.on('end', () => {
                request.destroy();
                resolve(new Answer(method, full, response, Buffer.concat(parts)));
            });
        });
        request.end();
    });
}

export class Socket extends Listener {
    // Options: cursor, ticket, path, headers, protocols, pong (false: heartbeats stay unanswered).
    constructor(user, options = {}) {
        super(user);
        const { cursor, ticket, path = WS_PATH, protocols = [PROTOCOL], pong = true } = options;
        const query = { ...(cursor ? { cursor } : {}), ...(ticket ? { ticket } : {}) };
        const url = `ws://127.0.0.1:${user.server.port}${withQuery(path, query)}`;
        const headers = { ...user.headers, ...options.headers };
        this.pong = pong;
        this.cursor = cursor ?? '';
        this.ws = new WebSocket(url, protocols, { headers, perMessageDeflate: false });
        this.opened = new Promise((resolve, reject) => {
            this.ws.on('open', resolve);
            this.ws.on('error', reject);
        });
        this.opened.catch(() => {});
        this.ws.on('message', (data, isBinary) => this.#read(data, isBinary));
        this.ws.on('close', (code, reason) => this.end({ code, reason: reason.toString() }));
    }

    #read(data, isBinary) {
        if (isBinary) return this.fail('a binary frame');
        let frame;
        try {
            frame = JSON.parse(data.toString('utf8'));
        } catch {
            return this.fail(`not JSON: ${data}`);
        }
        if (frame.type === 'ping' && this.pong) this.say({ type: 'pong' });
        return this.take(frame);
    }

    say(frame) {
        if (this.ws.readyState === WebSocket.OPEN) {
            this.ws.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
        }
    }

    // Sends a message; resolves with its ack or nack.
    send(conversation, text, fields = {}) {
        const client_id = fields.client_id ?? randomUUID();
        const conversation_id = conversation.id ?? conversation;
        const at = this.frames.length;
        this.say({ type: 'send', conversation_id, message_body: text, client_id, ...fields });
        return this.answer(client_id, at);
    }

    answer(client_id, at = this.mark) {
        const isAnswer = (f) => /^n?ack$/.test(f.type) && f.client_id === client_id;
        return this.until(() => this.frames.slice(at).find(isAnswer), `the answer to ${client_id}`);
    }

    async close(code = 1000) {
        if (!this.closed) this.ws.close(code);
        return this.ended();
    }

    // As a phone that lost its network would, if its network said so.
    async cut() {
        this.ws.terminate();
        return this.ended();
    }
}

export async function openSocket(user, options) {
    const socket = new Socket(user, options);
    await socket.opened;
    return socket;
}

// --- WebSocket by hand ------------------------------------------------------------------------

export const OP = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

function lengthBytes(form, length) {
    if (form === 7) return Buffer.alloc(0);
    const bytes = Buffer.alloc(form / 8);
    if (form === 16) bytes.writeUInt16BE(Number(length));
    else bytes.writeBigUInt64BE(BigInt(length));
    return bytes;
}

const formOf = (length) => (length < 126 ? 7 : length < 65536 ? 16 : 64);

// A client's frame. `length` and `form` (bits of the length field) say something else than the
// payload does.
export function encodeFrame(opcode, payload = '', options = {}) {
    const { fin = true, rsv = 0, masked = true, length } = options;
    const body = Buffer.from(payload);
    const declared = length ?? body.length;
    const form = options.form ?? formOf(Number(declared));
    const short = form === 7 ? Number(declared) : form === 16 ? 126 : 127;
    const head = Buffer.from([(fin ? 0x80 : 0) | (rsv << 4) | opcode, (masked ? 0x80 : 0) | short]);
    const mask = masked ? randomBytes(4) : Buffer.alloc(0);
    const hidden = masked ? body.map((byte, n) => byte ^ mask[n & 3]) : body;
    return Buffer.concat([head, lengthBytes(form, declared), mask, hidden]);
}

export function closePayload(code, reason = '') {
    const bytes = Buffer.alloc(2);
    bytes.writeUInt16BE(code);
    return Buffer.concat([bytes, Buffer.from(reason)]);
}

// The first frame in `bytes`, or null if it is not all there; throws on what a server must not
// send.
function decodeFrame(bytes) {
    if (bytes.length < 2) return null;
    const short = bytes[1] & 0x7f;
    const form = short < 126 ? 7 : short === 126 ? 16 : 64;
    const at = form === 7 ? 2 : form === 16 ? 4 : 10;
    if (bytes.length < at) return null;
    let length = short;
    if (form === 16) length = bytes.readUInt16BE(2);
    else if (form === 64) length = Number(bytes.readBigUInt64BE(2));
    const [first] = bytes;
    const frame = { fin: first >= 0x80, rsv: (first >> 4) & 7, opcode: first & 15 };
    assert.ok(bytes[1] < 0x80, 'the server masked a frame');
    assert.equal(frame.rsv, 0, 'reserved bits of a server frame');
    assert.equal(form, formOf(length), 'the length is not in its shortest form');
    assert.ok(Object.values(OP).includes(frame.opcode), `opcode ${frame.opcode} of the server`);
    assert.ok(frame.opcode < 8 || (frame.fin && length < 126), 'a control frame, cut or too long');
    if (bytes.length < at + length) return null;
    frame.payload = bytes.subarray(at, at + length);
    frame.size = at + length;
    return frame;
}

const strictText = new TextDecoder('utf-8', { fatal: true });

// `wire`: all frames as they came, control frames too; `frames`: the JSON of the text ones.
// `closed` is there when the server has ended the connection: {code} of its close frame, else null.
export class RawSocket extends Listener {
    wire = [];
    closeFrame = null;
    head = null; // the answer to the handshake
    #bytes = Buffer.alloc(0);
    #text = [];

    // `early`: bytes that go out in one packet with the handshake. `piece`: the handshake is
    // written so many bytes at a time.
    constructor(user, { cursor, early = Buffer.alloc(0), headers = {}, piece } = {}) {
        super(user);
        const path = withQuery(WS_PATH, cursor === undefined ? undefined : { cursor });
        const given = { host: `127.0.0.1:${user.server.port}`, ...upgradeHeaders() };
        const lines = Object.entries({ ...given, ...user.headers, ...headers });
        const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
        const request = Buffer.from(`GET ${path} HTTP/1.1\r\n${head}\r\n`);
        this.socket = net.connect({
            port: user.server.port,
            host: '127.0.0.1',
            allowHalfOpen: true,
        });
        this.socket.setNoDelay(true);
        this.socket.on('connect', () => this.write(Buffer.concat([request, early]), piece));
        this.socket.on('data', (part) => this.#read(part));
        this.socket.on('error', () => this.#over());
        this.socket.on('end', () => this.#over());
        this.socket.on('close', () => this.#over());
    }

    #over() {
        if (!this.socket.destroyed) this.socket.destroy();
        this.end({ code: this.closeFrame?.code ?? null });
    }

    #read(part) {
        this.#bytes = Buffer.concat([this.#bytes, part]);
        try {
            if (this.head === null) this.#readHead();
            if (this.head !== null) this.#readFrames();
        } catch (error) {
            this.fail(error.message);
        }
        this.wake();
    }

    #readHead() {
        const at = this.#bytes.indexOf('\r\n\r\n');
        if (at < 0) return;
        this.head = this.#bytes.toString('latin1', 0, at);
        this.#bytes = this.#bytes.subarray(at + 4);
        assert.match(this.head, /^HTTP\/1\.1 101 /, 'the handshake');
    }

    #readFrames() {
        for (let frame; (frame = decodeFrame(this.#bytes));) {
            this.#bytes = this.#bytes.subarray(frame.size);
            assert.equal(this.closeFrame, null, 'a frame behind the close frame');
            this.wire.push(frame);
            if (frame.opcode === OP.close) this.#readClose(frame.payload);
            else if (frame.opcode < OP.close) this.#readText(frame);
        }
    }

    #readClose(payload) {
        assert.notEqual(payload.length, 1, 'a close frame with half a code');
        const code = payload.length ? payload.readUInt16BE(0) : 1005;
        this.closeFrame = { code, reason: strictText.decode(payload.subarray(2)) };
    }

    #readText(frame) {
        assert.notEqual(frame.opcode, OP.binary, 'a binary frame');
        assert.equal(frame.opcode === OP.text, this.#text.length === 0, 'fragments out of order');
        this.#text.push(frame.payload);
        if (!frame.fin) return;
        const text = strictText.decode(Buffer.concat(this.#text));
        this.#text = [];
        this.take(JSON.parse(text));
    }

    // All at once, or in pieces, each a packet of its own.
    async write(bytes, piece = bytes.length) {
        for (let at = 0; at < bytes.length && this.socket.writable; at += piece) {
            await new Promise((done) => this.socket.write(bytes.subarray(at, at + piece), done));
        }
    }

    frame(opcode, payload, options) {
        return this.write(encodeFrame(opcode, payload, options));
    }

    say(frame) {
        return this.frame(OP.text, JSON.stringify(frame));
    }

    // Frames of one kind that have come, as they were on the wire.
    control(opcode) {
        return this.wire.filter((frame) => frame.opcode === opcode).map((frame) => frame.payload);
    }

    pongs(count) {
        return this.until(() => {
            const list = this.control(OP.pong);
            return list.length >= count ? list : undefined;
        }, `${count} pongs`);
    }

    // Neither end is told.
    destroy() {
        this.socket.destroy();
    }

    // A proper end.
    async close() {
        if (!this.closed) await this.frame(OP.close, closePayload(1000));
        return this.ended();
    }
}

export async function openRaw(user, options) {
    const socket = new RawSocket(user, options);
    await socket.get('hello');
    return socket;
}

// --- server-sent events -----------------------------------------------------------------------

// `events`: each as it came, {data, id} (id undefined: it had none); `lines`: the raw text.
// `cursor` is what a browser would send as Last-Event-ID.
export class EventStream extends Listener {
    events = [];
    lines = [];
    #rest = '';
    #event = { data: [] };

    constructor(user, { cursor, lastEventId, path = SSE_PATH, headers = {}, query = {} } = {}) {
        super(user);
        const asked = { ...(cursor ? { cursor } : {}), ...query };
        this.cursor = lastEventId ?? cursor ?? '';
        this.agent = new http.Agent({ keepAlive: false });
        this.opened = new Promise((resolve, reject) => {
            this.request = http.get({
                host: '127.0.0.1',
                port: user.server.port,
                path: withQuery(path, asked),
                agent: this.agent,
                headers: {
                    accept: 'text/event-stream',
                    ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
                    ...user.headers,
                    ...headers,
                },
            });
            this.request.on('error', (error) => {
                reject(error);
                this.end({ error: error.code });
            });
            this.request.on('response', (response) => this.#begin(response, resolve, reject));
        });
        this.opened.catch(() => {});
    }

    #begin(response, resolve, reject) {
        this.response = response;
        if (response.statusCode !== 200) {
            response.resume();
            return reject(Object.assign(new Error(`status ${response.statusCode}`), { response }));
        }
        response.setEncoding('utf8');
        response.on('data', (text) => this.#read(text));
        // `complete`: the last chunk came, it is not a connection that was cut
        response.on('close', () => this.end({ complete: response.complete }));
        response.on('error', () => {});
        return resolve(this);
    }

    #read(text) {
        const lines = (this.#rest + text).split('\n');
        this.#rest = lines.pop();
        for (const line of lines) this.#readLine(line);
    }

    #readLine(line) {
        this.lines.push(line);
        if (line === '') return this.#dispatch();
        const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line);
        if (name === 'data') this.#event.data.push(value);
        else if (name === 'id') this.#event.id = value;
        return undefined;
    }

    #dispatch() {
        const { data, id } = this.#event;
        this.#event = { data: [] };
        if (id !== undefined) this.cursor = id;
        if (data.length === 0) return;
        const event = { data: data.join('\n'), id };
        this.events.push(event);
        const { cursor } = this;
        try {
            this.take(JSON.parse(event.data));
        } catch {
            this.fail(`not JSON: ${event.data}`);
        }
        this.cursor = cursor; // by `id` alone
    }

    async close() {
        this.request.destroy();
        return this.ended();
    }

    cut() {
        return this.close();
    }
}

export async function openEvents(user, options) {
    const stream = new EventStream(user, options);
    await stream.opened;
    return stream;
}

// --- long poll --------------------------------------------------------------------------------

export const poll = (user, cursor = '', wait = 0, options = {}) =>
    user.get(POLL_PATH, { cursor, wait }, { timeoutMs: wait * 1000 + WAIT_MS, ...options });

// One page, checked; `wait` as in the contract.
export async function page(user, cursor, wait) {
    const body = ok(await poll(user, cursor, wait));
    assert.deepEqual(Object.keys(body).sort(), ['cursor', 'frames', 'more'], 'keys of a page');
    assert.ok(Array.isArray(body.frames));
    assert.equal(typeof body.cursor, 'string');
    assert.equal(typeof body.more, 'boolean');
    return body;
}

// Asks again and again, as an app without a socket would.
export class Poller extends Listener {
    pages = 0;
    sizes = [];
    rounds = 0; // pages that were the last of a round
    #stop = new AbortController();

    constructor(user, { cursor = '', wait = 20 } = {}) {
        super(user);
        this.cursor = cursor;
        this.wait = wait;
        this.agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
        this.#run();
    }

    async #run() {
        while (!this.closed) {
            try {
                await this.#ask();
            } catch (error) {
                this.end({ error: error.code ?? error.message });
            }
        }
    }

    async #ask() {
        const options = { agent: this.agent, signal: this.#stop.signal };
        const wait = this.rounds > 0 ? this.wait : 0;
        const res = await poll(this.user, this.cursor, wait, options);
        if (this.closed) return undefined;
        if (res.status !== 200) return this.end({ status: res.status, answer: res });
        const body = res.json;
        this.pages++;
        this.sizes.push(res.body.length);
        this.cursor = body.cursor;
        for (const frame of body.frames) this.take(frame);
        this.cursor = body.cursor;
        if (!body.more) this.rounds++;
        if (body.frames.some((frame) => frame.type === 'reset')) this.end({ reset: true });
        return this.wake();
    }

    async synced() {
        await this.until(() => (this.rounds > 0 ? true : undefined), 'a page that is the last');
        return this;
    }

    async close() {
        this.end({ stopped: true });
        this.#stop.abort();
        this.agent.destroy();
        return this.closed;
    }

    cut() {
        return this.close();
    }
}

// --- any of them ------------------------------------------------------------------------------

export async function connect(kind, user, options = {}) {
    if (kind === 'ws') return openSocket(user, options);
    if (kind === 'sse') return openEvents(user, options);
    return new Poller(user, options);
}

// Everything that is committed has been passed on within the server. A client that comes with a cursor
// is told of it before it is told that it has caught up, and not a moment later: changes are passed on
// one after the other, and what the second one finds behind it is done. `flush`: so much that a ring
// of RING_MIN has nothing of what was before.
export const RING_MIN = 65536; // the least RING_SIZE_MAX
const probes = new WeakMap();

async function makeProbe(server) {
    const user = await register(server, { username: unique('probe') });
    const c = await makeConversation(user, [], { title: 'probe' });
    return { c, user, socket: await (await openSocket(user)).synced() };
}

// One that could not be made is forgotten: the next who asks tries again.
function startProbe(server) {
    const making = makeProbe(server);
    making.catch(() => probes.delete(server));
    probes.set(server, making);
}

async function probeOf(server) {
    let making = probes.get(server);
    if (!making || (await making).socket.closed) {
        if (probes.get(server) === making) startProbe(server);
        making = probes.get(server);
    }
    return making;
}

export async function settled(server, { flush = false } = {}) {
    const { user, c, socket } = await probeOf(server);
    const texts = flush ? Array(9).fill('x'.repeat(10_000)) : ['one', 'two'];
    for (const text of texts) {
        const at = socket.frames.length;
        const { id } = await say(user, c, text);
        const isIt = (frame) => frame.message?.id === id;
        await socket.until(() => socket.frames.slice(at).find(isIt), 'the probe');
    }
}

// Connected, and caught up with all that was there before.
export async function listen(kind, user, options = {}) {
    if (options.cursor) await settled(user.server);
    const client = await connect(kind, user, options);
    return client.synced();
}

// A cursor of now: of a client that has come, caught up and gone.
export async function cursorOf(user) {
    for (let cursor = '', n = 0; ; n++) {
        assert.ok(n < 1000, 'no end of pages');
        const body = await page(user, cursor, 0);
        ({ cursor } = body);
        if (!body.more) return cursor;
    }
}

// Closes what a test opened, when it ends.
export function closing(t, ...clients) {
    t.after(() => Promise.all(clients.map((client) => client.close())));
    return clients.length === 1 ? clients[0] : clients;
}

export { sleep };
