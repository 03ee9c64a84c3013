// Throttles: rates are of a minute, so nothing here depends on the clock.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { PASSWORD, anonymous, login, makeConversation, register, unique } from '../lib/client.mjs';
import { err, ok, show, unauthorized } from '../lib/expect.mjs';
import { startServer } from '../lib/server.mjs';

function throttled(res) {
    err(res, 429, 'throttled', /^Request was throttled\. Expected available in \d+ seconds?\.$/);
    const seconds = Number(res.headers['retry-after']);
    assert.ok(Number.isInteger(seconds) && seconds >= 1 && seconds <= 60, show(res));
}

const wrong = (client, username, headers) =>
    client.post('/api/token/', { username, password: 'wrong-pass-1' }, { headers });

describe('THROTTLE_LOGIN', () => {
    let server, api;
    before(async () => {
        server = await startServer({ env: { THROTTLE_LOGIN: '3/min', AUTH_BASIC: '1' } });
        api = anonymous(server);
    });
    after(() => server?.stop());

    test('failures count, success does not', async () => {
        const user = await register(server);
        for (let n = 0; n < 5; n++) await login(server, user.username);
        for (let n = 0; n < 3; n++) unauthorized(await wrong(api, user.username));
        throttled(await wrong(api, user.username));
        throttled(await api.post('/api/token/', { username: user.username, password: PASSWORD }));
    });

    test('another name has a count of its own; one who is signed in goes on', async () => {
        const one = await register(server);
        const two = await register(server);
        for (let n = 0; n < 3; n++) unauthorized(await wrong(api, one.username));
        throttled(await wrong(api, one.username));
        ok(await api.post('/api/token/', { username: two.username, password: PASSWORD }));
        ok(await one.get('/api/users/me/'));
    });

    test('e-mail, username, case and alias are one name', async () => {
        const user = await register(server, { username: unique('counted') });
        unauthorized(await wrong(api, user.username));
        unauthorized(
            await api.post('/api/auth/login/', { email: user.email, password: 'wrong-pass-1' }),
        );
        unauthorized(await wrong(api, user.username.toUpperCase()));
        throttled(await wrong(api, user.username));
    });

    test('unknown names are counted alike', async () => {
        for (let n = 0; n < 3; n++) unauthorized(await wrong(api, 'nobody-at-all'));
        throttled(await wrong(api, 'nobody-at-all'));
    });

    test('api-token-auth shares the count', async () => {
        const user = await register(server);
        const ask = () =>
            api.post('/api-token-auth/', { username: user.username, password: 'wrong-pass-1' });
        for (let n = 0; n < 3; n++) ok(await ask(), 400);
        throttled(await ask());
        throttled(await wrong(api, user.username));
    });

    test('guesses that come all at once are no more than one after the other', async () => {
        const user = await register(server);
        const all = Array.from({ length: 24 }, () => wrong(api, user.username));
        const answers = await Promise.all(all);
        const tried = answers.filter((res) => res.status === 401);
        assert.equal(tried.length, 3, answers.map((res) => res.status).join(' '));
        answers.filter((res) => res.status !== 401).forEach(throttled);
    });

    test('HTTP Basic shares the count', async () => {
        const user = await register(server);
        const basic = (password) => {
            const text = Buffer.from(`${user.username}:${password}`).toString('base64');
            return api.get('/api/users/me/', undefined, {
                headers: { authorization: `Basic ${text}` },
            });
        };
        for (let n = 0; n < 5; n++) ok(await basic(PASSWORD));
        for (let n = 0; n < 3; n++) unauthorized(await basic('wrong-pass-1'));
        throttled(await basic(PASSWORD));
        throttled(await wrong(api, user.username));
        ok(await user.get('/api/users/me/'));
    });

    test('X-Forwarded-For of one who is no trusted proxy changes nothing', async () => {
        const user = await register(server);
        for (let n = 0; n < 3; n++) {
            unauthorized(await wrong(api, user.username, { 'x-forwarded-for': `10.0.0.${n}` }));
        }
        throttled(await wrong(api, user.username, { 'x-forwarded-for': '10.0.0.9' }));
    });

    test('behind a trusted proxy each address counts for itself', async (t) => {
        const proxied = await startServer({
            env: { THROTTLE_LOGIN: '2/min', TRUSTED_PROXIES: '127.0.0.1' },
        });
        t.after(() => proxied.stop());
        const client = anonymous(proxied);
        const from = (address) => wrong(client, 'somebody', { 'x-forwarded-for': address });
        for (let n = 0; n < 2; n++) unauthorized(await from('203.0.113.1'));
        throttled(await from('203.0.113.1'));
        throttled(await from('198.51.100.7, 203.0.113.1'));
        throttled(await from('203.0.113.1, 127.0.0.1'));
        throttled(await from(['198.51.100.7', '203.0.113.1'])); // a proxy that adds a line
        unauthorized(await from('203.0.113.2'));
        // What is no address is the proxy's own mistake, and counts as the proxy.
        for (const text of ['no address', '\u00ff']) unauthorized(await from(text));
        throttled(await from('unknown'));
        throttled(await wrong(client, 'somebody'));
    });
});

describe('THROTTLE_USER and THROTTLE_ANON', () => {
    let server, api;
    before(async () => {
        server = await startServer({ env: { THROTTLE_USER: '4/min', THROTTLE_ANON: '30/min' } });
        api = anonymous(server);
    });
    after(() => server?.stop());

    test('a user has a count of his own; OPTIONS counts too', async () => {
        const one = await register(server);
        const two = await register(server);
        for (let n = 0; n < 3; n++) ok(await one.get('/api/users/me/'));
        ok(await one.options('/api/users/me/'));
        throttled(await one.get('/api/users/me/'));
        throttled(await one.options('/api/users/me/'));
        throttled(await one.post('/api/conversations/', {}));
        ok(await two.get('/api/users/me/'));
    });

    test('what permission refuses is not counted', async () => {
        const strict = await startServer({ env: { THROTTLE_ANON: '2/min' } });
        try {
            const anybody = anonymous(strict);
            for (let n = 0; n < 6; n++) unauthorized(await anybody.get('/api/users/me/'));
            for (let n = 0; n < 2; n++) unauthorized(await wrong(anybody, 'nobody'));
            throttled(await wrong(anybody, 'nobody'));
            for (let n = 0; n < 6; n++) ok(await anybody.get('/health/'));
        } finally {
            await strict.stop();
        }
    });

    test('a throttled write writes nothing', async () => {
        const user = await register(server);
        for (let n = 0; n < 4; n++) await makeConversation(user);
        throttled(await user.post('/api/conversations/', {}));
        unauthorized(await api.get('/api/conversations/'));
    });
});

describe('THROTTLE_REGISTER and none', () => {
    test('new accounts of an address', async (t) => {
        const server = await startServer({ env: { THROTTLE_REGISTER: '2/min' } });
        t.after(() => server.stop());
        const api = anonymous(server);
        const post = () => {
            const name = unique('new');
            return api.post('/api/users/register/', {
                email: `${name}@example.com`,
                password: PASSWORD,
            });
        };
        ok(await post(), 201);
        ok(await post(), 201);
        throttled(await post());
    });

    test('by default an ordinary collection runs through', async (t) => {
        const server = await startServer();
        t.after(() => server.stop());
        for (let n = 0; n < 25; n++) await register(server);
        const user = await register(server);
        for (let n = 0; n < 100; n++) ok(await user.get('/api/users/me/'));
        for (let n = 0; n < 25; n++) await login(server, user.username);
    });

    test('empty and 0 mean none', async (t) => {
        const server = await startServer({ env: { THROTTLE_LOGIN: '0', THROTTLE_USER: '' } });
        t.after(() => server.stop());
        for (let n = 0; n < 25; n++) unauthorized(await wrong(anonymous(server), 'nobody'));
    });
});
