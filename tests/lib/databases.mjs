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

// What an engine provides: sql(text), which prints a row a line with "|" between columns; columnsSql, a row
// of table, column and what tells its type for each column; asText(column, ...), its value as a text that
// does not depend on the engine; line(table, texts), the name and a JSON array behind it.
class Database {
    dir = tempDir();

    // All rows of all tables, by name: each is a list of texts, in the order of the columns' names.
    contents() {
        const columns = new Map();
        for (const row of this.sql(this.columnsSql).split('\n')) {
            const [table, ...column] = row.split('|');
            columns.set(table, [...(columns.get(table) ?? []), this.asText(...column)]);
        }
        const found = Object.fromEntries([...columns.keys()].map((table) => [table, []]));
        const selects = [...columns].map(
            ([table, texts]) => `SELECT ${this.line(table, texts)} FROM "${table}"`,
        );
        for (const row of this.sql(selects.join(';\n')).split('\n')) {
            const start = row.indexOf('[');
            found[row.slice(0, start)].push(JSON.stringify(JSON.parse(row.slice(start))));
        }
        for (const rows of Object.values(found)) rows.sort();
        return found;
    }

    drop() {
        removeDir(this.dir);
    }
}

class File extends Database {
    columnsSql =
        'SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c ' +
        "WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' ORDER BY 1, 2";

    constructor(name) {
        super();
        this.file = path.join(this.dir, `${name}.sqlite3`);
        this.url = `sqlite:///${this.file}`;
    }

    sql(text) {
        return must('sqlite3', ['-cmd', '.timeout 5000', this.file], text).trim();
    }

    hasTable(name) {
        return this.sql(`SELECT 1 FROM sqlite_schema WHERE name = '${name}'`) === '1';
    }

    asText(column) {
        return `CASE typeof("${column}") WHEN 'blob' THEN lower(hex("${column}")) ELSE "${column}" || '' END`;
    }

    line(table, texts) {
        return `'${table}' || json_array(${texts})`;
    }
}

const AS_TEXT = {
    uuid: (c) => `replace("${c}"::text, '-', '')`,
    'timestamp with time zone': (c) => `(extract(epoch from "${c}") * 1000000)::bigint::text`,
    boolean: (c) => `"${c}"::int::text`,
    bytea: (c) => `encode("${c}", 'hex')`,
};

class PostgresDatabase extends Database {
    columnsSql =
        'SELECT table_name, column_name, data_type FROM information_schema.columns ' +
        `WHERE table_schema = 'public' ORDER BY table_name COLLATE "C", column_name COLLATE "C"`;

    constructor(cluster, name) {
        super();
        this.cluster = cluster;
        this.name = name;
        this.url = `postgres://confab@/${name}?host=${cluster.folder}`;
        must(postgresProgram('createdb'), ['-h', cluster.folder, '-U', 'confab', name]);
    }

    sql(text) {
        const args = ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-h', this.cluster.folder, '-U', 'confab'];
        return must(postgresProgram('psql'), [...args, this.name], `${text};\n`).trim();
    }

    hasTable(name) {
        return this.sql(`SELECT 1 FROM pg_tables WHERE tablename = '${name}'`) === '1';
    }

    asText(column, type) {
        return AS_TEXT[type]?.(column) ?? `"${column}"::text`;
    }

    line(table, texts) {
        return `'${table}' || json_build_array(${texts})::text`;
    }
}

const AS_MARIADB_TEXT = {
    binary: (c) => `lower(hex("${c}"))`,
    datetime: (c) => `timestampdiff(MICROSECOND, '1970-01-01', "${c}")`,
};

class MariaDbDatabase extends Database {
    // Columns that are worked out of others are there for indexes that other engines have without them.
    columnsSql =
        'SELECT table_name, column_name, data_type, character_maximum_length ' +
        'FROM information_schema.columns ' +
        "WHERE table_schema = database() AND coalesce(generation_expression, '') = '' " +
        'ORDER BY CAST(table_name AS BINARY), CAST(column_name AS BINARY)';

    constructor(cluster, name) {
        super();
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

    hasTable(name) {
        const text =
            'SELECT 1 FROM information_schema.tables WHERE table_schema = database() ' +
            `AND table_name = '${name}'`;
        return this.sql(text) === '1';
    }

    // Keys are bytes there, which are text but for the column of 32 bytes.
    asText(column, type, length) {
        const kind = type === 'varbinary' && length === '32' ? 'binary' : type;
        const text = AS_MARIADB_TEXT[kind]?.(column) ?? `"${column}"`;
        return `convert(${text} USING utf8mb4)`;
    }

    line(table, texts) {
        return `concat('${table}', json_array(${texts}))`;
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
            : new PostgresDatabase(this.cluster, name);
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
