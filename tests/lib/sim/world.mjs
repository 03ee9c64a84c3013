// Everything that a run consists of: the servers, people with their devices, and what is written down
// of them. chaos.mjs decides what happens to it, judge.mjs whether it is well at the end of a
// phase.
import { register } from '../client.mjs';
import { sleep } from '../server.mjs';
import { Actor } from './actions.mjs';
import { Choice } from './choice.mjs';
import { Device } from './device.mjs';
import { Ledger } from './ledger.mjs';
import { LibraryDevice } from './library.mjs';
import { makeSite } from './site.mjs';
import { Tally } from './tally.mjs';
import { Watch } from './watch.mjs';

const KINDS = ['websocket', 'websocket', 'websocket', 'events', 'poll'];
const LIBRARY_KINDS = ['ws', 'auto', 'ws', 'sse', 'ws', 'poll'];

const CLOSE_MS = 90_000;

const ENVIRONMENT = {
    HEARTBEAT_INTERVAL: '2',
    METRICS_ALLOW: '127.0.0.1',
    SESSIONS_PER_USER_MAX: '100000',
    THROTTLE_LOGIN: '',
};

export class World {
    life = 1; // of all nodes together; what was asked of an earlier one cannot happen any more
    isOver = false;
    isCalm = true; // connections are left alone
    acting = 0; // actions under way
    users = [];
    devices = [];
    faults = [];
    ledger = new Ledger();
    watch = new Watch();
    tally = new Tally();

    constructor(settings) {
        this.settings = settings;
        this.choose = this.choice('world');
        this.site = makeSite(settings, ENVIRONMENT, this.choice('site'));
        this.letActorsWait();
        this.nodeStarted();
    }

    // Of any node, whether it runs or not.
    get port() {
        return this.choose.pick(this.site.nodes).port;
    }

    choice(name) {
        return new Choice(this.settings.seed, name);
    }

    fault(text) {
        this.faults.push(text);
    }

    // Counts what is under way, and keeps a mistake of the simulator from being silent.
    async during(action) {
        this.acting++;
        try {
            return await action();
        } catch (error) {
            this.fault(`the simulator: ${error.stack}`);
            return { kind: 'unknown' };
        } finally {
            this.acting--;
        }
    }

    // --- beginning and end ---

    async open() {
        await this.site.open();
        for (let n = 0; n < this.settings.users; n++) {
            const role = n % 3 === 0 ? 'host' : 'guest';
            const user = await register(this.site.nodes[0], { username: `person${n}`, role });
            this.users.push({ ...user, number: n });
        }
        await this.makeDevices();
        this.actors = this.devices.map((device) => new Actor(device));
        for (const device of this.devices) device.start();
        await this.makeTalks();
        for (const actor of this.actors) actor.start();
    }

    async makeDevices() {
        const { devices, libraries } = this.settings;
        for (let n = 0; n < devices + libraries; n++) {
            const user = this.users[n % this.users.length];
            const isOwn = n < devices;
            const kinds = isOwn ? KINDS : LIBRARY_KINDS;
            const kind = kinds[n % kinds.length];
            const name = `${isOwn ? 'device' : 'library'} ${n} of ${user.username}`;
            const device = new (isOwn ? Device : LibraryDevice)(this, user, name, kind);
            await device.loginNow();
            this.devices.push(device);
        }
    }

    // Half of them at the start, so that there is something to talk about.
    async makeTalks() {
        for (let n = 0; n < this.settings.conversations / 2; n++)
            await this.actors[n % this.actors.length].create();
    }

    async close() {
        this.isOver = true;
        this.letActorsGo();
        await this.all(this.actors ?? [], (actor) => actor.running);
        await this.all(this.devices, (device) => device.stop());
    }

    // All of them end; who does not is named.
    async all(list, end) {
        const left = new Set(list);
        const ends = list.map(async (one) => {
            await end(one);
            left.delete(one);
        });
        let timer;
        const late = new Promise((done) => {
            timer = setTimeout(done, CLOSE_MS);
        });
        await Promise.race([Promise.all(ends), late]);
        clearTimeout(timer);
        const names = [...left].map((one) => (one.device ?? one).describe());
        if (names.length > 0) throw new Error(`does not end: ${names.join('; ')}`);
    }

    // `started` is of the next one.
    nodeStarted() {
        this.herd?.();
        this.started = new Promise((done) => {
            this.herd = done;
        });
    }

    endLife() {
        this.life++;
        this.watch.newLife(this.life);
    }

    // Before these nodes go.
    async noteMetrics(nodes) {
        const { rest } = this.devices[0];
        for (const { port } of nodes) {
            const answer = await rest.ask('GET', '/metrics', { port, timeoutMs: 2000 });
            if (answer?.status === 200) this.tally.noteMetrics(answer.body);
        }
    }

    // --- actors ---

    letActorsGo() {
        this.go?.();
    }

    letActorsWait() {
        this.gate = new Promise((done) => {
            this.go = done;
        });
    }

    whenActing() {
        return this.gate;
    }

    // --- waiting ---

    // False: it was not so in time. While `progress()` changes time begins anew, since a machine may be
    // slow.
    async until(isSo, ms, progress = () => 0) {
        let end = Date.now() + ms;
        for (let seen = progress(); !isSo(); await sleep(5)) {
            if (progress() !== seen) end = Date.now() + ms;
            else if (Date.now() > end) return false;
            seen = progress();
        }
        return true;
    }
}
