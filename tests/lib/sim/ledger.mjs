// What was promised: each send, edit, deletion, conversation and read position, with what was
// answered. After a restore (`rolledBack`) promises that are younger than the backup bind no more;
// everything is written down with its place in the order of events and its life of the server, so
// that an answer that was still on its way cannot renew them.
import { nextNumber, tick, writeMarker } from './marker.mjs';
import { BEFORE_ALL, Register } from './register.mjs';

const FILLER = 'and what else there was to say. '.repeat(400);

export class Send {
    attempts = 0;
    unknown = 0; // attempts whose outcome nobody knows
    refusals = 0;
    answer = null; // {id, seq, at} of the first acknowledgement that binds
    state = null; // {rev, body, pinned, deleted, at}: the newest one that was answered
    deletion = 'no'; // no, maybe, yes
    deletedAt = 0;
    created = 0; // times that it was answered 201
    isBusy = false; // somebody is editing it
    bodies = new Register();

    constructor(fields) {
        Object.assign(this, fields);
        this.original = this.bodies.begin(this.text, fields.at, 0);
    }
}

export class Ledger {
    sends = new Map(); // number -> Send
    talks = new Map(); // number -> {number, creator, id, answeredAt, titles, deletion}
    talkById = new Map();
    reads = new Map(); // "conversation user" -> [{seq, at}] with growing seq
    profiles = new Map(); // user id -> Register
    floorLife = 0; // answers to requests of earlier lives bind nobody
    acknowledged = 0;
    replays = 0;
    complaints = [];

    complain(kind, text) {
        this.complaints.push({ kind, text });
    }

    // --- sending ---

    newSend({ sender, conversation, clientId, replyTo, size = 0 }) {
        const number = nextNumber();
        const at = tick();
        const text = writeMarker('m', number, at, FILLER.slice(0, size).trim());
        const send = new Send({ number, at, sender, conversation, clientId, replyTo, text });
        this.sends.set(number, send);
        return send;
    }

    began(send, life) {
        send.attempts++;
        send.unknown++;
        return { life };
    }

    // A first answer or one more to the same client_id: `message` is its present state.
    acknowledge(send, attempt, message, status) {
        if (attempt.life < this.floorLife) return;
        send.unknown--;
        if (message.client_id !== undefined && message.client_id !== send.clientId)
            this.complain('doubled', `${send.text}: another client_id ${message.client_id}`);
        if (send.answer && (send.answer.id !== message.id || send.answer.seq !== message.seq))
            this.complain(
                'doubled',
                `${send.text}: answered as ${send.answer.id} ${send.answer.seq}, ` +
                    `then as ${message.id} ${message.seq}`,
            );
        if (status === 201 && ++send.created > 1)
            this.complain('doubled', `${send.text}: 201 a second time`);
        if (send.answer) {
            this.replays++;
        } else {
            send.answer = { id: message.id, seq: message.seq, at: tick() };
            this.acknowledged++;
            this.readUpTo(send.conversation, send.sender, message.seq, attempt.life);
        }
        this.noteState(send, message, attempt.life);
    }

    // No write of it happened by this attempt; others may have.
    refuse(send, attempt) {
        if (attempt.life < this.floorLife) return;
        send.unknown--;
        send.refusals++;
    }

    // --- what is done to messages ---

    noteState(send, message, life) {
        if (life < this.floorLife) return;
        // It exists, so that its first body is behind every other one.
        if (send.original.rev === 0) send.bodies.answered(send.original, BEFORE_ALL, tick());
        if (message.rev <= (send.state?.rev ?? 0)) return;
        const { rev, deleted, pinned } = message;
        send.state = { rev, deleted, pinned, body: message.message_body, at: tick() };
    }

    editing(send, life) {
        const text = writeMarker('m', send.number, tick(), 'edited');
        return { text, life, write: send.bodies.begin(text, tick(), life) };
    }

    edited(send, edit, message) {
        if (edit.life < this.floorLife) return;
        send.bodies.answered(edit.write, message.rev, tick());
        this.noteState(send, message, edit.life);
    }

    deleting(send) {
        if (send.deletion === 'no') send.deletion = 'maybe';
    }

    deleted(send, life) {
        if (life < this.floorLife) return;
        send.deletion = 'yes';
        send.deletedAt = tick();
    }

    // --- conversations ---

    newTalk(creator) {
        const number = nextNumber();
        const title = writeMarker('c', number, tick());
        const titles = new Register();
        const talk = { number, creator, title, titles, id: null, answeredAt: 0, deletion: 'no' };
        this.talks.set(number, talk);
        return talk;
    }

    creating(talk, life) {
        return { life, write: talk.titles.begin(talk.title, tick(), life) };
    }

    created(talk, attempt, answer) {
        if (attempt.life < this.floorLife) return;
        if (talk.id && talk.answeredAt && talk.id !== answer.id)
            this.complain('doubled', `${talk.title}: made as ${talk.id} and as ${answer.id}`);
        if (talk.answeredAt) return;
        Object.assign(talk, { id: answer.id, answeredAt: tick() });
        this.talkById.set(answer.id, talk);
    }

    renaming(talk, life) {
        const title = writeMarker('c', talk.number, tick(), 'renamed');
        return { title, life, write: talk.titles.begin(title, tick(), life) };
    }

    renamed(talk, rename, rev) {
        if (rename.life >= this.floorLife) talk.titles.answered(rename.write, rev, tick());
    }

    ended(talk, life) {
        if (life < this.floorLife) return;
        Object.assign(talk, { deletion: 'yes', deletedAt: tick() });
    }

    // --- positions and profiles ---

    readUpTo(conversation, user, seq, life) {
        if (life < this.floorLife) return;
        const key = `${conversation} ${user}`;
        if (!this.reads.has(key)) this.reads.set(key, []);
        const list = this.reads.get(key);
        if (seq > (list.at(-1)?.seq ?? 0)) list.push({ seq, at: tick() });
    }

    naming(user, life) {
        if (!this.profiles.has(user.id)) this.profiles.set(user.id, new Register(''));
        const register = this.profiles.get(user.id);
        const name = writeMarker('p', user.number, tick());
        return { name, life, register, write: register.begin(name, tick(), life) };
    }

    named({ register, write, life }) {
        const at = tick();
        if (life >= this.floorLife) register.answered(write, at, at);
    }

    // --- a restored backup ---

    // The database is as it was at some moment after `at`. From life `life` on answers bind again.
    rolledBack(at, life) {
        this.floorLife = life;
        for (const send of this.sends.values()) rollBackSend(send, at);
        for (const talk of this.talks.values()) rollBackTalk(talk, at);
        for (const [key, list] of this.reads) {
            const kept = list.filter((one) => one.at <= at);
            this.reads.set(key, kept);
        }
        for (const register of this.profiles.values()) register.rollBack(at);
    }
}

function rollBackSend(send, at) {
    if (send.answer && send.answer.at > at) {
        send.answer = null;
        send.created = 0;
        send.unknown++;
    }
    if (send.state && send.state.at > at) send.state = null;
    if (send.deletion === 'yes' && send.deletedAt > at) send.deletion = 'maybe';
    send.bodies.rollBack(at);
}

function rollBackTalk(talk, at) {
    if (talk.answeredAt > at) talk.answeredAt = 0;
    if (talk.deletion === 'yes' && talk.deletedAt > at) talk.deletion = 'maybe';
    talk.titles.rollBack(at);
}
