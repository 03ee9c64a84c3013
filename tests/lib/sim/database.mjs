// The database itself, read with the engine's own shell: what is stored, whatever the server says.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

import { removeDir, tempDir } from '../server.mjs';

const NAME = 'confab.sqlite3';
const BETWEEN = '--between--';

export const databaseFile = (server) => path.join(server.dataDir, NAME);

// Runs a script in a shell; resolves to what it printed.
export function runScript([program, ...args], script) {
    return new Promise((resolve, reject) => {
        const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
        const parts = [];
        const complaints = [];
        child.stdout.on('data', (part) => parts.push(part));
        child.stderr.on('data', (part) => complaints.push(part));
        child.once('error', reject);
        child.once('close', (code) => {
            const problem = Buffer.concat(complaints).toString('utf8');
            if (code === 0 && problem === '') resolve(Buffer.concat(parts).toString('utf8'));
            else reject(new Error(`${program} ended with ${code}: ${problem.slice(0, 500)}`));
        });
        child.stdin.end(script);
    });
}

const fileShell = (file, options = []) => ['sqlite3', ...options, file];

export const sqlite = (file, script, options) =>
    runScript(fileShell(file, options), `.timeout 20000\n${script}`);

// How an engine says what is read: a row as a JSON object, an id, a time in microseconds.
const WORDS = {
    sqlite: {
        begin: 'BEGIN',
        object: 'json_object',
        id: (column) => `hex(${column})`,
        time: (column) => column,
    },
    postgres: {
        begin: 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
        object: 'json_build_object',
        id: (column) => `replace(${column}::text, '-', '')`,
        time: (column) => `(extract(epoch FROM ${column}) * 1000000)::bigint`,
    },
    mariadb: {
        begin: 'START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY',
        object: 'json_object',
        id: (column) => `hex(${column})`,
        time: (column) => `timestampdiff(MICROSECOND, '1970-01-01', ${column})`,
    },
};

// `ids`: the name in the row -> the column.
const TABLES = {
    accounts: { from: 'account', ids: { id: 'id' }, plain: ['first_name', 'username'] },
    talks: {
        from: 'conversation ORDER BY id',
        ids: { id: 'id' },
        times: ['closed_at', 'deleted_at'],
        plain: ['title', 'last_seq', 'message_count', 'participant_count', 'rev', 'stamp'],
    },
    members: {
        from: 'participant ORDER BY conversation_id, user_id',
        ids: { talk: 'conversation_id', user: 'user_id' },
        times: ['left_at', 'muted_until'],
        plain: ['role', 'read_seq', 'archived', 'pinned', 'rev', 'stamp', 'joined_stamp'],
    },
    messages: {
        from: 'message ORDER BY conversation_id, seq',
        ids: {
            talk: 'conversation_id',
            id: 'id',
            sender: 'sender_id',
            client_id: 'client_id',
            reply_to: 'reply_to',
        },
        times: ['edited_at', 'deleted_at', 'pinned_at'],
        plain: ['seq', 'body', 'rev', 'stamp', 'sent_stamp'],
    },
    changes: {
        from: 'change_log WHERE rev > 0 AND conversation_id IS NOT NULL',
        ids: { talk: 'conversation_id' },
        plain: ['rev', 'stamp', 'kind'],
    },
    shards: { from: 'shard', plain: ['id', 'stamp'] },
};

function selectOf({ from, ids = {}, times = [], plain }, words) {
    const pairs = [
        ...Object.entries(ids).map(([name, column]) => [name, words.id(column)]),
        ...times.map((column) => [column, words.time(column)]),
        ...plain.map((column) => [column, column]),
    ];
    return `SELECT ${words.object}(${pairs.map(([name, value]) => `'${name}', ${value}`)}) FROM ${from};`;
}

// SQLite's hex(NULL) is empty.
function uuid(hex) {
    if (hex === '') return null;
    const text = hex.toLowerCase();
    const cuts = [0, 8, 12, 16, 20, 32];
    return cuts.slice(1).map((end, n) => text.slice(cuts[n], end)).join('-');
}

const IDS = ['id', 'talk', 'user', 'sender', 'client_id', 'reply_to'];

// A line is a row. Ids that come often are converted once.
function readRows(text, known) {
    const rows = text.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line));
    for (const row of rows) {
        for (const name of IDS) {
            if (typeof row[name] !== 'string') continue;
            if (!known.has(row[name])) known.set(row[name], uuid(row[name]));
            row[name] = known.get(row[name]);
        }
    }
    return rows;
}

// All of one snapshot. `shell`: the command line of the engine's.
export async function readRowsBy(shell, engine) {
    const words = WORDS[engine];
    const selects = Object.values(TABLES)
        .map((table) => selectOf(table, words))
        .join(`\nSELECT '${BETWEEN}';\n`);
    const text = await runScript(shell, `${words.begin};\n${selects}\nCOMMIT;\n`);
    const known = new Map();
    const parts = text.split(`${BETWEEN}\n`).map((part) => readRows(part, known));
    return new Stored(Object.fromEntries(Object.keys(TABLES).map((name, n) => [name, parts[n]])));
}

export const readDatabase = (file) =>
    readRowsBy(fileShell(file, ['-readonly', '-cmd', '.timeout 20000']), 'sqlite');

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
        this.stampOf = new Map(this.shards.map((row) => [row.id, row.stamp]));
        this.changesOf = group(this.changes, (row) => row.talk);
    }

    messagesIn(talk) {
        return this.messagesOf.get(talk) ?? [];
    }

    // Those who are in it now.
    membersIn(talk) {
        return (this.membersOf.get(talk) ?? []).filter((row) => row.left_at === null);
    }

    // The number of the newest commit that can have changed it.
    newestStamp(talk) {
        return this.stampOf.get(parseInt(talk.slice(-2), 16) % this.shards.length);
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
