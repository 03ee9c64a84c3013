// What was done, for the summary.
const TRANSPORTS = ['websocket', 'events', 'poll'];
// "requests": what web/confab.js has open beside, seen by its relay
const zeros = () => ({ ...Object.fromEntries(TRANSPORTS.map((kind) => [kind, 0])), requests: 0 });
const sum = (counts) => TRANSPORTS.reduce((all, kind) => all + counts[kind], 0);
const COUNTERS = [
    ['confab_live_pulls_total', 'pages'],
    ['confab_live_ring_joins_total', 'joins from the ring'],
    ['confab_live_overflows_total', 'overflows'],
    ['confab_tailer_batches_total', 'batches'],
    ['confab_tailer_changes_total', 'changes'],
];
const list = (counts) =>
    Object.entries(counts)
        .map(([name, n]) => `${name} ${n}`)
        .join(', ');
const percent = (part, all) => `${((100 * part) / Math.max(all, 1)).toFixed(1)} %`;

export class Tally {
    kills = 0; // of nodes
    databaseKills = 0;
    redisKills = 0;
    terms = 0;
    backups = 0;
    restores = 0;
    snapshots = 0; // of these: nothing on the machine tells that it was one
    attempts = 0;
    doubled = 0; // sent twice at once
    late = 0; // sent again long after it was answered
    refused = 0;
    answers = { socket: 0, post: 0, library: 0 }; // to sends, by how they were sent
    made = zeros();
    cut = zeros();
    requestsCut = 0;
    failures = 0; // tries to connect while the server was down
    drains = 0;
    pauses = 0;
    resets = 0;
    selfResets = 0; // clients that found out by themselves that the database had gone back
    unexplained = []; // the same where it had not
    frames = 0;
    actions = {};
    server = {}; // its own counters, added up over its lives
    canGoBack = false; // a backup has been restored in this phase

    // What never came about (nobody listened) is no connection.
    connectionEnded(kind, { wasOpen, wasCut }) {
        if (!wasOpen && !wasCut) {
            this.failures++;
            return;
        }
        this.made[kind]++;
        if (wasCut) this.cut[kind]++;
    }

    goneBack(name, reasons) {
        this.selfResets++;
        if (!this.canGoBack) this.unexplained.push(`${name}: ${reasons.join('; ')}`);
    }

    // The counters of a life that is about to end, from /metrics.
    noteMetrics(text) {
        for (const [metric, name] of COUNTERS) {
            const found = new RegExp(`^${metric} (\\d+)$`, 'm').exec(text);
            this.server[name] = (this.server[name] ?? 0) + Number(found?.[1] ?? 0);
        }
    }

    acted(name) {
        this.actions[name] = (this.actions[name] ?? 0) + 1;
    }

    get strikes() {
        return this.kills + this.databaseKills;
    }

    get connections() {
        return sum(this.made);
    }

    get cutShare() {
        return sum(this.cut) / Math.max(this.connections, 1);
    }

    lines(ledger, watch) {
        const all = this.connections;
        const shares = TRANSPORTS.map((kind) => `${kind} ${percent(this.made[kind], all)}`);
        return [
            `kills of nodes ${this.kills}, of the database ${this.databaseKills}, ` +
                `of Redis ${this.redisKills}, orderly stops ${this.terms}, ` +
                `backups ${this.backups}, restores ${this.restores} ` +
                `(of the whole machine ${this.snapshots})`,
            `sends ${ledger.sends.size}, attempts ${this.attempts}, ` +
                `acknowledged ${ledger.acknowledged}, refused ${this.refused}, ` +
                `doubled retries ${this.doubled}, late retries ${this.late}, ` +
                `replays ${ledger.replays}`,
            `answered over a socket ${this.answers.socket}, to POST ${this.answers.post}, ` +
                `to web/confab.js ${this.answers.library}`,
            `connections ${all}, cut ${sum(this.cut)} (${percent(sum(this.cut), all)}), ` +
                `in vain ${this.failures}, requests cut ${this.requestsCut}, ` +
                `slow readers ${this.pauses}, drained ${this.drains}`,
            `transports: ${shares.join(', ')}; ` +
                `connections for requests ${this.made.requests}, cut ${this.cut.requests}`,
            `the server: ${list(this.server)}`,
            `frames ${this.frames}, resets ${this.resets}, of themselves ${this.selfResets}, ` +
                `frames to the removed ${watch.watched}`,
            `done: ${list(this.actions)}`,
        ];
    }
}
