// Cursors: what is none, what one is worth after restarts, kills and restored backups, and to whom.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { makeConversation, register, say } from '../lib/client.mjs';
import { ok } from '../lib/expect.mjs';
import { KINDS, closing, connect, cursorOf, listen, page, poll, settled } from '../lib/live.mjs';
import { Mirror, assertConverged } from '../lib/mirror.mjs';
import { ON_FILE, removeDir, run, startServer, tempDir } from '../lib/server.mjs';

const FILE = 'confab.sqlite3';

async function scene(server) {
    const [owner, member] = [await register(server), await register(server)];
    const c = await makeConversation(owner, [member], { title: 'kept' });
    await say(owner, c, 'before');
    return { owner, member, c };
}

// The client is told that what it has is worthless, and is told nothing else; then it ends.
async function assertReset(kind, user, cursor) {
    const client = await connect(kind, user, { cursor });
    const end = await client.ended();
    const types = client.frames.map((frame) => frame.type).filter((type) => type !== 'hello');
    assert.deepEqual(types, ['reset'], `${kind} with ${cursor}`);
    assert.equal(typeof client.frames.at(-1).reason, 'string');
    if (kind === 'ws') assert.equal(end.code, 4410);
    if (kind === 'sse') {
        assert.equal(client.events.at(-1).id, '', 'an empty id');
        assert.equal(end.complete, true);
    }
    if (kind === 'poll') assert.equal(end.reset, true);
    assert.equal(kind === 'ws' ? '' : client.cursor, '');
}

async function assertNoReset(kind, user, cursor, mirror = null) {
    const client = await listen(kind, user, { cursor });
    await client.close();
    assert.deepEqual(client.all('reset'), [], kind);
    if (mirror) await assertConverged(mirror.follow(client));
    return client;
}

// For what does not end it.
let server;
before(async () => {
    server = await startServer();
});
after(() => server?.stop());

describe('what is none', () => {
    let user;
    before(async () => {
        user = await register(server);
        await makeConversation(user, [], { title: 'mine' });
    });

    test('reset, over each transport', async () => {
        for (const kind of KINDS) {
            for (const cursor of ['x', 'AAAA', '!"§$%', 'null', '0', '€']) {
                await assertReset(kind, user, cursor);
            }
        }
    });

    test('reset and nothing else, as an answer', async () => {
        const body = await page(user, 'x', 30);
        assert.deepEqual(Object.keys(body.frames[0]).sort(), ['reason', 'type']);
        assert.equal(body.frames.length, 1);
        assert.deepEqual([body.cursor, body.more], ['', false]);
    });

    test('one that was cut or has too much', async () => {
        const good = await cursorOf(user);
        for (let n = 1; n < good.length; n++) {
            const body = await page(user, good.slice(0, n), 0);
            assert.equal(body.frames[0]?.type, 'reset', `cut to ${n} of ${good.length}`);
        }
        for (const cursor of [`${good}A`, `${good}AAAA`, `${good}=`, good + good]) {
            const body = await page(user, cursor, 0);
            assert.equal(body.frames[0]?.type, 'reset', cursor);
        }
        const long = await poll(user, 'A'.repeat(6000), 0);
        if (long.status === 200) assert.equal(long.json.frames[0].type, 'reset');
        else ok(long, 400, 414, 431);
        await assertNoReset('ws', user, good);
    });

    // It is no capability, so one that was changed may be taken; but nothing breaks.
    test('one in which something was changed', async () => {
        const good = await cursorOf(user);
        for (let n = 0; n < good.length; n++) {
            const other = good[n] === 'A' ? 'B' : 'A';
            const changed = good.slice(0, n) + other + good.slice(n + 1);
            const body = await page(user, changed, 0);
            if (body.frames[0]?.type === 'reset') assert.equal(body.cursor, '');
        }
        await assertNoReset('poll', user, good);
    });
});

describe('who may use it', () => {
    test('it gives no rights to another', async (t) => {
        const { owner, member, c } = await scene(server);
        const stranger = await register(server);
        const mine = await makeConversation(stranger, [], { title: 'of the stranger' });
        const cursor = await cursorOf(member);
        await say(owner, c, 'a secret');
        await say(stranger, mine, 'no secret');
        for (const kind of KINDS) {
            const client = closing(t, await listen(kind, stranger, { cursor }));
            const text = JSON.stringify(client.frames);
            assert.ok(!text.includes(c.id) && !text.includes('a secret'), text);
            assert.equal(client.all('message').length, 1);
        }
    });

    test('one from the middle of a page neither', async () => {
        const { owner, member, c } = await scene(server);
        const stranger = await register(server);
        const start = await cursorOf(member);
        const long = 'z'.repeat(9000);
        await Promise.all(Array.from({ length: 90 }, (_, n) => say(owner, c, `${n} ${long}`)));
        const second = await makeConversation(owner, [member], { title: 'second' });
        await Promise.all(Array.from({ length: 90 }, (_, n) => say(owner, second, `${n} ${long}`)));
        const body = await page(member, start, 0);
        assert.equal(body.more, true);
        const other = await page(stranger, body.cursor, 0);
        assert.deepEqual(
            other.frames.filter((frame) => /message|conversation/.test(frame.type)),
            [],
        );
        // nor to a member who has been removed since
        const target = `/api/conversations/${c.id}/participants/${member.id}/`;
        assert.equal((await owner.delete(target)).status, 204);
        await settled(server);
        const rest = await page(member, body.cursor, 0);
        const kept = rest.frames.filter((frame) => frame.type === 'message');
        assert.ok(kept.every((frame) => frame.conversation_id === second.id));
        for (let { cursor, more } = rest; more;) {
            const next = await page(member, cursor, 0);
            assert.ok(!next.frames.some((f) => f.type === 'message' && f.conversation_id === c.id));
            ({ cursor, more } = next);
        }
    });

    test('several devices may use the same', async (t) => {
        const { owner, member, c } = await scene(server);
        const cursor = await cursorOf(member);
        await say(owner, c, 'to each device');
        const clients = await Promise.all(KINDS.map((kind) => listen(kind, member, { cursor })));
        closing(t, ...clients);
        for (const client of clients) {
            const bodies = client.all('message').map((frame) => frame.message.message_body);
            assert.deepEqual(bodies, ['to each device']);
        }
    });
});

describe('after the server has ended', () => {
    test('by a restart and by SIGKILL it is as good as before', async (t) => {
        const server = await startServer();
        t.after(() => server.stop());
        const { owner, member, c } = await scene(server);
        const first = await listen('ws', member);
        const mirror = new Mirror(first).update();
        let { cursor } = first;
        await first.close();
        for (const [n, end] of ['halt', 'kill9', 'kill9'].entries()) {
            await say(owner, c, `round ${n}`);
            await server[end]();
            await server.start();
            for (const kind of KINDS) {
                const client = await assertNoReset(kind, member, cursor);
                const bodies = client.all('message').map((frame) => frame.message.message_body);
                assert.deepEqual(bodies, [`round ${n}`], `${kind}: that and nothing else`);
            }
            const client = await assertNoReset(KINDS[n % 3], member, cursor, mirror);
            ({ cursor } = client);
        }
        assert.equal(mirror.resets, 0);
    });

    test('in the middle of a page too', async (t) => {
        const server = await startServer();
        t.after(() => server.stop());
        const { owner, member, c } = await scene(server);
        const start = await cursorOf(member);
        const long = '語'.repeat(9000);
        await Promise.all(Array.from({ length: 80 }, (_, n) => say(owner, c, `${n} ${long}`)));
        const seen = new Set();
        for (let [cursor, more] = [start, true], n = 0; more; n++) {
            const body = await page(member, cursor, 0);
            for (const frame of body.frames) {
                assert.notEqual(frame.type, 'reset');
                if (frame.type === 'message') seen.add(frame.message.id);
            }
            ({ cursor, more } = body);
            if (more && n < 2) {
                await server.kill9();
                await server.start();
            }
        }
        assert.equal(seen.size, 80);
    });
});

test('a second server on the database does not start, and the first goes on', async () => {
    const { owner, member, c } = await scene(server);
    const before = await cursorOf(member);
    for (const PORT of [server.port, '0']) {
        const second = await server.cli(['serve'], { env: { PORT } });
        assert.notEqual(second.code, 0);
        assert.match(second.stderr, /Another server (runs on this database|uses this DATA_DIR)/);
    }
    await say(owner, c, 'after it');
    const young = await cursorOf(member);
    for (const kind of KINDS) {
        await assertNoReset(kind, member, before);
        await assertNoReset(kind, member, young);
    }
});

describe('after the database was rolled back', ON_FILE, () => {
    const files = (server) =>
        ['', '-wal', '-shm'].map((end) => path.join(server.dataDir, FILE + end));

    // An older copy is put in its place, as an operator restores a backup.
    async function restore(server, copy) {
        await server.halt();
        for (const file of files(server)) fs.rmSync(file, { force: true });
        fs.copyFileSync(copy, path.join(server.dataDir, FILE));
        await server.start();
    }

    async function backup(server, t) {
        const dir = tempDir('confab-backup-');
        t.after(() => removeDir(dir));
        const copy = path.join(dir, FILE);
        const end = await run('sqlite3', [files(server)[0], `.backup '${copy}'`]);
        assert.equal(end.code, 0, end.stderr);
        return copy;
    }

    // What a client shows is ahead of its cursor, so that nobody who listened then can be sure.
    test('a copy made while it ran: cursors of that life reset, older ones are good', async (t) => {
        const server = await startServer();
        t.after(() => server.stop());
        const { owner, member, c } = await scene(server);
        const oldest = await cursorOf(member);
        await server.restart();
        await say(owner, c, 'of the second life');
        const old = await cursorOf(member);
        const copy = await backup(server, t);
        await say(owner, c, 'will be lost');
        const young = await cursorOf(member);
        await restore(server, copy);
        for (const kind of KINDS) {
            await assertReset(kind, member, young);
            await assertReset(kind, member, old);
            await assertNoReset(kind, member, oldest);
        }
        // also when the restored database has overtaken it
        for (let n = 0; n < 20; n++) await say(owner, c, `of another history ${n}`);
        for (const kind of KINDS) await assertReset(kind, member, young);
        await server.restart();
        for (const kind of KINDS) await assertReset(kind, member, young);
        const client = closing(t, await listen('ws', member));
        await assertConverged(new Mirror(client));
    });

    test('a copy of an older life: cursors of the later lives reset', async (t) => {
        const server = await startServer();
        t.after(() => server.stop());
        const { owner, member, c } = await scene(server);
        const old = await cursorOf(member);
        await server.halt();
        const dir = tempDir('confab-backup-');
        t.after(() => removeDir(dir));
        const copy = path.join(dir, FILE);
        for (const file of files(server).slice(1)) {
            assert.ok(!fs.existsSync(file) || fs.statSync(file).size === 0 || /shm$/.test(file));
        }
        fs.copyFileSync(files(server)[0], copy);
        await server.start();
        const same = await cursorOf(member); // nothing was written in this life yet
        await say(owner, c, 'will be lost');
        const young = await cursorOf(member);
        await restore(server, copy);
        for (const kind of KINDS) {
            await assertReset(kind, member, young);
            await assertReset(kind, member, same);
            await assertReset(kind, member, old);
        }
        const fresh = await cursorOf(member);
        for (let n = 0; n < 20; n++) await say(owner, c, `of another history ${n}`);
        await server.restart();
        for (const kind of KINDS) await assertReset(kind, member, young);
        const client = await assertNoReset('ws', member, fresh);
        assert.equal(client.all('message').length, 20);
    });

    test('a client that resets ends up with what there is', async (t) => {
        const server = await startServer();
        t.after(() => server.stop());
        const { owner, member, c } = await scene(server);
        const copy = await backup(server, t);
        await say(owner, c, 'will be lost');
        await makeConversation(owner, [member], { title: 'will be lost too' });
        const first = await listen('poll', member);
        await first.close();
        const mirror = new Mirror(first).update();
        await restore(server, copy);
        await say(owner, c, 'instead');
        const told = await connect('poll', member, { cursor: first.cursor });
        await told.ended();
        mirror.follow(told);
        const next = closing(t, await listen('poll', member, { cursor: told.cursor }));
        await assertConverged(mirror.follow(next));
        assert.equal(mirror.resets, 1);
        assert.deepEqual(mirror.bodies(c), ['before', 'instead']);
    });

    test('an empty database in its place: the tokens are worth nothing either', async (t) => {
        const server = await startServer();
        t.after(() => server.stop());
        const { member } = await scene(server);
        const cursor = await cursorOf(member);
        await server.halt();
        for (const file of files(server)) fs.rmSync(file, { force: true });
        await server.start();
        ok(await poll(member, cursor, 0), 401);
        const other = await register(server);
        for (const kind of KINDS) await assertReset(kind, other, cursor);
    });
});
