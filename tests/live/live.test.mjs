// What clients that are connected are told of each durable change: who gets it, who does not, and
// what is in it. That somebody gets nothing is seen by what he gets next.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { login, makeCast, makeConversation, register, say } from '../lib/client.mjs';
import { contains, ids, ok } from '../lib/expect.mjs';
import { KINDS, closing, listen, matches } from '../lib/live.mjs';
import { Mirror, converges } from '../lib/mirror.mjs';
import { startServer } from '../lib/server.mjs';

let server;

before(async () => {
    server = await startServer();
});
after(() => server?.stop());

// A conversation with one client for each of its people, and of a stranger.
async function stage(t, kind = 'ws') {
    const cast = await makeCast(server);
    const names = ['owner', 'moderator', 'member', 'stranger'];
    const clients = await Promise.all(names.map((name) => listen(kind, cast[name])));
    closing(t, ...clients);
    const on = Object.fromEntries(names.map((name, n) => [name, clients[n].forget()]));
    return { ...cast, on };
}

const members = ({ on }) => [on.owner, on.moderator, on.member];
const inIt = (c, type, more = {}) => ({ type, conversation_id: c.id, ...more });

// All of these are told, each once.
async function toldTo(clients, part) {
    const frames = await Promise.all(clients.map((client) => client.get(part)));
    for (const frame of frames) assert.deepEqual(frame, frames[0]);
    return frames[0];
}

// What comes to the client first of all, after everything so far, is a message in a conversation of
// its own: changes are passed on in the order of their commits.
async function assertNothing(client, what) {
    const mine = await makeConversation(client.user, [], { title: 'marker' });
    await client.get(inIt(mine, 'conversation'));
    const text = `marker ${mine.id}`;
    await say(client.user, mine, text);
    await client.get({ type: 'message', message: { message_body: text } });
    const others = client.all((frame) => frame.conversation_id !== mine.id);
    const found = others.filter((frame) => !/^(ping|synced)$/.test(frame.type));
    assert.deepEqual(found, [], what);
}

function each(name, body) {
    for (const kind of KINDS) {
        test(`${name} (${kind})`, async (t) => body(await stage(t, kind), t, kind));
    }
}

const SENDER = ['avatar', 'full_name', 'id', 'username'];
const MESSAGE = [
    ...['attachments', 'conversation', 'deleted', 'edited', 'edited_at', 'id', 'message_body'],
    ...['message_id', 'metadata', 'pinned', 'reply_to', 'rev', 'sender', 'sender_id', 'sent_at'],
    'seq',
];
const CONVERSATION = [
    ...['closed', 'conversation_id', 'created_at', 'created_by', 'direct', 'last_seq'],
    ...['message_count', 'metadata', 'participant_count', 'participants', 'rev', 'title'],
    ...['type', 'updated_at'],
];
const PARTICIPANT = ['avatar', 'full_name', 'id', 'joined_at', 'read_seq', 'role', 'username'];

describe('messages', { concurrency: 4 }, () => {
    each('to all members, on all devices, and to nobody else', async (s, t, kind) => {
        const device = await login(server, s.owner.username);
        const second = closing(t, await listen(kind, device));
        const sent = await say(s.owner, s, 'hello ✓', { metadata: { a: [1, null] } });
        const clients = [...members(s), second];
        const frame = await toldTo(clients, inIt(s, 'message'));
        assert.deepEqual(Object.keys(frame).sort(), ['conversation_id', 'message', 'type']);
        const { message } = frame;
        assert.deepEqual(Object.keys(message).sort(), MESSAGE);
        assert.deepEqual(Object.keys(message.sender).sort(), SENDER);
        contains(message.sender, { id: s.owner.id, username: s.owner.username });
        const { client_id, is_read, sender, ...shared } = sent;
        const { sender: _, ...rest } = message;
        assert.deepEqual(rest, shared);
        await assertNothing(s.on.stranger, 'a stranger');
        for (const client of clients) assert.equal(client.all(inIt(s, 'message')).length, 1);
    });

    each('edited, pinned, deleted', async (s) => {
        const sent = await say(s.member, s, 'first');
        const path = `${s.path}messages/${sent.id}/`;
        const reply = await say(s.owner, s, 'an answer', { reply_to: sent.id });
        const told = async (part) => {
            const isIt = (message) => message.id === sent.id && matches(message, part);
            return (await toldTo(members(s), inIt(s, 'message', { message: isIt }))).message;
        };
        const first = await told({ rev: sent.rev });
        assert.equal(first.message_body, 'first');
        ok(await s.member.patch(path, { message_body: 'second' }));
        const second = await told({ message_body: 'second' });
        assert.equal(second.edited, true);
        assert.ok(second.edited_at > second.sent_at);
        ok(await s.moderator.post(`${path}pin/`));
        const pinned = await told({ pinned: true });
        ok(await s.moderator.post(`${path}unpin/`));
        const unpinned = await told((m) => m.rev > pinned.rev && !m.pinned);
        assert.equal((await s.member.delete(path)).status, 204);
        const gone = await told({ deleted: true });
        contains(gone, { message_body: '', seq: sent.seq, metadata: {}, sender_id: s.member.id });
        const revs = [first, second, pinned, unpinned, gone].map((m) => m.rev);
        assert.deepEqual(
            revs,
            [...new Set(revs)].sort((a, b) => a - b),
            'each with a greater rev',
        );
        const answer = inIt(s, 'message', { message: { id: reply.id } });
        assert.equal((await toldTo(members(s), answer)).message.reply_to, sent.id);
        await assertNothing(s.on.stranger, 'a stranger');
    });

    test('in order of rev, whoever writes', async (t) => {
        const s = await stage(t);
        const writers = [s.owner, s.moderator, s.member];
        await Promise.all(
            writers.map(async (user, n) => {
                for (let i = 0; i < 15; i++) {
                    const sent = await say(user, s, `${n} ${i}`);
                    ok(await user.patch(`/api/messages/${sent.id}/`, { content: `${n} ${i}!` }));
                }
            }),
        );
        await say(s.owner, s, 'the last');
        for (const client of members(s)) {
            await client.get(inIt(s, 'message', { message: { message_body: 'the last' } }));
            const revs = client.all(inIt(s, 'message')).map((frame) => frame.message.rev);
            assert.deepEqual(
                revs,
                [...revs].sort((a, b) => a - b),
            );
            await converges(new Mirror({ frames: client.frames, user: client.user }));
        }
    });
});

describe('conversations', { concurrency: 4 }, () => {
    each('title, metadata, closing and opening again', async (s) => {
        const told = (part) => toldTo(members(s), inIt(s, 'conversation', part));
        ok(await s.owner.patch(s.path, { title: 'a new title' }));
        const frame = await told({ title: 'a new title' });
        assert.deepEqual(Object.keys(frame).sort(), CONVERSATION);
        for (const row of frame.participants) {
            assert.deepEqual(Object.keys(row).sort(), PARTICIPANT);
        }
        contains(frame, { participant_count: 3, closed: false, direct: false, last_seq: 0 });
        ok(await s.moderator.patch(s.path, { metadata: { topic: ['x'] } }));
        await told({ metadata: { topic: ['x'] } });
        ok(await s.owner.post(`${s.path}close/`));
        const closed = await told({ closed: true });
        ok(await s.owner.post(`${s.path}reopen/`));
        const isLater = (rev) => rev > closed.rev;
        const reopened = await told({ closed: false, rev: isLater });
        assert.ok(frame.rev < closed.rev && closed.rev < reopened.rev);
        await assertNothing(s.on.stranger, 'a stranger');
    });

    each('a new one: to those who are in it, from scratch', async (s) => {
        const input = { title: 'new', message_body: 'the first message' };
        const c = await makeConversation(s.owner, [s.member], input);
        for (const client of [s.on.owner, s.on.member]) {
            const frame = await client.get(inIt(c, 'conversation'));
            assert.equal(frame.limited, true);
            await client.get(inIt(c, 'membership'));
            await client.get(inIt(c, 'message'));
        }
        contains(await s.on.owner.get(inIt(c, 'membership')), { role: 'owner' });
        contains(await s.on.member.get(inIt(c, 'membership')), { role: 'member', read_seq: 0 });
        await assertNothing(s.on.stranger, 'a stranger');
        const direct = ok(
            await s.owner.post('/api/conversations/', {
                participants: [s.stranger.id],
                direct: true,
            }),
            201,
        );
        s.on.stranger.forget();
        await say(s.owner, direct, 'just you');
        const found = await listenTo(s.on.stranger, direct);
        assert.equal(found.direct, true);
        for (const client of [s.on.member]) await assertNotIn(client, direct);
    });
    // A direct conversation was told before the mark.
    const listenTo = (client, c) => {
        client.mark = 0;
        return client.get(inIt(c, 'conversation'));
    };
    const assertNotIn = async (client, c) => {
        const mine = await makeConversation(client.user, [], { title: 'marker' });
        await client.get(inIt(mine, 'conversation'));
        assert.deepEqual(
            client.all((frame) => frame.conversation_id === c.id),
            [],
        );
    };

    each('deleted: gone, for all of them', async (s) => {
        await say(s.owner, s, 'something');
        assert.equal((await s.owner.delete(s.path)).status, 204);
        for (const client of members(s)) {
            const frame = await client.get(inIt(s, 'conversation.gone'));
            assert.deepEqual(Object.keys(frame).sort(), ['conversation_id', 'rev', 'type']);
        }
        await assertNothing(s.on.stranger, 'a stranger');
        for (const client of members(s)) {
            await converges(new Mirror({ frames: client.frames, user: client.user }));
        }
    });
});

describe('participants', { concurrency: 4 }, () => {
    const add = async (s, who) =>
        ok(await s.owner.post(`${s.path}participants/`, { user_id: who.id }), 200, 201);
    const drop = async (by, s, who) =>
        assert.equal((await by.delete(`${s.path}participants/${who.id}/`)).status, 204);
    const without = (s, ...names) =>
        ['owner', 'moderator', 'member', 'stranger']
            .filter((name) => !names.includes(name))
            .map((name) => s.on[name]);

    each('added: the others are told, he gets it from scratch', async (s) => {
        for (let n = 1; n <= 25; n++) await say(s.owner, s, `old ${n}`);
        await add(s, s.stranger);
        const frame = await toldTo(members(s), inIt(s, 'conversation', { participant_count: 4 }));
        assert.ok(ids(frame.participants).includes(s.stranger.id));
        const his = await s.on.stranger.get(inIt(s, 'conversation'));
        assert.equal(his.limited, true);
        const membership = await s.on.stranger.get(inIt(s, 'membership'));
        contains(membership, { role: 'member', read_seq: 25 });
        await say(s.member, s, 'welcome');
        await toldTo(without(s), inIt(s, 'message', { message: { message_body: 'welcome' } }));
        await converges(new Mirror({ frames: s.on.stranger.frames, user: s.stranger }));
    });

    each('removed: gone for him, the others are told', async (s) => {
        await say(s.owner, s, 'before');
        await drop(s.owner, s, s.member);
        const gone = await s.on.member.get(inIt(s, 'conversation.gone'));
        const others = without(s, 'member', 'stranger');
        const frame = await toldTo(others, inIt(s, 'conversation', { participant_count: 2 }));
        assert.ok(!ids(frame.participants).includes(s.member.id));
        assert.ok(gone.rev <= frame.rev);
        const after = await say(s.owner, s, 'after');
        assert.ok(after.rev > gone.rev);
        await toldTo(others, inIt(s, 'message', { message: { message_body: 'after' } }));
        s.on.member.forget();
        await assertNothing(s.on.member, 'one who was removed');
        await converges(new Mirror({ frames: s.on.member.frames, user: s.member }));
    });

    each('left, and added again', async (s) => {
        await say(s.owner, s, 'before');
        await drop(s.member, s, s.member);
        await s.on.member.get(inIt(s, 'conversation.gone'));
        await say(s.owner, s, 'between');
        s.on.member.forget();
        await add(s, s.member);
        const again = await s.on.member.get(inIt(s, 'conversation'));
        assert.equal(again.limited, true);
        await say(s.owner, s, 'after');
        const body = { message_body: 'after' };
        await s.on.member.get(inIt(s, 'message', { message: body }));
        const mirror = new Mirror({ frames: s.on.member.frames, user: s.member });
        await converges(mirror);
        assert.deepEqual(mirror.bodies(s), ['before', 'between', 'after']);
    });

    each('another role', async (s) => {
        const path = `${s.path}participants/${s.moderator.id}/`;
        ok(await s.owner.patch(path, { role: 'member' }));
        const isMember = (f) =>
            f.participants.some((row) => row.id === s.moderator.id && row.role === 'member');
        const frame = await toldTo(
            members(s),
            (f) => f.type === 'conversation' && f.conversation_id === s.id && isMember(f),
        );
        const mine = await s.on.moderator.get(inIt(s, 'membership', { role: 'member' }));
        assert.ok(mine.rev <= frame.rev);
        assert.deepEqual(s.on.member.all(inIt(s, 'membership')), []);
        await assertNothing(s.on.stranger, 'a stranger');
    });
});

describe('my settings', { concurrency: 4 }, () => {
    each('to all my devices, and to nobody else', async (s, t, kind) => {
        const device = await login(server, s.member.username);
        const second = closing(t, await listen(kind, device)).forget();
        const mine = [s.on.member, second];
        const muted_until = '2099-01-02T03:04:05Z';
        for (const part of [{ muted_until }, { pinned: true }, { archived: true }]) {
            ok(await s.member.patch(`${s.path}me/`, part));
            const frame = await toldTo(mine, inIt(s, 'membership', part));
            assert.deepEqual(Object.keys(frame).sort(), [
                ...['archived', 'conversation_id', 'muted_until', 'pinned', 'read_seq', 'rev'],
                ...['role', 'type'],
            ]);
        }
        ok(await s.member.patch(`${s.path}me/`, { pinned: false, muted_until: null }));
        const last = { pinned: false, archived: true, muted_until: null };
        await toldTo(mine, inIt(s, 'membership', last));
        for (const client of [s.on.owner, s.on.moderator]) {
            await say(s.owner, s, 'a marker');
            await client.get(inIt(s, 'message'));
            assert.deepEqual(client.all('membership'), []);
            assert.doesNotMatch(JSON.stringify(client.frames), /2099/);
        }
    });

    each('my profile', async (s) => {
        ok(await s.member.patch('/api/users/me/', { first_name: 'Grace', last_name: 'H.' }));
        const frame = await s.on.member.get('user');
        contains(frame.user, { id: s.member.id, full_name: 'Grace H.', deleted: false });
        assert.equal(frame.user.email, undefined);
        assert.equal(frame.user.phone_number, undefined);
        await assertNothing(s.on.stranger, 'a stranger');
    });
});

test('a conversation that nobody is connected to for a while', async (t) => {
    const s = await stage(t);
    const mirror = new Mirror(s.on.member).update();
    for (const client of members(s)) await client.close();
    for (let n = 0; n < 5; n++) await say(s.owner, s, `nobody hears ${n}`);
    const { cursor } = s.on.member;
    const again = closing(t, await listen('ws', s.member, { cursor }));
    mirror.follow(again);
    await say(s.owner, s, 'somebody hears');
    await again.get(inIt(s, 'message', { message: { message_body: 'somebody hears' } }));
    await converges(mirror);
});
