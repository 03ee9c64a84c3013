// The simulator's long form: CONFAB_BIN=build/confab node tests/crash/sim.mjs (make crash).
// tests/lib/sim/settings.mjs lists what the environment can change. Exit code 1 unless nothing was
// lost, doubled or divergent, and as much was done as the form asks for.
import { simulate } from '../lib/sim/run.mjs';
import { readSettings } from '../lib/sim/settings.mjs';

const settings = readSettings(process.env.SIM_FORM ?? 'long');
const print = (line) => process.stdout.write(`${line}\n`);
const { isGood, isEnough, differences } = await simulate(settings, print);

if (!isGood) {
    print(`\nSIM_SEED=${settings.seed}`);
    differences.forEach(print);
}
if (isGood && !isEnough) print('\nnot as much was done as it should be');
process.exit(isGood && isEnough ? 0 : 1);
