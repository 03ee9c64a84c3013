// What the tests of the admin site share: its pages, their lists, and what is done to many at once.
import { openPage } from './browser.mjs';

export const SIZES = ['desktop', 'phone'];

export const openAdmin = (t, chromium, server, hash, options) =>
    openPage(t, chromium, server, `/admin/${hash}`, options);

// The page has what it asked for, or says why not. Of lists there may be more than one.
export const settled = (page) =>
    page.waitForFunction(
        () =>
            document.querySelector('main h1') &&
            !document.querySelector('main .spinner, .list-body[aria-busy]'),
    );

export const rows = (page) => page.locator('tbody tr');
export const row = (page, text) => rows(page).filter({ hasText: text });
export const button = (scope, name) => scope.getByRole('button', { name, exact: true });
export const dialog = (page) => page.getByRole('dialog');
export const heading = (page, name) => page.getByRole('heading', { level: 1, name, exact: true });

export const untilRows = (page, count) =>
    page.waitForFunction((n) => document.querySelectorAll('tbody tr').length === n, count);

// What act() does changes the address. The site has heard of it when this is back.
export async function heard(page, act) {
    const waiting = await page.evaluateHandle(() => ({
        change: new Promise((done) => {
            window.addEventListener('hashchange', () => done(), { once: true });
        }),
    }));
    await act();
    await waiting.evaluate(({ change }) => change);
}

// Another page by its address, as a link would.
export async function go(page, hash) {
    if ((await page.evaluate(() => location.hash)) === hash) return;
    const assign = (to) => {
        location.hash = to;
    };
    await heard(page, () => page.evaluate(assign, hash));
}

export async function select(page, ...names) {
    await settled(page);
    for (const name of names) await row(page, name).getByRole('checkbox').check();
}

export async function selectAll(page) {
    await settled(page);
    await page.getByLabel('Select all on this page').check();
}

// An action of the bar, agreed to; returns what happened to each, sorted. `fill` gets the dialog.
export async function bulk(page, action, fill = null) {
    await button(page.getByRole('group', { name: 'Selected rows' }), action).click();
    await fill?.(dialog(page));
    await dialog(page).locator('footer button[type=submit]').click();
    const list = dialog(page).locator('.results li');
    await list.first().waitFor();
    const results = await list.evaluateAll((items) => items.map((item) => item.dataset.result));
    await button(dialog(page).locator('footer'), 'Close').click();
    await dialog(page).waitFor({ state: 'detached' });
    return results.sort();
}

// What has to be typed before something is done for good.
export const typeWord = (word) => (box) => box.getByLabel(/^Type/).fill(word);
