// MariaDB alone: what every database server must show, and what is its own.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { anonymous, makeConversation, register } from '../lib/client.mjs';
import { testEngine } from '../lib/engine_cases.mjs';
import { ok } from '../lib/expect.mjs';
import { Cluster } from '../lib/mariadb.mjs';
import { Server, freePort, removeDir, runCli, startServer, tempDir } from '../lib/server.mjs';

testEngine(Cluster);

function own(cluster, name) {
    cluster.engine.make(name);
    return { DATABASE_URL: cluster.engine.url(name) };
}

// ca.pem, which has signed server.pem for 127.0.0.1, and other.pem, which has not.
function makeCertificates(folder) {
    const openssl = (...args) => {
        const end = spawnSync('openssl', args, { cwd: folder, encoding: 'utf8' });
        assert.equal(end.status, 0, end.stderr);
    };
    const key = '-newkey rsa:2048 -nodes';
    for (const name of ['ca', 'other']) {
        const files = `-out ${name}.pem -keyout ${name}.key`;
        openssl(...`req -x509 ${key} -subj /CN=${name} ${files}`.split(' '));
    }
    openssl(...`req ${key} -subj /CN=127.0.0.1 -out server.csr -keyout server.key`.split(' '));
    fs.writeFileSync(path.join(folder, 'names'), 'subjectAltName=IP:127.0.0.1');
    const signed = 'x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial';
    openssl(...`${signed} -extfile names -out server.pem`.split(' '));
    fs.chmodSync(folder, 0o755); // the server runs as somebody else
    fs.chmodSync(path.join(folder, 'server.key'), 0o644);
}

describe('a server that flushes nothing, and listens', () => {
    let cluster, folder, port;
    before(async () => {
        folder = tempDir();
        makeCertificates(folder);
        port = await freePort();
        cluster = new Cluster({
            settings: [
                '--skip-networking=0',
                '--bind-address=127.0.0.1',
                `--port=${port}`,
                `--ssl-ca=${folder}/ca.pem`,
                `--ssl-cert=${folder}/server.pem`,
                `--ssl-key=${folder}/server.key`,
            ],
        }).start();
    });
    after(() => {
        cluster?.stop();
        removeDir(folder);
    });

    test('is warned of, and can be named by the variables of Django', async (t) => {
        cluster.engine.make('names');
        const MYSQL_PASSWORD = decodeURIComponent(new URL(cluster.engine.url('names')).password);
        const env = { MYSQL_DATABASE: 'names', MYSQL_USER: 'names', MYSQL_PASSWORD };
        Object.assign(env, { MYSQL_HOST: cluster.socket, DATABASE_URL: '' });
        const server = await startServer({ env });
        t.after(() => server.stop());
        await register(server);
        assert.match(server.log, /innodb_flush_log_at_trx_commit is not 1: a crash of it may lose/);
        const { stdout } = await server.cli(['configuration']);
        assert.match(stdout, /^DATABASE_URL=mysql:\/\/names@localhost:3306\/names {2}# MYSQL_/m);
        assert.match(stdout, /^MYSQL_PASSWORD=\(set\) /m);
        assert.ok(!stdout.includes(MYSQL_PASSWORD));
        const checked = await server.cli(['check']);
        assert.equal(checked.code, 0, checked.stderr);
    });

    test('TLS: asked for, verified, refused', async () => {
        cluster.engine.make('safe');
        const { username, password } = new URL(cluster.engine.url('safe'));
        const user = `${username}@'127.0.0.1'`;
        cluster.engine.run(
            'safe',
            `CREATE USER ${user} IDENTIFIED BY '${decodeURIComponent(password)}' REQUIRE SSL;` +
                `GRANT ALL ON safe.* TO ${user};`,
        );
        const migrate = (host, options) =>
            runCli(['migrate'], {
                env: {
                    DATABASE_URL: `mysql://${username}:${password}@${host}:${port}/safe?${options}`,
                    DATA_DIR: folder,
                },
            });
        for (const [options, wanted] of [
            ['ssl-mode=disabled', /Access denied/],
            [`ssl-ca=${folder}/other.pem`, /[Cc]ertificate/],
            [`ssl-ca=${folder}/ca.pem`, null],
            ['ssl-mode=required', null],
        ]) {
            const end = await migrate('127.0.0.1', options);
            if (wanted) assert.match(end.stderr, wanted, options);
            assert.equal(end.code, wanted ? 1 : 0, `${options}: ${end.stderr}`);
        }
    });

    test('a migration that stopped halfway is found and named', async (t) => {
        const server = await startServer({ env: own(cluster, 'half') });
        t.after(() => server.stop());
        await server.halt();
        const stop = (checksum) =>
            cluster.engine.run(
                'half',
                `UPDATE migration SET checksum = '${checksum}' WHERE number = 2`,
            );
        for (const way of ['up', 'down']) {
            stop(way);
            for (const command of ['migrate', 'serve', 'check']) {
                const end = await server.cli([command]);
                assert.equal(end.code, 1);
                const said = end.stderr + end.stdout;
                assert.match(said, new RegExp(`0002_realtime ${way} stopped halfway`));
                assert.match(said, /put back the backup/);
            }
        }
    });

    test('a migration that fails says how far it came, and so does the next start', async () => {
        const env = { ...own(cluster, 'fails'), DATA_DIR: tempDir() };
        cluster.engine.run('fails', 'CREATE TABLE audit (id INT)'); // the last table of the first
        const first = await runCli(['migrate'], { env });
        assert.equal(first.code, 1);
        assert.match(first.stderr, /0001_initial up stopped halfway.*'audit' already exists/);
        const second = await runCli(['migrate'], { env });
        assert.match(second.stderr, /0001_initial up stopped halfway/);
        removeDir(env.DATA_DIR);
    });

    test('down to nothing and up again', async () => {
        const env = { ...own(cluster, 'steps'), DATA_DIR: tempDir() };
        const seed = 'seed-demo --users 20 --conversations 20 --messages 300';
        for (const args of ['migrate', 'migrate zero', 'migrate', seed, 'check']) {
            const end = await runCli(args.split(' '), { env });
            assert.equal(end.code, 0, `${args}: ${end.stderr}`);
        }
        removeDir(env.DATA_DIR);
    });

    test('a search whatever the case, in every script; emoji too', async (t) => {
        const server = await startServer({ env: own(cluster, 'search') });
        t.after(() => server.stop());
        const user = await register(server);
        const talk = await makeConversation(user, []);
        for (const content of ['ΑΘΗΝΑ', 'МОСКВА', 'Straße', 'ÇİĞ', 'résumé', '😀 Ok'])
            ok(await user.post('/api/messages/', { conversation_id: talk.id, content }), 201);
        const found = async (message_body) =>
            ok(await user.get('/api/messages/', { message_body })).results.map(
                (one) => one.message_body,
            );
        assert.deepEqual(await found('αθηνα'), ['ΑΘΗΝΑ']);
        assert.deepEqual(await found('москва'), ['МОСКВА']);
        assert.deepEqual(await found('STRASSE'), ['Straße']);
        assert.deepEqual(await found('resume'), [], 'accents count');
        assert.deepEqual(await found('😀 OK'), ['😀 Ok']);
        assert.equal((await anonymous(server).get('/ready/')).status, 200);
    });
});
