// What a client would have stored: applies frames as the contract says (by rev, read positions by
// maximum, `limited` whatever is known), and is compared with what REST answers the same user.
import assert from 'node:assert/strict';

import { ok } from './expect.mjs';
import { sleep } from './server.mjs';

const LIMIT = 100;

class Conversation {
    rev = 0;
    floor = 1; // messages below it are not kept
    fields = {};
    messages = new Map();
    mine = null;
    reads = new Map();

    read(user_id, seq) {
        this.reads.set(user_id, Math.max(seq, this.reads.get(user_id) ?? 0));
    }

    get lastSeq() {
        const seqs = [...this.messages.values()].map((message) => message.seq);
        return Math.max(this.fields.last_seq ?? 0, ...seqs);
    }
}

export class Mirror {
    conversations = new Map();
    users = new Map();
    resets = 0;
    limited = 0;
    problems = [];

    // Follows a client: what it has got, and what comes.
    constructor(client) {
        this.applied = 0;
        this.client = client;
    }

    // A reconnected client takes over; what is known stays.
    follow(client) {
        this.update();
        this.client = client;
        this.applied = 0;
        return this;
    }

    update() {
        const { frames } = this.client;
        while (this.applied < frames.length) this.apply(frames[this.applied++]);
        return this;
    }

    apply(frame) {
        const apply = this[`on_${frame.type}`];
        if (apply) apply.call(this, frame);
        if (frame.type === 'conversation.gone') this.conversations.delete(frame.conversation_id);
    }

    known(frame) {
        const c = this.conversations.get(frame.conversation_id);
        if (!c) this.problems.push(`${frame.type} of a conversation that is not known`);
        return c;
    }

    on_reset() {
        this.resets++;
        this.conversations.clear();
    }

    on_conversation(frame) {
        let c = this.conversations.get(frame.conversation_id);
        if (!c) {
            if (!frame.limited) this.problems.push('a new conversation that is not limited');
            c = new Conversation();
            this.conversations.set(frame.conversation_id, c);
        }
        if (frame.limited) {
            this.limited++;
            c.floor = frame.from_seq;
            for (const [id, message] of c.messages) {
                if (message.seq < c.floor) c.messages.delete(id);
            }
        }
        for (const { id, read_seq } of frame.participants) c.read(id, read_seq);
        if (frame.rev <= c.rev) return;
        c.rev = frame.rev;
        c.fields = frame;
    }

    on_message({ conversation_id, message }) {
        const c = this.known({ conversation_id, type: 'message' });
        if (!c) return;
        c.read(message.sender_id, message.seq);
        const old = c.messages.get(message.id);
        if (message.seq >= c.floor && message.rev > (old?.rev ?? 0)) {
            c.messages.set(message.id, message);
        }
    }

    on_membership(frame) {
        const c = this.known(frame);
        if (c && frame.rev >= (c.mine?.rev ?? 0)) c.mine = frame;
        if (c) c.read('mine', frame.read_seq);
    }

    on_read(frame) {
        this.known(frame)?.read(frame.user_id, frame.seq);
    }

    on_user({ user }) {
        this.users.set(user.id, user);
    }

    bodies(conversation) {
        const c = this.conversations.get(conversation.id ?? conversation);
        const list = [...(c?.messages.values() ?? [])].sort((a, b) => a.seq - b.seq);
        return list.map((message) => message.message_body);
    }
}

async function allConversations(user) {
    const rows = [];
    let target = '/api/conversations/?cursor=&page_size=100&messages=0';
    while (target) {
        const body = ok(await user.get(target));
        rows.push(...body.results);
        target = body.next?.slice(user.server.url.length);
    }
    return rows;
}

async function allMessages(user, id, floor) {
    const rows = [];
    for (let after = floor - 1; ; after = rows.at(-1).seq) {
        const query = { deleted: 1, after_seq: after, limit: LIMIT };
        const { results } = ok(await user.get(`/api/conversations/${id}/messages/`, query));
        rows.push(...results);
        if (results.length < LIMIT) return rows;
    }
}

const MESSAGE = ['id', 'seq', 'rev', 'message_body', 'metadata', 'sent_at', 'edited_at', 'edited'];
MESSAGE.push('deleted', 'pinned', 'reply_to', 'sender_id', 'conversation');
const pick = (object, keys) => Object.fromEntries(keys.map((key) => [key, object[key]]));
const people = (list) => list.map((row) => pick(row, ['id', 'role', 'joined_at', 'username']));

async function assertConversation(c, row, user) {
    const where = `conversation ${row.title} ${row.id}`;
    const fields = ['title', 'metadata', 'closed', 'participant_count', 'created_at'];
    assert.deepEqual(pick(c.fields, fields), pick(row, fields), where);
    assert.deepEqual(people(c.fields.participants), people(row.participants), where);
    assert.equal(c.lastSeq, row.last_seq, `last_seq of ${where}`);
    for (const { id, read_seq } of row.participants) {
        assert.equal(c.reads.get(id) ?? 0, read_seq, `read_seq of ${id} in ${where}`);
    }
    const mine = Math.max(c.reads.get('mine') ?? 0, c.reads.get(user.id) ?? 0);
    assert.equal(c.lastSeq - mine, row.unread_count, `unread_count of ${where}`);
    const stored = await allMessages(user, row.id, c.floor);
    const kept = [...c.messages.values()].sort((a, b) => a.seq - b.seq);
    const bare = (list) => list.map((message) => pick(message, MESSAGE));
    assert.deepEqual(bare(kept), bare(stored), `messages of ${where} from ${c.floor}`);
}

function difference(mirror, rows) {
    const wanted = new Set(rows.map((row) => row.id));
    const missing = rows.filter((row) => !mirror.conversations.has(row.id));
    const extra = [...mirror.conversations].filter(([id]) => !wanted.has(id));
    const title = (row) => row.title;
    return { missing: missing.map(title), extra: extra.map(([, c]) => c.fields.title) };
}

// At rest: everything has been told to the client, nobody writes.
export async function assertConverged(mirror, user = mirror.client.user) {
    mirror.update();
    const rows = await allConversations(user);
    assert.deepEqual(difference(mirror, rows), { missing: [], extra: [] });
    for (const row of rows) {
        await assertConversation(mirror.conversations.get(row.id), row, user);
    }
    assert.deepEqual(mirror.problems, []);
    return mirror;
}

// What was written last may still be on its way: asks until it is so. A bound, no claim about time.
export async function converges(mirror, user, ms = 20_000) {
    for (const until = Date.now() + ms; ;) {
        try {
            return await assertConverged(mirror, user);
        } catch (error) {
            if (Date.now() > until || mirror.problems.length) throw error;
            await sleep(100);
        }
    }
}
