// Log-in, refresh rotation and reuse, verify, revoke, logout, opaque tokens, Basic, aliases.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import {
    PASSWORD,
    anonymous,
    eventually,
    login,
    makeAdmin,
    register,
    unique,
    untilDead,
} from '../lib/client.mjs';
import {
    NO_CREDENTIALS,
    REQUIRED,
    contains,
    err,
    invalid,
    ok,
    unauthorized,
} from '../lib/expect.mjs';
import { startServer } from '../lib/server.mjs';
import { assertShape, loginAnswer, opaqueToken } from '../lib/shapes.mjs';

let server, api, alice;

before(async () => {
    server = await startServer({ env: { AUTH_BASIC: '0' } });
    api = anonymous(server);
    alice = await register(server, { username: 'alice', first_name: 'Alice' });
});
after(() => server?.stop());

const NO_ACCOUNT = 'No active account found with the given credentials';
const NOT_VALID = 'Given token not valid for any token type';
const claimsOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
const headOf = (token) => JSON.parse(Buffer.from(token.split('.')[0], 'base64url'));
const bearer = (token) => api.with({ authorization: `Bearer ${token}` });
const me = (client) => client.get('/api/users/me/');
const refresh = (token, path = '/api/token/refresh/') => api.post(path, { refresh: token });

function signed(header, claims, key = server.env.SECRET_KEY) {
    const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const text = `${part(header)}.${part(claims)}`;
    return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
}

describe('POST /api/token/', () => {
    for (const [field, value] of [
        ['username', 'alice'],
        ['username', 'alice@example.com'],
        ['email', 'alice@example.com'],
        ['email', 'alice'],
    ]) {
        test(`${field}: ${value}`, async () => {
            const body = ok(await api.post('/api/token/', { [field]: value, password: PASSWORD }));
            assertShape(loginAnswer, body);
            assert.equal(body.user_id, alice.id);
            contains(body.user, { id: alice.id, username: 'alice', email: 'alice@example.com' });
            contains(ok(await me(bearer(body.access))), { id: alice.id });
        });
    }

    test('by form', async () => {
        const form = { email: alice.email, password: PASSWORD };
        assertShape(loginAnswer, ok(await api.request('POST', '/api/token/', { form })));
    });

    test('by multipart', async () => {
        const part = (name, value) =>
            `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
        const body = `${part('username', 'alice')}${part('password', PASSWORD)}--b--\r\n`;
        const headers = { 'content-type': 'multipart/form-data; boundary=b' };
        assertShape(loginAnswer, ok(await api.request('POST', '/api/token/', { body, headers })));
    });

    test('the claims', async () => {
        const { access, refresh: second } = await login(server, 'alice');
        assert.equal(headOf(access).alg, 'HS256');
        const a = claimsOf(access);
        const r = claimsOf(second);
        contains(a, { token_type: 'access', user_id: alice.id });
        contains(r, { token_type: 'refresh', user_id: alice.id, sid: a.sid });
        assert.equal(a.exp - a.iat, 3600);
        assert.equal(r.exp - r.iat, 86400);
        assert.ok(a.jti && r.jti && a.jti !== r.jti);
        assert.ok(a.sid);
    });

    test('each log-in is a device of its own', async () => {
        const one = await login(server, 'alice');
        const two = await login(server, 'alice');
        assert.notEqual(claimsOf(one.access).sid, claimsOf(two.access).sid);
    });

    test('sets no cookie', async () => {
        const res = await api.post('/api/token/', { username: 'alice', password: PASSWORD });
        ok(res);
        assert.equal(res.headers['set-cookie'], undefined);
    });

    test('wrong password, unknown name, unknown e-mail: the same answer', async () => {
        for (const [username, password] of [
            ['alice', 'wrong'],
            ['nobody', PASSWORD],
            ['nobody@example.com', PASSWORD],
            ['alice', ''.padEnd(2000, 'x')],
            ["' OR 1=1 --", PASSWORD],
        ]) {
            const res = await api.post('/api/token/', { username, password });
            assert.deepEqual(unauthorized(res), { detail: NO_ACCOUNT });
            assert.equal(res.headers['x-error-code'], 'no_active_account');
        }
    });

    test('what is missing, blank, null or no text', async () => {
        invalid(await api.post('/api/token/', {}), { email: [REQUIRED], password: [REQUIRED] });
        invalid(await api.post('/api/token/', { email: alice.email }), { password: REQUIRED });
        invalid(await api.post('/api/token/', { email: alice.email, password: null }), {
            password: 'This field may not be null.',
        });
        invalid(await api.post('/api/token/', { username: 'alice', password: '' }), {
            password: 'This field may not be blank.',
        });
        invalid(await api.post('/api/token/', { username: 'alice', password: { a: 1 } }), {
            password: 'Not a valid string.',
        });
    });

    test('a bad Authorization header is not looked at', async () => {
        const bad = bearer('garbage');
        const pair = ok(await bad.post('/api/token/', { username: 'alice', password: PASSWORD }));
        ok(await bad.post('/api/token/verify/', { token: pair.access }));
        ok(await bad.post('/api/token/refresh/', { refresh: pair.refresh }));
        const username = unique();
        const fields = { username, email: `${username}@example.com`, password: PASSWORD };
        ok(await bad.post('/api/users/register/', fields), 201);
    });

    test('an idempotency key stores no secret', async () => {
        const key = api.with({ 'idempotency-key': 'the-same-key' });
        const fields = { username: 'alice', password: PASSWORD };
        const one = ok(await key.post('/api/token/', fields));
        const two = ok(await key.post('/api/token/', fields));
        assert.notEqual(one.refresh, two.refresh);
    });
});

describe('tokens in the Authorization header', () => {
    test('Bearer, with the scheme as it is written', async () => {
        ok(await me(alice));
        const lower = api.with({ authorization: `bearer ${alice.access}` });
        err(await me(lower), 401, 'not_authenticated', NO_CREDENTIALS);
    });

    test('what is no token of ours', async () => {
        const now = Math.floor(Date.now() / 1000);
        const good = { ...claimsOf(alice.access), exp: now + 600 };
        const [head, body, signature] = alice.access.split('.');
        const flipped = (signature[0] === 'A' ? 'B' : 'A') + signature.slice(1);
        for (const token of [
            'garbage',
            'a.b.c',
            '..',
            `${head}.${body}.`,
            `${head}.${body}`,
            `${head}.${body}.${flipped}`,
            signed({ alg: 'HS256', typ: 'JWT' }, good, 'another key'),
            signed({ alg: 'none', typ: 'JWT' }, good),
            `${alice.access}x`,
            `${Buffer.from('{"alg":"none"}').toString('base64url')}.${body}.`,
        ]) {
            const body401 = unauthorized(await me(bearer(token)));
            const message = {
                token_class: 'AccessToken',
                token_type: 'access',
                message: 'Token is invalid or expired',
            };
            const wanted = { detail: NOT_VALID, code: 'token_not_valid', messages: [message] };
            assert.deepEqual(body401, wanted, token);
        }
    });

    test('a refresh token is no access token', async () => {
        const body = unauthorized(await me(bearer(alice.refresh)));
        assert.equal(body.code, 'token_not_valid');
        assert.equal(body.detail, NOT_VALID);
    });

    test('malformed headers', async () => {
        const two = 'Authorization header must contain two space-delimited values';
        const cases = {
            Bearer: two,
            'Bearer a b': two,
            Token: 'Invalid token header. No credentials provided.',
            'Token a b': 'Invalid token header. Token string should not contain spaces.',
            'Token 0123456789': 'Invalid token.',
            Nonsense: NO_CREDENTIALS,
            'Digest a=b': NO_CREDENTIALS,
        };
        for (const [authorization, detail] of Object.entries(cases)) {
            const body = unauthorized(await me(api.with({ authorization })));
            assert.equal(body.detail, detail, authorization);
        }
    });

    test('an expired access token is refused; its refresh token still serves', async (t) => {
        const short = await startServer({ env: { ACCESS_TOKEN_LIFETIME: '1' } });
        t.after(() => short.stop());
        const user = await register(short);
        const body = unauthorized(await untilDead(user));
        assert.equal(body.code, 'token_not_valid');
        ok(await anonymous(short).post('/api/token/refresh/', { refresh: user.refresh }));
    });

    test('an inactive user is refused everywhere', async () => {
        const admin = await makeAdmin(server);
        const user = await register(server);
        const { token } = ok(
            await api.post('/api-token-auth/', { username: user.username, password: PASSWORD }),
        );
        ok(await admin.patch(`/api/users/${user.id}/`, { is_active: false }));
        await untilDead(user);
        unauthorized(await me(api.with({ authorization: `Token ${token}` })));
        unauthorized(await refresh(user.refresh));
        const again = await api.post('/api/token/', {
            username: user.username,
            password: PASSWORD,
        });
        assert.deepEqual(unauthorized(again), { detail: NO_ACCOUNT });
    });
});

describe('refresh', () => {
    test('rotates, and gives the same pair again within the grace', async () => {
        const user = await login(server, 'alice');
        const first = ok(await refresh(user.refresh));
        assert.notEqual(first.refresh, user.refresh);
        const again = ok(await refresh(user.refresh));
        assert.deepEqual(again, first);
        ok(await me(bearer(first.access)));
        const next = ok(await refresh(first.refresh));
        assert.notEqual(next.refresh, first.refresh);
        assert.equal(claimsOf(next.access).sid, claimsOf(user.access).sid);
    });

    test('many at once get one pair', async () => {
        const user = await login(server, 'alice');
        const tries = Array.from({ length: 8 }, () => refresh(user.refresh));
        const pairs = (await Promise.all(tries)).map((res) => ok(res));
        for (const pair of pairs) assert.deepEqual(pair, pairs[0]);
    });

    test('the aliases', async () => {
        for (const path of [
            '/api/auth/token/refresh/',
            '/api/auth/refresh/',
            '/api/v1/token/refresh/',
        ]) {
            const user = await login(server, 'alice');
            ok(await refresh(user.refresh, path));
        }
    });

    test('what is no refresh token', async () => {
        const bad = 'Token is invalid or expired';
        assert.deepEqual(unauthorized(await refresh('garbage')), {
            detail: bad,
            code: 'token_not_valid',
        });
        const type = unauthorized(await refresh(alice.access));
        assert.deepEqual(type, { detail: 'Token has wrong type', code: 'token_not_valid' });
        invalid(await api.post('/api/token/refresh/', {}), { refresh: [REQUIRED] });
        invalid(await api.post('/api/token/refresh/', { refresh: '' }), {
            refresh: 'This field may not be blank.',
        });
    });

    test('reuse after the grace revokes the family', async (t) => {
        const strict = await startServer({ env: { REFRESH_GRACE: '0' } });
        t.after(() => strict.stop());
        const anybody = anonymous(strict);
        const use = (token) => anybody.post('/api/token/refresh/', { refresh: token });
        const user = await register(strict);
        const other = await login(strict, user.username);
        const first = ok(await use(user.refresh));
        unauthorized(await use(user.refresh));
        unauthorized(await use(first.refresh));
        ok(await use(other.refresh));
    });
});

describe('verify', () => {
    test('access and refresh tokens', async () => {
        for (const path of ['/api/token/verify/', '/api/auth/token/verify/']) {
            assert.deepEqual(ok(await api.post(path, { token: alice.access })), {});
            assert.deepEqual(ok(await api.post(path, { token: alice.refresh })), {});
        }
    });

    test('garbage and nothing', async () => {
        const body = unauthorized(await api.post('/api/token/verify/', { token: 'garbage' }));
        const wanted = { detail: 'Token is invalid or expired', code: 'token_not_valid' };
        assert.deepEqual(body, wanted);
        invalid(await api.post('/api/token/verify/', {}), { token: [REQUIRED] });
    });
});

describe('revoke and log out', () => {
    test('revoke with a refresh token signs its device out', async () => {
        const user = await login(server, 'alice');
        const res = await alice.post('/api/token/revoke/', { refresh: user.refresh });
        ok(res, 205);
        assert.equal(res.text, '');
        await untilDead(user);
        unauthorized(await refresh(user.refresh));
        ok(await me(alice));
    });

    test("revoke with nothing: the caller's own device", async () => {
        const user = await login(server, 'alice');
        ok(await user.post('/api/token/revoke/', {}), 205);
        await untilDead(user);
        unauthorized(await refresh(user.refresh));
        ok(await me(alice));
    });

    test('revoke with garbage', async () => {
        const body = { detail: 'Token is invalid or expired', code: 'token_not_valid' };
        for (const client of [alice, api]) {
            const res = await client.post('/api/token/revoke/', { refresh: 'garbage' });
            assert.deepEqual(unauthorized(res), body);
        }
        const access = await api.post('/api/token/revoke/', { refresh: alice.access });
        assert.equal(unauthorized(access).detail, 'Token has wrong type');
        ok(await me(alice));
    });

    test('who has the refresh token need not be signed in', async () => {
        const one = await login(server, 'alice');
        ok(await api.post('/api/token/revoke/', { refresh: one.refresh }), 205);
        await untilDead(one);
        const two = await login(server, 'alice');
        ok(await api.post('/api/auth/logout/', { refresh: two.refresh }));
        unauthorized(await refresh(two.refresh));
        for (const path of ['/api/token/revoke/', '/api/auth/logout/']) {
            assert.deepEqual(unauthorized(await api.post(path, {})), { detail: NO_CREDENTIALS });
        }
    });

    for (const field of ['refresh', 'refresh_token', null]) {
        test(`logout with ${field ?? 'nothing'}: refresh dead, access lives on`, async () => {
            const user = await login(server, 'alice');
            const input = field ? { [field]: user.refresh } : {};
            const body = ok(await user.post('/api/auth/logout/', input));
            assert.equal(typeof body.detail, 'string');
            assert.equal(typeof body.message, 'string');
            unauthorized(await refresh(user.refresh));
            ok(await me(user));
        });
    }

    test('logout kills the pair of a rotation too', async () => {
        const user = await login(server, 'alice');
        const pair = ok(await refresh(user.refresh));
        ok(await user.post('/api/auth/logout/', { refresh: pair.refresh }));
        unauthorized(await refresh(pair.refresh));
        unauthorized(await refresh(user.refresh));
    });
});

describe('Token', () => {
    const ask = (username, password) => api.post('/api-token-auth/', { username, password });

    test('by username and by e-mail; the header in any case', async () => {
        const { token } = assertShape(opaqueToken, ok(await ask('alice', PASSWORD)));
        assertShape(opaqueToken, ok(await ask('alice@example.com', PASSWORD)));
        const form = { username: 'alice', password: PASSWORD };
        assertShape(opaqueToken, ok(await api.request('POST', '/api/api-token-auth/', { form })));
        for (const scheme of ['Token', 'token', 'TOKEN', 'tOkEn']) {
            const body = ok(await me(api.with({ authorization: `${scheme} ${token}` })));
            assert.equal(body.id, alice.id);
        }
    });

    test("a bad log-in is DRF's 400", async () => {
        const text = 'Unable to log in with provided credentials.';
        invalid(await ask('alice', 'wrong'), { non_field_errors: [text] });
        invalid(await ask('nobody', PASSWORD), { non_field_errors: [text] });
        invalid(await api.post('/api-token-auth/', {}), { username: REQUIRED, password: REQUIRED });
    });

    test('is listed with the devices and revoked there', async () => {
        const user = await register(server);
        const { token } = ok(await ask(user.username, PASSWORD));
        const client = api.with({ authorization: `Token ${token}` });
        ok(await me(client));
        const body = ok(await user.get('/api/users/me/sessions/'));
        const rows = body.results;
        assert.equal(rows.length, 2);
        assert.ok(!JSON.stringify(body).includes(token), 'the key itself is never shown');
        for (const row of rows) {
            await user.delete(`/api/users/me/sessions/${row.id}/`);
            if ((await me(client)).status === 401) break;
        }
        await eventually(
            () => me(client),
            (res) => res.status === 401,
            'the Token lives',
        );
    });

    test('works on the messaging routes', async () => {
        const { token } = ok(await ask('alice', PASSWORD));
        const client = api.with({ authorization: `Token ${token}` });
        const made = ok(await client.post('/api/conversations/', { participants: [] }), 201);
        const fields = { conversation_id: made.id, content: 'Hello' };
        ok(await client.post('/api/messages/', fields), 201);
    });
});

describe('Basic', () => {
    const basic = (name, password) =>
        `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;

    test('off by default', async () => {
        const body = unauthorized(await me(api.with({ authorization: basic('alice', PASSWORD) })));
        assert.deepEqual(body, { detail: NO_CREDENTIALS });
    });

    test('on with AUTH_BASIC=1', async (t) => {
        const other = await startServer({ env: { AUTH_BASIC: '1' } });
        t.after(() => other.stop());
        const user = await register(other, { username: 'bob' });
        const ask = (authorization) =>
            anonymous(other).get('/api/users/me/', undefined, { headers: { authorization } });
        contains(ok(await ask(basic('bob', PASSWORD))), { id: user.id });
        contains(ok(await ask(basic('bob@example.com', PASSWORD))), { id: user.id });
        const wrong = ok(await ask(basic('bob', 'wrong')), 401);
        assert.equal(wrong.detail, 'Invalid username/password.');
        for (const text of [
            'Basic',
            'Basic !!!',
            'Basic YTpi YTpi',
            'Basic Ym9i',
            'Basic /////w==',
            basic('\u0000', '\u0000'),
            `Basic ${Buffer.from('\u00ff\u00fe:\u00ff', 'latin1').toString('base64')}`,
            basic('bob', 'x'.repeat(700)),
            basic('bob'.repeat(400), 'x'),
        ]) {
            ok(await ask(text), 401);
        }
        ok(await user.get('/api/users/me/'));
    });
});

describe('aliases of the same handlers', () => {
    for (const path of [
        '/api/auth/login/',
        '/api/login/',
        '/api/auth/token/',
        '/api/token/',
        '/api/v1/token/',
        '/api/chats/auth/login/',
        '/api/auth/login',
    ]) {
        test(`POST ${path}`, async () => {
            const fields = { email: 'alice@example.com', password: PASSWORD };
            assertShape(loginAnswer, ok(await api.post(path, fields)));
        });
    }

    for (const path of ['/api/auth/profile/', '/api/auth/user/', '/api/v1/auth/user/']) {
        test(`GET, PUT, PATCH ${path}`, async () => {
            const user = await register(server);
            contains(ok(await user.get(path)), { id: user.id, email: user.email });
            contains(ok(await user.patch(path, { first_name: 'Pat' })), { first_name: 'Pat' });
            const { username, email } = user;
            const whole = {
                username,
                email,
                first_name: 'Whole',
                last_name: 'One',
                phone_number: '',
            };
            contains(ok(await user.put(path, whole)), { first_name: 'Whole' });
            unauthorized(await api.get(path));
        });
    }

    test('profile/update/', async () => {
        const user = await register(server);
        const path = '/api/auth/profile/update/';
        contains(ok(await user.patch(path, { last_name: 'New' })), { last_name: 'New' });
        contains(ok(await user.get('/api/auth/profile/')), { last_name: 'New' });
        const { username, email } = user;
        const whole = { username, email, first_name: 'Whole' };
        contains(ok(await user.put(path, whole)), { ...whole, last_name: 'New' });
        contains(ok(await user.get(path)), { id: user.id, first_name: 'Whole' });
    });
});
