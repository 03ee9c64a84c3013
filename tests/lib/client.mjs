// A small client of the API. Every answer is kept whole (status, headers, raw body) and, where
// CONFAB_RECORD names a folder, appended there for the contract check (contract.mjs).
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { inspect } from 'node:util';

import { ok, show } from './expect.mjs';
import { sleep } from './server.mjs';

export const PASSWORD = 'demo-Passw0rd';
const REQUEST_MS = 60_000;
const EVENTUALLY_MS = 60_000;

const recordDir = process.env.CONFAB_RECORD;
const recordFile = recordDir && path.join(recordDir, `${process.pid}.jsonl`);
if (recordDir) fs.mkdirSync(recordDir, { recursive: true });

export function record(res, requestHeaders = {}) {
    if (!recordFile) return;
    let body = null;
    if (/json/.test(res.headers['content-type'] ?? '') && res.text) {
        try {
            body = JSON.parse(res.text);
        } catch {
            body = `NOT JSON: ${res.text.slice(0, 200)}`;
        }
    }
    const line = { method: res.method, path: res.path, status: res.status, body };
    line.type = res.headers['content-type'] ?? null;
    line.code = res.headers['x-error-code'] ?? null;
    line.attachment = 'content-disposition' in res.headers;
    line.authenticated = 'authorization' in requestHeaders;
    line.file = path.basename(process.argv[1] ?? '');
    fs.appendFileSync(recordFile, `${JSON.stringify(line)}\n`);
}

export class Answer {
    constructor(method, target, response, body) {
        this.method = method;
        this.path = target;
        this.status = response.statusCode;
        this.headers = response.headers;
        this.rawHeaders = response.rawHeaders;
        this.body = body;
    }

    get text() {
        return this.body.toString('utf8');
    }

    get json() {
        try {
            return JSON.parse(this.text);
        } catch {
            return assert.fail(`not JSON: ${show(this)}`);
        }
    }
}

export function withQuery(target, query) {
    if (!query) return target;
    const text = new URLSearchParams(query).toString();
    return target + (target.includes('?') ? '&' : '?') + text;
}

function encode({ json, form, body }, headers) {
    if (json !== undefined) {
        headers['content-type'] ??= 'application/json';
        return Buffer.from(JSON.stringify(json));
    }
    if (form !== undefined) {
        headers['content-type'] ??= 'application/x-www-form-urlencoded';
        return Buffer.from(new URLSearchParams(form).toString());
    }
    return body === undefined ? undefined : Buffer.from(body);
}

const lowerKeys = (object) =>
    Object.fromEntries(Object.entries(object).map(([key, value]) => [key.toLowerCase(), value]));

// Options: json | form | body, query, headers, chunked (no Content-Length), agent, signal, timeoutMs.
export function send(server, method, target, options = {}) {
    const headers = lowerKeys(options.headers ?? {});
    const body = encode(options, headers);
    const full = withQuery(target, options.query);
    if (body && !options.chunked) headers['content-length'] ??= body.length;
    else if (!body && /^(POST|PUT|PATCH)$/.test(method)) headers['content-length'] ??= 0;
    return new Promise((resolve, reject) => {
        const request = http.request({
            host: '127.0.0.1',
            port: server.port,
            method,
            path: full,
            headers,
            agent: options.agent ?? server.agent ?? undefined,
            signal: options.signal,
            timeout: options.timeoutMs ?? REQUEST_MS,
        });
        request.on('timeout', () => request.destroy(new Error(`no answer: ${method} ${full}`)));
        request.on('error', reject);
        request.on('response', (response) => {
            const parts = [];
            const done = () => {
                const answer = new Answer(method, full, response, Buffer.concat(parts));
                record(answer, headers);
                resolve(answer);
            };
            const endless = /^text\/event-stream/.test(response.headers['content-type'] ?? '');
            response.on('data', (part) => {
                parts.push(part);
                if (endless) {
                    response.destroy();
                    done();
                }
            });
            response.on('error', reject);
            response.on('end', done);
        });
        if (options.chunked && body) {
            request.setHeader('transfer-encoding', 'chunked');
            const half = body.length >> 1;
            request.write(body.subarray(0, half));
            request.end(body.subarray(half));
        } else {
            request.end(body);
        }
    });
}

// Bytes as they are, for what no HTTP library would send. Resolves with all bytes up to the end of
// the connection, or with what has come when nothing does for `firstMs`, or no more for `idleMs`.
export function raw(server, bytes, { firstMs = REQUEST_MS, idleMs = 1000 } = {}) {
    return new Promise((resolve) => {
        const parts = [];
        const socket = net.connect(server.port, '127.0.0.1');
        const done = () => {
            socket.destroy();
            resolve(Buffer.concat(parts).toString('latin1'));
        };
        socket.setTimeout(firstMs, done);
        socket.on('data', (part) => {
            parts.push(part);
            socket.setTimeout(idleMs);
        });
        socket.on('error', done);
        socket.on('close', done);
        socket.on('connect', () => socket.write(bytes));
    });
}

export class Api {
    constructor(server, headers = {}) {
        this.server = server;
        this.headers = headers;
    }

    request(method, target, options = {}) {
        const headers = { ...this.headers, ...lowerKeys(options.headers ?? {}) };
        return send(this.server, method, target, { ...options, headers });
    }

    get(target, query, options) {
        return this.request('GET', target, { query, ...options });
    }

    head(target, query, options) {
        return this.request('HEAD', target, { query, ...options });
    }

    options(target, options) {
        return this.request('OPTIONS', target, options);
    }

    post(target, json, options) {
        return this.request('POST', target, { json, ...options });
    }

    put(target, json, options) {
        return this.request('PUT', target, { json, ...options });
    }

    patch(target, json, options) {
        return this.request('PATCH', target, { json, ...options });
    }

    delete(target, options) {
        return this.request('DELETE', target, options);
    }

    with(headers) {
        return new Api(this.server, { ...this.headers, ...lowerKeys(headers) });
    }
}

export class User extends Api {
    constructor(server, fields) {
        super(server, { authorization: `Bearer ${fields.access}` });
        Object.assign(this, fields);
    }
}

export const anonymous = (server) => new Api(server);

// Names are numbered, so a file's run is the same each time.
let numbered = 0;
export const unique = (prefix = 'user') => `${prefix}${++numbered}`;

export async function register(server, fields = {}) {
    const username = fields.username ?? unique();
    const input = { username, email: `${username}@example.com`, password: PASSWORD, ...fields };
    const body = ok(await send(server, 'POST', '/api/users/register/', { json: input }), 201);
    const { id, email, access, refresh } = body;
    return new User(server, { id, username, email, password: input.password, access, refresh });
}

export async function login(server, identifier, password = PASSWORD) {
    const json = { username: identifier, password };
    const body = ok(await send(server, 'POST', '/api/token/', { json }));
    const { access, refresh, user_id: id, user } = body;
    const { username, email } = user;
    return new User(server, { id, username, email, password, access, refresh });
}

export async function makeAdmin(server, username = unique('admin')) {
    const email = `${username}@example.com`;
    const args = ['createsuperuser', '--email', email, '--username', username, '--noinput'];
    const end = await server.cli(args, { env: { CONFAB_SUPERUSER_PASSWORD: PASSWORD } });
    assert.equal(end.code, 0, `createsuperuser: ${end.stderr}`);
    return login(server, username);
}

export async function makeConversation(owner, members = [], fields = {}) {
    const participants = members.map((user) => user.id);
    return ok(await owner.post('/api/conversations/', { participants, ...fields }), 201);
}

// A conversation with one of each: owner, moderator (a host account), member; and a stranger.
export async function makeCast(server, people = {}) {
    const owner = people.owner ?? (await register(server, { username: unique('owner') }));
    const moderator =
        people.moderator ??
        (await register(server, { username: unique('moderator'), role: 'host' }));
    const member = people.member ?? (await register(server, { username: unique('member') }));
    const stranger = people.stranger ?? (await register(server, { username: unique('stranger') }));
    const conversation = await makeConversation(owner, [moderator, member], { title: 'Cast' });
    const { id } = conversation;
    const path = `/api/conversations/${id}/`;
    ok(await owner.patch(`${path}participants/${moderator.id}/`, { role: 'moderator' }));
    return { id, path, conversation, owner, moderator, member, stranger };
}

export async function say(user, conversation, text, fields = {}) {
    const target = `/api/conversations/${conversation.id ?? conversation}/messages/`;
    return ok(await user.post(target, { message_body: text, ...fields }), 201);
}

export async function sayMany(user, conversation, count, prefix = 'message') {
    const list = [];
    for (let n = 1; n <= count; n++) list.push(await say(user, conversation, `${prefix} ${n}`));
    return list;
}

// For what the contract allows to take a moment (a revoked device's last access): asks again until
// the test is met; a bound, no claim about time.
export async function eventually(ask, isDone, what) {
    for (const end = Date.now() + EVENTUALLY_MS; ; await sleep(20)) {
        const last = await ask();
        if (isDone(last)) return last;
        if (Date.now() > end) assert.fail(`${what}: ${last?.text ? show(last) : inspect(last)}`);
    }
}

export const untilDead = (user) =>
    eventually(
        () => user.get('/api/users/me/'),
        (res) => res.status === 401,
        'still signed in',
    );

// Follows `next` to the end, and `previous` back to the start; both walks must give the same rows.
// Returns the rows.
export async function walk(user, first, limit = 500) {
    const pages = [];
    let target = first;
    for (let n = 0; target; n++) {
        assert.ok(n < limit, `no end of ${first}`);
        const body = ok(await user.get(target));
        pages.push(body);
        target = body.next && toPath(user, body.next);
    }
    const back = [];
    target = pages.length > 1 ? toPath(user, pages.at(-1).previous) : null;
    for (let n = 0; target; n++) {
        assert.ok(n < limit, `no start of ${first}`);
        const body = ok(await user.get(target));
        back.unshift(body);
        target = body.previous && toPath(user, body.previous);
    }
    const rows = pages.flatMap((page) => page.results);
    const again = [...back, pages.at(-1)].flatMap((page) => page.results);
    assert.deepEqual(again.map(identity), rows.map(identity), `back is not forth: ${first}`);
    const seen = new Set(rows.map(identity));
    assert.equal(seen.size, rows.length, `a row came twice: ${first}`);
    return rows;
}

const identity = (row) => row.id ?? row.user_id ?? row.rev ?? JSON.stringify(row);

export function toPath(user, link) {
    assert.ok(link.startsWith(`${user.server.url}/`), `an absolute link of this host: ${link}`);
    return link.slice(user.server.url.length);
}
