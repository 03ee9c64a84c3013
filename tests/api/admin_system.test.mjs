// The numbers, the settings, the checks and the background work under /api/admin/.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { eventually, makeAdmin, makeConversation, register, say } from '../lib/client.mjs';
import { NO_UUID, contains, notFound, ok } from '../lib/expect.mjs';
import { startServer } from '../lib/server.mjs';

let server, admin;
const SECRET = 'a-secret-that-must-not-be-shown-0123456789-abcdefghij';

before(async () => {
    server = await startServer({ env: { SECRET_KEY: SECRET, PAGE_THREADS: '1', THROTTLE_LOGIN: '' } });
    admin = await makeAdmin(server);
});
after(() => server?.stop());

const get = async (path) => ok(await admin.get(`/api/admin/${path}`));

describe('the numbers', () => {
    test('follow what happens', async () => {
        const before = await get('stats/');
        const host = await register(server, { role: 'host' });
        const guest = await register(server);
        const talk = await makeConversation(host, [guest]);
        await say(host, talk, 'one');
        ok(await admin.patch(`/api/admin/users/${guest.id}/`, { is_active: false }));
        ok(await guest.get('/api/users/me/'), 401);
        const now = await get('stats/');
        const more = (part, name) => now[part][name] - before[part][name];
        assert.equal(more('users', 'total'), 2);
        assert.equal(more('users', 'inactive'), 1);
        assert.equal(more('users', 'active'), 1);
        assert.equal(more('users', 'host'), 1);
        assert.equal(more('users', 'guest'), 1);
        assert.equal(more('users', 'admin'), 0);
        assert.equal(now.conversations - before.conversations, 1);
        assert.equal(now.messages - before.messages, 1);
        assert.ok(more('answers', '2xx') >= 5 && more('answers', '4xx') >= 1);
        assert.ok(more('answers', 'total') >= more('answers', '2xx') + more('answers', '4xx'));
        assert.ok(more('writes', 'requests') >= 5 && more('writes', 'commits') >= 1);
        assert.ok(now.database.bytes > 0 && now.memory_bytes > 0);
        assert.match(now.database.engine, /^(sqlite|postgresql|mysql)$/);
        assert.equal(now.node_id, before.node_id);
        assert.ok(now.live.nodes >= 1);
    });

    test('are not in the audit log', async () => {
        const count = () => server.sql('SELECT count(*) FROM audit');
        const before = await count();
        await get('stats/');
        await get('settings/');
        await get('checks/');
        assert.equal(await count(), before);
    });
});

describe('the settings', () => {
    test('with where they come from, secrets masked', async () => {
        const res = await admin.get('/api/admin/settings/');
        const { count, results } = ok(res);
        assert.equal(count, results.length);
        const of = (name) => results.find((row) => row.name === name);
        contains(of('PAGE_THREADS'), { value: '1', default: '2', source: 'the environment' });
        contains(of('SECRET_KEY'), { value: '(set)', secret: true });
        contains(of('READ_THREADS'), { source: 'default' });
        assert.ok(results.every((row) => row.help && row.group && row.allowed));
        assert.ok(!res.text.includes(SECRET));
    });

    test('are those that the command tells', async () => {
        const { results } = await get('settings/');
        const end = await server.cli(['check', '--deploy']);
        const { results: checks } = await get('checks/');
        for (const check of checks) {
            assert.ok(end.stderr.includes(`${check.id}: ${check.text}`), check.id);
            assert.ok(results.some((row) => row.name === check.setting), check.setting);
            assert.ok(check.hint.endsWith('.'));
            assert.equal(check.level, 'warning');
        }
        const told = [...end.stderr.matchAll(/^(confab\.W\d+):/gm)].map((match) => match[1]);
        assert.deepEqual(checks.map((check) => check.id).sort(), told.sort());
        assert.ok(told.includes('confab.W030'), 'THROTTLE_LOGIN is off');
    });
});

describe('background work', () => {
    // The work is picked up within two seconds: whoever wants to see it waiting may have to try again.
    async function caught(use) {
        for (let n = 0; n < 20; n++) {
            const id = NO_UUID.replace('0000-', `${String(n).padStart(4, '0')}-`);
            await server.sql(
                'INSERT INTO erasure (kind, id, requested_at, done, error, failed_at) ' +
                    `SELECT 'conversation', ${server.sqlId(id)}, created_at, 5, 'busy', created_at ` +
                    `FROM account WHERE id = ${server.sqlId(admin.id)}`,
            );
            if (await use(id)) return;
        }
        assert.fail('it was always done at once');
    }

    test('is listed with how it failed, counted, and tried again', async () => {
        await caught(async (id) => {
            const { jobs } = await get('stats/');
            const row = (await get('jobs/')).results.find((one) => one.id === id);
            const retried = await admin.post(`/api/admin/jobs/${id}/retry/`);
            if (!row || retried.status === 404) return false;
            assert.ok(jobs.waiting >= 1);
            contains(row, { kind: 'conversation', state: 'failed', error: 'busy', done: 5 });
            contains(ok(retried), { id, error: null, failed_at: null, state: 'running' });
            return true;
        });
        const { results } = await get('audit/?action=job.retry');
        assert.ok(results.length >= 1);
        notFound(await admin.post('/api/admin/jobs/11111111-1111-4111-8111-111111111111/retry/'));
        await eventually(
            () => admin.get('/api/admin/jobs/'),
            (res) => res.json.count === 0,
            'still there',
        );
    });
});
