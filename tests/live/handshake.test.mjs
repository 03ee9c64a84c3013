// How a socket begins: who may open one, what the handshake must look like, and how many there may
// be. POST ws/ticket/ too.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Api, PASSWORD, anonymous, login, raw, register, untilDead } from '../lib/client.mjs';
import { err, ok, show, unauthorized } from '../lib/expect.mjs';
import {
    POLL_PATH,
    PROTOCOL,
    SSE_PATH,
    WAIT_MS,
    WS_PATH,
    acceptOf,
    closing,
    handshake,
    listen,
    openEvents,
    openRaw,
    openSocket,
    sleep,
} from '../lib/live.mjs';
import { startServer } from '../lib/server.mjs';

const TICKET = '/api/ws/ticket/';
const TICKET_MS = 30_000;

let server, api, user, old;

before(async () => {
    server = await startServer();
    api = anonymous(server);
    user = await register(server, { first_name: 'Ada', last_name: 'Byron' });
    old = { ticket: await ticketOf(user), madeAt: Date.now() };
});
after(() => server?.stop());

const ticketOf = async (from) => ok(await from.post(TICKET), 201).ticket;
const withTicket = (ticket, client = api) => handshake(client, { query: { ticket } });

function opened(answer) {
    assert.equal(answer.status, 101, show(answer));
    assert.equal(answer.headers.upgrade.toLowerCase(), 'websocket');
    assert.equal(answer.headers.connection.toLowerCase(), 'upgrade');
    assert.equal(answer.headers['sec-websocket-accept'], acceptOf(answer.key));
    assert.equal(answer.headers['sec-websocket-extensions'], undefined, 'none is spoken');
    return answer;
}

function refused(answer, ...statuses) {
    ok(answer, ...statuses);
    assert.equal(answer.headers['sec-websocket-accept'], undefined);
    return answer;
}

async function helloOf(client, options) {
    const socket = await openSocket(client, options);
    await socket.synced();
    const [hello] = socket.frames;
    await socket.close();
    return hello;
}

describe('who it is', () => {
    test('Bearer', async () => {
        const hello = await helloOf(user);
        assert.deepEqual(Object.keys(hello).sort(), [
            'heartbeat',
            'server',
            'type',
            'user',
            'version',
        ]);
        assert.deepEqual(
            { type: hello.type, server: hello.server, heartbeat: hello.heartbeat },
            { type: 'hello', server: 'confab', heartbeat: 25 },
        );
        assert.match(hello.version, /^\d+\.\d+\.\d+/);
        const { id, username } = user;
        const mine = { id, username, full_name: 'Ada Byron', avatar: null, role: 'guest' };
        assert.deepEqual(hello.user, mine);
    });

    test('Token', async () => {
        const key = { username: user.username, password: PASSWORD };
        const { token } = ok(await api.post('/api-token-auth/', key));
        const hello = await helloOf(new Api(server, { authorization: `Token ${token}` }));
        assert.equal(hello.user.id, user.id);
    });

    test('nobody, and credentials that are none', async () => {
        unauthorized(await handshake(api));
        const bad = ['Bearer x.y.z', `Bearer ${user.refresh}`, 'Token 0123456789abcdef', 'Bearer'];
        for (const authorization of bad) {
            unauthorized(await handshake(api, { headers: { authorization } }));
        }
    });

    test('a device that was signed out', async () => {
        const ended = await login(server, user.username);
        ok(await ended.post('/api/token/revoke/'), 205);
        await untilDead(ended);
        unauthorized(await handshake(ended));
    });
});

describe('tickets', () => {
    test('open one socket', async () => {
        const body = ok(await user.post(TICKET), 201);
        assert.deepEqual(Object.keys(body).sort(), ['expires_in', 'ticket']);
        assert.equal(body.expires_in, 30);
        const hello = await helloOf(api, { ticket: body.ticket });
        assert.equal(hello.user.id, user.id);
        unauthorized(await withTicket(body.ticket));
    });

    test('many at once open one socket', async () => {
        const ticket = await ticketOf(user);
        const answers = await Promise.all(Array.from({ length: 8 }, () => withTicket(ticket)));
        const statuses = answers.map((answer) => answer.status).sort();
        assert.deepEqual(statuses, [101, ...Array(7).fill(401)]);
    });

    test('each is another', async () => {
        const tickets = await Promise.all([ticketOf(user), ticketOf(user), ticketOf(user)]);
        assert.equal(new Set(tickets).size, 3);
        for (const ticket of tickets.reverse()) opened(await withTicket(ticket));
    });

    test('nothing else is a ticket', async () => {
        const key = { username: user.username, password: PASSWORD };
        const { token } = ok(await api.post('/api-token-auth/', key));
        const ticket = await ticketOf(user);
        const wrong = [
            '',
            'x',
            user.access,
            user.refresh,
            token,
            `${ticket}x`,
            ticket.slice(0, -1),
        ];
        for (const other of wrong) unauthorized(await withTicket(other));
        opened(await withTicket(ticket));
    });

    test('a ticket is nothing else', async () => {
        const ticket = await ticketOf(user);
        for (const kind of ['Bearer', 'Token']) {
            const headers = { authorization: `${kind} ${ticket}` };
            unauthorized(await api.get('/api/users/me/', {}, { headers }));
            unauthorized(await handshake(api, { headers }));
        }
        unauthorized(await api.get(POLL_PATH, { ticket }));
        unauthorized(await api.get(SSE_PATH, { ticket }));
        unauthorized(await api.get('/api/users/me/', { ticket }));
        opened(await withTicket(ticket));
    });

    test('an Authorization header decides alone', async () => {
        const ticket = await ticketOf(user);
        const bad = api.with({ authorization: 'Bearer x.y.z' });
        unauthorized(await withTicket(ticket, bad));
        const other = await register(server);
        const hello = await helloOf(other, { ticket: await ticketOf(user) });
        assert.equal(hello.user.id, other.id);
    });

    test('dies with the device that asked for it', async () => {
        const ended = await login(server, user.username);
        const ticket = await ticketOf(ended);
        ok(await ended.post('/api/token/revoke/'), 205);
        await untilDead(ended);
        unauthorized(await withTicket(ticket));
    });

    test('its socket belongs to that device', async (t) => {
        const device = await login(server, user.username);
        const socket = closing(t, await openSocket(api, { ticket: await ticketOf(device) }));
        ok(await device.post('/api/token/revoke/'), 205);
        assert.equal((await socket.ended()).code, 4401);
    });

    test('is for those who are signed in', async () => {
        unauthorized(await api.post(TICKET));
        err(await user.get(TICKET), 405, 'method_not_allowed');
    });
});

describe('the request', () => {
    test('of a browser', async () => {
        const headers = { connection: 'keep-alive, Upgrade', upgrade: 'WebSocket' };
        opened(await handshake(user, { headers }));
        const extensions = 'permessage-deflate; client_max_window_bits';
        opened(await handshake(user, { headers: { 'sec-websocket-extensions': extensions } }));
    });

    test('without an upgrade: 426', async () => {
        for (const path of [WS_PATH, '/api/ws']) {
            const answer = await user.get(path);
            ok(answer, 426);
            assert.match(answer.headers.upgrade, /^websocket$/i);
            assert.equal(answer.headers['sec-websocket-version'], '13');
        }
        const other = { upgrade: 'h2c' };
        refused(await handshake(user, { headers: other }), 426);
        refused(await handshake(user, { headers: { connection: 'keep-alive' } }), 400, 426);
    });

    test('another version: 426, and which one it is', async () => {
        for (const version of ['12', '8', '0', '', '13a', '014']) {
            const headers = { 'sec-websocket-version': version };
            const answer = refused(await handshake(user, { headers }), 426);
            assert.equal(answer.headers['sec-websocket-version'], '13', version);
        }
        const none = { 'sec-websocket-version': undefined };
        refused(await handshake(user, { headers: none }), 400, 426);
    });

    test('a key that is no key: 400', async () => {
        const sixteen = Buffer.alloc(16).toString('base64');
        const short = Buffer.alloc(15).toString('base64');
        const long = Buffer.alloc(17).toString('base64');
        for (const key of [
            '',
            'x',
            short,
            long,
            `${sixteen}=`,
            `!${sixteen.slice(1)}`,
            undefined,
        ]) {
            const headers = { 'sec-websocket-key': key };
            refused(await handshake(user, { headers }), 400);
        }
    });

    test('another method, another HTTP', async () => {
        refused(await handshake(user, { method: 'POST', headers: { 'content-length': 0 } }), 405);
        const lines = ['GET /api/ws/ HTTP/1.0', `Host: 127.0.0.1:${server.port}`];
        lines.push('Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13');
        lines.push(`Sec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}`);
        lines.push(`Authorization: ${user.headers.authorization}`, '', '');
        const text = await raw(server, lines.join('\r\n'));
        assert.match(text, /^HTTP\/1\.[01] 4\d\d /);
    });

    test('subprotocols', async () => {
        const offer = async (protocols) =>
            handshake(user, { headers: { 'sec-websocket-protocol': protocols } });
        const spoken = (answer) => opened(answer).headers['sec-websocket-protocol'];
        assert.equal(spoken(await offer(undefined)), undefined, 'none offered, none chosen');
        assert.equal(spoken(await offer(PROTOCOL)), PROTOCOL);
        assert.equal(spoken(await offer(`chat, ${PROTOCOL}`)), PROTOCOL);
        assert.equal(spoken(await offer(`${PROTOCOL},chat`)), PROTOCOL);
        for (const other of ['chat', 'confab.v2', 'confab.v10', 'confab', 'chat, superchat']) {
            refused(await offer(other), 400);
        }
    });

    test('other spellings of the path', async () => {
        const slashless = WS_PATH.slice(0, -1);
        for (const prefix of ['/api', '/api/v1', '/api/chats']) {
            for (const path of [WS_PATH, slashless]) {
                opened(await handshake(user, { path: path.replace('/api', prefix) }));
            }
            const poll = POLL_PATH.replace('/api', prefix);
            ok(await user.get(poll));
            ok(await user.get(poll.slice(0, -1)));
            const events = SSE_PATH.replace('/api', prefix);
            for (const path of [events, events.slice(0, -1)]) {
                const stream = await openEvents(user, { path });
                await stream.synced();
                await stream.close();
            }
            const ticket = TICKET.replace('/api', prefix);
            ok(await user.post(ticket), 201);
            ok(await user.post(ticket.slice(0, -1)), 201);
        }
        opened(await handshake(user, { query: { unknown: 'parameter' } }));
    });

    test('a handshake in small pieces', async (t) => {
        const socket = closing(t, await openRaw(user, { piece: 7 }));
        assert.match(socket.head, /^HTTP\/1\.1 101 /);
    });
});

describe('no room', () => {
    // A place is free again when the server has seen the end.
    async function untilOpen(ask) {
        const until = Date.now() + WAIT_MS;
        for (;;) {
            const answer = await ask();
            if (answer.status === 101 || Date.now() > until) return opened(answer);
            await sleep(20);
        }
    }

    function full(answer) {
        refused(answer, 429, 503);
        assert.match(answer.headers['retry-after'] ?? '', /^\d+$/, show(answer));
    }

    // Its 101 may reach a client just before the server has counted it.
    async function untilFull(ask) {
        const until = Date.now() + WAIT_MS;
        for (;;) {
            const answer = await ask();
            if (answer.status !== 101 || Date.now() > until) return full(answer);
            opened(answer);
        }
    }

    async function limited(t, env) {
        const small = await startServer({ env });
        t.after(() => small.stop());
        return small;
    }

    test('for one user', async (t) => {
        const small = await limited(t, { SOCKETS_PER_USER_MAX: '3' });
        const [one, two] = [await register(small), await register(small)];
        const sockets = [];
        for (let n = 0; n < 3; n++) sockets.push(await listen('ws', one));
        closing(t, ...sockets);
        await untilFull(() => handshake(one));
        const ticket = await ticketOf(one);
        full(await handshake(anonymous(small), { query: { ticket } }));
        full(await handshake(await login(small, one.username)));
        opened(await handshake(two));
        await sockets[0].close();
        await untilOpen(() => handshake(one));
        await sockets[1].cut();
        await sockets[2].cut();
        for (let n = 0; n < 3; n++) await untilOpen(() => handshake(one));
    });

    test('for all', async (t) => {
        const small = await limited(t, { SOCKETS_MAX: '4' });
        const users = [await register(small), await register(small)];
        const sockets = [];
        for (let n = 0; n < 4; n++) sockets.push(await listen('ws', users[n % 2]));
        closing(t, ...sockets);
        for (const one of users) await untilFull(() => handshake(one));
        ok(await users[0].get('/api/users/me/'), 200);
        await sockets[3].close();
        await untilOpen(() => handshake(users[0]));
    });

    test('for one address', async (t) => {
        const small = await limited(t, { SOCKETS_PER_ADDRESS_MAX: '2' });
        const [one, two] = [await register(small), await register(small)];
        closing(t, await listen('ws', one), await listen('ws', two));
        await untilFull(() => handshake(one));
        ok(await one.get('/api/users/me/'));
    });

    test('event streams count too', async (t) => {
        const small = await limited(t, { SOCKETS_PER_USER_MAX: '2' });
        const one = await register(small);
        const [socket, stream] = [await listen('ws', one), await listen('sse', one)];
        closing(t, socket, stream);
        full(await one.get(SSE_PATH, {}, { headers: { accept: 'text/event-stream' } }));
        full(await handshake(one));
        await stream.close();
        await untilOpen(() => handshake(one));
    });
});

test('a ticket expires', async () => {
    await sleep(Math.max(0, old.madeAt + TICKET_MS + 1500 - Date.now()));
    unauthorized(await withTicket(old.ticket));
});
