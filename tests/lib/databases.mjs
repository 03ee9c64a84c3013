// Databases of all engines for the commands that read and fill them, and what is in them in words that
// do not depend on the engine. Nothing of Confab is used to look.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';

import { postgresProgram } from './engine.mjs';
import { Cluster as MariaDb } from './mariadb.mjs';
import { Cluster } from './postgres.mjs';
import { Server, removeDir, runCli, tempDir } from './server.mjs';

function must(program, args, input) {
    const end = spawnSync(program, args, { encoding: 'utf8', input, maxBuffer: 1 << 30 });
    assert.equal(end.status, 0, `${program}: ${end.error ?? end.stderr}`);
    return end.stdout;
}

class File {
    constructor(name) {
        this.dir = tempDir();
        this.file = path.join(this.dir, `${name}.sqlite3`);
        this.url = `sqlite:///${this.file}`;
    }

    sql(text) {
        return must('sqlite3', ['-cmd', '.timeout 5000', this.file], text).trim();
    }

    tables() {
        const text =
            "SELECT name FROM sqlite_schema WHERE type = 'table' " +
            "AND name NOT LIKE 'sqlite_%' ORDER BY name";
        return this.sql(text).split('\n');
    }

    // Each row is a list of texts, in the order of the columns' names.
    rows(table) {
        const columns = this.sql(`SELECT name FROM pragma_table_info('${table}') ORDER BY name`);
        const texts = columns
            .split('\n')
            .map((c) => `CASE typeof("${c}") WHEN 'blob' THEN lower(hex("${c}")) ELSE "${c}" || '' END`);
        const rows = this.sql(`SELECT json_group_array(json_array(${texts})) FROM "${table}"`);
        return JSON.parse(rows).map((row) => JSON.stringify(row)).sort();
    }

    drop() {
        removeDir(this.dir);
    }
}

const AS_TEXT = {
    uuid: (c) => `replace("${c}"::text, '-', '')`,
    'timestamp with time zone': (c) => `(extract(epoch from "${c}") * 1000000)::bigint::text`,
    boolean: (c) => `"${c}"::int::text`,
    bytea: (c) => `encode("${c}", 'hex')`,
};

class Database {
    constructor(cluster, name) {
        this.dir = tempDir();
        this.cluster = cluster;
        this.name = name;
        this.url = `postgres://confab@/${name}?host=${cluster.folder}`;
        must(postgresProgram('createdb'), ['-h', cluster.folder, '-U', 'confab', name]);
    }

    sql(text) {
        const args = ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-h', this.cluster.folder, '-U', 'confab'];
        return must(postgresProgram('psql'), [...args, this.name], `${text};\n`).trim();
    }

    tables() {
        const text = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1";
        return this.sql(text).split('\n');
    }

    rows(table) {
        const columns = this.sql(
            'SELECT column_name, data_type FROM information_schema.columns ' +
                `WHERE table_name = '${table}' ORDER BY column_name COLLATE "C"`,
        );
        const texts = columns.split('\n').map((line) => {
            const [name, type] = line.split('|');
            return AS_TEXT[type]?.(name) ?? `"${name}"::text`;
        });
        const rows = this.sql(`SELECT json_agg(json_build_array(${texts})) FROM "${table}"`);
        return (rows ? JSON.parse(rows) : []).map((row) => JSON.stringify(row)).sort();
    }

    drop() {
        removeDir(this.dir);
    }
}

const AS_MARIADB_TEXT = {
    binary: (c) => `lower(hex("${c}"))`,
    datetime: (c) => `timestampdiff(MICROSECOND, '1970-01-01', "${c}")`,
};

class MariaDbDatabase {
    constructor(cluster, name) {
        this.dir = tempDir();
        this.cluster = cluster;
        this.name = name;
        this.url = cluster.engine.url(name);
        cluster.engine.make(name);
    }

    sql(text) {
        const [program, ...args] = this.cluster.engine.shell(this.name);
        const modes = "SET NAMES utf8mb4; SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES';";
        return must(program, [...args, '-r', '--default-character-set=utf8mb4'], `${modes}${text};\n`)
            .replaceAll('\t', '|')
            .trim();
    }

    tables() {
        const text =
            'SELECT table_name FROM information_schema.tables WHERE table_schema = database() ' +
            'ORDER BY CAST(table_name AS BINARY)';
        return this.sql(text).split('\n');
    }

    // Keys are bytes there, which are text but for the column of 32 bytes. Columns that are worked out of
    // others are there for indexes that other engines have without them.
    rows(table) {
        const columns = this.sql(
            'SELECT column_name, data_type, character_maximum_length FROM information_schema.columns ' +
                `WHERE table_schema = database() AND table_name = '${table}' ` +
                "AND coalesce(generation_expression, '') = '' " +
                'ORDER BY CAST(column_name AS BINARY)',
        );
        const texts = columns.split('\n').map((line) => {
            const [name, type, length] = line.split('|');
            const kind = type === 'varbinary' && length === '32' ? 'binary' : type;
            const text = AS_MARIADB_TEXT[kind]?.(name) ?? `"${name}"`;
            return `convert(${text} USING utf8mb4)`;
        });
        // Not JSON_ARRAYAGG: it is cut at group_concat_max_len.
        const rows = this.sql(`SELECT json_array(${texts}) FROM "${table}"`);
        return rows.split('\n').filter(Boolean).map((row) => JSON.stringify(JSON.parse(row))).sort();
    }

    drop() {
        removeDir(this.dir);
    }
}

// A cluster for the whole file, and databases in it and beside it, each with a folder of its own; one of
// MariaDB once it is wanted. The caller stops it.
export class Databases {
    made = [];

    constructor() {
        this.cluster = new Cluster();
        this.cluster.start();
    }

    make(engine) {
        const name = `db${this.made.length}`;
        const one =
            engine === 'sqlite' ? new File(name)
            : engine === 'mariadb' ? new MariaDbDatabase(this.startMariaDb(), name)
            : new Database(this.cluster, name);
        this.made.push(one);
        return one;
    }

    startMariaDb() {
        this.mariadb ??= new MariaDb().start();
        return this.mariadb;
    }

    stop() {
        for (const one of this.made) one.drop();
        this.cluster.stop();
        this.mariadb?.stop();
    }
}

const env = (database) => ({ DATA_DIR: database.dir, DATABASE_URL: database.url });

export function serve(database) {
    return new Server({ dir: database.dir, env: env(database) }).start();
}

// A command with the settings of a server on that database.
export function command(database, args, more = {}) {
    return runCli(args, { cwd: database.dir, env: { ...env(database), ...more } });
}

export async function good(database, args, more) {
    const end = await command(database, args, more);
    assert.equal(end.code, 0, `confab ${args.join(' ')}: ${end.stdout}${end.stderr}`);
    return end.stdout;
}

export async function bad(database, args, more) {
    const end = await command(database, args, more);
    assert.ok(end.code > 0, `confab ${args.join(' ')} should fail: ${end.stdout}`);
    return end.stderr;
}
