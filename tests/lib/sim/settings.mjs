// The two forms of the simulator differ only in how much they do. The environment may say
// otherwise: SIM_SEED, SIM_KILLS, SIM_SENDS, SIM_PHASES, SIM_USERS, SIM_DEVICES, SIM_LIBRARIES,
// SIM_SECONDS (the most that it may take), SIM_KEEP=1 (leave the data folder of a run that failed).
//
// SIM_ENGINE: sqlite, postgres or mariadb, the latter two in a private cluster that is killed as well;
// SIM_NODES: so many servers on it; SIM_REDIS=1: the nodes have a Redis, which comes and goes.
const COMMON = {
    seed: '1',
    cuts: 0.4, // share of connections that will be cut
    slow: 0.1, // and of those that are not read for a while
    requestCuts: 0.03,
    doubles: 0.06, // sends that are made twice at once
    floods: 0.004, // of all bursts
    convergeMs: 60_000, // the most that clients may need to agree, without being told anything
};

const SHORT = {
    kills: 12,
    sends: 600,
    phases: 4,
    restoreEach: 2, // phases; the others have none
    cutShare: 0.05, // of all connections, at least: lives are short, and end many before their time
    outbox: 10, // messages that somebody lets web/confab.js keep before he writes no more
    users: 14,
    devices: 15, // of each kind (world.mjs) three and more
    libraries: 6,
    conversations: 16,
    thinkMs: 150,
    seconds: 600,
};

const LONG = {
    kills: 210,
    sends: 105_000,
    phases: 21,
    restoreEach: 3,
    cutShare: 0.2,
    outbox: Infinity,
    users: 24,
    devices: 52,
    libraries: 12,
    conversations: 34,
    thinkMs: 25,
    seconds: 1500,
};

const ENGINES = ['sqlite', 'postgres', 'mariadb'];
const NUMBERS = ['kills', 'sends', 'phases', 'users', 'devices', 'libraries', 'seconds'];

export function readSettings(form, env = process.env) {
    const settings = { ...COMMON, ...(form === 'long' ? LONG : SHORT) };
    for (const name of NUMBERS) {
        const given = env[`SIM_${name.toUpperCase()}`];
        if (given !== undefined) settings[name] = Number(given);
    }
    settings.seed = env.SIM_SEED ?? settings.seed;
    settings.keep = env.SIM_KEEP === '1';
    settings.engine = env.SIM_ENGINE ?? 'sqlite';
    settings.nodes = Number(env.SIM_NODES ?? 1);
    settings.redis = env.SIM_REDIS === '1';
    if (!ENGINES.includes(settings.engine)) throw new Error(`SIM_ENGINE is one of ${ENGINES}`);
    if (settings.engine === 'sqlite' && (settings.nodes > 1 || settings.redis))
        throw new Error('SQLite has one node');
    return settings;
}
