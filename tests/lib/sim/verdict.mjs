// What the oracle found: how many of each kind, and the first few of them in words.
export const KINDS = ['lost', 'doubled', 'divergent', 'leaked', 'unsound'];
const SHOWN = 10;
const SHOWN_MAX = 800; // characters of each

// The end of a server's log says as much as its beginning.
const clip = (text) =>
    text.length <= SHOWN_MAX
        ? text
        : `${text.slice(0, SHOWN_MAX / 2)} ... ${text.slice(-SHOWN_MAX / 2)}`;

export class Verdict {
    counts = Object.fromEntries(KINDS.map((kind) => [kind, 0]));
    shown = [];

    add(kind, text) {
        this.counts[kind]++;
        if (this.shown.length < SHOWN) this.shown.push(`${kind}: ${clip(text)}`);
    }

    addAll(kind, texts) {
        for (const text of texts) this.add(kind, text);
    }

    merge(other) {
        for (const kind of KINDS) this.counts[kind] += other.counts[kind];
        this.shown.push(...other.shown.slice(0, SHOWN - this.shown.length));
    }

    get isGood() {
        return KINDS.every((kind) => this.counts[kind] === 0);
    }

    get line() {
        return KINDS.map((kind) => `${kind} ${this.counts[kind]}`).join(', ');
    }
}
