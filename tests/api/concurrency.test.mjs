// Many at once: what must hold whatever the order in which requests meet. Run by the thread
// sanitizer too.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import { describe, test } from 'node:test';

import {
    PASSWORD,
    anonymous,
    eventually,
    makeCast,
    makeConversation,
    register,
    say,
    send,
    walk,
} from '../lib/client.mjs';
import { contains, ids, ok, show } from '../lib/expect.mjs';
import { startServer } from '../lib/server.mjs';

const QUICK = Boolean(process.env.CONFAB_QUICK);
const numbers = (count) => Array.from({ length: count }, (_, n) => n);
const all = (count, one) => Promise.all(numbers(count).map(one));
const dense = (seqs) =>
    assert.deepEqual(
        [...seqs].sort((a, b) => a - b),
        numbers(seqs.length).map((n) => n + 1),
    );

async function withServer(t, env) {
    const server = await startServer({ env });
    t.after(() => server.stop());
    server.agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
    t.after(() => server.agent?.destroy());
    return server;
}

describe('writers', () => {
    test('in several conversations: each dense, nothing lost', async (t) => {
        const server = await withServer(t);
        const casts = [await makeCast(server), await makeCast(server)];
        const count = QUICK ? 60 : 200;
        const said = await all(count, (n) => {
            const c = casts[n % 2];
            return say([c.owner, c.moderator, c.member][n % 3], c, `m ${n}`);
        });
        for (const c of casts) {
            const mine = said.filter((m) => m.conversation === c.id);
            dense(mine.map((m) => m.seq));
            const rows = await walk(c.owner, `${c.path}messages/?page_size=100&cursor=`);
            assert.deepEqual(ids(rows).sort(), ids(mine).sort());
            const revs = new Set(rows.map((row) => row.rev));
            assert.equal(revs.size, rows.length, 'a rev is used once');
        }
    });

    test('all kinds of requests mixed: no server error, the counts agree', async (t) => {
        const server = await withServer(t);
        const c = await makeCast(server);
        const users = [c.owner, c.moderator, c.member];
        const kinds = [
            (user, n) =>
                user.post(`${c.path}messages/`, { content: `mixed ${n}`, client_id: randomUUID() }),
            (user) => user.get(`${c.path}messages/`, { ordering: '-sent_at', page_size: 5 }),
            async (user, n) => {
                const said = await say(user, c, `edited ${n}`);
                return user.patch(`/api/messages/${said.id}/`, {
                    content: `edit of ${n}`,
                    rev: said.rev,
                });
            },
            async (user, n) => {
                const said = await say(user, c, `deleted ${n}`);
                return user.delete(`/api/messages/${said.id}/`);
            },
            (user) => user.post(`${c.path}read/`, {}),
            (user) => user.get('/api/conversations/'),
            (user, n) => c.owner.patch(c.path, { title: `title ${n}` }),
            (user) =>
                anonymous(server).post('/api/token/', {
                    username: user.username,
                    password: PASSWORD,
                }),
            (user, n) => user.get('/api/users/', { search: `m${n}` }),
            (user) =>
                user.post('/api/conversations/', { participants: [c.stranger.id], direct: true }),
            () => register(server).then((fresh) => fresh.delete('/api/users/me/')),
            (user) => user.post('/api/messages/mark-all-read/', {}),
        ];
        const answers = await all(QUICK ? 96 : 300, (n) =>
            kinds[n % kinds.length](users[n % 3], n),
        );
        for (const res of answers) assert.ok(res.status < 400, show(res));
        const rows = await walk(c.owner, `${c.path}messages/?page_size=100&cursor=&deleted=1`);
        dense(rows.map((row) => row.seq));
        const detail = ok(await c.owner.get(c.path));
        assert.equal(detail.last_seq, rows.length);
        assert.ok(detail.rev >= Math.max(...rows.map((row) => row.rev)));
        for (const user of users) {
            const view = ok(await user.get(c.path));
            const mine = view.participants.find((row) => row.id === user.id);
            assert.equal(view.unread_count, view.last_seq - mine.read_seq);
        }
    });

    // Conversations and users are spread over shards; a writer that waits for one while he holds another
    // must not meet one who waits for his.
    test('that span many conversations and users: nobody waits for each other', async (t) => {
        const server = await withServer(t);
        const users = [];
        for (let n = 0; n < 6; n++) users.push(await register(server));
        const titles = numbers(QUICK ? 6 : 12);
        const talks = await Promise.all(
            titles.map((n) => makeConversation(users[n % 6], users, { title: `${n}` })),
        );
        const direct = new Map();
        const others = (me) => users.filter((user) => user !== me);
        for (let round = 0; round < 3; round++) {
            await Promise.all(talks.map((talk, n) => say(users[n % 6], talk, `${round}`)));
            const mortals = await all(3, () => register(server));
            await Promise.all(mortals.map((one) => makeConversation(one, users)));
            await Promise.all([
                ...users.map(async (me) => ok(await me.post('/api/notifications/mark-all-read/'))),
                ...users.map(async (me) => ok(await me.post('/api/messages/mark-all-read/'))),
                ...users.flatMap((me) =>
                    others(me).map(async ({ id }) => {
                        const fields = { participants: [id], direct: true };
                        const res = await me.post('/api/conversations/', fields);
                        const made = ok(res, 200, 201);
                        const pair = [id, me.id].sort().join();
                        assert.equal(direct.get(pair) ?? made.id, made.id);
                        direct.set(pair, made.id);
                    }),
                ),
                ...mortals.map(async (one) => ok(await one.delete('/api/users/me/'), 204)),
            ]);
        }
        for (const me of users) {
            const { results } = ok(await me.get('/api/conversations/', { page_size: 100 }));
            assert.deepEqual(results.map((row) => row.unread_count), results.map(() => 0));
        }
        assert.equal(new Set(direct.values()).size, 15);
        assert.doesNotMatch(server.log, /deadlock/i);
    });

    test('joining, leaving and sending: the roles hold', async (t) => {
        const server = await withServer(t);
        const c = await makeCast(server);
        const path = `${c.path}participants/`;
        const sent = [];
        await Promise.all([
            all(20, async () => {
                ok(await c.owner.post(path, { user_id: c.stranger.id }), 200, 201);
                ok(await c.owner.delete(`${path}${c.stranger.id}/`), 204, 404);
            }),
            all(40, async (n) => {
                const res = await c.stranger.post(`${c.path}messages/`, {
                    content: `between ${n}`,
                });
                if (ok(res, 201, 403) && res.status === 201) sent.push(res.json.id);
            }),
        ]);
        await c.owner.delete(`${path}${c.stranger.id}/`);
        ok(await c.stranger.post(`${c.path}messages/`, { content: 'after' }), 403);
        const rows = await walk(c.owner, `${c.path}messages/?page_size=100&cursor=`);
        assert.deepEqual(ids(rows).sort(), sent.sort());
        assert.equal(ok(await c.owner.get(c.path)).participant_count, 3);
    });

    test('an owner who deletes while others send', async (t) => {
        const server = await withServer(t);
        const c = await makeCast(server);
        const posts = all(30, (n) => c.member.post(`${c.path}messages/`, { content: `late ${n}` }));
        const res = await c.owner.delete(c.path);
        assert.equal(res.status, 204);
        for (const answer of await posts) ok(answer, 201, 403, 404);
        ok(await c.member.get(c.path), 404);
        assert.equal(ok(await c.member.get('/api/messages/')).count, 0);
    });
});

describe('queues over their bound', () => {
    test('writes: 503 with Retry-After, and what was refused is not stored', async (t) => {
        const server = await withServer(t, { WRITE_QUEUE_MAX: '1', WRITE_BATCH_MAX: '1' });
        const user = await register(server);
        const c = await makeConversation(user);
        const path = `/api/conversations/${c.id}/messages/`;
        const answers = await all(200, (n) => user.post(path, { content: `try ${n}` }));
        const stored = answers.filter((res) => res.status === 201);
        for (const res of answers) {
            if (res.status === 201) continue;
            ok(res, 503);
            assert.match(res.headers['retry-after'] ?? '', /^\d+$/, show(res));
        }
        assert.ok(stored.length > 0);
        contains(ok(await user.get(`/api/conversations/${c.id}/`)), { last_seq: stored.length });
    });

    test('password hashes: 503 with Retry-After, messages go on', async (t) => {
        const server = await withServer(t, { SLOW_QUEUE_MAX: '1', PASSWORD_ITERATIONS: '20000' });
        const user = await register(server);
        const c = await makeConversation(user);
        const input = { username: user.username, password: PASSWORD };
        const logins = all(60, () => anonymous(server).post('/api/token/', input));
        await all(20, (n) => say(user, c, `meanwhile ${n}`));
        let good = 0;
        for (const res of await logins) {
            ok(res, 200, 503);
            if (res.status === 200) good++;
            else assert.match(res.headers['retry-after'] ?? '', /^\d+$/, show(res));
        }
        assert.ok(good > 0);
        ok(await anonymous(server).post('/api/token/', input));
    });

    test('connections of one address: the rest is refused, the server lives on', async (t) => {
        const server = await withServer(t, { CONNECTIONS_PER_ADDRESS_MAX: '8' });
        server.agent.maxSockets = 40;
        const tries = await Promise.allSettled(
            numbers(120).map(() => send(server, 'GET', '/health/')),
        );
        const good = tries.filter((one) => one.status === 'fulfilled' && one.value.status === 200);
        assert.ok(good.length > 0);
        server.agent.destroy();
        server.agent = undefined;
        const ask = () => send(server, 'GET', '/health/').catch((error) => error);
        await eventually(ask, (res) => res.status === 200, 'no connection is taken any more');
    });
});

describe('the end under load', () => {
    test('SIGTERM while requests run: exit code 0, each answered write is there', async (t) => {
        const server = await withServer(t);
        const user = await register(server);
        const c = await makeConversation(user);
        const path = `/api/conversations/${c.id}/messages/`;
        const acknowledged = [];
        const load = numbers(8).map(async (worker) => {
            for (let n = 0; n < 2000; n++) {
                const [one] = await Promise.allSettled([
                    user.post(path, { content: `w${worker} n${n}` }),
                ]);
                if (one.status === 'rejected' || one.value.status !== 201) return;
                acknowledged.push(one.value.json.id);
                if (acknowledged.length === 100) server.signal('SIGTERM');
            }
        });
        await Promise.all(load);
        assert.deepEqual(await server.ended, { code: 0, signal: null });
        await server.restart();
        const rows = ids(await walk(user, `${path}?page_size=100&cursor=`));
        for (const id of acknowledged) assert.ok(rows.includes(id), 'an answered message is lost');
    });
});
