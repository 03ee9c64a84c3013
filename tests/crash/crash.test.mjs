// Kill and restart: sixteen writers over keep-alive connections send messages with a client_id
// while the server is killed (SIGKILL) at random moments, CRASH_ROUNDS times (20). At the end: each
// message that was answered is there exactly once, with the seq that was answered; what was not
// answered is there once or not at all; seq is 1..n without a hole; the database is sound after
// each kill.
// CRASH_SEED repeats the random choices (not the scheduling).
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { test } from 'node:test';

import { makeConversation, register, walk } from '../lib/client.mjs';
import { contains, ok } from '../lib/expect.mjs';
import { removeDir, run, sleep, startServer, tempDir } from '../lib/server.mjs';

const ROUNDS = Number(process.env.CRASH_ROUNDS ?? 20);
const SEED = process.env.CRASH_SEED ?? '1';
const WRITERS = 16;
const CONVERSATIONS = 4;
const CHECKED_EACH_ROUND = 40;

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
    replays = 0;
    refused = 0;
    recent = [];

    answered(entry, res) {
        const body = res.json;
        const before = this.acknowledged.get(entry.clientId);
        if (before)
            contains(body, { id: before.id, seq: before.seq }, 'answered twice, differently');
        contains(body, {
            message_body: entry.text,
            conversation: entry.conversation,
            client_id: entry.clientId,
        });
        const known = {
            id: body.id,
            seq: body.seq,
            conversation: entry.conversation,
            text: entry.text,
        };
        this.acknowledged.set(entry.clientId, known);
        this.recent.push(known);
        this.open.delete(entry.clientId);
        if (res.status === 200) this.replays++;
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

    async post(entry) {
        const { users, ledger } = this.world;
        const user = users[this.number % users.length];
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
            // a few are sent twice although they were answered
            else if (this.choose(10) === 0) await this.post(entry);
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
        contains(body, { seq: known.seq, message_body: known.text });
    }
}

async function assertAll(world) {
    const { ids, ledger, users } = world;
    const stored = new Map();
    let count = 0;
    for (const id of ids) {
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
        contains(detail, { last_seq: rows.length, message_count: rows.length });
        count += rows.length;
        for (const row of rows) {
            assert.ok(!stored.has(row.message_body), `stored twice: ${row.message_body}`);
            stored.set(row.message_body, row);
        }
    }
    for (const known of ledger.acknowledged.values()) {
        const row = stored.get(known.text);
        assert.ok(row, `answered and lost: ${known.text}`);
        contains(row, { id: known.id, seq: known.seq, conversation: known.conversation });
    }
    let fate = 0;
    for (const entry of ledger.open.values()) if (stored.has(entry.text)) fate++;
    assert.equal(count, ledger.acknowledged.size + fate, 'nothing else was stored');
    return { count, fate };
}

test(`${WRITERS} writers, ${ROUNDS} kills`, { timeout: 600_000 }, async (t) => {
    const server = await startServer();
    t.after(() => server.stop());
    const users = [];
    for (let n = 0; n < 4; n++) users.push(await register(server));
    const ids = [];
    for (let n = 0; n < CONVERSATIONS; n++)
        ids.push((await makeConversation(users[0], users.slice(1))).id);
    const world = { ids, users, ledger: new Ledger(), over: false };
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
            `${ledger.open.size} never answered (of these ${fate} stored), ${count} stored, ` +
            `${ledger.refused} refused; lost 0, doubled 0`,
    );
});
