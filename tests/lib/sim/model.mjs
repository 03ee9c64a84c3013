// What one client knows, made from frames alone, by the rules of docs/realtime.md: an object's
// state is applied if its rev is not less than the known one, read positions by their maximum,
// "limited" always. Written from the contract and not from web/confab.js, so that one's mistake
// cannot hide in the other.
import { Evidence } from './evidence.mjs';

class Talk {
    rev = 0; // of the newest `conversation` frame
    title = '';
    closed = false;
    direct = false;
    participants = new Map(); // user id -> role
    participantCount = 0;
    lastSeq = 0;
    fromSeq = 1; // nothing is kept below
    messages = new Map(); // seq -> message
    reads = new Map(); // user id -> seq
    mine = null; // own membership
    constructor(id) {
        this.id = id;
    }

    forgetBelow(seq) {
        this.fromSeq = seq;
        for (const known of this.messages.keys()) if (known < seq) this.messages.delete(known);
    }

    // False: he has been there before.
    moveRead(userId, seq) {
        if (seq <= (this.reads.get(userId) ?? 0)) return false;
        this.reads.set(userId, seq);
        return true;
    }

    clone() {
        const copy = Object.assign(new Talk(this.id), this);
        copy.messages = new Map(this.messages);
        copy.reads = new Map(this.reads);
        return copy;
    }
}

const DURABLE = new Set([
    'message',
    'conversation',
    'conversation.gone',
    'membership',
    'read',
    'user',
]);
export const isDurable = (frame) => DURABLE.has(frame.type);

export class Model {
    constructor(userId) {
        this.userId = userId;
        this.complaints = [];
        this.resets = 0;
        this.forget();
    }

    // As a new installation: nothing is known.
    forget() {
        this.talks = new Map();
        this.contradictions = []; // between what is known and what is told
        this.profile = null;
        this.cursor = '';
        this.evidence = new Evidence();
    }

    // What a backup of the device would hold: all of it, and the cursor that goes with it.
    clone() {
        const copy = new Model(this.userId);
        copy.talks = new Map([...this.talks].map(([id, talk]) => [id, talk.clone()]));
        Object.assign(copy, { profile: this.profile, cursor: this.cursor });
        copy.evidence = this.evidence.clone();
        return copy;
    }

    apply(frame) {
        if (frame.type === 'user') return this.applyUser(frame.user);
        const id = frame.conversation_id;
        if (frame.type === 'conversation.gone') return this.applyGone(id);
        if (frame.type === 'conversation') return this.applyConversation(frame);
        const talk = this.talks.get(id);
        if (!talk) return this.complain(`${frame.type} of a conversation never told of`, frame);
        if (frame.type === 'message') return this.applyMessage(talk, frame.message);
        if (frame.type === 'membership') return this.applyMembership(talk, frame);
        return this.applyRead(talk, frame.user_id, frame.seq);
    }

    complain(what, frame) {
        if (this.complaints.length < 20)
            this.complaints.push(`${what}: ${JSON.stringify(frame).slice(0, 300)}`);
    }

    applyUser(user) {
        if (user.id === this.userId) this.profile = user;
    }

    applyGone(id) {
        this.evidence.gone(id, this.talks.delete(id));
    }

    applyConversation(frame) {
        const id = frame.conversation_id;
        const known = this.talks.get(id);
        // The server takes for known what is not: it has forgotten that it was gone.
        if (!known && !frame.limited) this.contradictions.push(`${id} is there again`);
        const talk = known ?? new Talk(id);
        this.talks.set(id, talk);
        if (frame.limited) talk.forgetBelow(frame.from_seq);
        const members = new Map(frame.participants.map((one) => [one.id, one.role]));
        this.evidence.present(id, { fromSeq: talk.fromSeq, members });
        talk.lastSeq = Math.max(talk.lastSeq, frame.last_seq);
        this.evidence.told(id, 'c', frame.rev, frame.rev > talk.rev);
        if (frame.rev >= talk.rev) {
            talk.rev = frame.rev;
            talk.title = frame.title;
            talk.closed = frame.closed;
            talk.direct = frame.direct;
            talk.participantCount = frame.participant_count;
            talk.participants = members;
        }
        for (const person of frame.participants) this.applyRead(talk, person.id, person.read_seq);
    }

    applyMessage(talk, message) {
        const { seq, rev } = message;
        talk.lastSeq = Math.max(talk.lastSeq, seq);
        this.applyRead(talk, message.sender_id, seq);
        if (seq < talk.fromSeq) return;
        const known = talk.messages.get(seq);
        if (known && known.id !== message.id)
            this.contradictions.push(`${talk.id} has two messages of seq ${seq}`);
        this.evidence.told(talk.id, `m${seq}`, rev, !known || rev > known.rev);
        if (!known || rev >= known.rev) talk.messages.set(seq, message);
    }

    applyMembership(talk, frame) {
        this.applyRead(talk, this.userId, frame.read_seq);
        this.evidence.told(talk.id, 'p', frame.rev, frame.rev > (talk.mine?.rev ?? 0));
        if (talk.mine === null || frame.rev >= talk.mine.rev) talk.mine = frame;
    }

    // Of somebody who has left meanwhile it will not be told again.
    applyRead(talk, userId, seq) {
        const isNews = talk.moveRead(userId, seq) && talk.participants.has(userId);
        this.evidence.told(talk.id, `r${userId}`, seq, isNews);
    }

    readSeq(talk) {
        return talk.reads.get(this.userId) ?? 0;
    }

    unread(talk) {
        return talk.lastSeq - this.readSeq(talk);
    }
}
