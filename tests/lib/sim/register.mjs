// A value that is changed by writes of which some are answered and some are not. Answered ones are
// ordered by the `rev` of their answer; one without an answer may or may not have happened, and,
// while the server that it was sent to lives, may even happen later.
export const BEFORE_ALL = 0.5; // a rev less than any

export class Register {
    writes = [];

    // `initial`: what it holds before all writes, if that is known.
    constructor(initial) {
        if (initial !== undefined) this.answered(this.begin(initial, 0, 0), BEFORE_ALL, 0);
    }

    // `life`: which life of the server it is sent to.
    begin(value, at, life) {
        const write = { value, at, life, rev: 0, answeredAt: 0 };
        this.writes.push(write);
        return write;
    }

    answered(write, rev, at) {
        write.rev = rev;
        write.answeredAt = at;
    }

    refused(write) {
        this.writes = this.writes.filter((one) => one !== write);
    }

    // The database has lost what was written after `at`: those answers count as none.
    rollBack(at) {
        for (const write of this.writes) {
            if (write.answeredAt > at) Object.assign(write, { rev: 0, answeredAt: 0 });
        }
    }

    get newest() {
        return this.writes.reduce((best, one) => (one.rev > (best?.rev ?? 0) ? one : best), null);
    }

    // What may have been the last to happen, beside the newest answered one. What was begun in an
    // earlier life than an answered write has happened before that, or never.
    get open() {
        const answered = this.writes.filter((one) => one.rev > 0);
        const isBehind = (one) =>
            answered.some((other) => other.life > one.life && other.at > one.at);
        return this.writes.filter((one) => one.rev === 0 && !isBehind(one));
    }

    // May it hold `value`, where `rev` is that of the last change of the object that it is a part
    // of? (Infinity: not known.)
    allows(value, rev = Infinity) {
        const { newest } = this;
        if (newest && rev <= newest.rev) return rev === newest.rev && value === newest.value;
        if (newest && value === newest.value) return true;
        return this.open.some((one) => one.value === value);
    }

    get expected() {
        return [this.newest, ...this.open].map((one) => one?.value);
    }
}
