// Read positions, typing, presence and profiles, as others see them.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { eventually, login, makeCast, makeConversation, register, say } from '../lib/client.mjs';
import { NO_UUID, TIME, contains, err, notFound, ok, unauthorized } from '../lib/expect.mjs';
import { KINDS, closing, listen, openSocket } from '../lib/live.mjs';
import { Mirror, converges } from '../lib/mirror.mjs';
import { startServer } from '../lib/server.mjs';

let server;

before(async () => {
    server = await startServer();
});
after(() => server?.stop());

const open = async (t, user, kind = 'ws') => closing(t, await listen(kind, user)).forget();
const inIt = (c, type, more = {}) => ({ type, conversation_id: c.id, ...more });

// How far `reader` has read, told to a client: his own devices may hear it by his membership alone, in a page.
const toldRead = (client, c, reader, seq) =>
    client.get(
        (frame) =>
            frame.conversation_id === c.id &&
            ((frame.type === 'read' && frame.user_id === reader.id && frame.seq === seq) ||
                (client.user === reader && frame.type === 'membership' && frame.read_seq === seq)),
    );

describe('read positions', { concurrency: 4 }, () => {
    for (const kind of KINDS) {
        test(`of one are told to all (${kind})`, async (t) => {
            const cast = await makeCast(server);
            for (let n = 1; n <= 5; n++) await say(cast.owner, cast, `${n}`);
            const users = [cast.owner, cast.moderator, cast.member];
            const clients = await Promise.all(users.map((user) => open(t, user, kind)));
            const stranger = await open(t, cast.stranger, kind);
            ok(await cast.member.post(`${cast.path}read/`, { seq: 3 }));
            for (const client of clients) {
                const frame = await toldRead(client, cast, cast.member, 3);
                if (frame.type === 'membership') continue;
                assert.deepEqual(frame, inIt(cast, 'read', { user_id: cast.member.id, seq: 3 }));
            }
            // backwards is not told
            ok(await cast.member.post(`${cast.path}read/`, { seq: 2 }));
            ok(await cast.member.post(`${cast.path}read/`, { seq: 5 }));
            for (const client of clients) await toldRead(client, cast, cast.member, 5);
            assert.deepEqual(clients[0].all(inIt(cast, 'read', { seq: 2 })), []);
            assert.deepEqual(stranger.all('read'), []);
            const { unread_count } = ok(await cast.member.get(cast.path));
            assert.equal(unread_count, 0);
            for (const client of clients) {
                await converges(new Mirror({ frames: client.frames, user: client.user }));
            }
        });
    }

    test('many come together, at most one a second, the last for certain', async (t) => {
        const cast = await makeCast(server);
        const count = 60;
        for (let n = 1; n <= count; n++) await say(cast.owner, cast, `${n}`);
        const client = await open(t, cast.owner);
        const began = Date.now();
        for (let seq = 1; seq <= count; seq++) {
            ok(await cast.member.post(`${cast.path}read/`, { seq }));
        }
        await client.get(inIt(cast, 'read', { seq: count }));
        const seconds = (Date.now() - began) / 1000;
        const frames = client.all(inIt(cast, 'read'));
        assert.ok(frames.length <= seconds + 2, `${frames.length} frames in ${seconds} s`);
    });

    test('a message moves the position of its sender', async (t) => {
        const cast = await makeCast(server);
        const client = await open(t, cast.owner);
        await say(cast.moderator, cast, 'one');
        await say(cast.member, cast, 'two');
        await client.get(inIt(cast, 'message', { message: { seq: 2 } }));
        const mirror = new Mirror({ frames: client.frames, user: cast.owner });
        await converges(mirror);
        const { participants } = ok(await cast.owner.get(cast.path));
        contains(
            participants.find((row) => row.id === cast.member.id),
            { read_seq: 2 },
        );
    });

    test('over the socket: silent when it works, nack when not', async (t) => {
        const cast = await makeCast(server);
        for (let n = 1; n <= 5; n++) await say(cast.owner, cast, `${n}`);
        const mine = await open(t, cast.member);
        const other = await open(t, cast.owner);
        mine.say({ type: 'read', conversation_id: cast.id, seq: 4 });
        await other.get(inIt(cast, 'read', { user_id: cast.member.id, seq: 4 }));
        assert.equal(ok(await cast.member.get(cast.path)).unread_count, 1);
        assert.deepEqual(mine.all('ack'), []);
        assert.deepEqual(mine.all('nack'), []);
        mine.say({ type: 'read', conversation_id: NO_UUID, seq: 1 });
        contains(await mine.get('nack'), { request: 'read', status: 404, code: 'not_found' });
        mine.forget();
        mine.say({ type: 'read', conversation_id: cast.id, seq: 'x' });
        const nack = await mine.get('nack');
        contains(nack, { request: 'read', status: 400, code: 'invalid' });
        const rest = await cast.member.post(`${cast.path}read/`, { seq: 'x' });
        assert.deepEqual(nack.error, rest.json);
        const stranger = await open(t, cast.stranger);
        stranger.say({ type: 'read', conversation_id: cast.id, seq: 1 });
        contains(await stranger.get('nack'), { request: 'read', status: 404 });
        for (const bad of [{}, { conversation_id: 7, seq: 1 }, { conversation_id: '', seq: 1 }]) {
            mine.forget();
            mine.say({ type: 'read', ...bad });
            await mine.get((frame) => frame.type === 'nack' || frame.type === 'error');
        }
    });
});

describe('typing', { concurrency: 4 }, () => {
    const typing = (user, c) => user.post(`/api/conversations/${c.id}/typing/`);

    for (const way of ['REST', 'the socket']) {
        test(`by ${way}: to the others, not to him who types`, async (t) => {
            const cast = await makeCast(server);
            const other = await open(t, cast.owner);
            const events = await open(t, cast.moderator, 'sse');
            const mine = await open(t, cast.member);
            const device = await open(t, await login(server, cast.member.username));
            const stranger = await open(t, cast.stranger);
            if (way === 'REST') ok(await typing(cast.member, cast), 204);
            else mine.say({ type: 'typing', conversation_id: cast.id });
            for (const client of [other, events]) {
                const frame = await client.get('typing');
                const wanted = { user_id: cast.member.id, state: 'typing' };
                assert.deepEqual(frame, inIt(cast, 'typing', wanted));
            }
            await say(cast.owner, cast, 'a marker');
            for (const client of [mine, device]) {
                await client.get(inIt(cast, 'message'));
                assert.deepEqual(client.all('typing'), []);
                assert.deepEqual(client.all('ack'), []);
            }
            const note = await makeConversation(cast.stranger, [], { title: 'marker' });
            await stranger.get(inIt(note, 'conversation'));
            assert.deepEqual(stranger.all('typing'), []);
        });
    }

    test('at most one frame in three seconds', async (t) => {
        const cast = await makeCast(server);
        const other = await open(t, cast.owner);
        const mine = await open(t, cast.member);
        const began = Date.now();
        for (let n = 0; n < 15; n++) {
            ok(await typing(cast.member, cast), 204);
            mine.say({ type: 'typing', conversation_id: cast.id });
        }
        // another user has a count of his own
        ok(await typing(cast.moderator, cast), 204);
        await other.get({ type: 'typing', user_id: cast.moderator.id });
        await mine.send(cast, 'a marker');
        await other.get(inIt(cast, 'message'));
        const most = 1 + Math.floor((Date.now() - began) / 3000);
        const frames = other.all({ type: 'typing', user_id: cast.member.id });
        assert.ok(frames.length >= 1 && frames.length <= most, `${frames.length} of ${most}`);
    });

    test('only by who may send', async (t) => {
        const cast = await makeCast(server);
        const api = cast.stranger.with({ authorization: 'Bearer x' });
        unauthorized(await typing(api, cast));
        ok(await typing(cast.stranger, cast), 403, 404);
        ok(await typing(cast.owner, { id: NO_UUID }), 404);
        const stranger = await open(t, cast.stranger);
        stranger.say({ type: 'typing', conversation_id: cast.id });
        const nack = await stranger.get('nack');
        assert.ok([403, 404].includes(nack.status));
        assert.equal(nack.request, 'typing');
        ok(await cast.owner.post(`${cast.path}close/`));
        err(await typing(cast.member, cast), 403, 'conversation_closed');
        const mine = await open(t, cast.member);
        mine.say({ type: 'typing', conversation_id: cast.id });
        contains(await mine.get('nack'), {
            request: 'typing',
            status: 403,
            code: 'conversation_closed',
        });
        err(await cast.owner.get(`${cast.path}typing/`), 405, 'method_not_allowed');
    });
});

describe('presence', { concurrency: 4 }, () => {
    const presenceOf = async (who, by) => ok(await by.get(`/api/users/${who.id}/presence/`));
    const subscribe = (client, ...users) =>
        client.say({ type: 'subscribe', user_ids: users.map((user) => user.id) });
    const state = (user, wanted) => ({ type: 'presence', user_id: user.id, state: wanted });

    test('of whom I subscribe to: now, and what changes', async (t) => {
        const [me, other, third] = await Promise.all([1, 2, 3].map(() => register(server)));
        const mine = await open(t, me);
        const deaf = await open(t, third);
        subscribe(mine, other);
        const first = await mine.get(state(other, 'offline'));
        assert.deepEqual(Object.keys(first).sort(), ['last_seen', 'state', 'type', 'user_id']);
        const { user } = await mine.get({ type: 'user', user: { id: other.id } }); // not mine
        contains(user, { id: other.id, username: other.username, deleted: false });
        assert.equal(user.email, undefined);

        const socket = await open(t, other);
        await mine.get(state(other, 'online'));
        contains(await presenceOf(other, me), { user_id: other.id, state: 'online' });
        // a second device, and one that goes: still there
        const second = await open(t, await login(server, other.username));
        mine.forget();
        await socket.close();
        ok(await other.patch('/api/users/me/', { first_name: 'Still' }));
        await mine.get({ type: 'user', user: { id: other.id, first_name: 'Still' } });
        assert.deepEqual(mine.all(state(other, 'offline')), []);
        await second.close();
        const last = await mine.get(state(other, 'offline'));
        assert.match(last.last_seen, TIME);
        const body = await presenceOf(other, me);
        contains(body, { state: 'offline' });
        assert.match(body.last_seen, TIME);
        await open(t, other);
        await mine.get(state(other, 'online'));

        const note = await makeConversation(third, [], { title: 'marker' });
        await deaf.get(inIt(note, 'conversation'));
        assert.deepEqual(deaf.all('presence'), []);
        assert.deepEqual(deaf.all('user'), []);
    });

    test('several at once, and those that are there already', async (t) => {
        const me = await register(server);
        const others = await Promise.all(Array.from({ length: 5 }, () => register(server)));
        await open(t, others[1]);
        await open(t, others[3]);
        const mine = await open(t, me);
        subscribe(mine, ...others);
        for (const [n, other] of others.entries()) {
            await mine.get(state(other, n === 1 || n === 3 ? 'online' : 'offline'));
            await mine.get({ type: 'user', user: { id: other.id } });
        }
        assert.deepEqual(mine.all('nack'), []);
    });

    test('a profile and its end', async (t) => {
        const [me, other] = [await register(server), await register(server)];
        const mine = await open(t, me);
        subscribe(mine, other);
        await mine.get(state(other, 'offline'));
        mine.forget();
        ok(await other.patch('/api/users/me/', { first_name: 'New', last_name: 'Name' }));
        // Not the first one: that he has registered may be told late.
        await mine.get({ type: 'user', user: { id: other.id, full_name: 'New Name' } });
        mine.forget();
        assert.equal((await other.delete('/api/users/me/')).status, 204);
        const gone = await mine.get({ type: 'user', user: { id: other.id, deleted: true } });
        assert.doesNotMatch(JSON.stringify(gone), /New/);
    });

    test('not more than 200, and only lists of ids', async (t) => {
        const mine = await open(t, await register(server));
        const many = Array.from({ length: 201 }, () => NO_UUID.replace('4', '4'));
        const bad = [many, 'x', [1], ['x'], {}, null, undefined];
        for (const user_ids of bad) {
            mine.forget();
            mine.say({ type: 'subscribe', user_ids });
            const nack = await mine.get('nack');
            contains(nack, { request: 'subscribe', status: 400 }, JSON.stringify(user_ids));
            assert.equal(typeof nack.error, 'object');
        }
        mine.forget();
        mine.say({ type: 'subscribe', user_ids: [] });
        const note = await mine.send(NO_UUID, 'a marker');
        assert.equal(note.type, 'nack');
        assert.equal(mine.all('nack').length, 1, 'an empty list is silent');
    });

    test('by REST', async (t) => {
        const [me, other] = [await register(server), await register(server)];
        const body = await presenceOf(other, me);
        assert.deepEqual(Object.keys(body).sort(), ['last_seen', 'state', 'user_id']);
        assert.equal(body.state, 'offline');
        notFound(await me.get(`/api/users/${NO_UUID}/presence/`));
        notFound(await me.get('/api/users/abc/presence/'));
        unauthorized(
            await me.with({ authorization: 'Bearer x' }).get(`/api/users/${other.id}/presence/`),
        );
        for (const kind of ['ws', 'sse']) {
            const client = await open(t, other, kind);
            contains(await presenceOf(other, me), { state: 'online' });
            await client.close();
            await eventually(
                () => me.get(`/api/users/${other.id}/presence/`),
                (res) => ok(res).state === 'offline',
                `${kind} is gone`,
            );
        }
    });

    test('a short break is none', async (t) => {
        const [me, other] = [await register(server), await register(server)];
        let socket = await open(t, other);
        const mine = await open(t, me);
        subscribe(mine, other);
        await mine.get(state(other, 'online'));
        mine.forget();
        for (let n = 0; n < 5; n++) {
            await socket.cut();
            socket = await openSocket(other);
        }
        closing(t, socket);
        await socket.synced();
        ok(await other.patch('/api/users/me/', { first_name: 'Back' }));
        await mine.get('user');
        assert.deepEqual(mine.all(state(other, 'offline')), []);
    });
});
