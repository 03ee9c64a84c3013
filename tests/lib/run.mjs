// Runs the black-box suite with recording, then the contract check over what it recorded:
//     node tests/lib/run.mjs [more test files ...]
// CONFAB_BIN names the binary (default build/confab). The exit code is 0 only if both are green.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { removeDir, tempDir } from './server.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const api = path.join(here, '../api');
const files = fs
    .readdirSync(api)
    .filter((name) => name.endsWith('.test.mjs'))
    .sort();
const folder = process.env.CONFAB_RECORD ?? tempDir('confab-record-');
const env = { ...process.env, CONFAB_RECORD: folder };

function node(...args) {
    const end = spawnSync(process.execPath, args, { env, stdio: 'inherit' });
    return end.status === 0;
}

const tests = files.map((name) => path.join(api, name));
const green = node('--test', '--test-concurrency=2', ...tests, ...process.argv.slice(2));
const kept = node(path.join(here, 'contract.mjs'), folder);
if (!process.env.CONFAB_RECORD) removeDir(folder);
process.exitCode = green && kept ? 0 : 1;
