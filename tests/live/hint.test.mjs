// Changes that no hint announces: another process writes to the same file. The server looks past
// its position by itself, so they come late and are not lost.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { PASSWORD, login, makeConversation, register, say } from '../lib/client.mjs';
import { ok } from '../lib/expect.mjs';
import { KINDS, closing, listen, openSocket } from '../lib/live.mjs';
import { Mirror, converges } from '../lib/mirror.mjs';
import { startServer } from '../lib/server.mjs';

const NEW = 'Another-pass-77';
let server;

before(async () => {
    server = await startServer();
});
after(() => server?.stop());

async function changePassword(user) {
    const env = { CONFAB_PASSWORD: NEW };
    const end = await server.cli(['changepassword', user.username, '--noinput'], { env });
    assert.equal(end.code, 0, end.stderr);
}

describe('confab changepassword beside the server', { concurrency: 3 }, () => {
    for (const kind of KINDS) {
        test(`signs all devices out (${kind})`, async (t) => {
            const [user, other] = [await register(server), await register(server)];
            const clients = [await listen(kind, user), await listen(kind, user)];
            const stays = closing(t, await listen('ws', other));
            closing(t, ...clients);
            await changePassword(user);
            for (const client of clients) {
                const end = await client.ended();
                if (kind === 'ws') assert.equal(end.code, 4401);
                if (kind === 'poll') assert.equal(end.status, 401);
            }
            const c = await makeConversation(other, [], { title: 'still there' });
            await stays.get({ type: 'conversation', conversation_id: c.id });
            assert.equal((await user.get('/api/users/me/')).status, 401);
            await openSocket(await login(server, user.username, NEW)).then((s) => s.close());
        });
    }

    test('among much else that is written', async (t) => {
        const [user, owner] = [await register(server), await register(server)];
        const c = await makeConversation(owner, [user], { title: 'busy' });
        const ends = closing(t, await listen('ws', user));
        const stays = closing(t, await listen('ws', owner));
        const mirror = new Mirror(stays);
        let over = false;
        const writing = (async () => {
            for (let n = 0; !over; n++) await say(owner, c, `busy ${n}`);
        })();
        await changePassword(user);
        assert.equal((await ends.ended()).code, 4401);
        over = true;
        await writing;
        await converges(mirror);
    });
});

test('a new account of another process can be talked to at once', async (t) => {
    const owner = await register(server);
    const socket = closing(t, await listen('ws', owner));
    const args = [
        'createsuperuser',
        '--email',
        'root@example.com',
        '--username',
        'root',
        '--noinput',
    ];
    const end = await server.cli(args, { env: { CONFAB_SUPERUSER_PASSWORD: PASSWORD } });
    assert.equal(end.code, 0, end.stderr);
    const root = await login(server, 'root');
    const his = closing(t, await listen('ws', root));
    const c = await makeConversation(owner, [root], { title: 'with the root' });
    for (const client of [socket, his]) {
        await client.get({ type: 'conversation', conversation_id: c.id });
    }
    assert.equal(ok(await root.get(`/api/conversations/${c.id}/`)).id, c.id);
});
