// The database servers that tests may store on, each in the folder of a private cluster (postgres.mjs,
// mariadb.mjs): making databases, and the words of the engine.
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

function must([program, ...args], input = '') {
    const end = spawnSync(program, args, { encoding: 'utf8', input });
    if (end.status !== 0) throw new Error(`${program} ${args}: ${end.error ?? end.stderr}`);
}

const DEBIAN = '/usr/lib/postgresql';

function findPrograms() {
    if (!fs.existsSync(DEBIAN)) return '';
    const versions = fs.readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a));
    return path.join(DEBIAN, versions[0] ?? '', 'bin');
}

const PROGRAMS = findPrograms();

// Where Debian has it: servers' programs are in nobody's path, and those in it are scripts that look for
// these.
export const postgresProgram = (name) => path.join(PROGRAMS, name);

// Databases go with their cluster.
export const postgresIn = (folder) => ({
    make(name) {
        must([postgresProgram('createdb'), '-h', folder, '-U', 'confab', name]);
    },
    url: (name) => `postgres://confab@/${name}?host=${folder}`,
    shell: (name) => [postgresProgram('psql'), '-XAtq', '-h', folder, '-U', 'confab', name],
    id: (id) => `'${id}'`,
    migrating: 'SELECT pg_advisory_lock(7165063301)', // what who migrates begins with
});

const MARIADB_PASSWORD = 'a/b:c@d'; // to be encoded in a URL

// Each database has a user who has no other right.
export function mariadbIn(folder) {
    const socket = path.join(folder, 'socket');
    const root = ['mariadb', '--no-defaults', '-uroot', '-NB', '-n', `-S${socket}`];
    return {
        // As the administrator.
        run(name, text) {
            must([...root, name], text);
        },
        make(name) {
            must(
                root,
                `CREATE DATABASE ${name};` +
                    `CREATE USER ${name}@localhost IDENTIFIED BY '${MARIADB_PASSWORD}';` +
                    `GRANT ALL ON ${name}.* TO ${name}@localhost;`,
            );
        },
        url(name) {
            const password = encodeURIComponent(MARIADB_PASSWORD);
            return `mysql://${name}:${password}@localhost/${name}?socket=${socket}`;
        },
        shell: (name) => [...root, name],
        id: (id) => `x'${id.replaceAll('-', '')}'`,
        migrating: "SELECT GET_LOCK(CONCAT('confab/', MD5(DATABASE())), 0)",
    };
}

const { CONFAB_TEST_POSTGRES, CONFAB_TEST_MARIADB } = process.env;

// null: SQLite's file in the server's folder.
export const ENGINE =
    (CONFAB_TEST_POSTGRES && postgresIn(CONFAB_TEST_POSTGRES)) ||
    (CONFAB_TEST_MARIADB && mariadbIn(CONFAB_TEST_MARIADB)) ||
    null;

export function makeDatabase() {
    const name = `t${randomBytes(8).toString('hex')}`;
    ENGINE.make(name);
    return name;
}
