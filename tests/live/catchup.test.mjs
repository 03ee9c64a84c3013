// Catching up: what a client that comes with a cursor (or without one) is told. State and no
// replay, the same over all three transports. Big ones are in pages.test.mjs, restored databases
// and restarts in cursors.test.mjs.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { login, makeAdmin, makeCast, makeConversation, register, say } from '../lib/client.mjs';
import { ids, ok } from '../lib/expect.mjs';
import { KINDS, RING_MIN, closing, connect, cursorOf, listen, settled } from '../lib/live.mjs';
import { Mirror, assertConverged, converges } from '../lib/mirror.mjs';
import { startServer } from '../lib/server.mjs';

let server;

before(async () => {
    server = await startServer({ env: { RING_SIZE_MAX: `${RING_MIN}` } });
});
after(() => server?.stop());

const edit = async (user, message, message_body) =>
    ok(await user.patch(`/api/messages/${message.id}/`, { message_body }));
const remove = async (user, message) =>
    assert.equal((await user.delete(`/api/messages/${message.id}/`)).status, 204);
const participants = (c) => `/api/conversations/${c.id}/participants/`;
const add = async (by, c, who) => ok(await by.post(participants(c), { user_id: who.id }), 200, 201);
const drop = async (by, c, who) =>
    assert.equal((await by.delete(`${participants(c)}${who.id}/`)).status, 204);

// Everything that a client is told that comes again, until it is up to date: what the database says, as
// the ring of recent changes has nothing of it. `known`: a cursor, or the client that it was before;
// then the way through the ring, which may repeat what has happened, must lead to the same.
async function told(t, kind, user, known) {
    const cursor = known?.cursor ?? known;
    if (known?.frames) {
        const quick = closing(t, await listen(kind, user, { cursor }));
        await converges(new Mirror(known).update().follow(quick));
        await quick.close();
    }
    if (cursor) await settled(server, { flush: true });
    const client = closing(t, await listen(kind, user, { cursor }));
    await client.close();
    return client;
}

const of = (client, type, c) =>
    client.all(type).filter((frame) => !c || frame.conversation_id === c.id);

// One test for each transport; the world is made once for each.
function each(name, body) {
    for (const kind of KINDS) test(`${name} (${kind})`, (t) => body(t, kind));
}

describe('from nothing', { concurrency: 4 }, () => {
    each('all that is mine, and nothing else', async (t, kind) => {
        const cast = await makeCast(server);
        const messages = [];
        for (let n = 1; n <= 5; n++) messages.push(await say(cast.owner, cast, `first ${n}`));
        await edit(cast.owner, messages[0], 'first 1, edited');
        await remove(cast.owner, messages[1]);
        ok(await cast.moderator.post(`${cast.path}messages/${messages[2].id}/pin/`));
        ok(await cast.member.post(`${cast.path}read/`, { seq: 3 }));
        await makeConversation(cast.owner, [cast.stranger], { title: 'not of the member' });
        const direct = { direct: true, title: '' };
        await makeConversation(cast.member, [cast.stranger], direct);
        await makeConversation(cast.member, [], { title: 'a note', metadata: { a: [1] } });
        const client = await told(t, kind, cast.member);
        await assertConverged(new Mirror(client));
        assert.equal(of(client, 'conversation').length, 3);
        for (const frame of of(client, 'conversation')) assert.equal(frame.limited, true);
        const [membership] = of(client, 'membership', cast);
        assert.deepEqual(membership, {
            type: 'membership',
            conversation_id: cast.id,
            role: 'member',
            read_seq: 3,
            muted_until: null,
            pinned: false,
            archived: false,
            rev: membership.rev,
        });
    });

    each('nothing at all', async (t, kind) => {
        const client = await told(t, kind, await register(server));
        assert.deepEqual(of(client, 'conversation'), []);
        assert.deepEqual(of(client, 'message'), []);
        assert.notEqual(client.cursor, '');
    });
});

describe('what has changed since', { concurrency: 4 }, () => {
    each('nothing', async (t, kind) => {
        const cast = await makeCast(server);
        await say(cast.owner, cast, 'before');
        const cursor = await cursorOf(cast.member);
        const client = await told(t, kind, cast.member, cursor);
        const types = new Set(client.frames.map((frame) => frame.type));
        for (const type of ['hello', 'synced']) types.delete(type);
        assert.deepEqual([...types], []);
        const again = await told(t, kind, cast.member, client.cursor);
        assert.deepEqual(of(again, 'conversation'), []);
    });

    each('state, not a replay', async (t, kind) => {
        const cast = await makeCast(server);
        const old = await say(cast.owner, cast, 'old');
        const quiet = await say(cast.owner, cast, 'quiet');
        const client = closing(t, await listen(kind, cast.member));
        await client.close();
        const mirror = new Mirror(client).update();

        const fresh = await say(cast.owner, cast, 'new');
        for (let n = 1; n <= 50; n++) {
            await edit(cast.owner, n % 2 ? old : fresh, `edit ${n}`);
            if (n % 5 === 0) ok(await cast.owner.patch(cast.path, { title: `title ${n}` }));
        }
        const next = await told(t, kind, cast.member, client);
        const bodies = of(next, 'message').map((frame) => frame.message.message_body);
        assert.deepEqual(bodies, ['edit 49', 'edit 50']);
        assert.ok(!of(next, 'message').some((frame) => frame.message.id === quiet.id));
        assert.equal(of(next, 'conversation').length, 1);
        assert.equal(of(next, 'conversation')[0].title, 'title 50');
        assert.equal(of(next, 'conversation')[0].limited, undefined);
        await assertConverged(mirror.follow(next));
    });

    each('tombstones: no body, and no hole', async (t, kind) => {
        const cast = await makeCast(server);
        const known = await say(cast.owner, cast, 'known and deleted');
        const first = await listen(kind, cast.member);
        await first.close();
        const mirror = new Mirror(first).update();
        await edit(cast.owner, known, 'edited, then deleted');
        await remove(cast.owner, known);
        const unseen = await say(cast.owner, cast, 'sent and deleted');
        await remove(cast.moderator, await say(cast.member, cast, 'deleted by another'));
        await remove(cast.owner, unseen);
        const next = await told(t, kind, cast.member, first);
        const messages = of(next, 'message').map((frame) => frame.message);
        assert.deepEqual(messages.map((m) => m.seq).sort(), [1, 2, 3]);
        for (const message of messages) {
            assert.equal(message.deleted, true);
            assert.equal(message.message_body, '');
        }
        assert.doesNotMatch(JSON.stringify(next.frames), /then deleted|sent and|by another/);
        await assertConverged(mirror.follow(next));
    });

    each('pins, closing, metadata, roles', async (t, kind) => {
        const cast = await makeCast(server);
        const message = await say(cast.owner, cast, 'to be pinned');
        const first = await listen(kind, cast.member);
        await first.close();
        const mirror = new Mirror(first).update();
        ok(await cast.owner.post(`${cast.path}messages/${message.id}/pin/`));
        ok(await cast.owner.patch(cast.path, { metadata: { topic: 'x' } }));
        ok(await cast.owner.post(`${cast.path}close/`));
        const role = { role: 'member' };
        ok(await cast.owner.patch(`${cast.path}participants/${cast.moderator.id}/`, role));
        const next = await told(t, kind, cast.member, first);
        assert.equal(of(next, 'message', cast)[0].message.pinned, true);
        assert.equal(of(next, 'conversation', cast)[0].closed, true);
        await assertConverged(mirror.follow(next));
    });

    each('read positions, of others and mine', async (t, kind) => {
        const cast = await makeCast(server);
        for (let n = 1; n <= 6; n++) await say(cast.owner, cast, `${n}`);
        const first = await listen(kind, cast.member);
        await first.close();
        const mirror = new Mirror(first).update();
        ok(await cast.moderator.post(`${cast.path}read/`, { seq: 2 }));
        ok(await cast.moderator.post(`${cast.path}read/`, { seq: 5 }));
        ok(await cast.moderator.post(`${cast.path}read/`, { seq: 4 }));
        const device = await login(server, cast.member.username);
        ok(await device.post(`${cast.path}read/`, { seq: 3 }));
        const next = await told(t, kind, cast.member, first);
        assert.deepEqual(of(next, 'message'), []);
        await assertConverged(mirror.follow(next));
        const { unread_count } = ok(await cast.member.get(cast.path));
        assert.equal(unread_count, 3);
    });

    each('own settings, to own devices only', async (t, kind) => {
        const cast = await makeCast(server);
        const cursors = [await cursorOf(cast.member), await cursorOf(cast.owner)];
        const muted_until = '2099-01-02T03:04:05Z';
        const mine = { muted_until, pinned: true, archived: true };
        ok(await cast.member.patch(`${cast.path}me/`, mine));
        const [me, other] = await Promise.all([
            told(t, kind, cast.member, cursors[0]),
            told(t, kind, cast.owner, cursors[1]),
        ]);
        const [membership] = of(me, 'membership', cast);
        const { pinned, archived } = membership;
        const seen = { muted_until: membership.muted_until, pinned, archived };
        assert.deepEqual(seen, mine);
        assert.doesNotMatch(JSON.stringify(other.frames), /2099-01-02/); // an id may have 2099
        for (const frame of of(other, 'membership')) assert.equal(frame.muted_until, null);
    });

    each('my profile', async (t, kind) => {
        const user = await register(server);
        const other = await register(server);
        const cursors = [await cursorOf(user), await cursorOf(other)];
        ok(await user.patch('/api/users/me/', { first_name: 'Grace', last_name: 'H' }));
        const client = await told(t, kind, user, cursors[0]);
        const { id, username } = user;
        const [frame] = of(client, 'user');
        assert.deepEqual(frame.user, {
            id,
            username,
            first_name: 'Grace',
            last_name: 'H',
            full_name: 'Grace H',
            avatar: null,
            role: 'guest',
            deleted: false,
        });
        assert.deepEqual(of(await told(t, kind, other, cursors[1]), 'user'), []);
    });

    each('a sender who was erased', async (t, kind) => {
        const admin = await makeAdmin(server);
        const cast = await makeCast(server);
        await say(cast.moderator, cast, 'of somebody who will be gone');
        await say(cast.owner, cast, 'of somebody who stays');
        const client = closing(t, await listen(kind, cast.member));
        const mirror = new Mirror(client).update();
        await client.close();
        assert.equal((await admin.delete(`/api/users/${cast.moderator.id}/`)).status, 204);
        // erased in the background
        const live = closing(t, await listen(kind, cast.member, { cursor: client.cursor }));
        await live.get((f) => f.type === 'message' && f.message.seq === 1 && f.message.deleted);
        await converges(mirror.follow(live));
        assert.doesNotMatch(JSON.stringify(live.frames), /who will be gone/);
    });
});

describe('memberships', { concurrency: 4 }, () => {
    async function away(kind, user) {
        const client = await listen(kind, user);
        await client.close();
        return { client, mirror: new Mirror(client).update() };
    }

    each('begun: the whole history, though it is older than the cursor', async (t, kind) => {
        const cast = await makeCast(server);
        for (let n = 1; n <= 30; n++) await say(cast.owner, cast, `old ${n}`);
        const { client, mirror } = await away(kind, cast.stranger);
        await add(cast.owner, cast, cast.stranger);
        const next = await told(t, kind, cast.stranger, client);
        const [frame] = of(next, 'conversation', cast);
        assert.equal(frame.limited, true);
        assert.equal(frame.last_seq, 30);
        assert.ok(frame.from_seq >= 1 && frame.from_seq <= 31);
        await assertConverged(mirror.follow(next));
        const page = { before_seq: 31, limit: 100 };
        const { results } = ok(await cast.stranger.get(`${cast.path}messages/`, page));
        assert.equal(results.length, 30);
        const [membership] = of(next, 'membership', cast);
        assert.equal(membership.read_seq, 30, "a joiner's position is the last_seq of the moment");
    });

    each('ended: gone, by removal, by leaving, by deletion', async (t, kind) => {
        const user = await register(server);
        const owner = await register(server);
        const made = [];
        for (const title of ['removed', 'left', 'deleted', 'stays']) {
            made.push(await makeConversation(owner, [user], { title }));
        }
        for (const c of made) await say(owner, c, `in ${c.title}`);
        const { client, mirror } = await away(kind, user);
        await drop(owner, made[0], user);
        await drop(user, made[1], user);
        assert.equal((await owner.delete(`/api/conversations/${made[2].id}/`)).status, 204);
        for (const c of [made[0], made[1], made[3]]) await say(owner, c, 'written afterwards');
        const next = await told(t, kind, user, client);
        const gone = of(next, 'conversation.gone');
        assert.deepEqual(
            gone.map((frame) => frame.conversation_id).sort(),
            ids(made.slice(0, 3)).sort(),
        );
        for (const frame of gone) assert.ok(Number.isInteger(frame.rev) && frame.rev > 1);
        const afterwards = of(next, 'message').map((frame) => frame.conversation_id);
        assert.deepEqual(afterwards, [made[3].id]);
        await assertConverged(mirror.follow(next));
    });

    each('ended and begun again: from scratch', async (t, kind) => {
        const cast = await makeCast(server);
        for (let n = 1; n <= 5; n++) await say(cast.owner, cast, `before ${n}`);
        const { client, mirror } = await away(kind, cast.member);
        await drop(cast.owner, cast, cast.member);
        await say(cast.owner, cast, 'between');
        await add(cast.owner, cast, cast.member);
        await say(cast.owner, cast, 'after');
        const next = await told(t, kind, cast.member, client);
        assert.equal(of(next, 'conversation', cast).at(-1).limited, true);
        await assertConverged(mirror.follow(next));
        assert.deepEqual(mirror.bodies(cast).slice(-2), ['between', 'after']);
        // and the same from nothing
        await assertConverged(new Mirror(await told(t, kind, cast.member)));
    });

    each('begun and ended: nothing of it stays', async (t, kind) => {
        const cast = await makeCast(server);
        await say(cast.owner, cast, 'a secret');
        const { client, mirror } = await away(kind, cast.stranger);
        await add(cast.owner, cast, cast.stranger);
        await drop(cast.owner, cast, cast.stranger);
        const next = await told(t, kind, cast.stranger, client);
        assert.doesNotMatch(JSON.stringify(next.frames), /a secret/);
        await assertConverged(mirror.follow(next));
        const fresh = await told(t, kind, cast.stranger);
        assert.doesNotMatch(JSON.stringify(fresh.frames), /a secret/);
        assert.deepEqual(of(fresh, 'conversation'), []);
    });

    each('of others: who came and went', async (t, kind) => {
        const cast = await makeCast(server);
        const { client, mirror } = await away(kind, cast.member);
        await add(cast.owner, cast, cast.stranger);
        await drop(cast.owner, cast, cast.moderator);
        const next = await told(t, kind, cast.member, client);
        const [frame] = of(next, 'conversation', cast);
        assert.deepEqual(
            ids(frame.participants).sort(),
            [cast.owner.id, cast.member.id, cast.stranger.id].sort(),
        );
        assert.equal(frame.participant_count, 3);
        await assertConverged(mirror.follow(next));
    });
});

describe('limited', { concurrency: 4 }, () => {
    each('up to 100 messages come, of more the newest', async (t, kind) => {
        const user = await register(server);
        const owner = await register(server);
        const few = await makeConversation(owner, [user], { title: 'few' });
        const many = await makeConversation(owner, [user], { title: 'many' });
        await say(owner, many, 'known 1');
        const edited = await say(owner, many, 'known 2');
        const client = await listen(kind, user);
        await client.close();
        const mirror = new Mirror(client).update();
        const send = (c, count) =>
            Promise.all(Array.from({ length: count }, (_, n) => say(owner, c, `m ${n}`)));
        await send(few, 100);
        await send(many, 101);
        await edit(owner, edited, 'known 2, edited');
        const next = await told(t, kind, user, client);
        const [whole] = of(next, 'conversation', few);
        assert.equal(whole.limited, undefined);
        assert.equal(of(next, 'message', few).length, 100);
        const [frame] = of(next, 'conversation', many);
        assert.equal(frame.limited, true);
        assert.equal(frame.last_seq, 103);
        const seqs = of(next, 'message', many).map(({ message }) => message.seq);
        const kept = seqs.filter((seq) => seq >= frame.from_seq).sort((a, b) => a - b);
        const wanted = 103 - frame.from_seq + 1;
        assert.deepEqual(
            kept,
            Array.from({ length: wanted }, (_, n) => frame.from_seq + n),
        );
        assert.ok(seqs.length <= 100, `${seqs.length} messages`);
        await assertConverged(mirror.follow(next));
        // the rest is there on demand
        const back = { before_seq: frame.from_seq, limit: 100 };
        const { results } = ok(await user.get(`/api/conversations/${many.id}/messages/`, back));
        assert.equal(results.at(-1).seq, frame.from_seq - 1);
    });
});

describe('while it connects', { concurrency: 2 }, () => {
    each('what is sent meanwhile comes too', async (t, kind) => {
        const user = await register(server);
        const owner = await register(server);
        const made = [];
        for (let n = 0; n < 4; n++) {
            made.push(await makeConversation(owner, [user], { title: `busy ${n}` }));
        }
        let over = false;
        const write = async (c) => {
            for (let n = 0; !over; n++) {
                const message = await say(owner, c, `race ${n}`);
                if (n % 3 === 0) await edit(owner, message, `race ${n}, edited`);
                if (n % 7 === 0)
                    ok(await owner.patch(`/api/conversations/${c.id}/`, { title: `${n}` }));
            }
        };
        const writers = made.map(write);
        const mirror = new Mirror({ frames: [], user });
        const clients = [];
        let cursor = '';
        for (let n = 0; n < 8; n++) {
            const client = await connect(kind, user, { cursor });
            clients.push(client);
            mirror.follow(client);
            await client.synced();
            if (n === 7) break;
            await client.close();
            mirror.update();
            ({ cursor } = client);
        }
        closing(t, clients.at(-1));
        over = true;
        await Promise.all(writers);
        await converges(mirror);
        assert.equal(mirror.resets, 0);
    });

    each('a conversation that begins meanwhile comes too', async (t, kind) => {
        const user = await register(server);
        const owner = await register(server);
        let over = false;
        const write = async () => {
            for (let n = 0; !over || n < 5; n++) {
                const c = await makeConversation(owner, [user], { title: `new ${n}` });
                await say(owner, c, `in new ${n}`);
                if (n % 3 === 1) await drop(owner, c, user);
            }
        };
        const writing = write();
        const mirror = new Mirror({ frames: [], user });
        let client;
        for (let n = 0; n < 6; n++) {
            client = await connect(kind, user, { cursor: client?.cursor });
            mirror.follow(client);
            await client.synced();
            if (n < 5) await client.close();
        }
        closing(t, client);
        over = true;
        await writing;
        await converges(mirror);
    });
});
