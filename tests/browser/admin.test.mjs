// The admin site in Chromium: every page at both widths, lists, who is let in, hostile content, the
// keyboard. What can be done there is in admin_actions.test.mjs.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import {
    SIZES,
    button,
    dialog,
    go,
    heading,
    heard,
    openAdmin,
    row,
    rows,
    settled,
    untilRows,
} from '../lib/admin_site.mjs';
import {
    assertAccessible,
    assertNoSideways,
    openIn,
    refused,
    setColours,
    useBrowser,
} from '../lib/browser.mjs';
import { PASSWORD, makeAdmin, makeConversation, register, say, sayMany } from '../lib/client.mjs';
import { ok } from '../lib/expect.mjs';
import { startServer } from '../lib/server.mjs';

const chromium = useBrowser();
const CROWD = 45;
let server, admin, ann, talk;

before(async () => {
    server = await startServer();
    admin = await makeAdmin(server);
    ann = await register(server, { username: 'ann', first_name: 'Ann', last_name: 'Lee' });
    for (let n = 0; n < CROWD; n++) await register(server, { username: `crowd${n}` });
    talk = await makeConversation(ann, [admin], { title: 'Budget' });
    await sayMany(ann, talk, 3);
});
after(() => server?.stop());

const open = (t, hash, options = {}) =>
    openAdmin(t, chromium, server, hash, { as: admin, isKept: !('as' in options), ...options });
const search = (page) => page.getByRole('searchbox', { name: 'Search' });

describe('every page', () => {
    const pages = () => [
        ['#/', 'Dashboard'],
        ['#/users', 'Users'],
        [`#/users/${ann.id}`, 'ann'],
        ['#/conversations', 'Conversations'],
        [`#/conversations/${talk.id}`, 'Budget'],
        ['#/messages', 'Messages'],
        ['#/notifications', 'Notifications'],
        [`#/notifications?user=${admin.id}`, 'Notifications'],
        ['#/sessions', 'Sessions'],
        ['#/audit', 'Audit log'],
        ['#/jobs', 'Background work'],
        ['#/settings', 'Settings'],
        ['#/checks', 'Security checks'],
        ['#/nothing', 'Not found'],
    ];
    for (const size of SIZES) {
        test(size, async (t) => {
            const page = await open(t, '#/', { size });
            for (const [hash, name] of pages()) {
                await go(page, hash);
                await heading(page, name).waitFor();
                await settled(page);
                await assertNoSideways(page);
                await setColours(page, 'light');
                await assertAccessible(page, `${hash} ${size}`);
                await setColours(page, 'dark'); // changes nothing else
                await assertAccessible(page, `${hash} ${size}, dark`, ['color-contrast']);
                assert.equal(await page.title(), `${name} - Confab admin`);
            }
        });
    }

    test('the dashboard: numbers, and charts that go on', async (t) => {
        const page = await open(t, '#/');
        const { users } = ok(await admin.get('/api/admin/stats/'));
        const tile = page.locator('.tile', { hasText: 'Users' });
        await tile.getByText(`${users.total}`, { exact: true }).waitFor();
        const chart = page.locator('figure', { hasText: 'Requests' });
        await page.waitForFunction(
            (path) => /L/.test(path.getAttribute('d') ?? ''),
            await chart.locator('.line-1').elementHandle(),
        );
        await chart.getByText(/Requests: now .*, at most /).waitFor({ state: 'attached' });
    });
});

describe('lists', () => {
    test('search and filters are in the address; back and reload keep them', async (t) => {
        const page = await open(t, '#/users');
        await untilRows(page, 20);
        await page.getByLabel('Role').selectOption('admin');
        await page.waitForURL(/role=admin/);
        await untilRows(page, 1);
        await page.goBack();
        await untilRows(page, 20);
        assert.equal(await page.getByLabel('Role').inputValue(), '');
        await search(page).fill('ann');
        await page.waitForURL(/search=ann/);
        await untilRows(page, 1);
        await page.reload();
        await row(page, 'ann').waitFor();
        assert.equal(await search(page).inputValue(), 'ann');
        await button(page, 'Clear filters').click();
        await untilRows(page, 20);
    });

    test('heads sort, and keep the focus', async (t) => {
        const page = await open(t, '#/users?search=crowd');
        const head = button(page.locator('thead'), 'User');
        await head.click();
        await page.waitForURL(/ordering=username/);
        await row(page, 'crowd10').waitFor();
        assert.equal(await page.locator('th[aria-sort]').getAttribute('aria-sort'), 'ascending');
        assert.match(await rows(page).first().innerText(), /crowd0\b/);
        assert.equal(await page.evaluate(() => document.activeElement.textContent), 'User');
        await head.click();
        await page.waitForURL(/ordering=-username/);
        await row(page, 'crowd9').waitFor();
        assert.match(await rows(page).first().innerText(), /crowd9\b/);
        assert.equal(await page.locator('th[aria-sort]').getAttribute('aria-sort'), 'descending');
    });

    test('first, next, last, previous', async (t) => {
        const page = await open(t, '#/users?ordering=username');
        const steps = page.getByRole('navigation', { name: 'Pages of users' });
        const shown = async () => {
            await settled(page);
            return rows(page).evaluateAll((lines) => lines.map((line) => line.dataset.id));
        };
        const step = async (name) => {
            await heard(page, () => button(steps, name).click());
            return shown();
        };
        const query = { ordering: 'username', page_size: 100 };
        const all = ok(await admin.get('/api/admin/users/', query)).results.map(({ id }) => id);
        assert.deepEqual(await shown(), all.slice(0, 20));
        assert.deepEqual(await step('Next'), all.slice(20, 40));
        assert.deepEqual(await step('Last'), all.slice(-20));
        assert.deepEqual(await step('Previous'), all.slice(-40, -20));
        assert.deepEqual(await step('First'), all.slice(0, 20));
        const off = await button(steps, 'Previous').getAttribute('aria-disabled');
        assert.equal(off, 'true');
    });

    test('nothing found, and a list that does not come', async (t) => {
        const page = await open(t, '#/users?search=nobodyhasthis', { allow: [/ERR_FAILED/] });
        await page.getByText('No users found').waitFor();
        await page.route('**/api/admin/users/?*', (route) => route.abort());
        await button(page, 'Refresh').click();
        await page.getByRole('alert').getByText('cannot be reached').waitFor();
        await page.unroute('**/api/admin/users/?*');
        await button(page, 'Try again').click();
        await page.getByText('No users found').waitFor();
    });

    test('a wrong filter is told', async (t) => {
        const page = await open(t, '#/audit?object=x', { allow: [refused(400)] });
        await page
            .getByRole('alert')
            .getByText(/On: .*valid/)
            .waitFor();
    });

    test('an answer that comes late is dropped', async (t) => {
        const page = await open(t, '#/users');
        await untilRows(page, 20);
        let release;
        const held = new Promise((done) => {
            release = done;
        });
        await page.route(/api\/admin\/users\/\?.*search=crowd/, async (route) => {
            await held;
            await route.continue().catch(() => {}); // the page has given it up
        });
        await search(page).fill('crowd');
        await page.waitForURL(/search=crowd/);
        await search(page).fill('ann');
        await page.waitForURL(/search=ann/);
        await untilRows(page, 1);
        release();
        await page.evaluate(() => fetch('/health/').then((answer) => answer.text()));
        assert.equal(await rows(page).count(), 1);
    });

    test('two windows do not know of each other', async (t) => {
        const page = await open(t, '#/users');
        const other = await openIn(t, page.context(), '/admin/#/users?role=admin');
        await untilRows(page, 20);
        await untilRows(other, 1);
        await page.getByLabel('Role').selectOption('host');
        await page.getByText('No users found').waitFor();
        assert.equal(await rows(other).count(), 1);
    });

    test('a file of what is filtered', async (t) => {
        const page = await open(t, '#/users?search=ann');
        await untilRows(page, 1);
        const files = [
            ['CSV', /^id,username,[^]*,ann,/],
            ['JSON', /"username":"ann"/],
        ];
        for (const [format, text] of files) {
            await page.getByText('Export', { exact: true }).click();
            const coming = page.waitForEvent('download');
            await page.getByRole('link', { name: format }).click();
            const parts = [];
            for await (const part of await (await coming).createReadStream()) parts.push(part);
            const file = Buffer.concat(parts).toString();
            assert.match(file, text);
            assert.doesNotMatch(file, /crowd/);
        }
    });
});

describe('who is let in', () => {
    test('nobody without signing in; then the page that was asked for', async (t) => {
        const page = await open(t, '#/users?role=admin', { as: null });
        await page.locator('main').getByRole('link', { name: 'Sign in' }).click();
        await page.getByLabel('Username or e-mail').fill(admin.username);
        await page.getByLabel('Password').fill(PASSWORD);
        await button(page, 'Sign in').click();
        await heading(page, 'Users').waitFor();
        await untilRows(page, 1);
        assert.match(page.url(), /\/admin\/#\/users\?role=admin$/);
    });

    for (const size of SIZES) {
        test(`no admin: told so, with who he is and a way out: ${size}`, async (t) => {
            const page = await open(t, '#/users', { as: ann, size });
            await heading(page, 'This is for admins').waitFor();
            await page.locator('main').getByText('ann', { exact: true }).waitFor();
            await assertAccessible(page);
            await assertNoSideways(page);
            await button(page.locator('main'), 'Sign out').click();
            await page.locator('main').getByRole('link', { name: 'Sign in' }).waitFor();
        });
    }

    test('a session that ended: the next question leads to signing in', async (t) => {
        const second = await makeAdmin(server);
        const page = await open(t, '#/users', { as: second, allow: [refused(401)] });
        await untilRows(page, 20);
        ok(await admin.delete(`/api/admin/users/${second.id}/sessions/`), 204);
        await button(page, 'Refresh').click();
        await page.locator('main').getByRole('link', { name: 'Sign in' }).waitFor();
        ok(await admin.delete(`/api/admin/users/${second.id}/`), 204);
    });

    test('who is admin no more is told so', async (t) => {
        const second = await makeAdmin(server);
        const page = await open(t, '#/users', { as: second, allow: [refused(403)] });
        await untilRows(page, 20);
        ok(await admin.patch(`/api/admin/users/${second.id}/`, { role: 'guest' }));
        await button(page, 'Refresh').click();
        await heading(page, 'This is for admins').waitFor();
    });
});

describe('hostile content', () => {
    const SCRIPT = '<script>document.title="x"</script><img src=x onerror="document.title=1">';
    const LONG = 'a'.repeat(10_000);
    const MARKS = '\u0301\u0489\u0336'.repeat(3_333);
    const RIGHT = 'שלום \u202E gnorw العالم';
    const EMOJI = '👩‍👩‍👧‍👦🏳️‍🌈🇩🇪';
    const ROW_MAX_PX = 500;
    let hostile;
    before(async () => {
        const names = { first_name: SCRIPT.slice(0, 60), last_name: RIGHT };
        const mallory = await register(server, { username: 'mallory', ...names });
        for (const title of [SCRIPT, LONG.slice(0, 200), MARKS.slice(0, 200), RIGHT, EMOJI]) {
            hostile = await makeConversation(mallory, [], { title });
        }
        for (const text of [SCRIPT, LONG, MARKS, RIGHT, EMOJI]) await say(mallory, hostile, text);
    });

    for (const size of SIZES) {
        test(`is text, and stays in its cell: ${size}`, async (t) => {
            const page = await open(t, '#/', { size });
            const pages = [
                '#/users?username=mallory',
                '#/conversations?participant=mallory',
                '#/messages?sender=mallory',
                `#/conversations/${hostile.id}`,
            ];
            for (const hash of pages) {
                await go(page, hash);
                await rows(page).first().waitFor();
                await settled(page);
                await assertNoSideways(page);
                assert.match(await page.title(), / - Confab admin$/);
                assert.equal(await page.locator('main img, main script').count(), 0);
                const heights = await rows(page).evaluateAll((lines) =>
                    lines.map((line) => line.offsetHeight),
                );
                assert.ok(Math.max(...heights) < ROW_MAX_PX, `${hash}: ${heights} px high`);
            }
            await page.locator('main').getByText(SCRIPT.slice(0, 30)).first().waitFor();
        });
    }

    test('a long message is shown whole, within its box', async (t) => {
        const page = await open(t, '#/messages?sender=mallory', { size: 'phone' });
        await button(row(page, 'aaaaaaaaaa'), 'Show').click();
        await dialog(page).getByText(LONG).waitFor();
        await assertNoSideways(page);
        const box = await dialog(page).boundingBox();
        assert.ok(box.width <= 390 && box.height <= 844);
    });
});

describe('by keyboard', () => {
    test('skip link, heading at each route, dialogs give the focus back', async (t) => {
        const page = await open(t, '#/users');
        await untilRows(page, 20);
        const focused = () => page.evaluate(() => document.activeElement.textContent.trim());
        await page.keyboard.press('Tab');
        assert.equal(await focused(), 'To the content');
        await page.keyboard.press('Enter');
        assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
        await heading(page, 'Users').waitFor();

        await page.getByRole('link', { name: 'Audit log' }).focus();
        await page.keyboard.press('Enter');
        await heading(page, 'Audit log').waitFor();
        assert.equal(await focused(), 'Audit log');

        await heard(page, () => page.goBack());
        await settled(page);
        await button(page, 'New user').focus();
        await page.keyboard.press('Enter');
        await dialog(page).waitFor();
        for (let n = 0; n < 20; n++) {
            await page.keyboard.press('Tab');
            const inside = await page.evaluate(() => {
                const { activeElement: at, body } = document;
                return at === body || at.closest('dialog') !== null;
            });
            assert.ok(inside, 'the focus stays in the dialog');
        }
        await page.keyboard.press('Escape');
        await dialog(page).waitFor({ state: 'detached' });
        assert.equal(await focused(), 'New user');
    });

    test('the menu of a telephone', async (t) => {
        const page = await open(t, '#/', { size: 'phone' });
        const menu = button(page, 'Menu');
        const entry = page.getByRole('link', { name: 'Sessions', exact: true });
        await menu.waitFor();
        assert.equal(await entry.count(), 0);
        await menu.click();
        assert.equal(await menu.getAttribute('aria-expanded'), 'true');
        await assertAccessible(page);
        await page.keyboard.press('Escape');
        assert.equal(await menu.getAttribute('aria-expanded'), 'false');
        await menu.click();
        await entry.click();
        await heading(page, 'Sessions').waitFor();
        assert.equal(await menu.getAttribute('aria-expanded'), 'false');
    });
});
