// Who is signed out loses his sockets within seconds, and nobody else does; a token's end, and how
// a socket outlives it.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import {
    Api,
    PASSWORD,
    User,
    anonymous,
    login,
    makeAdmin,
    register,
    sayMany,
    makeConversation,
} from '../lib/client.mjs';
import { contains, ok } from '../lib/expect.mjs';
import { KINDS, Poller, closing, listen, openSocket, page, poll, sleep } from '../lib/live.mjs';
import { startServer } from '../lib/server.mjs';

const NEW = 'Another-pass-77';
const sidOf = (user) => JSON.parse(Buffer.from(user.access.split('.')[1], 'base64url')).sid;

let server, admin;

before(async () => {
    server = await startServer();
    admin = await makeAdmin(server);
});
after(() => server?.stop());

// Over each transport, in its own way.
async function signedOut(client, kind) {
    const end = await client.ended();
    if (kind === 'ws') assert.equal(end.code, 4401);
    if (kind === 'poll') assert.equal(end.status, 401);
}

async function stillThere(client) {
    if (client instanceof Poller) {
        ok(await poll(client.user, client.cursor, 0));
        assert.equal(client.closed, null);
        return;
    }
    const c = await makeConversation(client.user, [], { title: 'still there' });
    await client.get({ type: 'conversation', conversation_id: c.id });
    assert.equal(client.closed, null);
}

// A user with two devices; `how` ends the second one.
function endsOne(name, how) {
    for (const kind of KINDS) {
        test(`${name} (${kind})`, async (t) => {
            const user = await register(server);
            const other = await login(server, user.username);
            const stays = closing(t, await listen(kind, user));
            const ends = [await listen(kind, other), await listen(kind, other)];
            closing(t, ...ends);
            await how(user, other);
            for (const client of ends) await signedOut(client, kind);
            await stillThere(stays);
        });
    }
}

// The user with all devices; somebody else stays.
function endsAll(name, how) {
    for (const kind of KINDS) {
        test(`${name} (${kind})`, async (t) => {
            const user = await register(server);
            const devices = [user, await login(server, user.username)];
            const bystander = await register(server);
            const stays = closing(t, await listen(kind, bystander));
            const clients = await Promise.all(devices.map((device) => listen(kind, device)));
            closing(t, ...clients);
            await how(user);
            for (const client of clients) await signedOut(client, kind);
            await stillThere(stays);
        });
    }
}

describe('one device', { concurrency: 6 }, () => {
    endsOne('signs itself out', async (user, other) =>
        ok(await other.post('/api/token/revoke/'), 205),
    );
    endsOne('by its refresh token', async (user, other) =>
        ok(await user.post('/api/token/revoke/', { refresh: other.refresh }), 205),
    );
    endsOne('is revoked in the list of devices', async (user, other) =>
        ok(await user.delete(`/api/users/me/sessions/${sidOf(other)}/`), 204),
    );
    endsOne('ends by a change of the password on another', async (user) =>
        ok(
            await user.post('/api/users/me/password/', {
                old_password: PASSWORD,
                new_password: NEW,
            }),
        ),
    );

    test('logout leaves the access token its time, and so the socket', async (t) => {
        const user = await register(server);
        const socket = closing(t, await listen('ws', user));
        ok(await user.post('/api/auth/logout/', { refresh: user.refresh }));
        await stillThere(socket);
        ok(await user.post('/api/auth/logout/'));
        await stillThere(socket);
    });

    test('a long-lived Token', async (t) => {
        const user = await register(server);
        const key = { username: user.username, password: PASSWORD };
        const { token } = ok(await anonymous(server).post('/api-token-auth/', key));
        const device = new Api(server, { authorization: `Token ${token}` });
        const socket = closing(t, await listen('ws', device));
        const stays = closing(t, await listen('ws', user));
        const rows = ok(await user.get('/api/users/me/sessions/')).results;
        const row = rows.find((one) => one.id !== sidOf(user));
        ok(await user.delete(`/api/users/me/sessions/${row.id}/`), 204);
        await signedOut(socket, 'ws');
        await stillThere(stays);
    });

    test('while much is being sent to it', async (t) => {
        const user = await register(server);
        const other = await login(server, user.username);
        const c = await makeConversation(user, [], { title: 'busy' });
        const [ends, stays] = [await listen('ws', other), await listen('ws', user)];
        closing(t, ends, stays);
        const sending = sayMany(user, c, 60);
        ok(await other.post('/api/token/revoke/'), 205);
        const last = (await sending).at(-1);
        await signedOut(ends, 'ws');
        await stays.get({ type: 'message', message: { id: last.id } });
    });

    test('between handshake and first page', async () => {
        for (let n = 0; n < 8; n++) {
            const user = await register(server);
            const opening = openSocket(user).catch(() => null);
            ok(await user.post('/api/token/revoke/'), 205);
            const socket = await opening;
            if (socket) await signedOut(socket, 'ws');
        }
    });
});

describe('all devices', { concurrency: 6 }, () => {
    endsAll('of one who is deactivated', async (user) =>
        ok(await admin.patch(`/api/users/${user.id}/`, { is_active: false })),
    );
    endsAll('of one who is deleted by an admin', async (user) =>
        ok(await admin.delete(`/api/users/${user.id}/`), 204),
    );
    endsAll('of one who deletes himself', async (user) =>
        ok(await user.delete('/api/users/me/'), 204),
    );
});

test('a poll that waits is answered when its device is signed out', async () => {
    const user = await register(server);
    const other = await login(server, user.username);
    const { cursor } = await page(other, '', 0);
    const waiting = poll(other, cursor, 60);
    const began = Date.now();
    ok(await user.delete(`/api/users/me/sessions/${sidOf(other)}/`), 204);
    ok(await waiting, 200, 401);
    assert.ok(Date.now() - began < 50_000, 'it does not wait to its end');
    ok(await poll(other, cursor, 0), 401);
});

describe('the end of a token', () => {
    const LIFETIME_S = 8; // time enough on a machine that is busy
    const NEWER_MS = 3100; // ends are whole seconds, and looked at once a second
    let short;

    before(async () => {
        short = await startServer({ env: { ACCESS_TOKEN_LIFETIME: `${LIFETIME_S}` } });
    });
    after(() => short?.stop());

    async function refreshed(user) {
        const { access } = ok(
            await anonymous(short).post('/api/token/refresh/', { refresh: user.refresh }),
        );
        return new User(short, { ...user, access });
    }

    test('closes its socket; `auth` with a newer one lets it live', async (t) => {
        const user = await register(short);
        const [kept, plain, stream] = [
            await listen('ws', user),
            await listen('ws', user),
            await listen('sse', user),
        ];
        closing(t, kept, plain, stream);
        await sleep(NEWER_MS);
        const newer = await refreshed(user);
        kept.say({ type: 'auth', token: newer.access });
        const ack = await kept.get('ack');
        assert.equal(ack.request, 'auth');
        assert.equal((await plain.ended()).code, 4401);
        await stream.ended();
        assert.equal(kept.closed, null);
        // and its own end comes too
        assert.equal((await kept.ended()).code, 4401);
    });

    test('`auth` with a token that is none of this user: nack', async (t) => {
        const api = anonymous(short);
        const user = await register(short);
        const stranger = await register(short);
        const key = { username: user.username, password: PASSWORD };
        const { token } = ok(await api.post('/api-token-auth/', key));
        const lasting = new Api(short, { authorization: `Token ${token}` });
        const socket = closing(t, await listen('ws', lasting));
        const tokens = [stranger.access, user.refresh, 'x', '', null, 7, undefined];
        for (const wrong of tokens) {
            socket.forget();
            socket.say({ type: 'auth', token: wrong });
            const nack = await socket.get('nack');
            contains(nack, { request: 'auth' });
            assert.ok([400, 401, 403].includes(nack.status), JSON.stringify(nack));
            assert.equal(typeof nack.error, 'object');
        }
        // a Token has no end of that kind
        const expiring = closing(t, await listen('ws', await login(short, user.username)));
        assert.equal((await expiring.ended()).code, 4401);
        assert.equal(socket.closed, null);
        socket.forget();
        socket.say({ type: 'no such type' });
        await socket.get('error');
    });
});
