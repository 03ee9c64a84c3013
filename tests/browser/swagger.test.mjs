// Swagger UI on the server's own document, offline: it shows every operation, and "Try it out" goes with
// a JWT as well as with the browser's session and its CSRF token.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { assertNoSideways, openPage, useBrowser } from '../lib/browser.mjs';
import { register } from '../lib/client.mjs';
import { startServer } from '../lib/server.mjs';

const PATH = '/api/schema/swagger-ui/';
let server, user;
const chromium = useBrowser();

before(async () => {
    server = await startServer();
    user = await register(server);
});
after(() => server?.stop());

// Eighty operations take their time where tests share two processors.
const SLOWLY_MS = 180_000;

// Opens the page as openPage() does.
async function openSwagger(t, options) {
    const page = await openPage(t, chromium, server, PATH, options);
    page.setDefaultTimeout(SLOWLY_MS);
    return page;
}

// Opens an operation and sends it, with a body if there is one. Returns the status that it shows.
async function tryOut(page, operation, body) {
    const block = page.locator(`[id$="-${operation}"]`);
    await block.locator('.opblock-summary-control').click();
    await block.getByRole('button', { name: 'Try it out' }).click();
    if (body) await block.locator('textarea.body-param__text').fill(JSON.stringify(body));
    await block.getByRole('button', { name: 'Execute' }).click();
    const status = await block.locator('.live-responses-table tbody .response-col_status').first().innerText();
    return { status: Number.parseInt(status, 10), block };
}

async function authorize(page, scheme, value) {
    await page.locator('.auth-wrapper .authorize').first().click();
    const dialog = page.locator('.auth-container').filter({ hasText: scheme }).first();
    await dialog.locator('input').fill(value);
    await dialog.getByRole('button', { name: 'Apply credentials' }).click();
    await page.locator('.close-modal').click();
}

for (const size of ['desktop', 'phone']) {
    describe(`at the size of a ${size}`, () => {
        test('shows every operation of the document', async (t) => {
            const page = await openSwagger(t, { size });
            await page.locator('.opblock').first().waitFor();
            const count = await page.evaluate(async () => {
                const answer = await fetch('/api/schema/?format=json');
                const { paths } = await answer.json();
                const keys = Object.values(paths).flatMap((item) => Object.keys(item));
                return keys.filter((key) => !key.startsWith('x-')).length;
            });
            assert.equal(await page.locator('.opblock').count(), count);
            await assertNoSideways(page);
        });
    });
}

describe('Try it out', () => {
    test('by nobody is 401', async (t) => {
        const page = await openSwagger(t, { allow: [/401/] });
        assert.equal((await tryOut(page, 'users_me_retrieve')).status, 401);
    });

    test('with a JWT', async (t) => {
        const page = await openSwagger(t);
        await authorize(page, 'jwt', user.access);
        const { status, block } = await tryOut(page, 'users_me_retrieve');
        assert.equal(status, 200);
        assert.match(await block.locator('.live-responses-table').innerText(), new RegExp(user.id));
    });

    test('with the session of the browser, reading and writing', async (t) => {
        const page = await openSwagger(t, { as: user });
        assert.equal((await tryOut(page, 'users_me_retrieve')).status, 200);
        const made = await tryOut(page, 'conversations_create', { title: 'By Swagger' });
        assert.equal(made.status, 201);
        assert.match(await made.block.locator('.live-responses-table').innerText(), /By Swagger/);
    });
});
