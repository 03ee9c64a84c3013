// web/confab.js with a browser's session instead of a token. The browser is a cookie jar here.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { WebSocket } from 'ws';

import { Confab } from '../../web/confab.js';
import { eventually, makeConversation, register, say } from '../lib/client.mjs';
import { ok } from '../lib/expect.mjs';
import { startServer } from '../lib/server.mjs';

let server;
before(async () => {
    server = await startServer();
});
after(() => server?.stop());

const jar = new Map();
// What a page sees: sessionid is HttpOnly.
globalThis.document = {
    get cookie() {
        return jar.has('csrftoken') ? `other=1; csrftoken=${jar.get('csrftoken')}` : '';
    },
};

async function withCookies(url, init = {}) {
    const cookie = [...jar].map((pair) => pair.join('=')).join('; ');
    const answer = await fetch(url, { ...init, headers: { ...init.headers, cookie } });
    for (const line of answer.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
        if (/Max-Age=0/i.test(line)) jar.delete(name);
        else jar.set(name, value);
    }
    return answer;
}

async function post(from, path, json) {
    const headers = { 'content-type': 'application/json', 'x-csrftoken': jar.get('csrftoken') };
    headers.accept = 'application/json';
    const answer = await withCookies(from.url + path, {
        method: 'POST',
        headers,
        body: JSON.stringify(json),
    });
    assert.equal(answer.status, 200, await answer.text());
}

async function signIn({ server: from, username, password }) {
    if (!jar.has('csrftoken')) {
        await withCookies(`${from.url}/api-auth/login/`, {
            headers: { accept: 'application/json' },
        });
    }
    await post(from, '/api-auth/login/', { username, password });
}

// The client's network: it can be cut.
let isCut = false;
const network = async (...request) => {
    if (isCut) throw new TypeError('fetch failed');
    return withCookies(...request);
};

function make(t, { url }, options = {}) {
    const random = () => 0.1 * Math.random();
    const client = new Confab({
        url,
        session: true,
        WebSocket,
        fetch: network,
        random,
        ...options,
    });
    t.after(() => client.close());
    return client;
}

const state = (client, wanted) =>
    new Promise((resolve) => {
        const stop = client.on('state', look);
        function look() {
            if (client.state !== wanted) return;
            stop();
            resolve();
        }
        look();
    });

const sendersOf = async (user, { id }) => {
    const { results } = ok(await user.get(`/api/conversations/${id}/messages/`));
    return results.map(({ sender_id: sender }) => sender);
};

for (const transport of ['ws', 'sse', 'poll']) {
    test(`over ${transport}: what is written arrives, and what is sent is stored`, async (t) => {
        const [ann, bob] = [await register(server), await register(server)];
        const talk = await makeConversation(ann, [bob], { direct: true });
        jar.clear();
        await signIn(ann);
        const client = make(t, server, { transport });
        await client.connect();
        assert.equal(client.me.id, ann.id);
        const heard = new Promise((resolve) => client.on('message', resolve));
        await say(bob, talk, 'Hello');
        assert.equal((await heard).message.message_body, 'Hello');
        await client.send(talk.id, 'Hi').delivered;
        client.markRead(talk.id);
        const isRead = (res) => ok(res).unread_count === 0;
        await eventually(() => ann.get(`/api/conversations/${talk.id}/`), isRead, 'not read');
        assert.deepEqual(await sendersOf(bob, talk), [bob.id, ann.id]);
    });
}

test('nobody is signed in: signed-out, until somebody is', async (t) => {
    const ann = await register(server);
    jar.clear();
    const client = make(t, server);
    await assert.rejects(client.connect(), { status: 401 });
    assert.equal(client.state, 'signed-out');
    await signIn(ann);
    await client.connect();
    assert.equal(client.me.id, ann.id);
    await post(server, '/api-auth/logout/', {});
    await state(client, 'signed-out');
});

describe('another user signs in', () => {
    for (const transport of ['ws', 'sse', 'poll']) {
        test(`over ${transport}: what waits is not sent in his name, and nothing is shown`, async (t) => {
            const own = await startServer();
            t.after(() => own.stop());
            const people = await Promise.all([register(own), register(own), register(own)]);
            const [ann, bob, carol] = people;
            const talk = await makeConversation(carol, [ann, bob], { title: 'All' });
            const secret = await makeConversation(carol, [ann], { title: 'Secret' });
            jar.clear();
            await signIn(ann);
            const client = make(t, own, { transport });
            await client.connect();
            assert.ok(client.conversations.has(secret.id));
            isCut = true;
            await own.kill9();
            const item = client.send(talk.id, 'from Ann');
            const lost = assert.rejects(item.delivered);
            const reset = new Promise((resolve) => client.on('reset', resolve));
            await own.start();
            await signIn(bob);
            isCut = false;
            client.resume();
            await reset;
            await lost;
            await state(client, 'online');
            assert.equal(client.me.id, bob.id);
            assert.deepEqual([...client.conversations.keys()], [talk.id]);
            assert.deepEqual(client.pending(), []);
            await client.send(talk.id, 'from Bob').delivered;
            assert.deepEqual(await sendersOf(carol, talk), [bob.id]);
        });
    }
});
