// The way to Redis: passwords, TLS, servers that are none, strangers on the channel. One server suffices; it
// hears itself if anything.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';

import { anonymous, eventually, register } from '../lib/client.mjs';
import { ok } from '../lib/expect.mjs';
import { openSocket } from '../lib/live.mjs';
import { Redis } from '../lib/redis.mjs';
import { freePort, removeDir, runCli, startServer, tempDir } from '../lib/server.mjs';

const metrics = async (server) => (await anonymous(server).get('/metrics/')).text;
const value = (text, name) => Number(text.match(new RegExp(`^confab_${name} (\\S+)$`, 'm'))?.[1]);

async function startWith(t, REDIS_URL, env = {}) {
    const server = await startServer({ env: { REDIS_URL, METRICS_ALLOW: '127.0.0.1', ...env } });
    t.after(() => server.stop());
    return server;
}

const untilUp = (server) =>
    eventually(() => metrics(server), (text) => value(text, 'bus_up') === 1, 'it is up', 1000);

const untilSaid = (server, pattern) =>
    eventually(() => server.log, (log) => pattern.test(log), `${pattern}`, 1000);

async function startRedis(t, options) {
    const redis = await new Redis(options).start();
    t.after(() => redis.stop());
    return redis;
}

test('without REDIS_URL there is no bus', async (t) => {
    const server = await startServer({ env: { METRICS_ALLOW: '127.0.0.1' } });
    t.after(() => server.stop());
    assert.doesNotMatch(await metrics(server), /confab_bus/);
});

test('a wrong address is refused at the start, without its password', async () => {
    const dir = tempDir();
    for (const url of ['http://:hidden@127.0.0.1/', 'redis://:hidden@127.0.0.1:99999', ':hidden@']) {
        const env = { REDIS_URL: url, DATA_DIR: dir, PORT: 0 };
        const end = await runCli(['serve'], { env });
        assert.notEqual(end.code, 0);
        assert.match(end.stderr, /REDIS_URL/);
        assert.doesNotMatch(end.stderr, /hidden/);
    }
    const env = { REDIS_URL: 'redis://:hidden@127.0.0.1:6379/2', DATA_DIR: dir };
    const { stdout } = await runCli(['configuration'], { env });
    assert.match(stdout, /^REDIS_URL=redis:\/\/@127\.0\.0\.1:6379\/2 /m);
    removeDir(dir);
});

test('a password, over a socket and over TCP', async (t) => {
    const port = await freePort();
    const password = 's3 @:/%';
    const redis = await startRedis(t, { password, args: ['--port', port, '--bind', '127.0.0.1'] });
    const login = `:${encodeURIComponent(password)}@`;
    for (const url of [`redis://${login}localhost:${port}/1`, `unix://${login}${redis.socket}`]) {
        await untilUp(await startWith(t, url));
    }
    const wrong = await startWith(t, `redis://:guess@127.0.0.1:${port}`);
    await untilSaid(wrong, /bus: Redis is away.*WRONGPASS/);
    ok(await anonymous(wrong).get('/ready/'));
    assert.doesNotMatch(wrong.log, /guess/);
    assert.equal(value(await metrics(wrong), 'bus_up'), 0);
});

// A certificate for 127.0.0.1, signed by itself.
function makeCertificate(folder) {
    const [key, cert] = ['key.pem', 'cert.pem'].map((name) => path.join(folder, name));
    const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    const name = ['-subj', '/CN=test', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
    const args = ['req', ...kind, ...name, '-keyout', key, '-out', cert];
    const end = spawnSync('openssl', args, { encoding: 'utf8' });
    assert.equal(end.status, 0, end.stderr);
    return { key, cert };
}

test('TLS, with a certificate that must be good', async (t) => {
    const folder = tempDir();
    t.after(() => removeDir(folder));
    const { key, cert } = makeCertificate(folder);
    const port = await freePort();
    const files = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert];
    const args = ['--tls-port', port, '--bind', '127.0.0.1', '--tls-auth-clients', 'no', ...files];
    await startRedis(t, { args, password: 'secret' });
    const url = `rediss://:secret@127.0.0.1:${port}/0`;
    const server = await startWith(t, url, { SSL_CERT_FILE: cert });
    await untilUp(server);
    const user = await register(server);
    const socket = await (await openSocket(user)).synced();
    const before = value(await metrics(server), 'bus_sent_total');
    await eventually(
        () => metrics(server),
        (text) => value(text, 'bus_sent_total') > before,
        'it goes on speaking',
        1000,
    );
    await socket.close();
    const stranger = await startWith(t, url);
    await untilSaid(stranger, /bus: Redis is away.*TLS: self.signed certificate/);
    const elsewhere = url.replace('127.0.0.1', 'localhost');
    const misled = await startWith(t, elsewhere, { SSL_CERT_FILE: cert });
    await untilSaid(misled, /bus: Redis is away.*(hostname mismatch|refused)/i);
});

// Says something else to everybody who connects.
async function startImpostor(t, greeting) {
    const server = net.createServer((socket) => {
        socket.on('error', () => {});
        socket.write(greeting);
    });
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    t.after(() => server.close());
    return server.address().port;
}

test('what is no Redis server', async (t) => {
    for (const [greeting, said] of [
        ['HTTP/1.1 400 Bad Request\r\n\r\n', /it is no Redis server/],
        ['-ERR unknown command \'HELLO\'\r\n', /it says: ERR unknown command/],
        [Buffer.alloc(1 << 20, 'x'), /it is no Redis server/],
        ['$999999999\r\n', /it is no Redis server/],
    ]) {
        const port = await startImpostor(t, greeting);
        const server = await startWith(t, `redis://127.0.0.1:${port}`);
        await untilSaid(server, said);
        ok(await register(server).then((user) => user.get('/api/users/me/')));
    }
    const silent = await startImpostor(t, '');
    const server = await startWith(t, `redis://127.0.0.1:${silent}`);
    await untilSaid(server, /it does not answer in time/);
});

test('a stranger on the channel', async (t) => {
    const redis = await startRedis(t);
    const server = await startWith(t, redis.url);
    await untilUp(server);
    const channels = await redis.command('PUBSUB', 'CHANNELS');
    const [channel] = channels.match(/confab:[\w-]+/);
    for (const text of ['', 'x', 'CFB1', 'CFB1'.padEnd(21, '?'), 'y'.repeat(100_000)]) {
        await redis.command('PUBLISH', channel, text);
    }
    await eventually(
        () => metrics(server),
        (text) => value(text, 'bus_bad_total') === 5,
        'all are counted',
    );
    assert.equal(value(await metrics(server), 'bus_up'), 1);
    const other = await startWith(t, redis.url, { SECRET_KEY: 'another installation, fifty characters' });
    await untilUp(other);
    assert.equal(value(await metrics(other), 'bus_nodes'), 0);
    assert.equal(value(await metrics(server), 'bus_nodes'), 0);
});
