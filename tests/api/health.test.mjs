// What is asked from outside: /health/, /ready/, /metrics.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { anonymous, makeAdmin, register } from '../lib/client.mjs';
import { NO_UUID, ok, unauthorized } from '../lib/expect.mjs';
import { loadRoutes, matchRoute } from '../lib/routes.mjs';
import { startServer } from '../lib/server.mjs';

let server, api, routes;

before(async () => {
    server = await startServer();
    api = anonymous(server);
    routes = await loadRoutes();
});
after(() => server?.stop());

describe('health and readiness', () => {
    for (const path of [
        '/health/',
        '/health',
        '/api/health/',
        '/api/v1/health/',
        '/ready/',
        '/ready',
    ]) {
        test(`GET and HEAD ${path}`, async () => {
            assert.equal(typeof ok(await api.get(path)), 'object');
            assert.equal(ok(await api.head(path)), undefined);
        });
    }

    test('need no credentials and look at none', async () => {
        const headers = { authorization: 'Bearer garbage' };
        for (const path of ['/health/', '/ready/', '/api/health/']) {
            ok(await api.get(path, undefined, { headers }));
        }
    });

    test('POST is 405', async () => {
        ok(await api.post('/health/', {}), 405);
        ok(await api.post('/ready/', {}), 405);
    });

    test('a warm start answers health and ready', async () => {
        await server.restart();
        ok(await api.get('/health/'));
        ok(await api.get('/ready/'));
    });
});

describe('metrics', () => {
    test('are for admins', async (t) => {
        if (!matchRoute(routes, 'GET', '/metrics')) {
            t.skip('no such route yet');
            return;
        }
        const admin = await makeAdmin(server);
        const user = await register(server);
        await user.get(`/api/conversations/${NO_UUID}/`);
        unauthorized(await api.get('/metrics'));
        ok(await user.get('/metrics'), 403);
        const res = await admin.get('/metrics');
        ok(res);
        assert.match(res.headers['content-type'], /^text\/plain/);
        assert.match(res.text, /^# (HELP|TYPE) \w+/m);
        assert.match(res.text, /^\w+(\{[^}]*\})? [\d.e+-]+$/m);
        assert.ok(!res.text.includes(user.username) && !res.text.includes(NO_UUID));
    });

    test('and for the addresses of METRICS_ALLOW', async (t) => {
        for (const [list, status] of [
            ['127.0.0.0/8', 200],
            ['10.0.0.0/8,::1', 401],
        ]) {
            const other = await startServer({ env: { METRICS_ALLOW: list } });
            t.after(() => other.stop());
            const forwarded = { 'x-forwarded-for': '10.0.0.1' };
            ok(await anonymous(other).get('/metrics', undefined, { headers: forwarded }), status);
        }
    });
});
