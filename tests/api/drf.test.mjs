// The recorded behaviour of Django REST Framework, case by case: tests/lib/drf_cases.mjs is the
// table, this is what runs it. Our objects have more fields than DRF's, so what is compared is that
// ours have those keys, and the values that the case is about.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import {
    PASSWORD,
    anonymous,
    login,
    makeAdmin,
    makeConversation,
    register,
    say,
    send,
} from '../lib/client.mjs';
import { CASES } from '../lib/drf_cases.mjs';
import { contains, ok, show } from '../lib/expect.mjs';
import { startServer } from '../lib/server.mjs';

let server, throttled;
const world = {};
const users = {};

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const claimsOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
function sign(claims, { alg = 'HS256', key = server.env.SECRET_KEY } = {}) {
    const text = `${part({ alg, typ: 'JWT' })}.${part(claims)}`;
    const signature =
        alg === 'none' ? '' : createHmac('sha256', key).update(text).digest('base64url');
    return `${text}.${signature}`;
}

const person = (on, n) =>
    register(on, {
        username: `user${n}`,
        first_name: `First${n}`,
        last_name: `Last${n}`,
        phone_number: `+155500000${String(n).padStart(2, '0')}`,
    });

async function makeTokens() {
    const { access, refresh } = users.user0;
    const claims = claimsOf(access);
    const past = Math.floor(Date.now() / 1000) - 60;
    const { user_id, ...noUser } = claims;
    Object.assign(world, {
        access,
        refresh,
        expired: sign({ ...claims, exp: past }),
        expiredRefresh: sign({ ...claimsOf(refresh), exp: past }),
        otherKey: sign(claims, { key: 'another key' }),
        algNone: sign(claims, { alg: 'none' }),
        noUser: sign(noUser),
    });
    const json = { username: 'user0', password: PASSWORD };
    world.key = ok(await send(server, 'POST', '/api-token-auth/', { json })).token;
    const gone = await register(server, { username: 'gone' });
    assert.equal((await gone.delete('/api/users/me/')).status, 204);
    const inactive = await register(server, { username: 'inactive' });
    const admin = await makeAdmin(server);
    ok(await admin.patch(`/api/users/${inactive.id}/`, { is_active: false }));
    Object.assign(world, {
        gone: gone.access,
        inactive: inactive.access,
        inactiveRefresh: inactive.refresh,
        inactiveEmail: inactive.email,
    });
}

async function makeMessages() {
    const { user0, user1, user2 } = users;
    const c = await makeConversation(user1, [user0]);
    world.M1 = await say(user1, c, 'hello, see you tonight');
    world.M0 = await say(user0, c, 'mine: Hello, free tonight?');
    for (let n = 0; n < 23; n++) await say(user1, c, `hello ${n}`);
    await say(user1, c, 'Not tonight. HELLO?');
    const f = await makeConversation(user1, [user2]);
    world.FM = await say(user2, f, 'foreign');
    Object.assign(world, { C: c.id, F: f.id });
}

before(async () => {
    server = await startServer();
    for (const n of [0, 1, 2]) users[`user${n}`] = await person(server, n);
    await register(server, { username: 'host0', role: 'host' });
    world.url = server.url;
    [world.u0, world.u1] = [users.user0.id, users.user1.id];
    await makeTokens();
    await makeMessages();
    throttled = await startServer({
        env: { THROTTLE_ANON: '50/min', THROTTLE_LOGIN: '2/min', THROTTLE_USER: '3/min' },
    });
    users.throttled0 = await person(throttled, 0);
    users.throttled1 = await person(throttled, 1);
});
after(async () => {
    await throttled?.stop();
    await server?.stop();
});

// {C}, {C:upper}, {C:bare}, {M1}, {M1.sent_at}
function fill(text) {
    return text.replace(/\{(\w+)([:.]\w+)?\}/g, (whole, name, how = '') => {
        if (!(name in world)) return whole;
        const value = world[name];
        if (how.startsWith('.')) return value[how.slice(1)];
        const id = value.id ?? value;
        if (how === ':upper') return id.toUpperCase();
        return how === ':bare' ? id.replaceAll('-', '') : id;
    });
}
const fillAll = (value) =>
    value === undefined ? undefined : JSON.parse(fill(JSON.stringify(value)));

const BIG = 3_000_000;
const PART = 'Content-Disposition: form-data; name="message_body"\r\n\r\n';
const big = {
    json: () => ({ body: `{"message_body": "${'x'.repeat(BIG)}"}`, type: 'application/json' }),
    form: () => ({
        body: `message_body=${'x'.repeat(BIG)}`,
        type: 'application/x-www-form-urlencoded',
    }),
    multipart: () => ({
        body: `--b\r\n${PART}${'x'.repeat(BIG)}\r\n--b--\r\n`,
        type: 'multipart/form-data; boundary=b',
    }),
};

async function ask([line, options = {}]) {
    const [method, path] = line.split(/ (.*)/s);
    const headers = {};
    for (const [name, value] of Object.entries(options.h ?? {})) headers[name] = fill(value);
    const request = {
        headers,
        json: fillAll(options.j),
        form: options.f,
        chunked: options.chunked,
    };
    if (options.t !== undefined)
        request.body = typeof options.t === 'string' ? fill(options.t) : options.t;
    if (options.big) {
        const { body, type } = big[options.big]();
        request.body = body;
        headers['content-type'] = type;
    }
    const on = options.server === 'throttled' ? throttled : server;
    const who = options.as === null ? anonymous(on) : users[options.as ?? 'user0'];
    return who.request(method, fill(path), request);
}

const words = (header) => (header ?? '').toLowerCase().split(/\s*,\s*/);

function judgeHeaders(res, want) {
    if (want.allow) assert.equal(res.headers.allow, want.allow, show(res));
    for (const name of want.vary ?? [])
        assert.ok(words(res.headers.vary).includes(name), res.headers.vary);
    for (const [name, value] of Object.entries(want.header ?? {})) {
        if (value instanceof RegExp) assert.match(res.headers[name] ?? '', value, name);
        else assert.equal(res.headers[name], value, name);
    }
    if (res.status === 401) assert.equal(res.headers['www-authenticate'], 'Bearer realm="api"');
}

function judgeBody(res, want) {
    if (want.b) assert.deepEqual(res.json, want.b, show(res));
    if (want.detail) assert.match(res.json.detail, want.detail, show(res));
    if (want.text) assert.match(res.text, want.text);
    if (want.fields) assert.deepEqual(Object.keys(res.json).sort(), want.fields, show(res));
    if (want.texts)
        for (const list of Object.values(res.json)) assert.equal(list.length, want.texts);
    for (const key of want.keys ?? []) assert.ok(key in res.json, `${key}: ${show(res)}`);
    if (want.has) contains(res.json, fillAll(want.has));
    if (want.some) {
        const met = Object.entries(want.some).some(
            ([key, value]) => JSON.stringify(res.json[key]) === JSON.stringify(value),
        );
        assert.ok(met, show(res));
    }
}

function judgeRows(res, want) {
    for (const row of want.list ? res.json.results : []) {
        for (const key of want.list) assert.ok(key in row, `${key} in a row: ${show(res)}`);
    }
    if (want.rows !== undefined) assert.equal(res.json.results.length, want.rows, show(res));
    if (want.first) assert.equal(res.json.results[0].id, world[want.first].id);
    if (want.participants) {
        const wanted = want.participants.map((name) => world[name]).sort();
        assert.deepEqual(res.json.participants.map((row) => row.user_id).sort(), wanted);
    }
}

function judgeAction(res, [method, field]) {
    const action = res.json.actions?.[method];
    if (field === null) assert.equal(action, undefined, show(res));
    else assert.ok(action?.[field], `actions.${method}.${field}: ${show(res)}`);
}

function judge(res, want) {
    assert.ok([want.s].flat().includes(res.status), `expected ${want.s}: ${show(res)}`);
    judgeHeaders(res, want);
    judgeBody(res, want);
    judgeRows(res, want);
    if (want.action) judgeAction(res, want.action);
    if (want.save) world[want.save] = res.json.conversation_id;
}

describe('as DRF answers', () => {
    test('every case is in the table once, in order', () => {
        const numbers = CASES.map(([number]) => number);
        assert.deepEqual(
            numbers,
            Array.from({ length: 257 }, (_, n) => n + 1),
        );
    });

    // Those with `skip` are kept in the table for their number; they do not concern our routes.
    for (const [number, what, request, want] of CASES.filter((row) => !row[3].skip)) {
        const note = want.differs ? ` (differs: ${want.differs})` : '';
        test(`${number}. ${what}${note}`, async () => {
            judge(await ask(request), want);
        });
    }

    test('the world is as it was', async () => {
        ok(await (await login(server, 'user0')).get('/api/users/me/'));
    });
});
