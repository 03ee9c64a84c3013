// Passwords and devices: POST users/me/password/, GET and DELETE users/me/sessions/.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { PASSWORD, anonymous, login, register, untilDead, walk } from '../lib/client.mjs';
import { BLANK, NO_UUID, REQUIRED, invalid, notFound, ok, unauthorized } from '../lib/expect.mjs';
import { startServer } from '../lib/server.mjs';
import { assertShape, session as sessionShape } from '../lib/shapes.mjs';

let server, api;

before(async () => {
    server = await startServer();
    api = anonymous(server);
});
after(() => server?.stop());

const SESSIONS = '/api/users/me/sessions/';
const CHANGE = '/api/users/me/password/';
const NEW = 'Another-pass-77';
const sidOf = (user) => JSON.parse(Buffer.from(user.access.split('.')[1], 'base64url')).sid;
const rows = async (user) => {
    const body = ok(await user.get(SESSIONS));
    return body.results;
};

describe('the password', () => {
    test('is changed; other devices and Tokens end, this one stays', async () => {
        const user = await register(server);
        const other = await login(server, user.username);
        const key = { username: user.username, password: PASSWORD };
        const { token } = ok(await api.post('/api-token-auth/', key));
        ok(await user.post(CHANGE, { old_password: PASSWORD, new_password: NEW }));
        await untilDead(other);
        unauthorized(await api.post('/api/token/refresh/', { refresh: other.refresh }));
        const byToken = api.with({ authorization: `Token ${token}` });
        unauthorized(await byToken.get('/api/users/me/'));
        ok(await user.get('/api/users/me/'));
        unauthorized(
            await api.post('/api/token/', { username: user.username, password: PASSWORD }),
        );
        ok(await api.post('/api/token/', { username: user.username, password: NEW }));
    });

    test('a wrong old one changes nothing', async () => {
        const user = await register(server);
        const other = await login(server, user.username);
        const input = { old_password: 'not-my-Passw0rd', new_password: NEW };
        invalid(await user.post(CHANGE, input), { old_password: /entered incorrectly/ });
        ok(await other.get('/api/users/me/'));
        ok(await api.post('/api/token/', { username: user.username, password: PASSWORD }));
    });

    test('the rules hold for the new one', async () => {
        const user = await register(server);
        const change = (new_password) =>
            user.post(CHANGE, { old_password: PASSWORD, new_password });
        invalid(await change('12345'), {
            new_password: [
                'This password is too short. It must contain at least 8 characters.',
                'This password is too common.',
                'This password is entirely numeric.',
            ],
        });
        invalid(await change(`${user.username}1`), { new_password: /too similar to the username/ });
        invalid(await change(''), { new_password: [BLANK] });
    });

    test('what is missing', async () => {
        const user = await register(server);
        invalid(await user.post(CHANGE, {}), {
            old_password: [REQUIRED],
            new_password: [REQUIRED],
        });
        unauthorized(await api.post(CHANGE, { old_password: PASSWORD, new_password: NEW }));
    });
});

describe('devices', () => {
    test('each log-in is one, with its user agent and address', async () => {
        const user = await register(server);
        const headers = { 'user-agent': 'test phone/1.0' };
        const input = { username: user.username, password: PASSWORD };
        const body = ok(await api.post('/api/token/', input, { headers }));
        const list = await rows(user);
        assert.equal(list.length, 2);
        for (const row of list) assertShape(sessionShape, row);
        const text = JSON.stringify(list);
        assert.ok(text.includes('test phone/1.0'), text);
        assert.ok(text.includes('127.0.0.1'), text);
        assert.ok(!text.includes(body.refresh) && !text.includes(body.access));
        assert.ok(
            list.some((row) => row.id === sidOf(user)),
            'the id is the sid of the tokens',
        );
    });

    test('a refresh makes no new one', async () => {
        const user = await register(server);
        ok(await api.post('/api/token/refresh/', { refresh: user.refresh }));
        assert.equal((await rows(user)).length, 1);
    });

    test('one is revoked, the others stay', async () => {
        const user = await register(server);
        const other = await login(server, user.username);
        const path = `${SESSIONS}${sidOf(other)}/`;
        assert.equal((await user.delete(path)).status, 204);
        await untilDead(other);
        unauthorized(await api.post('/api/token/refresh/', { refresh: other.refresh }));
        ok(await user.get('/api/users/me/'));
        assert.equal((await rows(user)).length, 1);
        notFound(await user.delete(path));
    });

    test('mine can be revoked too', async () => {
        const user = await register(server);
        assert.equal((await user.delete(`${SESSIONS}${sidOf(user)}/`)).status, 204);
        await untilDead(user);
    });

    test('with too many, the one that was not used for longest ends', async (t) => {
        const few = await startServer({ env: { SESSIONS_PER_USER_MAX: '3' } });
        t.after(() => few.stop());
        const first = await register(few);
        const others = [];
        for (let n = 0; n < 3; n++) others.push(await login(few, first.username));
        await untilDead(first);
        for (const user of others) ok(await user.get('/api/users/me/'));
        assert.equal((await rows(others[0])).length, 3);
    });

    test('pages', async () => {
        const user = await register(server);
        for (let n = 0; n < 4; n++) await login(server, user.username);
        const all = (await rows(user)).map((row) => row.id);
        assert.equal(all.length, 5);
        for (const first of [`${SESSIONS}?page_size=2`, `${SESSIONS}?page_size=2&cursor=`]) {
            assert.deepEqual(
                (await walk(user, first)).map((row) => row.id),
                all,
            );
        }
        const mine = (await rows(user)).filter((row) => row.current);
        assert.deepEqual(
            mine.map((row) => row.id),
            [sidOf(user)],
        );
    });

    test('those of others do not exist', async () => {
        const user = await register(server);
        const other = await register(server);
        notFound(await user.delete(`${SESSIONS}${sidOf(other)}/`));
        notFound(await user.delete(`${SESSIONS}${NO_UUID}/`));
        notFound(await user.delete(`${SESSIONS}abc/`));
        ok(await other.get('/api/users/me/'));
        unauthorized(await api.get(SESSIONS));
    });
});
