// Two servers behind nginx and HAProxy, with the files of deploy/: nothing sticks to a node, and a client
// hardly notices when one dies.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';

import { PASSWORD, User, makeConversation, register, say, send } from '../lib/client.mjs';
import { ok } from '../lib/expect.mjs';
import { KINDS, WAIT_MS, closing, listen, sleep } from '../lib/live.mjs';
import { Nodes, at } from '../lib/nodes.mjs';
import { PROXIES, Proxy } from '../lib/proxy.mjs';

let nodes;
before(async () => {
    nodes = await new Nodes().start();
});
after(() => nodes?.stop());

// Requests of a node since its start, of which it says so itself.
const answered = async (node) => (await nodes.metric(node, 'answer_seconds_count')) - 1;

for (const kind of PROXIES) {
    describe(kind, () => {
        let proxy;
        before(async () => {
            proxy = await new Proxy(kind, nodes.all).start();
            await sleep(kind === 'haproxy' ? 300 : 0); // until it has looked at the nodes
        });
        after(() => proxy?.stop());

        test('requests go to all nodes, with what one has told the other', async () => {
            const before = await Promise.all(nodes.all.map(answered));
            const ann = await register(proxy);
            const bob = await register(proxy);
            const talk = await makeConversation(ann, [bob]);
            for (let n = 1; n <= 20; n++) {
                const { id } = await say(n % 2 ? ann : bob, talk, `${n}`);
                assert.equal(ok(await bob.get(`/api/messages/${id}/`)).seq, n);
            }
            const counts = await Promise.all(nodes.all.map(answered));
            for (const n of [0, 1]) assert.ok(counts[n] - before[n] > 5, `${before} ${counts}`);
        });

        for (const way of KINDS) {
            test(`real time passes (${way})`, async (t) => {
                const ann = await register(proxy);
                const bob = await register(proxy);
                const talk = await makeConversation(ann, [bob]);
                const clients = closing(t, await listen(way, bob), await listen(way, bob));
                for (let n = 1; n <= 10; n++) {
                    await say(ann, talk, `${n}`);
                    for (const client of clients) {
                        await client.get({ type: 'message', message: { seq: n } });
                    }
                }
            });
        }

        test("the address is the client's, neither the proxy's nor made up", async () => {
            const agent = new http.Agent({ localAddress: '127.0.0.2' });
            const { username } = await register(proxy);
            const headers = { 'x-forwarded-for': '203.0.113.9' };
            const json = { username, password: PASSWORD };
            const { access } = ok(await send(proxy, 'POST', '/api/token/', { agent, headers, json }));
            const user = new User(proxy, { access });
            const { results } = ok(await user.get('/api/users/me/sessions/'));
            const mine = results.find((session) => session.current);
            assert.equal(mine.address, '127.0.0.2');
        });

        test('a node dies: the next try reaches the other one', async (t) => {
            const ann = at(nodes.all[0], await register(proxy));
            const bob = await register(proxy);
            const talk = await makeConversation(ann, [bob]);
            let client = await listen('ws', bob);
            await nodes.all[1].kill9();
            await say(ann, talk, 'while it is dead');
            const end = Date.now() + WAIT_MS;
            while (Date.now() < end && !client.all('message').length) {
                await sleep(50);
                if (client.closed) {
                    const { cursor } = client;
                    client = await listen('ws', bob, { cursor }).catch(() => client);
                }
            }
            closing(t, client);
            assert.equal(client.all('message').length, 1);
            await nodes.all[1].start();
            await nodes.together();
        });
    });
}
