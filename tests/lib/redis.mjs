// A Redis server of its own in a temporary folder, reached by a socket in it; never one that happens to
// run.
import { spawn } from 'node:child_process';
import net from 'node:net';
import path from 'node:path';

import { cleanEnv, removeDir, sleep, tempDir } from './server.mjs';

const START_MS = 20_000;

const alive = new Set();
process.on('exit', () => {
    for (const child of alive) child.kill('SIGKILL');
});

export class Redis {
    // `args`: further settings; `url`: how it is reached, if they make it another way.
    constructor({ args = [], password, url } = {}) {
        this.folder = tempDir('confab-redis-');
        this.socket = path.join(this.folder, 'socket');
        this.args = password ? [...args, '--requirepass', password] : args;
        this.url = url ?? `redis+unix://${password ? `:${password}@` : ''}${this.socket}`;
    }

    get pid() {
        return this.child.pid;
    }

    async start() {
        const settings = ['--port', '0', '--unixsocket', this.socket, '--dir', this.folder];
        const args = [...settings, '--save', '', '--appendonly', 'no', ...this.args];
        const child = spawn('redis-server', args, { env: cleanEnv(), stdio: 'ignore' });
        this.child = child;
        this.ended = new Promise((resolve) => child.once('close', resolve));
        child.once('error', (error) => {
            this.error = error;
        });
        alive.add(child);
        this.ended.then(() => alive.delete(child));
        for (const until = Date.now() + START_MS; !(await this.answers()); await sleep(10)) {
            if (this.error || child.exitCode !== null || Date.now() > until) {
                throw new Error(`redis-server did not start: ${this.error ?? child.exitCode}`);
            }
        }
        return this;
    }

    answers() {
        return new Promise((resolve) => {
            const probe = net.connect(this.socket, () => resolve(true));
            probe.on('error', () => resolve(false));
            probe.once('connect', () => probe.end());
        });
    }

    // One command without a reply that anybody waits for long.
    command(...words) {
        return new Promise((resolve, reject) => {
            const link = net.connect(this.socket);
            const parts = words.map((word) => Buffer.from(word));
            link.once('error', reject);
            link.once('data', (reply) => {
                link.destroy();
                resolve(reply.toString());
            });
            link.write(`*${parts.length}\r\n`);
            for (const part of parts) {
                link.write(`$${part.length}\r\n`);
                link.write(part);
                link.write('\r\n');
            }
        });
    }

    async kill() {
        this.child.kill('SIGKILL');
        await this.ended;
    }

    async stop() {
        await this.kill();
        removeDir(this.folder);
    }
}
