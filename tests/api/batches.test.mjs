// Requests that are committed together must not feel each other: one that is refused is refused
// before it has written anything, so that nobody can make the others run again; and an admin's look
// at what is not his is in the audit log exactly when it succeeded.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import {
    PASSWORD,
    anonymous,
    eventually,
    login,
    makeAdmin,
    makeCast,
    makeConversation,
    register,
    say,
    sayMany,
} from '../lib/client.mjs';
import { NO_UUID, err, ids, invalid, notFound, ok, show } from '../lib/expect.mjs';
import { startServer } from '../lib/server.mjs';

const PARTICIPANTS_MAX = 6;
const ROOT = '/api/conversations/';
const FLAT = '/api/messages/';
const of = (id) => `${ROOT}${id}/`;

let server, admin;

before(async () => {
    server = await startServer({ env: { METRICS_ALLOW: '127.0.0.1', PARTICIPANTS_MAX } });
    admin = await makeAdmin(server);
});
after(() => server?.stop());

async function undoneBatches() {
    const { text } = await anonymous(server).get('/metrics/');
    const found = /^confab_write_batches_failed_total (\d+)$/m.exec(text);
    assert.ok(found, text);
    return Number(found[1]);
}

describe('a refused request has written nothing', () => {
    // Each: what makes the request, and the status that refuses it.
    const refused = {
        'a third for a direct conversation': [
            ({ direct, cast }) =>
                cast.owner.patch(of(direct.id), { participants: [cast.extra.id] }),
            400,
        ],
        'nobody for a direct conversation': [
            ({ direct, cast }) => cast.owner.patch(of(direct.id), { participants: [] }),
            400,
        ],
        'a first message to a closed direct conversation that one has left': [
            ({ left, cast }) =>
                cast.owner.post(ROOT, {
                    participants: [left.id],
                    direct: true,
                    message_body: 'x',
                }),
            403,
        ],
        'a moderator who puts another out, and somebody in': [
            ({ cast }) =>
                cast.moderator.patch(cast.path, {
                    participants: [cast.owner.id, cast.member.id, cast.stranger.id],
                }),
            403,
        ],
        'too many participants at once': [
            ({ cast, crowd }) => cast.owner.patch(cast.path, { participants: ids(crowd) }),
            400,
        ],
        'too many participants one by one': [
            ({ full, cast }) =>
                cast.owner.post(`${of(full.id)}participants/`, { user_id: cast.stranger.id }),
            400,
        ],
        'an unknown participant': [
            ({ cast }) => cast.owner.patch(cast.path, { title: 'x', participants: [NO_UUID] }),
            400,
        ],
        'an answer to nothing': [
            ({ cast }) =>
                cast.member.post(`${cast.path}messages/`, { content: 'x', reply_to: NO_UUID }),
            400,
        ],
        'a stale edit': [
            ({ cast, said }) => cast.member.patch(`${FLAT}${said.id}/`, { content: 'x', rev: 1 }),
            409,
        ],
        'another body with a known client_id': [
            ({ cast, sent }) =>
                cast.member.post(`${cast.path}messages/`, {
                    content: 'another',
                    client_id: sent.client_id,
                }),
            409,
        ],
        "a moderator who deletes the owner's message": [
            ({ cast, owners }) => cast.extra.delete(`${FLAT}${owners.id}/`),
            403,
        ],
        'a guest as moderator': [
            ({ cast }) =>
                cast.owner.patch(`${cast.path}participants/${cast.member.id}/`, {
                    role: 'moderator',
                }),
            400,
        ],
        'a message of elsewhere as read position': [
            ({ direct, cast, said }) =>
                cast.owner.post(`${of(direct.id)}read/`, { message_id: said.id }),
            400,
        ],
        "an admin's edit of another's message": [
            ({ said }) => admin.patch(`${FLAT}${said.id}/`, { content: 'x' }),
            403,
        ],
        'an admin as a reader of what he is not in': [
            ({ cast }) => admin.post(`${cast.path}read/`, {}),
            403,
        ],
        'an admin who asks for a page that is not there': [
            () => admin.get(ROOT, { all: 1, page: 999 }),
            404,
        ],
        'the last admin who deletes himself': [() => admin.delete('/api/users/me/'), 409],
        'a name that is taken': [
            ({ cast }) => cast.member.patch('/api/users/me/', { username: cast.owner.username }),
            400,
        ],
        'a registration of a name that is taken': [
            ({ cast }) =>
                anonymous(server).post('/api/users/register/', {
                    email: cast.owner.email,
                    password: PASSWORD,
                }),
            400,
        ],
        'a wrong old password': [
            ({ cast }) =>
                cast.member.post('/api/users/me/password/', {
                    old_password: 'wrong',
                    new_password: 'new-Passw0rd-1',
                }),
            400,
        ],
    };
    let world;

    before(async () => {
        const cast = await makeCast(server);
        cast.extra = await register(server, { role: 'host' });
        ok(await cast.owner.post(`${cast.path}participants/`, { user_id: cast.extra.id }), 201);
        ok(
            await cast.owner.patch(`${cast.path}participants/${cast.extra.id}/`, {
                role: 'moderator',
            }),
        );
        const crowd = [];
        for (let n = 0; n < PARTICIPANTS_MAX; n++) crowd.push(await register(server));
        const left = await register(server);
        const pair = (user) => ({ participants: [user.id], direct: true });
        const direct = ok(await cast.owner.post(ROOT, pair(cast.member)), 201);
        const closed = ok(await cast.owner.post(ROOT, pair(left)), 201);
        ok(await left.delete(`${of(closed.id)}participants/${left.id}/`), 204);
        ok(await cast.owner.post(`${of(closed.id)}close/`, {}));
        const full = await makeConversation(cast.owner, crowd.slice(1));
        const owners = await say(cast.owner, cast, 'said by the owner');
        const said = await say(cast.member, cast, 'said by the member');
        ok(await cast.member.patch(`${FLAT}${said.id}/`, { content: 'edited' }));
        const sent = await say(cast.member, cast, 'sent', { client_id: randomUUID() });
        world = { cast, crowd, left, direct, full, owners, said, sent };
    });

    for (const [name, [request, status]] of Object.entries(refused)) {
        test(name, async () => {
            const stamp = await undoneBatches();
            const before = ok(await world.cast.owner.get(world.cast.path)).rev;
            const res = await request(world);
            ok(res, status);
            assert.equal(await undoneBatches(), stamp, show(res));
            assert.equal(ok(await world.cast.owner.get(world.cast.path)).rev, before);
        });
    }

    test('a refresh token that was used up ends its device, and undoes nothing else', async () => {
        const user = await register(server);
        const device = await login(server, user.username);
        const api = anonymous(server);
        const one = ok(await api.post('/api/token/refresh/', { refresh: device.refresh }));
        ok(await api.post('/api/token/refresh/', { refresh: one.refresh }));
        ok(await api.post('/api/token/refresh/', { refresh: device.refresh }), 401);
        assert.equal(await undoneBatches(), 0);
    });

    test('all of them among messages: each message is stored, in one go', async () => {
        const { cast } = world;
        const kinds = Object.values(refused);
        const seqs = [];
        await Promise.all(
            Array.from({ length: 60 }, async (_, n) => {
                const [request, status] = kinds[n % kinds.length];
                const [said, res] = await Promise.all([
                    say(cast.extra, cast, `among others ${n}`),
                    request(world),
                ]);
                seqs.push(said.seq);
                ok(res, status);
            }),
        );
        seqs.sort((a, b) => a - b);
        assert.deepEqual(
            seqs,
            seqs.map((_, n) => seqs[0] + n),
        );
        assert.equal(await undoneBatches(), 0);
    });
});

describe('the audit log', () => {
    const rows = async (id) => {
        const where = `object_id = ${server.sqlId(id)}`;
        const text = await server.sql(`SELECT action FROM audit WHERE ${where} ORDER BY at`);
        return text === '' ? [] : text.split('\n');
    };

    test('each look of an admin at what is not his, once', async () => {
        const c = await makeCast(server);
        const said = await say(c.member, c, 'private');
        const looks = [
            c.path,
            `${c.path}participants/`,
            `${c.path}messages/`,
            `${c.path}messages/?search=private`,
            `${c.path}messages/?after_seq=0`,
            `${c.path}messages/${said.id}/`,
            `${FLAT}${said.id}/`,
            `${FLAT}${said.id}/history/`,
            `${FLAT}${said.id}/replies/`,
        ];
        for (const [n, look] of looks.entries()) {
            ok(await admin.get(look));
            assert.deepEqual(await rows(c.id), Array(n + 1).fill('conversation.read'), look);
        }
        const before = (await rows(c.id)).length;
        ok(await admin.head(c.path));
        assert.equal((await rows(c.id)).length, before + 1);
    });

    test('not a look that failed, nor those of members', async () => {
        const c = await makeCast(server);
        for (const target of [`${c.path}?messages=999`, `${c.path}messages/?page=99`])
            ok(await admin.get(target), 400, 404);
        notFound(await admin.get(`${c.path}messages/${NO_UUID}/`));
        notFound(await c.stranger.get(c.path));
        ok(await c.member.get(c.path));
        assert.deepEqual(await rows(c.id), []);
        ok(await c.owner.post(`${c.path}participants/`, { user_id: admin.id }), 201);
        ok(await admin.get(c.path));
        await sayMany(admin, c, 2);
        assert.deepEqual(await rows(c.id), []);
    });

    test('what he does there has one row, which says what', async () => {
        const c = await makeCast(server);
        const [one, two] = await sayMany(c.member, c, 2);
        ok(await admin.patch(c.path, { title: 'by an admin' }));
        ok(await admin.post(`${FLAT}${one.id}/pin/`, {}));
        ok(await admin.post(`${FLAT}${one.id}/unpin/`, {}));
        ok(await admin.delete(`${FLAT}${two.id}/`), 204);
        ok(await admin.post(`${c.path}participants/`, { user_id: c.stranger.id }), 201);
        ok(await admin.patch(`${c.path}participants/${c.moderator.id}/`, { role: 'member' }));
        ok(await admin.delete(`${c.path}participants/${c.stranger.id}/`), 204);
        ok(await admin.post(`${c.path}close/`, {}));
        ok(await admin.post(`${c.path}reopen/`, {}));
        ok(await admin.delete(c.path), 204);
        assert.deepEqual(await rows(c.id), [
            'conversation.change',
            'message.pin',
            'message.unpin',
            'message.delete',
            'participant.add',
            'participant.role',
            'participant.remove',
            'conversation.close',
            'conversation.reopen',
            'conversation.delete',
        ]);
    });

    test('the list of all', async () => {
        const count = async () =>
            Number(await server.sql("SELECT count(*) FROM audit WHERE action = 'conversation.list_all'"));
        const before = await count();
        ok(await admin.get(ROOT, { all: 1 }));
        ok(await admin.get(`${ROOT}search/`, { all: 1, q: 'x' }));
        ok(await admin.get(ROOT));
        err(await admin.get(ROOT, { all: 1, cursor: 'x' }), 400, 'bad_cursor');
        const user = await register(server);
        ok(await user.get(ROOT, { all: 1 }));
        assert.equal(await count(), before + 2);
    });
});

describe('what one answer may hold', () => {
    test('a page of conversations full of very long messages is refused', async () => {
        const user = await register(server);
        const text = `a${'\u0001'.repeat(9_998)}b`; // six bytes each in JSON
        const talks = [];
        for (let n = 0; n < 3; n++) talks.push(await makeConversation(user));
        for (const talk of talks) {
            for (let n = 0; n < 5; n++)
                await Promise.all(Array.from({ length: 20 }, () => say(user, talk, text)));
        }
        const list = (query) => user.get(ROOT, query);
        err(await list({ messages: 100 }), 400, 'page_too_large');
        const [first] = ok(await list({ messages: 100, page_size: 1 })).results;
        assert.equal(first.messages.length, 100);
        assert.equal(ok(await list({ messages: 50 })).results.length, 3);
        const one = ok(await user.get(of(talks[0].id), { messages: 100 }));
        assert.equal(one.messages[99].message_body.length, 10_000);
        invalid(await list({ messages: 101 }), { messages: true });
    });
});

describe('work that goes on behind the answer', () => {
    test('one who was in very many conversations leaves them all', async () => {
        const COUNT = 620;
        const user = await register(server);
        const other = await register(server);
        for (let n = 0; n < COUNT; n += 31)
            await Promise.all(Array.from({ length: 31 }, () => makeConversation(user, [other])));
        const last = await makeConversation(user, [other]);
        ok(await user.delete('/api/users/me/'), 204);
        ok(await user.get(of(last.id)), 401);
        const mine = `user_id = ${server.sqlId(other.id)}`;
        const owned = `SELECT count(*) FROM participant JOIN conversation c
            ON c.id = conversation_id WHERE ${mine} AND role = 'owner' AND participant_count = 1`;
        const count = async () => Number(await server.sql(owned));
        await eventually(count, (n) => n > COUNT, 'it is his');
        assert.equal(await count(), COUNT + 1);
        const body = ok(await other.get(of(last.id)));
        assert.deepEqual(
            body.participants.map((row) => [row.id, row.role]),
            [[other.id, 'owner']],
        );
        assert.equal(await undoneBatches(), 0);
    });
});
