// A TCP relay between web/confab.js and the server, which breaks and slows connections without the
// library's knowledge: it cuts in the middle of what is written, or does not read for a while.
import net from 'node:net';

// What a connection is for, by its first request.
const KINDS = [
    ['GET /api/ws/?', 'websocket'],
    ['GET /api/events/', 'events'],
    ['GET /api/sync/', 'poll'],
];

function kindOf(part) {
    const line = part.toString('latin1', 0, 20);
    return KINDS.find(([start]) => line.startsWith(start))?.[1];
}

export class Proxy {
    links = new Set();

    constructor({ world, choose, name }) {
        Object.assign(this, { world, choose, name });
        this.server = net.createServer({ allowHalfOpen: false }, (client) => this.accept(client));
    }

    async start() {
        await new Promise((done) => this.server.listen(0, '127.0.0.1', done));
        this.port = this.server.address().port;
    }

    accept(client) {
        const { world, choose } = this;
        const upstream = net.connect(world.port, '127.0.0.1');
        const link = { client, upstream, timers: [], wasOpen: false, wasCut: false };
        link.kind = 'requests';
        this.links.add(link);
        client.on('data', (part) => {
            link.kind = kindOf(part) ?? link.kind;
        });
        upstream.once('connect', () => {
            link.wasOpen = true;
        });
        for (const socket of [client, upstream]) {
            socket.setNoDelay(true);
            socket.on('error', () => {});
            socket.on('close', () => this.end(link));
        }
        client.pipe(upstream);
        upstream.pipe(client);
        if (!world.isCalm) this.plan(link, choose);
    }

    plan(link, choose) {
        const { cuts, slow } = this.world.settings;
        const at = (ms, action) => link.timers.push(setTimeout(action, ms));
        if (choose.chance(cuts)) {
            const ms = choose.chance(0.15) ? choose.below(3) : choose.around(250);
            at(ms, () => this.cut(link));
        } else if (choose.chance(slow)) {
            at(choose.around(100), () => {
                this.world.tally.pauses++;
                link.upstream.unpipe(link.client);
                link.upstream.pause();
            });
            at(100 + choose.around(1200), () => link.upstream.pipe(link.client));
        }
    }

    // Half of what comes next still passes, or nothing.
    cut(link) {
        link.wasCut = true;
        if (this.choose.chance(0.5)) return this.end(link);
        const from = this.choose.pick([link.client, link.upstream]);
        const to = from === link.client ? link.upstream : link.client;
        from.unpipe(to);
        from.once('data', (part) => {
            const half = part.subarray(0, part.length >> 1);
            if (to.writable) to.write(half, () => this.end(link));
            else this.end(link);
        });
        link.timers.push(setTimeout(() => this.end(link), 200));
        return undefined;
    }

    end(link) {
        if (!this.links.delete(link)) return;
        for (const timer of link.timers) clearTimeout(timer);
        this.world.tally.connectionEnded(link.kind, link);
        link.client.destroy();
        link.upstream.destroy();
    }

    // All at once: the network is gone, and comes back.
    cutAll() {
        for (const link of this.links) {
            link.wasCut = true;
            this.end(link);
        }
    }

    endAll() {
        for (const link of this.links) this.end(link);
    }

    async stop() {
        this.endAll();
        await new Promise((done) => this.server.close(done));
    }
}
