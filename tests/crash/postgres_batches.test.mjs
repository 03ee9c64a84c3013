// On PostgreSQL the statements that write are sent without waiting for each: one that fails is noticed
// later, amid somebody else's request or in COMMIT. Whoever sent it gets the failure, and nobody else.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { anonymous, makeConversation, register, walk } from '../lib/client.mjs';
import { Cluster } from '../lib/postgres.mjs';
import { Server, sleep } from '../lib/server.mjs';

const REQUESTS = 60;

let cluster, server, user;

const sql = (text) =>
    cluster.run('psql', '-h', cluster.folder, '-U', 'confab', '-d', 'chat', '-Atqc', text).trim();

before(async () => {
    cluster = new Cluster().start();
    cluster.run('createdb', '-h', cluster.folder, '-U', 'confab', 'chat');
    const DATABASE_URL = `postgres://confab@/chat?host=${cluster.folder}`;
    server = await new Server({ env: { DATABASE_URL, METRICS_ALLOW: '127.0.0.1' } }).start();
    user = await register(server);
    // What no request of ours provokes: a row that the database refuses.
    sql(`ALTER TABLE message ADD CONSTRAINT no_poison CHECK (body NOT LIKE 'poison%');
         CREATE SEQUENCE meetings;
         CREATE FUNCTION meet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF NEW.body LIKE 'always%' OR NEW.body LIKE 'once%' AND nextval('meetings') = 1 THEN
                 RAISE unique_violation;
             END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER meet BEFORE INSERT ON message FOR EACH ROW EXECUTE FUNCTION meet();`);
});
after(async () => {
    await server?.stop();
    cluster?.stop();
});

async function undoneBatches() {
    const { text } = await anonymous(server).get('/metrics/');
    return Number(/^confab_write_batches_failed_total (\d+)$/m.exec(text)[1]);
}

// All at once into one conversation, those of `special` (text -> status) among others.
async function sendAmongOthers(special) {
    const talk = await makeConversation(user, []);
    const texts = Array.from({ length: REQUESTS }, (_, n) => `plain ${n}`);
    Object.keys(special).forEach((text, n) => texts.splice(7 * (n + 1), 0, text));
    const undone = await undoneBatches();
    const answers = await Promise.all(
        texts.map((content) => user.post(`/api/conversations/${talk.id}/messages/`, { content })),
    );
    assert.deepEqual(
        Object.fromEntries(texts.map((text, n) => [text, answers[n].status])),
        Object.fromEntries(texts.map((text) => [text, special[text] ?? 201])),
    );
    const stored = await walk(user, `/api/conversations/${talk.id}/messages/?cursor=`, REQUESTS);
    assert.deepEqual(
        stored.map((message) => message.message_body).sort(),
        texts.filter((text) => (special[text] ?? 201) === 201).sort(),
    );
    assert.deepEqual(
        stored.map((message) => message.seq),
        stored.map((_, n) => n + 1),
        'dense',
    );
    assert.ok((await undoneBatches()) > undone, 'a batch was undone');
}

test('a row that is refused is the failure of its request alone', () =>
    sendAmongOthers({ 'poison 1': 500, 'poison 2': 500 }));

test('many of them', () =>
    sendAmongOthers(Object.fromEntries(Array.from({ length: 8 }, (_, n) => [`poison ${n}`, 500]))));

test('who meets a row of somebody else runs again, once', () =>
    sendAmongOthers({ 'once 1': 201, 'always 1': 409 }));

test('alone', async () => {
    const talk = await makeConversation(user, []);
    const path = `/api/conversations/${talk.id}/messages/`;
    const statuses = [];
    for (const content of ['poison', 'plain', 'always', 'plain'])
        statuses.push((await user.post(path, { content })).status);
    assert.deepEqual(statuses, [500, 201, 409, 201]);
});

test('a connection that the server has closed meanwhile is made again before it is used', async () => {
    const talk = await makeConversation(user, []);
    const path = `/api/conversations/${talk.id}/messages/`;
    for (let n = 0; n < 8; n++) assert.equal((await user.get(path)).status, 200);
    // With a time it waits for their end, as a signal alone does not.
    const closed = sql(`SELECT count(*) FILTER (WHERE pg_terminate_backend(pid, 10000))
                        FROM pg_stat_activity WHERE application_name = 'confab'`);
    assert.ok(Number(closed) > 1, closed);
    await sleep(200);
    for (let n = 0; n < 8; n++) {
        assert.equal((await user.post(path, { content: `${n}` })).status, 201);
        assert.equal((await user.get(path)).json.count, n + 1);
    }
});
