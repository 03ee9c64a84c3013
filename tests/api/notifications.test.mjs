// Notifications: unread messages of conversations that are not muted, newest first; reading them.
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
    toPath,
    walk,
} from '../lib/client.mjs';
import {
    NO_UUID,
    contains,
    err,
    ids,
    invalid,
    notFound,
    ok,
    unauthorized,
} from '../lib/expect.mjs';
import { startServer } from '../lib/server.mjs';
import { assertShape, assertTwins, notification, notificationPage } from '../lib/shapes.mjs';

let server, api;

before(async () => {
    server = await startServer();
    api = anonymous(server);
});
after(() => server?.stop());

const ROOT = '/api/notifications/';
const COUNT = `${ROOT}unread_count/`;
const FUTURE = '2999-01-01T00:00:00Z';
const list = async (user, query) =>
    assertShape(notificationPage, ok(await user.get(ROOT, query)), 'list');
const listed = async (user, query) => ids((await list(user, query)).results);
const mute = async (user, c, muted_until) =>
    ok(await user.patch(`/api/conversations/${c.id}/me/`, { muted_until }));
const readSeq = async (user, c) =>
    ok(await user.post(`/api/conversations/${c.id}/read/`, { seq: 0 })).read_seq;

// A reader, and a writer who shares conversations with him.
async function makePair(conversations = 2) {
    const reader = await register(server);
    const writer = await register(server);
    const rooms = [];
    for (let n = 0; n < conversations; n++)
        rooms.push(await makeConversation(writer, [reader], { title: `Room ${n}` }));
    return { reader, writer, rooms };
}

describe('the list', () => {
    test('is what others sent and I have not read, newest first', async () => {
        const { reader, writer, rooms } = await makePair();
        const said = [
            await say(writer, rooms[0], 'first'),
            await say(writer, rooms[1], 'second'),
            await say(writer, rooms[0], 'third'),
        ];
        const body = await list(reader);
        contains(body, { count: 3, unread_count: 3, unread_conversations: 2, current_page: 1 });
        assert.deepEqual(ids(body.results), ids(said).reverse());
        assert.deepEqual((await list(writer)).results, [], 'not what I sent');
        unauthorized(await api.get(ROOT));
    });

    test('shows the message as everywhere, and its conversation', async () => {
        const { reader, writer, rooms } = await makePair();
        const said = await say(writer, rooms[1], 'hello');
        const [row] = (await list(reader)).results;
        assertShape(notification, row);
        contains(row, {
            id: said.id,
            notification_id: said.id,
            kind: 'message',
            is_read: false,
            created_at: said.sent_at,
        });
        contains(row.conversation, { id: rooms[1].id, title: 'Room 1', unread_count: 1 });
        assertTwins(row.conversation);
        assert.deepEqual(row.message, ok(await reader.get(`/api/messages/${said.id}/`)));
    });

    test('agrees with the unread messages', async () => {
        const { reader, writer, rooms } = await makePair(3);
        for (let n = 0; n < 12; n++) await say(writer, rooms[(n * 7) % 3], `message ${n}`);
        await say(reader, rooms[1], 'my own: all before it is read');
        const unread = ok(await reader.get('/api/messages/unread/'));
        assert.deepEqual(await listed(reader), ids(unread.results));
        contains(await list(reader), { count: unread.count, unread_conversations: 2 });
    });

    test('a muted conversation is silent until the time is over', async () => {
        const { reader, writer, rooms } = await makePair();
        await say(writer, rooms[0], 'muted');
        const other = await say(writer, rooms[1], 'heard');
        await mute(reader, rooms[0], FUTURE);
        const body = await list(reader);
        assert.deepEqual(ids(body.results), [other.id]);
        contains(body, { count: 1, unread_count: 1, unread_conversations: 1 });
        assert.deepEqual(await listed(reader, { conversation: rooms[0].id }), []);
        await mute(reader, rooms[0], '2020-01-01T00:00:00Z');
        assert.equal((await listed(reader)).length, 2, 'over');
        await mute(reader, rooms[0], FUTURE);
        await mute(reader, rooms[0], null);
        assert.equal((await listed(reader)).length, 2, 'not muted any more');
    });

    test('deleted messages are not listed, but count as the conversation counts them', async () => {
        const { reader, writer, rooms } = await makePair(1);
        const rows = await sayMany(writer, rooms[0], 5);
        for (const row of [rows[4], rows[1]])
            ok(await writer.delete(`/api/messages/${row.id}/`), 204);
        const body = await list(reader);
        assert.deepEqual(ids(body.results), [rows[3].id, rows[2].id, rows[0].id]);
        contains(body, { count: 3, total_pages: 1, unread_count: 5, unread_conversations: 1 });
        assert.equal(body.results[0].conversation.unread_count, 5);
        assert.deepEqual(await listed(reader, { page: 'last', page_size: 2 }), [rows[0].id]);
        notFound(await reader.get(`${ROOT}${rows[4].id}/`));
    });

    test('ends with the membership, and begins with it', async () => {
        const c = await makeCast(server);
        await sayMany(c.owner, c, 2);
        ok(await c.owner.post(`${c.path}participants/`, { user_id: c.stranger.id }), 201);
        assert.deepEqual(await listed(c.stranger), [], 'what was said before he came');
        const heard = await say(c.owner, c, 'welcome');
        assert.deepEqual(await listed(c.stranger), [heard.id]);
        ok(await c.stranger.delete(`${c.path}participants/${c.stranger.id}/`), 204);
        contains(await list(c.stranger), { results: [], count: 0, unread_count: 0 });
        notFound(await c.stranger.get(`${ROOT}${heard.id}/`));
        ok(await c.owner.delete(c.path), 204);
        contains(await list(c.member), { results: [], count: 0, unread_conversations: 0 });
    });

    test('conversation', async () => {
        const { reader, writer, rooms } = await makePair();
        const one = await say(writer, rooms[0], 'one');
        await say(writer, rooms[1], 'two');
        const elsewhere = await makeCast(server);
        await say(elsewhere.owner, elsewhere, 'none of his business');
        for (const field of ['conversation', 'conversation_id']) {
            const body = await list(reader, { [field]: rooms[0].id });
            assert.deepEqual(ids(body.results), [one.id]);
            contains(body, { count: 1, unread_count: 2, unread_conversations: 2 });
            assert.deepEqual(await listed(reader, { [field]: NO_UUID }), []);
            assert.deepEqual(await listed(reader, { [field]: elsewhere.id }), []);
        }
        invalid(await reader.get(ROOT, { conversation: 'x' }), {
            conversation: ['Enter a valid UUID.'],
        });
    });

    test('an admin has those of his own conversations only', async () => {
        const admin = await makeAdmin(server);
        const { writer, rooms } = await makePair();
        const said = await say(writer, rooms[0], 'not for him');
        assert.deepEqual(await listed(admin), []);
        notFound(await admin.get(`${ROOT}${said.id}/`));
        notFound(await admin.post(`${ROOT}${said.id}/read/`, {}));
    });
});

describe('pages', () => {
    const ROOMS = 9;
    const MESSAGES = 120;
    let reader, said;

    before(async () => {
        const pair = await makePair(ROOMS);
        ({ reader } = pair);
        said = [];
        for (let n = 0; n < MESSAGES; n++) {
            // some rooms speak a lot, some once; long silences too
            const room = pair.rooms[n < 30 ? n % 4 : (n * 5) % ROOMS];
            said.unshift(await say(pair.writer, room, `message ${n}`));
        }
        for (const row of said.filter((_, n) => n % 10 === 3))
            ok(await pair.writer.delete(`/api/messages/${row.id}/`), 204);
        said = said.filter((_, n) => n % 10 !== 3);
    });

    test('by number, to the last one', async () => {
        for (const page_size of [1, 7, 20, 100]) {
            const pages = Math.ceil(said.length / page_size);
            for (const page of [1, 2, Math.ceil(pages / 2), pages].filter((n) => n <= pages)) {
                const body = await list(reader, { page, page_size });
                contains(body, { count: said.length, total_pages: pages, current_page: page });
                const wanted = said.slice((page - 1) * page_size, page * page_size);
                assert.deepEqual(ids(body.results), ids(wanted), `${page} of ${page_size}`);
            }
            const last = await list(reader, { page: 'last', page_size });
            assert.deepEqual(ids(last.results), ids(said.slice((pages - 1) * page_size)));
        }
        err(await reader.get(ROOT, { page: 99 }), 404, null, 'Invalid page.');
    });

    test('by cursor, there and back', async () => {
        for (const page_size of [1, 8, 50]) {
            const rows = await walk(reader, `${ROOT}?cursor=&page_size=${page_size}`);
            assert.deepEqual(ids(rows), ids(said), `${page_size}`);
        }
        const body = await list(reader, { cursor: '' });
        assert.equal(body.count, undefined);
        contains(body, { unread_conversations: ROOMS });
        err(await reader.get(ROOT, { cursor: 'nonsense' }), 400);
    });

    test('what comes meanwhile does not disturb a walk', async () => {
        const { reader: other, writer, rooms } = await makePair(3);
        const rows = [];
        for (let n = 0; n < 9; n++) rows.unshift(await say(writer, rooms[n % 3], `${n}`));
        const first = await list(other, { cursor: '', page_size: 4 });
        await say(writer, rooms[0], 'new');
        ok(await writer.delete(`/api/messages/${rows[3].id}/`), 204); // the one it stands at
        const seen = ids(first.results);
        for (let { next } = first; next; ) {
            const body = ok(await other.get(toPath(other, next)));
            seen.push(...ids(body.results));
            ({ next } = body);
        }
        assert.deepEqual(seen, ids(rows));
    });
});

describe('the counts', () => {
    test('are those of the list', async () => {
        const { reader, writer, rooms } = await makePair(3);
        const rows = await sayMany(writer, rooms[0], 3);
        await sayMany(writer, rooms[1], 2);
        await sayMany(writer, rooms[2], 1);
        await mute(reader, rooms[2], FUTURE);
        ok(await writer.delete(`/api/messages/${rows[0].id}/`), 204);
        for (const path of [COUNT, `${ROOT}unread-count/`, `${ROOT}count/`])
            assert.deepEqual(ok(await reader.get(path)), {
                count: 4,
                unread_count: 5,
                unread_conversations: 2,
            });
        const shown = ok(await reader.get('/api/conversations/')).results;
        const sum = shown.reduce((n, c) => n + c.unread_count, 0);
        assert.equal(sum, 6, 'with the muted one');
        unauthorized(await api.get(COUNT));
    });
});

describe('reading', () => {
    for (const [method, verb] of [
        ['POST', 'read'],
        ['PATCH', 'read'],
        ['POST', 'mark_as_read'],
        ['POST', 'mark-as-read'],
        ['POST', 'mark_read'],
        ['POST', 'mark-read'],
        ['PATCH', 'mark_as_read'],
    ]) {
        test(`${method} ${verb}/ reads up to the message`, async () => {
            const { reader, writer, rooms } = await makePair();
            const rows = await sayMany(writer, rooms[0], 4);
            const other = await say(writer, rooms[1], 'elsewhere');
            const done = ok(await reader.request(method, `${ROOT}${rows[1].id}/${verb}/`));
            assertShape(notification, done);
            contains(done, { id: rows[1].id, is_read: true });
            assert.equal(done.conversation.unread_count, 2);
            assert.equal(done.message.is_read, true);
            assert.deepEqual(await listed(reader), [other.id, rows[3].id, rows[2].id]);
            assert.equal(await readSeq(reader, rooms[0]), 2);
            // once more, and an earlier one: nothing moves back
            ok(await reader.request(method, `${ROOT}${rows[0].id}/${verb}/`));
            assert.equal(await readSeq(reader, rooms[0]), 2);
        });
    }

    test('is for notifications: others cannot, and what is mine is none', async () => {
        const c = await makeCast(server);
        const said = await say(c.member, c, 'hello');
        for (const user of [c.member, c.stranger]) {
            notFound(await user.get(`${ROOT}${said.id}/`));
            notFound(await user.post(`${ROOT}${said.id}/read/`, {}));
        }
        notFound(await c.owner.post(`${ROOT}${NO_UUID}/read/`, {}));
        notFound(await c.owner.get(`${ROOT}no-uuid/`));
        unauthorized(await api.post(`${ROOT}${said.id}/read/`, {}));
    });

    test('one by its id, read or not', async () => {
        const { reader, writer, rooms } = await makePair(1);
        const [first, second] = await sayMany(writer, rooms[0], 2);
        const row = ok(await reader.get(`${ROOT}${second.id}/`));
        assert.deepEqual(row, (await list(reader)).results[0]);
        assert.deepEqual(ok(await reader.patch(`${ROOT}${second.id}/`, {})), row, 'as it was');
        const unread = { is_read: false };
        assert.deepEqual(ok(await reader.patch(`${ROOT}${second.id}/`, unread)), row);
        const read = ok(await reader.patch(`${ROOT}${first.id}/`, { is_read: true }));
        contains(read, { id: first.id, is_read: true });
        assert.deepEqual(await listed(reader), [second.id]);
        contains(ok(await reader.get(`${ROOT}${first.id}/`)), { is_read: true });
        invalid(await reader.patch(`${ROOT}${first.id}/`, unread), { is_read: true });
        invalid(await reader.patch(`${ROOT}${second.id}/`, { is_read: 'maybe' }), {
            is_read: true,
        });
    });

    for (const [method, verb] of [
        ['POST', 'mark-all-read'],
        ['POST', 'mark_all_read'],
        ['POST', 'mark-all-as-read'],
        ['POST', 'mark_all_as_read'],
        ['POST', 'read-all'],
        ['PATCH', 'mark-all-read'],
    ]) {
        test(`${method} ${verb}/ reads all that is listed`, async () => {
            const { reader, writer, rooms } = await makePair(3);
            for (const room of rooms) await sayMany(writer, room, 2);
            await mute(reader, rooms[2], FUTURE);
            const target = `${ROOT}${verb}/`;
            contains(ok(await reader.request(method, target)), { conversations: 2, count: 4 });
            contains(await list(reader), { results: [], count: 0, unread_conversations: 0 });
            const unread = ok(await reader.get('/api/messages/unread/')).results;
            assert.deepEqual(
                unread.map((row) => row.conversation),
                [rooms[2].id, rooms[2].id],
                'what is muted stays unread',
            );
            contains(ok(await reader.request(method, target)), { conversations: 0, count: 0 });
        });
    }

    test('all of one conversation, muted or not', async () => {
        const { reader, writer, rooms } = await makePair(3);
        for (const room of rooms) await sayMany(writer, room, 2);
        await mute(reader, rooms[1], FUTURE);
        const target = `${ROOT}mark-all-read/`;
        for (const [n, field] of ['conversation', 'conversation_id'].entries()) {
            const done = ok(await reader.post(target, { [field]: rooms[n].id }));
            contains(done, { conversations: 1, count: 2 });
            assert.equal(await readSeq(reader, rooms[n]), 2);
        }
        assert.equal((await listed(reader)).length, 2, 'the third is as it was');
        const elsewhere = await makeCast(server);
        for (const conversation of [NO_UUID, elsewhere.id, 'x', 7])
            invalid(await reader.post(target, { conversation }), { conversation: true });
        contains(ok(await reader.post(target, { conversation: null })), { conversations: 1 });
        unauthorized(await api.post(target, {}));
    });

    test('reading elsewhere is reading', async () => {
        const { reader, writer, rooms } = await makePair(2);
        await say(writer, rooms[0], 'a');
        await say(writer, rooms[1], 'b');
        ok(await reader.post(`/api/conversations/${rooms[0].id}/read/`, {}));
        await say(reader, rooms[1], 'an answer');
        assert.deepEqual(await listed(reader), []);
    });
});
