// A MariaDB server of its own in a temporary folder, reached by a socket in it; never one that happens
// to run.
//
//     node tests/lib/mariadb.mjs node --test tests/api/users.test.mjs
//
// runs a command with CONFAB_TEST_MARIADB set, so that its servers store there (server.mjs).
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { mariadbIn } from './engine.mjs';
import { removeDir, sleep, tempDir } from './server.mjs';

const START_MS = 60_000;

export class Cluster {
    // `isSafe`: commits are flushed, as they are in production; what does not die needs it not.
    // `settings`: further options of mariadbd.
    constructor({ isSafe = false, settings = [] } = {}) {
        this.folder = tempDir('confab-my-');
        this.engine = mariadbIn(this.folder);
        this.socket = path.join(this.folder, 'socket');
        this.user = process.geteuid() === 0 ? ['--user=mysql'] : []; // mariadbd refuses root
        if (this.user.length) this.must(['chown', 'mysql', this.folder]);
        this.settings = [
            ...this.user,
            `--datadir=${path.join(this.folder, 'data')}`,
            `--socket=${this.socket}`,
            `--log-error=${path.join(this.folder, 'log')}`,
            '--skip-networking',
            '--skip-name-resolve',
            '--skip-performance-schema',
            '--max-connections=300',
            '--key-buffer-size=1M',
            '--aria-pagecache-buffer-size=8M',
            '--innodb-buffer-pool-size=64M',
            '--innodb-log-file-size=16M',
            `--innodb-flush-log-at-trx-commit=${isSafe ? 1 : 0}`,
            ...settings,
        ];
        const wishes = ['--auth-root-authentication-method=normal', '--skip-test-db'];
        this.must(['mariadb-install-db', '--no-defaults', ...this.settings, ...wishes]);
    }

    must([program, ...args]) {
        const end = spawnSync(program, args, { encoding: 'utf8' });
        if (end.status !== 0) throw new Error(`${program} ${args}: ${end.error ?? end.stderr}`);
        return end.stdout;
    }

    get answers() {
        const options = ['--no-defaults', '-uroot', `-S${this.socket}`];
        return spawnSync('mariadb-admin', [...options, '--silent', 'ping']).status === 0;
    }

    spawn() {
        const options = ['--no-defaults', ...this.settings];
        this.child = spawn('mariadbd', options, { stdio: 'ignore' });
        this.until = Date.now() + START_MS;
    }

    get isReady() {
        if (this.answers) return true;
        if (Date.now() > this.until) throw new Error(`mariadbd does not start, see ${this.folder}`);
        return false;
    }

    start() {
        this.spawn();
        while (!this.isReady) this.must(['sleep', '0.05']);
        return this;
    }

    // The same, while this process goes on.
    async startBeside() {
        this.spawn();
        while (!this.isReady) await sleep(50);
    }

    // At once, as in a power cut.
    kill() {
        const { pid } = this.child;
        process.kill(pid, 'SIGKILL');
        for (let tries = 0; this.isAlive(pid) && tries < 500; tries++) this.must(['sleep', '0.01']);
    }

    // What has ended and was not waited for yet counts as dead.
    isAlive(pid) {
        try {
            return !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));
        } catch {
            return false;
        }
    }

    stop() {
        if (this.child && this.isAlive(this.child.pid)) this.kill();
        removeDir(this.folder);
    }
}

function main(command) {
    const cluster = new Cluster();
    try {
        cluster.start();
        const env = { ...process.env, CONFAB_TEST_MARIADB: cluster.folder };
        const end = spawnSync(command[0], command.slice(1), { env, stdio: 'inherit' });
        process.exitCode = end.status ?? 1;
    } finally {
        cluster.stop();
    }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.slice(2));
