// Random choices that a seed repeats: a sequence for each name, so that one actor's choices do not
// depend on what the others do. What the clock and the machine decide is not repeated.
import { createHash } from 'node:crypto';

// xorshift128: fast, and good enough for choosing.
export class Choice {
    constructor(seed, name) {
        const digest = createHash('sha256').update(`${seed} ${name}`).digest();
        this.state = [0, 4, 8, 12].map((at) => digest.readUInt32LE(at) | 1);
    }

    next() {
        const [x, y, z, w] = this.state;
        const t = x ^ (x << 11);
        const made = w ^ (w >>> 19) ^ t ^ (t >>> 8);
        this.state = [y, z, w, made];
        return made >>> 0;
    }

    // 0 <= n < below
    below(below) {
        return this.next() % below;
    }

    between(least, most) {
        return least + this.below(most - least + 1);
    }

    chance(share) {
        return this.next() / 2 ** 32 < share;
    }

    pick(list) {
        return list[this.below(list.length)];
    }

    // Up to `count` different ones.
    some(list, count) {
        const rest = [...list];
        const taken = [];
        while (taken.length < count && rest.length > 0)
            taken.push(...rest.splice(this.below(rest.length), 1));
        return taken;
    }

    // One of [[weight, value], ...].
    weighted(table) {
        let left = this.below(table.reduce((sum, [weight]) => sum + weight, 0));
        for (const [weight, value] of table) {
            left -= weight;
            if (left < 0) return value;
        }
        return table.at(-1)[1];
    }

    // A waiting time whose mean is `mean`: short ones often, long ones sometimes.
    around(mean) {
        return -mean * Math.log(1 - this.next() / 2 ** 32);
    }

    uuid() {
        const words = Array.from({ length: 4 }, () => this.next().toString(16).padStart(8, '0'));
        const hex = words.join('');
        return [
            hex.slice(0, 8),
            hex.slice(8, 12),
            `4${hex.slice(13, 16)}`,
            `8${hex.slice(17, 20)}`,
            hex.slice(20),
        ].join('-');
    }
}
