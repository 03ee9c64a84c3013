// Two servers on one PostgreSQL: what is done at one is seen at the other, at once with Redis and a moment
// later without; whatever dies, nothing is lost and nothing doubled.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import {
    anonymous,
    eventually,
    login,
    makeConversation,
    register,
    say,
    unique,
    walk,
} from '../lib/client.mjs';
import { contains, ok } from '../lib/expect.mjs';
import { KINDS, closing, cursorOf, listen, openSocket, page, sleep } from '../lib/live.mjs';
import { Mirror, converges } from '../lib/mirror.mjs';
import { Nodes, at } from '../lib/nodes.mjs';

const LOGINS = 6;
const SOON_MS = 900; // without Redis a look comes once a second

let nodes, one, two;
before(async () => {
    // A buffer for what is said in a second, so that a client need not fetch what it could not be told.
    const env = { THROTTLE_LOGIN: `${LOGINS}/hour`, SOCKET_BUFFER_MAX: 4 << 20 };
    nodes = await new Nodes({ env }).start();
    [one, two] = nodes.all;
});
after(() => nodes?.stop());

const state = (user, word) => ({ type: 'presence', user_id: user.id, state: word });

// Ann at the first node, Bob at the second one.
async function makePair() {
    const ann = await register(one);
    const bob = at(two, await register(one));
    return { ann, bob, talk: await makeConversation(ann, [bob]) };
}

async function delay(ann, client, talk, text) {
    const began = performance.now();
    await say(ann, talk, text);
    await client.get({ type: 'message', message: { message_body: text } });
    return performance.now() - began;
}

async function delays(ann, client, talk, count) {
    const list = [];
    for (let n = 0; n < count; n++) list.push(await delay(ann, client, talk, unique('text')));
    return list.sort((a, b) => a - b);
}

// His node has not heard of it yet. Whoever misses what the other one has told him takes the database for
// one that has gone back.
async function isToldToWhoComes(ann, bob, talk) {
    let cursor = await cursorOf(bob);
    for (let n = 0; n < 10; n++) {
        const text = unique('text');
        await say(ann, talk, text);
        const body = await page(bob, cursor, 0);
        const told = body.frames.filter((frame) => frame.type === 'message');
        assert.deepEqual(told.map((frame) => frame.message.message_body), [text]);
        cursor = body.cursor;
    }
}

describe('messages', () => {
    for (const kind of KINDS) {
        test(`reach the other node at once (${kind})`, async (t) => {
            const { ann, bob, talk } = await makePair();
            const client = closing(t, await listen(kind, bob));
            const list = await delays(ann, client, talk, 15);
            assert.ok(list[7] < SOON_MS, `the median is ${list[7]} ms`);
        });
    }

    test('and without Redis a moment later; nothing else is worse', async (t) => {
        const { ann, bob, talk } = await makePair();
        const client = closing(t, await openSocket(bob));
        const mine = closing(t, await openSocket(ann));
        await nodes.redis.kill();
        await nodes.apart();
        for (const node of nodes.all) ok(await anonymous(node).get('/ready/'));
        const list = await delays(ann, client, talk, 5);
        assert.ok(list[2] < 2500, `${list}`);
        await isToldToWhoComes(ann, bob, talk);
        ok(await bob.post(`/api/conversations/${talk.id}/read/`, { seq: 5 }));
        await mine.get({ type: 'read', user_id: bob.id, seq: 5 });
        await nodes.redis.start();
        await nodes.together();
        const soon = await delays(ann, client, talk, 15);
        assert.ok(soon[7] < SOON_MS, `the median is ${soon[7]} ms`);
    });
});

// Each node tells read positions once a second, by its own clock.
test('a read position that only the other node has told is told to who comes', async (t) => {
    const { ann, bob, talk } = await makePair();
    const carol = at(two, await register(one));
    const apart = await makeConversation(bob, [carol]); // nobody of it is at the first node
    await say(bob, talk, 'read me');
    const mine = await (await openSocket(ann)).synced();
    const { cursor } = mine.all('synced')[0];
    const his = closing(t, await (await openSocket(bob)).synced());
    await say(bob, apart, 'read me first');
    await sleep(1100);
    ok(await carol.post(`/api/conversations/${apart.id}/read/`, { seq: 1 }));
    await his.get({ type: 'read', user_id: carol.id });
    await say(ann, talk, 'so that the cursor moves');
    ok(await bob.post(`/api/conversations/${talk.id}/read/`, { seq: 2 }));
    const { seq } = await mine.get({ type: 'read', user_id: bob.id, seq: 2 });
    await mine.close();
    const there = closing(t, await openSocket(at(two, ann), { cursor }));
    await there.get('synced');
    assert.ok(there.all({ type: 'read', user_id: bob.id, seq }).length > 0, 'told again');
});

test('typing', async (t) => {
    const { ann, bob, talk } = await makePair();
    const [mine, device, his] = closing(
        t,
        await openSocket(ann),
        await openSocket(at(two, ann)),
        await openSocket(bob),
    );
    for (const socket of [mine, device, his]) await socket.synced();
    ok(await ann.post(`/api/conversations/${talk.id}/typing/`), 204);
    contains(await his.get('typing'), { conversation_id: talk.id, user_id: ann.id });
    his.say({ type: 'typing', conversation_id: talk.id });
    for (const socket of [mine, device]) contains(await socket.get('typing'), { user_id: bob.id });
    assert.deepEqual(device.all({ type: 'typing', user_id: ann.id }), [], 'not to him who types');
});

describe('presence', () => {
    const presence = async (user, who) => ok(await user.get(`/api/users/${who.id}/presence/`));
    const isState = (word) => (body) => body.state === word;

    test('is that of all nodes: who leaves one of two stays', async (t) => {
        const { ann, bob } = await makePair();
        const watcher = closing(t, await openSocket(ann));
        watcher.say({ type: 'subscribe', user_ids: [bob.id] });
        await watcher.get(state(bob, 'offline'));
        const there = await openSocket(bob);
        await watcher.get(state(bob, 'online'));
        contains(await presence(ann, bob), { state: 'online' });
        const here = await openSocket(at(one, bob));
        watcher.forget();
        await there.close();
        await sleep(6000); // longer than the pause that is none
        assert.deepEqual(watcher.all('presence'), []);
        contains(await presence(at(two, ann), bob), { state: 'online' });
        const left = Date.now();
        await here.close();
        const gone = Date.now();
        const frame = await watcher.get(state(bob, 'offline'));
        const seen = Date.parse(frame.last_seen);
        assert.ok(left - 1000 < seen && seen < gone + 2500, 'when he left, not after the pause');
        for (const node of nodes.all) {
            await eventually(() => presence(at(node, ann), bob), isState('offline'), 'he is gone');
        }
    });

    test('of those who were there before Redis, and before the other node', async (t) => {
        const { ann, bob } = await makePair();
        closing(t, await (await openSocket(bob)).synced());
        await nodes.redis.kill();
        await nodes.apart();
        const late = await register(two);
        closing(t, await openSocket(late));
        await nodes.redis.start();
        await nodes.together();
        for (const user of [bob, late]) {
            await eventually(() => presence(ann, user), isState('online'), 'he is there');
        }
    });
});

test('failed log-ins count over all nodes', async () => {
    const user = await register(one);
    const json = { username: user.username, password: 'wrong-pass-1' };
    const tried = [];
    for (let n = 0; n < 2 * LOGINS; n++) {
        const answer = await anonymous(nodes.all[n % 2]).post('/api/token/', json);
        tried.push(answer.status);
        await sleep(250); // a count travels ten times a second, if the machine has time for it
    }
    const failed = tried.filter((status) => status === 401).length;
    assert.ok(failed >= LOGINS && failed < 2 * LOGINS - 2, tried.join(' '));
    assert.deepEqual(tried.slice(-2), [429, 429], 'at both nodes');
});

test('a session that is revoked at one node ends at the other', async (t) => {
    const user = await register(one);
    const other = await login(one, user.username);
    const stays = closing(t, await (await openSocket(at(two, user))).synced());
    const ends = await (await openSocket(at(two, other))).synced();
    ok(await user.post('/api/token/revoke/', { refresh: other.refresh }), 205);
    assert.equal((await ends.ended()).code, 4401);
    await makeConversation(user, [], { title: 'still there' });
    await stays.get('conversation');
});

// --- under load -------------------------------------------------------------------------------

// Sends until it is stored, the same client_id each time, at whichever node is there.
async function sendSurely(user, talk, text) {
    const client_id = randomUUID();
    const fields = { conversation_id: talk.id, content: text, client_id };
    for (let n = 0; ; n++) {
        try {
            const answer = await at(nodes.all[n % 2], user).post('/api/messages/', fields);
            if (answer.status === 200 || answer.status === 201) return answer.json.id;
            assert.equal(answer.status, 503, answer.text);
        } catch (error) {
            if (error.code === 'ERR_ASSERTION') throw error;
        }
        await sleep(20);
    }
}

class Load {
    constructor(talk, users) {
        this.talk = talk;
        this.acknowledged = [];
        this.isOver = false;
        this.writers = users.map(async (user, writer) => {
            for (let n = 0; !this.isOver; n++) {
                this.acknowledged.push(await sendSurely(user, talk, `${writer} ${n}`));
                await sleep(20);
            }
        });
    }

    async end(user) {
        this.isOver = true;
        await Promise.all(this.writers);
        const path = `/api/conversations/${this.talk.id}/messages/?page_size=100&cursor=`;
        const stored = await walk(user, path, 5000);
        const seqs = stored.map((message) => message.seq);
        assert.deepEqual(seqs, seqs.map((_, n) => n + 1), 'dense');
        const ids = stored.map((message) => message.id);
        assert.deepEqual([...ids].sort(), this.acknowledged.sort(), 'each is stored, once');
        return ids;
    }
}

const toldBy = (client) =>
    client.frames.filter((frame) => frame.type === 'message').map((frame) => frame.message.id);

async function isToldAll(client, ids) {
    await client.until(() => new Set(toldBy(client)).size >= ids.length || undefined, 'all');
    assert.deepEqual([...new Set(toldBy(client))].sort(), [...ids].sort());
}

test('Redis comes and goes: nothing is lost, nothing doubled', async (t) => {
    const { ann, bob, talk } = await makePair();
    const clients = [await listen('ws', ann)];
    for (const kind of KINDS) clients.push(await listen(kind, bob));
    closing(t, ...clients);
    const load = new Load(talk, [ann, bob, ann, bob]);
    for (let n = 0; n < 4; n++) {
        await sleep(600);
        await nodes.redis.kill();
        await sleep(600);
        await nodes.redis.start();
    }
    await nodes.together();
    const ids = await load.end(ann);
    for (const client of clients) {
        await isToldAll(client, ids);
        assert.equal(client.closed, null);
        assert.equal(toldBy(client).length, ids.length, 'each once');
    }
});

test('a node is killed: its clients go on at the other one, its users are gone in time', async (t) => {
    const { ann, bob, talk } = await makePair();
    const lone = await register(two);
    const watcher = closing(t, await listen('ws', ann));
    watcher.say({ type: 'subscribe', user_ids: [bob.id, lone.id] });
    const lost = await Promise.all(['ws', 'sse'].map((kind) => listen(kind, bob)));
    closing(t, await openSocket(lone));
    for (const user of [bob, lone]) await watcher.get(state(user, 'online'));
    watcher.forget();
    const load = new Load(talk, [ann, bob, ann, bob]);
    await sleep(1000);
    const killed = Date.now();
    await two.kill9();
    const moved = [];
    for (const [n, kind] of ['ws', 'sse'].entries()) {
        await lost[n].ended();
        const client = await listen(kind, at(one, bob), { cursor: lost[n].cursor });
        assert.deepEqual(client.all('reset'), []);
        client.frames.unshift(...lost[n].frames);
        moved.push(client);
    }
    closing(t, ...moved);
    await sleep(1000);
    const ids = await load.end(ann);
    await isToldAll(watcher, ids);
    assert.equal(toldBy(watcher).length, ids.length, 'each once');
    // What they missed may be more than a page tells of; then they page back.
    for (const { frames, user } of moved) await converges(new Mirror({ frames, user }));
    const frame = await watcher.get(state(lone, 'offline'));
    assert.deepEqual(watcher.all(state(bob, 'offline')), [], 'who went on elsewhere stays online');
    const seen = (body) => Math.abs(Date.parse(body.last_seen) - Date.parse(frame.last_seen)) < 1;
    const ask = async () => ok(await ann.get(`/api/users/${lone.id}/presence/`));
    const body = await eventually(ask, seen, 'the other node stores when he was seen');
    // When his node was last heard of, which it is every 5 seconds; not when it was missed.
    const lastSeen = Date.parse(body.last_seen);
    assert.ok(killed - 15_000 < lastSeen && lastSeen < killed + 2500, body.last_seen);
    await two.start();
    await nodes.together();
});
