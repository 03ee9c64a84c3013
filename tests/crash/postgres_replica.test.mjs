// DATABASE_REPLICA_URL: searches go to a replica that has caught up, and to the database itself where it
// has not or is away. Nothing that was answered is missing from a search, no right outlives its end.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { anonymous, eventually, login, makeCast, register, say, send } from '../lib/client.mjs';
import { ok } from '../lib/expect.mjs';
import { Cluster } from '../lib/postgres.mjs';
import { Server, removeDir, tempDir } from '../lib/server.mjs';

const dir = tempDir();
let cluster;
let replica;
let server;
let cast;

const urlOf = (one) => `postgres://confab@/chat?host=${one.folder}`;

before(async () => {
    cluster = new Cluster().start();
    cluster.run('createdb', '-h', cluster.folder, '-U', 'confab', 'chat');
    replica = cluster.replica().start();
    const env = {
        DATABASE_URL: urlOf(cluster),
        DATABASE_REPLICA_URL: urlOf(replica),
        METRICS_ALLOW: '127.0.0.1',
    };
    server = await new Server({ env, dir }).start();
    cast = await makeCast(server);
});

after(async () => {
    await server?.stop();
    replica?.stop();
    cluster?.stop();
    removeDir(dir);
});

async function metric(name) {
    const { text } = await anonymous(server).get('/metrics/');
    return Number(text.match(new RegExp(`^confab_replica_${name} (\\S+)$`, 'm'))[1]);
}

async function search(user, word, path = '/api/messages/') {
    const { results } = ok(await user.get(path, { search: word }));
    return results.map((message) => message.message_body);
}

// One that was too late is not waited for again until it was in time for a search.
const isUsed = () =>
    eventually(
        async () => (await search(cast.owner, 'hay')) && metric('up'),
        (up) => up === 1,
        'searches go to the replica',
    );

const sql = (text) => replica.run('psql', '-XAtq', '-h', replica.folder, '-U', 'confab', 'chat', '-c', text);

test('what was answered is found, by the replica', async () => {
    let n = 0;
    let reads = 0;
    async function readsOfReplica() {
        await isUsed();
        const others = await metric('reads_total');
        const text = `needle${++n} in hay`;
        await say(cast.owner, cast, text);
        assert.deepEqual(await search(cast.member, `needle${n} hay`), [text]);
        reads += (await metric('reads_total')) - others;
        return reads;
    }
    // It may lag too far behind for some of them.
    await eventually(readsOfReplica, (count) => count >= 15, 'reads of the replica');
});

test('a replica that stands still gives nobody a right, and hides nothing', async () => {
    const leaver = await register(server);
    ok(await cast.owner.post(`${cast.path}participants/`, { user_id: leaver.id }), 200, 201);
    await say(cast.owner, cast, 'known to leavers');
    assert.equal((await search(leaver, 'leavers')).length, 1);

    sql('SELECT pg_wal_replay_pause()');
    const missed = await metric('missed_total');
    ok(await cast.owner.delete(`${cast.path}participants/${leaver.id}/`), 204);
    await say(cast.owner, cast, 'hidden from leavers');
    assert.deepEqual(await search(leaver, 'leavers'), []);
    assert.equal((await leaver.get(`${cast.path}messages/`, { search: 'leavers' })).status, 403);
    assert.equal((await search(cast.owner, 'leavers')).length, 2, 'his own write is found');
    assert.ok((await metric('missed_total')) > missed);
    assert.equal(await metric('up'), 0);

    // A session is as new as a right.
    const again = await login(server, leaver.username);
    assert.deepEqual(await search(again, 'leavers'), []);
    const json = { refresh: again.refresh };
    const { access } = ok(await send(server, 'POST', '/api/token/refresh/', { json }));
    const headers = { authorization: `Bearer ${access}` };
    ok(await send(server, 'GET', '/api/messages/?search=leavers', { headers }));
    const { sid } = JSON.parse(Buffer.from(again.access.split('.')[1], 'base64url'));
    ok(await leaver.delete(`/api/users/me/sessions/${sid}/`), 204);
    const revoked = await send(server, 'GET', '/api/messages/?search=leavers', { headers });
    assert.equal(revoked.status, 401);

    sql('SELECT pg_wal_replay_resume()');
    await isUsed();
});

test('killed and started again: searches go on', async () => {
    await say(cast.owner, cast, 'written before it died');
    assert.equal((await search(cast.member, 'died')).length, 1);
    replica.kill();
    for (let n = 0; n < 5; n++) assert.equal((await search(cast.member, 'died')).length, 1);
    assert.equal(await metric('up'), 0);
    await say(cast.owner, cast, 'written after it died');
    assert.equal((await search(cast.member, 'died')).length, 2);
    replica.start();
    await eventually(
        async () => (await search(cast.member, 'died')).length === 2 && metric('up'),
        (up) => up === 1,
        'searches go to the replica again',
    );
});
