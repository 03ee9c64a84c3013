// The simulator's short forms (tests/lib/sim): clients over all three transports, connections cut,
// requests doubled, servers and what they rest on killed, a backup restored; then the database and all
// clients are compared. SIM_SEED repeats its choices. The long form is `make crash`.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

const PROGRAM = fileURLToPath(new URL('sim.mjs', import.meta.url));
const ON_A_SERVER = { SIM_KILLS: '8', SIM_SENDS: '400', SIM_PHASES: '2' };

const FORMS = {
    'SQLite': {},
    'two nodes on PostgreSQL, with Redis': {
        ...ON_A_SERVER,
        SIM_ENGINE: 'postgres',
        SIM_NODES: '2',
        SIM_REDIS: '1',
    },
    'MariaDB': { ...ON_A_SERVER, SIM_ENGINE: 'mariadb' },
};

// In a process of its own: the test runner follows every promise and socket of its process, which costs a
// seventh of its time.
for (const [name, env] of Object.entries(FORMS)) {
    test(`${name}: lost 0, doubled 0, divergent 0`, { timeout: 900_000 }, async (t) => {
        const all = { ...process.env, SIM_FORM: 'short', ...env, NODE_TEST_CONTEXT: undefined };
        const child = spawn(process.execPath, [PROGRAM], {
            env: all,
            stdio: ['ignore', 'pipe', 'inherit'],
            signal: t.signal,
        });
        const [printed, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
        for (const line of printed.trimEnd().split('\n')) t.diagnostic(line);
        assert.equal(code, 0, printed);
    });
}
