// What happens to the servers: they are killed at random points, also while they start, sometimes
// stopped in order, and so is what they rest on, the database server and Redis. Sometimes an older copy
// of the database is put in its place, by itself or with everything that the server could know it by.
import { sleep } from '../server.mjs';
import { tick } from './marker.mjs';

const LIFE_MS = 30_000; // a life ends by then, whatever was sent in it
const BUFFERED_MS = 60; // what was on its way when the server died has come by then
const REDIS_UP_MS = 1500; // mean times
const REDIS_DOWN_MS = 400;
const DOWN_MS = 250; // of one node, or of the database, while the others go on

// What is killed at once, with a database server.
const STRIKES = [
    [8, ['node']],
    [5, ['database']],
    [2, ['nodes']],
    [2, ['node', 'database']],
    [1, ['nodes', 'database']],
];

export class Chaos {
    backup = null; // {at}: holds all that was answered before `at`

    constructor(world) {
        this.world = world;
        this.choose = world.choice('chaos');
    }

    get site() {
        return this.world.site;
    }

    // A phase: so many strikes, with so many answers before each.
    async run({ kills, sends, withRestore }) {
        const plan = withRestore ? this.planRestore(kills) : {};
        const flapping = this.flapRedis();
        let isFirst = true;
        for (let n = 0; n < kills; n++) {
            await this.live(sends / kills);
            if (plan.backUpRunning === n) await this.keep(() => this.site.backUpRunning());
            const isStopped = plan.backUpStopped === n || plan.restore === n;
            const what = isStopped ? ['nodes'] : this.site.strike(this.choose, STRIKES, isFirst);
            isFirst &&= isStopped;
            await this.strike(what, {
                isBackUp: plan.backUpStopped === n,
                isRestore: plan.restore === n,
            });
        }
        this.isQuiet = true;
        await flapping;
    }

    async flapRedis() {
        const { redis } = this.site;
        this.isQuiet = false;
        const choose = this.world.choice(`redis ${this.world.life}`);
        while (redis) {
            await this.world.until(() => this.isQuiet, choose.around(REDIS_UP_MS));
            if (this.isQuiet) return;
            await redis.kill();
            this.world.tally.redisKills++;
            await sleep(choose.around(REDIS_DOWN_MS));
            await redis.start();
        }
    }

    // A backup, and one to three lives later its return.
    planRestore(kills) {
        const at = this.choose.below(Math.max(1, kills - 3));
        const how = this.choose.pick(['backUpRunning', 'backUpStopped']);
        return { [how]: at, restore: Math.min(kills - 1, at + this.choose.between(1, 3)) };
    }

    // Some lives are short, some long.
    async live(usual) {
        const { ledger } = this.world;
        const factor = this.choose.weighted([
            [3, 0],
            [12, 0.3 + this.choose.below(150) / 100],
            [1, 4],
        ]);
        const enough = ledger.acknowledged + Math.floor(usual * factor);
        await this.world.until(() => ledger.acknowledged >= enough, LIFE_MS);
        await sleep(this.choose.around(15));
    }

    async strike(what, { isBackUp, isRestore }) {
        const { nodes } = this.site;
        const fallen = what.includes('nodes') ? [...nodes] : [];
        if (what.includes('node')) fallen.push(this.choose.pick(nodes));
        await this.world.noteMetrics(fallen);
        const ends = fallen.map((node) => this.stop(node));
        if (what.includes('database')) this.killDatabase();
        await Promise.all(ends);
        if (fallen.length === nodes.length) await this.endLife();
        else await sleep(this.choose.around(DOWN_MS));
        if (isBackUp) await this.keep(() => this.site.backUpStopped());
        if (isRestore) await this.restore();
        if (what.includes('database')) await this.site.startDatabase();
        await Promise.all(fallen.map((node) => this.start(node)));
    }

    killDatabase() {
        this.site.killDatabase();
        this.world.tally.databaseKills++;
    }

    // Nothing that was asked of them can happen any more.
    async endLife() {
        await this.site.drain();
        this.world.endLife();
    }

    async stop(node) {
        const { tally } = this.world;
        if (this.choose.chance(0.06)) {
            tally.terms++;
            const end = await node.halt();
            if (end.code !== 0) this.world.fault(`stopped with ${JSON.stringify(end)}`);
        }
        await this.kill(node);
    }

    async kill(node) {
        await node.kill9();
        this.world.tally.kills++;
    }

    // One of six starts is killed too.
    async start(node) {
        while (this.choose.chance(0.16)) {
            node.spawn();
            await sleep(this.choose.around(20));
            await this.kill(node);
        }
        await node.start();
        this.world.nodeStarted();
    }

    async keep(backUp) {
        const at = tick();
        await backUp();
        this.backup = { at };
        this.world.tally.backups++;
    }

    async restore() {
        const { world } = this;
        await sleep(BUFFERED_MS);
        const isSnapshot = this.choose.chance(0.5);
        if (await this.site.restore(isSnapshot)) world.tally.snapshots++;
        world.life++;
        world.ledger.rolledBack(this.backup.at, world.life);
        world.watch.rolledBack(world.life);
        world.tally.restores++;
        world.tally.canGoBack = true;
    }
}
