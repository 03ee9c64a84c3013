// Three ways to be told what happens, behind one face. A connection calls
//
//     on.frame(frame)      for each frame, in order
//     on.cursor(text)      when the server says how far that was: "" means start anew
//     on.end({code, fault})   once
//
// and has send(frame), pause(), resume(), cut(how), leave().
import http from 'node:http';

import { parseFrame, shareFrame } from './frames.mjs';
import { CUT, RawSocket } from './websocket.mjs';

export const HEADERS_WAIT_MS = 60_000;
const POLL_WAIT_S = 2;
const HANDSHAKE_BYTES = 200;
const BUSY_MS = 50;

const query = (cursor) => `cursor=${encodeURIComponent(cursor)}`;

export class SocketConnection {
    kind = 'websocket';

    constructor({ port, token, ticket, cursor, on, choose, cutInHandshake }) {
        this.choose = choose;
        const path = `/api/ws/?${query(cursor)}${ticket ? `&ticket=${ticket}` : ''}`;
        this.raw = new RawSocket({
            port,
            path,
            headers: ticket ? {} : { authorization: `Bearer ${token}` },
            breakAt: cutInHandshake ? choose.below(HANDSHAKE_BYTES) : undefined,
            on: {
                text: (text) => {
                    const frame = parseFrame(text);
                    on.frame(frame);
                    if (frame.type === 'ping') this.send({ type: 'pong' });
                    if (frame.cursor !== undefined) on.cursor(frame.cursor);
                },
                end: (outcome) => on.end(outcome),
            },
        });
    }

    get wasOpen() {
        return this.raw.isOpen;
    }

    get isOpen() {
        return this.raw.isOpen && this.raw.socket.writable;
    }

    send(frame) {
        const text = JSON.stringify(frame);
        if (this.choose.chance(0.03)) this.raw.sendInPieces(text);
        else this.raw.sendText(text);
    }

    pause() {
        this.raw.pause();
    }

    resume() {
        this.raw.resume();
    }

    cut() {
        this.choose.weighted([
            [4, () => this.raw.cut()],
            [2, () => this.raw.reset()],
            [2, () => this.raw.cutInFrame(JSON.stringify({ type: 'pong', more: 'x'.repeat(300) }))],
        ])();
    }

    leave() {
        this.raw.close();
    }
}

// Server-sent events, read by their format's rules: fields up to a blank line are one event.
export class EventsConnection {
    kind = 'events';
    wasOpen = false;
    isOpen = false;

    constructor({ port, token, cursor, on, choose, cutInHandshake }) {
        this.on = on;
        this.text = '';
        this.event = { data: '', id: undefined };
        const headers = { authorization: `Bearer ${token}`, accept: 'text/event-stream' };
        let path = '/api/events/';
        if (cursor && choose.chance(0.5)) headers['last-event-id'] = cursor;
        else path += `?${query(cursor)}`;
        this.request = http.get({ host: '127.0.0.1', port, path, headers, agent: false });
        this.request.setTimeout(HEADERS_WAIT_MS, () => this.request.destroy());
        this.request.on('response', (response) => this.listen(response));
        this.request.on('error', () => {});
        this.request.on('close', () => this.end({ code: CUT, status: this.response?.statusCode }));
        if (cutInHandshake) setTimeout(() => this.request.destroy(), choose.below(3));
    }

    listen(response) {
        this.response = response;
        const fault = response.statusCode === 200 ? null : `status ${response.statusCode}`;
        this.isOpen = fault === null;
        this.wasOpen = this.isOpen;
        response.setEncoding('utf8');
        response.on('data', (part) => this.isOpen && this.take(part));
        response.on('error', () => {});
        response.on('close', () => this.request.destroy());
    }

    end(outcome) {
        if (this.ended) return;
        this.ended = true;
        this.isOpen = false;
        this.on.end(outcome);
    }

    take(part) {
        this.text += part;
        for (let end = this.text.indexOf('\n'); end >= 0; end = this.text.indexOf('\n')) {
            const line = this.text.slice(0, end);
            this.text = this.text.slice(end + 1);
            this.takeLine(line);
        }
    }

    takeLine(line) {
        if (line === '') this.dispatch();
        else if (line.startsWith('data: ')) this.event.data += line.slice(6);
        else if (line.startsWith('id: ')) this.event.id = line.slice(4);
        else if (line === 'id:' || line === 'id') this.event.id = '';
    }

    dispatch() {
        const { data, id } = this.event;
        this.event = { data: '', id: undefined };
        if (data !== '') this.on.frame(parseFrame(data));
        if (id !== undefined) this.on.cursor(id);
    }

    send() {}

    pause() {
        this.response?.pause();
    }

    resume() {
        this.response?.resume();
    }

    cut() {
        this.request.destroy();
    }

    leave() {
        this.request.destroy();
    }
}

// Asks again and again, over one connection that is kept alive.
export class PollConnection {
    kind = 'poll';
    wasOpen = false;
    isOpen = false;

    constructor({ port, token, cursor, on, choose, cutInHandshake }) {
        Object.assign(this, { port, token, cursor, on, choose });
        this.agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
        this.over = false;
        this.waits = [];
        if (cutInHandshake) setTimeout(() => this.cut(), choose.below(3));
        this.run().then(
            (outcome) => on.end(outcome),
            (error) => on.end({ code: CUT, fault: error.message }),
        );
    }

    async run() {
        let wait = 0;
        while (!this.over) {
            const answer = await this.ask(wait);
            if (this.paused) await this.paused;
            if (answer === null || this.over) break;
            if (answer.status === 503 || answer.status === 429) {
                await new Promise((done) => setTimeout(done, BUSY_MS));
                continue;
            }
            if (answer.status !== 200) return this.finish({ code: CUT, status: answer.status });
            this.isOpen = true;
            this.wasOpen = true;
            wait = this.take(answer.body);
        }
        return this.finish({ code: CUT });
    }

    finish(outcome) {
        this.isOpen = false;
        this.agent.destroy();
        return outcome;
    }

    // Returns how long the next answer may wait.
    take({ frames, cursor, more }) {
        for (const frame of frames) this.on.frame(shareFrame(frame));
        if (!more && cursor !== '') this.on.frame({ type: 'synced', cursor });
        this.cursor = cursor;
        this.on.cursor(cursor);
        return more || cursor === '' ? 0 : POLL_WAIT_S;
    }

    ask(wait) {
        const path = `/api/sync/?${query(this.cursor)}&wait=${wait}`;
        const headers = { authorization: `Bearer ${this.token}` };
        return new Promise((resolve) => {
            const { port, agent } = this;
            this.request = http.get({ host: '127.0.0.1', port, path, headers, agent });
            this.request.setTimeout(HEADERS_WAIT_MS, () => this.request.destroy());
            this.request.on('error', () => {});
            this.request.on('close', () => resolve(null)); // unless there was an answer
            this.request.on('response', (response) => collect(response, resolve));
        });
    }

    send() {}

    pause() {
        if (this.paused) return;
        this.paused = new Promise((done) => {
            this.goOn = done;
        });
    }

    resume() {
        this.goOn?.();
        this.paused = null;
    }

    cut() {
        this.over = true;
        this.resume();
        this.request?.destroy();
    }

    leave() {
        this.cut();
    }
}

function collect(response, resolve) {
    const parts = [];
    response.on('data', (part) => parts.push(part));
    response.on('error', () => {});
    response.on('end', () => {
        const status = response.statusCode;
        const text = Buffer.concat(parts).toString('utf8');
        resolve({ status, body: status === 200 ? JSON.parse(text) : text });
    });
}

export const TRANSPORTS = {
    websocket: SocketConnection,
    events: EventsConnection,
    poll: PollConnection,
};
