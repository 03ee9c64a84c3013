// The simulator's short form (tests/lib/sim): clients over all three transports, connections cut,
// requests doubled, the server killed, a backup restored; then the database and all clients are
// compared. SIM_SEED repeats its choices. The long form is `make crash`.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { simulate } from '../lib/sim/run.mjs';
import { readSettings } from '../lib/sim/settings.mjs';

test('the simulator, short: lost 0, doubled 0, divergent 0', { timeout: 900_000 }, async (t) => {
    const settings = readSettings('short');
    const { isGood, differences } = await simulate(settings, (line) => t.diagnostic(line));
    assert.ok(isGood, `SIM_SEED=${settings.seed}\n${differences.join('\n')}`);
});
