// confab move: every row, from any engine to any, and clients that have a cursor of before.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { login, makeAdmin, makeCast, register, say, sayMany } from '../lib/client.mjs';
import { Databases, bad, good, serve } from '../lib/databases.mjs';
import { ok } from '../lib/expect.mjs';
import { cursorOf, page } from '../lib/live.mjs';
import { BIN, cleanEnv, sleep } from '../lib/server.mjs';

let databases;
before(() => {
    databases = new Databases();
});
after(() => databases?.stop());

const move = (from, to, ...more) => ['move', '--from', from.url, '--to', to.url, ...more];
const bodies = ({ frames }) =>
    frames.filter((frame) => frame.type === 'message').map((frame) => frame.message.message_body);

// Something in as many tables as a server fills by itself.
async function fill(server) {
    const c = await makeCast(server);
    const admin = await makeAdmin(server);
    const [first, second] = await sayMany(c.owner, c, 20);
    await say(c.member, c, 'ключ 🗝 \u2028 "quoted"\n', { reply_to: first.id, client_id: randomUUID() });
    ok(await c.owner.patch(`/api/messages/${first.id}/`, { message_body: 'edited' }));
    ok(await c.owner.delete(`/api/messages/${second.id}/`), 204);
    const pair = { participants: [c.owner.id], direct: true };
    ok(await c.member.post('/api/conversations/', pair, { headers: { 'idempotency-key': 'k' } }), 201);
    ok(await admin.get(c.path));
    const leaver = await register(server);
    ok(await c.owner.post(`${c.path}participants/`, { user_id: leaver.id }), 200, 201);
    ok(await leaver.delete(`${c.path}participants/${leaver.id}/`), 204);
    return c;
}

const POSITIONS = ['shard', 'change_log', 'incarnation'];

function assertSame(from, to, { but = [] } = {}) {
    const [wanted, copied] = [from.contents(), to.contents()];
    assert.deepEqual(Object.keys(copied), Object.keys(wanted));
    for (const table of Object.keys(wanted)) {
        if (table === 'migration' || but.includes(table)) continue;
        assert.deepEqual(copied[table], wanted[table], table);
    }
    assert.ok(wanted.message.length > 20);
    return wanted;
}

const counted = (database) =>
    database.sql('SELECT sum(users), sum(conversations), sum(messages), max(stamp) FROM shard');

const reset = ({ frames }) => frames.some((frame) => frame.type === 'reset');

// A server on the copy: the tokens and passwords of before, and the conversation as it was.
async function assertServes(server, c) {
    const member = await login(server, c.member.username);
    const list = ok(await member.get(`${c.path}messages/`, { page_size: 100 }));
    assert.ok(list.results.some((message) => message.message_body === 'edited'));
    return member;
}

for (const [engine, other] of [
    ['sqlite', 'postgres'],
    ['postgres', 'sqlite'],
    ['sqlite', 'mariadb'],
    ['mariadb', 'sqlite'],
]) {
    test(`${engine} to ${other}: the same rows, and clients start afresh`, async () => {
        const [from, to] = [databases.make(engine), databases.make(other)];
        let server = await serve(from);
        const c = await fill(server);
        const cursor = await cursorOf(c.member);
        await server.stop();

        const text = await good(to, move(from, to));
        assert.match(text, /message +\d+ [0-9a-f]{16} +\d+ [0-9a-f]{16} +same/);
        assert.match(text, /start afresh/);
        assert.ok(assertSame(from, to, { but: POSITIONS }).message_history.length > 0);
        assert.equal(counted(to), counted(from));

        server = await serve(to);
        try {
            const member = await assertServes(server, c);
            const first = await page(member, cursor, 0);
            assert.ok(reset(first), 'a cursor of another order of commits is not taken');
            await say(member, c, 'after the move');
            const all = await page(member, '', 0);
            assert.equal(bodies(all).at(-1), 'after the move');
            assert.ok(!reset(await page(member, await cursorOf(member), 0)));
        } finally {
            await server.stop();
        }
    });
}

for (const [engine, other] of [
    ['sqlite', 'sqlite'],
    ['postgres', 'postgres'],
    ['postgres', 'mariadb'],
    ['mariadb', 'postgres'],
]) {
    test(`${engine} to ${other}: clients go on from their cursors`, async () => {
        const [from, to] = [databases.make(engine), databases.make(other)];
        let server = await serve(from);
        const c = await fill(server);
        const cursor = await cursorOf(c.member);
        await say(c.owner, c, 'before the move');
        await server.stop();

        // The mark of what clients were told lies beside the file, or in the DATA_DIR of the server.
        await good(to, move(from, to), { DATA_DIR: from.dir });
        assert.ok(assertSame(from, to, { but: ['incarnation'] }).message_history.length > 0);

        server = await serve(to);
        try {
            const member = await assertServes(server, c);
            await say(member, c, 'after the move');
            const seen = await page(member, cursor, 0);
            assert.ok(!reset(seen), 'no reset');
            assert.deepEqual(bodies(seen), ['before the move', 'after the move']);
            const again = await cursorOf(member);
            await server.restart();
            assert.ok(!reset(await page(member, again, 0)), 'nor after a restart');
        } finally {
            await server.stop();
        }
    });
}

test('a copy of an older copy: who was told more starts afresh', async () => {
    const [from, old, to] = [1, 2, 3].map(() => databases.make('sqlite'));
    let server = await serve(from);
    const c = await fill(server);
    await server.stop();
    from.sql(`VACUUM INTO '${old.file}'`);
    server = await server.start();
    await say(c.owner, c, 'lost');
    const cursor = await cursorOf(c.member);
    await server.stop();
    // The older copy takes the place of the database, whose mark stays.
    from.sql(`DELETE FROM message WHERE body = 'lost'`);
    from.sql(`UPDATE shard SET stamp = (SELECT stamp FROM shard) - 3`);
    await good(to, move(from, to));
    server = await serve(to);
    try {
        assert.ok(reset(await page(await login(server, c.member.username), cursor, 0)));
    } finally {
        await server.stop();
    }
});

const MESSAGES = 2000;
const DEMO = ['seed-demo', '--users', '20', '--conversations', '20', '--messages', `${MESSAGES}`];

// Kills the command once the target holds some, and not all, of the messages. When this process is late
// they are all there already: then once more.
async function breakOff(from, engine) {
    for (let tries = 0; tries < 10; tries++) {
        const to = databases.make(engine);
        const child = spawn(BIN, move(from, to, '--batch', '20'), {
            cwd: to.dir,
            env: cleanEnv({ DATA_DIR: to.dir }),
            stdio: 'ignore',
        });
        let isOver = false;
        const ended = new Promise((resolve) => child.once('exit', resolve)).then(() => {
            isOver = true;
        });
        let isMade = false;
        let count = 0;
        while (count === 0 && !isOver) {
            await sleep(20);
            isMade ||= to.hasTable('change_log');
            if (isMade) count = Number(to.sql('SELECT count(*) FROM message'));
        }
        child.kill('SIGKILL');
        await ended;
        count = Number(to.sql('SELECT count(*) FROM message'));
        if (count > 0 && count < MESSAGES) return to;
    }
    return assert.fail('always through at once');
}

describe('broken off', () => {
    let demo;
    before(() => {
        demo = databases.make('sqlite');
        return good(demo, DEMO);
    });

    function copyOfDemo() {
        const copy = databases.make('sqlite');
        demo.sql(`VACUUM INTO '${copy.file}'`);
        return copy;
    }

    for (const engine of ['sqlite', 'postgres', 'mariadb']) {
        test(`sqlite to ${engine}: it is nobody's database until it is whole`, async () => {
            const from = copyOfDemo();
            const to = await breakOff(from, engine);
            for (const args of [['serve'], ['migrate'], ['seed-demo', '--replace']]) {
                assert.match(await bad(to, args, { PORT: 0 }), /confab move/, args[0]);
            }
            const text = await good(to, move(from, to));
            assert.match(text, /Going on/);
            assertSame(from, to, { but: POSITIONS });
            assert.equal(counted(to), counted(from));
            const server = await serve(to);
            await server.stop();
        });
    }

    test('a source that has changed since is refused', async () => {
        const from = copyOfDemo();
        const to = await breakOff(from, 'sqlite');
        const server = await serve(from);
        await register(server, { username: 'late' });
        await server.stop();
        assert.match(await bad(to, move(from, to)), /changed/);
    });
});

describe('refused', () => {
    test('a server runs on either', async () => {
        for (const engine of ['sqlite', 'postgres', 'mariadb']) {
            const [busy, free] = [databases.make(engine), databases.make('sqlite')];
            await good(free, ['migrate']);
            const server = await serve(busy);
            const impatient = { DB_BUSY_TIMEOUT_MS: 200 };
            assert.match(await bad(free, move(busy, free), impatient), /stop it first/, engine);
            assert.match(await bad(free, move(free, busy), impatient), /stop it first/, engine);
            await server.stop();
            await good(free, move(busy, free));
        }
    });

    test('a target with something in it', async () => {
        const [from, to] = [databases.make('sqlite'), databases.make('postgres')];
        await good(from, ['migrate']);
        await good(to, ['seed-demo', '--users', '2', '--conversations', '0', '--messages', '0']);
        assert.match(await bad(to, move(from, to)), /something in/);
    });

    test('a source that is not migrated, or not there', async () => {
        const [from, to] = [databases.make('sqlite'), databases.make('sqlite')];
        assert.match(await bad(to, move(from, to)), /no database/);
        await good(from, ['migrate', '0001']);
        assert.match(await bad(to, move(from, to)), /confab migrate/);
    });

    test('wrong words', async () => {
        const one = databases.make('sqlite');
        await good(one, ['migrate']);
        assert.match(await bad(one, ['move', '--from', one.url]), /--to/);
        assert.match(await bad(one, move(one, one)), /same database/);
        assert.match(await bad(one, move(one, { url: 'oracle://x' })), /--to/);
        assert.match(await good(one, ['move', '--help']), /No server may/);
    });
});
