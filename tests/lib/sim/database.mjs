// The database file itself, read with the sqlite3 program: what is stored, whatever the server
// says.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

import { removeDir, tempDir } from '../server.mjs';

const NAME = 'confab.sqlite3';
const BETWEEN = '--between--';

export const databaseFile = (server) => path.join(server.dataDir, NAME);

// Runs a script; resolves to what it printed.
export function sqlite(file, script, options = []) {
    return new Promise((resolve, reject) => {
        const child = spawn('sqlite3', [...options, file], { stdio: ['pipe', 'pipe', 'pipe'] });
        const parts = [];
        const complaints = [];
        child.stdout.on('data', (part) => parts.push(part));
        child.stderr.on('data', (part) => complaints.push(part));
        child.once('error', reject);
        child.once('close', (code) => {
            const problem = Buffer.concat(complaints).toString('utf8');
            if (code === 0 && problem === '') resolve(Buffer.concat(parts).toString('utf8'));
            else reject(new Error(`sqlite3 ended with ${code}: ${problem.slice(0, 500)}`));
        });
        child.stdin.end(`.timeout 20000\n${script}`);
    });
}

const TABLES = {
    accounts: `SELECT hex(id) AS id, first_name, username FROM account;`,
    talks: `SELECT hex(id) AS id, title, closed_at, deleted_at, last_seq, message_count,
                   participant_count, rev, stamp FROM conversation;`,
    members: `SELECT hex(conversation_id) AS talk, hex(user_id) AS user, role, left_at, read_seq,
                     muted_until, archived, pinned, rev, stamp, joined_stamp FROM participant;`,
    messages: `SELECT hex(conversation_id) AS talk, seq, hex(id) AS id, hex(sender_id) AS sender,
                      body, hex(client_id) AS client_id, hex(reply_to) AS reply_to, edited_at,
                      deleted_at, pinned_at, rev, stamp, sent_stamp FROM message
               ORDER BY conversation_id, seq;`,
    changes: `SELECT hex(conversation_id) AS talk, rev, stamp, kind FROM change_log
              WHERE rev > 0 AND conversation_id IS NOT NULL;`,
    shards: `SELECT id, stamp FROM shard;`,
};

function uuid(hex) {
    if (hex === '' || hex === null) return null;
    const text = hex.toLowerCase();
    const cuts = [0, 8, 12, 16, 20, 32];
    return cuts.slice(1).map((end, n) => text.slice(cuts[n], end)).join('-');
}

const IDS = ['id', 'talk', 'user', 'sender', 'client_id', 'reply_to'];

// Ids that come often are converted once.
function readRows(text, known) {
    if (text.trim() === '') return [];
    const rows = JSON.parse(text);
    for (const row of rows) {
        for (const name of IDS) {
            if (typeof row[name] !== 'string') continue;
            if (!known.has(row[name])) known.set(row[name], uuid(row[name]));
            row[name] = known.get(row[name]);
        }
    }
    return rows;
}

// All of one snapshot.
export async function readDatabase(file) {
    const selects = Object.values(TABLES).join(`\n.print ${BETWEEN}\n`);
    const text = await sqlite(file, `BEGIN;\n${selects}\nCOMMIT;\n`, ['-readonly', '-json']);
    const known = new Map();
    const parts = text.split(BETWEEN).map((part) => readRows(part, known));
    return new Stored(Object.fromEntries(Object.keys(TABLES).map((name, n) => [name, parts[n]])));
}

function group(rows, key) {
    const groups = new Map();
    for (const row of rows) {
        const name = key(row);
        if (!groups.has(name)) groups.set(name, []);
        groups.get(name).push(row);
    }
    return groups;
}

// The rows, with the ways that the oracle takes through them.
export class Stored {
    constructor(tables) {
        Object.assign(this, tables);
        this.talkById = new Map(this.talks.map((row) => [row.id, row]));
        this.accountById = new Map(this.accounts.map((row) => [row.id, row]));
        this.messagesOf = group(this.messages, (row) => row.talk);
        this.membersOf = group(this.members, (row) => row.talk);
        this.changesOf = group(this.changes, (row) => row.talk);
    }

    messagesIn(talk) {
        return this.messagesOf.get(talk) ?? [];
    }

    // Those who are in it now.
    membersIn(talk) {
        return (this.membersOf.get(talk) ?? []).filter((row) => row.left_at === null);
    }

    livingTalks() {
        return this.talks.filter((row) => row.deleted_at === null);
    }
}

// Looks at a copy, so that the server itself has to recover the original.
export async function withCopy(server, look) {
    const copy = tempDir('confab-sim-');
    try {
        for (const name of [NAME, `${NAME}-wal`]) {
            const from = path.join(server.dataDir, name);
            if (fs.existsSync(from)) fs.copyFileSync(from, path.join(copy, name));
        }
        return await look(path.join(copy, NAME));
    } finally {
        removeDir(copy);
    }
}

export const checkIntegrity = (file) =>
    sqlite(file, 'PRAGMA integrity_check; PRAGMA foreign_key_check;');

// --- backups ---

// Beside the database: how far clients have been told (docs/operations.md).
const MARK = '-mark';

function copyIfThere(from, to) {
    fs.rmSync(to, { force: true });
    if (fs.existsSync(from)) fs.copyFileSync(from, to);
}

// Of a server that runs.
export async function backUpRunning(server, to) {
    fs.rmSync(`${to}-wal`, { force: true });
    copyIfThere(databaseFile(server) + MARK, to + MARK);
    fs.rmSync(to, { force: true });
    await sqlite(databaseFile(server), `VACUUM INTO '${to}';`);
}

// Of one that was killed: the file and its log, as they lie there.
export function backUpStopped(server, to) {
    for (const end of ['', '-wal', MARK]) copyIfThere(databaseFile(server) + end, to + end);
}

// While the server is down. `withMark`: as with a snapshot of the whole machine, after which
// nothing on it can tell that it has gone back.
export function putBack(server, from, withMark) {
    const file = databaseFile(server);
    fs.rmSync(`${file}-shm`, { force: true });
    for (const end of ['', '-wal']) copyIfThere(from + end, file + end);
    if (withMark) copyIfThere(from + MARK, file + MARK);
}
