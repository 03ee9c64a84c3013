// web/confab.js against the real server: over each transport the same things, then what is special.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';

import { WebSocket } from 'ws';

import { Confab, ConfabError, MemoryStore } from '../../web/confab.js';
import {
    eventually,
    login,
    makeConversation,
    register,
    say,
    sayMany,
    unique,
} from '../lib/client.mjs';
import { ok } from '../lib/expect.mjs';
import { ON_FILE, sleep, startServer } from '../lib/server.mjs';

const WAIT_MS = 40_000; // a bound for tests that would else hang; no claim about time
const HASTE = 0.1; // of the usual back-off

let server;
before(async () => {
    server = await startServer();
});
after(() => server?.stop());

// ---- helpers -----------------------------------------------------------------------------------

function make(t, user, options = {}) {
    const { url } = options.server ?? user.server;
    const random = () => HASTE * Math.random();
    const client = new Confab({ url, token: user.access, WebSocket, random, ...options });
    client.resets = [];
    client.errors = [];
    client.on('reset', ({ reason }) => client.resets.push(reason));
    client.on('error', ({ error }) => client.errors.push(error));
    t.after(() => client.close());
    return client;
}

async function open(t, user, options) {
    const client = make(t, user, options);
    await client.connect();
    return client;
}

// Resolves with the first answer of ask() that counts as true; asked again when something changes.
function until(client, ask, what = ask.toString()) {
    return new Promise((resolve, reject) => {
        const stops = ['change', 'state'].map((event) => client.on(event, look));
        const often = setInterval(look, 50); // for what is not the client's to tell
        const timer = setTimeout(() => end(reject, new Error(`not in time: ${what}`)), WAIT_MS);
        function end(settle, value) {
            clearTimeout(timer);
            clearInterval(often);
            stops.forEach((stop) => stop());
            settle(value);
        }
        function look() {
            const answer = ask();
            if (answer) end(resolve, answer);
        }
        look();
    });
}

// What is stored, as soon as it is as it should be.
async function saved(store, test) {
    for (const end = Date.now() + WAIT_MS; Date.now() < end; await sleep(5)) {
        const state = await store.load();
        if (state && test(state)) return state;
    }
    return assert.fail(`not stored: ${test}`);
}

const bodies = (client, id) =>
    client.conversations
        .get(id)
        ?.list()
        .map((message) => message.message_body) ?? [];
const hasBody = (client, id, text) => until(client, () => bodies(client, id).includes(text), text);
const path = (conversation) => `/api/conversations/${conversation.id}/`;

async function pair(fields) {
    const [ann, bob] = [await register(server), await register(server)];
    return { ann, bob, talk: await makeConversation(ann, [bob], fields) };
}

async function allMessages(user, id) {
    const rows = [];
    for (let after_seq = 0; ; after_seq = rows.at(-1).seq) {
        const query = { after_seq, limit: 100, deleted: 1 };
        const { results } = ok(await user.get(`/api/conversations/${id}/messages/`, query));
        rows.push(...results);
        if (results.length < 100) return rows;
    }
}

const NAMES = ['id', 'seq', 'rev', 'message_body', 'edited', 'deleted', 'pinned', 'reply_to'];
const some = (message) => NAMES.map((name) => message[name]);

// What differs between a client and what REST answers the same user; '' if nothing does.
async function difference(client, user) {
    const { results } = ok(await user.get('/api/conversations/', { page_size: 100 }));
    const theirs = [];
    const ours = [];
    for (const row of results) {
        const copy = client.conversations.get(row.id);
        const readers = row.participants.map((one) => [one.id, one.read_seq]);
        const rows = (await allMessages(user, row.id)).filter(
            (m) => m.seq >= (copy?.from_seq ?? 1),
        );
        const { title, closed, last_seq, unread_count, participant_count } = row;
        const fields = [row.id, title, closed, last_seq, unread_count, participant_count];
        theirs.push([fields, readers, rows.map(some)]);
        if (!copy) continue;
        const reads = readers.map(([id]) => [id, copy.reads.get(id) ?? 0]);
        const { unread_count: unread, participant_count: members } = copy;
        const own = [copy.id, copy.title, copy.closed, copy.last_seq, unread, members];
        ours.push([own, reads, copy.list().map(some)]);
    }
    const known = [...client.conversations.keys()].sort().join();
    if (
        known !==
        results
            .map((row) => row.id)
            .sort()
            .join()
    )
        return `knows ${known}`;
    const [a, b] = [theirs, ours].map((list) => JSON.stringify(list));
    return a === b ? '' : `server: ${a}\nclient: ${b}`;
}

// It gets there, and nothing is left to come.
async function converges(client, user) {
    let last = '';
    for (const end = Date.now() + WAIT_MS; Date.now() < end;) {
        last = await difference(client, user);
        if (last === '') return;
        await sleep(20);
    }
    assert.fail(`does not converge\n${last}`);
}

// ---- the same over each transport --------------------------------------------------------------

for (const transport of ['ws', 'sse', 'poll']) {
    describe(`over ${transport}`, () => {
        const with_ = (options) => ({ transport, ...options });

        test('two clients talk', async (t) => {
            const { ann, bob, talk } = await pair();
            const [a, b] = [await open(t, ann, with_()), await open(t, bob, with_())];
            assert.deepEqual([a.state, a.transport, a.me.id], ['online', transport, ann.id]);
            const sent = [];
            for (let n = 1; n <= 5; n++) {
                sent.push(a.send(talk.id, `a${n}`), b.send(talk.id, `b${n}`));
            }
            assert.deepEqual(a.pending(talk.id).map((item) => item.message_body).length, 5);
            const stored = await Promise.all(sent.map((item) => item.delivered));
            assert.deepEqual(
                stored.map((m) => m.seq).sort((x, y) => x - y),
                [...Array(10).keys()].map((n) => n + 1),
            );
            for (const client of [a, b]) {
                await until(client, () => bodies(client, talk.id).length === 10);
                const inOrder = bodies(client, talk.id).filter((text) => text.startsWith('a'));
                assert.deepEqual(inOrder, ['a1', 'a2', 'a3', 'a4', 'a5']);
                assert.deepEqual([client.pending(), client.errors, client.resets], [[], [], []]);
            }
            const replyTo = stored[0].id;
            const metadata = { mood: 'fine' };
            const reply = await a.send(talk.id, 'a reply', { replyTo, metadata }).delivered;
            assert.deepEqual([reply.reply_to, reply.metadata], [replyTo, metadata]);
            await hasBody(b, talk.id, 'a reply');
            await Promise.all([converges(a, ann), converges(b, bob)]);
        });

        test('a conversation that begins while one is connected', async (t) => {
            const { ann, bob } = await pair();
            const client = await open(t, bob, with_());
            const talk = await makeConversation(ann, [bob], { title: 'New', message_body: 'hi' });
            await hasBody(client, talk.id, 'hi');
            ok(await ann.patch(path(talk), { title: 'Renamed' }));
            await until(client, () => client.conversations.get(talk.id).title === 'Renamed');
            ok(await bob.patch(`${path(talk)}me/`, { pinned: true }));
            await until(client, () => client.conversations.get(talk.id).mine.pinned);
            await converges(client, bob);
        });

        test('edit and delete', async (t) => {
            const { ann, bob, talk } = await pair();
            const [first, second] = await sayMany(ann, talk, 2);
            const [a, b] = [await open(t, ann, with_()), await open(t, bob, with_())];
            const changes = [];
            b.on('message', ({ message, previous }) =>
                changes.push([previous?.message_body, message.message_body]),
            );
            await a.edit(first, 'edited');
            await hasBody(b, talk.id, 'edited');
            await assert.rejects(a.edit(first, 'again, of what it was'), { status: 409 });
            await a.delete(second);
            const copy = b.conversations.get(talk.id);
            await until(b, () => copy.messages.get(2).deleted);
            assert.deepEqual(changes, [
                ['message 1', 'edited'],
                ['message 2', ''],
            ]);
            assert.ok(copy.messages.get(1).edited);
            await Promise.all([converges(a, ann), converges(b, bob)]);
        });

        test('read positions and unread counts', async (t) => {
            const { ann, bob, talk } = await pair();
            await sayMany(ann, talk, 3);
            const [a, b] = [await open(t, ann, with_()), await open(t, bob, with_())];
            const other = await open(t, bob, with_());
            const copy = b.conversations.get(talk.id);
            assert.equal(copy.unread_count, 3);
            b.markRead(talk.id, 2);
            assert.equal(copy.unread_count, 1, 'at once');
            await until(a, () => a.conversations.get(talk.id).reads.get(bob.id) === 2);
            await until(other, () => other.conversations.get(talk.id).unread_count === 1);
            await until(b, () => copy.read_seq === 2);
            await say(ann, talk, 'one more');
            await until(b, () => copy.unread_count === 2);
            b.markRead(talk.id);
            b.markRead(talk.id, 1);
            await until(other, () => other.conversations.get(talk.id).unread_count === 0);
            b.send(talk.id, 'mine');
            await until(a, () => a.conversations.get(talk.id).unread_count === 1);
            await Promise.all([converges(a, ann), converges(b, bob), converges(other, bob)]);
        });

        test('away and back', async (t) => {
            const { ann, bob, talk } = await pair();
            const other = await makeConversation(ann, [bob], { title: 'Other' });
            const [first] = await sayMany(ann, talk, 3);
            const store = new MemoryStore();
            const before = await open(t, bob, with_({ store }));
            const next = make(t, bob, with_({ store }));
            await before.close();
            assert.equal(before.state, 'closed');
            await sayMany(ann, talk, 2, 'meanwhile');
            ok(await ann.patch(`/api/messages/${first.id}/`, { message_body: 'edited meanwhile' }));
            ok(await ann.patch(path(other), { title: 'Renamed meanwhile' }));
            ok(await ann.delete(`${path(other)}participants/${bob.id}/`), 204);
            const added = await makeConversation(ann, [bob], { title: 'Added meanwhile' });
            const heard = [];
            next.on('message', ({ message }) => heard.push(message.message_body));
            await next.connect();
            assert.deepEqual(
                heard.sort(),
                ['edited meanwhile', 'meanwhile 1', 'meanwhile 2'],
                'no more',
            );
            assert.deepEqual([...next.conversations.keys()].sort(), [talk.id, added.id].sort());
            await before.connect();
            for (const client of [before, next]) {
                await converges(client, bob);
                assert.deepEqual([client.resets, client.errors], [[], []]);
            }
        });

        test('away for long: limited, and paging back', async (t) => {
            const { ann, bob, talk } = await pair();
            const old = await sayMany(ann, talk, 30, 'old');
            const store = new MemoryStore();
            const client = await open(t, bob, with_({ store }));
            await client.history(talk.id, { limit: 100 });
            assert.equal(client.conversations.get(talk.id).from_seq, 1);
            await client.close();
            // Until a connection is missed, what comes waits for him frame by frame, whatever its number.
            await eventually(
                () => ann.get(`/api/users/${bob.id}/presence/`),
                (res) => transport === 'poll' || res.json.state === 'offline',
                'the server has noticed that he is away',
                1500,
            );
            ok(await ann.patch(`/api/messages/${old[4].id}/`, { message_body: 'edited' }));
            ok(await ann.delete(`/api/messages/${old[6].id}/`), 204);
            await sayMany(ann, talk, 110, 'new');
            await client.connect();
            const copy = client.conversations.get(talk.id);
            await until(client, () => copy.last_seq === 140);
            assert.ok(copy.from_seq > 100, 'limited');
            assert.ok([...copy.messages.keys()].every((seq) => seq >= copy.from_seq));
            const seen = copy.list().length;
            const page = await client.history(talk.id, { limit: 50 });
            assert.deepEqual([page.messages.length, page.more], [50, true]);
            assert.equal(copy.list().length, seen + 50);
            while ((await client.history(talk.id, { limit: 100 })).more);
            assert.equal(copy.from_seq, 1);
            assert.equal(copy.list().length, 140);
            assert.equal(copy.messages.get(5).message_body, 'edited');
            assert.deepEqual(
                [copy.messages.get(7).deleted, copy.messages.get(7).message_body],
                [true, ''],
            );
            assert.deepEqual(await client.history(talk.id), { messages: [], more: false });
            await converges(client, bob);
        });

        test('a cursor that is not known: all anew, but what is to be sent stays', async (t) => {
            const { ann, bob, talk } = await pair();
            await sayMany(ann, talk, 2);
            const store = new MemoryStore();
            const client = await open(t, bob, with_({ store }));
            await client.close();
            client.send(talk.id, 'kept');
            const ghost = { ...client.conversations.get(talk.id).toRow(), id: 'ghost' };
            const rows = [['conversations', 'ghost', ghost]];
            await saved(store, (state) => state.outbox.length === 1);
            await store.save({ clear: false, rows }, 'bm9ib2R5IG1hZGUgaXQ');
            const next = await open(t, bob, with_({ store }));
            assert.equal(next.resets.length, 1);
            await hasBody(next, talk.id, 'kept');
            await until(next, () => next.pending().length === 0);
            assert.ok(!next.conversations.has('ghost'));
            await converges(next, bob);
            await next.close();
            const state = await store.load();
            assert.deepEqual(
                state.conversations.map((row) => row.id),
                [talk.id],
            );
            assert.deepEqual([state.outbox, state.cursor === ''], [[], false]);
        });

        test('removed, and added again', async (t) => {
            const { ann, bob, talk } = await pair();
            await sayMany(ann, talk, 2);
            const client = await open(t, bob, with_());
            const gone = [];
            client.on('gone', ({ conversationId }) => gone.push(conversationId));
            ok(await ann.delete(`${path(talk)}participants/${bob.id}/`), 204);
            await until(client, () => !client.conversations.has(talk.id));
            await say(ann, talk, 'behind his back');
            ok(await ann.post(`${path(talk)}participants/`, { user_id: bob.id }), 201);
            await hasBody(client, talk.id, 'behind his back');
            assert.deepEqual(gone, [talk.id]);
            assert.equal(client.conversations.get(talk.id).unread_count, 0);
            await converges(client, bob);
            ok(await ann.delete(path(talk)), 204);
            await until(client, () => !client.conversations.has(talk.id));
        });

        // Long polls are not told.
        test('typing', async (t) => {
            const { ann, bob, talk } = await pair();
            const to = transport === 'poll' ? 'ws' : transport;
            const [a, b] = [await open(t, ann, with_()), await open(t, bob, { transport: to })];
            const seen = [];
            b.on('typing', ({ userIds }) => seen.push(userIds));
            for (let n = 0; n < 10; n++) a.typing(talk.id);
            await until(b, () => seen.length > 0);
            assert.deepEqual([seen, b.typists(talk.id)], [[[ann.id]], [ann.id]]);
            a.send(talk.id, 'what I typed');
            await until(b, () => b.typists(talk.id).length === 0);
            assert.deepEqual(a.typists(talk.id), []);
        });

        test('a refused message: failed with the reason; once more, or away', async (t) => {
            const { ann, bob, talk } = await pair();
            const client = await open(t, bob, with_());
            ok(await ann.post(`${path(talk)}close/`));
            const item = client.send(talk.id, 'too late');
            await assert.rejects(
                item.delivered,
                (error) => error instanceof ConfabError && error.status === 403,
            );
            assert.deepEqual([item.state, item.error.code], ['failed', 'conversation_closed']);
            assert.equal(item.error.body.detail, 'This conversation is closed.');
            ok(await ann.post(`${path(talk)}reopen/`));
            const blank = client.send(talk.id, '   ');
            const far = client.send(randomUUID(), 'where to?');
            await assert.rejects(blank.delivered, { status: 400 });
            await assert.rejects(far.delivered, { status: 404 });
            for (const { client_id: id } of [blank, far]) assert.ok(client.remove(id));
            assert.ok(client.retry(item.client_id));
            const stored = await item.delivered;
            assert.equal(stored.message_body, 'too late');
            assert.deepEqual(client.pending(), []);
            await converges(client, bob);
        });

        test('text that needs care', async (t) => {
            const { ann, bob, talk } = await pair();
            const [a, b] = [await open(t, ann, with_()), await open(t, bob, with_())];
            const long = '語'.repeat(9_999);
            const texts = ['😀 é "quoted" \\ \u2028.', 'half \ud83d', 'x'.repeat(10_000), long];
            for (const text of texts) a.send(talk.id, text);
            const wanted = [texts[0], 'half \ufffd', texts[2], long];
            await until(b, () => bodies(b, talk.id).length === 4);
            assert.deepEqual(bodies(b, talk.id), wanted);
            const tooLong = a.send(talk.id, long.repeat(6));
            await assert.rejects(tooLong.delivered, { status: 400 });
            assert.deepEqual(a.errors, []);
        });

        test('a session that is revoked: signed out, until there is another token', async (t) => {
            const { ann, bob, talk } = await pair();
            const client = await open(t, bob, with_());
            ok(await bob.post('/api/token/revoke/', { refresh: bob.refresh }), 205);
            await until(client, () => client.state === 'signed-out');
            const item = client.send(talk.id, 'while signed out');
            await say(ann, talk, 'meanwhile');
            const again = await login(server, bob.username);
            client.resume(again.access);
            await client.connect();
            await item.delivered;
            await hasBody(client, talk.id, 'meanwhile');
            await converges(client, again);
            assert.deepEqual(client.resets, []);
        });

        test('a token that runs out: getToken is asked for another', async (t) => {
            const { ann, bob, talk } = await pair();
            const asked = [];
            const given = [];
            const getToken = async ({ refused }) => {
                asked.push(refused);
                given.push((await login(server, bob.username)).access);
                return given.at(-1);
            };
            const client = await open(t, bob, with_({ getToken }));
            const { sid } = JSON.parse(atob(given[0].split('.')[1]));
            ok(await bob.delete(`/api/users/me/sessions/${sid}/`), 204);
            await until(client, () => asked.length === 2 && client.state === 'online');
            assert.deepEqual(asked, [null, given[0]]);
            await client.send(talk.id, 'still me').delivered;
            await say(ann, talk, 'still here');
            await hasBody(client, talk.id, 'still here');
        });

        test('no token that is any good', async (t) => {
            const user = await register(server);
            for (const options of [{ token: 'nonsense' }, { getToken: () => null }]) {
                const client = make(t, user, with_(options));
                await assert.rejects(client.connect(), { status: 401 });
                assert.equal(client.state, 'signed-out');
            }
            const client = make(t, user, with_({ getToken: () => `ey.${unique()}.x` }));
            await assert.rejects(client.connect(), { status: 401 });
        });

        test('another user: nothing of the first is shown, or sent in his name', async (t) => {
            const { ann, bob, talk } = await pair();
            await sayMany(ann, talk, 2);
            const stranger = await register(server);
            const store = new MemoryStore();
            const first = await open(t, bob, with_({ store }));
            first.markRead(talk.id);
            await first.close();
            const item = first.send(talk.id, 'of Bob');
            const next = await open(t, stranger, with_({ store }));
            assert.deepEqual([next.conversations.size, next.me.id], [0, stranger.id]);
            assert.deepEqual(next.pending(), []);
            first.resume(stranger.access);
            await first.connect();
            await assert.rejects(item.delivered, /removed/);
            assert.deepEqual([first.conversations.size, first.pending()], [0, []]);
            await Promise.all([first.close(), next.close()]);
            const { conversations, messages, outbox } = await store.load();
            assert.deepEqual([conversations, messages, outbox], [[], [], []]);
            assert.equal((await allMessages(ann, talk.id)).length, 2);
        });
    });
}

// ---- presence ----------------------------------------------------------------------------------

describe('presence and profiles', () => {
    test('over a WebSocket they are live', async (t) => {
        const { ann, bob } = await pair();
        const client = await open(t, ann, { transport: 'ws' });
        client.subscribe([bob.id]);
        await until(client, () => client.presence.get(bob.id)?.state === 'offline');
        assert.equal(client.users.get(bob.id).username, bob.username);
        const other = await open(t, bob, { transport: 'sse' });
        await until(client, () => client.presence.get(bob.id).state === 'online');
        ok(await bob.patch('/api/users/me/', { first_name: 'Robert' }));
        await until(client, () => client.users.get(bob.id).first_name === 'Robert');
        await other.close();
        await until(client, () => client.presence.get(bob.id).state === 'offline');
        assert.match(client.presence.get(bob.id).last_seen, /Z$/);
        const crowd = Array.from({ length: 1000 }, (_, n) => `user ${n}`);
        assert.throws(() => client.subscribe(crowd), RangeError);
    });

    for (const transport of ['sse', 'poll']) {
        test(`over ${transport} they are asked for`, async (t) => {
            const { ann, bob } = await pair();
            await open(t, bob, { transport: 'ws' });
            const client = await open(t, ann, { transport });
            client.subscribe([bob.id]);
            await until(client, () => client.presence.get(bob.id)?.state === 'online');
            assert.deepEqual(client.errors, []);
        });
    }

    test('my own profile follows what I change elsewhere', async (t) => {
        const user = await register(server);
        const client = await open(t, user);
        ok(await user.patch('/api/users/me/', { first_name: 'Ann', last_name: 'Lee' }));
        await until(client, () => client.me.full_name === 'Ann Lee');
    });
});

// ---- connections that break --------------------------------------------------------------------

// A relay before the server. silence(): the long-lived connections stay, but nothing comes back
// through them; hold(): the same for all others, until release().
async function relay(t, to) {
    const pairs = new Set();
    let isHolding = false;
    const flow = (pair, flows) => {
        if (pair.flows === flows) return;
        pair.flows = flows;
        if (flows) pair.far.pipe(pair.near);
        else pair.far.unpipe(pair.near).pause();
    };
    const look = (pair, bytes) => {
        pair.isLong ||= /GET \/api\/(ws|events)\//.test(bytes);
        flow(pair, pair.isLong || !isHolding);
    };
    const listener = net.createServer((near) => {
        const pair = { near, far: net.connect(to.port, '127.0.0.1'), flows: false, isLong: false };
        pairs.add(pair);
        near.on('data', (bytes) => look(pair, bytes)).pipe(pair.far);
        for (const one of [near, pair.far]) {
            one.on('error', () => {});
            one.on('close', () => {
                pairs.delete(pair);
                near.destroy();
                pair.far.destroy();
            });
        }
    });
    await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const each = (isLong, act) => {
        for (const pair of [...pairs]) if (pair.isLong === isLong) act(pair);
    };
    const keep = (holds) => {
        isHolding = holds;
        each(false, (pair) => flow(pair, !holds));
    };
    const it = {
        url: `http://127.0.0.1:${listener.address().port}`,
        cutLong: () => each(true, ({ near }) => near.destroy()),
        cut: () => [...pairs].forEach(({ near }) => near.destroy()),
        silence: () => each(true, (pair) => flow(pair, false)),
        hold: () => keep(true),
        release: () => keep(false),
    };
    t.after(() => {
        listener.close();
        it.cut();
    });
    return it;
}

describe('connections that break', () => {
    for (const transport of ['ws', 'sse', 'poll']) {
        test(`${transport}: cut while messages are on their way, both ways`, async (t) => {
            const { ann, bob, talk } = await pair();
            const between = await relay(t, server);
            const client = await open(t, bob, { transport, server: between });
            const items = [];
            for (let n = 1; n <= 20; n++) {
                items.push(client.send(talk.id, `mine ${n}`));
                await say(ann, talk, `hers ${n}`);
                if (n % 5 === 0) between.cut();
            }
            await Promise.all(items.map((item) => item.delivered));
            await converges(client, bob);
            const stored = (await allMessages(ann, talk.id)).map((message) => message.message_body);
            const mine = stored.filter((text) => text.startsWith('mine'));
            assert.deepEqual(
                mine,
                Array.from({ length: 20 }, (_, n) => `mine ${n + 1}`),
            );
            assert.deepEqual(client.resets, []);
        });
    }
});

// It may be of a database that has been put back since.
test('an answer that comes late, over another connection than the present one', async (t) => {
    const { ann, bob, talk } = await pair();
    const between = await relay(t, server);
    const client = await open(t, bob, { transport: 'sse', server: between });
    between.hold();
    const item = client.send(talk.id, 'late');
    const isStored = async () => (await allMessages(ann, talk.id)).length === 1;
    for (const end = Date.now() + WAIT_MS; !(await isStored()); await sleep(10)) {
        assert.ok(Date.now() < end, 'it got there');
    }
    assert.deepEqual([item.attempts, item.state], [1, 'pending']);
    const back = until(client, () => client.state === 'waiting');
    between.cutLong();
    await back;
    await until(client, () => client.state === 'online');
    between.release();
    await item.delivered;
    assert.equal(item.attempts, 2);
    assert.equal((await allMessages(ann, talk.id)).length, 1);
    await converges(client, bob);
});

describe('a server of its own', () => {
    // A short heartbeat: a dead connection is noticed soon.
    test('a connection over which nothing comes any more', async (t) => {
        const own = await startServer({ env: { HEARTBEAT_INTERVAL: '1' } });
        t.after(() => own.stop());
        const [ann, bob] = [await register(own), await register(own)];
        const talk = await makeConversation(ann, [bob]);
        const between = await relay(t, own);
        for (const transport of ['ws', 'sse']) {
            const client = await open(t, bob, { transport, server: between });
            between.silence();
            await say(ann, talk, `after the silence, ${transport}`);
            await hasBody(client, talk.id, `after the silence, ${transport}`);
            await converges(client, bob);
            await client.close();
        }
    });

    test('a heartbeat brings a cursor, and saves what came before it', async (t) => {
        const own = await startServer({ env: { HEARTBEAT_INTERVAL: '1' } });
        t.after(() => own.stop());
        const [ann, bob] = [await register(own), await register(own)];
        const talk = await makeConversation(ann, [bob]);
        const store = new MemoryStore();
        const client = await open(t, bob, { transport: 'ws', store });
        const { cursor } = client;
        await say(ann, talk, 'live');
        await hasBody(client, talk.id, 'live');
        const state = await saved(store, (now) => now.cursor !== cursor);
        assert.deepEqual(
            state.messages.map((row) => row.message_body),
            ['live'],
        );
        const calls = [];
        const again = make(t, bob, { transport: 'ws', store });
        again.on('message', ({ message }) => calls.push(message.message_body));
        await again.connect();
        assert.deepEqual([calls, bodies(again, talk.id)], [[], ['live']]);
    });

    test('killed and started again: nothing of the outboxes is lost or doubled', async (t) => {
        const own = await startServer();
        t.after(() => own.stop());
        const people = [];
        for (const transport of ['ws', 'sse', 'poll']) {
            people.push({ user: await register(own), transport, items: [] });
        }
        const talk = await makeConversation(
            people[0].user,
            people.slice(1).map((one) => one.user),
        );
        for (const one of people)
            one.client = await open(t, one.user, { transport: one.transport });
        for (let round = 1; round <= 3; round++) {
            for (const { client, items } of people) {
                for (let n = 1; n <= 10; n++) items.push(client.send(talk.id, `${round}.${n}`));
            }
            await Promise.race(people.map(({ items }) => items.at(-7).delivered));
            await own.kill9();
            for (const { client, items } of people)
                items.push(client.send(talk.id, `${round}.off`));
            await own.start();
        }
        const stored = await Promise.all(
            people.flatMap(({ items }) => items.map((i) => i.delivered)),
        );
        assert.equal(new Set(stored.map((message) => message.id)).size, 99);
        for (const { user, client, items } of people) {
            await converges(client, user);
            const mine = client.conversations.get(talk.id).list();
            const texts = mine.filter((m) => m.sender_id === user.id).map((m) => m.message_body);
            assert.deepEqual(
                texts,
                items.map((item) => item.message_body),
            );
            assert.deepEqual([client.resets, client.pending()], [[], []]);
        }
    });

    test('the outbox outlives the client', async (t) => {
        const own = await startServer();
        t.after(() => own.stop());
        const user = await register(own);
        const talk = await makeConversation(user);
        const store = new MemoryStore();
        const client = await open(t, user, { store });
        await own.kill9();
        client.send(talk.id, 'first');
        client.send(talk.id, 'second');
        await client.close();
        await own.start();
        const next = await open(t, user, { store });
        await until(next, () => next.pending().length === 0);
        assert.deepEqual(bodies(next, talk.id), ['first', 'second']);
        await converges(next, user);
    });

    test('stopped and started: told when to come back', async (t) => {
        const own = await startServer();
        t.after(() => own.stop());
        const [ann, bob] = [await register(own), await register(own)];
        const talk = await makeConversation(ann, [bob]);
        const clients = [];
        for (const transport of ['ws', 'sse', 'poll']) {
            clients.push(await open(t, bob, { transport }));
        }
        await own.restart();
        await say(ann, talk, 'after the restart');
        for (const client of clients) {
            client.resume();
            await hasBody(client, talk.id, 'after the restart');
            await converges(client, bob);
            assert.deepEqual(client.resets, []);
        }
    });

    // The cursor is older than the copy, so the server takes it; what came after has not happened.
    for (const transport of ['ws', 'sse', 'poll']) {
        test(`${transport}: a backup put in the place of the database`, ON_FILE, async (t) => {
            const own = await startServer();
            t.after(() => own.stop());
            const [ann, bob] = [await register(own), await register(own)];
            const talk = await makeConversation(ann, [bob]);
            await sayMany(ann, talk, 2);
            const store = new MemoryStore();
            const first = await open(t, bob, { transport, store });
            await converges(first, bob);
            const copy = `${own.dataDir}-copy`;
            fs.cpSync(own.dataDir, copy, { recursive: true });
            const { cursor } = first;
            for (const text of ['lost', 'lost too']) await say(ann, talk, text);
            await hasBody(first, talk.id, 'lost too');
            await first.close();
            await own.kill9();
            fs.rmSync(own.dataDir, { recursive: true });
            fs.renameSync(copy, own.dataDir);
            await own.start();
            await say(ann, talk, 'instead');
            if (transport === 'ws') assert.equal((await store.load()).cursor, cursor);
            const client = await open(t, bob, { transport, store });
            await hasBody(client, talk.id, 'instead');
            await until(client, () => client.resets.length === 1);
            await converges(client, bob);
            assert.deepEqual(bodies(client, talk.id), ['message 1', 'message 2', 'instead']);
        });
    }
});

// ---- choosing a transport ----------------------------------------------------------------------

describe('transports', () => {
    test('auto: where WebSockets do not get through, something else does', async (t) => {
        const { ann, bob, talk } = await pair();
        class Broken extends WebSocket {
            constructor(url, protocols) {
                super(url.replace(/:\d+\//, ':1/'), protocols);
            }
        }
        const client = await open(t, bob, { WebSocket: Broken, transport: 'auto' });
        assert.equal(client.transport, 'sse');
        await say(ann, talk, 'another way');
        await hasBody(client, talk.id, 'another way');
        const usual = await open(t, bob);
        assert.equal(usual.transport, 'ws');
    });

    test('auto: a proxy that keeps streams back ends with polling', async (t) => {
        const user = await register(server);
        const kept = (...args) => (/events/.test(args[0]) ? withheld(args) : fetch(...args));
        const withheld = async ([url, init]) => {
            const answer = await fetch(url, init);
            await answer.body.cancel();
            return new Response(new ReadableStream({ start: (to) => to.close() }));
        };
        const client = await open(t, user, { WebSocket: undefined, fetch: kept });
        assert.equal(client.transport, 'poll');
    });

    test('a token is replaced on the open socket before it runs out', async (t) => {
        const { ann, bob, talk } = await pair();
        const said = [];
        class Watched extends WebSocket {
            constructor(...args) {
                super(...args);
                this.addEventListener('message', ({ data }) => said.push(JSON.parse(data)));
            }
        }
        const tokens = [];
        const getToken = async () => {
            tokens.push((await login(server, bob.username)).access);
            return tokens.at(-1);
        };
        // By this clock the first token always runs out in a minute and a moment.
        const exp = () => JSON.parse(atob(tokens[0].split('.')[1])).exp * 1000;
        const now = () => (tokens.length === 1 ? exp() - 60_100 : Date.now());
        const states = [];
        const client = make(t, bob, { getToken, now, WebSocket: Watched, transport: 'ws' });
        client.on('state', ({ state }) => states.push(state));
        await client.connect();
        const acked = () => said.some((frame) => frame.type === 'ack' && frame.request === 'auth');
        await until(client, acked);
        assert.equal(tokens.length, 2);
        await say(ann, talk, 'still the same socket');
        await hasBody(client, talk.id, 'still the same socket');
        assert.deepEqual(states, ['connecting', 'syncing', 'online']);
    });

    test('close() ends it, connect() begins again', async (t) => {
        const { ann, bob, talk } = await pair();
        const client = make(t, bob);
        const first = client.connect();
        await client.close();
        await assert.rejects(first, /closed/);
        await client.close();
        await client.connect();
        await say(ann, talk, 'again');
        await hasBody(client, talk.id, 'again');
    });
});
