// Who was surely out of a conversation, and since when: "out" begins when a removal has been
// answered and nobody's attempt to add him can have come in between; it ends when somebody begins
// to add him again. What is written from then on must not reach him, over any transport.
import { readMarker, tick } from './marker.mjs';

class Pair {
    state = 'unknown'; // unknown, in, out
    since = 0; // out: when the removal was answered
    rev = Infinity; // out: the conversation's rev with the removal, where it was told
    seen = { rev: 0, by: '' }; // the newest change that he saw since he was not surely out
    adds = new Attempts();
    removals = new Attempts();
}

// Attempts of one kind, as far as they can overlap with others.
class Attempts {
    open = new Set(); // on their way, or without an answer while the same server lives
    lastBegan = 0;
    lastEnded = 0;

    mayOverlap(began) {
        return this.open.size > 0 || this.lastBegan > began || this.lastEnded > began;
    }
}

const keyOf = (conversation, user) => `${conversation} ${user}`;

export class Watch {
    pairs = new Map();
    leaks = [];
    floorLife = 0; // what belongs to earlier lives of the server counts no more
    watched = 0; // frames that were looked at while their reader was surely out

    pair(conversation, user) {
        const key = keyOf(conversation, user);
        if (!this.pairs.has(key)) this.pairs.set(key, new Pair());
        return this.pairs.get(key);
    }

    // kind: adds or removals
    begin(kind, conversation, users, life) {
        const began = tick();
        const attempt = { kind, conversation, users, life, began };
        for (const user of users) {
            const pair = this.pair(conversation, user);
            pair[kind].open.add(attempt);
            pair[kind].lastBegan = began;
            if (pair.state === (kind === 'adds' ? 'out' : 'in')) this.loosen(pair);
        }
        return attempt;
    }

    loosen(pair) {
        pair.state = 'unknown';
        pair.rev = Infinity;
        pair.seen = { rev: 0, by: '' };
    }

    // Answered: it has happened (or was so already). `rev`: the conversation's with it, if told;
    // `stayed`: users who were not removed after all.
    done(attempt, { rev = Infinity, stayed } = {}) {
        const { kind, conversation, users, began, life } = attempt;
        this.end(attempt);
        if (life < this.floorLife) return;
        const other = kind === 'adds' ? 'removals' : 'adds';
        for (const user of users) {
            const pair = this.pair(conversation, user);
            if (stayed?.has(user) || pair[other].mayOverlap(began)) continue;
            if (kind === 'adds') pair.state = 'in';
            else if (pair.state !== 'out') this.goOut(conversation, user, pair, rev);
        }
    }

    goOut(conversation, user, pair, rev) {
        Object.assign(pair, { state: 'out', since: tick(), rev });
        const { seen } = pair;
        if (seen.rev > rev)
            this.leak(conversation, user, `rev ${seen.rev} by ${seen.by}, removed at rev ${rev}`);
    }

    // Refused: it has not happened by this attempt.
    end(attempt) {
        for (const user of attempt.users) {
            const attempts = this.pair(attempt.conversation, user)[attempt.kind];
            attempts.open.delete(attempt);
            attempts.lastEnded = tick();
        }
    }

    // What was on its way to the server that was killed cannot happen any more.
    newLife(life) {
        for (const pair of this.pairs.values()) {
            for (const attempts of [pair.adds, pair.removals]) {
                for (const attempt of attempts.open) {
                    if (attempt.life >= life) continue;
                    attempts.open.delete(attempt);
                    attempts.lastEnded = tick();
                }
            }
        }
    }

    // An older database was put in place: who is in what is as it was then.
    rolledBack(life) {
        this.floorLife = life;
        for (const pair of this.pairs.values()) {
            this.loosen(pair);
            pair.adds.lastEnded = tick();
            pair.removals.lastEnded = tick();
        }
    }

    isOut(conversation, user) {
        return this.pairs.get(keyOf(conversation, user))?.state === 'out';
    }

    // A conversation that the user is surely out of, if there is one.
    anyOut(user, choose) {
        const keys = [...this.pairs]
            .filter(([key, pair]) => pair.state === 'out' && key.endsWith(user))
            .map(([key]) => key);
        return keys.length > 0 ? choose.pick(keys).split(' ')[0] : null;
    }

    // A client of `user`, `by` name, was sent this frame on a connection to that life of the
    // server.
    saw(user, frame, life, by = '') {
        if (life < this.floorLife) return;
        const { rev, text, conversation } = contentOf(frame);
        if (conversation === undefined) return;
        const pair = this.pairs.get(keyOf(conversation, user));
        if (!pair) return;
        if (pair.state !== 'out') {
            if (rev > pair.seen.rev) pair.seen = { rev, by };
            return;
        }
        this.watched++;
        const at = readMarker(text)?.at ?? 0;
        if (at > pair.since) this.leak(conversation, user, `"${text.slice(0, 60)}" by ${by}`);
        else if (rev > pair.rev)
            this.leak(conversation, user, `rev ${rev} by ${by}, removed at rev ${pair.rev}`);
    }

    leak(conversation, user, what) {
        this.leaks.push(`conversation ${conversation}, removed user ${user}: ${what}`);
    }
}

function contentOf(frame) {
    const conversation = frame.conversation_id;
    if (frame.type === 'message')
        return { conversation, rev: frame.message.rev, text: frame.message.message_body };
    if (frame.type === 'conversation')
        return { conversation, rev: frame.rev, text: frame.title };
    return { conversation: undefined };
}
