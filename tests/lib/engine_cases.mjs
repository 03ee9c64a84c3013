// What must be true of every database server. It is killed under load, again and again: every
// acknowledged message is stored once, the numbers stay dense, sockets stay open and are told
// everything, and all goes on by itself.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';

import { anonymous, eventually, makeConversation, register, walk } from './client.mjs';
import { openSocket } from './live.mjs';
import { Mirror, converges } from './mirror.mjs';
import { Server, sleep } from './server.mjs';

const KILLS = 5;
const WRITERS = 8;
const PAUSE_MS = 700;

const untilReady = (server, status, what) =>
    eventually(() => anonymous(server).get('/ready/'), (res) => res.status === status, what);

// Sends until it is stored; the same client_id each time.
async function sendSurely(user, conversation_id, content, seen) {
    const client_id = randomUUID();
    for (;;) {
        const answer = await user.post('/api/messages/', { conversation_id, content, client_id });
        seen.add(answer.status);
        if (answer.status === 200 || answer.status === 201) return answer.json.id;
        assert.equal(answer.status, 503, JSON.stringify(answer.json));
        await sleep(20);
    }
}

// Registers the tests; `Cluster` is postgres.mjs's or mariadb.mjs's.
export function testEngine(Cluster) {
    let cluster;
    let server;
    before(async () => {
        cluster = new Cluster({ isSafe: true }).start();
        cluster.engine.make('chat');
        const DATABASE_URL = cluster.engine.url('chat');
        server = await new Server({ env: { DATABASE_URL } }).start();
    });
    after(async () => {
        await server?.stop();
        cluster?.stop();
    });

    test('a database server that is killed loses nothing and doubles nothing', async () => {
        const user = await register(server);
        const talk = await makeConversation(user, []);
        const seen = new Set();
        const acknowledged = [];
        let isOver = false;
        const socket = await openSocket(user);
        const writers = Array.from({ length: WRITERS }, async (_, writer) => {
            for (let n = 0; !isOver; n++)
                acknowledged.push(await sendSurely(user, talk.id, `${writer} ${n}`, seen));
        });
        for (let n = 0; n < KILLS; n++) {
            await sleep(PAUSE_MS);
            cluster.kill();
            await untilReady(server, 503, 'it says that it is not ready');
            await sleep(PAUSE_MS / 2);
            cluster.start();
            await untilReady(server, 200, 'it is ready again');
        }
        await sleep(PAUSE_MS);
        isOver = true;
        await Promise.all(writers);
        assert.ok(seen.has(503), 'it was noticed');

        const messages = `/api/conversations/${talk.id}/messages/?page_size=100&cursor=`;
        const stored = await walk(user, messages, 5000);
        assert.deepEqual(
            stored.map((message) => message.seq),
            stored.map((_, n) => n + 1),
            'dense',
        );
        const ids = new Set(stored.map((message) => message.id));
        assert.equal(ids.size, stored.length);
        for (const id of acknowledged) assert.ok(ids.has(id), `${id} is lost`);
        assert.equal(acknowledged.length, stored.length, 'each was sent until it was acknowledged');
        await converges(new Mirror(socket), user);
        assert.equal(socket.closed, null, 'and it stayed open');
        await socket.close();
    });

    test('a server that starts while another migrates waits for it', async (t) => {
        cluster.engine.make('waits');
        const [program, ...args] = cluster.engine.shell('waits');
        const other = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
        const ended = new Promise((resolve) => other.once('close', resolve));
        other.stdin.write(`${cluster.engine.migrating};SELECT 'it holds it';\n`);
        for await (const part of other.stdout) if (`${part}`.includes('it holds it')) break;
        const env = { DATABASE_URL: cluster.engine.url('waits'), DB_BUSY_TIMEOUT_MS: '200' };
        const late = new Server({ env });
        t.after(() => late.stop());
        const started = late.start();
        await sleep(1500);
        assert.equal(await late.healthy(), false, 'not yet');
        other.kill();
        await ended;
        await started;
        await register(late);
    });
}
