// Storage that fails: locked by another process, read-only, full. The answer is a clear 503 or 507,
// reads go on where they can, nothing that was answered is lost, and it works again afterwards.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

import { makeConversation, register, say, walk } from '../lib/client.mjs';
import { ids, ok, show } from '../lib/expect.mjs';
import { Server, freePort, removeDir, run, runCli, startServer, tempDir } from '../lib/server.mjs';

const dbFile = (server) => path.join(server.dataDir, 'confab.sqlite3');
const isRoot = process.getuid() === 0;

async function chat(server) {
    const user = await register(server);
    const c = await makeConversation(user, [], { title: 'storage' });
    return { user, c, target: `/api/conversations/${c.id}/messages/` };
}

const post = ({ user, target }, text) => user.post(target, { message_body: text });

function refused(res) {
    ok(res, 503, 507);
    assert.equal(typeof res.json.detail, 'string');
    if (res.status === 503) assert.match(res.headers['retry-after'] ?? '', /^\d+$/, show(res));
    return res;
}

async function assertStored(talk, texts) {
    const rows = await walk(talk.user, `${talk.target}?cursor=&page_size=100`, 5000);
    assert.deepEqual(
        rows.map((row) => row.message_body),
        texts,
    );
    assert.deepEqual(
        rows.map((row) => row.seq),
        texts.map((_, n) => n + 1),
        'no seq was spent',
    );
    assert.equal(new Set(ids(rows)).size, rows.length);
}

async function assertSound(server) {
    const end = await run('sqlite3', [dbFile(server), 'PRAGMA integrity_check']);
    assert.equal(end.stdout.trim(), 'ok', end.stderr);
}

// Another process that holds the write lock until `release`.
function lock(file) {
    const child = spawn('sqlite3', [file], { stdio: ['pipe', 'pipe', 'inherit'] });
    const ended = new Promise((done) => child.once('close', done));
    const locked = new Promise((done, fail) => {
        child.stdout.once('data', done);
        child.once('error', fail);
    });
    child.stdin.write('.timeout 10000\nBEGIN IMMEDIATE;\n.print locked\n');
    const release = async () => {
        if (child.exitCode !== null) return;
        child.stdin.end('ROLLBACK;\n.quit\n');
        const timer = setTimeout(() => process.kill(child.pid, 'SIGKILL'), 10_000);
        await ended;
        clearTimeout(timer);
    };
    return { locked, release };
}

test('locked by another process for longer than the timeout: 503, then it goes on', async (t) => {
    const server = await startServer({ env: { DB_BUSY_TIMEOUT_MS: '150' } });
    t.after(() => server.stop());
    const talk = await chat(server);
    await say(talk.user, talk.c, 'before');
    const holder = lock(dbFile(server));
    t.after(holder.release);
    await holder.locked;
    const answers = await Promise.all(
        Array.from({ length: 6 }, (_, n) => post(talk, `locked ${n}`)),
    );
    answers.forEach(refused);
    ok(await talk.user.get(talk.target));
    await server.assertAlive();
    await holder.release();
    await say(talk.user, talk.c, 'after');
    await assertStored(talk, ['before', 'after']);
    assert.equal(server.child.end, undefined, 'the server went on');
});

test('locked for less than the timeout: nobody notices', async (t) => {
    const server = await startServer({ env: { DB_BUSY_TIMEOUT_MS: '60000' } });
    t.after(() => server.stop());
    const talk = await chat(server);
    const holder = lock(dbFile(server));
    t.after(holder.release);
    await holder.locked;
    const posts = Array.from({ length: 6 }, (_, n) => post(talk, `waits ${n}`));
    ok(await talk.user.get(talk.target));
    await holder.release();
    for (const res of await Promise.all(posts)) ok(res, 201);
    assert.equal(ok(await talk.user.get(talk.target)).count, 6);
});

test('a second process that writes: both are stored', async (t) => {
    const server = await startServer();
    t.after(() => server.stop());
    const talk = await chat(server);
    const makes = Array.from({ length: 4 }, (_, n) =>
        server.cli(
            [
                'createsuperuser',
                '--email',
                `root${n}@example.com`,
                '--username',
                `root${n}`,
                '--noinput',
            ],
            { env: { CONFAB_SUPERUSER_PASSWORD: 'demo-Passw0rd' } },
        ),
    );
    for (let n = 0; n < 20; n++) await say(talk.user, talk.c, `meanwhile ${n}`);
    for (const end of await Promise.all(makes)) assert.equal(end.code, 0, end.stderr);
    assert.equal(ok(await talk.user.get('/api/users/', { role: 'admin' })).count, 4);
    await assertStored(
        talk,
        Array.from({ length: 20 }, (_, n) => `meanwhile ${n}`),
    );
});

// Root may write everywhere, so as root the server runs as somebody else.
const NOBODY = 65534;
const asNobody = isRoot
    ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups']
    : [];

function give(folder, { fileMode, dirMode }) {
    const entries = fs.readdirSync(folder, { withFileTypes: true });
    for (const entry of entries) {
        const full = path.join(folder, entry.name);
        if (entry.isDirectory()) give(full, { fileMode, dirMode });
        else fs.chmodSync(full, fileMode);
        if (isRoot) fs.chownSync(full, NOBODY, NOBODY);
    }
    if (isRoot) fs.chownSync(folder, NOBODY, NOBODY);
    fs.chmodSync(folder, dirMode);
}

test('a read-only folder: it says so, or reads on and refuses writes', async (t) => {
    if (isRoot && spawnSync('setpriv', ['--version']).status !== 0) return t.skip('no setpriv');
    const dir = tempDir();
    t.after(() => {
        give(dir, { fileMode: 0o600, dirMode: 0o700 });
        removeDir(dir);
    });
    const server = new Server({ dir, wrapper: asNobody });
    fs.mkdirSync(server.dataDir);
    give(dir, { fileMode: 0o600, dirMode: 0o755 });
    await server.start();
    const talk = await chat(server);
    await say(talk.user, talk.c, 'kept');
    await server.stop();

    give(server.dataDir, { fileMode: 0o400, dirMode: 0o500 });
    const env = { ...server.env, PORT: await freePort() };
    let started = true;
    try {
        await server.start();
    } catch (error) {
        started = false;
        assert.match(error.message, /read|permission|open|write/i);
    }
    if (started) {
        ok(await talk.user.get(talk.target));
        refused(await post(talk, 'refused'));
        await server.halt();
    } else {
        const [program, ...args] = [...asNobody, process.execPath, '--version'];
        assert.equal((await run(program, args, { cwd: dir })).code, 0, 'the wrapper works');
    }

    give(server.dataDir, { fileMode: 0o600, dirMode: 0o700 });
    await server.start();
    t.after(() => server.stop());
    await say(talk.user, talk.c, 'again');
    await assertStored(talk, ['kept', 'again']);
    assert.ok(env.PORT > 0);
});

// A small file system of its own where we may mount one; else a limit on the size of files. Hooks
// run in the order of their making, so the server is not to have one of its own: `disk.server` is
// stopped before its file system goes.
function smallDisk(t) {
    const dir = tempDir();
    const mounted =
        isRoot &&
        spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'confab-test', dir]).status === 0;
    const disk = { dir, mounted, server: null };
    t.after(async () => {
        try {
            await disk.server?.stop();
        } finally {
            if (mounted) spawnSync('umount', [dir]);
            removeDir(dir);
        }
    });
    return disk;
}

const FILLER = 'filler';
const ROOM = 256 << 10;
// Fills it but for `left` bytes, so that the room ends while requests run.
function fillDisk(dir, left = 0) {
    const name = path.join(dir, FILLER);
    const file = fs.openSync(name, 'w');
    for (const size of [1 << 16, 1 << 12, 512]) {
        for (let n = 0; n < 5000; n++) {
            try {
                fs.writeSync(file, Buffer.alloc(size, 1));
            } catch (error) {
                assert.equal(error.code, 'ENOSPC');
                break;
            }
        }
    }
    fs.closeSync(file);
    fs.truncateSync(name, Math.max(0, fs.statSync(name).size - left));
}

function limitFiles(server, bytes) {
    const end = spawnSync('prlimit', [`--pid=${server.pid}`, `--fsize=${bytes}`]);
    assert.equal(end.status, 0, `${end.stderr}`);
}

// Sends until the first refusal, then some more; returns the texts that were stored.
async function sendUntilFull(talk, server) {
    const stored = [];
    let refusals = 0;
    for (let n = 0; n < 3000 && refusals < 5; n++) {
        const text = `${n} ${'x'.repeat(5000)}`;
        const [one] = await Promise.allSettled([post(talk, text)]);
        if (one.status === 'rejected') {
            // an I/O error in COMMIT: the process may end and start afresh
            await server.ended;
            await server.start();
            refusals++;
            break;
        } else if (one.value.status === 201) {
            stored.push(text);
        } else {
            refused(one.value);
            refusals++;
        }
    }
    assert.ok(refusals > 0, 'the disk never was full');
    return stored;
}

test(
    'a full disk: 507 or 503, reads go on, and it works again',
    { timeout: 180_000 },
    async (t) => {
        const disk = smallDisk(t);
        const { dir, mounted } = disk;
        const wrapper = mounted ? [] : ['sh', '-c', 'trap "" XFSZ; exec "$@"', 'sh'];
        const server = new Server({ dir, wrapper });
        disk.server = server;
        await server.start();
        const talk = await chat(server);
        const texts = ['first'];
        await say(talk.user, talk.c, 'first');
        t.diagnostic(mounted ? 'on a tmpfs of 4 MiB' : 'with a limit on the size of files');

        const wal = fs.statSync(`${dbFile(server)}-wal`).size;
        if (mounted) fillDisk(dir, ROOM);
        else limitFiles(server, wal + ROOM);
        texts.push(...(await sendUntilFull(talk, server)));
        assert.ok(texts.length > 2, 'some were stored before it was full');
        const rows = ok(await talk.user.get(talk.target, { page_size: 1 }));
        assert.equal(rows.count, texts.length);
        await server.assertAlive();

        if (mounted) fs.rmSync(path.join(dir, FILLER));
        else limitFiles(server, 'unlimited');
        await say(talk.user, talk.c, 'room again');
        texts.push('room again');
        await assertStored(talk, texts);
        await server.halt();
        await assertSound(server);
        await server.start();
        await assertStored(talk, texts);
    },
);

test('many at once on a full disk: each is stored or refused, none half', async (t) => {
    const disk = smallDisk(t);
    const { dir, mounted } = disk;
    if (!mounted) return t.skip('no file system of its own');
    const server = new Server({ dir });
    disk.server = server;
    await server.start();
    const talk = await chat(server);
    fillDisk(dir, ROOM);
    const stored = [];
    for (let round = 0; round < 40; round++) {
        const texts = Array.from({ length: 16 }, (_, n) => `${round} ${n} ${'y'.repeat(3000)}`);
        const answers = await Promise.all(texts.map((text) => post(talk, text)));
        answers.forEach((res, n) => {
            if (res.status === 201) stored.push(texts[n]);
            else refused(res);
        });
        if (answers.every((res) => res.status !== 201)) break;
    }
    assert.ok(stored.length > 0, 'some were stored before it was full');
    fs.rmSync(path.join(dir, FILLER));
    await say(talk.user, talk.c, 'room again');
    const rows = await walk(talk.user, `${talk.target}?cursor=&page_size=100`, 5000);
    assert.deepEqual(rows.map((row) => row.message_body).sort(), [...stored, 'room again'].sort());
    assert.deepEqual(
        rows.map((row) => row.seq),
        rows.map((_, n) => n + 1),
    );
    await assertSound(server);
    return undefined;
});

test('killed on a full disk: what was answered is there once there is room', async (t) => {
    const disk = smallDisk(t);
    const { dir, mounted } = disk;
    if (!mounted) return t.skip('no file system of its own');
    const server = new Server({ dir });
    disk.server = server;
    await server.start();
    const talk = await chat(server);
    fillDisk(dir, ROOM);
    const texts = await sendUntilFull(talk, server);
    await server.kill9();
    const [again] = await Promise.allSettled([server.start()]);
    if (again.status === 'fulfilled') {
        ok(await talk.user.get(talk.target), 200, 503);
        await server.kill9();
    } else {
        assert.match(again.reason.message, /full|space|write|disk/i, 'it says why');
    }
    fs.rmSync(path.join(dir, FILLER));
    await server.start();
    await assertStored(talk, texts);
    await say(talk.user, talk.c, 'room again');
    await assertSound(server);
    return undefined;
});

test('a start on a full disk is refused with a sentence, or serves', async (t) => {
    const { dir, mounted } = smallDisk(t);
    if (!mounted) return t.skip('no file system of its own');
    fillDisk(dir);
    const env = { PORT: 0, DATA_DIR: path.join(dir, 'data') };
    const end = await runCli(['migrate'], { cwd: dir, env });
    assert.ok(end.code > 0);
    assert.notEqual(end.stderr.trim(), '');
    fs.rmSync(path.join(dir, FILLER));
    assert.equal((await runCli(['migrate'], { cwd: dir, env })).code, 0);
    return undefined;
});
