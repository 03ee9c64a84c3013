// The commands beside serve: migrate, createsuperuser, changepassword, check, version, openapi.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';

import { PASSWORD, anonymous, login, makeAdmin, register } from '../lib/client.mjs';
import { contains, ok, unauthorized } from '../lib/expect.mjs';
import { Server, removeDir, run, runCli, startServer, tempDir } from '../lib/server.mjs';

// A folder with its data in it, removed after the test; and the command in it.
function place(t, extra = {}) {
    const dir = tempDir();
    t.after(() => removeDir(dir));
    const dataDir = path.join(dir, 'data');
    const env = { DATA_DIR: dataDir, PASSWORD_ITERATIONS: '1000', ...extra };
    const cli = (args, more = {}, options = {}) =>
        runCli(args, { cwd: dir, env: { ...env, ...more }, ...options });
    const good = async (args, more) => {
        const end = await cli(args, more);
        assert.equal(end.code, 0, `confab ${args.join(' ')}: ${end.stderr}`);
        return end.stdout;
    };
    const bad = async (args, more) => {
        const end = await cli(args, more);
        assert.ok(end.code > 0, `confab ${args.join(' ')} should fail: ${end.stdout}`);
        assert.notEqual(end.stderr.trim(), '', 'it says why');
        return end.stderr;
    };
    const file = path.join(dataDir, 'confab.sqlite3');
    const sql = async (text) => {
        const end = await run('sqlite3', [file, text]);
        assert.equal(end.code, 0, end.stderr);
        return end.stdout.trim();
    };
    return { dir, dataDir, env, cli, good, bad, file, sql };
}

describe('help and version', () => {
    test('version', async (t) => {
        assert.match(await place(t).good(['version']), /\d+\.\d+/);
    });

    test('--help names the commands and the settings', async (t) => {
        const text = await place(t).good(['--help']);
        for (const word of [
            'serve',
            'migrate',
            'createsuperuser',
            'changepassword',
            'check',
            'seed-demo',
            'move',
            'import-django',
            'version',
        ]) {
            assert.ok(text.includes(word), word);
        }
        for (const word of ['--port', '--data-dir', '--allowed-hosts', 'SECRET_KEY'])
            assert.ok(text.includes(word), word);
        assert.match(text, /--http-threads 4 is HTTP_THREADS=4/);
        for (const word of ['serve', 'migrate', 'createsuperuser', 'check', 'seed-demo', 'move']) {
            assert.match(await place(t).good([word, '--help']), new RegExp(`confab ${word}`));
        }
    });

    test('no command, an unknown one', async (t) => {
        const { cli, bad } = place(t);
        const end = await cli([]);
        assert.match(end.stdout + end.stderr, /serve/);
        assert.match(await bad(['servee']), /servee/);
    });
});

describe('migrate', () => {
    const rows = (text) =>
        [...text.matchAll(/\[( |X|x)\]\s+(\S+)/g)].map(([, mark, name]) => ({
            name,
            on: mark !== ' ',
        }));

    test('up, listed, down, up again', async (t) => {
        const { good, sql } = place(t);
        const before = rows(await good(['migrate', '--list']));
        assert.ok(before.length > 0 && before.every((row) => !row.on), 'nothing applied at first');
        const plan = await good(['migrate', '--plan']);
        for (const row of before) assert.ok(plan.includes(row.name), `${row.name} in the plan`);
        assert.ok(
            rows(await good(['migrate', '--list'])).every((row) => !row.on),
            'a plan changes nothing',
        );
        await good(['migrate']);
        assert.ok(rows(await good(['migrate', '--list'])).every((row) => row.on));
        const tables = await sql("SELECT count(*) FROM sqlite_schema WHERE type = 'table'");
        await good(['migrate', 'zero']);
        assert.ok(rows(await good(['migrate', '--list'])).every((row) => !row.on));
        const left = await sql(
            'SELECT group_concat(name) FROM sqlite_schema ' +
                "WHERE type IN ('table', 'index', 'trigger') " +
                "AND name NOT LIKE 'sqlite_%' AND tbl_name != 'migration'",
        );
        assert.equal(left, '', 'down leaves nothing');
        await good(['migrate']);
        assert.equal(await sql("SELECT count(*) FROM sqlite_schema WHERE type = 'table'"), tables);
        await good(['migrate']);
    });

    test('what SQLite was once told of few rows does not outlive new indexes', async (t) => {
        const { dir, good, sql } = place(t);
        const user = ['createsuperuser', '--noinput', '--email', 'ann@example.com'];
        const statistics = () =>
            sql("SELECT count(*) FROM sqlite_schema WHERE name = 'sqlite_stat1'");
        await good(['migrate']);
        await good(user, { CONFAB_SUPERUSER_PASSWORD: PASSWORD });
        await good(['migrate', '0005']);
        await sql('ANALYZE');
        assert.equal(await statistics(), '1');
        await good(['migrate', '0005']);
        assert.equal(await statistics(), '1', 'nothing was migrated');
        await good(['migrate']);
        assert.equal(await statistics(), '0');
        await good(['migrate', '0005']);
        await sql('ANALYZE');
        const server = await new Server({ dir }).start();
        t.after(() => server.stop());
        assert.equal(await statistics(), '0', 'the server migrates by itself');
    });

    test('to a target by number', async (t) => {
        const { good, bad } = place(t);
        const [first] = rows(await good(['migrate', '--list']));
        await good(['migrate', first.name.slice(0, 4)]);
        const after = rows(await good(['migrate', '--list']));
        assert.deepEqual(
            after.map((row) => row.on),
            after.map((_, n) => n === 0),
        );
        assert.match(await bad(['migrate', '9999']), /9999/);
        assert.match(await bad(['migrate', 'nonsense']), /nonsense/);
    });

    test('data goes through a restart, and serve migrates by itself', async (t) => {
        const { dir, good, sql } = place(t);
        const server = await new Server({ dir }).start();
        t.after(() => server.stop());
        const user = await register(server);
        await good(['migrate']);
        ok(await user.get('/api/users/me/'));
        assert.equal(await sql('PRAGMA integrity_check'), 'ok');
        assert.equal(await sql('PRAGMA foreign_key_check'), '');
    });

    test('with AUTO_MIGRATE=0 an empty database is not served', async (t) => {
        const end = await place(t).cli(['serve'], { AUTO_MIGRATE: '0', PORT: 0 });
        assert.ok(end.code > 0);
        assert.match(end.stderr, /migrate/);
    });

    test('a database that is newer than the program is refused', async (t) => {
        const { good, bad, sql, cli } = place(t);
        await good(['migrate']);
        await sql(
            'CREATE TEMP TABLE m AS SELECT * FROM migration LIMIT 1; ' +
                "UPDATE m SET number = 9999, name = '9999_future'; " +
                'INSERT INTO migration SELECT * FROM m;',
        );
        assert.match(await bad(['migrate']), /newer/);
        const end = await cli(['serve'], { PORT: 0 });
        assert.ok(end.code > 0);
        assert.match(end.stderr, /newer/);
    });

    test('a migration that was changed after it was applied is refused', async (t) => {
        const { good, bad, sql } = place(t);
        await good(['migrate']);
        await sql("UPDATE migration SET checksum = substr(checksum, 2) || '0'");
        assert.match(await bad(['migrate']), /checksum|changed|differ/i);
    });
});

describe('createsuperuser', () => {
    const args = (username, ...more) => [
        'createsuperuser',
        '--email',
        `${username}@example.com`,
        '--username',
        username,
        '--noinput',
        ...more,
    ];

    test('with the password from the environment, once there is a database', async (t) => {
        const { dir, good, bad, file, sql } = place(t);
        const password = { CONFAB_SUPERUSER_PASSWORD: PASSWORD };
        assert.match(await bad(args('root'), password), /run `confab migrate`/);
        assert.ok(!fs.existsSync(file));
        await good(['migrate']);
        await good(args('root'), password);
        await good(args('root2'), { DJANGO_SUPERUSER_PASSWORD: PASSWORD });
        const server = await new Server({ dir }).start();
        t.after(() => server.stop());
        for (const name of ['root', 'root2']) {
            contains(ok(await (await login(server, name)).get('/api/users/me/')), {
                role: 'admin',
            });
        }
        const other = await makeAdmin(server);
        ok(await other.get('/api/users/'));
        assert.equal(await sql('PRAGMA integrity_check'), 'ok');
    });

    test('refuses what registration refuses', async (t) => {
        const { good, bad } = place(t);
        const password = { CONFAB_SUPERUSER_PASSWORD: PASSWORD };
        await good(['migrate']);
        await good(args('root'), password);
        await bad(args('root'), password);
        await bad(args('ROOT'), password);
        await bad(args('other'));
        await bad(['createsuperuser', '--email', 'no', '--username', 'x', '--noinput'], password);
        await bad(
            ['createsuperuser', '--email', 'a@example.com', '--username', 'a@b', '--noinput'],
            password,
        );
        await bad(['createsuperuser', '--noinput'], password);
    });

    test('says nothing of the password', async (t) => {
        const { cli, good } = place(t);
        await good(['migrate']);
        const end = await cli(args('root'), { CONFAB_SUPERUSER_PASSWORD: PASSWORD });
        assert.ok(!(end.stdout + end.stderr).includes(PASSWORD));
    });
});

describe('changepassword', () => {
    test('takes two lines from standard input; old sessions end', async (t) => {
        const server = await startServer();
        t.after(() => server.stop());
        const user = await register(server);
        const change = (name, input) => server.cli(['changepassword', name], { input });
        const next = 'Changed-pass-5';
        const end = await change(user.username, `${next}\n${next}\n`);
        assert.equal(end.code, 0, end.stderr);
        assert.ok(!(end.stdout + end.stderr).includes(next));
        await login(server, user.username, next);
        const old = { username: user.username, password: PASSWORD };
        unauthorized(await anonymous(server).post('/api/token/', old));
        unauthorized(
            await anonymous(server).post('/api/token/refresh/', { refresh: user.refresh }),
        );
    });

    test('two that differ, a weak one, an unknown user', async (t) => {
        const server = await startServer();
        t.after(() => server.stop());
        const user = await register(server);
        const change = (name, input) => server.cli(['changepassword', name], { input });
        for (const [name, input] of [
            [user.username, 'Changed-pass-5\nChanged-pass-6\n'],
            [user.username, '12345\n12345\n'],
            ['nobody', 'Changed-pass-5\nChanged-pass-5\n'],
            [user.username, ''],
        ]) {
            const end = await change(name, input);
            assert.ok(end.code > 0, `${name}: ${end.stdout}`);
            assert.notEqual(end.stderr.trim(), '');
        }
        await login(server, user.username);
    });
});

describe('check', () => {
    test('is content with the defaults', async (t) => {
        const { good } = place(t);
        await good(['migrate']);
        await good(['check']);
    });

    test('finds a bad setting', async (t) => {
        assert.match(await place(t).bad(['check'], { PORT: 'abc' }), /PORT/);
    });

    test('finds settings that do not go together', async (t) => {
        const { good, bad } = place(t);
        await good(['migrate']);
        const replica = { DATABASE_REPLICA_URL: 'postgres://replica/chat' };
        assert.match(await bad(['check'], replica), /E004.*DATABASE_REPLICA_URL/);
    });

    test('--deploy warns as Django does', async (t) => {
        const { good, cli } = place(t);
        await good(['migrate']);
        const end = await cli(['check', '--deploy'], {
            DEBUG: '1',
            SECRET_KEY: 'short',
            ALLOWED_HOSTS: '*',
        });
        const text = end.stdout + end.stderr;
        for (const word of ['DEBUG', 'SECRET_KEY', 'ALLOWED_HOSTS'])
            assert.ok(text.includes(word), text);
        assert.ok(!text.includes('short\n'), 'not the key itself');
    });
});

describe('openapi and seed-demo', () => {
    test('openapi prints the document, needs no database, and knows two formats', async (t) => {
        const { good, bad, dataDir } = place(t);
        assert.equal(JSON.parse(await good(['openapi'])).openapi, '3.1.0');
        assert.match(await good(['openapi', '--format', 'yaml']), /^openapi: "3.1.0"\ninfo:\n/);
        assert.match(await bad(['openapi', '--format', 'xml']), /json and yaml, not "xml"/);
        assert.ok(!fs.existsSync(dataDir));
    });

    test('seed-demo prints a login that works', async (t) => {
        const { dir, good, sql } = place(t);
        const text = await good([
            'seed-demo',
            '--users',
            '10',
            '--conversations',
            '12',
            '--messages',
            '200',
        ]);
        assert.match(text, /@/);
        assert.match(text, /demo-Passw0rd|password/i);
        assert.equal(await sql('PRAGMA integrity_check'), 'ok');
        assert.equal(await sql('PRAGMA foreign_key_check'), '');
        const server = await new Server({ dir }).start();
        t.after(() => server.stop());
        const email = /[\w.+-]+@[\w.-]+\.\w+/.exec(text)[0];
        const password =
            /demo-Passw0rd/.exec(text)?.[0] ??
            text.split(/\s+/).find((word) => /[A-Z]/.test(word) && /\d/.test(word));
        const user = await login(server, email, password);
        const users = ok(await user.get('/api/users/', { page_size: 100 }));
        assert.ok(users.count >= 10);
        const mine = ok(await user.get('/api/conversations/', { page_size: 100 }));
        assert.ok(mine.count > 0);
        for (const row of mine.results) assert.equal(row.message_count <= row.last_seq, true);
        assert.ok(fs.existsSync(path.join(dir, 'data')));
    });
});
