// Catching up with a lot: bounded pages, one commit that is larger than a page, a catch-up that is
// interrupted and goes on, thousands of messages in fifty conversations.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, describe, test } from 'node:test';

import { eventually, makeConversation, register, say } from '../lib/client.mjs';
import { ok } from '../lib/expect.mjs';
import { KINDS, closing, connect, cursorOf, listen, page, poll } from '../lib/live.mjs';
import { Mirror, assertConverged, converges } from '../lib/mirror.mjs';
import { startServer } from '../lib/server.mjs';

const PAGE_MAX = 1 << 20;
const WHOLE = 60; // messages of a conversation that are all told
const MANY = 150; // more than is told of one
const LONG = '語'.repeat(9990); // 30 kB
const each = (name, body) =>
    KINDS.forEach((kind) => test(`${name} (${kind})`, (t) => body(t, kind)));

let server;

before(async () => {
    server = await startServer();
});
after(() => server?.stop());

// Many at once, so that it does not take long.
async function sendMany(sender, conversations, count, text, width = 32) {
    const jobs = conversations.flatMap((c) => Array.from({ length: count }, (_, n) => [c, n]));
    const work = async () => {
        for (let job; (job = jobs.shift());) await say(sender, job[0], text(job[1]));
    };
    await Promise.all(Array.from({ length: width }, work));
}

const makeMany = (owner, user, count, title) =>
    Promise.all(
        Array.from({ length: count }, (_, n) =>
            makeConversation(owner, [user], { title: `${title} ${n}` }),
        ),
    );

describe('thousands of messages in fifty conversations', () => {
    let owner, user, cursor, before10k;

    before(async () => {
        [owner, user] = [await register(server), await register(server)];
        const whole = await makeMany(owner, user, 40, 'whole');
        const limited = await makeMany(owner, user, 10, 'limited');
        for (const c of [...whole, ...limited]) await say(owner, c, 'known');
        const client = await listen('poll', user);
        await client.close();
        ({ cursor } = client);
        before10k = client;
        await sendMany(owner, whole, WHOLE, (n) => `${n} ${'x'.repeat(200)}`);
        await sendMany(owner, limited, MANY, (n) => `${n} of many`);
    });

    each('converges in bounded pages', async (t, kind) => {
        const mirror = new Mirror(before10k).update();
        const client = closing(t, await connect(kind, user, { cursor }));
        mirror.follow(client);
        await client.synced();
        await assertConverged(mirror);
        const messages = client.all('message').length;
        assert.ok(messages >= 40 * WHOLE && messages <= 40 * WHOLE + 10 * 100, `${messages} messages`);
        assert.equal(mirror.limited, 50 + 10);
        if (kind !== 'poll') return;
        assert.ok(client.pages > 1, 'one page would be too large');
        for (const size of client.sizes) assert.ok(size <= PAGE_MAX, `a page of ${size} bytes`);
    });

    each('interrupted again and again, it goes on where it was', async (t, kind) => {
        const mirror = new Mirror(before10k).update();
        let at = cursor;
        let came = 0;
        let times = 0;
        for (; times < 100; times++) {
            const client = await connect(kind, user, { cursor: at });
            mirror.follow(client);
            // the first place from which it may go on, or the end
            const isDone = () => client.rounds > 0 || client.all('synced').length > 0;
            const went = () => (client.cursor !== at || isDone() ? true : undefined);
            await client.until(went, 'a cursor in the middle');
            const done = isDone();
            await client.cut();
            mirror.update();
            came += client.all('message').length;
            at = client.cursor;
            if (done) break;
        }
        assert.ok(times > 1, 'it was interrupted');
        // a cut may cost what came behind the cursor, never the whole way
        assert.ok(came < 2 * (40 * WHOLE + 10 * 100), `${came} messages came`);
        const last = closing(t, await listen(kind, user, { cursor: at }));
        await assertConverged(mirror.follow(last));
    });

    each('what changes behind it while it is interrupted is not lost', async (t, kind) => {
        const mirror = new Mirror(before10k).update();
        const client = await connect(kind, user, { cursor });
        mirror.follow(client);
        await client.until(() => (client.cursor !== cursor ? true : undefined), 'a cursor');
        await client.cut();
        mirror.update();
        const [passed] = client.all('message');
        const conversation_id = passed.conversation_id;
        const fresh = await say(owner, { id: conversation_id }, `later, ${kind}`);
        const target = `/api/messages/${passed.message.id}/`;
        ok(await owner.patch(target, { message_body: `edited, ${kind}` }));
        const next = closing(t, await listen(kind, user, { cursor: client.cursor }));
        mirror.follow(next);
        await converges(mirror);
        assert.ok(mirror.bodies(conversation_id).includes(fresh.message_body));
    });
});

describe('one commit', () => {
    // Requests that wait for the database are committed together: another process holds it.
    async function inOneCommit(work) {
        const [program, ...args] = server.shell;
        const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
        const ended = new Promise((done) => child.once('close', done));
        // its writers wait for the shard's row, or for the whole file
        child.stdin.write(server.database ? 'BEGIN' : 'BEGIN IMMEDIATE');
        child.stdin.write('; UPDATE shard SET stamp = stamp; SELECT 1;\n');
        await new Promise((done) => child.stdout.once('data', done));
        const waiting = work();
        // what is waiting is not to be seen from outside; the number that was answered is
        let answered = 0;
        for (const one of waiting) one.then(() => answered++);
        await eventually(
            () => poll(owner, '', 0),
            () => true,
            'reads go on',
        );
        assert.equal(answered, 0, 'none is stored yet');
        child.stdin.end('ROLLBACK;\n');
        await ended;
        return Promise.all(waiting);
    }

    let owner;
    before(async () => {
        owner = await register(server);
    });

    test('that is larger than a page', async (t) => {
        const user = await register(server);
        const c = await makeConversation(owner, [user], { title: 'large' });
        const client = await listen('poll', user);
        await client.close();
        await inOneCommit(() =>
            Array.from({ length: 90 }, (_, n) => say(owner, c, `${n} ${LONG}`)),
        );
        for (const kind of KINDS) {
            const mirror = new Mirror(client).update();
            const next = closing(t, await connect(kind, user, { cursor: client.cursor }));
            mirror.follow(next);
            await next.synced();
            assert.equal(next.all('message').length, 90, kind);
            await assertConverged(mirror);
            if (kind !== 'poll') continue;
            assert.ok(next.pages >= 3, `${next.pages} pages`);
            for (const size of next.sizes) assert.ok(size <= PAGE_MAX, `a page of ${size} bytes`);
        }
    });

    test('cut at every page', async () => {
        const user = await register(server);
        const made = await makeMany(owner, user, 3, 'cut');
        const client = await listen('poll', user);
        await client.close();
        const sends = made.flatMap((c) =>
            Array.from({ length: 40 }, (_, n) => [c, `${n} ${LONG}`]),
        );
        await inOneCommit(() => sends.map(([c, text]) => say(owner, c, text)));
        const seen = [];
        let { cursor } = client;
        for (let more = true; more;) {
            const body = await page(user, cursor, 0);
            const again = await page(user, cursor, 0);
            assert.deepEqual(again.frames, body.frames, 'the same cursor, the same page');
            const messages = body.frames.filter((frame) => frame.type === 'message');
            seen.push(...messages.map((frame) => frame.message.id));
            ({ cursor, more } = body);
        }
        assert.equal(seen.length, sends.length);
        assert.equal(new Set(seen).size, sends.length, 'none comes twice');
    });

    test('a conversation of very many', async (t) => {
        const people = await Promise.all(Array.from({ length: 150 }, () => register(server)));
        const cursor = await cursorOf(people[140]);
        const live = closing(t, await listen('ws', people[141]));
        const c = await makeConversation(owner, people, { title: 'a crowd' });
        await say(owner, c, 'to all of you');
        const some = [people[140], people[0], owner];
        for (const who of some) {
            const from = who === people[140] ? cursor : '';
            const client = closing(t, await listen('poll', who, { cursor: from }));
            const [frame] = client.all({ type: 'conversation', conversation_id: c.id });
            assert.equal(frame.participant_count, 151);
            assert.equal(frame.participants.length, 100);
            await assertConverged(new Mirror(client));
        }
        await converges(new Mirror(live));
        // each has a read position of his own
        await Promise.all(
            people.map(async (who) => ok(await who.post(`/api/conversations/${c.id}/read/`))),
        );
        const after = closing(t, await listen('ws', people[140], { cursor }));
        await assertConverged(new Mirror(after));
    });
});

describe('from the ring of recent changes', () => {
    // Somebody is connected to one conversation and nobody to the other, so that the ring has frames
    // of the one alone.
    test('what it has, then what it lacks: pages are bounded, and nothing is missing', async (t) => {
        const people = await Promise.all([1, 2, 3].map(() => register(server)));
        const heard = await makeConversation(people[0], people.slice(1), { title: 'heard' });
        const unheard = await makeConversation(people[0], [people[1]], { title: 'unheard' });
        closing(t, await listen('ws', people[2]));
        const client = await listen('poll', people[1]);
        await client.close();
        await sendMany(people[0], [heard], 28, (n) => `${n} ${LONG}`);
        await sendMany(people[0], [unheard], 30, (n) => `${n} ${LONG}`);
        await sendMany(people[0], [heard, unheard], 20, (n) => `mixed ${n} ${LONG}`);
        for (const kind of KINDS) {
            const next = closing(t, await listen(kind, people[1], { cursor: client.cursor }));
            await assertConverged(new Mirror(client).update().follow(next));
            for (const size of next.sizes ?? []) {
                assert.ok(size <= PAGE_MAX, `a page of ${size} bytes`);
            }
        }
    });
});
