// Has the database gone back? What a client was told after the cursor that it holds must be told
// again by the next catching up from that cursor, for it is behind it. If it is not, then those
// commits are gone (an older copy of the file, a failover that lost the last second), although the
// cursor itself is older than the loss and so is good: what was applied since must be forgotten.
//
// A client whose cursor is behind what it shows (every client: the cursor comes with `ping`) needs
// this, or else a rolled back database makes it differ from all others for ever.

// What was news of one conversation.
class Claim {
    rev = 0;
    reads = new Map(); // user id -> seq
    gone = false;

    noteRev(rev) {
        this.rev = Math.max(this.rev, rev);
    }

    noteRead(user, seq) {
        this.reads.set(user, Math.max(seq, this.reads.get(user) ?? 0));
    }

    // Whatever there was of it does not matter any more.
    noteGone() {
        this.rev = 0;
        this.reads.clear();
        this.gone = true;
    }

    // Takes away what the frame says again.
    pay(frame, me) {
        if (frame.type === 'conversation.gone') {
            this.noteGone();
            this.gone = false;
        }
        if (frame.type === 'conversation') {
            this.gone = false;
            const present = new Set(frame.participants.map((one) => one.id));
            for (const user of this.reads.keys()) if (!present.has(user)) this.reads.delete(user);
        }
        if (revOf(frame) >= this.rev) this.rev = 0;
        for (const [user, seq] of readsOf(frame, me))
            if (seq >= (this.reads.get(user) ?? Infinity)) this.reads.delete(user);
    }

    get isPaid() {
        return this.rev === 0 && !this.gone && this.reads.size === 0;
    }

    add(other) {
        if (other.gone) this.noteGone();
        this.noteRev(other.rev);
        for (const [user, seq] of other.reads) this.noteRead(user, seq);
    }

    describe() {
        const reads = [...this.reads].map(([user, seq]) => `${user} up to ${seq}`);
        return `rev ${this.rev}${this.gone ? ', gone' : ''}, read by ${reads}`;
    }
}

const revOf = (frame) => (frame.type === 'message' ? frame.message.rev : (frame.rev ?? 0));

function readsOf(frame, me) {
    if (frame.type === 'membership') return [[me, frame.read_seq]];
    if (frame.type === 'read') return [[frame.user_id, frame.seq]];
    if (frame.type === 'message') return [[frame.message.sender_id, frame.message.seq]];
    if (frame.type !== 'conversation') return [];
    return frame.participants.map((one) => [one.id, one.read_seq]);
}

function claimOf(map, id) {
    if (!map.has(id)) map.set(id, new Claim());
    return map.get(id);
}

export class Evidence {
    fresh = new Map(); // conversation id -> what was news since the cursor
    owed = new Map(); // what the catching up has still to repeat

    constructor(me) {
        this.me = me;
    }

    // As a connection would find it that begins from now.
    clone() {
        const copy = new Evidence(this.me);
        for (const [id, claim] of [...this.owed, ...this.fresh]) claimOf(copy.owed, id).add(claim);
        return copy;
    }

    noteRev(id, rev) {
        claimOf(this.fresh, id).noteRev(rev);
    }

    noteRead(id, user, seq) {
        claimOf(this.fresh, id).noteRead(user, seq);
    }

    noteGone(id) {
        claimOf(this.fresh, id).noteGone();
    }

    // Before the frame is applied.
    repeated(frame) {
        this.owed.get(frame.conversation_id)?.pay(frame, this.me);
    }

    // A new cursor covers what came before it.
    covered() {
        this.fresh.clear();
    }

    // The connection is gone: the next one begins at the cursor.
    disconnected() {
        for (const [id, claim] of this.fresh) claimOf(this.owed, id).add(claim);
        this.fresh.clear();
    }

    // Caught up, and told a newer cursor: was everything repeated? Returns what was not, in words.
    settle() {
        const unpaid = [...this.owed]
            .filter(([, claim]) => !claim.isPaid)
            .map(([id, claim]) => `${id} (${claim.describe()})`);
        this.owed.clear();
        return unpaid;
    }
}
