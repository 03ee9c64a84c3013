// Has the database gone back? What a client was told after the cursor that it holds must be told
// again by the next catching up from that cursor, for it is behind it. If it is not, then those
// commits are gone (an older copy of the file, a failover that lost the last second), although the
// cursor itself is older than the loss and so is good: what was applied since must be forgotten.
//
// A client whose cursor is behind what it shows (every client: the cursor comes with `ping`) needs
// this, or else a rolled back database makes it differ from all others for ever. It goes by object,
// not by conversation: the numbers of what is gone are given out again, to other changes.

// What was news of one conversation: "c" itself, "p" the own membership, "m<seq>" a message (by
// rev), "r<user>" a read position (by seq), "g" that it is gone.
class Claim {
    values = new Map();

    note(key, value) {
        if (key === 'g') this.values.clear();
        this.values.set(key, Math.max(value, this.values.get(key) ?? 0));
    }

    pay(key, value) {
        if (value >= this.values.get(key)) this.values.delete(key);
    }

    drop(isOver) {
        for (const key of this.values.keys()) if (isOver(key)) this.values.delete(key);
    }

    add(other) {
        for (const [key, value] of other.values) this.note(key, value);
    }
}

function claimOf(map, id) {
    if (!map.has(id)) map.set(id, new Claim());
    return map.get(id);
}

export class Evidence {
    fresh = new Map(); // conversation id -> what was news since the cursor
    owed = new Map(); // what the catching up has still to repeat

    // As a connection would find it that begins from now.
    clone() {
        const copy = new Evidence();
        for (const [id, claim] of [...this.owed, ...this.fresh]) claimOf(copy.owed, id).add(claim);
        return copy;
    }

    // Something was told; `isNews` if it was not known before.
    told(id, key, value, isNews) {
        this.owed.get(id)?.pay(key, value);
        if (isNews) claimOf(this.fresh, id).note(key, value);
    }

    // The conversation went: whatever was told of it does not matter any more.
    gone(id, isNews) {
        this.owed.delete(id);
        this.fresh.delete(id);
        if (isNews) claimOf(this.fresh, id).note('g', 1);
    }

    // It is there; what is not in it any more has not to be repeated.
    present(id, { fromSeq, members }) {
        const isOver = (key) =>
            key === 'g' ||
            (key[0] === 'm' && Number(key.slice(1)) < fromSeq) ||
            (key[0] === 'r' && !members.has(key.slice(1)));
        for (const map of [this.owed, this.fresh]) map.get(id)?.drop(isOver);
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

    // Caught up, and told a newer cursor: was everything repeated? Takes what was not: a list of
    // {id, key, value}.
    settle() {
        const unpaid = [...this.owed].flatMap(([id, claim]) =>
            [...claim.values].map(([key, value]) => ({ id, key, value })),
        );
        this.owed.clear();
        return unpaid;
    }
}
