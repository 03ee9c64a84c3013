// A client that means harm: each attack here once stopped the server, filled its memory or lost
// what it had promised.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { describe, test } from 'node:test';

import { anonymous, eventually, makeConversation, raw, register } from '../lib/client.mjs';
import { err, invalid, ok, unauthorized } from '../lib/expect.mjs';
import { ON_FILE, run, startServer } from '../lib/server.mjs';

const MIB = 1 << 20;
const PAGE = 4096; // of SQLite
const HOST = 'Host: localhost\r\n';
const JSON_TYPE = { 'content-type': 'application/json' };

async function start(t, options) {
    const server = await startServer(options);
    t.after(() => server.stop());
    return server;
}

// A connection on which `bytes` were sent, and which stays.
async function open(t, server, bytes) {
    const socket = net.connect(server.port, '127.0.0.1');
    t.after(() => socket.destroy());
    socket.on('error', () => {});
    await once(socket, 'connect');
    await new Promise((done) => socket.write(bytes, done));
    return socket;
}

test('a body with hundreds of thousands of wrong items costs no more than its size', async (t) => {
    const server = await start(t);
    const user = await register(server);
    const post = (body) =>
        user.request('POST', '/api/conversations/', { body, headers: JSON_TYPE });
    const started = performance.now();
    const items = await post(`{"participants":[${Array(340_000).fill('{}').join(',')}]}`);
    invalid(items, { participants: ['Not a valid string.'] });
    const keys = Array.from({ length: 40_000 }, (_, n) => `"participant${n}":1`);
    assert.equal((await post(`{${keys.join(',')}}`)).status, 400);
    // It was more than a minute for each, in which that thread did nothing else.
    assert.ok(performance.now() - started < 60_000);
});

describe('where a body ends', () => {
    const refused = [
        ['two lengths', 'Content-Length: 3\r\nContent-Length: 60\r\n', 'abc'],
        ['both', 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'],
        ['an unknown encoding', 'Transfer-Encoding: xchunked\r\n', '0\r\n\r\n'],
        ['two encodings', 'Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'],
    ];
    test('is not for the server to choose: no request is smuggled behind another', async (t) => {
        const server = await start(t);
        for (const [what, lines, body] of refused) {
            for (const method of ['POST', 'GET', 'DELETE']) {
                const second = `GET /ready/ HTTP/1.1\r\n${HOST}\r\n`;
                const first = `${method} /health/ HTTP/1.1\r\n${HOST}${lines}\r\n${body}`;
                const text = await raw(server, first + second);
                assert.match(text, /^HTTP\/1\.1 400 /, `${method} with ${what}: ${text}`);
                assert.equal(text.split('HTTP/1.1 ').length, 2, `${method} with ${what}: ${text}`);
            }
        }
    });
});

test('large bodies that never end do not fill the memory', async (t) => {
    const server = await start(t, { env: { REQUEST_MEMORY_MAX: '16m', BODY_SIZE_MAX: '4m' } });
    const user = await register(server);
    const post = (size) =>
        user.request('POST', '/api/conversations/', {
            body: `{"nope":"${'x'.repeat(size)}"}`,
            headers: JSON_TYPE,
        });
    const head = `POST /api/token/ HTTP/1.1\r\n${HOST}Content-Length: ${4 * MIB}\r\n\r\n`;
    // Four of them hold all there is; what comes when it is full is thrown away.
    const held = [];
    let res;
    do {
        held.push(await open(t, server, head + ' '.repeat(4 * MIB - 1)));
        res = await post(MIB);
    } while (res.status === 201 && held.length < 40);
    err(await post(MIB), 503, 'busy');
    ok(await post(1000), 201); // messages go on
    ok(await user.get('/api/users/me/'));
    for (const socket of held) socket.destroy();
    await eventually(
        () => post(MIB),
        (res) => res.status === 201,
        'no room again',
    );
});

test('more connections than the system has descriptors for', async (t) => {
    const server = await start(t, {
        wrapper: ['sh', '-c', 'ulimit -n 128; exec "$@"', 'sh'],
        env: { CONNECTIONS_MAX: '10000', HTTP_THREADS: '2' },
    });
    const sockets = [];
    for (let n = 0; n < 200; n++) sockets.push(await open(t, server, ''));
    // The first of them were accepted, and the database has what it needs: it is opened by now.
    const answer = once(sockets[0], 'data');
    sockets[0].write(`GET /ready/ HTTP/1.1\r\n${HOST}\r\n`);
    assert.match(String(await answer), /^HTTP\/1\.1 200 /);
    for (const socket of sockets) socket.destroy();
    await eventually(
        () => server.healthy().then((healthy) => ({ healthy })),
        (res) => res.healthy,
        'no connection is free again',
    );
});

test('more connections than CONNECTIONS_MAX wait for a free one', async (t) => {
    const server = await start(t, { env: { CONNECTIONS_MAX: '5', HTTP_THREADS: '2' } });
    const request = `GET /health/ HTTP/1.1\r\n${HOST}\r\n`;
    const open5 = [];
    for (let n = 0; n < 5; n++) open5.push(await open(t, server, request));
    await Promise.all(open5.map((socket) => once(socket, 'data')));
    const sixth = await open(t, server, request);
    let answered = false;
    const answer = once(sixth, 'data').then(() => (answered = true));
    open5[0].write(request);
    await once(open5[0], 'data');
    assert.equal(answered, false);
    open5[1].destroy();
    await answer;
});

describe('SIGTERM', () => {
    test('while connections come and go all the time', async (t) => {
        const server = await startServer({ env: { HTTP_THREADS: '4' } });
        t.after(() => server.stop());
        for (let round = 0; round < 3; round++) {
            let answers = 0;
            const come = async () => {
                for (let healthy = true; healthy; answers += 1) healthy = await server.healthy();
            };
            const storm = Promise.all(Array.from({ length: 24 }, come));
            await eventually(() => ({ answers }), (res) => res.answers > 100, 'no answers');
            assert.deepEqual(await server.halt(), { code: 0, signal: null });
            await storm; // it ends with connections that are refused
            await server.restart();
        }
    });

    test('waits neither for a request that is half sent nor for a busy connection', async (t) => {
        const server = await startServer();
        t.after(() => server.stop());
        const user = await register(server);
        const length = 'Content-Length: 100\r\n\r\n';
        await open(t, server, `POST /api/token/ HTTP/1.1\r\n${HOST}${length}{`);
        // A connection that has the next request ready whenever it gets an answer.
        const token = `Authorization: Bearer ${user.access}\r\n`;
        const line = `GET /api/users/me/ HTTP/1.1\r\n${HOST}${token}\r\n`;
        const busy = await open(t, server, line);
        let answers = 0;
        let text = '';
        busy.on('data', (part) => {
            text = String(part);
            answers += 1;
            busy.write(line);
        });
        await eventually(() => ({ answers }), (res) => res.answers > 10, 'no answers');
        const closed = once(busy, 'close');
        const started = performance.now();
        const end = await server.halt();
        assert.deepEqual(end, { code: 0, signal: null });
        assert.ok(performance.now() - started < 9000, 'it was 10 seconds');
        await closed;
        assert.match(text, /\r\nConnection: close\r\n/i);
    });

    test('turns log-ins away that wait for their hash', async (t) => {
        const server = await startServer({ env: { PASSWORD_ITERATIONS: '300000' } });
        t.after(() => server.stop());
        const ask = (_, n) =>
            anonymous(server).post('/api/token/', { username: `u${n}`, password: 'x' });
        const asked = Array.from({ length: 40 }, ask);
        await Promise.race(asked); // the others stand in the queue
        assert.deepEqual(await server.halt(), { code: 0, signal: null });
        const statuses = (await Promise.all(asked)).map((res) => res.status);
        assert.ok(statuses.every((status) => status === 401 || status === 503));
        const away = statuses.filter((status) => status === 503).length;
        assert.ok(away > asked.length / 2, `it hashed for ${asked.length - away}`);
    });
});

test('a database that was removed or replaced: nothing is stored that would be lost', ON_FILE, async (t) => {
    const server = await start(t);
    const user = await register(server);
    const file = path.join(server.dataDir, 'confab.sqlite3');
    const write = () => user.post('/api/conversations/', { title: 'kept' });
    ok(await write(), 201);
    fs.renameSync(file, `${file}.moved`);
    for (let n = 0; n < 5; n++) err(await write(), 503, 'unavailable');
    await eventually(
        () => anonymous(server).get('/ready/'),
        (res) => res.status === 503,
        'still ready',
    );
    await server.assertAlive();
    fs.copyFileSync(`${file}.moved`, file);
    err(await write(), 503, 'unavailable'); // another file, though it looks the same
    fs.renameSync(`${file}.moved`, file);
    ok(await write(), 201);
    await server.restart();
    const list = await eventually(
        () => user.get('/api/conversations/'),
        (res) => res.status === 200,
        'not back',
    );
    assert.equal(ok(list).count, 2);
});

test('a database that was replaced is not read by who has not read before', ON_FILE, async (t) => {
    const server = await start(t, { env: { HTTP_THREADS: '16' } });
    const user = await register(server);
    const file = path.join(server.dataDir, 'confab.sqlite3');
    await server.halt();
    fs.copyFileSync(file, `${file}.older`);
    await server.restart();
    ok(await user.post('/api/conversations/', { title: 'not in the older one' }), 201);
    for (const part of ['', '-wal', '-shm'])
        fs.renameSync(`${file}${part}`, `${file}.aside${part}`);
    fs.renameSync(`${file}.older`, file);
    const asked = Array.from({ length: 64 }, () =>
        user.get('/api/conversations/', {}, { headers: { connection: 'close' } }),
    );
    let refused = 0;
    for (const res of await Promise.all(asked)) {
        if (ok(res, 200, 503).count !== 1) refused++;
        if (res.status === 200) assert.equal(res.json.count, 1, 'from the other file');
    }
    assert.ok(refused > 0, 'somebody read for the first time');
    assert.match(server.log, /was replaced/);
});

test('a damaged database is unavailable, and the log says what it is', ON_FILE, async (t) => {
    const server = await start(t);
    const user = await register(server);
    const file = path.join(server.dataDir, 'confab.sqlite3');
    await server.halt();
    const select = "SELECT rootpage FROM sqlite_schema WHERE name = 'session'";
    const page = Number((await run('sqlite3', [file, select])).stdout);
    const bytes = fs.readFileSync(file);
    bytes.fill(0x55, (page - 1) * PAGE, page * PAGE);
    fs.writeFileSync(file, bytes);
    await server.start();
    const input = { username: 'new', email: 'new@example.com', password: user.password };
    const answers = [
        await user.get('/api/conversations/'),
        await user.post('/api/conversations/', {}),
        await anonymous(server).post('/api/users/register/', input),
    ];
    for (const res of answers) err(res, 503, 'unavailable');
    assert.match(server.log, /error the database file is damaged/);
    await server.assertAlive();
});

// Not an attack, but it counted as one: each of them stores the hash anew, with more iterations.
test('log-ins at once after PASSWORD_ITERATIONS was raised are not called wrong', async (t) => {
    const server = await start(t, { env: { PASSWORD_ITERATIONS: '10000', SLOW_THREADS: '4' } });
    const { username, password } = await register(server);
    await server.restart({ env: { PASSWORD_ITERATIONS: '20000' } });
    const ask = () => anonymous(server).post('/api/token/', { username, password });
    for (const res of await Promise.all(Array.from({ length: 12 }, ask))) ok(res, 200, 503);
    ok(await ask());
});

describe('who has lost his rights', () => {
    test('gets nothing with a key, a token or a cursor that was good before', async (t) => {
        const server = await start(t);
        const owner = await register(server);
        const member = await register(server, { role: 'host' });
        const third = await register(server);
        const { id } = await makeConversation(owner, [member]);
        const target = `/api/conversations/${id}/`;
        ok(await owner.patch(`${target}participants/${member.id}/`, { role: 'moderator' }));
        const headers = { 'idempotency-key': 'added once' };
        const add = () =>
            member.post(`${target}participants/`, { user_id: third.id }, { headers });
        ok(await add(), 201);
        ok(await add(), 201);
        for (let n = 0; n < 3; n++) {
            ok(await owner.post(`${target}messages/`, { message_body: `m${n}` }), 201);
        }
        const page = ok(await member.get(`${target}messages/`, { cursor: '', page_size: 1 }));
        ok(await owner.patch(`${target}participants/${member.id}/`, { role: 'member' }));
        err(await add(), 403);
        ok(await owner.delete(`${target}participants/${member.id}/`), 204);
        err(await add(), 404);
        err(await member.get(page.next.slice(server.url.length)), 403);
        ok(await member.delete('/api/users/me/'), 204);
        unauthorized(await member.get('/api/users/me/'));
        ok(await anonymous(server).post('/api/token/refresh/', { refresh: member.refresh }), 401);
    });

    test('cannot take the name that a deletion needs', async (t) => {
        const server = await start(t);
        const victim = await register(server);
        const username = `deleted-${victim.id}`;
        await register(server, { username, email: 'squatter@example.com' });
        ok(await victim.delete('/api/users/me/'), 204);
    });
});
