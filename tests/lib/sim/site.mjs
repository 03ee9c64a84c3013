// What the servers of a run rest on: SQLite's file beside the only one of them, or a private database
// server with one or more nodes, and their Redis.
import path from 'node:path';

import { Cluster as MariaDB } from '../mariadb.mjs';
import { Cluster as PostgreSQL } from '../postgres.mjs';
import { Redis } from '../redis.mjs';
import { Server, removeDir, sleep } from '../server.mjs';
import * as database from './database.mjs';

const DRAIN_MS = 30_000;

class Site {
    redis = null;

    start() {
        return Promise.all(this.nodes.map((node) => node.start()));
    }

    async kill() {
        for (const node of this.nodes) await node.kill9();
        await this.drain();
    }
}

class FileSite extends Site {
    canRestore = true;

    constructor(env) {
        super();
        this.server = new Server({ env });
        this.nodes = [this.server];
    }

    get folder() {
        return this.server.dir;
    }

    open() {
        return this.start();
    }

    async close(isKept) {
        await this.kill();
        if (!isKept) removeDir(this.folder);
    }

    strike() {
        return ['nodes'];
    }

    async drain() {}

    read() {
        return database.readDatabase(database.databaseFile(this.server));
    }

    // A copy is looked at, so that the server itself has to recover the original.
    readStopped() {
        return database.withCopy(this.server, async (file) => ({
            integrity: (await database.checkIntegrity(file)).trim(),
            stored: await database.readDatabase(file),
        }));
    }

    get backup() {
        return path.join(this.folder, 'backup.sqlite3');
    }

    backUpRunning() {
        return database.backUpRunning(this.server, this.backup);
    }

    backUpStopped() {
        database.backUpStopped(this.server, this.backup);
    }

    // True: as with a snapshot of the whole machine.
    restore(isSnapshot) {
        database.putBack(this.server, this.backup, isSnapshot);
        return isSnapshot;
    }
}

const DATABASE = 'chat';

const ENGINES = {
    postgres: {
        Cluster: PostgreSQL,
        others:
            'SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() ' +
            "AND backend_type = 'client backend' AND pid <> pg_backend_pid();",
        raw: [],
        // Every table, and every B-tree against its table; an error names what is broken.
        check:
            'SET client_min_messages TO warning; CREATE EXTENSION IF NOT EXISTS amcheck;' +
            'SELECT relname, msg FROM pg_class c, LATERAL verify_heapam(c.oid) ' +
            "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace;" +
            'WITH trees AS MATERIALIZED (SELECT c.oid, relname FROM pg_class c ' +
            "JOIN pg_am a ON a.oid = relam WHERE relkind = 'i' AND amname = 'btree' " +
            "AND relnamespace = 'public'::regnamespace) " +
            'SELECT relname FROM trees WHERE bt_index_check(oid, true) IS NULL;',
    },
    mariadb: {
        Cluster: MariaDB,
        others:
            'SELECT count(*) FROM information_schema.processlist ' +
            'WHERE db = database() AND id <> connection_id();',
        raw: ['-r'], // or else it escapes what is escaped
        check:
            "SET @check = (SELECT concat('CHECK TABLE ', group_concat(table_name), ' EXTENDED') " +
            'FROM information_schema.tables WHERE table_schema = database());' +
            'EXECUTE IMMEDIATE @check;',
    },
};

class ClusterSite extends Site {
    nodes = [];

    constructor(settings, env, choose) {
        super();
        Object.assign(this, { settings, env, choose });
        this.engine = ENGINES[settings.engine];
        this.canRestore = settings.engine === 'postgres';
    }

    get folder() {
        return this.cluster.folder;
    }

    async open() {
        const { engine, settings } = this;
        this.cluster = new engine.Cluster({ isSafe: true });
        this.cluster.start();
        this.cluster.engine.make(DATABASE);
        const env = { ...this.env, DATABASE_URL: this.cluster.engine.url(DATABASE) };
        if (settings.redis) {
            this.redis = await new Redis().start();
            env.REDIS_URL = this.redis.url;
        }
        this.nodes = Array.from({ length: settings.nodes }, () => new Server({ env }));
        await this.start();
    }

    async close(isKept) {
        try {
            for (const node of this.nodes) await node.kill9();
        } finally {
            await this.redis?.stop();
            for (const node of this.nodes) removeDir(node.dir);
            if (isKept) this.cluster.kill();
            else this.cluster?.stop();
        }
    }

    // The database once in each phase, however short.
    strike(choose, table, isFirst) {
        return isFirst ? ['database'] : choose.weighted(table);
    }

    killDatabase() {
        this.cluster.kill();
        this.isDown = true;
    }

    async startDatabase() {
        await this.cluster.startBeside();
        this.isDown = false;
    }

    get shell() {
        return [...this.cluster.engine.shell(DATABASE), ...this.engine.raw];
    }

    // Until the database has ended what the killed nodes had told it to do.
    async drain() {
        if (this.isDown) return;
        for (const until = Date.now() + DRAIN_MS; ; await sleep(10)) {
            const others = await database.runScript(this.shell, this.engine.others);
            if (Number(others) === 0) return;
            if (Date.now() > until) throw new Error(`${others.trim()} sessions of dead nodes`);
        }
    }

    read() {
        return database.readRowsBy(this.shell, this.settings.engine);
    }

    // Of what the engine says of its tables and indexes, all that is no praise.
    async check() {
        const text = await database
            .runScript(this.shell, this.engine.check)
            .catch((error) => error.message);
        const wrong = text.split('\n').filter((line) => line && !line.endsWith('\tstatus\tOK'));
        return wrong.join('; ') || 'ok';
    }

    // Half of the times after a crash.
    async readStopped() {
        if (this.choose.chance(0.5)) {
            this.killDatabase();
            await this.startDatabase();
        }
        return { integrity: await this.check(), stored: await this.read() };
    }

    // A copy of the files of a server that is halted.
    backUpRunning() {
        return this.backUpStopped();
    }

    async backUpStopped() {
        this.cluster.halt();
        this.cluster.backUp();
        await this.startDatabase();
    }

    async restore() {
        this.cluster.halt();
        this.cluster.restore();
        await this.startDatabase();
        return false;
    }
}

export const makeSite = (settings, env, choose) =>
    settings.engine === 'sqlite'
        ? new FileSite(env)
        : new ClusterSite(settings, env, choose);
