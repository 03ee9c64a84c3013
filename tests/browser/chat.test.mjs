// The chat page: two people talking, what breaks in between, and what strangers write.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import {
    CUT,
    WAIT_MS,
    assertAccessible,
    assertNoSideways,
    hold,
    openIn,
    openPage,
    refused,
    signIn,
    useBrowser,
} from '../lib/browser.mjs';
import { PASSWORD, makeConversation, register, say, unique } from '../lib/client.mjs';
import { NO_UUID, ok } from '../lib/expect.mjs';
import { startServer } from '../lib/server.mjs';

const chromium = useBrowser();
let server;
before(async () => {
    server = await startServer();
});
after(() => server?.stop());

// ---- what people do ----------------------------------------------------------------------------

const button = (page, name) => page.getByRole('button', { name, exact: true });
const field = (page, name) => page.getByLabel(name, { exact: true });
const messages = (page) => page.getByRole('log', { name: 'Messages' });
const bubble = (page, text) => messages(page).locator('.message', { hasText: text });
const composer = (page) => page.getByLabel('Message', { exact: true });
const row = (page, text) =>
    page.getByRole('navigation', { name: 'Conversations' }).locator('li', { hasText: text });
const account = (page, { username }) => page.locator('summary', { hasText: username });
/** The mark of a message's state. A name is met whole: 'Sent' is within 'Not sent yet'. */
const tick = (page, text, state) =>
    bubble(page, text).getByRole('img', { name: state, exact: true });

async function signUp(page, name) {
    await field(page, 'Username').fill(name);
    await field(page, 'E-mail').fill(`${name}@example.com`);
    await field(page, 'Password').fill(PASSWORD);
    await page.getByRole('tabpanel').getByRole('button', { name: 'Create account' }).click();
    await field(page, 'Search conversations and people').waitFor();
}

async function write(page, text) {
    await composer(page).fill(text);
    await composer(page).press('Enter');
}

// The user's page with the conversation open and up to date.
async function openTalk(t, user, { id }, options = {}) {
    const page = await openPage(t, chromium, user.server, `/#/c/${id}`, { as: user, ...options });
    await composer(page).waitFor();
    return page;
}

async function makeTalk(fields = { direct: true }) {
    const ann = await register(server, { username: unique('ann') });
    const bob = await register(server, { username: unique('bob') });
    return { ann, bob, talk: await makeConversation(ann, [bob], fields) };
}

async function bodiesOf(user, { id }) {
    const { results } = ok(
        await user.get(`/api/conversations/${id}/messages/`, { page_size: 100 }),
    );
    return results.map(({ message_body: body }) => body);
}

// The page has the answer to what was sent: it stands there once.
const acked = (page, text) => tick(page, text, 'Not sent yet').waitFor({ state: 'detached' });

// The server is back, and the pages do not wait until it is their time to try again.
async function startAgain(own, ...pages) {
    await own.start();
    for (const page of pages) await page.evaluate(() => dispatchEvent(new Event('online')));
}

// Chromium's words, and the server's while it stops: that is before the pages are closed.
const AWAY = [CUT, refused(503)];

// Asked again in the page until it is true.
const until = (page, ask, argument) => page.waitForFunction(ask, argument, { timeout: WAIT_MS });

// ---- the first minute --------------------------------------------------------------------------

test('two strangers sign up, find each other and talk', async (t) => {
    const [ann, bob] = [unique('ann'), unique('bob')];
    const first = await openPage(t, chromium, server, '/');
    await first.getByRole('heading', { name: 'Messages on a server of your own' }).waitFor();
    await assertAccessible(first, 'first screen');
    await signUp(first, ann);
    await first.getByText('No conversations yet').waitFor();
    await assertAccessible(first, 'nothing there yet');

    const second = await openPage(t, chromium, server, '/', { size: 'phone' });
    await assertAccessible(second, 'first screen of a telephone');
    await assertNoSideways(second);
    await signUp(second, bob);

    await button(first, 'New conversation').first().click();
    await field(first, 'People').fill(bob);
    await first.locator('.picker .person', { hasText: bob }).click();
    await assertAccessible(first, 'new conversation');
    await button(first, 'Begin').click();
    await first.getByRole('heading', { level: 1, name: bob }).waitFor();
    await first.getByText('No messages yet. Write the first one.').waitFor();
    await write(first, 'Hello **you**\nsecond line https://example.com/a_(b).');

    await row(second, ann).getByText('1 unread').waitFor();
    await until(second, () => document.title.startsWith('(1)'));
    await row(second, ann).getByRole('link').tap();
    await bubble(second, 'Hello **you**').waitFor();
    const link = bubble(second, 'Hello').getByRole('link');
    assert.equal(await link.getAttribute('href'), 'https://example.com/a_(b)');
    assert.equal(await link.getAttribute('rel'), 'noopener noreferrer');
    await tick(first, 'Hello', 'Read by all').waitFor();
    await first.getByText('Online', { exact: true }).first().waitFor();

    await composer(second).pressSequentially('Hi');
    await first.getByText(`${bob} is typing…`).first().waitFor();
    await button(second, 'Send').tap();
    await bubble(first, 'Hi').waitFor();
    await until(second, () => !document.title.startsWith('('));
    await assertAccessible(first, 'conversation');
    await assertAccessible(second, 'conversation on a telephone');
    await assertNoSideways(second);

    await second.getByRole('link', { name: 'Back to the list' }).tap();
    await row(second, ann).waitFor();
    assert.equal(new URL(second.url()).hash, '#/');
});

test('wrong names, wrong passwords, and what the server says of a field', async (t) => {
    const ann = await register(server);
    const allow = [refused(401), refused(400)];
    const page = await openPage(t, chromium, server, '/', { allow });
    await page.getByRole('tabpanel').getByRole('button', { name: 'Create account' }).click();
    await page.getByText('Please fill this in.').first().waitFor();
    await field(page, 'Username').fill(ann.username);
    await field(page, 'E-mail').fill(ann.email);
    await field(page, 'Password').fill('short');
    await page.getByRole('tabpanel').getByRole('button', { name: 'Create account' }).click();
    await page.getByText(/email already exists/).waitFor();
    assert.equal(await field(page, 'E-mail').getAttribute('aria-invalid'), 'true');
    await assertAccessible(page, 'problems of fields');

    await page.getByRole('tab', { name: 'Sign in' }).click();
    await field(page, 'Username or e-mail').fill(ann.username);
    await field(page, 'Password').fill('wrong-Passw0rd');
    await field(page, 'Password').press('Enter');
    await page.getByRole('alert').getByText('No account has this name and password.').waitFor();
    await field(page, 'Password').fill(PASSWORD);
    await field(page, 'Password').press('Enter');
    await page.getByText('No conversations yet').waitFor();

    await account(page, ann).click();
    await button(page, 'Sign out').click();
    await page.getByRole('tab', { name: 'Sign in' }).waitFor();
    await page.reload();
    await page.getByRole('tab', { name: 'Sign in' }).waitFor();
});

// ---- messages ----------------------------------------------------------------------------------

test('answers, edits and deletions come live', async (t) => {
    const { ann, bob, talk } = await makeTalk();
    await say(bob, talk, 'Where are the keys?');
    const [mine, his] = await Promise.all([openTalk(t, ann, talk), openTalk(t, bob, talk)]);
    await bubble(mine, 'Where are the keys?').hover();
    await button(bubble(mine, 'Where are the keys?'), 'Reply').click();
    await mine.getByText(`Reply to ${bob.username}`).waitFor();
    await write(mine, 'On the tabel');
    const answer = bubble(his, 'On the tabel');
    await answer.locator('.quote', { hasText: 'Where are the keys?' }).waitFor();

    await tick(mine, 'On the tabel', /^(Sent|Read by all)$/).waitFor();
    await composer(mine).press('ArrowUp');
    await mine.getByText('Editing').waitFor();
    assert.equal(await composer(mine).inputValue(), 'On the tabel');
    await write(mine, 'On the table');
    await bubble(his, 'On the table').getByText('edited').waitFor();

    await bubble(his, 'On the table').locator('button.quote').click();
    await until(his, () => document.activeElement.textContent.includes('Where are the keys?'));

    await bubble(mine, 'On the table').hover();
    await button(bubble(mine, 'On the table'), 'Delete').click();
    await assertAccessible(mine, 'question before deleting');
    await mine.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await bubble(his, 'Message deleted').waitFor();
    assert.equal(await answer.count(), 0);
    assert.deepEqual(await bodiesOf(bob, talk), ['Where are the keys?']);
});

test('what is written without a connection is sent once when it is back', async (t) => {
    const own = await startServer();
    t.after(() => own.stop());
    const ann = await register(own);
    const bob = await register(own);
    const talk = await makeConversation(ann, [bob], { direct: true });
    const allow = AWAY;
    const [mine, his] = await Promise.all([
        openTalk(t, ann, talk, { allow }),
        openTalk(t, bob, talk, { allow }),
    ]);
    await write(mine, 'before');
    await bubble(his, 'before').waitFor();
    await own.kill9();
    await mine.getByText('What you write is sent when it is back.').waitFor();
    await write(mine, 'meanwhile');
    await tick(mine, 'meanwhile', 'Not sent yet').waitFor();
    await assertAccessible(mine, 'without a connection');
    await startAgain(own, his);
    const arrived = bubble(his, 'meanwhile').waitFor();
    await Promise.any([button(mine, 'Try now').click(), arrived]); // it may have tried by itself
    await arrived;
    await tick(mine, 'meanwhile', /^(Sent|Read by all)$/).waitFor();
    await acked(mine, 'meanwhile');
    assert.deepEqual(await bodiesOf(bob, talk), ['before', 'meanwhile']);
    assert.equal(await bubble(mine, 'meanwhile').count(), 1);
});

// The page's socket brings nothing from the first frame of this type on, between stall() and
// release(): as one that is cut in the middle of what was missed. tell(frame) is the server's word
// that it did not say; cut() ends the connection.
function stallAt(type) {
    let isCut = false;
    let last = null;
    const prepare = (page) =>
        page.routeWebSocket(/\/api\/ws\//, (socket) => {
            last = socket;
            const server = socket.connectToServer();
            let isStalled = false;
            server.onMessage((text) => {
                isStalled ||= isCut && JSON.parse(text).type === type;
                if (!isStalled) socket.send(text);
            });
        });
    return {
        prepare,
        stall: () => (isCut = true),
        release: () => (isCut = false),
        tell: (frame) => last.send(JSON.stringify(frame)),
        cut: () => last.close(),
    };
}

// A page whose connection is lost where the first frame of this type would come.
async function openCut(t, type) {
    const own = await startServer();
    t.after(() => own.stop());
    const ann = await register(own);
    const bob = await register(own);
    const talk = await makeConversation(ann, [bob], { direct: true });
    await say(bob, talk, 'first');
    const { prepare, stall, release } = stallAt(type);
    stall();
    const as = { as: ann, allow: AWAY, prepare };
    const page = await openPage(t, chromium, own, `/#/c/${talk.id}`, as);
    await page.getByText('Catching up…').waitFor();
    if (type === 'message') await composer(page).waitFor();
    await own.kill9();
    await page.getByText('What you write is sent when it is back.').waitFor();
    const resume = async () => {
        release();
        await startAgain(own, page);
    };
    return { page, bob, talk, resume };
}

test('one can write though what was there had not come when the connection was lost', async (t) => {
    const { page, bob, talk, resume } = await openCut(t, 'message');
    await write(page, 'second');
    await tick(page, 'second', 'Not sent yet').waitFor();
    await resume();
    await tick(page, 'second', 'Sent').waitFor();
    await acked(page, 'second');
    await bubble(page, 'first').waitFor();
    assert.equal(await bubble(page, 'first').count(), 1);
    assert.equal(await bubble(page, 'second').count(), 1);
    assert.deepEqual(await bodiesOf(bob, talk), ['first', 'second']);
});

test('what has not come is not read, nor is it said that there is nothing', async (t) => {
    const { page, resume } = await openCut(t, 'message');
    assert.equal(await page.getByText('No messages yet.').isVisible(), false);
    await write(page, 'second');
    await tick(page, 'second', 'Not sent yet').waitFor();
    assert.match(await page.title(), /^\(1\)/);
    await resume();
    await bubble(page, 'first').waitFor();
    await until(page, () => !document.title.startsWith('('));
});

test('a conversation that has not come is no place to write', async (t) => {
    const { page, resume } = await openCut(t, 'conversation');
    await composer(page).waitFor({ state: 'hidden' });
    await assertAccessible(page, 'nothing has come');
    await resume();
    await bubble(page, 'first').waitFor();
    await until(page, () => document.activeElement.id === 'text');
});

test('what one writes while all comes again is kept, and has its place', async (t) => {
    const { ann, bob, talk } = await makeTalk();
    await say(bob, talk, 'first');
    const wire = stallAt('conversation');
    const page = await openTalk(t, ann, talk, { prepare: wire.prepare });
    await bubble(page, 'first').waitFor();
    await composer(page).fill('half a sen');
    wire.stall();
    wire.tell({ type: 'reset', reason: 'test' });
    await composer(page).waitFor({ state: 'hidden' });
    wire.release();
    wire.cut();
    await until(page, () => document.activeElement.id === 'text');
    await page.keyboard.type('tence');
    await page.keyboard.press('Enter');
    await tick(page, 'half a sentence', 'Sent').waitFor();
    await bubble(page, 'first').waitFor();
});

test('the panel is there again after all came again', async (t) => {
    const { ann, talk } = await makeTalk({ title: 'Garden' });
    const wire = stallAt('conversation');
    const page = await openTalk(t, ann, talk, { prepare: wire.prepare });
    await button(page, 'People and settings').click();
    await page.getByRole('heading', { name: 'People (2)' }).waitFor();
    wire.stall();
    wire.tell({ type: 'reset', reason: 'test' });
    await composer(page).waitFor({ state: 'hidden' });
    wire.release();
    wire.cut();
    await composer(page).waitFor();
    await page.getByRole('heading', { name: 'People (2)' }).waitFor();
    await button(page, 'People and settings').click();
    await page.getByRole('heading', { name: 'People (2)' }).waitFor({ state: 'hidden' });
});

test('an edit that fails is given back, but not in the place of what is written', async (t) => {
    const { ann, talk } = await makeTalk();
    const said = await say(ann, talk, 'old');
    const page = await openTalk(t, ann, talk, { allow: [refused(409), refused(500)] });
    await bubble(page, 'old').waitFor();
    const editLast = async (text) => {
        await composer(page).press('ArrowUp');
        await page.getByText('Editing').waitFor();
        const held = hold(page, `**/api/messages/${said.id}/`);
        await write(page, text);
        return held;
    };
    const first = await editLast('mine');
    ok(await ann.patch(`/api/messages/${said.id}/`, { message_body: 'from elsewhere' }));
    await bubble(page, 'from elsewhere').waitFor();
    await first.continue();
    await page.getByText('Somebody has changed this message meanwhile.').waitFor();
    await until(page, () => document.activeElement.value === 'mine');
    await composer(page).press('Enter');
    await bubble(page, 'mine').waitFor();

    const second = await editLast('never');
    await composer(page).fill('something else');
    await second.fulfill({ status: 500, json: { detail: 'It went wrong.' } });
    await page.getByText('It went wrong.').waitFor();
    assert.equal(await composer(page).inputValue(), 'something else');
    assert.equal(await page.getByText('Editing').isVisible(), false);
});

test('what cannot be sent as the conversation has gone is told, and does not stay', async (t) => {
    const { ann, bob, talk } = await makeTalk({ title: 'Garden' });
    let send;
    const prepare = (page) =>
        page.routeWebSocket(/\/api\/ws\//, (socket) => {
            const up = socket.connectToServer();
            socket.onMessage((text) => {
                if (JSON.parse(text).type === 'send') send = () => up.send(text);
                else up.send(text);
            });
        });
    const page = await openTalk(t, bob, talk, { prepare });
    await write(page, 'too late');
    await tick(page, 'too late', 'Not sent yet').waitFor();
    ok(await ann.delete(`/api/conversations/${talk.id}/participants/${bob.id}/`), 204);
    await page.getByText('You are no longer in this conversation.').waitFor();
    send();
    await page.getByText('“too late” was not sent').waitFor();
    await account(page, bob).click();
    await button(page, 'Sign out').click();
    await page.getByRole('tab', { name: 'Sign in' }).waitFor();
});

test('a refused message can be discarded, and an unsent one outlives the page', async (t) => {
    const own = await startServer();
    t.after(() => own.stop());
    const ann = await register(own);
    const bob = await register(own);
    const talk = await makeConversation(ann, [bob], { title: 'Talk' });
    const page = await openTalk(t, bob, talk, { allow: [...AWAY, refused(403)] });
    await messages(page).getByText('No messages yet.').waitFor();
    await own.kill9();
    await write(page, 'too late');
    await tick(page, 'too late', 'Not sent yet').waitFor();
    await page.context().setOffline(true);
    await own.start();
    ok(await ann.post(`/api/conversations/${talk.id}/close/`));
    await page.context().setOffline(false);
    await page.reload();
    await bubble(page, 'too late')
        .getByText(/^Not sent\. /)
        .waitFor();
    await assertAccessible(page, 'a failed message');
    await page.getByText('Nobody can write in it.').waitFor();
    await button(page, 'Discard').click();
    await bubble(page, 'too late').waitFor({ state: 'detached' });
    assert.deepEqual(await bodiesOf(ann, talk), []);
});

test('history comes by scrolling up, and what one reads stays where it is', async (t) => {
    const { ann, bob, talk } = await makeTalk();
    const sayAtOnce = (first, end) =>
        Promise.all(Array.from({ length: end - first }, (_, at) => say(bob, talk, `line ${first + at}.`)));
    await say(bob, talk, 'line 1.');
    for (let n = 2; n < 500; n += 20) await sayAtOnce(n, Math.min(n + 20, 500));
    await say(bob, talk, 'line 500.');
    const page = await openTalk(t, ann, talk);
    const log = messages(page);
    const end = Date.now() + WAIT_MS;
    while ((await bubble(page, 'line 1.').count()) === 0) {
        assert.ok(Date.now() < end, 'the first message does not come');
        const moved = await log.evaluate(async (node) => {
            node.scrollTop = 300;
            const first = [...node.querySelectorAll('.message')].find((one) => {
                return one.getBoundingClientRect().bottom > node.getBoundingClientRect().top;
            });
            if (!first) return 0; // it is being drawn
            const { top } = first.getBoundingClientRect();
            await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
            return first.isConnected ? Math.abs(first.getBoundingClientRect().top - top) : 0;
        });
        assert.ok(moved < 2, `moved by ${moved} px`);
    }
    assert.ok((await log.locator('.message').count()) <= 400, 'the page keeps all of it');
    await button(page, 'To the newest message').click();
    await bubble(page, 'line 500.').waitFor();
    await until(page, () => !document.title.startsWith('('));
});

test('behind the panel nothing is read, and no history is loaded', async (t) => {
    const { ann, bob, talk } = await makeTalk();
    for (let n = 0; n < 130; n++) await say(bob, talk, `line ${n}.`);
    const asked = [];
    const prepare = (page) =>
        page.on('request', (request) => request.url().includes('before_seq') && asked.push(1));
    const page = await openTalk(t, ann, talk, { size: 'phone', prepare });
    await bubble(page, 'line 129.').waitFor();
    await until(page, () => !document.title.startsWith('('));
    const before = asked.length;
    await button(page, 'People and settings').tap();
    await page.getByRole('heading', { name: 'People (2)' }).waitFor();
    for (const text of ['one more', 'and another']) await say(bob, talk, text);
    await until(page, () => document.title.startsWith('(2)'));
    assert.equal(asked.length, before);
    await button(page, 'Close').tap();
    await bubble(page, 'and another').waitFor();
    await until(page, () => !document.title.startsWith('('));
});

test('history comes also where all came again', async (t) => {
    const { ann, bob, talk } = await makeTalk();
    for (let n = 1; n <= 30; n++) await say(bob, talk, `line ${n}.`);
    const wire = stallAt('conversation');
    const page = await openTalk(t, ann, talk, { prepare: wire.prepare });
    await bubble(page, 'line 1.').waitFor();
    wire.tell({ type: 'reset', reason: 'test' });
    await say(bob, talk, 'line 31.');
    await bubble(page, 'line 31.').waitFor();
    await bubble(page, 'line 1.').waitFor();
});

test('history that could not be loaded is asked for when the connection is back', async (t) => {
    const { ann, bob, talk } = await makeTalk();
    for (let n = 1; n <= 30; n++) await say(bob, talk, `line ${n}.`);
    const wire = stallAt('conversation');
    let held;
    const prepare = (page) => {
        held = hold(page, '**/messages/?before_seq=*');
        return wire.prepare(page);
    };
    const page = await openTalk(t, ann, talk, { prepare, allow: [refused(500)] });
    await (await held).fulfill({ status: 500, json: { detail: 'It went wrong.' } });
    await page.getByText('It went wrong.').waitFor();
    wire.cut();
    await bubble(page, 'line 1.').waitFor();
});

test('a quote that could not be fetched is not called deleted, and is fetched again', async (t) => {
    const { ann, bob, talk } = await makeTalk();
    const first = await say(bob, talk, 'Where are the keys?');
    for (let n = 0; n < 25; n++) await say(bob, talk, 'x\n'.repeat(20) + n); // too far to be kept
    await say(bob, talk, 'I have them', { reply_to: first.id });
    let held;
    const prepare = (page) => {
        held = hold(page, `**/api/messages/${first.id}/`);
    };
    const page = await openTalk(t, ann, talk, { prepare, allow: [refused(500)] });
    const route = await held;
    await bubble(page, 'I have them').locator('.quote', { hasText: '…' }).waitFor();
    await route.fulfill({ status: 500 });
    await say(bob, talk, 'more');
    await bubble(page, 'I have them').locator('.quote', { hasText: 'keys?' }).waitFor();
});

test('what strangers write harms no page', async (t) => {
    const { ann, bob, talk } = await makeTalk({ title: '<img src=x onerror=alert(1)>' });
    const texts = [
        '<script>window.harmed = true</script><img src=x onerror="window.harmed = true">',
        'x'.repeat(10_000),
        'a' + '\u0301\u0489\u0334'.repeat(3_000),
        '\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd abc \u202e reversed',
        'javascript:alert(1) data:text/html,x http://',
        '\u{1F600}\u{1F680}',
    ];
    for (const text of texts) await say(bob, talk, text);
    ok(
        await bob.patch('/api/users/me/', {
            first_name: '\u202e<b>' + 'W'.repeat(100),
            last_name: 'e\u0301'.repeat(70),
        }),
    );
    for (const size of ['desktop', 'phone']) {
        const page = await openTalk(t, ann, talk, { size, dark: size === 'phone' });
        await bubble(page, '<script>').waitFor();
        await bubble(page, '\u{1F680}').waitFor();
        assert.equal(await page.evaluate(() => window.harmed), undefined);
        assert.equal(await messages(page).getByRole('link').count(), 0);
        await assertNoSideways(page);
        const outside = await messages(page).evaluate((log) => {
            const box = log.getBoundingClientRect();
            const bubbles = [...log.querySelectorAll('.bubble')];
            return bubbles.filter((node) => {
                const { left, right } = node.getBoundingClientRect();
                return left < box.left || right > box.right || log.scrollWidth > log.clientWidth;
            }).length;
        });
        assert.equal(outside, 0);
        const text = bubble(page, '\u05e9\u05dc\u05d5\u05dd').locator('.text');
        assert.equal(await text.evaluate((node) => node.matches(':dir(rtl)')), true);
        await button(page, 'Show all').first().click();
        await assertNoSideways(page);
        await assertAccessible(page, `hostile texts, ${size}`);
    }
});

// ---- people and settings -----------------------------------------------------------------------

test('a group: people come and go, its name changes', async (t) => {
    const { ann, bob, talk } = await makeTalk({ title: 'Garden' });
    const carol = await register(server, { username: unique('carol') });
    const [mine, his] = await Promise.all([
        openTalk(t, ann, talk),
        openTalk(t, bob, talk, { size: 'phone' }),
    ]);
    await button(mine, 'People and settings').click();
    await button(mine, 'Rename').click();
    await field(mine, 'Name').fill('Garden and house');
    await button(mine, 'Save').click();
    await his.getByRole('heading', { name: 'Garden and house' }).waitFor();
    await button(mine, 'Add').click();
    await field(mine, 'People').fill(carol.username);
    await mine.locator('.picker .person', { hasText: carol.username }).click();
    await mine.getByRole('dialog').getByRole('button', { name: 'Add' }).click();
    await his.getByText('3 people').waitFor();
    await assertAccessible(mine, 'people and settings');
    await button(his, 'People and settings').tap();
    await his.getByRole('heading', { name: 'People (3)' }).waitFor();
    await assertAccessible(his, 'people and settings on a telephone');
    await assertNoSideways(his);
    assert.equal(await button(his, 'Rename').count(), 0);

    await button(mine, `Remove ${carol.username}`).click();
    await mine.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
    await his.getByRole('heading', { name: 'People (2)' }).waitFor();
    await button(his, 'Leave the conversation').tap();
    await his.getByRole('dialog').getByRole('button', { name: 'Leave' }).tap();
    await his.getByText('You are no longer in this conversation.').waitFor();
    await mine.getByRole('heading', { name: 'People (1)' }).waitFor();
    const { participants } = ok(await ann.get(`/api/conversations/${talk.id}/`));
    assert.deepEqual(
        participants.map(({ id }) => id),
        [ann.id],
    );
});

test('an address of a conversation that is not there', async (t) => {
    const ann = await register(server);
    const page = await openPage(t, chromium, server, `/#/c/${NO_UUID}`, { as: ann, size: 'phone' });
    await page.getByRole('heading', { name: 'This conversation is not here' }).waitFor();
    await assertAccessible(page, 'no such conversation');
    await page.getByRole('link', { name: 'All conversations' }).tap();
    await page.getByText('No conversations yet').waitFor();
});

// ---- many --------------------------------------------------------------------------------------

test('a thousand conversations', async (t) => {
    const ann = await register(server);
    const bob = await register(server);
    const make = (n) =>
        makeConversation(bob, [ann], { title: `Talk ${n}.`, message_body: `Hello ${n}` });
    for (let n = 1; n <= 1000; n += 20) {
        await Promise.all(Array.from({ length: 20 }, (_, at) => make(n + at)));
    }
    const page = await openPage(t, chromium, server, '/', { as: ann });
    await until(page, () => document.querySelectorAll('.rows > li').length === 1000);
    assert.match(await page.title(), /^\(1000\)/);
    await page.reload(); // they are kept
    await until(page, () => document.querySelectorAll('.rows > li').length === 1000);
    const list = page.getByRole('navigation', { name: 'Conversations' });
    await list.evaluate((node) => (node.scrollTop = node.scrollHeight));
    await page.locator('.rows > li').last().getByRole('link').click();
    await messages(page).getByText('Hello').waitFor();
    await until(page, () => document.title.startsWith('(999)'));
    await field(page, 'Search conversations and people').fill('talk 777.');
    await until(page, () => document.querySelectorAll('.rows > li').length === 1);
    await say(
        bob,
        (await bob.get('/api/conversations/', { search: 'Talk 500.' })).json.results[0],
        'News',
    );
    await field(page, 'Search conversations and people').fill('');
    await until(page, () => document.querySelector('.rows > li').textContent.includes('News'));
});

// ---- keys --------------------------------------------------------------------------------------

describe('keys alone', () => {
    test('sign in, search, choose, write, leave what was begun', async (t) => {
        const { ann, bob, talk } = await makeTalk();
        await say(bob, talk, 'Hello');
        const other = await makeConversation(ann, [bob], { title: 'Other' });
        const page = await openPage(t, chromium, server, '/');
        const { keyboard } = page;
        await page.getByRole('tab', { name: 'Create account' }).focus();
        await keyboard.press('ArrowRight');
        await keyboard.press('Tab');
        await keyboard.type(ann.username);
        await keyboard.press('Tab');
        await keyboard.type(PASSWORD);
        await keyboard.press('Enter');
        await row(page, bob.username).waitFor();
        await keyboard.press('Control+k');
        await keyboard.press('ArrowDown');
        await until(page, () => document.activeElement.matches('.row-link'));
        await keyboard.press('ArrowDown');
        await keyboard.press('Enter');
        await until(page, () => document.activeElement.id === 'text');
        assert.ok(page.url().endsWith(talk.id));
        await keyboard.type('one');
        await keyboard.press('Shift+Enter');
        await keyboard.type('two');
        await keyboard.press('Enter');
        await tick(page, 'one\ntwo', 'Sent').waitFor();
        assert.deepEqual(await bodiesOf(bob, talk), ['Hello', 'one\ntwo']);
        await keyboard.press('ArrowUp');
        await page.getByText('Editing').waitFor();
        await keyboard.press('Escape');
        assert.equal(await composer(page).inputValue(), '');
        await messages(page).focus();
        await keyboard.press('ArrowUp');
        await keyboard.press('Tab');
        await until(page, () => document.activeElement.getAttribute('aria-label') === 'Reply');
        await keyboard.press('Control+k');
        await keyboard.type('Other');
        await keyboard.press('Enter');
        await until(page, (id) => location.hash.endsWith(id), other.id);
    });
});

// ---- who is signed in --------------------------------------------------------------------------

test('another user in the same browser sees and sends nothing of the one before', async (t) => {
    const own = await startServer();
    t.after(() => own.stop());
    const ann = await register(own);
    const bob = await register(own);
    const carol = await register(own);
    const talk = await makeConversation(ann, [bob, carol], { title: 'All of us' });
    const secret = await makeConversation(ann, [carol], { title: 'Secret' });
    await say(carol, secret, 'psst');
    const allow = [...AWAY, refused(401), refused(403)];
    const page = await openTalk(t, ann, talk, { allow });
    await row(page, 'Secret').waitFor();
    await own.kill9();
    await write(page, 'from Ann');
    await tick(page, 'from Ann', 'Not sent yet').waitFor();
    await page.context().setOffline(true);
    await own.start();
    // As in another tab: the cookies are Bob's from now on.
    await signIn(page.context(), bob);
    await page.context().setOffline(false);
    await account(page, bob).waitFor();
    await row(page, 'All of us').waitFor();
    assert.equal(await page.getByText('Secret').count(), 0);
    assert.equal(await page.getByText('from Ann').count(), 0);
    assert.deepEqual(await bodiesOf(carol, talk), []);
    await write(page, 'from Bob');
    await tick(page, 'from Bob', 'Sent').waitFor();
    const { results } = ok(await carol.get(`/api/conversations/${talk.id}/messages/`));
    assert.deepEqual(
        results.map(({ sender_id: id }) => id),
        [bob.id],
    );
    const kept = await page.evaluate(async () =>
        (await indexedDB.databases()).map(({ name }) => name),
    );
    assert.deepEqual(kept, [`confab ${bob.id}`]);
});

test('who is signed out elsewhere is asked to sign in again', async (t) => {
    const { ann, talk } = await makeTalk();
    const page = await openTalk(t, ann, talk, { allow: [refused(401), refused(403), CUT] });
    const tab = await openIn(t, page.context(), `/#/c/${talk.id}`, {
        allow: [refused(401), refused(403), CUT],
    });
    await composer(tab).waitFor();
    await write(tab, 'from the other tab');
    await bubble(page, 'from the other tab').waitFor();
    await tick(tab, 'from the other tab', 'Sent').waitFor();
    await acked(tab, 'from the other tab');
    await account(tab, ann).click();
    await button(tab, 'Sign out').click();
    await page.getByText('You have been signed out.').waitFor();
    await assertAccessible(page, 'signed out');
});

test('what a page keeps can be deleted while it is open', async (t) => {
    const { ann, talk } = await makeTalk();
    const page = await openTalk(t, ann, talk);
    await messages(page).getByText('No messages yet.').waitFor();
    const end = await page.evaluate(
        (name) =>
            new Promise((done) => {
                const request = indexedDB.deleteDatabase(name);
                request.onsuccess = () => done('deleted');
                request.onblocked = () => done('blocked');
            }),
        `confab ${ann.id}`,
    );
    assert.equal(end, 'deleted');
    await write(page, 'kept nowhere');
    await tick(page, 'kept nowhere', 'Sent').waitFor();
});
