// Starts and stops the real server for black-box tests: its own free port, its own temporary
// folder, stopped by its pid. Every start is bounded, and what is still alive when the test process
// ends is killed. A sanitizer report or an exit code other than 0 fails the test that stops the
// server.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { ENGINE, makeDatabase } from './engine.mjs';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const BIN = path.resolve(process.env.CONFAB_BIN ?? path.join(ROOT, 'build/confab'));

const START_TRIES = 3;
const START_MS = 60_000;
const STOP_MS = 30_000;
const CLI_MS = 120_000;
const LOG_MAX = 4 << 20;
const SANITIZER = /(ERROR|WARNING): \w+Sanitizer|SUMMARY: \w+Sanitizer|runtime error: /;

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// What a developer's shell holds (PORT, DATABASE_URL, ...) must not reach the server under test.
const KEPT = /^(PATH|HOME|TMPDIR|LANG|LD_LIBRARY_PATH|LLVM_PROFILE_FILE|[A-Z]+SAN_OPTIONS)$/;
export function cleanEnv(extra = {}) {
    const env = {};
    for (const [key, value] of Object.entries(process.env)) {
        if (KEPT.test(key)) env[key] = value;
    }
    env.ASAN_OPTIONS ??= 'abort_on_error=0:detect_leaks=1';
    env.UBSAN_OPTIONS ??= 'print_stacktrace=1';
    for (const [key, value] of Object.entries(extra)) {
        if (value === undefined) delete env[key];
        else env[key] = String(value);
    }
    return env;
}

// With CONFAB_TEST_POSTGRES or CONFAB_TEST_MARIADB (the folder of a cluster's socket) each server gets a
// database of its own there; without, SQLite's file in its folder.

// For tests of what only a file can show.
export const ON_FILE = { skip: ENGINE ? 'the database is no file' : false };

const alive = new Set();
process.on('exit', () => {
    for (const child of alive) {
        try {
            process.kill(child.pid, 'SIGKILL');
        } catch {
            // ended by itself
        }
    }
});

// Below the ports that the system gives to clients, and by chance: of many tests at a time no two get the
// same, and none finds the server of another on its own.
const PORTS = [10_000, 32_000];

function isFree(port) {
    return new Promise((resolve) => {
        const probe = net.createServer();
        probe.once('error', () => resolve(false));
        probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
    });
}

export async function freePort() {
    for (;;) {
        const port = randomInt(...PORTS);
        if (await isFree(port)) return port;
    }
}

export function tempDir(prefix = 'confab-test-') {
    return fs.mkdtempSync(path.join(os.tmpdir(), prefix));
}

export function removeDir(dir) {
    fs.rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
}

function collect(stream) {
    let text = '';
    stream.setEncoding('utf8');
    stream.on('data', (part) => {
        if (text.length < LOG_MAX) text += part;
    });
    return () => text;
}

// Runs a program to its end; rejects only when it cannot be started or does not end in time.
export function run(program, args, { env = {}, cwd, input, bare = false } = {}) {
    return new Promise((resolve, reject) => {
        const child = spawn(program, args, { cwd, env: bare ? env : cleanEnv(env) });
        alive.add(child);
        const stdout = collect(child.stdout);
        const stderr = collect(child.stderr);
        const timer = setTimeout(() => child.kill('SIGKILL'), CLI_MS);
        child.once('error', (error) => {
            alive.delete(child);
            clearTimeout(timer);
            reject(error);
        });
        child.once('close', (code, signal) => {
            alive.delete(child);
            clearTimeout(timer);
            resolve({ code, signal, stdout: stdout(), stderr: stderr() });
        });
        child.stdin.on('error', () => {});
        child.stdin.end(input ?? '');
    });
}

export async function runCli(args, options = {}) {
    const result = await run(BIN, args, options);
    assert.doesNotMatch(result.stderr, SANITIZER, `sanitizer report of confab ${args.join(' ')}`);
    return result;
}

const DEFAULTS = {
    HOST: '127.0.0.1',
    PASSWORD_ITERATIONS: '1000',
    SECRET_KEY: 'the secret key of the black-box tests, fifty characters',
};

export class Server {
    constructor({ env = {}, args = [], dir, wrapper = [] } = {}) {
        this.ownsDir = dir === undefined;
        this.dir = dir ?? tempDir();
        this.dataDir = env.DATA_DIR ?? path.join(this.dir, 'data');
        this.extraEnv = env;
        if (ENGINE && this.ownsDir && !('DATABASE_URL' in env)) this.database = makeDatabase();
        this.args = args;
        this.wrapper = wrapper;
        this.port = 0;
        this.child = null;
    }

    get env() {
        const env = { ...DEFAULTS, DATA_DIR: this.dataDir, ...this.extraEnv };
        if (!('PORT' in this.extraEnv)) env.PORT = this.port;
        if (this.database) env.DATABASE_URL = ENGINE.url(this.database);
        return env;
    }

    get url() {
        return `http://127.0.0.1:${this.port}`;
    }

    get pid() {
        return this.child?.pid;
    }

    get log() {
        return this.stderr?.() ?? '';
    }

    // A port that was free a moment ago may be taken by now: a few tries.
    async start() {
        for (let left = START_TRIES; ; left--) {
            if (!this.port) this.port = Number(this.extraEnv.PORT ?? 0) || (await freePort());
            this.spawn();
            if (await this.waitHealthy()) return this;
            const log = this.log;
            await this.kill9();
            if (left <= 1 || !/in use|EADDRINUSE/i.test(log)) {
                throw new Error(`the server did not start\n${log}`);
            }
            this.port = 0;
        }
    }

    spawn() {
        const [program, ...args] = [...this.wrapper, BIN, 'serve', ...this.args];
        const child = spawn(program, args, {
            cwd: this.dir,
            env: cleanEnv(this.env),
            stdio: ['ignore', 'pipe', 'pipe'],
        });
        alive.add(child);
        this.child = child;
        this.stdout = collect(child.stdout);
        this.stderr = collect(child.stderr);
        this.ended = new Promise((resolve) => {
            const done = (code, signal) => {
                alive.delete(child);
                resolve({ code, signal });
            };
            child.once('error', (error) => done(`${error}`, null));
            child.once('close', done);
        });
        this.ended.then((end) => {
            child.end = end;
        });
    }

    async waitHealthy() {
        const until = Date.now() + START_MS;
        while (Date.now() < until) {
            if (this.child.end) return false;
            if (await this.healthy()) return true;
            await sleep(25);
        }
        return false;
    }

    // It has not ended, and it answers, however busy the machine is.
    async assertAlive() {
        assert.ok(await this.waitHealthy(), `it is gone, or hangs:\n${this.log.slice(-4000)}`);
    }

    healthy() {
        return new Promise((resolve) => {
            const request = http.get(`${this.url}/health/`, { timeout: 2000, agent: false }, (response) => {
                response.resume();
                response.on('end', () => resolve(response.statusCode === 200));
                response.on('error', () => resolve(false));
            });
            request.on('timeout', () => request.destroy());
            request.on('error', () => resolve(false));
        });
    }

    signal(name) {
        if (this.child && !this.child.end) process.kill(this.child.pid, name);
    }

    // Ends the process as an operator does; the folder stays.
    async halt() {
        if (!this.child) return { code: 0, signal: null };
        this.signal('SIGTERM');
        const timer = setTimeout(() => this.signal('SIGKILL'), STOP_MS);
        const end = await this.ended;
        clearTimeout(timer);
        return end;
    }

    async stop() {
        try {
            if (!this.child) return;
            const end = await this.halt();
            assert.doesNotMatch(this.log, SANITIZER, `sanitizer report:\n${this.log.slice(-8000)}`);
            assert.deepEqual(end, { code: 0, signal: null }, `exit:\n${this.log.slice(-2000)}`);
        } finally {
            if (this.ownsDir) removeDir(this.dir);
        }
    }

    async kill9() {
        if (!this.child) return;
        this.signal('SIGKILL');
        await this.ended;
        assert.doesNotMatch(this.log, SANITIZER, `sanitizer report:\n${this.log.slice(-8000)}`);
    }

    // On the same port and data, as a supervisor does.
    async restart({ env, wrapper } = {}) {
        if (this.child && !this.child.end) await this.halt();
        if (env) this.extraEnv = { ...this.extraEnv, ...env };
        if (wrapper) this.wrapper = wrapper;
        return this.start();
    }

    // The command line of the engine's own shell.
    get shell() {
        return this.database
            ? ENGINE.shell(this.database)
            : ['sqlite3', '-cmd', '.timeout 5000', path.join(this.dataDir, 'confab.sqlite3')];
    }

    async sql(text) {
        const [program, ...args] = this.shell;
        const end = await run(program, args, { input: `${text};\n` });
        assert.equal(end.stderr, '', text);
        assert.equal(end.code, 0, text);
        return end.stdout.trim();
    }

    // An id in the words of the engine.
    sqlId(id) {
        return this.database ? ENGINE.id(id) : `x'${id.replaceAll('-', '')}'`;
    }

    cli(args, { env = {}, ...options } = {}) {
        return runCli(args, { cwd: this.dir, env: { ...this.env, ...env }, ...options });
    }
}

export function startServer(options) {
    return new Server(options).start();
}
