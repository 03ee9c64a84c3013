// The parts of web/confab.js alone, with scripted frames: applying by number, evidence, stores,
// the outbox, back-off, the reader of server-sent events. No server here; see client.test.mjs.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import {
    Confab,
    ConfabError,
    MemoryStore,
    Outbox,
    Replica,
    backoffDelay,
    readEvents,
} from '../../web/confab.js';
import { sleep } from '../lib/server.mjs';

const ME = { id: 'me', username: 'me', full_name: 'Me', avatar: null, role: 'guest' };

const person = (id, read_seq = 0) => {
    const names = { username: id, full_name: id, avatar: null };
    return { id, ...names, role: 'member', joined_at: '2025-01-01T00:00:00.000000Z', read_seq };
};

function conversation(id, rev, last_seq, extra = {}) {
    const participants = extra.participants ?? [person('me'), person('ann'), person('bob')];
    const head = { type: 'conversation', conversation_id: id, title: `rev ${rev}`, metadata: {} };
    return { ...head, participants, participant_count: 3, rev, last_seq, ...extra };
}

function message(id, seq, rev, extra = {}) {
    const { sender: who = 'ann', body = `${seq}.${rev}`, ...rest } = extra;
    const head = { id: `${id}-${seq}`, conversation: id, sender_id: who, sender: person(who) };
    const fields = { ...head, message_body: body, deleted: false, seq, rev, ...rest };
    return { type: 'message', conversation_id: id, message: fields };
}

const gone = (id, rev) => ({ type: 'conversation.gone', conversation_id: id, rev });
const read = (id, user_id, seq) => ({ type: 'read', conversation_id: id, user_id, seq });
const membership = (id, rev, read_seq, extra = {}) => {
    const mine = { role: 'member', muted_until: null, pinned: false, archived: false, ...extra };
    return { type: 'membership', conversation_id: id, read_seq, rev, ...mine };
};

function replica(...frames) {
    const it = new Replica();
    it.events = [];
    it.touched = new Set();
    it.tell = (event, detail) => it.events.push([event, detail]);
    it.touch = (table, key) => it.touched.add(`${table} ${key}`);
    it.me = ME;
    frames.forEach((frame) => it.apply(frame));
    return it;
}

const bodies = (it, id) =>
    it.conversations
        .get(id)
        .list()
        .map((m) => m.message_body);

function shuffled(list, seed) {
    const rest = [...list];
    const out = [];
    for (let x = seed; rest.length; x = (x * 1103515245 + 12345) % 2147483648) {
        out.push(...rest.splice(x % rest.length, 1));
    }
    return out;
}

// setTimeout by hand: tick(ms) lets time pass.
function stopClock(t) {
    const timers = new Map();
    let now = 0;
    let last = 0;
    const set = (run, ms) => timers.set(++last, { run, at: now + ms }) && last;
    t.mock.method(globalThis, 'setTimeout', set);
    t.mock.method(globalThis, 'clearTimeout', (id) => timers.delete(id));
    const tick = (ms) => {
        now += ms;
        for (const [id, { run, at }] of [...timers]) {
            if (at <= now && timers.delete(id)) run();
        }
    };
    return { tick };
}

describe('applying by rev', () => {
    const frames = [
        message('c', 1, 2),
        message('c', 2, 3, { sender: 'bob' }),
        message('c', 1, 4, { body: 'edited' }),
        conversation('c', 5, 2, { title: 'renamed' }),
        message('c', 3, 6, { sender: 'me' }),
        message('c', 2, 7, { sender: 'bob', body: '', deleted: true }),
        read('c', 'bob', 3),
        read('c', 'ann', 2),
    ];

    test('in any order, with doubles, it comes to the same', () => {
        for (let seed = 1; seed <= 200; seed++) {
            const it = replica(conversation('c', 1, 0));
            shuffled([...frames, ...frames], seed).forEach((frame) => it.apply(frame));
            const c = it.conversations.get('c');
            assert.deepEqual(bodies(it, 'c'), ['edited', '', '3.6'], `seed ${seed}`);
            assert.equal(c.title, 'renamed');
            assert.deepEqual([c.rev, c.last_seq, c.from_seq, c.unread_count], [5, 3, 1, 0]);
            assert.deepEqual(Object.fromEntries(c.reads), { ann: 2, bob: 3, me: 3 });
        }
    });

    test('an older state changes nothing and says nothing', () => {
        const it = replica(conversation('c', 9, 1), message('c', 1, 9));
        it.events.length = 0;
        it.apply(message('c', 1, 8, { body: 'older' }));
        it.apply(message('c', 1, 9));
        assert.deepEqual(it.events, []);
        it.apply(conversation('c', 8, 1, { title: 'older' }));
        assert.equal(it.conversations.get('c').title, 'rev 9');
    });

    test('a message moves the read position of who sent it, and ends his typing', () => {
        const it = replica(conversation('c', 1, 0));
        it.apply({ type: 'typing', conversation_id: 'c', user_id: 'ann', state: 'typing' });
        assert.deepEqual(it.typists('c'), ['ann']);
        it.apply(message('c', 1, 2));
        assert.deepEqual(it.typists('c'), []);
        assert.equal(it.conversations.get('c').reads.get('ann'), 1);
        assert.equal(it.conversations.get('c').unread_count, 1);
    });

    test('typing ends by itself, one by one', (t) => {
        const clock = stopClock(t);
        const it = replica(conversation('c', 1, 0));
        const types = (id) => it.apply({ type: 'typing', conversation_id: 'c', user_id: id });
        types('ann');
        clock.tick(3000);
        types('bob');
        types('me');
        assert.deepEqual(it.typists('c'), ['ann', 'bob']);
        clock.tick(3000);
        assert.deepEqual(it.typists('c'), ['bob']);
        types('bob');
        clock.tick(5999);
        assert.deepEqual(it.typists('c'), ['bob']);
        clock.tick(1);
        assert.deepEqual(it.typists('c'), []);
        assert.deepEqual(it.events.at(-1), ['typing', { conversationId: 'c', userIds: [] }]);
    });

    test('membership: by its rev; its read position by maximum', () => {
        const it = replica(conversation('c', 1, 0), membership('c', 5, 4, { pinned: true }));
        it.apply(membership('c', 4, 7));
        const c = it.conversations.get('c');
        assert.deepEqual([c.mine.rev, c.mine.pinned, c.read_seq], [5, true, 7]);
    });

    test('limited: forgets what is below, whatever rev is known', () => {
        const it = replica(conversation('c', 1, 0));
        for (let seq = 1; seq <= 9; seq++) it.apply(message('c', seq, seq + 1));
        it.apply(conversation('c', 10, 9, { limited: true, from_seq: 8 }));
        const c = it.conversations.get('c');
        assert.deepEqual([c.from_seq, [...c.messages.keys()]], [8, [8, 9]]);
        it.apply(conversation('c', 3, 9, { limited: true, from_seq: 9 }));
        assert.deepEqual([c.from_seq, [...c.messages.keys()], c.rev], [9, [9], 10]);
        assert.ok(it.touched.has('messages c 7') && it.row('messages', 'c 7') === null);
    });

    test('what comes of older messages is kept until history joins it', () => {
        const it = replica(conversation('c', 20, 9, { limited: true, from_seq: 9 }));
        it.apply(message('c', 9, 10));
        it.apply(message('c', 6, 21, { body: 'edited while history is on its way' }));
        const c = it.conversations.get('c');
        assert.deepEqual(bodies(it, 'c'), ['9.10']);
        for (const seq of [6, 7, 8]) it.applyMessage(message('c', seq, seq + 1).message, 'history');
        assert.equal(c.from_seq, 6);
        assert.equal(c.messages.get(6).message_body, 'edited while history is on its way');
    });

    test('gone, and come again', () => {
        const it = replica(conversation('c', 1, 0), message('c', 1, 2), membership('c', 3, 0));
        it.apply(gone('c', 3));
        assert.ok(it.conversations.has('c'), 'an old one');
        it.apply(gone('c', 4));
        assert.ok(!it.conversations.has('c'));
        assert.deepEqual(it.events.at(-1), ['gone', { conversationId: 'c' }]);
        it.apply(conversation('c', 2, 1));
        it.apply(message('c', 2, 3));
        assert.ok(!it.conversations.has('c'), 'a double from before');
        it.apply(conversation('c', 6, 2, { limited: true, from_seq: 2 }));
        it.apply(message('c', 2, 3));
        it.apply(gone('c', 4));
        assert.deepEqual(bodies(it, 'c'), ['2.3']);
    });

    test('of a newer server: unknown frames and conversations are left alone', () => {
        const it = replica();
        it.apply({ type: 'poll', conversation_id: 'c' });
        it.apply(message('c', 1, 1));
        it.apply(read('c', 'ann', 1));
        it.apply(membership('c', 1, 0));
        assert.deepEqual([it.events, it.conversations.size], [[], 0]);
    });

    test('own read marks count at once, and end when the server knows', () => {
        const it = replica(conversation('c', 1, 5));
        const c = it.conversations.get('c');
        it.mark(c, 4);
        assert.deepEqual([c.unread_count, c.read_seq], [1, 0]);
        assert.deepEqual(it.row('marks', 'c'), { id: 'c', n: 4 });
        it.apply(read('c', 'me', 3));
        assert.deepEqual([c.unread_count, it.marks.get('c')], [1, 4]);
        it.apply(read('c', 'me', 4));
        assert.deepEqual([c.unread_count, it.marks.size], [1, 0]);
    });

    test('marks of what the server knows, or of messages that are no more, are not due', () => {
        const it = replica(conversation('c', 1, 5), conversation('d', 1, 5), conversation('e', 1, 5));
        it.apply(read('c', 'me', 4));
        it.apply(read('d', 'me', 2));
        it.mark(it.conversations.get('c'), 4);
        it.mark(it.conversations.get('d'), 9);
        it.mark(it.conversations.get('e'), 3);
        it.marks.set('gone', 1);
        assert.deepEqual([...it.dueMarks()], [['d', 5], ['e', 3]]);
        assert.equal(it.row('marks', 'c'), null);
    });

    test('presence and users', () => {
        const it = replica({ type: 'presence', user_id: 'ann', state: 'online', last_seen: null });
        it.apply({ type: 'user', user: { ...ME, id: 'ann', full_name: 'Ann' } });
        it.apply({ type: 'user', user: { ...ME, full_name: 'Changed', first_name: 'x' } });
        assert.equal(it.presence.get('ann').state, 'online');
        assert.equal(it.users.get('ann').full_name, 'Ann');
        assert.deepEqual(it.me, { ...ME, full_name: 'Changed' });
    });
});

// What was told behind the cursor must be told again to who comes back with it.
describe('a database that has gone back', () => {
    const before = () => {
        const it = replica(conversation('c', 1, 0), conversation('d', 1, 0), message('c', 1, 2));
        it.advance('C');
        return it;
    };
    const again = (it, ...frames) => {
        it.beginProof();
        frames.forEach((frame) => it.apply(frame));
        return it.endProof();
    };

    test('nothing since the cursor: nothing to prove', () => {
        assert.ok(again(before()));
    });

    test('all told again, or something newer', () => {
        const it = before();
        it.apply(message('c', 2, 3));
        it.apply(message('c', 1, 4, { body: 'edited' }));
        it.apply(read('c', 'bob', 2));
        const page = [conversation('c', 4, 2), message('c', 2, 3), message('c', 1, 4)];
        assert.ok(again(it, ...page, read('c', 'bob', 2)));
        const newer = [conversation('c', 9, 2), message('c', 2, 3), message('c', 1, 8)];
        assert.ok(again(it, ...newer, read('c', 'bob', 3)));
    });

    for (const [what, frame, page] of [
        ['a message', message('c', 2, 3), [conversation('c', 2, 1)]],
        ['an edit', message('c', 1, 3), [conversation('c', 2, 1), message('c', 1, 2)]],
        ['a name', conversation('d', 2, 0), []],
        ['a membership', membership('c', 3, 0), [conversation('c', 3, 1)]],
        ['a read position', read('c', 'bob', 1), [conversation('c', 3, 1)]],
        ['a removal', gone('c', 3), []],
        ['a seq', message('c', 2, 4), [conversation('c', 9, 2), message('c', 2, 3)]],
    ]) {
        test(`${what} is missing`, () => {
            const it = before();
            it.apply(frame);
            assert.equal(again(it, ...page), false);
        });
    }

    test('told again in two halves, with a cursor between', () => {
        const it = before();
        it.apply(message('c', 2, 3));
        it.apply(message('d', 1, 2));
        it.beginProof();
        it.apply(message('c', 2, 3));
        it.advance('in the middle of the way');
        assert.ok(again(it, message('d', 1, 2)));
        it.apply(message('d', 2, 3));
        it.beginProof();
        it.advance('in the middle of the way');
        assert.equal(again(it), false);
    });

    test('who left has no read position to repeat', () => {
        const it = before();
        it.apply(read('c', 'bob', 1));
        const participants = [person('me'), person('ann')];
        assert.ok(again(it, conversation('c', 3, 1, { participants })));
    });

    test('limited: older messages are not told again, the newest are', () => {
        const it = before();
        for (let seq = 2; seq <= 9; seq++) it.apply(message('c', seq, seq + 1));
        const head = conversation('c', 99, 99, { limited: true, from_seq: 9, participants: [] });
        assert.ok(again(it, head, message('c', 9, 10)));
    });

    test('gone meanwhile, or joined again: what was before does not matter', () => {
        const it = before();
        it.apply(message('c', 2, 3));
        assert.ok(again(it, gone('c', 4)));
        const other = before();
        other.apply(gone('c', 4));
        assert.ok(again(other, conversation('c', 6, 1, { limited: true, from_seq: 1 })));
    });

    test('an answer counts until a frame has told it too', () => {
        const it = before();
        it.applyMessage(message('c', 2, 3, { sender: 'me' }).message, 'ack');
        it.advance('D'); // it may lie before the commit of the message
        assert.equal(again(it), false);
        const other = before();
        other.applyMessage(message('c', 2, 3, { sender: 'me' }).message, 'ack');
        other.apply(message('c', 2, 3, { sender: 'me' }));
        other.advance('D');
        assert.ok(again(other));
    });

    test('the answer to a repeated request, and history, prove nothing', () => {
        const it = before();
        it.applyMessage(message('c', 1, 2).message, 'ack');
        it.apply(conversation('d', 30, 20, { limited: true, from_seq: 20 }));
        it.apply(message('d', 20, 21));
        it.advance('D');
        it.applyMessage(message('d', 19, 20).message, 'history');
        assert.ok(again(it));
    });

    test('equal numbers of another history: the server has it its way', () => {
        const it = before();
        it.apply(message('c', 2, 3, { body: 'lost', id: 'lost' }));
        it.beginProof();
        it.apply(message('c', 2, 3, { body: 'instead', id: 'other' }));
        assert.deepEqual(bodies(it, 'c'), ['1.2', 'instead']);
    });
});

describe('stores', () => {
    test('rows and cursor, and what is taken away', async () => {
        const store = new MemoryStore();
        assert.equal(await store.load(), null);
        const row = { id: 'c', reads: { ann: 1 } };
        await store.save({ clear: false, rows: [['conversations', 'c', row]] }, 'C1');
        row.reads.ann = 9;
        let state = await store.load();
        assert.equal(state.cursor, 'C1');
        assert.deepEqual(state.conversations, [{ id: 'c', reads: { ann: 1 } }]);
        const rows = [
            ['outbox', 'x', { client_id: 'x' }],
            ['messages', 'c 1', { seq: 1 }],
        ];
        await store.save({ clear: true, rows }, '');
        state = await store.load();
        assert.deepEqual([state.cursor, state.conversations, state.outbox.length], ['', [], 1]);
        await store.save({ clear: true, rows: [['outbox', 'x', null]] }, '');
        state = await store.load();
        assert.deepEqual([state.messages, state.outbox], [[], []]);
    });

    test('what a replica stores is what it loads', async () => {
        const it = replica(conversation('c', 1, 0), conversation('d', 1, 0), membership('c', 3, 1));
        it.touch('meta', 'me');
        for (let seq = 1; seq <= 5; seq++) it.apply(message('c', seq, seq + 3));
        it.apply(gone('d', 2));
        it.mark(it.conversations.get('c'), 4);
        it.advance('C');
        it.apply(message('c', 6, 20));
        const store = new MemoryStore();
        const rows = [...it.touched, 'meta evidence'].map((name) => {
            const [table, ...key] = name.split(' ');
            return [table, key.join(' '), it.row(table, key.join(' '))];
        });
        await store.save({ clear: false, rows }, it.cursor);
        const other = replica();
        other.load(await store.load());
        assert.deepEqual(bodies(other, 'c'), bodies(it, 'c'));
        const [a, b] = [it, other].map((one) => one.conversations.get('c'));
        assert.deepEqual(b.toRow(), a.toRow());
        assert.equal(b.unread_count, 2);
        assert.deepEqual([other.gone, other.marks, other.me], [it.gone, it.marks, ME]);
        assert.deepEqual([other.cursor, other.evidence], ['C', it.evidence]);
        other.beginProof();
        assert.equal(other.endProof(), false);
    });
});

describe('outbox', () => {
    const fields = (n, conversation_id = 'c') => ({ client_id: `id${n}`, conversation_id });
    const ids = (items) => items.map((item) => item.client_id);

    // Each delivery waits for its answer: answers[n]([error]).
    function outbox(options = {}) {
        const it = { tried: [], answers: [], changes: [] };
        const deliver = (item) => {
            it.tried.push(item.client_id);
            return new Promise((resolve, reject) => {
                const done = () => resolve({ of: item.client_id });
                it.answers.push((error) => (error ? reject(error) : done()));
            });
        };
        const changed = (item, status) => it.changes.push(`${item.client_id} ${status}`);
        it.box = new Outbox({ deliver, changed, random: () => 0, ...options });
        it.answer = async (n, error) => {
            it.answers[n](error);
            await sleep(0);
        };
        return it;
    }

    test('in order within a conversation, side by side across them', async () => {
        const it = outbox();
        for (const n of [1, 2]) it.box.add(fields(n));
        it.box.add(fields(3, 'd'));
        assert.deepEqual(it.tried, []);
        it.box.open();
        assert.deepEqual(it.tried, ['id1', 'id3']);
        await it.answer(1);
        assert.deepEqual(ids([...it.box.items.values()]), ['id1', 'id2']);
        await it.answer(0);
        assert.deepEqual(it.tried, ['id1', 'id3', 'id2']);
        await it.answer(2);
        assert.equal(it.box.items.size, 0);
        assert.ok(it.changes.includes('id2 sent'));
    });

    test('again after what may pass, the same one first', async () => {
        const it = outbox();
        const [item] = [1, 2].map((n) => it.box.add(fields(n)));
        it.box.open();
        await it.answer(0, new ConfabError('no network'));
        await sleep(1);
        await it.answer(1, new ConfabError('busy', { status: 503 }));
        await sleep(1);
        assert.deepEqual([it.tried, item.attempts], [['id1', 'id1', 'id1'], 3]);
        await it.answer(2);
        assert.deepEqual(await item.delivered, { of: 'id1' });
        assert.deepEqual(it.tried.slice(3), ['id2']);
    });

    test('patience where the server asks for it, also when the way is free again', async (t) => {
        const clock = stopClock(t);
        const it = outbox();
        const settle = () => new Promise((done) => setImmediate(done));
        it.box.add(fields(1));
        it.box.open();
        it.answers[0](new ConfabError('slower', { status: 429, retryAfter: 7 }));
        await settle();
        it.box.open();
        clock.tick(6999);
        assert.equal(it.tried.length, 1);
        clock.tick(1);
        assert.equal(it.tried.length, 2);
        it.answers[1](new ConfabError('busy', { status: 503 }));
        await settle();
        it.box.open();
        assert.equal(it.tried.length, 3);
    });

    test('refused: failed with the reason, the next one goes; retry and remove', async () => {
        const it = outbox();
        const [first, second] = [1, 2].map((n) => it.box.add(fields(n)));
        it.box.open();
        const body = { detail: 'Not allowed.' };
        await it.answer(0, new ConfabError('no', { status: 403, code: 'forbidden', body }));
        assert.equal(first.state, 'failed');
        assert.deepEqual(first.error, { status: 403, code: 'forbidden', body });
        await assert.rejects(first.delivered, { status: 403 });
        assert.deepEqual(it.tried, ['id1', 'id2']);
        assert.equal(it.box.remove('id2'), false, 'it may be stored by now');
        await it.answer(1);
        assert.deepEqual(await second.delivered, { of: 'id2' });
        assert.ok(it.box.retry('id1'));
        assert.deepEqual([first.state, first.error, it.tried.at(-1)], ['pending', null, 'id1']);
        await it.answer(2, new ConfabError('no', { status: 404 }));
        assert.ok(it.box.remove('id1'));
        assert.deepEqual([it.box.items.size, it.box.retry('id1')], [0, false]);
    });

    test('loaded from a store: order kept, failed ones stay failed', () => {
        const it = outbox();
        const failed = { ...fields(1), n: 1, state: 'failed', error: { status: 403 }, attempts: 1 };
        const waits = (n) => ({ ...fields(n), n, state: 'pending', error: null, attempts: 2 });
        it.box.load([waits(3), failed, waits(2)]);
        it.box.add(fields(4));
        it.box.open();
        assert.deepEqual(it.tried, ['id2']);
        assert.deepEqual(ids([...it.box.items.values()]), ['id1', 'id2', 'id3', 'id4']);
        assert.ok(it.box.items.get('id4').n > 3);
    });

    test('which refusals may pass', () => {
        const passes = (status) => new ConfabError('', { status }).retriable;
        assert.deepEqual([0, 401, 408, 425, 429, 500, 503, 507].map(passes), Array(8).fill(true));
        assert.deepEqual([400, 403, 404, 409, 413].map(passes), Array(5).fill(false));
    });
});

describe('small parts', () => {
    test('back-off: full jitter below a bound that doubles up to a cap', () => {
        const bounds = [0, 1, 2, 5, 6, 7, 100].map((tries) => backoffDelay(tries, () => 1));
        assert.deepEqual(bounds, [500, 1000, 2000, 16_000, 30_000, 30_000, 30_000]);
        assert.equal(
            backoffDelay(9, () => 0),
            0,
        );
        assert.equal(
            backoffDelay(0, () => 0.25, 1000, 5000),
            250,
        );
    });

    async function eventsOf(...pieces) {
        const bytes = pieces.map((piece) => Buffer.from(piece));
        const body = new ReadableStream({
            pull: (to) => (bytes.length ? to.enqueue(bytes.shift()) : to.close()),
        });
        const events = [];
        for await (const event of readEvents(body)) if (event) events.push(event);
        return events;
    }

    test('server-sent events, cut anywhere', async () => {
        const first = 'retry: 100\n\ndata: {"a":"é😀"}\nid: C1\n\n: note\n\n';
        const text = `${first}data:x\r\n\r\ndata: 1\ndata: 2\nid:\n\n`;
        const wanted = [
            { data: '{"a":"é😀"}', id: 'C1' },
            { data: 'x', id: undefined },
            { data: '1\n2', id: '' },
        ];
        assert.deepEqual(await eventsOf(text), wanted);
        const bytes = Buffer.from(text);
        assert.deepEqual(await eventsOf(...[...bytes].map((byte) => Buffer.from([byte]))), wanted);
        assert.deepEqual(await eventsOf('data: unfinished\n'), []);
    });

    test('options that cannot be', () => {
        assert.throws(() => new Confab({}), /url/);
        assert.throws(() => new Confab({ url: 'http://x', transport: 'tcp' }), /transport/);
        const options = { url: 'http://x', transport: 'ws', WebSocket: undefined };
        assert.throws(() => new Confab(options), /WebSocket/);
        assert.equal(new Confab({ ...options, transport: 'auto' }).transport, 'sse');
    });

    test('a listener that throws does not keep frames from being applied', (t) => {
        const later = [];
        t.mock.method(globalThis, 'queueMicrotask', (run) => later.push(run));
        const client = new Confab({ url: 'http://x', transport: 'poll' });
        const heard = [];
        client.on('conversation', () => {
            throw new Error('a listener');
        });
        client.on('conversation', ({ conversation: c }) => heard.push(c.id));
        client.on('change', ({ conversationIds }) => heard.push(...conversationIds));
        client.apply(conversation('c', 1, 0));
        client.apply(conversation('d', 1, 0));
        const [first, change, second] = later;
        for (const run of [first, second]) assert.throws(run, /a listener/);
        change();
        assert.deepEqual([heard, client.conversations.size], [['c', 'd', 'c', 'd'], 2]);
    });
});
