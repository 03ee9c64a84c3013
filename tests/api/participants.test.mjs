// Participants and roles: who adds, removes, names moderators, leaves; read positions.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import {
    anonymous,
    makeAdmin,
    makeCast,
    makeConversation,
    register,
    say,
    sayMany,
    walk,
} from '../lib/client.mjs';
import {
    NO_UUID,
    REQUIRED,
    contains,
    err,
    ids,
    invalid,
    invalidSome,
    notFound,
    ok,
    unauthorized,
} from '../lib/expect.mjs';
import { startServer } from '../lib/server.mjs';
import { assertShape, assertTwins, conversation, page, participant } from '../lib/shapes.mjs';

let server, api, admin, cast, joiner;

before(async () => {
    server = await startServer();
    api = anonymous(server);
    admin = await makeAdmin(server);
    cast = await makeCast(server);
    joiner = await register(server, { username: 'joiner' });
});
after(() => server?.stop());

const at = (c, user = '') => `${c.path}participants/${user ? `${user.id}/` : ''}`;
const roleIn = async (c, user) =>
    ok(await admin.get(c.path)).participants.find((row) => row.id === user.id)?.role;
const gone = async (c, user) => assert.equal(await roleIn(c, user), undefined);

describe('the list', () => {
    test('for participants and admins', async () => {
        for (const who of ['owner', 'moderator', 'member']) {
            const body = ok(await cast[who].get(at(cast)));
            assertShape(page(participant), body);
            const rows = body.results;
            rows.forEach(assertTwins);
            assert.equal(rows.length, 3);
            const roles = Object.fromEntries(rows.map((row) => [row.id, row.role]));
            assert.deepEqual(roles, {
                [cast.owner.id]: 'owner',
                [cast.moderator.id]: 'moderator',
                [cast.member.id]: 'member',
            });
            const host = rows.find((row) => row.id === cast.moderator.id);
            assert.equal(host.user_role, 'host');
        }
        ok(await admin.get(at(cast)));
        notFound(await cast.stranger.get(at(cast)));
        unauthorized(await api.get(at(cast)));
    });

    test('more than a hundred: the count is exact, the list pages', async () => {
        const owner = await register(server);
        const users = [];
        for (let n = 0; n < 104; n++) users.push(await register(server));
        const big = await makeConversation(owner, users.slice(0, 104));
        assert.equal(big.participant_count, 105);
        assert.equal(big.participants.length, 100);
        const path = `/api/conversations/${big.id}/participants/`;
        const rows = await walk(owner, `${path}?page_size=40`);
        assert.deepEqual(ids(rows).sort(), [owner, ...users].map((user) => user.id).sort());
        const byCursor = await walk(owner, `${path}?cursor=&page_size=40`);
        assert.deepEqual(ids(byCursor).sort(), ids(rows).sort());
    });
});

describe('adding', () => {
    test('by owner, moderator, admin: 201, and 200 for one who is in it', async () => {
        for (const adder of [cast.owner, cast.moderator, admin]) {
            const user = await register(server);
            contains(ok(await adder.post(at(cast), { user_id: user.id }), 201), {});
            ok(await user.get(cast.path));
            assert.equal(await roleIn(cast, user), 'member');
            ok(await adder.post(at(cast), { user_id: user.id }));
            ok(await adder.delete(at(cast, user)), 204);
        }
    });

    test('a user is named by id, username or e-mail', async () => {
        ok(await cast.owner.post(at(cast), { user_id: 'joiner' }), 201);
        ok(await cast.owner.post(at(cast), { user_id: joiner.email }), 200);
        ok(await cast.owner.delete(at(cast, joiner)), 204);
    });

    test('not by members and strangers', async () => {
        const input = { user_id: joiner.id };
        err(await cast.member.post(at(cast), input), 403, 'permission_denied');
        notFound(await cast.stranger.post(at(cast), { user_id: cast.stranger.id }));
        unauthorized(await api.post(at(cast), input));
    });

    test('what is missing or unknown', async () => {
        invalid(await cast.owner.post(at(cast), {}), { user_id: [REQUIRED] });
        for (const user_id of [NO_UUID, 'nobody', '', null, {}, 7]) {
            invalid(await cast.owner.post(at(cast), { user_id }), { user_id: true });
        }
        notFound(await cast.owner.post(`/api/conversations/${NO_UUID}/participants/`, {}));
    });

    test('a joiner sees the history, and has read it', async () => {
        const c = await makeCast(server);
        await sayMany(c.owner, c, 3);
        ok(await c.owner.post(at(c), { user_id: joiner.id }), 201);
        const view = ok(await joiner.get(c.path));
        contains(view, { unread_count: 0, last_seq: 3 });
        assert.equal(ok(await joiner.get(`${c.path}messages/`)).count, 3);
        await say(c.owner, c, 'new');
        contains(ok(await joiner.get(c.path)), { unread_count: 1 });
    });

    test('add_participant/ and remove_participant/ answer the conversation', async () => {
        const c = await makeCast(server);
        const body = ok(await c.owner.post(`${c.path}add_participant/`, { user_id: joiner.id }));
        assertShape(conversation, body);
        assert.equal(body.participant_count, 4);
        ok(await c.owner.post(`${c.path}add_participant/`, { user_id: joiner.id }));
        const less = ok(
            await c.moderator.post(`${c.path}remove_participant/`, { user_id: joiner.id }),
        );
        assert.equal(less.participant_count, 3);
        err(await c.member.post(`${c.path}add_participant/`, { user_id: joiner.id }), 403);
        err(await c.member.post(`${c.path}remove_participant/`, { user_id: c.moderator.id }), 403);
        notFound(await c.stranger.post(`${c.path}add_participant/`, { user_id: c.stranger.id }));
        invalidSome(await c.owner.post(`${c.path}add_participant/`, {}), 'user_id');
        const again = await c.owner.post(`${c.path}remove_participant/`, { user_id: joiner.id });
        assert.equal(ok(again).participant_count, 3, 'who is not in it is removed already');
    });
});

describe('removing and leaving', () => {
    test('a member leaves', async () => {
        const c = await makeCast(server);
        ok(await c.member.delete(at(c, c.member)), 204);
        notFound(await c.member.get(c.path));
        err(await c.member.get(`${c.path}messages/`), 403, 'not_participant');
        const flat = { conversation: c.id, content: 'x' };
        err(await c.member.post('/api/messages/', flat), 403, 'not_participant');
        notFound(await c.member.delete(at(c, c.member)));
    });

    test('a moderator leaves', async () => {
        const c = await makeCast(server);
        ok(await c.moderator.delete(at(c, c.moderator)), 204);
        await gone(c, c.moderator);
    });

    test('who may remove whom', async () => {
        const table = [
            ['member', 'moderator', 403],
            ['member', 'owner', 403],
            ['moderator', 'owner', 403],
            ['moderator', 'member', 204],
            ['owner', 'moderator', 204],
            ['owner', 'member', 204],
            ['admin', 'owner', 204],
            ['admin', 'moderator', 204],
            ['stranger', 'member', 404],
        ];
        for (const [by, whom, status] of table) {
            const c = await makeCast(server, cast);
            const actor = by === 'admin' ? admin : c[by];
            const res = await actor.delete(at(c, c[whom]));
            assert.equal(res.status, status, `${by} removes ${whom}: ${res.text}`);
            if (status === 204) await gone(c, c[whom]);
        }
        const c = await makeCast(server, cast);
        const second = await register(server, { role: 'host' });
        ok(await c.owner.post(at(c), { user_id: second.id }), 201);
        ok(await c.owner.patch(at(c, second), { role: 'moderator' }));
        err(await c.moderator.delete(at(c, second)), 403);
    });

    test('one who comes back', async () => {
        const c = await makeCast(server);
        await say(c.member, c, 'before');
        ok(await c.member.delete(at(c, c.member)), 204);
        await say(c.owner, c, 'meanwhile');
        ok(await c.owner.post(at(c), { user_id: c.member.id }), 201);
        contains(ok(await c.member.get(c.path)), { unread_count: 0, participant_count: 3 });
        assert.equal(ok(await c.member.get(`${c.path}messages/`)).count, 2);
        assert.equal(await roleIn(c, c.member), 'member');
    });

    test('unknown users', async () => {
        notFound(await cast.owner.delete(`${at(cast)}${NO_UUID}/`));
        notFound(await cast.owner.delete(`${at(cast)}abc/`));
        notFound(await cast.owner.delete(at(cast, cast.stranger)));
    });
});

describe('PATCH {role}', () => {
    test('the owner names host accounts moderator, and takes it back', async () => {
        const c = await makeCast(server);
        const host = await register(server, { role: 'host' });
        ok(await c.owner.post(at(c), { user_id: host.id }), 201);
        contains(ok(await c.owner.patch(at(c, host), { role: 'moderator' })), {
            role: 'moderator',
        });
        assert.equal(await roleIn(c, host), 'moderator');
        ok(await host.patch(c.path, { title: 'by the new moderator' }));
        contains(ok(await c.owner.patch(at(c, host), { role: 'member' })), { role: 'member' });
        err(await host.patch(c.path, { title: 'no more' }), 403);
        ok(await admin.patch(at(c, host), { role: 'moderator' }));
    });

    test('a host who becomes a guest is a moderator nowhere any more', async () => {
        const host = await register(server, { role: 'host' });
        const people = { ...cast, moderator: host };
        const rooms = [await makeCast(server, people), await makeCast(server, people)];
        const own = await makeCast(server, { ...people, owner: host, moderator: cast.moderator });
        const before = ok(await rooms[0].owner.get(rooms[0].path));
        const account = `/api/users/${host.id}/`;
        ok(await host.patch(account, { role: 'guest' })); // not his to say
        assert.equal(await roleIn(rooms[0], host), 'moderator');
        ok(await admin.patch(account, { role: 'guest' }));
        for (const room of rooms) {
            assert.equal(await roleIn(room, host), 'member');
            err(await host.patch(room.path, { title: 'no more' }), 403);
            ok(await host.get(room.path));
        }
        const after1 = ok(await rooms[0].owner.get(rooms[0].path));
        contains(after1, { rev: before.rev + 1, participant_count: before.participant_count });
        assert.equal(await roleIn(own, host), 'owner', 'what he owns stays his');
        assert.equal(await roleIn(own, cast.moderator), 'moderator');
        ok(await admin.patch(account, { role: 'host' }));
        assert.equal(await roleIn(rooms[0], host), 'member', 'he has to be named again');
        ok(await rooms[0].owner.patch(at(rooms[0], host), { role: 'moderator' }));
    });

    test('not a guest', async () => {
        const res = await cast.owner.patch(at(cast, cast.member), { role: 'moderator' });
        invalid(res, { role: true });
        assert.equal(await roleIn(cast, cast.member), 'member');
    });

    test('not by others', async () => {
        const change = { role: 'moderator' };
        err(await cast.moderator.patch(at(cast, cast.member), change), 403);
        err(await cast.member.patch(at(cast, cast.member), change), 403);
        notFound(await cast.stranger.patch(at(cast, cast.member), change));
    });

    test('no other role', async () => {
        for (const role of ['king', '', null, 7]) {
            invalid(await cast.owner.patch(at(cast, cast.moderator), { role }), { role: true });
        }
        notFound(await cast.owner.patch(at(cast, cast.stranger), { role: 'member' }));
    });

    test('never an unowned conversation', async () => {
        const c = await makeCast(server, cast);
        invalid(await c.owner.patch(at(c, c.owner), { role: 'member' }), { role: true });
        assert.equal(await roleIn(c, c.owner), 'owner');
    });
});

describe('read positions', () => {
    const read = (c, user, input = {}) => user.post(`${c.path}read/`, input);
    const unread = async (c, user) => ok(await user.get(c.path)).unread_count;

    test('by seq, by message, all; only forward', async () => {
        const c = await makeCast(server);
        const said = await sayMany(c.owner, c, 5);
        assert.equal(await unread(c, c.member), 5);
        assert.equal(await unread(c, c.owner), 0, 'sending reads');
        ok(await read(c, c.member, { seq: 2 }));
        assert.equal(await unread(c, c.member), 3);
        ok(await read(c, c.member, { seq: 1 }));
        assert.equal(await unread(c, c.member), 3, 'never back');
        ok(await read(c, c.member, { message_id: said[3].id }));
        assert.equal(await unread(c, c.member), 1);
        ok(await read(c, c.member));
        assert.equal(await unread(c, c.member), 0);
        ok(await read(c, c.member));
        const row = ok(await c.owner.get(c.path)).participants.find((p) => p.id === c.member.id);
        assert.equal(row.read_seq, 5);
    });

    test('beyond the end is not beyond', async () => {
        const c = await makeCast(server);
        await say(c.owner, c, 'one');
        const res = await read(c, c.member, { seq: 1_000_000 });
        contains(ok(res), { read_seq: 1, unread_count: 0 });
        await say(c.owner, c, 'two');
        assert.equal(await unread(c, c.member), 1);
    });

    test('what is wrong', async () => {
        const c = await makeCast(server);
        const other = await makeCast(server);
        const foreign = await say(other.owner, other, 'elsewhere');
        invalid(await read(c, c.member, { seq: 'x' }), { seq: true });
        invalid(await read(c, c.member, { message_id: 'x' }), { message_id: true });
        invalid(await read(c, c.member, { message_id: foreign.id }), { message_id: true });
        notFound(await read(c, c.stranger, {}));
        unauthorized(await read(c, api.with({}), {}));
    });

    test("is_read of mine: all others have read; of another's: I have", async () => {
        const c = await makeCast(server);
        const said = await say(c.owner, c, 'read me');
        const seen = async (user) => ok(await user.get(`/api/messages/${said.id}/`)).is_read;
        assert.deepEqual([await seen(c.owner), await seen(c.member)], [false, false]);
        ok(await read(c, c.member));
        assert.deepEqual([await seen(c.owner), await seen(c.member)], [false, true]);
        ok(await read(c, c.moderator));
        assert.equal(await seen(c.owner), true);
    });
});
