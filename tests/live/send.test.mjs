// Sending over a socket: what REST would have done and answered, as ack or nack.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { anonymous, makeCast, makeConversation, register, say } from '../lib/client.mjs';
import { NO_UUID, contains, ok } from '../lib/expect.mjs';
import { OP, closing, encodeFrame, listen, openRaw } from '../lib/live.mjs';
import { startServer } from '../lib/server.mjs';

let server;

before(async () => {
    server = await startServer();
});
after(() => server?.stop());

async function stage(t, at = server) {
    const cast = await makeCast(at);
    const socket = closing(t, await listen('ws', cast.owner));
    return { ...cast, socket };
}

const stored = async (cast) => ok(await cast.owner.get(`${cast.path}messages/`, { deleted: 1 }));

function nacked(frame, status, code) {
    contains(frame, { type: 'nack', request: 'send', status, code });
    assert.equal(typeof frame.error, 'object');
    return frame;
}

function acked(frame) {
    assert.equal(frame.type, 'ack', JSON.stringify(frame));
    assert.deepEqual(Object.keys(frame).sort(), ['client_id', 'message', 'request', 'type']);
    assert.equal(frame.request, 'send');
    return frame.message;
}

test('a message is one write, and another at most for when its device was used', async (t) => {
    const own = await startServer({ env: { METRICS_ALLOW: '127.0.0.1' } });
    t.after(() => own.stop());
    const s = await stage(t, own);
    const writes = async () => {
        const { text } = await anonymous(own).get('/metrics');
        return Number(/^confab_write_batched_total (\d+)$/m.exec(text)[1]);
    };
    const before = await writes();
    for (let n = 0; n < 20; n++) acked(await s.socket.send(s, `message ${n}`));
    const made = (await writes()) - before;
    assert.ok(made <= 25, `${made} writes for 20 messages`);
});

describe('ack', { concurrency: 4 }, () => {
    test('has what REST answers the sender', async (t) => {
        const s = await stage(t);
        const client_id = randomUUID();
        const fields = { client_id, metadata: { a: { b: 1 } } };
        const message = acked(await s.socket.send(s, '  hello ✓ ', fields));
        contains(message, {
            message_body: 'hello ✓',
            client_id,
            seq: 1,
            metadata: { a: { b: 1 } },
        });
        const rest = ok(await s.owner.get(`${s.path}messages/${message.id}/`));
        assert.deepEqual(message, rest);
        const reply = acked(await s.socket.send(s, 'a reply', { reply_to: message.id }));
        assert.equal(reply.reply_to, message.id);
    });

    test('and the frame comes to all, the sender too', async (t) => {
        const s = await stage(t);
        const others = [await listen('ws', s.member), await listen('sse', s.moderator)];
        closing(t, ...others);
        const message = acked(await s.socket.send(s, 'to all'));
        for (const client of [s.socket, ...others]) {
            const frame = await client.get({ type: 'message', message: { id: message.id } });
            assert.equal(frame.message.message_body, 'to all');
            assert.equal(frame.message.client_id, undefined);
        }
    });

    test('many at once: each is answered once and stored once, in order', async (t) => {
        const s = await stage(t);
        const count = 400;
        const answers = Array.from({ length: count }, (_, n) => s.socket.send(s, `pipelined ${n}`));
        const messages = (await Promise.all(answers)).map(acked);
        assert.equal(new Set(messages.map((m) => m.id)).size, count);
        assert.equal(s.socket.all('ack').length, count);
        assert.deepEqual(
            messages.map((m) => m.seq),
            Array.from({ length: count }, (_, n) => n + 1),
            'as they were sent',
        );
        assert.equal((await stored(s)).count, count);
    });

    test('in one packet, by a client that reads nothing meanwhile', async (t) => {
        const s = await stage(t);
        const raw = closing(t, await openRaw(s.member));
        raw.socket.pause();
        const count = 600;
        const ids = Array.from({ length: count }, () => randomUUID());
        const frames = ids.map((client_id, n) => {
            const said = { type: 'send', conversation_id: s.id, message_body: `${n}`, client_id };
            return encodeFrame(OP.text, JSON.stringify(said));
        });
        const writing = raw.write(Buffer.concat(frames));
        // others are served meanwhile
        acked(await s.socket.send(s, 'meanwhile'));
        raw.socket.resume();
        await writing;
        const all = () => (raw.all('ack').length === count ? true : undefined);
        await raw.until(all, 'all acks');
        assert.deepEqual(raw.all('nack'), []);
        assert.deepEqual(new Set(raw.all('ack').map((frame) => frame.client_id)), new Set(ids));
        assert.equal((await stored(s)).count, count + 1);
    });
});

describe('the same client_id', { concurrency: 4 }, () => {
    test('twice: one message', async (t) => {
        const s = await stage(t);
        const client_id = randomUUID();
        const first = acked(await s.socket.send(s, 'once', { client_id }));
        const again = acked(await s.socket.send(s, 'once', { client_id }));
        assert.deepEqual(again, first);
        const rest = await s.owner.post(`${s.path}messages/`, { message_body: 'once', client_id });
        assert.equal(ok(rest, 200).id, first.id);
        assert.equal((await stored(s)).count, 1);
    });

    test('from two sockets and REST at the same moment: one message', async (t) => {
        const s = await stage(t);
        const second = closing(t, await listen('ws', s.owner));
        for (let n = 0; n < 10; n++) {
            const client_id = randomUUID();
            const text = `at once ${n}`;
            const [one, two, three] = await Promise.all([
                s.socket.send(s, text, { client_id }),
                second.send(s, text, { client_id }),
                s.owner.post(`${s.path}messages/`, { message_body: text, client_id }),
            ]);
            const found = [acked(one).id, acked(two).id, ok(three, 200, 201).id];
            assert.equal(new Set(found).size, 1);
        }
        assert.equal((await stored(s)).count, 10);
    });

    test('edited meanwhile: the present state', async (t) => {
        const s = await stage(t);
        const client_id = randomUUID();
        const first = acked(await s.socket.send(s, 'first', { client_id }));
        ok(await s.owner.patch(`/api/messages/${first.id}/`, { message_body: 'edited' }));
        const again = acked(await s.socket.send(s, 'first', { client_id }));
        contains(again, { id: first.id, seq: 1, message_body: 'edited', edited: true });
        nacked(await s.socket.send(s, 'edited', { client_id }), 409, 'idempotency_mismatch');
    });

    test('deleted meanwhile: the tombstone', async (t) => {
        const s = await stage(t);
        const client_id = randomUUID();
        const first = acked(await s.socket.send(s, 'first', { client_id }));
        assert.equal((await s.owner.delete(`/api/messages/${first.id}/`)).status, 204);
        const again = acked(await s.socket.send(s, 'first', { client_id }));
        contains(again, { id: first.id, seq: 1, message_body: '', deleted: true });
        assert.equal((await stored(s)).count, 1);
    });

    test('removed meanwhile: he is still told that it is stored', async (t) => {
        const s = await stage(t);
        const mine = closing(t, await listen('ws', s.member));
        const client_id = randomUUID();
        const first = acked(await mine.send(s, 'first', { client_id }));
        const target = `${s.path}participants/${s.member.id}/`;
        assert.equal((await s.owner.delete(target)).status, 204);
        const again = acked(await mine.send(s, 'first', { client_id }));
        assert.equal(again.id, first.id);
        nacked(await mine.send(s, 'second'), 403, 'not_participant');
    });

    test('for something else: 409', async (t) => {
        const s = await stage(t);
        const other = await makeConversation(s.owner, [], { title: 'other' });
        const client_id = randomUUID();
        const first = acked(await s.socket.send(s, 'one', { client_id }));
        const others = [
            [s, 'two', {}],
            [other, 'one', {}],
            [s, 'one', { reply_to: first.id }],
        ];
        for (const [c, text, more] of others) {
            const frame = await s.socket.send(c, text, { client_id, ...more });
            nacked(frame, 409, 'idempotency_mismatch');
        }
        // another user's is another
        const mine = closing(t, await listen('ws', s.member));
        assert.notEqual(acked(await mine.send(s, 'two', { client_id })).id, first.id);
    });
});

describe('nack', { concurrency: 4 }, () => {
    test('without a client_id, and with one that is none', async (t) => {
        const s = await stage(t);
        for (const client_id of [undefined, null, '', 'x', 7, {}]) {
            s.socket.forget();
            const said = { type: 'send', conversation_id: s.id, message_body: 'x', client_id };
            s.socket.say(said);
            const frame = nacked(await s.socket.get('nack'), 400, 'invalid');
            assert.ok(Array.isArray(frame.error.client_id), JSON.stringify(frame));
        }
        assert.equal((await stored(s)).count, 0);
    });

    test("the error is REST's", async (t) => {
        const s = await stage(t);
        const path = `${s.path}messages/`;
        const wrong = [
            { message_body: '' },
            { message_body: '   ' },
            { message_body: null },
            { message_body: 'x'.repeat(10_001) },
            { message_body: ['x'] },
            { message_body: 'ok', metadata: 'x' },
            { message_body: 'ok', reply_to: NO_UUID },
            { message_body: 'ok', reply_to: 'x' },
            { message_body: undefined },
            { message_body: '', metadata: [], reply_to: 7 },
        ];
        for (const input of wrong) {
            const client_id = randomUUID();
            const frame = await s.socket.send(s, 'x', { client_id, ...input });
            const rest = await s.owner.post(path, { client_id, ...input });
            nacked(frame, rest.status, rest.headers['x-error-code']);
            assert.deepEqual(frame.error, rest.json);
            assert.equal(frame.client_id, client_id);
        }
        assert.equal((await stored(s)).count, 0);
    });

    test('where he may not', async (t) => {
        const s = await stage(t);
        const stranger = closing(t, await listen('ws', s.stranger));
        const frame = nacked(await stranger.send(s, 'x'), 403, 'not_participant');
        const rest = await s.stranger.post(`${s.path}messages/`, { message_body: 'x' });
        assert.deepEqual(frame.error, rest.json);
        for (const id of [NO_UUID, 'x', '', '../messages', `${s.id}/../${s.id}`, null, 7, {}]) {
            const client_id = randomUUID();
            const said = { type: 'send', conversation_id: id, message_body: 'x', client_id };
            stranger.say(said);
            const answer = await stranger.answer(client_id);
            assert.equal(answer.type, 'nack');
            assert.ok([400, 403, 404].includes(answer.status), JSON.stringify(answer));
        }
        const client_id = randomUUID();
        stranger.say({ type: 'send', message_body: 'x', client_id });
        assert.equal((await stranger.answer(client_id)).type, 'nack');
    });

    test('in a conversation that is closed', async (t) => {
        const s = await stage(t);
        ok(await s.owner.post(`${s.path}close/`));
        nacked(await s.socket.send(s, 'x'), 403, 'conversation_closed');
        ok(await s.owner.post(`${s.path}reopen/`));
        acked(await s.socket.send(s, 'x'));
    });

    test('throttled, with the time to wait', async (t) => {
        const few = await startServer({ env: { THROTTLE_USER: '30/min' } });
        t.after(() => few.stop());
        const user = await register(few);
        const c = await makeConversation(user, [], { title: 'few' });
        const socket = closing(t, await listen('ws', user));
        const client_ids = Array.from({ length: 40 }, () => randomUUID());
        const answers = [];
        for (const client_id of client_ids) {
            answers.push(await socket.send(c, 'as fast as I can', { client_id }));
        }
        const good = answers.filter((frame) => frame.type === 'ack');
        const bad = answers.filter((frame) => frame.type === 'nack');
        assert.ok(good.length > 0 && bad.length >= 10, `${good.length} ${bad.length}`);
        for (const frame of bad) {
            nacked(frame, 429, 'throttled');
            assert.ok(Number.isInteger(frame.retry_after) && frame.retry_after >= 1);
        }
        const rest = await user.post(`/api/conversations/${c.id}/messages/`, { content: 'x' });
        ok(rest, 429);
        assert.equal(socket.closed, null);
    });
});

test('the reader of a conversation sees REST and sockets in one order', async (t) => {
    const s = await stage(t);
    const reader = closing(t, await listen('ws', s.member));
    const jobs = [];
    for (let n = 0; n < 50; n++) {
        jobs.push(s.socket.send(s, `socket ${n}`).then(acked));
        jobs.push(say(s.moderator, s, `rest ${n}`));
    }
    const sent = await Promise.all(jobs);
    await reader.get({ type: 'message', message: { seq: 100 } });
    const seqs = reader.all('message').map((frame) => frame.message.seq);
    assert.deepEqual(
        seqs,
        Array.from({ length: 100 }, (_, n) => n + 1),
    );
    assert.equal(new Set(sent.map((m) => m.seq)).size, 100);
});
