// What can be done on the admin site, one at a time and to many at once, at both widths; what comes of it
// is asked of the API.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import {
    SIZES,
    bulk,
    button,
    dialog,
    heading,
    openAdmin,
    row,
    rows,
    select,
    selectAll,
    settled,
    typeWord,
    untilRows,
} from '../lib/admin_site.mjs';
import { hold, refused, useBrowser } from '../lib/browser.mjs';
import {
    PASSWORD,
    login,
    makeAdmin,
    makeConversation,
    register,
    say,
    sayMany,
    unique,
} from '../lib/client.mjs';
import { ok } from '../lib/expect.mjs';
import { startServer } from '../lib/server.mjs';

const chromium = useBrowser();
let server, admin, ann, talk;

before(async () => {
    server = await startServer();
    admin = await makeAdmin(server);
    ann = await register(server, { username: 'ann' });
    talk = await makeConversation(ann, [admin], { title: 'Budget' });
    const spoken = await say(ann, talk, 'first words');
    ok(await ann.patch(`/api/messages/${spoken.id}/`, { message_body: 'second words' }));
});
after(() => server?.stop());

const open = (t, hash, options = {}) =>
    openAdmin(t, chromium, server, hash, { as: admin, isKept: !('as' in options), ...options });
const userOf = async (id) => ok(await admin.get(`/api/admin/users/${id}/`));
const isOut = async (user) =>
    assert.equal((await user.get('/api/users/me/')).status, 401, `${user.username} is signed out`);

describe('one user', () => {
    test('who is oneself gives the old password for a new one', async (t) => {
        const other = await makeAdmin(server);
        const page = await open(t, `#/users/${other.id}`, { as: other });
        t.after(() => admin.delete(`/api/users/${other.id}/`)); // another test needs the last one
        await button(page, 'Change password').click();
        await dialog(page).getByLabel('Old password').fill('wrong');
        await dialog(page).getByLabel('New password').fill('another-Passw0rd');
        page.allow.push(refused(400));
        await button(dialog(page), 'Change password').click();
        await dialog(page).getByText('entered incorrectly').waitFor();
        await dialog(page).getByLabel('Old password').fill(PASSWORD);
        await button(dialog(page), 'Change password').click();
        await dialog(page).waitFor({ state: 'detached' });
        await login(server, other.username, 'another-Passw0rd');
    });

    for (const size of SIZES) {
        test(`made, changed, signed out, given a password, erased: ${size}`, async (t) => {
            const page = await open(t, '#/users', { size });
            const username = unique('made');
            await button(page, 'New user').click();
            await dialog(page).getByLabel('E-mail').fill(`${username}@example.com`);
            await dialog(page).getByLabel('Password').fill(PASSWORD);
            await dialog(page).getByLabel('Role').selectOption('host');
            await button(dialog(page), 'Create').click();
            await heading(page, username).waitFor();
            const made = await login(server, username);

            await page.getByLabel('First name').fill('Grace');
            await page.getByLabel('Metadata').fill('{"team": 7}');
            await button(page, 'Save').click();
            await page.getByText('Saved.').waitFor();
            assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Save');
            const { first_name: name, metadata, role } = await userOf(made.id);
            assert.deepEqual([name, metadata, role], ['Grace', { team: 7 }, 'host']);

            await button(page, 'Refresh').click();
            await button(rows(page), 'End').click();
            await button(dialog(page), 'End session').click();
            await page.getByText('Signed in nowhere').waitFor();
            await isOut(made);

            await button(page, 'Reset password').click();
            await dialog(page).getByLabel('New password').fill('another-Passw0rd');
            await button(dialog(page), 'Set password').click();
            await dialog(page).waitFor({ state: 'detached' });
            const again = await login(server, username, 'another-Passw0rd');

            await button(page, 'End all sessions').click();
            await button(dialog(page), 'End all').click();
            await dialog(page).waitFor({ state: 'detached' });
            await isOut(again);

            await button(page, 'Erase').click();
            assert.ok(await button(dialog(page), 'Erase').isDisabled());
            await typeWord(username)(dialog(page));
            await button(dialog(page), 'Erase').click();
            await heading(page, 'Users').waitFor();
            assert.equal((await admin.get(`/api/admin/users/${made.id}/`)).status, 404);
        });
    }

    test('what is wrong with a new user stands beside its field', async (t) => {
        const page = await open(t, '#/users', { allow: [refused(400)] });
        await button(page, 'New user').click();
        const [email, password] = ['E-mail', 'Password'].map((name) =>
            dialog(page).getByLabel(name),
        );
        await email.fill('ann@example.com');
        await password.fill('123');
        await button(dialog(page), 'Create').click();
        await dialog(page).getByText('already exists').waitFor();
        assert.equal(await email.getAttribute('aria-invalid'), 'true');
        assert.equal(await password.getAttribute('aria-invalid'), 'true');
    });

    test('metadata that is no JSON is not sent', async (t) => {
        const page = await open(t, `#/users/${ann.id}`);
        await page.getByLabel('Metadata').fill('{"team"');
        await button(page, 'Save').click();
        await page.getByText('This is no JSON').waitFor();
        assert.deepEqual((await userOf(ann.id)).metadata, {});
    });

    test('the last admin stays, and the page says why', async (t) => {
        const page = await open(t, `#/users/${admin.id}`, { allow: [refused(409)] });
        await page.getByLabel('Role').selectOption('guest');
        await button(page, 'Save').click();
        await page.getByRole('alert').getByText('The last active admin').waitFor();
        assert.equal((await userOf(admin.id)).role, 'admin');
    });

    test('somebody who is not there', async (t) => {
        const page = await open(t, `#/users/${talk.id}`, { allow: [refused(404)] });
        await page.getByText('There is no such user').waitFor();
    });
});

describe('many users at once', () => {
    for (const size of SIZES) {
        test(size, async (t) => {
            const prefix = unique('flock');
            const flock = [];
            for (let n = 0; n < 3; n++) {
                flock.push(await register(server, { username: `${prefix}-${n}` }));
            }
            const page = await open(t, `#/users?username=${prefix}`, { size });
            const states = (field) =>
                Promise.all(flock.map(async ({ id }) => (await userOf(id))[field]));

            await select(page, `${prefix}-0`, `${prefix}-1`);
            await page.getByText('2 selected').waitFor();
            assert.deepEqual(await bulk(page, 'Deactivate'), ['done', 'done']);
            assert.deepEqual(await states('is_active'), [false, false, true]);

            await selectAll(page);
            assert.deepEqual(await bulk(page, 'Activate'), ['done', 'done', 'unchanged']);
            assert.deepEqual(await states('is_active'), [true, true, true]);

            await select(page, `${prefix}-2`);
            const host = (box) => box.getByLabel('Role').selectOption('host');
            assert.deepEqual(await bulk(page, 'Set role', host), ['done']);
            assert.deepEqual(await states('role'), ['guest', 'guest', 'host']);

            await select(page, `${prefix}-2`);
            assert.deepEqual(await bulk(page, 'End sessions'), ['done']);
            await isOut(flock[2]);

            await selectAll(page);
            assert.deepEqual(await bulk(page, 'Erase', typeWord('erase')), Array(3).fill('done'));
            await page.getByText('No users found').waitFor();
            assert.equal((await admin.get(`/api/admin/users/${flock[0].id}/`)).status, 404);
        });
    }

    test('what became of it is shown though one did not wait for it', async (t) => {
        const user = await register(server, { username: unique('slow') });
        const page = await open(t, `#/users?username=${user.username}`);
        await select(page, user.username);
        const held = hold(page, '**/users/bulk/');
        await button(page, 'Deactivate').click();
        await dialog(page).locator('footer button[type=submit]').click();
        const route = await held;
        await page.keyboard.press('Escape');
        await dialog(page).waitFor({ state: 'detached' });
        await route.continue();
        await dialog(page).getByText('1 of 1 user done').waitFor();
        await button(dialog(page).locator('footer'), 'Close').click();
        await untilRows(page, 1);
        await settled(page);
        assert.equal(await page.getByRole('checkbox', { checked: true }).count(), 0);
    });

    test('the admin himself is skipped, and it is said', async (t) => {
        const page = await open(t, '#/users?role=admin');
        await select(page, admin.username);
        await button(page, 'Deactivate').click();
        await dialog(page).locator('footer button[type=submit]').click();
        await dialog(page).getByText('This is you').waitFor();
        await dialog(page).getByText('skipped').waitFor();
        assert.equal((await userOf(admin.id)).is_active, true);
    });
});

describe('conversations', () => {
    for (const size of SIZES) {
        test(`one: ${size}`, async (t) => {
            const mine = await makeConversation(ann, [admin], { title: unique('Plan') });
            await sayMany(ann, mine, 25, 'word');
            const page = await open(t, `#/conversations?search=${mine.title}`, { size });
            await page.getByRole('link', { name: mine.title }).click();
            await heading(page, mine.title).waitFor();
            const part = (name) =>
                page.locator('section', { has: page.getByRole('heading', { name, exact: true }) });
            await part('Messages').getByText('word 25', { exact: true }).waitFor();
            await button(part('Messages'), 'Next').click();
            await part('Messages').getByText('word 1', { exact: true }).waitFor();

            await button(page, 'Rename').click();
            await dialog(page).getByLabel('Title').fill('Renamed');
            await button(dialog(page), 'Save').click();
            await heading(page, 'Renamed').waitFor();
            await button(page.locator('.page-head'), 'Close').click();
            await button(dialog(page).locator('footer'), 'Close').click();
            await button(page.locator('.page-head'), 'Reopen').waitFor();
            await dialog(page).waitFor({ state: 'detached' });
            assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Reopen');
            assert.equal(ok(await ann.get(`/api/conversations/${mine.id}/`)).closed, true);

            await button(row(part('Participants'), admin.username), 'Remove').click();
            await button(dialog(page), 'Remove').click();
            await page.getByText('1 participant', { exact: true }).waitFor();
            const count = page.getByLabel('About').locator('dt:text-is("Participants") + dd');
            await count.getByText('1', { exact: true }).waitFor();

            await button(page.locator('.page-head'), 'Delete').click();
            await typeWord('delete')(dialog(page));
            await button(dialog(page), 'Delete').click();
            await heading(page, 'Conversations').waitFor();
            assert.equal((await ann.get(`/api/conversations/${mine.id}/`)).status, 404);
        });

        test(`many at once: ${size}`, async (t) => {
            const title = unique('Bulk');
            for (let n = 0; n < 2; n++) await makeConversation(ann, [], { title: `${title} ${n}` });
            const page = await open(t, `#/conversations?search=${title}`, { size });
            const all = async (action, fill) => {
                await selectAll(page);
                return bulk(page, action, fill);
            };
            assert.deepEqual(await all('Close'), ['done', 'done']);
            assert.deepEqual(await all('Close'), ['unchanged', 'unchanged']);
            assert.deepEqual(await all('Reopen'), ['done', 'done']);
            assert.deepEqual(await all('Delete', typeWord('delete')), ['done', 'done']);
            await page.getByText('No conversations found').waitFor();
        });
    }
});

describe('messages', () => {
    for (const size of SIZES) {
        test(`deleted: ${size}`, async (t) => {
            const text = unique('needle');
            const said = await say(ann, talk, text);
            const page = await open(t, `#/messages?search=${text}`, { size });
            await select(page, text);
            assert.deepEqual(await bulk(page, 'Delete'), ['done']);
            await page.getByText('No messages found').waitFor();
            assert.equal((await ann.get(`/api/messages/${said.id}/`)).status, 404);
        });
    }

    test('one with its history', async (t) => {
        const page = await open(t, '#/messages?search=second');
        await button(rows(page), 'Show').click();
        await dialog(page).getByText('second words').waitFor();
        await dialog(page).getByText('first words').waitFor();
    });
});

describe('sessions, notifications, the system', () => {
    test('sessions end, one and many', async (t) => {
        const user = await register(server, { username: unique('device') });
        const second = await login(server, user.username);
        const third = await login(server, user.username);
        const page = await open(t, `#/sessions?user=${user.username}`);
        await untilRows(page, 3);
        await button(rows(page).first(), 'End').click();
        await button(dialog(page), 'End session').click();
        await untilRows(page, 2);
        await isOut(third);
        await selectAll(page);
        assert.deepEqual(await bulk(page, 'End sessions'), ['done', 'done']);
        await page.getByText('No sessions found').waitFor();
        for (const one of [user, second]) await isOut(one);
    });

    test('whose notifications', async (t) => {
        const reader = await register(server, { username: unique('reader') });
        await say(ann, await makeConversation(ann, [reader]), 'not read yet');
        const page = await open(t, '#/notifications');
        const whose = page.getByLabel('User');
        await whose.fill(reader.username);
        await whose.press('Enter');
        await page.getByText('not read yet').waitFor();
        await page.getByText('1 unread in 1 conversation.').waitFor();
        await whose.fill('ann');
        await whose.press('Enter');
        await page.getByText('All read').waitFor();
    });

    test('background work that failed is tried again', async (t) => {
        const id = '01900000-0000-7000-8000-00000000000a';
        const time = '2026-01-02T03:04:05Z';
        const job = { id, kind: 'user', state: 'failed', requested_at: time, done: 7 };
        const failed = { ...job, error: 'busy', failed_at: time };
        const one = { count: 1, next: null, previous: null, page_size: 20, results: [failed] };
        const retried = [];
        const page = await open(t, '#/jobs');
        await page.getByText('Nothing to do').waitFor();
        await page.route(/\/api\/admin\/jobs\/(\?|$)/, (route) =>
            route.fulfill({ json: { ...one, current_page: 1, total_pages: 1 } }),
        );
        await page.route('**/retry/', (route) => {
            retried.push(new URL(route.request().url()).pathname);
            return route.fulfill({
                json: { ...job, state: 'running', error: null, failed_at: null },
            });
        });
        await button(page, 'Refresh').click();
        await button(rows(page), 'Retry').click();
        await page.getByText('It is tried again next.').waitFor();
        await select(page, id);
        assert.deepEqual(await bulk(page, 'Retry'), ['done']);
        assert.deepEqual(retried, Array(2).fill(`/api/admin/jobs/${id}/retry/`));
    });

    test('settings are found, secrets are not shown', async (t) => {
        const page = await open(t, '#/settings?search=secret_key');
        await row(page, 'SECRET_KEY').getByText('(set)').first().waitFor();
        assert.doesNotMatch(await page.content(), /the secret key of the black-box tests/);
        await page.getByRole('searchbox', { name: 'Search' }).fill('PASSWORD_ITERATIONS');
        await row(page, 'PASSWORD_ITERATIONS').getByText('1000', { exact: true }).waitFor();
    });

    test('checks lead to their setting', async (t) => {
        const page = await open(t, '#/checks');
        const { results } = ok(await admin.get('/api/admin/checks/'));
        await page.getByText(results[0].text).waitFor();
        await page.getByRole('link', { name: results[0].setting }).first().click();
        await row(page, results[0].setting).first().waitFor();
    });

    test('what admins did is in the log', async (t) => {
        const said = await say(ann, talk, 'to be deleted');
        ok(await admin.delete(`/api/messages/${said.id}/`), 204);
        const page = await open(t, '#/audit?action=message.delete');
        await settled(page);
        await rows(page).first().getByText('Deleted a message').waitFor();
    });
});
