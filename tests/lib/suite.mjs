// What the tests of a file share: hooks for node:test.
import { after, afterEach, before } from 'node:test';

import { anonymous, makeCast } from './client.mjs';
import { startServer } from './server.mjs';

// One server with a cast in it for the whole file. Whatever a test sends, the server must be alive
// behind it. `take` gets {server, api, cast, owner} before the first test.
export function useCast(take) {
    let server;
    before(async () => {
        server = await startServer();
        const cast = await makeCast(server);
        take({ server, api: anonymous(server), cast, owner: cast.owner });
    });
    after(() => server?.stop());
    afterEach(() => server.assertAlive());
}
