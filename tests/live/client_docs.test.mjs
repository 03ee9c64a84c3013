// The examples of docs/realtime.md, run as they stand there: the ten lines of JavaScript, and the
// shell commands.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { makeConversation, register, say } from '../lib/client.mjs';
import { ok } from '../lib/expect.mjs';
import { removeDir, sleep, startServer, tempDir } from '../lib/server.mjs';

const WAIT_MS = 40_000;
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const page = fs.readFileSync(path.join(ROOT, 'docs/realtime.md'), 'utf8');
const examples = (language) =>
    [...page.matchAll(/^```(\w+)\n(.*?)^```$/gms)]
        .filter((match) => match[1] === language)
        .map((match) => match[2]);

let server, ann, bob, talk;
before(async () => {
    server = await startServer();
    ann = await register(server);
    bob = await register(server);
    talk = await makeConversation(ann, [bob], { title: 'Keys', message_body: 'Hi Bob' });
});
after(() => server?.stop());

// Runs it until the test ends.
function start(t, program, ...args) {
    const { PATH, HOME } = process.env;
    const env = { PATH, HOME, URL: server.url, TOKEN: bob.access };
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const it = { out: '', err: '' };
    child.stdout.on('data', (bytes) => (it.out += bytes));
    child.stderr.on('data', (bytes) => (it.err += bytes));
    const ended = new Promise((resolve) => child.on('close', resolve));
    t.after(() => {
        if (child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
        return ended;
    });
    return it;
}

async function shows(it, part) {
    for (const end = Date.now() + WAIT_MS; Date.now() < end; await sleep(10)) {
        if (it.out.includes(part)) return;
    }
    assert.fail(`nothing of ${part} in:\n${it.out}\n${it.err}`);
}

test('the ten lines', async (t) => {
    const [code, ...more] = examples('js');
    assert.equal(more.length, 0);
    assert.ok(code.split('\n').filter((line) => line.trim()).length <= 10, 'ten lines');
    const dir = tempDir();
    t.after(() => removeDir(dir));
    for (const name of ['confab.js', 'package.json']) {
        fs.copyFileSync(path.join(ROOT, 'web', name), path.join(dir, name));
    }
    fs.writeFileSync(path.join(dir, 'example.js'), code);
    const example = start(t, process.execPath, path.join(dir, 'example.js'));
    await shows(example, `Keys: ${ann.username}: Hi Bob\n`);
    await shows(example, `Keys: ${bob.username}: Hello\n`);
    await say(ann, talk, 'So it works');
    await shows(example, `Keys: ${ann.username}: So it works\n`);
    const target = `/api/conversations/${talk.id}/`;
    for (const end = Date.now() + WAIT_MS; ; await sleep(10)) {
        if (ok(await bob.get(target)).unread_count === 1) break;
        assert.ok(Date.now() < end, 'read up to his own message');
    }
    assert.equal(example.err, '');
});

test('events with curl', async (t) => {
    const [command, ...more] = examples('sh').filter((text) => text.includes('/events/'));
    assert.equal(more.length, 0);
    const stream = start(t, 'bash', '-c', command);
    await shows(stream, '"type":"synced"');
    assert.match(stream.out, /^retry: 3000\n\ndata: {"type":"hello","server":"confab",/);
    await say(ann, talk, 'live, with curl');
    await shows(stream, 'live, with curl');
});

test('a long poll with curl', async (t) => {
    const [command, ...more] = examples('sh').filter((text) => text.includes('/sync/'));
    assert.equal(more.length, 0);
    // The first answer may be of something else: how far Ann has read, for one.
    const bodies = [];
    for (let n = 0; !bodies.some((body) => body?.startsWith('news')); ) {
        const poll = start(t, 'bash', '-c', command);
        for (const end = Date.now() + WAIT_MS; poll.out === ''; await sleep(10)) {
            assert.ok(Date.now() < end, `no answer: ${poll.err}`);
            if (++n % 50 === 1) await say(ann, talk, `news ${n}`);
        }
        await shows(poll, '"more":false}');
        const { frames } = JSON.parse(poll.out);
        assert.notEqual(frames.length, 0, poll.out);
        bodies.push(...frames.map((frame) => frame.message?.message_body));
    }
});
