// What a cursor is worth on PostgreSQL: after the database server was killed, after it was restored from
// an older backup, and while transactions of another node end in another order than they began.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { anonymous, eventually, makeConversation, register, say } from '../lib/client.mjs';
import { ok } from '../lib/expect.mjs';
import { KINDS, cursorOf, listen, openSocket, page } from '../lib/live.mjs';
import { Cluster } from '../lib/postgres.mjs';
import { Server, sleep } from '../lib/server.mjs';

let cluster;
let server;
before(async () => {
    cluster = new Cluster({ isSafe: true }).start();
    cluster.run('createdb', '-h', cluster.folder, '-U', 'confab', 'chat');
    const DATABASE_URL = `postgres://confab@/chat?host=${cluster.folder}`;
    server = await new Server({ env: { DATABASE_URL } }).start();
});
after(async () => {
    await server?.stop();
    cluster?.stop();
});

// By then every connection has tried again, however often it had tried in vain.
const BACKOFF_MS = 3100;

async function untilReady() {
    const ready = (res) => res.status === 200;
    await eventually(() => anonymous(server).get('/ready/'), ready, 'ready');
    await sleep(BACKOFF_MS);
}

async function scene() {
    const [owner, member] = [await register(server), await register(server)];
    const talk = await makeConversation(owner, [member]);
    await say(owner, talk, 'before');
    return { owner, member, talk };
}

const resets = (client) => client.all('reset').length;
const bodies = (client) => client.all('message').map((one) => one.message.message_body);

test('killed: no cursor is worth less, and nothing is missed', async () => {
    const { owner, member, talk } = await scene();
    const socket = await openSocket(member);
    const before = await cursorOf(member);
    cluster.kill();
    cluster.start();
    await untilReady();
    await say(owner, talk, 'after');
    await socket.until(() => bodies(socket).includes('after'), 'the open socket is told');
    assert.equal(resets(socket), 0);
    const young = await cursorOf(member);
    for (const kind of KINDS) {
        for (const [cursor, wanted] of [[before, ['after']], [young, []]]) {
            const client = await listen(kind, member, { cursor });
            await client.close();
            assert.equal(resets(client), 0, kind);
            assert.deepEqual(bodies(client), wanted, kind);
        }
    }
    await socket.close();
});

test('killed without a write before and after: the same', async () => {
    const { member } = await scene();
    const before = await cursorOf(member);
    cluster.kill();
    cluster.start();
    await untilReady();
    const body = await page(member, before, 0);
    assert.deepEqual(body.frames.filter((frame) => frame.type === 'reset'), []);
});

describe('restored from an older backup', () => {
    for (const isUp of [true, false]) {
        test(isUp ? 'under a server that runs' : 'while the server was down', async () => {
            const { owner, member, talk } = await scene();
            const old = await cursorOf(member);
            cluster.halt();
            cluster.backUp();
            cluster.start();
            await untilReady();
            await say(owner, talk, 'lost');
            const socket = await (await openSocket(member)).synced();
            const beyond = await cursorOf(member);
            assert.notEqual(beyond, old);
            if (!isUp) await server.halt();
            cluster.halt();
            cluster.restore();
            cluster.start();
            if (!isUp) await server.start();
            await untilReady();
            if (isUp) {
                const end = await socket.ended();
                assert.equal(end.code, 4410, 'whoever listened starts afresh');
                assert.equal(resets(socket), 1);
            }
            for (const cursor of [old, beyond]) {
                const body = await page(member, cursor, 0);
                assert.equal(body.frames[0]?.type, 'reset', cursor);
            }
            await say(owner, talk, 'new');
            const fresh = await listen('ws', member);
            assert.deepEqual(bodies(fresh), ['before', 'new']);
            await fresh.close();
        });
    }
});

// A transaction of another node, by hand: psql with its input open.
function openSession() {
    const args = ['-X', '-q', '-A', '-t', '-h', cluster.folder, '-U', 'confab', 'chat'];
    const child = spawn('psql', ['-v', 'ON_ERROR_STOP=1', ...args]);
    let said = '';
    child.stdout.on('data', (bytes) => (said += bytes));
    child.stderr.on('data', (bytes) => (said += bytes));
    return {
        async run(sql) {
            const mark = randomUUID();
            child.stdin.write(`${sql};\n\\echo ${mark}\n`);
            await eventually(async () => said, (text) => text.includes(mark), sql);
        },
        close: () => new Promise((done) => child.once('close', done) && child.stdin.end()),
    };
}

// With numbers from a sequence the message of the server would be told first, a cursor would stand
// behind it, and what the other node commits then would be missed for ever.
test('a commit under way holds back those behind it', async () => {
    const { owner, member, talk } = await scene();
    const shard = `get_byte(uuid_send('${talk.id}'), 15) % (SELECT count(*) FROM shard)`;
    const next = `(SELECT last_seq + 1 FROM conversation WHERE id = '${talk.id}')`;
    const stamp = `(SELECT stamp FROM shard WHERE id = ${shard})`;
    const id = randomUUID();
    const socket = await openSocket(member);
    const other = openSession();
    await other.run('BEGIN');
    await other.run(`UPDATE shard SET stamp = stamp + 1 WHERE id = ${shard}`);
    await other.run(
        'INSERT INTO message (conversation_id, seq, id, sender_id, body, metadata, sent_at, rev,' +
            ` stamp, sent_stamp) SELECT '${talk.id}', ${next}, '${id}', '${owner.id}', 'held',` +
            ` '{}', now(), rev + 1, ${stamp}, ${stamp} FROM conversation WHERE id = '${talk.id}'`,
    );
    await other.run(
        'INSERT INTO change_log (shard, stamp, n, kind, conversation_id, object_id, rev, at)' +
            ` SELECT ${shard}, ${stamp}, 1, 1, '${talk.id}', '${id}', rev + 1, now()` +
            ` FROM conversation WHERE id = '${talk.id}'`,
    );
    await other.run(
        'UPDATE conversation SET last_seq = last_seq + 1, rev = rev + 1,' +
            ` message_count = message_count + 1, stamp = ${stamp} WHERE id = '${talk.id}'`,
    );
    const later = owner.post('/api/messages/', { conversation_id: talk.id, content: 'later' });
    await sleep(500);
    const between = await cursorOf(member);
    assert.deepEqual(bodies(socket), ['before'], 'nothing is told before its time');
    await other.run('COMMIT');
    await other.close();
    ok(await later, 201);
    await socket.until(() => bodies(socket).length === 3, 'both are told');
    assert.deepEqual(bodies(socket), ['before', 'held', 'later']);
    await socket.close();
    const body = await page(member, between, 0);
    const told = body.frames.filter((frame) => frame.type === 'message');
    assert.deepEqual(told.map((frame) => frame.message.message_body), ['held', 'later']);
});
