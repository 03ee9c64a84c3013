// A run: phases of chaos, each ended by judgement.
import { Chaos } from './chaos.mjs';
import { judge } from './judge.mjs';
import { KINDS, Verdict } from './verdict.mjs';
import { World } from './world.mjs';

class Run {
    constructor(settings, print) {
        Object.assign(this, { settings, print });
        this.world = new World(settings);
        this.chaos = new Chaos(this.world);
        this.plain = new Verdict();
        this.restored = new Verdict(); // of phases in which the database went back
        this.began = Date.now();
    }

    get seconds() {
        return Math.round((Date.now() - this.began) / 1000);
    }

    async phase(n) {
        const { world, settings } = this;
        const { tally, ledger } = world;
        const withRestore =
            world.site.canRestore && n % settings.restoreEach === settings.restoreEach - 1;
        const isLast = n === settings.phases - 1;
        tally.canGoBack = false;
        world.isCalm = false;
        world.letActorsGo();
        await this.chaos.run({
            kills: Math.ceil(settings.kills / settings.phases),
            sends: settings.sends / settings.phases,
            withRestore,
        });
        if (isLast) await world.until(() => ledger.sends.size >= settings.sends, 120_000);
        const verdict = await judge(world, n % 2 === 0);
        (withRestore ? this.restored : this.plain).merge(verdict);
        const name = `phase ${n + 1} of ${settings.phases}${withRestore ? ' (restored)' : ''}`;
        const done = `${tally.strikes} kills, ${ledger.sends.size} sends, ${this.seconds} s`;
        this.print(`${name}: ${done}; ${verdict.line}`);
        return verdict;
    }

    async all() {
        const { world, settings } = this;
        await world.open();
        for (let n = 0; n < settings.phases; n++) {
            const verdict = await this.phase(n);
            if (!verdict.isGood) return;
            if (this.seconds > settings.seconds) {
                this.plain.add('unsound', `not done within ${settings.seconds} s`);
                return;
            }
            if (n < settings.phases - 1) await world.site.start();
        }
    }

    async end() {
        const { world } = this;
        const isKept = !this.isGood && this.settings.keep;
        try {
            await world.close();
        } finally {
            await world.site.close(isKept);
        }
        if (isKept) this.print(`the data: ${world.site.folder}`);
    }

    // As much as the form asks for.
    get isEnough() {
        const { tally, ledger } = this.world;
        const { kills, sends, cutShare } = this.settings;
        return tally.strikes >= kills && ledger.sends.size >= sends && tally.cutShare >= cutShare;
    }

    get isGood() {
        return this.plain.isGood && this.restored.isGood;
    }

    summarize() {
        const { plain, restored, world, settings } = this;
        const all = KINDS.map((kind) => `${kind} ${plain.counts[kind] + restored.counts[kind]}`);
        return [
            ...world.tally.lines(world.ledger, world.watch),
            `${this.seconds} s, seed ${settings.seed}`,
            `after restores: ${restored.line}`,
            `in all: ${all.join(', ')}`,
        ];
    }
}

// Resolves to {isGood, isEnough, differences}. `print` is told of each phase, and at the end of
// all.
export async function simulate(settings, print = () => {}) {
    const run = new Run(settings, print);
    try {
        await run.all();
    } catch (error) {
        run.plain.add('unsound', `the run broke off: ${error.stack}`);
    }
    run.summarize().forEach(print);
    const differences = [...run.plain.shown, ...run.restored.shown];
    const { isGood, isEnough } = run;
    await run.end();
    return { isGood, isEnough, differences };
}
