// The simulator's short forms (tests/lib/sim): clients over all three transports, connections cut,
// requests doubled, servers and what they rest on killed, a backup restored; then the database and all
// clients are compared. SIM_SEED repeats its choices. The long form is `make crash`.
import { test } from 'node:test';

import { simulate } from '../lib/sim/run.mjs';
import { readSettings } from '../lib/sim/settings.mjs';

const SMALL = { SIM_KILLS: '8', SIM_SENDS: '600', SIM_PHASES: '2' };

const FORMS = {
    'SQLite': {},
    'two nodes on PostgreSQL, with Redis': {
        ...SMALL,
        SIM_ENGINE: 'postgres',
        SIM_NODES: '2',
        SIM_REDIS: '1',
    },
    'MariaDB': { ...SMALL, SIM_ENGINE: 'mariadb' },
};

for (const [name, env] of Object.entries(FORMS)) {
    test(`${name}: lost 0, doubled 0, divergent 0`, { timeout: 900_000 }, async (t) => {
        const settings = readSettings('short', { ...process.env, ...env });
        const { isGood, differences } = await simulate(settings, (line) => t.diagnostic(line));
        if (isGood) return;
        const error = new Error([...differences, `SIM_SEED=${settings.seed}`].join('\n'));
        error.stack = error.message; // where it is thrown says nothing
        throw error;
    });
}
