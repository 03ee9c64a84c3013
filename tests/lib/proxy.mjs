// nginx or HAProxy in front of several servers, with the file that deploy/ recommends. Addresses are all that
// is changed in it.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { cleanEnv, freePort, removeDir, sleep, tempDir } from './server.mjs';

const DEPLOY = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../deploy');
const START_MS = 20_000;

export const PROXIES = ['nginx', 'haproxy'];

const alive = new Set();
process.on('exit', () => {
    for (const child of alive) child.kill('SIGKILL');
});

// Each of the texts is in the file, or the test tests another one.
function replaceAll(text, pairs) {
    return pairs.reduce((done, [from, to]) => {
        if (!done.includes(from)) throw new Error(`there is no ${from}`);
        return done.replaceAll(from, to);
    }, text);
}

export class Proxy {
    constructor(kind, nodes) {
        this.kind = kind;
        this.nodes = nodes;
        this.folder = tempDir(`confab-${kind}-`);
    }

    get url() {
        return `http://127.0.0.1:${this.port}`;
    }

    address(node) {
        return `127.0.0.1:${node.port}`;
    }

    write(name, text) {
        const file = path.join(this.folder, name);
        fs.writeFileSync(file, text);
        return file;
    }

    nginx() {
        const site = fs.readFileSync(path.join(DEPLOY, 'nginx.conf'), 'utf8');
        this.write(
            'site.conf',
            replaceAll(site, [
                ['127.0.0.1:8001', this.address(this.nodes[0])],
                ['127.0.0.1:8002', this.address(this.nodes[1])],
                ['listen 80;', `listen 127.0.0.1:${this.port};`],
            ]),
        );
        const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
            (name) => `${name}_temp_path ${this.folder}/${name};`,
        );
        const file = this.write(
            'main.conf',
            `daemon off; master_process off; pid ${this.folder}/pid; error_log stderr;
             events { worker_connections 1000; }
             http { access_log off; ${folders.join(' ')} include ${this.folder}/site.conf; }`,
        );
        return ['nginx', '-p', this.folder, '-c', file];
    }

    haproxy() {
        const text = fs.readFileSync(path.join(DEPLOY, 'haproxy.cfg'), 'utf8');
        const file = this.write(
            'haproxy.cfg',
            replaceAll(text, [
                ['127.0.0.1:8001', this.address(this.nodes[0])],
                ['127.0.0.1:8002', this.address(this.nodes[1])],
                ['bind :80', `bind 127.0.0.1:${this.port}`],
                ['Host chat.example.com', 'Host localhost'],
                ['maxconn 20000', 'maxconn 500'],
            ]),
        );
        return ['haproxy', '-db', '-f', file];
    }

    async start() {
        this.port = await freePort();
        const [program, ...args] = this[this.kind]();
        const env = cleanEnv();
        env.PATH = `${env.PATH}:/usr/sbin`;
        const child = spawn(program, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
        this.child = child;
        let said = '';
        child.stderr.on('data', (part) => {
            said = (said + part).slice(-4000);
        });
        this.ended = new Promise((resolve) => {
            child.once('error', resolve);
            child.once('close', resolve);
        });
        alive.add(child);
        this.ended.then(() => alive.delete(child));
        for (const until = Date.now() + START_MS; !(await this.answers()); await sleep(20)) {
            if (child.exitCode !== null || Date.now() > until) {
                throw new Error(`${this.kind} did not start: ${said}`);
            }
        }
        return this;
    }

    answers() {
        return new Promise((resolve) => {
            const probe = net.connect(this.port, '127.0.0.1', () => probe.end());
            probe.on('error', () => resolve(false));
            probe.once('connect', () => resolve(true));
        });
    }

    async stop() {
        this.child.kill('SIGKILL');
        await this.ended;
        removeDir(this.folder);
    }
}
