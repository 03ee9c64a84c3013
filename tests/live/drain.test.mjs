// SIGTERM: clients are told to come back, what was acknowledged is stored, what was not can be sent
// again with the same client_id; afterwards everybody has the same.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';

import { makeConversation, register, walk } from '../lib/client.mjs';
import { ok } from '../lib/expect.mjs';
import { KINDS, closing, connect, listen } from '../lib/live.mjs';
import { Mirror, converges } from '../lib/mirror.mjs';
import { startServer } from '../lib/server.mjs';

// Sends without a pause until the server is gone; what was acknowledged is kept.
class Sender {
    acked = new Map();
    open = new Map();

    constructor(user, c, name) {
        Object.assign(this, { user, c, name });
    }

    acknowledged(client_id, message) {
        this.acked.set(client_id, message);
        this.open.delete(client_id);
    }

    note(n) {
        const entry = { client_id: randomUUID(), text: `${this.name} ${n}` };
        this.open.set(entry.client_id, entry);
        return entry;
    }

    async overSocket(socket) {
        const waiting = [];
        for (let n = 0; !socket.closed; n++) {
            const { client_id, text } = this.note(n);
            const answer = socket.send(this.c, text, { client_id }).then(
                (frame) => frame.type === 'ack' && this.acknowledged(client_id, frame.message),
                () => {},
            );
            waiting.push(answer);
            if (waiting.length >= 8) await waiting.shift();
        }
        await Promise.all(waiting);
    }

    async overRest() {
        for (let n = 0, alive = true; alive; n++) {
            const { client_id, text } = this.note(n);
            const target = `/api/conversations/${this.c.id}/messages/`;
            try {
                const res = await this.user.post(target, { message_body: text, client_id });
                if (res.status === 201) this.acknowledged(client_id, res.json);
                else ok(res, 503);
            } catch {
                alive = false;
            }
        }
    }

    async retry() {
        for (const { client_id, text } of [...this.open.values()]) {
            const target = `/api/conversations/${this.c.id}/messages/`;
            const res = await this.user.post(target, { message_body: text, client_id });
            this.acknowledged(client_id, ok(res, 200, 201));
        }
    }
}

test('a server that is told to stop', async (t) => {
    const server = await startServer();
    t.after(() => server.stop());
    const [owner, member] = [await register(server), await register(server)];
    const c = await makeConversation(owner, [member], { title: 'drained' });

    const idle = await Promise.all([...KINDS, ...KINDS].map((kind) => listen(kind, member)));
    const mirrors = idle.map((client) => new Mirror(client));
    const senders = Array.from({ length: 4 }, (_, n) => new Sender(owner, c, `sender ${n}`));
    const sockets = [await listen('ws', owner), await listen('ws', owner)];
    closing(t, ...idle, ...sockets);
    const sending = [
        senders[0].overSocket(sockets[0]),
        senders[1].overSocket(sockets[1]),
        senders[2].overRest(),
        senders[3].overRest(),
    ];
    await idle[0].until(() => (idle[0].all('message').length > 50 ? true : undefined), 'messages');

    server.signal('SIGTERM');
    const end = await server.ended;
    assert.deepEqual(end, { code: 0, signal: null }, server.log.slice(-2000));
    await Promise.all(sending);

    for (const socket of [...sockets, idle[0], idle[3]]) {
        assert.equal((await socket.ended()).code, 1012);
        const last = socket.frames.at(-1);
        assert.equal(last.type, 'drain', JSON.stringify(last));
        assert.ok(Number.isInteger(last.retry_ms) && last.retry_ms >= 0);
    }
    for (const stream of [idle[1], idle[4]]) {
        assert.equal((await stream.ended()).complete, true, 'a stream ends as it should');
    }
    for (const poller of [idle[2], idle[5]]) {
        // the one that waited was answered, the next one found nobody or was refused
        const how = await poller.ended();
        assert.ok(how.status === 503 || /ECONNREFUSED|ECONNRESET|hang up/.test(how.error), how);
    }

    await server.start();
    const acked = senders.flatMap((sender) => [...sender.acked.values()]);
    assert.ok(acked.length > 50, `${acked.length} were acknowledged`);
    const rows = await walk(owner, `/api/conversations/${c.id}/messages/?cursor=&page_size=100`);
    const stored = new Map(rows.map((row) => [row.id, row]));
    for (const { id, seq, message_body } of acked) {
        assert.equal(stored.get(id)?.message_body, message_body, 'acknowledged and lost');
        assert.equal(stored.get(id).seq, seq);
    }

    for (const sender of senders) await sender.retry();
    const again = await walk(owner, `/api/conversations/${c.id}/messages/?cursor=&page_size=100`);
    const texts = again.map((row) => row.message_body);
    const sent = senders.reduce((sum, sender) => sum + sender.acked.size, 0);
    assert.equal(texts.length, sent);
    assert.equal(new Set(texts).size, sent, 'none is stored twice');
    assert.deepEqual(
        again.map((row) => row.seq),
        again.map((_, n) => n + 1),
    );

    for (const [n, mirror] of mirrors.entries()) {
        const { cursor } = idle[n];
        const next = closing(t, await connect(KINDS[n % 3], member, { cursor }));
        await next.synced();
        await converges(mirror.follow(next));
        assert.equal(mirror.resets, 0);
    }
});

test('a server with many idle clients stops at once', async (t) => {
    const server = await startServer();
    t.after(() => server.stop());
    const user = await register(server);
    const kinds = Array.from({ length: 60 }, (_, n) => KINDS[n % 3]);
    const clients = await Promise.all(kinds.map((kind) => listen(kind, user)));
    closing(t, ...clients);
    const end = await server.halt();
    assert.deepEqual(end, { code: 0, signal: null }, server.log.slice(-2000));
    const delays = [];
    for (const client of clients) {
        await client.ended();
        const drain = client.frames.find((frame) => frame.type === 'drain');
        if (drain) delays.push(drain.retry_ms);
    }
    assert.ok(delays.length >= 20);
    assert.ok(new Set(delays).size > 1, 'they do not all come back at the same moment');
    await server.start();
});

test('a client that does not read does not keep it from stopping', async (t) => {
    const server = await startServer();
    t.after(() => server.stop());
    const user = await register(server);
    const c = await makeConversation(user, [], { title: 'stuck' });
    const stuck = closing(t, await listen('ws', user));
    stuck.ws._socket.pause();
    const text = '語'.repeat(9000);
    for (let n = 0; n < 400; n++) {
        const target = `/api/conversations/${c.id}/messages/`;
        ok(await user.post(target, { message_body: `${n} ${text}` }), 201);
    }
    const end = await server.halt();
    assert.deepEqual(end, { code: 0, signal: null }, server.log.slice(-2000));
    stuck.ws._socket.resume();
    await stuck.ended();
    await server.start();
});
