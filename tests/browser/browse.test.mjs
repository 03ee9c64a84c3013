// The browsable API as people use it: by clicking, by keyboard, on a telephone.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import {
    assertAccessible, assertNoSideways, openPage, refused, SIZES, useBrowser,
} from '../lib/browser.mjs';
import { makeConversation, PASSWORD, register, say, sayMany, unique } from '../lib/client.mjs';
import { ok } from '../lib/expect.mjs';
import { startServer } from '../lib/server.mjs';

const it = useBrowser();
let server;
let ann;
let ben;
let talk; // of ann and ben, with 25 messages
before(async () => {
    server = await startServer();
    ann = await register(server, { username: 'ann', first_name: 'Ann' });
    ben = await register(server, { username: 'ben' });
    talk = await makeConversation(ann, [ben], { title: 'Keys to the flat' });
    await sayMany(ben, talk, 25);
});
after(() => server?.stop());

const USERS = '/api/users/';
const ME = '/api/users/me/';
const CONVERSATIONS = '/api/conversations/';
const messagesOf = (conversation) => `${CONVERSATIONS}${conversation.id}/messages/`;

const open = (t, path, options = {}) =>
    openPage(t, it, server, path, { as: ann, isKept: !('as' in options), ...options });

// The page as it is when its script is done with the answer.
const ready = (page) => page.locator('#exchange .json').first().waitFor();
const rows = (page) => page.locator('#exchange').getByRole('button', { name: /^results: |^results$/ });
const heading = (page, name) => page.getByRole('heading', { level: 1, name }).waitFor();
const linkTo = (page, path) => page.locator(`#exchange a[href$="${path}"]`).first();
const operation = (page, method) => page.locator(`#do-${method.toLowerCase()}`);
const status = (place) => place.locator('.exchange .status');

async function openOperation(page, method) {
    await page.locator('#tools').getByRole('button', { name: method, exact: true }).click();
    await operation(page, method).getByRole('button', { name: method, exact: true }).waitFor();
    return operation(page, method);
}

async function answered(form, text) {
    await status(form).filter({ hasText: text }).waitFor();
}

describe('browsing', () => {
    for (const size of Object.keys(SIZES)) {
        test(`from the sign-in form to a conversation's messages by clicking: ${size}`, async (t) => {
            const page = await open(t, '/api/', { as: null, size });
            await ready(page);
            await page.getByRole('link', { name: 'Sign in' }).first().click();
            await page.getByLabel('Username or e-mail').fill('ann');
            await page.getByLabel('Password').fill(PASSWORD);
            await page.getByRole('button', { name: 'Sign in' }).click();
            await linkTo(page, USERS).click();
            await heading(page, 'User List');
            await linkTo(page, `${USERS}${ben.id}/`).click();
            await heading(page, 'User Instance');
            await assertNoSideways(page);
            const crumbs = page.getByRole('navigation', { name: 'Breadcrumbs' });
            await crumbs.getByRole('link', { name: 'API' }).click();
            await linkTo(page, CONVERSATIONS).click();
            await linkTo(page, `${CONVERSATIONS}${talk.id}/`).click();
            await page.getByRole('navigation', { name: 'Below this' }).getByRole('link', { name: 'messages' }).click();
            await page.getByText('"message 1"').waitFor();
            await assertAccessible(page);
            await assertNoSideways(page);
            await page.getByRole('link', { name: 'Sign out' }).click();
            page.allow.push(refused(401));
            await page.getByRole('button', { name: 'Sign out' }).click();
            await page.waitForURL(`**${messagesOf(talk)}`);
            await page.getByText('only to those who are signed in').waitFor();
        });
    }

    test('an alias of the API keeps its prefix', async (t) => {
        const page = await open(t, '/api/v1/users/');
        await linkTo(page, `/api/v1/users/${ben.id}/`).click();
        await page.getByRole('navigation', { name: 'Breadcrumbs' }).getByRole('link', { name: 'users' }).click();
        await page.waitForURL('**/api/v1/users/');
    });

    test('without scripts the answer is there, and the way to sign in', async (t) => {
        const context = await it.browser.newContext({ baseURL: server.url, javaScriptEnabled: false });
        t.after(() => context.close());
        const page = await context.newPage();
        await page.goto(ME);
        assert.match(await page.locator('#body').textContent(), /"detail": "Authentication credentials/);
        await page.locator('main').getByRole('link', { name: 'Sign in' }).click();
        await page.getByLabel('Username or e-mail').fill('ann');
        await page.getByLabel('Password').fill(PASSWORD);
        await page.getByRole('button', { name: 'Sign in' }).click();
        await page.waitForURL(`**${ME}`);
        assert.match(await page.locator('#body').textContent(), /"username": "ann"/);
    });

    test('a wrong password is said, and the name kept', async (t) => {
        const page = await open(t, '/api-auth/login/?next=/api/users/', { as: null });
        await page.getByLabel('Username or e-mail').fill('ann');
        await page.getByLabel('Password').fill('wrong');
        await page.getByRole('button', { name: 'Sign in' }).click();
        await page.getByRole('alert').filter({ hasText: 'Please enter a correct' }).waitFor();
        assert.equal(await page.getByLabel('Username or e-mail').inputValue(), 'ann');
        await assertAccessible(page);
        await page.getByLabel('Password').fill(PASSWORD);
        await page.keyboard.press('Enter');
        await page.waitForURL('**/api/users/');
    });
});

describe('an answer', () => {
    test('folds, by mouse and by keyboard', async (t) => {
        const page = await open(t, `${CONVERSATIONS}${talk.id}/`);
        const people = page.getByRole('button', { name: 'participants: 2 items' });
        await people.click();
        await page.locator('.folded:visible').filter({ hasText: '2 items' }).waitFor();
        assert.equal(await people.getAttribute('aria-expanded'), 'false');
        await people.focus();
        await page.keyboard.press('ArrowRight');
        assert.equal(await people.getAttribute('aria-expanded'), 'true');
        await page.keyboard.press('ArrowDown');
        const focused = page.locator('.toggle:focus');
        assert.match(await focused.getAttribute('aria-label'), /^participants: \d+ fields$/);
        await page.getByRole('button', { name: 'Fold', exact: true }).click();
        assert.equal(await people.getAttribute('aria-expanded'), 'false');
    });

    test('is copied as it was sent', async (t) => {
        const page = await open(t, ME);
        await ready(page);
        await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
        await page.locator('#exchange').getByRole('button', { name: 'Copy' }).click();
        await page.getByRole('status').filter({ hasText: 'Copied' }).waitFor();
        const copied = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
        assert.equal(copied.id, ann.id);
    });

    test('tells its headers', async (t) => {
        const page = await open(t, USERS);
        await page.getByText(/^\d+ headers$/).click();
        await page.getByText('GET, POST, HEAD, OPTIONS').waitFor();
    });

    test('of a megabyte is laid out too, long texts short until they are asked for', async (t) => {
        const loud = await makeConversation(ann, [], { title: 'Long' });
        await Promise.all(Array.from({ length: 100 }, () => say(ann, loud, 'x'.repeat(10_000))));
        const page = await open(t, `${messagesOf(loud)}?page_size=100`);
        await page.getByRole('button', { name: 'results: 100 items' }).waitFor();
        await assertNoSideways(page);
        const more = page.getByRole('button', { name: '9,600 more characters' });
        assert.equal(await more.count(), 100);
        await more.first().click();
        await page.getByText('x'.repeat(10_000)).first().waitFor();
        await assertNoSideways(page);
    });

    test('comes in other formats', async (t) => {
        const page = await open(t, ME);
        await page.locator('.menu > summary').click();
        await page.getByRole('link', { name: 'As json' }).click();
        await page.waitForURL(`**${ME}?format=json`);
        assert.equal(JSON.parse(await page.locator('body').textContent()).username, 'ann');
    });

    test('to OPTIONS stands in its place', async (t) => {
        const page = await open(t, USERS);
        await page.getByRole('button', { name: 'OPTIONS' }).click();
        await page.locator('#exchange .request').filter({ hasText: 'OPTIONS' }).waitFor();
        await page.locator('#exchange').getByText('"multipart/form-data"').waitFor();
    });
});

describe('a list', () => {
    test('is filtered, and says by what', async (t) => {
        const page = await open(t, USERS);
        const form = page.locator('.filters');
        await form.getByText('Filters', { exact: true }).click();
        await form.getByLabel('username').fill('be');
        await form.getByRole('button', { name: 'Filter' }).click();
        await page.waitForURL('**/api/users/?username=be');
        await page.getByText('Page 1 of 1 · 1 in all').waitFor();
        assert.equal(await form.getByLabel('username').inputValue(), 'be');
        await form.getByLabel('role').selectOption('admin');
        await form.getByLabel('username').press('Enter');
        await page.waitForURL('**/api/users/?username=be&role=admin');
        await page.getByText('0 in all').waitFor();
        await page.getByRole('link', { name: 'Clear' }).click();
        await page.waitForURL('**/api/users/');
    });

    test('takes times by the clock of the reader, and keeps those that the address has', async (t) => {
        const path = `/api/messages/?q=message&sent_after=2025-07-27&sent_before=2050-01-01T00:00:00.123456Z`;
        const page = await open(t, path);
        assert.equal(await page.getByLabel('sent_after').inputValue(), '2025-07-27');
        assert.equal(await page.getByLabel('sent_before').getAttribute('type'), 'datetime-local');
        assert.equal(await page.getByLabel('search').inputValue(), 'message'); // q is another name of it
        await page.getByLabel('search').fill('message 7');
        await page.getByRole('button', { name: 'Filter' }).click();
        await page.waitForURL('**/api/messages/?sent_after=2025-07-27&sent_before=2050*123456Z&search=message+7');
        await page.getByText('"message 7"').waitFor();
    });

    test('leads through its pages, by number and by cursor', async (t) => {
        const page = await open(t, `${messagesOf(talk)}?page_size=10`);
        const nav = page.getByRole('navigation', { name: 'Pages' });
        const go = async (name, said) => {
            await nav.getByRole('link', { name }).click();
            await nav.getByText(said).waitFor();
        };
        await nav.getByText('Page 1 of 3 · 25 in all').waitFor();
        assert.equal(await nav.getByRole('link', { name: 'Previous' }).count(), 0);
        await go('Next', 'Page 2 of 3');
        await go('Last', 'Page 3 of 3');
        await page.getByText('"message 25"').waitFor();
        await go('First', 'Page 1 of 3');
        await nav.getByLabel('Rows').selectOption('20');
        await nav.getByText('Page 1 of 2').waitFor();
        await page.goto(`${messagesOf(talk)}?page_size=10&cursor=`);
        await nav.getByText('By cursor').waitFor();
        await go('Next', 'By cursor');
        await page.getByText('"message 11"').waitFor();
        await go('Previous', 'By cursor');
        await page.getByText('"message 1"').waitFor();
    });

    test('has an order', async (t) => {
        const page = await open(t, USERS);
        await page.getByLabel('Order').selectOption('username, descending');
        await page.waitForURL('**/api/users/?ordering=-username');
        await ready(page);
        assert.equal(await page.getByLabel('Order').inputValue(), '-username');
    });
});

describe('a form', () => {
    test('makes a conversation, and leads to it', async (t) => {
        const page = await open(t, CONVERSATIONS);
        const form = await openOperation(page, 'POST');
        await form.getByLabel('title').fill('Made by form');
        await form.getByLabel('participants').fill(`ben\n\n`);
        await form.getByLabel('metadata').fill('{"booking": 4711}');
        await form.getByRole('button', { name: 'POST' }).click();
        await answered(form, 'HTTP 201');
        await assertAccessible(page);
        await form.getByRole('link', { name: 'Open what was made' }).click();
        await heading(page, 'Conversation Instance');
        const { results } = ok(await ben.get(CONVERSATIONS, { search: 'Made' }));
        assert.equal(results[0].title, 'Made by form');
        assert.deepEqual(results[0].metadata, { booking: 4711 });
        assert.equal(results[0].participant_count, 2);
    });

    test('says at each field what is wrong with it', async (t) => {
        const page = await open(t, '/api/users/register/', { as: null, allow: [refused(405), refused(400)] });
        const form = operation(page, 'POST');
        const email = form.getByRole('textbox', { name: 'email (required)' });
        await email.fill('nonsense');
        await form.getByLabel('password (required)').fill('1234');
        await form.getByRole('button', { name: 'POST' }).click();
        await answered(form, 'HTTP 400');
        await form.locator('.field.text').filter({ hasText: 'Enter a valid email address.' }).waitFor();
        await form.locator('.field.secret').filter({ hasText: 'too short' }).waitFor();
        const wrong = form.locator('[aria-invalid="true"]');
        assert.equal(await wrong.count(), 2);
        assert.equal(await page.evaluate(() => document.activeElement.name), 'email');
        await assertAccessible(page);
        const username = unique('new');
        await email.fill(`${username}@example.com`);
        await form.getByLabel('password (required)').fill(PASSWORD);
        await form.getByRole('button', { name: 'POST' }).click();
        await answered(form, 'HTTP 201');
        assert.equal(await wrong.count(), 0);
    });

    test('does not send what is no JSON by a field, and sends anything as raw JSON', async (t) => {
        const page = await open(t, CONVERSATIONS, { allow: [refused(400)] });
        const form = await openOperation(page, 'POST');
        await form.getByLabel('metadata').fill('{nonsense');
        await form.getByRole('button', { name: 'POST' }).click();
        await form.getByText('This is no JSON').waitFor();
        assert.equal(await form.locator('.exchange').count(), 0);
        await form.getByLabel('metadata').fill('');
        await form.getByLabel('title').fill('From the fields');
        await form.getByRole('tab', { name: 'Raw JSON' }).click();
        const raw = form.getByLabel('Body, as application/json');
        assert.deepEqual(JSON.parse(await raw.inputValue()), { title: 'From the fields' });
        await raw.fill('{"title": ');
        await form.getByRole('button', { name: 'POST' }).click();
        await answered(form, 'HTTP 400');
        await form.getByRole('alert').filter({ hasText: 'JSON parse error' }).waitFor();
        await raw.fill(JSON.stringify({ title: 'Raw', participants: ['nobody at all'] }));
        await form.getByRole('button', { name: 'POST' }).click();
        await form.getByRole('alert').filter({ hasText: /participants: / }).waitFor();
        await raw.fill('{"title": "Raw \\u263a"}');
        await form.getByRole('button', { name: 'POST' }).click();
        await answered(form, 'HTTP 201');
        assert.equal(ok(await ann.get(CONVERSATIONS)).results[0].title, 'Raw ☺');
    });

    test('to change something has in it what is there, and sends what was changed', async (t) => {
        const user = await register(server, { first_name: 'Eve', last_name: 'Old' });
        const page = await open(t, ME, { as: user });
        const form = await openOperation(page, 'PATCH');
        assert.equal(await form.getByLabel('first_name').inputValue(), 'Eve');
        await form.getByLabel('last_name').fill('');
        ok(await user.patch(ME, { first_name: 'Meanwhile' }));
        await form.getByRole('button', { name: 'PATCH' }).click();
        await answered(form, 'HTTP 200');
        const now = ok(await user.get(ME));
        assert.equal(now.last_name, '');
        assert.equal(now.first_name, 'Meanwhile');
        await form.getByRole('link', { name: 'Load it as it is now' }).click();
        await ready(page);
        const put = await openOperation(page, 'PUT');
        assert.equal(await put.getByLabel('username').inputValue(), user.username);
        await put.getByLabel('last_name').fill('New');
        await put.getByRole('button', { name: 'PUT' }).click();
        await answered(put, 'HTTP 200');
        assert.equal(ok(await user.get(ME)).last_name, 'New');
    });

    test('leaves the participants of a conversation alone unless they are changed', async (t) => {
        const own = await makeConversation(ann, [ben], { title: 'Before' });
        const page = await open(t, `${CONVERSATIONS}${own.id}/`);
        const form = await openOperation(page, 'PUT');
        assert.match(await form.getByLabel('participants').inputValue(), new RegExp(ben.id));
        await form.getByLabel('title').fill('After');
        await form.getByRole('button', { name: 'PUT' }).click();
        await answered(form, 'HTTP 200');
        const now = ok(await ben.get(`${CONVERSATIONS}${own.id}/`));
        assert.equal(now.title, 'After');
    });

    test('asks before it deletes', async (t) => {
        const own = await makeConversation(ann, [], { title: 'To go' });
        const path = `${CONVERSATIONS}${own.id}/`;
        const page = await open(t, path);
        const button = page.locator('#tools').getByRole('button', { name: 'DELETE' });
        await button.click();
        const dialog = page.getByRole('dialog', { name: 'Delete this?' });
        await dialog.getByText(path).waitFor();
        await assertAccessible(page);
        await page.keyboard.press('Escape');
        await dialog.waitFor({ state: 'hidden' });
        ok(await ann.get(path));
        await button.click();
        await dialog.getByRole('button', { name: 'Delete' }).click();
        await page.locator('#exchange .status').filter({ hasText: 'HTTP 204' }).waitFor();
        assert.equal((await ann.get(path)).status, 404);
        await page.getByRole('link', { name: 'Back to conversations' }).click();
        await heading(page, 'Conversation List');
    });

    test('is there where nothing can be read', async (t) => {
        const own = await makeConversation(ann, [], {});
        const page = await open(t, `${CONVERSATIONS}${own.id}/close/`, { allow: [refused(405)] });
        await page.getByText('what can be done instead is below').waitFor();
        const form = operation(page, 'POST');
        await form.getByRole('button', { name: 'POST' }).click();
        await answered(form, 'HTTP 200');
        assert.equal(ok(await ann.get(`${CONVERSATIONS}${own.id}/`)).closed, true);
    });
});

describe('what went wrong', () => {
    const cases = {
        401: { path: ME, as: null, said: /only to those who are signed in/ },
        404: { path: '/api/nope/', said: /There is nothing at this address/ },
        405: { path: '/api/token/', said: /what can be done instead/ },
    };
    for (const [code, { path, said, as }] of Object.entries(cases)) {
        test(`${code} is said in words`, async (t) => {
            const page = await open(t, path, { allow: [refused(code)], ...(as === null && { as }) });
            await page.getByText(said).waitFor();
            await ready(page);
            if (as !== null) await page.getByRole('link', { name: 'Sign out' }).waitFor();
            await assertAccessible(page);
            await assertNoSideways(page);
        });
    }

    test('403: of messages that are not for the reader', async (t) => {
        const stranger = await register(server);
        const page = await open(t, messagesOf(talk), { as: stranger, allow: [refused(403)] });
        await page.getByText('You are not allowed to see this').waitFor();
        await ready(page);
    });

    test('429: the page says so, although nothing else can be loaded', async (t) => {
        const slow = await startServer({ env: { THROTTLE_ANON: '1/hour' } });
        t.after(() => slow.stop());
        const page = await openPage(t, it, slow, '/api/schema/', { allow: [refused(429)] });
        await page.goto('/api/schema/');
        await page.getByText('That was too often').waitFor();
        await ready(page);
    });
});

describe('hostile content', () => {
    const HOSTILE = {
        script: '</pre><script>document.title = "pwned"</script><img src=x onerror=alert(1)>',
        long: 'w'.repeat(10_000),
        marks: 'o' + '\u0301\u0323\u0489'.repeat(2_000),
        rtl: 'مرحبا \u202Eevil\u202C שלום',
        template: '{{user}} ${1} &lt;b&gt; \u2028 \\"',
        emoji: '👩‍👩‍👧‍👦'.repeat(50),
    };
    for (const size of Object.keys(SIZES)) {
        test(`is text and stays in its place: ${size}`, async (t) => {
            const metadata = { home: 'javascript:alert(1)', other: 'https://evil.example/', '<b>': `${server.url}/api/users/` };
            const own = await makeConversation(ann, [], { title: HOSTILE.script, metadata });
            for (const text of Object.values(HOSTILE)) await say(ann, own, text);
            for (const path of [messagesOf(own), `${CONVERSATIONS}${own.id}/`]) {
                const page = await open(t, path, { size, dark: true });
                await ready(page);
                await page.getByText('</pre><script>').first().waitFor();
                await page.getByText('שלום').first().waitFor();
                assert.notEqual(await page.title(), 'pwned');
                await assertNoSideways(page);
                const hrefs = await page.locator('#exchange a').evaluateAll((all) => all.map((a) => a.href));
                assert.ok(hrefs.length > 0);
                assert.deepEqual(hrefs.filter((href) => !href.startsWith(`${server.url}/api/`)), []);
                await assertAccessible(page);
            }
        });
    }
});
