// Accounts under /api/admin/users/: the list in each order and filter, making, changing, erasing,
// sessions, many at once; and what of it is in the audit log.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import {
    PASSWORD,
    anonymous,
    eventually,
    login,
    makeAdmin,
    makeConversation,
    register,
    say,
    unique,
    untilDead,
    walk,
} from '../lib/client.mjs';
import {
    NO_UUID,
    REQUIRED,
    contains,
    err,
    ids,
    invalid,
    notFound,
    ok,
    unauthorized,
} from '../lib/expect.mjs';
import { ON_FILE, startServer } from '../lib/server.mjs';

const ROOT = '/api/admin/users/';
let server, api, admin, ada, bea, cyd, host;

before(async () => {
    server = await startServer();
    api = anonymous(server);
    admin = await makeAdmin(server, 'root');
    // names, addresses and times come in three different orders
    cyd = await register(server, { username: 'cyd', email: 'a@one.example', first_name: 'Cyd' });
    ada = await register(server, { username: 'ada', email: 'b@two.example', last_name: 'Lace' });
    bea = await register(server, { username: 'bea', email: 'c@six.example' });
    host = await register(server, { username: 'hal', email: 'd@ten.example', role: 'host' });
});
after(() => server?.stop());

const list = async (query) => ok(await admin.get(ROOT, query));
const names = (body) => body.results.map((row) => row.username);

// The audit log's newest rows of one object, oldest first.
async function audited(object) {
    const body = ok(await admin.get('/api/admin/audit/', { object }));
    return body.results.reverse();
}
const actions = async (object) => (await audited(object)).map((row) => row.action);

describe('the list', () => {
    test('shows everything but the password', async () => {
        const row = (await list({ username: 'ada' })).results[0];
        contains(row, {
            id: ada.id,
            email: 'b@two.example',
            last_name: 'Lace',
            role: 'guest',
            is_active: true,
        });
        assert.ok(!JSON.stringify(row).includes('pbkdf2'));
    });

    test('each ordering, both ways, by page, from the end and by cursor', async () => {
        const orders = {
            created_at: ['root', 'cyd', 'ada', 'bea', 'hal'],
            username: ['ada', 'bea', 'cyd', 'hal', 'root'],
            email: ['cyd', 'ada', 'bea', 'hal', 'root'],
        };
        for (const [ordering, wanted] of Object.entries(orders)) {
            for (const [query, rows] of [
                [ordering, wanted],
                [`-${ordering}`, [...wanted].reverse()],
            ]) {
                assert.deepEqual(names(await list({ ordering: query })), rows, query);
                const last = await list({ ordering: query, page: 'last', page_size: 2 });
                assert.deepEqual(names(last), rows.slice(4), query);
                assert.equal(last.current_page, 3);
                const walked = await walk(admin, `${ROOT}?ordering=${query}&cursor=&page_size=2`);
                assert.deepEqual(names({ results: walked }), rows, query);
            }
        }
        assert.deepEqual(names(await list({})), [...orders.created_at].reverse(), 'newest first');
        assert.deepEqual(names(await list({ ordering: 'nothing' })), names(await list({})));
    });

    test('a cursor stays where it is when the row that it stands on changes or goes', async () => {
        const made = [];
        for (const name of ['cursor1', 'cursor2', 'cursor3', 'cursor4', 'cursor5']) {
            const sent = { email: `${name}@example.com`, username: name };
            made.push(ok(await admin.post(ROOT, sent), 201));
        }
        const rows = (body) => names(body).map((name) => name.replace('cursor', ''));
        const behind = async ({ next }) => {
            const { pathname, search } = new URL(next);
            return rows(ok(await admin.get(pathname + search)));
        };
        const path = (n) => `${ROOT}${made[n - 1].id}/`;
        // by the words' index, and along that of the order
        for (const filter of [{ search: 'cursor' }, { created_after: made[0].created_at }]) {
            const first = { ...filter, cursor: '', page_size: 2 };
            const up = await list({ ...first, ordering: 'username' });
            const down = await list({ ...first, ordering: '-email' });
            assert.deepEqual([rows(up), rows(down)], [['1', '2'], ['5', '4']]);
            ok(await admin.patch(path(2), { username: 'zzz', email: 'zzz@example.com' }));
            ok(await admin.patch(path(4), { username: 'aab', email: 'aab@example.com' }));
            assert.deepEqual(await behind(up), ['3', '5']);
            assert.deepEqual(await behind(down), ['3', '1']);
            const back = { username: 'cursor2', email: 'cursor2@example.com' };
            ok(await admin.patch(path(2), back));
            ok(await admin.patch(path(4), { username: 'cursor4', email: 'cursor4@example.com' }));
        }
        const first = { cursor: '', page_size: 2, created_after: made[0].created_at };
        const up = await list({ ...first, ordering: 'username' });
        const down = await list({ ...first, ordering: '-email' });
        ok(await admin.delete(path(2)), 204);
        ok(await admin.delete(path(4)), 204);
        assert.deepEqual(await behind(up), ['3', '5']);
        assert.deepEqual(await behind(down), ['3', '1']);
        for (const n of [1, 3, 5]) ok(await admin.delete(path(n)), 204);
    });

    test('by when they were last seen, who never was among them', async () => {
        const never = ok(
            await admin.post(ROOT, { email: 'never@example.com', username: 'aaa' }),
            201,
        );
        const seenOf = (row) => row.last_seen ?? row.created_at;
        for (const ordering of ['last_seen', '-last_seen']) {
            const rows = await walk(admin, `${ROOT}?ordering=${ordering}&cursor=&page_size=2`);
            const times = rows.map(seenOf);
            const sorted = [...times].sort();
            assert.deepEqual(times, ordering === 'last_seen' ? sorted : sorted.reverse());
            assert.ok(ids(rows).includes(never.id));
            assert.deepEqual(ids((await list({ ordering })).results), ids(rows));
        }
        assert.equal((await list({ username: 'aaa' })).results[0].last_seen, null);
        ok(await admin.delete(`${ROOT}${never.id}/`), 204);
    });

    test('filters', async () => {
        assert.deepEqual(names(await list({ role: 'host' })), ['hal']);
        assert.deepEqual(names(await list({ role: 'host', ordering: 'email' })), ['hal']);
        assert.deepEqual(names(await list({ search: 'lac' })), ['ada']);
        assert.deepEqual(names(await list({ q: 'one.example' })), ['cyd'], 'addresses too');
        assert.deepEqual(names(await list({ email: 'C@SIX.example' })), ['bea']);
        assert.deepEqual(names(await list({ is_active: 'false' })), []);
        ok(await admin.patch(`${ROOT}${bea.id}/`, { is_active: false }));
        for (const ordering of ['created_at', 'username', 'email', 'last_seen']) {
            const body = await list({ is_active: 'false', ordering });
            assert.deepEqual(names(body), ['bea'], ordering);
            assert.equal(body.count, 1);
            assert.ok(!names(await list({ is_active: 'true', ordering })).includes('bea'));
        }
        ok(await admin.patch(`${ROOT}${bea.id}/`, { is_active: true }));
        invalid(await admin.get(ROOT, { role: 'king' }), { role: true });
        invalid(await admin.get(ROOT, { created_after: 'yesterday' }), { created_after: true });
    });

    test('ranges of time, in every order', async () => {
        const { created_at } = (await list({ username: 'ada' })).results[0];
        for (const ordering of ['created_at', '-created_at', 'username', 'email', '-last_seen']) {
            const one = { created_after: created_at, created_before: created_at, ordering };
            assert.deepEqual(names(await list(one)), ['ada'], ordering);
            const from = await list({ created_after: created_at, ordering });
            assert.deepEqual(names(from).sort(), ['ada', 'bea', 'hal'], ordering);
            const to = await list({ created_before: created_at, ordering });
            assert.deepEqual(names(to).sort(), ['ada', 'cyd', 'root'], ordering);
            const after = { last_seen_after: '2100-01-01', ordering };
            assert.deepEqual((await list(after)).results, [], ordering);
            const before = await list({ last_seen_before: '2100-01-01', ordering });
            assert.equal(before.count, 5, ordering);
            assert.equal(before.results.length, 5, ordering);
        }
    });

    test('what is hostile finds nothing and breaks nothing', async () => {
        for (const text of ['%', "'", '\\', '"a', '\u{1F600}', 'x'.repeat(3000)]) {
            for (const key of ['search', 'username', 'email', 'ordering']) {
                ok(await admin.get(ROOT, { [key]: text }));
            }
        }
        err(await admin.get(ROOT, { cursor: 'x' }), 400, 'bad_cursor');
        const { next } = await list({ cursor: '', page_size: 1 });
        const cursor = new URL(next).searchParams.get('cursor');
        err(await admin.get(ROOT, { cursor, ordering: 'email' }), 400, 'bad_cursor');
        const byName = await list({ cursor: '', page_size: 1, ordering: 'username' });
        const bytes = Buffer.from(new URL(byName.next).searchParams.get('cursor'), 'base64url');
        for (const added of [[0xff], [0], [0xc3]]) {
            const bad = Buffer.concat([bytes, Buffer.from(added)]).toString('base64url');
            err(await admin.get(ROOT, { cursor: bad, ordering: 'username' }), 400, 'bad_cursor');
        }
        err(await admin.get(ROOT, { page: 99 }), 404, 'invalid_page');
    });

    test('each look is in the audit log, once', async () => {
        const count = async () =>
            Number(await server.sql("SELECT count(*) FROM audit WHERE action = 'user.list_all'"));
        const before = await count();
        await list({});
        err(await admin.get(ROOT, { cursor: 'x' }), 400, 'bad_cursor');
        assert.equal(await count(), before + 1);
    });
});

describe('making an account', () => {
    test('of any role, with a password', async () => {
        const username = unique('made');
        const input = { username, email: `${username}@example.com`, role: 'admin', password: PASSWORD };
        const made = ok(await admin.post(ROOT, input), 201);
        contains(made, { username, role: 'admin', is_active: true });
        const other = await login(server, username);
        ok(await other.get('/api/admin/stats/'));
        const [row] = await audited(made.id);
        contains(row, { action: 'user.create', object_id: made.id, detail: { role: 'admin' } });
        contains(row.actor, { id: admin.id, username: 'root' });
        ok(await admin.delete(`${ROOT}${made.id}/`), 204);
        await untilDead(other);
    });

    test('without a password nobody logs in until it is set', async () => {
        const made = ok(await admin.post(ROOT, { email: 'quiet@example.com' }), 201);
        contains(made, { username: 'quiet', role: 'guest' });
        const detail = ok(await admin.get(`${ROOT}${made.id}/`));
        contains(detail, { can_log_in: false, session_count: 0, conversation_count: 0 });
        assert.equal(detail.conversation_count_capped, false);
        for (const password of ['!', '', PASSWORD]) {
            ok(await api.post('/api/token/', { username: 'quiet', password }), 400, 401);
        }
        ok(await admin.post(`${ROOT}${made.id}/password/`, { password: PASSWORD }));
        await login(server, 'quiet');
        contains(ok(await admin.get(`${ROOT}${made.id}/`)), { can_log_in: true, session_count: 1 });
    });

    test('tells all that is wrong at once', async () => {
        invalid(await admin.post(ROOT, {}), { email: REQUIRED });
        invalid(
            await admin.post(ROOT, {
                email: 'b@two.example',
                username: 'ADA',
                password: '123',
                role: 'guest',
            }),
            { email: /already exists/, username: /already exists/, password: true },
        );
        invalid(await admin.post(ROOT, { email: 'x@example.com', role: 'king' }), { role: true });
    });

    test('once for an Idempotency-Key', async () => {
        const input = { email: `${unique('twice')}@example.com` };
        const options = { headers: { 'Idempotency-Key': unique('key') } };
        const one = ok(await admin.post(ROOT, input, options), 201);
        const two = ok(await admin.post(ROOT, input, options), 201);
        assert.equal(one.id, two.id);
        ok(await admin.delete(`${ROOT}${one.id}/`), 204);
        notFound(await admin.post(ROOT, input, options));
    });
});

describe('one account', () => {
    test('every field can be changed, and the log says which', async () => {
        const user = await register(server);
        const target = `${ROOT}${user.id}/`;
        const fields = { first_name: 'New', phone_number: '+1', metadata: { a: 1 }, role: 'host' };
        contains(ok(await admin.patch(target, fields)), fields);
        contains(ok(await user.get('/api/users/me/')), fields);
        contains(ok(await admin.patch(target, { is_active: false })), { is_active: false });
        await untilDead(user);
        const rows = await audited(user.id);
        assert.deepEqual(
            rows.map((row) => row.detail),
            [{ names: true, other: true, role: 'host' }, { is_active: false }],
        );
        invalid(await admin.patch(target, { username: 'ada' }), { username: true });
        notFound(await admin.patch(`${ROOT}${NO_UUID}/`, {}));
    });

    test('in how many conversations he is is counted up to 10,000', ON_FILE, async () => {
        const user = await register(server);
        const of = async () => ok(await admin.get(`${ROOT}${user.id}/`));
        const add = async (count) => {
            const numbers = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})`;
            const id = server.sqlId(user.id);
            await server.sql(
                `BEGIN; CREATE TEMP TABLE made AS ${numbers} SELECT randomblob(16) AS id FROM n; ` +
                    'INSERT INTO conversation (id, title, metadata, created_by, created_at, ' +
                    'updated_at, last_seq, message_count, participant_count, rev, stamp) ' +
                    `SELECT id, '', '{}', ${id}, 1, 1, 0, 0, 1, 1, 1 FROM made; ` +
                    'INSERT INTO participant (conversation_id, user_id, role, joined_at, ' +
                    'read_seq, archived, pinned, rev, stamp, joined_stamp) ' +
                    `SELECT id, ${id}, 'owner', 1, 0, 0, 0, 1, 1, 1 FROM made; COMMIT`,
            );
        };
        await add(10_000);
        contains(await of(), { conversation_count: 10_000, conversation_count_capped: false });
        await add(1);
        contains(await of(), { conversation_count: 10_000, conversation_count_capped: true });
    });

    test('who looks is in the log', async () => {
        const user = await register(server);
        ok(await admin.get(`${ROOT}${user.id}/`));
        ok(await admin.get(`${ROOT}${user.id}/sessions/`));
        assert.deepEqual(await actions(user.id), ['user.read', 'session.list']);
    });

    test('the last active admin stays', async () => {
        const target = `${ROOT}${admin.id}/`;
        err(await admin.patch(target, { role: 'guest' }), 409, 'last_admin');
        err(await admin.patch(target, { is_active: false }), 409, 'last_admin');
        err(await admin.delete(target), 409, 'last_admin');
    });

    test('is erased', async () => {
        const user = await register(server);
        const talk = await makeConversation(user, [ada]);
        await say(user, talk, 'to be wiped');
        ok(await admin.delete(`${ROOT}${user.id}/`), 204);
        notFound(await admin.get(`${ROOT}${user.id}/`));
        await untilDead(user);
        const text = await server.sql("SELECT count(*) FROM message WHERE body = 'to be wiped'");
        assert.equal(text, '0');
        assert.deepEqual(await actions(user.id), ['user.delete']);
    });
});

describe('his password', () => {
    test('is set, and all of his devices end', async () => {
        const user = await register(server);
        const other = await login(server, user.username);
        const target = `${ROOT}${user.id}/password/`;
        ok(await admin.post(target, { password: 'Set-by-admin-1' }));
        await untilDead(user);
        await untilDead(other);
        unauthorized(await api.post('/api/token/', { username: user.username, password: PASSWORD }));
        await login(server, user.username, 'Set-by-admin-1');
        assert.deepEqual(await actions(user.id), ['user.password']);
        ok(await admin.get('/api/users/me/'));
    });

    test('must be a good one', async () => {
        const target = `${ROOT}${ada.id}/password/`;
        invalid(await admin.post(target, {}), { password: REQUIRED });
        invalid(await admin.post(target, { password: '12345678' }), { password: true });
        notFound(await admin.post(`${ROOT}${NO_UUID}/password/`, { password: PASSWORD }));
    });

    test("an admin's own needs the old one", async () => {
        const target = `${ROOT}${admin.id}/password/`;
        const at = /\/api\/users\/me\/password\//;
        invalid(await admin.post(target, { password: 'Taken-over-1' }), { password: at });
        unauthorized(await api.post('/api/token/', { username: 'root', password: 'Taken-over-1' }));
        const wrong = { old_password: 'no', new_password: 'Taken-over-1' };
        invalid(await admin.post('/api/users/me/password/', wrong), { old_password: true });
        await login(server, 'root');
        ok(await ada.get('/api/users/me/'));
    });
});

describe('his sessions', () => {
    test('are listed, and end one by one or all', async () => {
        const user = await register(server);
        const second = await login(server, user.username);
        const target = `${ROOT}${user.id}/sessions/`;
        const { results } = ok(await admin.get(target));
        assert.equal(results.length, 2);
        contains(results[0].user, { id: user.id, username: user.username });
        const [newest] = results;
        notFound(await admin.delete(`${ROOT}${ada.id}/sessions/${newest.id}/`), 'not his');
        ok(await admin.delete(`${target}${newest.id}/`), 204);
        await untilDead(second);
        notFound(await admin.delete(`${target}${newest.id}/`));
        ok(await user.get('/api/users/me/'));
        ok(await admin.delete(target), 204);
        await untilDead(user);
        assert.equal(ok(await admin.get(target)).count, 0);
        const log = await actions(user.id);
        assert.deepEqual(
            log.filter((action) => action !== 'session.list'),
            ['session.end', 'user.end_sessions'],
        );
    });
});

describe('many at once', () => {
    const bulk = (body) => admin.post(`${ROOT}bulk/`, body);
    const results = (body) => body.results.map((row) => row.result);

    test('deactivate and activate: each has its answer and its row', async () => {
        const users = [await register(server), await register(server)];
        const list = [...ids(users), NO_UUID, admin.id];
        const off = ok(await bulk({ action: 'deactivate', ids: list }));
        assert.deepEqual(results(off), ['done', 'done', 'failed', 'skipped']);
        assert.equal(off.results[2].code, 'not_found');
        assert.ok(off.results[3].detail);
        assert.equal(off.done, 2);
        for (const user of users) {
            await untilDead(user);
            assert.deepEqual(await actions(user.id), ['user.update']);
        }
        const again = ok(await bulk({ action: 'deactivate', ids: ids(users) }));
        assert.deepEqual(results(again), ['unchanged', 'unchanged']);
        const on = ok(await bulk({ action: 'activate', ids: ids(users) }));
        assert.deepEqual(results(on), ['done', 'done']);
        await login(server, users[0].username);
    });

    test('roles', async () => {
        const user = await register(server);
        invalid(await bulk({ action: 'set_role', ids: [user.id] }), { role: REQUIRED });
        ok(await bulk({ action: 'set_role', ids: [user.id, host.id], role: 'host' }));
        contains(ok(await admin.get(`${ROOT}${user.id}/`)), { role: 'host' });
        assert.deepEqual((await audited(user.id))[0].detail, { role: 'host' });
        assert.deepEqual(await actions(host.id), [], 'he was one');
    });

    test('sessions end, but for the one that asks', async () => {
        const user = await register(server);
        const other = await login(server, 'root');
        ok(await bulk({ action: 'end_sessions', ids: [user.id, admin.id] }));
        await untilDead(user);
        await untilDead(other);
        ok(await admin.get('/api/users/me/'));
    });

    test('erasing, however much they wrote', async () => {
        const users = [await register(server), await register(server)];
        for (let n = 0; n < 12; n++) {
            const talk = await makeConversation(users[0], [ada]);
            await say(users[0], talk, `bulk wiped ${n}`);
        }
        const body = ok(await bulk({ action: 'erase', ids: [...ids(users), admin.id] }));
        assert.deepEqual(results(body), ['done', 'done', 'skipped']);
        for (const user of users) {
            notFound(await admin.get(`${ROOT}${user.id}/`));
            await untilDead(user);
        }
        await eventually(
            async () => ({
                n: await server.sql("SELECT count(*) FROM message WHERE body LIKE 'bulk wiped%'"),
                text: 'messages are left',
            }),
            ({ n }) => n === '0',
            'not wiped',
        );
    });

    test('what is wrong with the request', async () => {
        invalid(await bulk({}), { action: REQUIRED, ids: REQUIRED });
        invalid(await bulk({ action: 'dance', ids: [ada.id] }), { action: true });
        invalid(await bulk({ action: 'erase', ids: ['no-uuid'] }), { ids: true });
        invalid(await bulk({ action: 'erase', ids: [] }), { ids: true });
        const many = Array.from({ length: 101 }, () => NO_UUID);
        invalid(await bulk({ action: 'erase', ids: many }), { ids: true });
        ok(await ada.get('/api/users/me/'));
    });
});
