// Pages in Debian's Chromium, without its window: that takes a third of the time. What a page complains
// of (console, errors that nobody caught, violations of the content security policy, requests that fail)
// is collected, and fails the test that opened it.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { after, before } from 'node:test';

import { chromium } from 'playwright-core';

export const SIZES = {
    desktop: { viewport: { width: 1280, height: 800 } },
    phone: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
};
export const WAIT_MS = 30_000; // a bound for what does not come; no claim about time

const AXE = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PROGRAMS = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium'];

// Chromium writes these itself when the server is away, or refuses what a test wants refused.
export const CUT =
    /ERR_CONNECTION_|ERR_EMPTY_RESPONSE|ERR_NETWORK_|ERR_INTERNET_|WebSocket connection to/;
export const refused = (status) =>
    new RegExp(`the server responded with a status of ${status}|^${status} `);

// One browser for the file. Returns an object whose `browser` is there from the first test on; `kept`:
// the contexts that tests share.
export function useBrowser() {
    const it = { kept: new Map() };
    before(async () => {
        const args = ['--process-per-site'];
        if (process.getuid() === 0) args.push('--no-sandbox');
        const executablePath = process.env.CHROMIUM ?? PROGRAMS.find(fs.existsSync);
        it.browser = await chromium.launch({ executablePath, args });
    });
    after(() => it.browser?.close());
    return it;
}

async function makeContext({ browser }, server, { size, dark, user }) {
    const context = await browser.newContext({
        ...SIZES[size],
        baseURL: server.url,
        colorScheme: dark ? 'dark' : 'light',
        locale: 'en-GB',
    });
    context.setDefaultTimeout(WAIT_MS);
    if (user) await signIn(context, user);
    return context;
}

// Each of a width and a user is made once: signing in and loading what never changes is half of the
// time that a page takes.
async function keptContext(it, server, options) {
    const { size, dark, user } = options;
    const key = [server.url, size, dark, user.id].join(' ');
    if (!it.kept.has(key)) {
        const context = await makeContext(it, server, options);
        it.kept.set(key, context);
        const idle = await context.newPage(); // its process is that of all pages to come
        await idle.goto('/health/');
    }
    return it.kept.get(key);
}

// A page, closed behind the test. Options: size ('desktop', 'phone'), dark, allow (complaints that match
// one of these are expected), as (a user of lib/client.mjs who is signed in), isKept (its cookies and
// storage are those of other tests that say so of the same user; else it has its own), prepare(page) (is
// awaited before anything is loaded).
export async function openPage(t, it, server, path, options = {}) {
    const { size = 'desktop', dark = false, as: user = null, isKept = false } = options;
    const made = { size, dark, user };
    if (isKept) return openIn(t, await keptContext(it, server, made), path, options);
    const context = await makeContext(it, server, made);
    const page = await openIn(t, context, path, options);
    t.after(() => context.close());
    return page;
}

// One more page (tab) of a context.
export async function openIn(t, context, path, { allow = [], prepare = () => {} } = {}) {
    const page = await context.newPage();
    page.complaints = [];
    page.allow = [...allow];
    const complain = (text) => page.complaints.push(text);
    await page.addInitScript(() => {
        document.addEventListener('securitypolicyviolation', (event) => {
            console.error(
                `CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`,
            );
        });
    });
    page.on('console', (message) => {
        if (message.type() === 'error') complain(`${message.text()} ${message.location().url}`);
    });
    page.on('pageerror', (error) => complain(`uncaught: ${error.stack}`));
    page.on('requestfailed', (request) => {
        const { errorText } = request.failure();
        if (errorText !== 'net::ERR_ABORTED') complain(`${errorText} ${request.url()}`);
    });
    page.on('response', (response) => {
        if (response.status() >= 400) complain(`${response.status()} ${response.url()}`);
    });
    t.after(async () => {
        assertQuiet(page);
        await page.close();
    });
    await prepare(page);
    await page.goto(path);
    return page;
}

// The page's next request to this address, which waits for what the test does with it.
export const hold = (page, address) =>
    new Promise((resolve, reject) => {
        page.route(address, resolve, { times: 1 }).catch(reject);
    });

export function assertQuiet(page) {
    const isExpected = (text) => page.allow.some((pattern) => pattern.test(text));
    assert.deepEqual(
        page.complaints.filter((text) => !isExpected(text)),
        [],
        page.url(),
    );
}

// As the form of /api-auth/login/ does.
export async function signIn(context, { username, password }) {
    const { request } = context;
    await request.get('/api-auth/login/', { headers: { accept: 'application/json' } });
    const token = (await context.cookies()).find(({ name }) => name === 'csrftoken').value;
    const headers = { accept: 'application/json', 'x-csrftoken': token };
    const answer = await request.post('/api-auth/login/', {
        data: { username, password },
        headers,
    });
    assert.equal(answer.status(), 200, await answer.text());
}

// 'light' or 'dark', and nothing halfway between.
export async function setColours(page, colorScheme) {
    await page.emulateMedia({ colorScheme });
    await page.waitForFunction(() => document.getAnimations().length === 0);
}

// No issue that axe-core calls serious or critical. `only`: the rules to try, if not all.
export async function assertAccessible(page, what = page.url(), only = undefined) {
    if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(AXE);
    const { violations } = await page.evaluate(
        (runOnly) => window.axe.run(document, { resultTypes: ['violations'], runOnly }),
        only,
    );
    const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
    const text = grave.map(({ id, help, nodes }) => {
        const list = nodes.map((node) => `  ${node.target} ${node.failureSummary}`);
        return [`${id}: ${help}`, ...list].join('\n');
    });
    assert.deepEqual(text, [], what);
}

// Nothing sticks out to the side.
export async function assertNoSideways(page) {
    const [width, room] = await page.evaluate(() => {
        const { scrollWidth, clientWidth } = document.documentElement;
        return [scrollWidth, clientWidth];
    });
    assert.ok(width <= room, `${page.url()}: ${width} px wide in ${room} px`);
}
