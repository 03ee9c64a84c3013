// Settings: where they come from and which wins, what is said when one is wrong, the secret key,
// the log, the end of the process.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { describe, test } from 'node:test';

import { PASSWORD, anonymous, login, makeConversation, register, say } from '../lib/client.mjs';
import { ok } from '../lib/expect.mjs';
import { Server, freePort, removeDir, runCli, startServer, tempDir } from '../lib/server.mjs';

function inFolder(t) {
    const dir = tempDir();
    t.after(() => removeDir(dir));
    return dir;
}

// `serve` that must not start: its exit code and the one sentence on standard error.
async function refusal(dir, env, args = []) {
    const port = await freePort();
    const all = { PORT: port, DATA_DIR: path.join(dir, 'data'), ...env };
    const end = await runCli(['serve', ...args], { cwd: dir, env: all });
    assert.ok(end.code > 0, `it started or died: ${end.code} ${end.signal} ${end.stderr}`);
    const lines = end.stderr.trim().split('\n');
    assert.equal(lines.length, 1, `one sentence: ${end.stderr}`);
    assert.match(lines[0], /\.$/, 'a whole sentence');
    return lines[0];
}

describe('a bad setting stops the start with one sentence', () => {
    for (const [name, value] of [
        ['PORT', 'abc'],
        ['PORT', '70000'],
        ['PORT', '-1'],
        ['DATABASE_URL', 'oracle://x/y'],
        ['DATABASE_REPLICA_URL', 'mysql://x/y'],
        ['DATABASE_REPLICA_URL', 'postgres://x/y'], // of what is no PostgreSQL
        ['THROTTLE_LOGIN', 'often'],
        ['THROTTLE_USER', '5/'],
        ['AUTH_BASIC', 'perhaps'],
        ['CONTACTS_VISIBLE', 'everybody'],
        ['ACCESS_TOKEN_LIFETIME', '0'],
        ['PASSWORD_ITERATIONS', '0'],
        ['ALLOWED_HOSTS', 'http://a.example/'],
        ['TRUSTED_PROXIES', '10.0.0.0/99'],
        ['PUBLIC_URL', 'ftp://x'],
        ['PUBLIC_URL', 'https://chat.example:port'],
        ['PUBLIC_URL', 'https://chat example'],
        ['BODY_SIZE_MAX', '1'],
        ['CORS_ALLOWED_ORIGINS', 'nonsense'],
        ['LOG_LEVEL', 'loud'],
        ['ENV_FILE', '/no/such/file'],
        ['HOST', ''],
        ['HTTP_THREADS', '1e9'],
    ]) {
        test(`${name}=${value}`, async (t) => {
            const line = await refusal(inFolder(t), { [name]: value });
            assert.ok(line.includes(name), line);
        });
    }

    test('from a flag and from a file: the source is named', async (t) => {
        const dir = inFolder(t);
        assert.match(await refusal(dir, {}, ['--port', 'abc']), /--port/);
        fs.writeFileSync(path.join(dir, '.env'), 'DEBUG=0\nTHROTTLE_LOGIN=often\n');
        assert.match(await refusal(dir, {}), /\.env/);
    });

    test('unknown flags and commands', async (t) => {
        const dir = inFolder(t);
        for (const args of [
            ['serve', '--nonsense'],
            ['nonsense'],
            ['serve', 'extra'],
            ['migrate', '--nonsense'],
        ]) {
            const end = await runCli(args, { cwd: dir, env: { DATA_DIR: path.join(dir, 'data') } });
            assert.ok(end.code > 0, args.join(' '));
            assert.notEqual(end.stderr.trim(), '');
        }
    });

    test('a secret is never shown', async (t) => {
        const key = 'x'.repeat(20) + '\u0001';
        const end = await runCli(['serve'], {
            cwd: inFolder(t),
            env: { SECRET_KEY: key, PORT: 'abc' },
        });
        assert.ok(!end.stderr.includes(key.slice(0, 20)));
    });

    test('a port that is taken', async (t) => {
        const holder = net.createServer();
        t.after(() => holder.close());
        await new Promise((done) => holder.listen(0, '127.0.0.1', done));
        const { port } = holder.address();
        const dir = inFolder(t);
        const env = { PORT: port, HOST: '127.0.0.1', DATA_DIR: path.join(dir, 'data') };
        const end = await runCli(['serve'], { cwd: dir, env });
        assert.ok(end.code > 0);
        assert.match(end.stderr, new RegExp(`${port}`));
    });

    test('a folder that cannot be made', async (t) => {
        const dir = inFolder(t);
        fs.writeFileSync(path.join(dir, 'file'), '');
        const end = await runCli(['serve'], {
            cwd: dir,
            env: { PORT: 0, DATA_DIR: path.join(dir, 'file/data') },
        });
        assert.ok(end.code > 0);
        assert.match(end.stderr, /file\/data/);
    });

    test('a database that is none', async (t) => {
        const dir = inFolder(t);
        fs.mkdirSync(path.join(dir, 'data'));
        const file = path.join(dir, 'data/other.sqlite3');
        fs.writeFileSync(file, 'this is no database, whatever its name says'.repeat(100));
        const end = await runCli(['serve'], {
            cwd: dir,
            env: { PORT: 0, DATABASE_URL: `sqlite:///${file}` },
        });
        assert.ok(end.code > 0);
        assert.notEqual(end.stderr.trim(), '');
        assert.match(fs.readFileSync(file, 'utf8'), /^this is no database/);
    });
});

describe('which source wins', () => {
    // The size of body that is refused tells which value is in force.
    async function limitOf(server) {
        const user = await register(server);
        for (const size of [2048, 4096, 8192, 16384]) {
            const body = { nope: 'x'.repeat(size) };
            if ((await user.patch('/api/users/me/', body)).status === 413) return size;
        }
        return Infinity;
    }

    async function started(t, { file, env = {}, args = [] }) {
        const dir = inFolder(t);
        if (file !== undefined) fs.writeFileSync(path.join(dir, '.env'), file);
        const server = await new Server({ dir, env, args }).start();
        t.after(() => server.stop());
        return server;
    }

    test('.env over the default', async (t) => {
        assert.equal(await limitOf(await started(t, { file: 'BODY_SIZE_MAX=2048\n' })), 2048);
    });

    test('the environment over .env', async (t) => {
        const server = await started(t, {
            file: 'BODY_SIZE_MAX=2048\n',
            env: { BODY_SIZE_MAX: '4096' },
        });
        assert.equal(await limitOf(server), 4096);
    });

    test('a flag over the environment', async (t) => {
        for (const args of [['--body-size-max', '8192'], ['--body-size-max=8192']]) {
            const server = await started(t, { env: { BODY_SIZE_MAX: '4096' }, args });
            assert.equal(await limitOf(server), 8192);
        }
    });

    test('.env as django-environ reads it', async (t) => {
        const lines = [
            '# a comment',
            '',
            'export BODY_SIZE_MAX="4096"',
            "PUBLIC_URL='https://quoted.example'",
            'EMPTY=',
            'AUTH_BASIC = on',
            'SOMEBODY_ELSES_SETTING=1',
            '  # another',
        ];
        const server = await started(t, { file: lines.join('\r\n') });
        assert.equal(await limitOf(server), 4096);
        const user = await register(server);
        for (let n = 0; n < 2; n++) await makeConversation(user);
        const { next } = ok(await user.get('/api/conversations/', { page_size: 1 }));
        assert.ok(next.startsWith('https://quoted.example/'), next);
        const basic = Buffer.from(`${user.username}:${PASSWORD}`).toString('base64');
        const headers = { authorization: `Basic ${basic}` };
        ok(await anonymous(server).get('/api/users/me/', undefined, { headers }));
    });

    test('ENV_FILE names another file', async (t) => {
        const dir = inFolder(t);
        const file = path.join(dir, 'other.env');
        fs.writeFileSync(file, 'BODY_SIZE_MAX=2048\n');
        const server = await startServer({ env: { ENV_FILE: file } });
        t.after(() => server.stop());
        assert.equal(await limitOf(server), 2048);
    });

    test('DATABASE_URL names the file', async (t) => {
        const dir = inFolder(t);
        const file = path.join(dir, 'elsewhere.sqlite3');
        const server = await startServer({ env: { DATABASE_URL: `sqlite:///${file}` } });
        t.after(() => server.stop());
        await register(server);
        assert.ok(fs.existsSync(file));
    });
});

describe('the secret key', () => {
    const noKey = { SECRET_KEY: undefined };
    const keyFile = (server) => {
        const name = fs.readdirSync(server.dataDir).find((file) => /secret|key/i.test(file));
        assert.ok(name, `no key in ${fs.readdirSync(server.dataDir)}`);
        return path.join(server.dataDir, name);
    };

    test('is made on first start, kept with mode 0600, and survives a restart', async (t) => {
        const server = await startServer({ env: noKey });
        t.after(() => server.stop());
        const user = await register(server);
        const file = keyFile(server);
        assert.equal((fs.statSync(file).mode & 0o777).toString(8), '600');
        const key = fs.readFileSync(file, 'utf8').trim();
        assert.ok(key.length >= 32);
        assert.ok(!server.log.includes(key));
        await server.restart();
        assert.equal(fs.readFileSync(file, 'utf8').trim(), key);
        ok(await user.get('/api/users/me/'));
    });

    test('differs between two servers', async (t) => {
        const one = await startServer({ env: noKey });
        t.after(() => one.stop());
        const two = await startServer({ env: noKey });
        t.after(() => two.stop());
        assert.notEqual(
            fs.readFileSync(keyFile(one), 'utf8'),
            fs.readFileSync(keyFile(two), 'utf8'),
        );
        const user = await register(one);
        const headers = { authorization: `Bearer ${user.access}` };
        ok(await anonymous(two).get('/api/users/me/', undefined, { headers }), 401);
    });

    test('another key makes tokens void', async (t) => {
        const server = await startServer({ env: { SECRET_KEY: 'a'.repeat(50) } });
        t.after(() => server.stop());
        const user = await register(server);
        await server.restart({ env: { SECRET_KEY: 'b'.repeat(50) } });
        ok(await user.get('/api/users/me/'), 401);
        ok(await (await login(server, user.username)).get('/api/users/me/'));
    });
});

describe('the log', () => {
    test('never has a secret in it', async (t) => {
        const server = await startServer({
            env: { LOG_LEVEL: 'debug', ACCESS_LOG: '1', DEBUG: '1' },
        });
        t.after(() => server.stop());
        const api = anonymous(server);
        const user = await register(server);
        const { token } = ok(
            await api.post('/api-token-auth/', { username: user.username, password: PASSWORD }),
        );
        ok(
            await user.post('/api/users/me/password/', {
                old_password: PASSWORD,
                new_password: 'New-secret-9',
            }),
            200,
            204,
        );
        ok(
            await api.post('/api/token/', { username: user.username, password: 'wrong-secret-8' }),
            401,
        );
        await api.get('/api/users/me/', undefined, {
            headers: { authorization: `Token ${token}x` },
        });
        const c = await makeConversation(user);
        await say(user, c, 'private words in a message');
        await server.halt();
        for (const secret of [
            PASSWORD,
            'New-secret-9',
            'wrong-secret-8',
            token,
            user.refresh,
            user.access,
            server.env.SECRET_KEY,
            'private words',
            'pbkdf2',
        ]) {
            assert.ok(!server.log.includes(secret), `in the log: ${secret.slice(0, 20)}`);
        }
        assert.match(server.log, /POST/, 'ACCESS_LOG writes a line for each request');
    });

    test('a client cannot write lines of its own', async (t) => {
        const server = await startServer({ env: { LOG_LEVEL: 'debug', ACCESS_LOG: '1' } });
        t.after(() => server.stop());
        await anonymous(server).get('/api/%0aforged%20line/', undefined, {
            headers: { 'user-agent': 'x\u009b31m', 'x-request-id': 'y\u0085z' },
        });
        await server.halt();
        for (const line of server.log.split('\n').filter(Boolean)) {
            assert.doesNotMatch(line, /^forged/);
            assert.doesNotMatch(line, /[\u0000-\u001f\u007f]/);
        }
    });
});

describe('the end', () => {
    for (const signal of ['SIGTERM', 'SIGINT']) {
        test(`${signal}, with idle connections open: exit code 0`, async (t) => {
            const server = await startServer();
            t.after(() => server.stop());
            const sockets = [];
            for (let n = 0; n < 3; n++)
                sockets.push(net.connect(server.port, '127.0.0.1').on('error', () => {}));
            t.after(() => sockets.forEach((socket) => socket.destroy()));
            const user = await register(server);
            ok(await user.get('/api/users/me/'));
            server.signal(signal);
            assert.deepEqual(await server.ended, { code: 0, signal: null });
        });
    }

    test('what was answered before it is there after it', async (t) => {
        const server = await startServer();
        t.after(() => server.stop());
        const user = await register(server);
        const c = await makeConversation(user);
        const said = await say(user, c, 'kept');
        await server.restart();
        ok(await user.get(`/api/messages/${said.id}/`));
    });
});
