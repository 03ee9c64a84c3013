// Readers who are slow or do not read at all: the server's memory stays bounded, the others do not
// notice, and who reads on ends up with everything.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import { after, before, describe, test } from 'node:test';

import { anonymous, makeConversation, register, say } from '../lib/client.mjs';
import { ok } from '../lib/expect.mjs';
import {
    KINDS,
    OP,
    closing,
    encodeFrame,
    listen,
    openEvents,
    openRaw,
    openSocket,
} from '../lib/live.mjs';
import { Mirror, converges } from '../lib/mirror.mjs';
import { startServer } from '../lib/server.mjs';

const MIB = 1 << 20;
const BUFFER = 65536; // SOCKET_BUFFER_MAX
const LONG = '語'.repeat(9990); // 30 kB
// Freed memory that a sanitizer keeps back looks like a leak from outside.
const ASAN = 'detect_leaks=1:quarantine_size_mb=1:thread_local_quarantine_size_kb=64';

function memoryOf(server) {
    const status = fs.readFileSync(`/proc/${server.pid}/status`, 'utf8');
    return Number(/^RssAnon:\s+(\d+) kB/m.exec(status)[1]) * 1024;
}

async function metric(server, name) {
    const { text } = await anonymous(server).get('/metrics');
    return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)[1]);
}

async function sendMany(sender, c, from, count, text = LONG) {
    const width = 4;
    let n = from;
    const work = async () => {
        while (n < from + count) await say(sender, c, `${n++} ${text}`);
    };
    await Promise.all(Array.from({ length: width }, work));
}

describe('a reader who does not read', () => {
    const SENT = 'x'.repeat(9990); // several fit into a buffer, so who reads is not slow
    const WARM = 1200;
    const COUNT = 1500; // 15 MB: if one of them were kept, it would be seen
    const STEP = 60;
    const GROWTH_MAX = 12 * MIB;
    let server, owner;

    before(async () => {
        const env = { RING_SIZE_MAX: `${MIB}`, METRICS_ALLOW: '127.0.0.1', ASAN_OPTIONS: ASAN };
        server = await startServer({ env });
        owner = await register(server);
    });
    after(() => server?.stop());

    test('costs no memory, nobody notices, and he gets it in the end', async (t) => {
        const [fast, slow] = [await register(server), await register(server)];
        const c = await makeConversation(owner, [fast, slow], { title: 'much' });
        const reader = closing(t, await openSocket(fast));
        await reader.synced();
        reader.forget();
        const seen = new Set();
        let looked = 0;
        const all = (count) =>
            reader.until(() => {
                for (; looked < reader.frames.length; looked++) {
                    const { message } = reader.frames[looked];
                    if (message) seen.add(message.seq);
                }
                return seen.size === count ? true : undefined;
            }, `all ${count}`);
        // No faster than somebody who reads can follow.
        const flow = async (from, count) => {
            for (let n = from; n < from + count; n += STEP) {
                await sendMany(owner, c, n, STEP, SENT);
                await all(n + STEP);
            }
        };

        const sockets = [await openRaw(slow), await openRaw(slow)];
        const stream = await openEvents(slow);
        closing(t, ...sockets, stream);
        for (const client of [...sockets, stream]) await client.synced();
        const mirrors = [...sockets, stream].map((client) => new Mirror(client));
        for (const { socket } of sockets) socket.pause();
        stream.response.pause();

        // caches and buffers fill, then nothing grows any more
        await flow(0, WARM);
        const before = memoryOf(server);
        let most = 0;
        for (let n = WARM; n < WARM + COUNT; n += 5 * STEP) {
            await flow(n, 5 * STEP);
            most = Math.max(most, memoryOf(server));
        }
        assert.deepEqual(reader.all({ limited: true }), [], 'the others get everything');
        const growth = most - before;
        t.diagnostic(`from ${before >> 20} to ${most >> 20} MiB`);
        assert.ok(growth < GROWTH_MAX, `memory grew by ${growth >> 20} MiB`);
        assert.ok((await metric(server, 'confab_live_overflows_total')) >= 3, 'they were slow');
        const queued = await metric(server, 'confab_live_queued_bytes');
        assert.ok(queued <= 4 * 2 * BUFFER, `${queued} bytes wait`);

        for (const { socket } of sockets) socket.resume();
        stream.response.resume();
        for (const mirror of mirrors) await converges(mirror, slow);
    });

    test('who reads now and then keeps up in his own way', async (t) => {
        const slow = await register(server);
        const c = await makeConversation(owner, [slow], { title: 'now and then' });
        const client = closing(t, await openRaw(slow));
        await client.synced();
        const mirror = new Mirror(client);
        let over = false;
        const sip = async () => {
            while (!over) {
                client.socket.pause();
                await say(owner, c, 'in between');
                client.socket.resume();
                await new Promise((done) => client.socket.once('data', done));
            }
        };
        const sipping = sip();
        await sendMany(owner, c, 0, 300);
        over = true;
        await say(owner, c, 'the last');
        await sipping;
        await converges(mirror, slow);
    });

    test('who says much and does not listen is not listened to', async (t) => {
        const slow = await register(server);
        const c = await makeConversation(owner, [slow], { title: 'talks only' });
        const client = closing(t, await openRaw(slow));
        await client.synced();
        const before = memoryOf(server);
        client.socket.pause();
        const count = 1500;
        const frames = Array.from({ length: count }, (_, n) => {
            const message_body = `${n} ${'x'.repeat(9000)}`;
            const said = { type: 'send', conversation_id: c.id, client_id: randomUUID() };
            return encodeFrame(OP.text, JSON.stringify({ ...said, message_body }));
        });
        const writing = client.write(Buffer.concat(frames));
        const other = closing(t, await listen('ws', owner));
        for (let n = 0; n < 20; n++) {
            assert.equal((await other.send(c, `meanwhile ${n}`)).type, 'ack');
        }
        const growth = memoryOf(server) - before;
        assert.ok(growth < GROWTH_MAX, `memory grew by ${growth >> 20} MiB`);
        client.socket.resume();
        await writing;
        const answered = () => client.all('ack').length + client.all('nack').length;
        await client.until(() => (answered() === count ? true : undefined), 'all answers');
        assert.deepEqual(client.all('nack'), []);
        await converges(new Mirror(client), slow);
    });
});

describe('a buffer smaller than a frame', () => {
    let server;
    before(async () => {
        server = await startServer({ env: { SOCKET_BUFFER_MAX: '4096' } });
    });
    after(() => server?.stop());

    for (const kind of KINDS) {
        test(`large frames come, one by one (${kind})`, async (t) => {
            const [owner, member] = [await register(server), await register(server)];
            const c = await makeConversation(owner, [member], { title: 'large frames' });
            const client = closing(t, await listen(kind, member));
            const mirror = new Mirror(client);
            await sendMany(owner, c, 0, 60);
            for (let n = 0; n < 60; n++) await say(owner, c, `small ${n}`);
            const last = await say(owner, c, 'the last');
            await client.get({ type: 'message', message: { id: last.id } });
            await converges(mirror, member);
            assert.deepEqual(client.all('reset'), []);
            assert.equal(ok(await member.get(`/api/conversations/${c.id}/`)).last_seq, 121);
        });
    }
});
