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

// Sends the operation of a block that is open. Returns the status that it shows.
async function execute(block) {
    await block.getByRole('button', { name: 'Execute' }).click();
    const status = block.locator('.live-responses-table tbody .response-col_status').first();
    return Number.parseInt(await status.innerText(), 10);
}

// Opens an operation and sends it, with a body if there is one.
async function tryOut(page, operation, body) {
    const block = page.locator(`[id$="-${operation}"]`);
    await block.locator('.opblock-summary-control').click();
    await block.getByRole('button', { name: 'Try it out' }).click();
    if (body) await block.locator('textarea.body-param__text').fill(JSON.stringify(body));
    return { status: await execute(block), block };
}

async function authorize(page, scheme, value) {
    await page.locator('.auth-wrapper .authorize').first().click();
    const dialog = page.locator('.auth-container').filter({ hasText: scheme }).first();
    await dialog.locator('input').fill(value);
    await dialog.getByRole('button', { name: 'Apply credentials' }).click();
    await page.locator('.close-modal').click();
}

async function assertShowsAll(page) {
    await page.locator('.opblock').first().waitFor();
    const count = await page.evaluate(async () => {
        const answer = await fetch('/api/schema/?format=json');
        const { paths } = await answer.json();
        const keys = Object.values(paths).flatMap((item) => Object.keys(item));
        return keys.filter((key) => !key.startsWith('x-')).length;
    });
    assert.equal(await page.locator('.opblock').count(), count);
    await assertNoSideways(page);
}

// Laying the document out takes seconds: one page a width, and then no more of it than is tried.
const showOnly = (page, words) => page.locator('.operation-filter-input').fill(words);

describe('every operation is shown, and tried out', () => {
    test('by nobody, then with a JWT, at the size of a desktop', async (t) => {
        const page = await openSwagger(t, { allow: [/401/] });
        await assertShowsAll(page);
        await showOnly(page, 'users/me');
        const { status, block } = await tryOut(page, 'users_me_retrieve');
        assert.equal(status, 401);
        await block.getByRole('button', { name: 'Clear' }).click();
        await authorize(page, 'jwt', user.access);
        assert.equal(await execute(block), 200);
        assert.match(await block.locator('.live-responses-table').innerText(), new RegExp(user.id));
    });

    test('with the session of the browser, reading and writing, at the size of a phone', async (t) => {
        const page = await openSwagger(t, { as: user, size: 'phone' });
        await assertShowsAll(page);
        await showOnly(page, 'users/me');
        assert.equal((await tryOut(page, 'users_me_retrieve')).status, 200);
        await showOnly(page, 'api/conversations/');
        const made = await tryOut(page, 'conversations_create', { title: 'By Swagger' });
        assert.equal(made.status, 201);
        assert.match(await made.block.locator('.live-responses-table').innerText(), /By Swagger/);
    });
});
