// Conversations, messages, notifications, sessions and the audit log under /api/admin/.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import {
    PASSWORD,
    anonymous,
    login,
    makeAdmin,
    makeConversation,
    register,
    say,
    untilDead,
    walk,
} from '../lib/client.mjs';
import { NO_UUID, REQUIRED, contains, ids, invalid, notFound, ok } from '../lib/expect.mjs';
import { startServer } from '../lib/server.mjs';

let server, api, admin, ann, ben, talk, other, direct;

before(async () => {
    server = await startServer();
    api = anonymous(server);
    admin = await makeAdmin(server);
    ann = await register(server, { username: 'ann' });
    ben = await register(server, { username: 'ben' });
    talk = await makeConversation(ann, [ben], { title: 'First talk' });
    other = await makeConversation(ben, [], { title: 'Note' });
    direct = await makeConversation(ann, [ben], { direct: true });
    for (let n = 1; n <= 3; n++) await say(ann, talk, `hello ${n}`);
    await say(ben, talk, 'good day');
    await say(ben, other, 'to myself');
});
after(() => server?.stop());

const get = async (path, query) => ok(await admin.get(`/api/admin/${path}`, query));
const audits = async (action, object) =>
    ids((await get('audit/', { action, ...(object && { object }) })).results);

describe('conversations', () => {
    const PATH = 'conversations/';
    const titles = (body) => body.results.map((row) => row.title);

    test("everybody's, with counts and people", async () => {
        const before = (await audits('conversation.list_all')).length;
        const body = await get(PATH);
        assert.deepEqual(titles(body).sort(), ['', 'First talk', 'Note']);
        assert.equal(body.count, 3);
        const row = body.results.find((one) => one.id === talk.id);
        contains(row, { closed: false, direct: false, participant_count: 2, message_count: 4 });
        assert.deepEqual(row.people.map((one) => one.username).sort(), ['ann', 'ben']);
        assert.equal(body.results.find((one) => one.id === direct.id).direct, true);
        assert.equal((await audits('conversation.list_all')).length, before + 1);
    });

    test('filters and orders', async () => {
        assert.deepEqual(titles(await get(PATH, { search: 'first' })), ['First talk']);
        assert.deepEqual(titles(await get(PATH, { participant: ann.id })).sort(), ['', 'First talk']);
        assert.deepEqual(titles(await get(PATH, { participant: 'nobody' })), []);
        assert.deepEqual(titles(await get(PATH, { participant: 'ben', search: 'note' })), ['Note']);
        const up = titles(await get(PATH, { ordering: 'created_at' }));
        assert.deepEqual(up, ['First talk', 'Note', '']);
        assert.deepEqual(titles(await get(PATH, { ordering: '-created_at' })), up.reverse());
        assert.deepEqual(titles(await get(PATH))[0], 'Note', 'newest activity first');
        const walked = await walk(admin, `/api/admin/${PATH}?cursor=&page_size=1`);
        assert.equal(walked.length, 3);
        assert.deepEqual(titles(await get(PATH, { created_after: '2100-01-01' })), []);
        assert.equal((await get(PATH, { page: 'last', page_size: 2 })).results.length, 1);
    });

    test('one of them', async () => {
        const body = await get(`${PATH}${talk.id}/`);
        contains(body, { title: 'First talk', message_count: 4, deleted_message_count: 0 });
        assert.deepEqual(body.participants.map((one) => one.role).sort(), ['member', 'owner']);
        assert.equal((await audits('conversation.read', talk.id)).length, 1);
        const messages = `/api/conversations/${talk.id}/messages/`;
        assert.equal(ok(await admin.get(messages)).count, 4);
        assert.equal((await audits('conversation.read', talk.id)).length, 2, 'its messages too');
    });

    test('many at once', async () => {
        const bulk = async (action, list) =>
            ok(await admin.post(`/api/admin/${PATH}bulk/`, { action, ids: list })).results.map(
                (row) => row.result,
            );
        const gone = await makeConversation(ann, [ben], { title: 'To go' });
        const list = [talk.id, gone.id, NO_UUID];
        assert.deepEqual(await bulk('close', list), ['done', 'done', 'failed']);
        assert.deepEqual(await bulk('close', [talk.id]), ['unchanged']);
        assert.deepEqual(
            titles(await get(PATH, { closed: 'true' })).sort(),
            ['First talk', 'To go'].sort(),
        );
        ok(await ann.post(`/api/conversations/${talk.id}/messages/`, { message_body: 'x' }), 403);
        assert.deepEqual(await bulk('reopen', [talk.id]), ['done']);
        assert.deepEqual(await bulk('delete', [gone.id]), ['done']);
        notFound(await ann.get(`/api/conversations/${gone.id}/`));
        for (const action of ['close', 'delete']) {
            assert.equal((await audits(`conversation.${action}`, gone.id)).length, 1, action);
        }
        assert.equal((await audits('conversation.reopen', talk.id)).length, 1);
    });
});

describe('messages', () => {
    const PATH = 'messages/';
    const bodies = (body) => body.results.map((row) => row.message_body);
    const ALL = ['to myself', 'good day', 'hello 3', 'hello 2', 'hello 1'];

    test("everybody's, newest first", async () => {
        const before = (await audits('message.list_all')).length;
        const body = await get(PATH);
        assert.deepEqual(bodies(body), ALL);
        assert.equal(body.count, 5);
        contains(body.results[0].sender, { id: ben.id, email: ben.email });
        assert.equal((await audits('message.list_all')).length, before + 1);
        assert.deepEqual(bodies(await get(PATH, { ordering: 'sent_at' })), [...ALL].reverse());
        const walked = await walk(admin, `/api/admin/${PATH}?cursor=&page_size=2`);
        assert.deepEqual(bodies({ results: walked }), ALL);
        assert.deepEqual(bodies(await get(PATH, { page: 'last', page_size: 3 })), ALL.slice(3));
    });

    test('filters', async () => {
        assert.deepEqual(bodies(await get(PATH, { search: 'HELLO 2' })), ['hello 2']);
        assert.deepEqual(bodies(await get(PATH, { sender: 'ben' })), ['to myself', 'good day']);
        assert.deepEqual(bodies(await get(PATH, { sender: ben.id, search: 'day' })), ['good day']);
        assert.deepEqual(bodies(await get(PATH, { sender: 'nobody' })), []);
        assert.deepEqual(bodies(await get(PATH, { conversation: other.id })), ['to myself']);
        const inside = await get(PATH, { conversation: talk.id, ordering: 'sent_at', cursor: '' });
        assert.deepEqual(bodies(inside), [...ALL].reverse().slice(0, 4));
        assert.deepEqual(bodies(await get(PATH, { conversation: NO_UUID })), []);
        assert.deepEqual(bodies(await get(PATH, { sent_after: '2100-01-01' })), []);
        assert.equal((await get(PATH, { sent_before: '2100-01-01' })).count, 5);
        assert.equal((await audits('message.list_all', talk.id)).length, 1);
    });

    test('many are deleted at once; tombstones are shown when asked for', async () => {
        const doomed = await say(ben, other, 'doomed');
        const url = `/api/admin/${PATH}bulk/`;
        const ask = { action: 'delete', ids: [doomed.id, NO_UUID] };
        const body = ok(await admin.post(url, ask));
        assert.deepEqual(
            body.results.map((row) => [row.result, row.code]),
            [
                ['done', null],
                ['failed', 'not_found'],
            ],
        );
        assert.ok(!ids((await get(PATH)).results).includes(doomed.id));
        const all = await get(PATH, { deleted: 1 });
        const row = all.results.find((one) => one.id === doomed.id);
        contains(row, { deleted: true, message_body: '' });
        assert.equal((await audits('message.delete', other.id)).length, 1);
        invalid(await admin.post(url, { action: 'close', ids: [doomed.id] }), { action: true });
    });

    test('what belongs to a deleted conversation is not shown', async () => {
        const gone = await makeConversation(ann, [], { title: 'Gone' });
        const message = await say(ann, gone, 'gone with it');
        ok(await ann.delete(`/api/conversations/${gone.id}/`), 204);
        assert.ok(!ids((await get(PATH, { deleted: 1 })).results).includes(message.id));
    });
});

describe('notifications', () => {
    test('of one user', async () => {
        const body = await get('notifications/', { user: 'ann' });
        assert.deepEqual(
            body.results.map((row) => row.message.message_body),
            ['good day'],
        );
        assert.equal(body.unread_count, 1);
        assert.equal((await audits('notification.list', ann.id)).length, 1);
        invalid(await admin.get('/api/admin/notifications/'), { user: REQUIRED });
        assert.equal((await get('notifications/', { user: 'nobody' })).count, 0);
    });
});

describe('sessions', () => {
    test("everybody's, by user and by kind; one ends", async () => {
        const user = await register(server);
        const { token } = ok(
            await api.post('/api-token-auth/', { username: user.username, password: PASSWORD }),
        );
        const all = await get('sessions/');
        contains(all.results[0], { kind: 'token' });
        contains(all.results[0].user, { id: user.id, username: user.username });
        assert.equal((await get('sessions/', { user: user.username })).count, 2);
        assert.equal((await get('sessions/', { user: user.id, kind: 'jwt' })).count, 1);
        const tokens = await get('sessions/', { kind: 'token' });
        assert.deepEqual(ids(tokens.results), [all.results[0].id]);
        const walked = await walk(admin, '/api/admin/sessions/?cursor=&page_size=2');
        assert.equal(walked.length, all.count);
        assert.ok(walked.some((row) => row.current));
        ok(await admin.delete(`/api/admin/sessions/${all.results[0].id}/`), 204);
        await untilDead(api.with({ authorization: `Token ${token}` }));
        ok(await user.get('/api/users/me/'));
        assert.equal((await audits('session.end', user.id)).length, 1);
        invalid(await admin.get('/api/admin/sessions/', { kind: 'x' }), { kind: true });
    });
});

describe('the audit log', () => {
    test('filters, newest first, by cursor', async () => {
        const second = await makeAdmin(server);
        ok(await second.get('/api/admin/users/'));
        const mine = await get('audit/', { actor: second.username });
        assert.deepEqual(
            mine.results.map((row) => row.action),
            ['user.list_all'],
        );
        const all = await walk(admin, '/api/admin/audit/?cursor=&page_size=7');
        const times = all.map((row) => row.at);
        assert.deepEqual(times, [...times].sort().reverse());
        assert.equal((await get('audit/')).count, all.length);
        const { at } = all[3];
        const exactly = await get('audit/', { after: at, before: at });
        assert.ok(ids(exactly.results).includes(all[3].id));
        assert.equal((await get('audit/', { after: '2100-01-01' })).count, 0);
        const both = await get('audit/', { action: 'user.list_all', actor: second.id });
        assert.deepEqual(ids(both.results), ids(mine.results));
        ok(await admin.delete(`/api/admin/users/${second.id}/`), 204);
        assert.equal((await get('audit/', { actor: second.id })).count, 1, 'who is gone too');
        invalid(await admin.get('/api/admin/audit/', { object: 'x' }), { object: true });
    });

    test('reading it leaves no trace in it', async () => {
        const before = (await get('audit/')).count;
        await get('audit/');
        assert.equal((await get('audit/')).count, before);
    });
});

test('a guest and a host get nothing', async () => {
    const host = await register(server, { role: 'host' });
    for (const user of [ann, host, await login(server, 'ben')]) {
        for (const path of ['users/', 'conversations/', 'messages/', 'audit/', 'sessions/']) {
            ok(await user.get(`/api/admin/${path}`), 403);
        }
    }
});
