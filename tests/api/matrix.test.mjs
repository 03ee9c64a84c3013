// The authorisation matrix: each route of the OpenAPI document x anonymous, stranger, member, moderator,
// owner, admin. What is expected stands in tests/lib/matrix_rows.mjs; a route without a row fails,
// and so does a row without a route.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { anonymous, makeAdmin, makeCast, say } from '../lib/client.mjs';
import { NO_UUID, ok, show } from '../lib/expect.mjs';
import { ROLES, ROWS, SAME, addPeople, defaultIds } from '../lib/matrix_rows.mjs';
import { loadRoutes } from '../lib/routes.mjs';
import { startServer } from '../lib/server.mjs';

const routes = await loadRoutes();
let server, admin, shared;

const withSlash = (key) => (key.endsWith('/') ? key : `${key}/`);
const rowKey = (route) => {
    const key = withSlash(route.key);
    return SAME[key] ?? key;
};

async function makeWorld() {
    const w = await addPeople(await makeCast(server), server, admin);
    ok(await w.owner.post(`${w.path}participants/`, { user_id: w.extra.id }), 201);
    w.message = await say(w.member, w, 'said by the member');
    w.anonymous = undefined;
    return w;
}

before(async () => {
    server = await startServer();
    admin = await makeAdmin(server);
    shared = await makeWorld();
});
after(() => server?.stop());

function fillPath(path, ids) {
    let n = 0;
    return path.replace(/\{[^}]*\}/g, () => ids[n++]);
}

async function request(route, row, w, role, client) {
    const [, how = {}] = row;
    const plain = route.key.split(' ')[1];
    const ids = how.ids ? await how.ids(w, role) : defaultIds(w, plain);
    const options = {};
    if (/^(POST|PUT|PATCH)$/.test(route.method))
        options.json = how.body ? await how.body(w, role) : {};
    if (how.query) options.query = how.query(w, role);
    return client.request(route.method, fillPath(plain, ids), options);
}

describe('the table', () => {
    test('has a row for each route', () => {
        const missing = routes.filter((route) => !ROWS[rowKey(route)]).map((route) => route.key);
        assert.deepEqual(missing, []);
    });

    test('has no row without a route', () => {
        const present = new Set(routes.map((route) => withSlash(route.key)));
        const absent = [...Object.keys(ROWS), ...Object.keys(SAME)].filter(
            (key) => !present.has(key),
        );
        assert.deepEqual(absent, []);
    });

    test('each route declares an access that agrees', () => {
        for (const route of routes) {
            const row = ROWS[rowKey(route)];
            if (!row) continue;
            const statuses = row[0].split(' ');
            assert.match(route.access, /^(anyone|user|admin)$/, route.key);
            if (route.access === 'user') assert.match(statuses[0], /401/, route.key);
            if (route.access === 'admin') assert.match(statuses[1], /403/, route.key);
        }
    });
});

describe('who gets what', () => {
    for (const route of routes) {
        const row = ROWS[rowKey(route)];
        if (!row) continue;
        test(route.key, async () => {
            const statuses = row[0].split(' ');
            for (const [n, role] of ROLES.entries()) {
                const w = row[1]?.fresh ? await makeWorld() : shared;
                const client = w[role] ?? anonymous(server);
                const res = await request(route, row, w, role, client);
                const wanted = statuses[n].split('/').map(Number);
                assert.ok(
                    wanted.includes(res.status),
                    `${role}: expected ${statuses[n]}: ${show(res)}`,
                );
                if (res.status >= 400) ok(res, res.status);
            }
        });
    }
});

describe('whoever asks', () => {
    const guarded = routes.filter((route) => ROWS[rowKey(route)]?.[0].startsWith('401 '));

    test('a bad token is 401 on every guarded route, before ids and body', async () => {
        const client = anonymous(server).with({ authorization: 'Bearer garbage' });
        for (const route of guarded) {
            const path = fillPath(route.key.split(' ')[1], ['no-uuid', 'no-uuid']);
            const options = { body: '{bad', headers: { 'content-type': 'application/json' } };
            ok(
                await client.request(route.method, path, route.method === 'GET' ? {} : options),
                401,
            );
        }
    });

    test('an id that is unknown or malformed is 404', async () => {
        for (const route of routes.filter((one) => /\{/.test(one.path))) {
            for (const id of [NO_UUID, 'no-uuid']) {
                const path = fillPath(route.key.split(' ')[1], [id, id]);
                const json = /^(POST|PUT|PATCH)$/.test(route.method) ? {} : undefined;
                const client = route.access === 'admin' ? shared.admin : shared.owner;
                ok(await client.request(route.method, path, { json }), 404);
            }
        }
    });

    test('a method that a route has not is 405, and Allow names those that it has', async () => {
        const byPath = new Map();
        for (const route of routes) {
            const path = route.key.split(' ')[1];
            byPath.set(path, [...(byPath.get(path) ?? []), route.method]);
        }
        for (const [path, methods] of byPath) {
            const target = fillPath(path, defaultIds(shared, path));
            for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'BREW']) {
                if (methods.includes(method)) continue;
                const res = await shared.admin.request(method, target);
                ok(res, 405);
                const order = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].filter((name) =>
                    methods.includes(name),
                );
                const extra = methods.includes('GET') ? ['HEAD', 'OPTIONS'] : ['OPTIONS'];
                assert.equal(res.headers.allow, [...order, ...extra].join(', '), target);
            }
        }
    });
});
