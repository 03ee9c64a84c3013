// Several servers on one PostgreSQL, which tell each other over Redis what is new.
import { User, anonymous, eventually } from './client.mjs';
import { Cluster } from './postgres.mjs';
import { Redis } from './redis.mjs';
import { Server, removeDir, tempDir } from './server.mjs';

export class Nodes {
    constructor({ env = {}, redis = new Redis(), isSafe = false } = {}) {
        this.redis = redis;
        this.cluster = new Cluster({ isSafe });
        this.extraEnv = env;
        this.all = [];
        this.folders = [];
    }

    async start(count = 2) {
        await this.redis.start();
        this.cluster.start();
        this.cluster.run('createdb', '-h', this.cluster.folder, '-U', 'confab', 'chat');
        for (let n = 0; n < count; n++) await this.add();
        await this.together();
        return this;
    }

    async add() {
        const dir = tempDir('confab-node-');
        const env = {
            DATABASE_URL: `postgres://confab@/chat?host=${this.cluster.folder}`,
            REDIS_URL: this.redis.url,
            METRICS_ALLOW: '127.0.0.1',
            TRUSTED_PROXIES: '127.0.0.1',
            ...this.extraEnv,
        };
        this.folders.push(dir);
        this.all.push(await new Server({ env, dir }).start());
    }

    async metric(node, name) {
        const { text } = await anonymous(node).get('/metrics/');
        return Number(text.match(new RegExp(`^confab_${name} (\\S+)$`, 'm'))[1]);
    }

    // Each hears `others` other nodes.
    async together(others = this.all.length - 1) {
        for (const node of this.all) {
            await eventually(
                () => this.metric(node, 'bus_nodes'),
                (count) => count === others,
                'the nodes hear each other',
            );
        }
    }

    async apart() {
        for (const node of this.all) {
            await eventually(
                () => this.metric(node, 'bus_up'),
                (up) => up === 0,
                'Redis is missed',
            );
        }
    }

    async stop() {
        const ends = await Promise.allSettled(this.all.map((node) => node.stop()));
        this.cluster.stop();
        await this.redis.stop();
        this.folders.forEach(removeDir);
        for (const end of ends) if (end.status === 'rejected') throw end.reason;
    }
}

// The same user at another server, with the same token.
export function at(node, user) {
    const { id, username, email, password, access, refresh } = user;
    return new User(node, { id, username, email, password, access, refresh });
}
