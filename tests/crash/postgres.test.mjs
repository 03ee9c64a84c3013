import assert from 'node:assert/strict';
import { test } from 'node:test';

import { PASSWORD } from '../lib/client.mjs';
import { testEngine } from '../lib/engine_cases.mjs';
import { Cluster } from '../lib/postgres.mjs';
import { removeDir, run, runCli, tempDir } from '../lib/server.mjs';

testEngine(Cluster);

test('what is in an index of an expression is known once it is migrated', async (t) => {
    const cluster = new Cluster().start();
    const dir = tempDir();
    t.after(() => {
        cluster.stop();
        removeDir(dir);
    });
    cluster.engine.make('late');
    const env = { DATABASE_URL: cluster.engine.url('late'), DATA_DIR: dir };
    const confab = async (args) => {
        const secret = { CONFAB_SUPERUSER_PASSWORD: PASSWORD };
        const end = await runCli(args.split(' '), { env: { ...env, ...secret } });
        assert.equal(end.code, 0, `${args}: ${end.stderr}`);
    };
    const known = async () => {
        const [psql, ...args] = cluster.engine.shell('late');
        const text = "SELECT count(*) FROM pg_stats WHERE tablename = 'account_seen'";
        const end = await run(psql, [...args, '-c', text]);
        return Number(end.stdout);
    };
    await confab('migrate');
    await confab('createsuperuser --noinput --email root@example.com');
    await confab('migrate 0005');
    assert.equal(await known(), 0);
    await confab('migrate');
    assert.ok((await known()) > 0);
});
