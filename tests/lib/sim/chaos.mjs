// What happens to the server: it is killed at random points, also while it starts, sometimes stopped
// in order, and sometimes an older copy of its database is put in its place, by itself or with
// everything that the server could know it by.
import path from 'node:path';

import { sleep } from '../server.mjs';
import { backUpRunning, backUpStopped, putBack } from './database.mjs';
import { tick } from './marker.mjs';

const LIFE_MS = 30_000; // a life ends by then, whatever was sent in it
const BUFFERED_MS = 60; // what was on its way when the server died has come by then

export class Chaos {
    backup = null; // {file, at}: holds all that was answered before `at`

    constructor(world) {
        this.world = world;
        this.choose = world.choice('chaos');
    }

    // A phase: so many lives, with so many answers in each.
    async run({ kills, sends, withRestore }) {
        const plan = withRestore ? this.planRestore(kills) : {};
        for (let n = 0; n < kills; n++) {
            await this.live(sends / kills);
            if (plan.backUpRunning === n) await this.backUpRunning();
            await this.world.noteMetrics();
            await this.stop();
            if (plan.backUpStopped === n) this.backUpStopped();
            if (plan.restore === n) await this.restore();
            await this.start();
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

    async stop() {
        const { server, tally } = this.world;
        if (this.choose.chance(0.06)) {
            tally.terms++;
            const end = await server.halt();
            if (end.code !== 0) this.world.fault(`stopped with ${JSON.stringify(end)}`);
        }
        await this.kill();
    }

    async kill() {
        const { world } = this;
        await world.server.kill9();
        world.tally.kills++;
        world.life++;
        world.watch.newLife(world.life);
    }

    // One of six starts is killed too.
    async start() {
        const { server } = this.world;
        while (this.choose.chance(0.16)) {
            server.spawn();
            await sleep(this.choose.around(20));
            await this.kill();
        }
        await server.start();
    }

    get file() {
        return path.join(this.world.server.dir, 'backup.sqlite3');
    }

    async backUpRunning() {
        const at = tick();
        await backUpRunning(this.world.server, this.file);
        this.keep(at);
    }

    backUpStopped() {
        backUpStopped(this.world.server, this.file);
        this.keep(tick());
    }

    keep(at) {
        this.backup = { at };
        this.world.tally.backups++;
    }

    async restore() {
        const { world } = this;
        await sleep(BUFFERED_MS);
        const isSnapshot = this.choose.chance(0.5);
        putBack(world.server, this.file, isSnapshot);
        if (isSnapshot) world.tally.snapshots++;
        world.life++;
        world.ledger.rolledBack(this.backup.at, world.life);
        world.watch.rolledBack(world.life);
        world.tally.restores++;
        world.tally.canGoBack = true;
    }
}
