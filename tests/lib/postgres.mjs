// A PostgreSQL cluster of its own in a temporary folder, reached by a socket in it; never one that
// happens to run.
//
//     node tests/lib/postgres.mjs node --test tests/api/users.test.mjs
//
// runs a command with CONFAB_TEST_POSTGRES set, so that its servers store there (server.mjs).
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { postgresIn, postgresProgram } from './engine.mjs';
import { removeDir, run, tempDir } from './server.mjs';

export class Cluster {
    // `isSafe`: commits are flushed, as they are in production; what does not die needs it not.
    // `of`: what a replica follows.
    constructor({ isSafe = false, of = null } = {}) {
        this.of = of;
        this.folder = tempDir('confab-pg-');
        this.engine = postgresIn(this.folder);
        this.data = path.join(this.folder, 'data');
        this.isRoot = process.geteuid() === 0; // initdb refuses root
        if (this.isRoot) this.must(['chown', 'postgres', this.folder]);
        this.settings = [
            "listen_addresses=''",
            `unix_socket_directories=${this.folder}`,
            'max_connections=300',
            ...(isSafe ? [] : ['fsync=off', 'full_page_writes=off', 'autovacuum=off']),
        ];
        this.fill();
    }

    fill() {
        const wishes = ['--encoding=UTF8', '--locale=C.UTF-8', '--auth=trust', '--no-sync'];
        this.run('initdb', '-D', this.data, '--username=confab', ...wishes);
    }

    must([program, ...args]) {
        const stdio = ['ignore', 'pipe', 'pipe'];
        const end = spawnSync(program, args, { encoding: 'utf8', stdio });
        if (end.status !== 0) throw new Error(`${program} ${args}: ${end.error ?? end.stderr}`);
        return end.stdout;
    }

    line(program, ...args) {
        const user = this.isRoot ? ['runuser', '-u', 'postgres', '--'] : [];
        return [...user, postgresProgram(program), ...args];
    }

    run(...line) {
        return this.must(this.line(...line));
    }

    get startLine() {
        const options = this.settings.map((one) => `-c ${one}`).join(' ');
        const log = path.join(this.folder, 'log');
        return this.line('pg_ctl', '-D', this.data, '-w', '-l', log, '-o', options, 'start');
    }

    start() {
        this.must(this.startLine);
        return this;
    }

    // The same, while this process goes on.
    async startBeside() {
        const [program, ...args] = this.startLine;
        const end = await run(program, args);
        if (end.code !== 0) throw new Error(`PostgreSQL does not start: ${end.stdout}${end.stderr}`);
    }

    // All its processes at once, as in a power cut. It is stopped first, or else a process that it makes
    // meanwhile would live on, and write into the files of the next one.
    kill() {
        const file = path.join(this.data, 'postmaster.pid');
        const pid = Number(fs.readFileSync(file, 'utf8').split('\n')[0]);
        process.kill(pid, 'SIGSTOP');
        const children = spawnSync('pgrep', ['-P', `${pid}`], { encoding: 'utf8' }).stdout;
        const all = [pid, ...(children.match(/\d+/g) ?? []).map(Number)];
        for (const one of all) this.signal(one, 'SIGKILL');
        for (let tries = 0; all.some((one) => this.signal(one, 0)) && tries < 500; tries++)
            this.must(['sleep', '0.01']);
        fs.rmSync(file, { force: true });
    }

    // False: there is no such process.
    signal(pid, name) {
        try {
            process.kill(pid, name);
            return true;
        } catch {
            return false;
        }
    }

    // In order; start() goes on from there.
    halt() {
        this.run('pg_ctl', '-D', this.data, '-m', 'fast', '-w', 'stop');
    }

    // Of a cluster that is halted: its files as they are, and as they were.
    backUp() {
        this.must(['rm', '-rf', `${this.data}.kept`]);
        this.must(['cp', '-a', this.data, `${this.data}.kept`]);
    }

    restore() {
        this.must(['rm', '-rf', this.data]);
        this.must(['cp', '-a', `${this.data}.kept`, this.data]);
    }

    // A cluster that follows this one, which runs. The caller stops it.
    replica() {
        return new Replica(this);
    }

    stop() {
        try {
            this.run('pg_ctl', '-D', this.data, '-m', 'immediate', 'stop');
        } catch {
            // it was not running
        }
        removeDir(this.folder);
    }
}

class Replica extends Cluster {
    constructor(primary) {
        super({ of: primary });
    }

    fill() {
        const source = ['-h', this.of.folder, '-U', 'confab'];
        this.run('pg_basebackup', ...source, '-D', this.data, '-R', '-c', 'fast', '--no-sync');
    }
}

function main(command) {
    const cluster = new Cluster();
    try {
        cluster.start();
        const env = { ...process.env, CONFAB_TEST_POSTGRES: cluster.folder };
        const end = spawnSync(command[0], command.slice(1), { env, stdio: 'inherit' });
        process.exitCode = end.status ?? 1;
    } finally {
        cluster.stop();
    }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.slice(2));
