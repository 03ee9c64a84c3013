// Kill and restart: sixteen writers over keep-alive connections send messages with a client_id,
// and edit some, while the server is killed (SIGKILL) at random moments, CRASH_ROUNDS times (12).
// At the end: each message that was answered is there exactly once, with the seq that was answered,
// and as the last answered edit left it; what was not answered is there once or not at all; seq is
// 1..n without a hole, and rev counts each message and edit once; the database is sound after each
// kill.
// CRASH_SEED repeats the random choices (not the scheduling).
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { test } from 'node:test';

import { makeConversation, register, walk } from '../lib/client.mjs';
import { contains, ok } from '../lib/expect.mjs';
import { Server, freePort, removeDir, run, sleep, startServer, tempDir } from '../lib/server.mjs';

const ROUNDS = Number(process.env.CRASH_ROUNDS ?? 12);
const SEED = process.env.CRASH_SEED ?? '1';
const WRITERS = 16;
const CONVERSATIONS = 4;
const CHECKED_EACH_ROUND = 40;
const WIPED_MS = 30_000; // a bound for what does not come; no claim about time

// A sequence of choices for each name, the same for the same seed.
function choices(name) {
    let n = 0;
    return (below) => {
        const digest = createHash('sha256').update(`${SEED} ${name} ${n++}`).digest();
        return digest.readUInt32BE(0) % below;
    };
}

function uuidOf(text) {
    const hex = createHash('sha256').update(`${SEED} ${text}`).digest('hex');
    const versioned = [`4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`];
    return [hex.slice(0, 8), hex.slice(8, 12), ...versioned, hex.slice(20, 32)].join('-');
}

// What was sent and what was answered.
class Ledger {
    acknowledged = new Map();
    open = new Map();
    edits = 0;
    replays = 0;
    refused = 0;
    recent = [];

    answered(entry, res) {
        const body = res.json;
        const before = this.acknowledged.get(entry.clientId);
        contains(body, { conversation: entry.conversation, client_id: entry.clientId });
        if (res.status === 200) this.replays++;
        if (before) {
            contains(body, { id: before.id, seq: before.seq }, 'answered twice, differently');
            return;
        }
        assert.equal(body.message_body, entry.text);
        const known = {
            id: body.id,
            seq: body.seq,
            conversation: entry.conversation,
            bodies: [entry.text], // what it may be; more than one while an edit is open
        };
        this.acknowledged.set(entry.clientId, known);
        this.recent.push(known);
        this.open.delete(entry.clientId);
    }
}

class Writer {
    constructor(number, world) {
        this.number = number;
        this.world = world;
        this.choose = choices(`writer ${number}`);
        this.agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
        this.sent = 0;
    }

    nextEntry() {
        const text = `writer ${this.number} message ${this.sent++}`;
        const { ids } = this.world;
        return { text, clientId: uuidOf(text), conversation: ids[this.choose(ids.length)] };
    }

    get user() {
        const { users } = this.world;
        return users[this.number % users.length];
    }

    // Edits a message that was answered; only this writer does.
    async edit(known) {
        const { ledger } = this.world;
        const text = `${known.bodies.at(-1)}, edited`;
        known.bodies.push(text);
        const [one] = await Promise.allSettled([
            this.user.patch(`/api/messages/${known.id}/`, { content: text }, { agent: this.agent }),
        ]);
        if (one.status === 'rejected' || one.value.status === 503) return;
        assert.equal(ok(one.value).message_body, text);
        known.bodies = [text];
        ledger.edits++;
    }

    async post(entry) {
        const { ledger } = this.world;
        const { user } = this;
        const json = { message_body: entry.text, client_id: entry.clientId };
        const target = `/api/conversations/${entry.conversation}/messages/`;
        if (!ledger.acknowledged.has(entry.clientId)) ledger.open.set(entry.clientId, entry);
        let res;
        try {
            res = await user.post(target, json, { agent: this.agent });
        } catch {
            return false;
        }
        if (res.status === 503) {
            ledger.refused++;
            return false;
        }
        ok(res, 200, 201);
        ledger.answered(entry, res);
        return true;
    }

    // Until the world ends. An unanswered message is sent again with the same id, once the server
    // is back, three times of four; otherwise its fate stays open.
    async run() {
        let again = null;
        while (!this.world.over) {
            await this.world.up;
            const entry = again ?? this.nextEntry();
            const answered = await this.post(entry);
            again = answered || (again === null && this.choose(4) === 0) ? null : entry;
            if (!answered) await sleep(2);
            // a few are sent twice although they were answered, a few are edited
            else if (this.choose(10) === 0) await this.post(entry);
            else if (this.choose(10) === 0)
                await this.edit(this.world.ledger.acknowledged.get(entry.clientId));
        }
        this.agent.destroy();
    }
}

function gate(world) {
    world.up = new Promise((open) => {
        world.open = open;
    });
}

// The check looks at a copy, so that the server itself has to recover the original.
async function assertSound(server) {
    const copy = tempDir('confab-crash-');
    try {
        for (const name of ['confab.sqlite3', 'confab.sqlite3-wal']) {
            const from = path.join(server.dataDir, name);
            if (fs.existsSync(from)) fs.copyFileSync(from, path.join(copy, name));
        }
        const check = 'PRAGMA integrity_check; PRAGMA foreign_key_check;';
        const end = await run('sqlite3', [path.join(copy, 'confab.sqlite3'), check]);
        assert.equal(end.stdout.trim(), 'ok', `${end.stdout}${end.stderr}`);
    } finally {
        removeDir(copy);
    }
}

async function assertRecent(world) {
    const { ledger, users } = world;
    for (const known of ledger.recent.splice(0).slice(-CHECKED_EACH_ROUND)) {
        const body = ok(await users[0].get(`/api/messages/${known.id}/`));
        contains(body, { seq: known.seq });
    }
}

async function countEdits(user, rows) {
    let edits = 0;
    for (const row of rows.filter((one) => one.edited)) {
        const history = ok(await user.get(`/api/messages/${row.id}/history/`, { page_size: 1 }));
        edits += history.count;
    }
    return edits;
}

async function assertAll(world) {
    const { ids, ledger, users } = world;
    const stored = new Map();
    const texts = new Set();
    let count = 0;
    for (const [n, id] of ids.entries()) {
        const rows = await walk(
            users[0],
            `/api/conversations/${id}/messages/?cursor=&page_size=100`,
            5000,
        );
        assert.deepEqual(
            rows.map((row) => row.seq),
            rows.map((_, n) => n + 1),
            'seq is dense',
        );
        const detail = ok(await users[0].get(`/api/conversations/${id}/`));
        const edits = await countEdits(users[0], rows);
        contains(detail, {
            last_seq: rows.length,
            message_count: rows.length,
            rev: world.revs[n] + rows.length + edits,
        });
        assert.equal(new Set(rows.map((row) => row.rev)).size, rows.length, 'a rev is used once');
        count += rows.length;
        for (const row of rows) {
            const text = row.message_body.replace(/(, edited)+$/, '');
            assert.ok(!texts.has(text), `stored twice: ${text}`);
            texts.add(text);
            stored.set(row.id, row);
        }
    }
    for (const known of ledger.acknowledged.values()) {
        const row = stored.get(known.id);
        assert.ok(row, `answered and lost: ${known.bodies}`);
        contains(row, { seq: known.seq, conversation: known.conversation });
        assert.ok(known.bodies.includes(row.message_body), `an answered edit is lost: ${row.id}`);
    }
    let fate = 0;
    for (const entry of ledger.open.values()) if (texts.has(entry.text)) fate++;
    assert.equal(count, ledger.acknowledged.size + fate, 'nothing else was stored');
    return { count, fate };
}

test(`${WRITERS} writers, ${ROUNDS} kills`, { timeout: 600_000 }, async (t) => {
    const server = await startServer();
    t.after(() => server.stop());
    const users = [];
    for (let n = 0; n < 4; n++) users.push(await register(server));
    const talks = [];
    for (let n = 0; n < CONVERSATIONS; n++)
        talks.push(await makeConversation(users[0], users.slice(1)));
    const ids = talks.map((talk) => talk.id);
    const revs = talks.map((talk) => talk.rev);
    const world = { ids, revs, users, ledger: new Ledger(), over: false };
    gate(world);
    const writers = Array.from({ length: WRITERS }, (_, n) => new Writer(n, world));
    const ended = Promise.all(writers.map((writer) => writer.run()));
    ended.catch(() => {});

    const choose = choices('killer');
    for (let round = 0; round < ROUNDS; round++) {
        world.open();
        // at least some answers, then any moment
        const before = world.ledger.acknowledged.size;
        for (let n = 0; n < 2000 && world.ledger.acknowledged.size < before + 20; n++)
            await sleep(5);
        assert.ok(world.ledger.acknowledged.size > before, 'nobody was answered');
        await sleep(choose(250));
        gate(world);
        await server.kill9();
        await assertSound(server);
        await server.restart();
        await assertRecent(world);
    }
    world.over = true;
    world.open();
    await ended;
    const { count, fate } = await assertAll(world);
    await server.halt();
    await assertSound(server);
    const { ledger } = world;
    t.diagnostic(
        `${ROUNDS} kills, ${ledger.acknowledged.size} answered, ${ledger.replays} replays, ` +
            `${ledger.edits} edits, ${ledger.open.size} never answered ` +
            `(of these ${fate} stored), ${count} stored, ${ledger.refused} refused; ` +
            'lost 0, doubled 0',
    );
});

test('killed while it starts for the first time: the next start goes on', async (t) => {
    const choose = choices('first start');
    for (let round = 0; round < 8; round++) {
        const server = new Server({});
        t.after(() => server.stop());
        server.port = await freePort();
        server.spawn();
        await sleep(choose(80));
        await server.kill9();
        await server.start();
        const user = await register(server);
        await makeConversation(user);
        await server.halt();
        await assertSound(server);
    }
});

test('killed after a deletion was answered: nothing is seen, and the wiping goes on', async (t) => {
    const server = await startServer();
    t.after(() => server.stop());
    const user = await register(server);
    const talk = await makeConversation(user);
    const target = `/api/conversations/${talk.id}/`;
    const secret = 'what must not be left behind';
    for (let n = 0; n < 24; n++) {
        const posts = Array.from({ length: 50 }, () =>
            user.post(`${target}messages/`, { message_body: secret }),
        );
        for (const res of await Promise.all(posts)) ok(res, 201);
    }
    assert.equal((await user.delete(target)).status, 204);
    await server.kill9();
    await server.start();
    ok(await user.get(target), 404);
    assert.equal(ok(await user.get('/api/messages/')).count, 0);
    const file = path.join(server.dataDir, 'confab.sqlite3');
    const left = `SELECT count(*) FROM message WHERE body <> ''`;
    let end;
    for (const until = Date.now() + WIPED_MS; Date.now() < until; ) {
        end = await run('sqlite3', ['-cmd', '.timeout 5000', file, left]);
        if (end.stdout.trim() === '0') return;
        await sleep(50);
    }
    assert.fail(`still there: ${end.stdout}${end.stderr}`);
});
