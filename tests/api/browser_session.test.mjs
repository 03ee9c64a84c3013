// Signing in by browser: the form, the cookies, CSRF, and what a session may do.
import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { Browser, LOGIN, LOGOUT, PAGE, formToken } from '../lib/browser_session.mjs';
import { PASSWORD, register } from '../lib/client.mjs';
import { err, ok, unauthorized } from '../lib/expect.mjs';
import { openSocket } from '../lib/live.mjs';
import { startServer } from '../lib/server.mjs';

let server;
before(async () => {
    server = await startServer();
});
after(() => server?.stop());

const ME = '/api/users/me/';
const CONVERSATIONS = '/api/conversations/';

async function signedIn() {
    const user = await register(server);
    const browser = new Browser(server);
    assert.equal((await browser.signIn(user.username)).status, 302);
    return { user, browser };
}

function refused(answer, detail) {
    assert.equal(answer.status, 403, answer.text);
    assert.equal(answer.headers['x-error-code'], 'csrf_failed');
    assert.match(answer.json.detail, detail);
}

describe('the form', () => {
    test('is a page that no other site can frame or add to, with a token', async () => {
        const browser = new Browser(server);
        const page = await browser.page(LOGIN);
        assert.equal(page.status, 200);
        assert.equal(page.headers['content-type'], 'text/html; charset=utf-8');
        assert.match(page.headers['content-security-policy'], /default-src 'none'; script-src 'self'/);
        assert.equal(page.headers['x-frame-options'], 'DENY');
        assert.equal(page.headers['cache-control'], 'no-store');
        assert.equal(formToken(page.text), browser.cookies.csrftoken);
        assert.doesNotMatch(page.text, /<script(?![^>]* src=)|<style| style=| on\w+=/);
        assert.equal(formToken((await browser.page(LOGIN)).text), browser.cookies.csrftoken);
    });

    test('signs in by username or e-mail, with cookies that scripts elsewhere cannot use', async () => {
        const user = await register(server);
        for (const name of [user.username, user.email]) {
            const browser = new Browser(server);
            const before = (await browser.page(LOGIN)) && browser.cookies.csrftoken;
            const answer = await browser.signIn(name);
            assert.equal(answer.status, 302);
            assert.equal(answer.headers.location, '/api/');
            assert.match(browser.lines.sessionid, /HttpOnly/);
            assert.match(browser.lines.sessionid, /SameSite=Lax/);
            assert.match(browser.lines.sessionid, /Max-Age=1209600/);
            assert.doesNotMatch(browser.lines.csrftoken, /HttpOnly/);
            assert.doesNotMatch(browser.lines.sessionid, /Secure/); // it came without TLS
            assert.notEqual(browser.cookies.csrftoken, before);
            assert.equal(ok(await browser.ask('GET', ME)).username, user.username);
        }
    });

    test('a wrong password says so and sets nothing', async () => {
        const user = await register(server);
        const browser = new Browser(server);
        const answer = await browser.signIn(user.username, 'wrong-<b>&"');
        assert.equal(answer.status, 200);
        assert.match(answer.text, /Please enter a correct username or e-mail address and password/);
        assert.ok(answer.text.includes(`value="${user.username}"`));
        assert.ok(!('sessionid' in browser.cookies));
        const hostile = await browser.signIn('"><script>alert(1)</script>');
        assert.doesNotMatch(hostile.text, /<script>alert/);
        assert.match(hostile.text, /&quot;&gt;&lt;script&gt;/);
        const blank = await browser.signIn('', '');
        assert.equal(blank.status, 200);
        assert.match(blank.text, /Please enter your username/);
    });

    test('goes on to a place on this site only', async () => {
        const user = await register(server);
        const places = {
            '/api/users/?page=2': '/api/users/?page=2',
            '//evil.example/': '/api/',
            '/\\evil.example/': '/api/',
            'http://evil.example/': '/api/',
            'https:evil.example': '/api/',
            'javascript:alert(1)': '/api/',
            '/a\tb': '/api/',
            '/%0d%0aSet-Cookie:a=b': '/%0d%0aSet-Cookie:a=b',
            '/a\r\nSet-Cookie: a=b': '/api/',
            'api/': '/api/',
        };
        for (const [next, location] of Object.entries(places)) {
            const byForm = await new Browser(server).signIn(user.username, PASSWORD, { next });
            assert.equal(byForm.headers.location, location, next);
            const path = `${LOGIN}?next=${encodeURIComponent(next)}`;
            const byQuery = await new Browser(server).signIn(user.username, PASSWORD, {}, path);
            assert.equal(byQuery.headers.location, location, next);
        }
    });

    test('without the token, with a foreign one or from another site nobody is signed in', async () => {
        const { username } = await register(server);
        const form = { username, password: PASSWORD };
        const bare = new Browser(server);
        refused(await bare.ask('POST', LOGIN, { form }), /CSRF cookie not set/);
        const browser = new Browser(server);
        const token = formToken((await browser.page(LOGIN)).text);
        refused(await browser.ask('POST', LOGIN, { form }), /CSRF token missing/);
        const foreign = { ...form, csrfmiddlewaretoken: 'x'.repeat(token.length) };
        refused(await browser.ask('POST', LOGIN, { form: foreign }), /CSRF token from POST incorrect/);
        const short = { ...form, csrfmiddlewaretoken: 'short' };
        refused(await browser.ask('POST', LOGIN, { form: short }), /incorrect length/);
        const good = { ...form, csrfmiddlewaretoken: token };
        for (const origin of ['http://evil.example', 'null', `http://127.0.0.1:${server.port}.evil`]) {
            refused(await browser.ask('POST', LOGIN, { form: good, headers: { origin } }),
                /Origin checking failed/);
        }
        const referer = 'http://evil.example/page';
        refused(await browser.ask('POST', LOGIN, { form: good, headers: { referer } }), /Referer/);
        assert.ok(!('sessionid' in browser.cookies));
        const page = await browser.ask('POST', LOGIN, { form, headers: PAGE });
        assert.equal(page.status, 403);
        assert.match(page.text, /no longer good/);
        const own = { origin: `http://127.0.0.1:${server.port}`, ...PAGE };
        assert.equal((await browser.ask('POST', LOGIN, { form: good, headers: own })).status, 302);
    });

    test('answers JSON to who wants that, with the same cookies', async () => {
        const user = await register(server);
        const browser = new Browser(server);
        assert.deepEqual(ok(await browser.ask('GET', LOGIN)), { user_id: null, username: null });
        const json = { username: user.username, password: PASSWORD };
        const answer = ok(await browser.change('POST', LOGIN, json));
        assert.deepEqual(answer, { user_id: user.id, username: user.username });
        assert.equal(ok(await browser.ask('GET', ME)).id, user.id);
        assert.equal(ok(await browser.ask('GET', LOGIN)).user_id, user.id);
        const wrong = await browser.change('POST', LOGIN, { ...json, password: 'x' });
        assert.equal(wrong.status, 401);
        assert.equal(wrong.headers['x-error-code'], 'no_active_account');
    });

    test('a log-in for JSON clients sets no cookie', async () => {
        const user = await register(server);
        const json = { username: user.username, password: PASSWORD };
        const answer = await new Browser(server).ask('POST', '/api/token/', { json });
        ok(answer);
        assert.ok(!('set-cookie' in answer.headers));
    });
});

describe('a session', () => {
    test('reads without and writes with the token, by header or form field', async () => {
        const { browser } = await signedIn();
        const json = { title: 'by session' };
        const { csrftoken } = browser.cookies;
        refused(await browser.ask('POST', CONVERSATIONS, { json }), /CSRF token missing/);
        delete browser.cookies.csrftoken;
        refused(await browser.ask('POST', CONVERSATIONS, { json }), /CSRF cookie not set/);
        browser.cookies.csrftoken = csrftoken;
        refused(await browser.change('POST', CONVERSATIONS, json, { 'x-csrftoken': 'short' }),
            /X-Csrftoken' HTTP header has incorrect length/);
        refused(await browser.change('POST', CONVERSATIONS, json,
            { 'x-csrftoken': 'A'.repeat(csrftoken.length) }), /HTTP header incorrect/);
        const evil = { origin: 'http://evil.example' };
        refused(await browser.change('POST', CONVERSATIONS, json, evil),
            /Origin checking failed - http:\/\/evil.example does not match/);
        refused(await browser.change('POST', CONVERSATIONS, json, { origin: 'null' }), /Origin/);
        assert.equal(ok(await browser.ask('GET', CONVERSATIONS)).count, 0);
        ok(await browser.change('POST', CONVERSATIONS, json), 201);
        const form = { title: 'by form', csrfmiddlewaretoken: csrftoken };
        ok(await browser.ask('POST', CONVERSATIONS, { form }), 201);
        assert.equal(ok(await browser.ask('GET', CONVERSATIONS)).count, 2);
    });

    test('a form over the limit is too large, whatever its token; other bodies have none', async () => {
        const { browser } = await signedIn();
        const filling = 'x'.repeat(1024 * 1024);
        const csrfmiddlewaretoken = browser.cookies.csrftoken;
        for (const form of [{ title: filling, csrfmiddlewaretoken }, { title: filling }]) {
            err(await browser.ask('POST', CONVERSATIONS, { form }), 413, 'too_large');
        }
        const multipart = { 'content-type': 'multipart/form-data; boundary=b' };
        const body = `--b\r\nContent-Disposition: form-data; name="title"\r\n\r\n${filling}\r\n--b--`;
        const sent = { body, headers: multipart };
        err(await browser.ask('POST', CONVERSATIONS, sent), 413, 'too_large');
        const foreign = { ...multipart, origin: 'http://evil.example' };
        refused(await browser.ask('POST', CONVERSATIONS, { body, headers: foreign }), /Origin/);
        const json = { title: filling };
        refused(await browser.ask('POST', CONVERSATIONS, { json }), /CSRF token missing/);
        err(await browser.change('POST', CONVERSATIONS, json), 413, 'too_large');
    });

    test("another session's token is no good", async () => {
        const { browser } = await signedIn();
        const { browser: other } = await signedIn();
        browser.cookies.csrftoken = other.cookies.csrftoken;
        refused(await browser.change('POST', CONVERSATIONS, {}), /HTTP header incorrect/);
        const anonymous = new Browser(server);
        await anonymous.page(LOGIN);
        browser.cookies.csrftoken = anonymous.cookies.csrftoken;
        refused(await browser.change('POST', CONVERSATIONS, {}), /incorrect/);
    });

    test('is passed over where there is an Authorization header, good or bad', async () => {
        const { browser } = await signedIn();
        const other = await register(server);
        const bearer = { authorization: `Bearer ${other.access}` };
        assert.equal(ok(await browser.ask('GET', ME, { headers: bearer })).id, other.id);
        ok(await browser.ask('POST', CONVERSATIONS, { json: {}, headers: bearer }), 201);
        const bad = { authorization: 'Bearer nonsense' };
        unauthorized(await browser.ask('GET', ME, { headers: bad }));
    });

    test('changes its key with each log-in, and the former one ends', async () => {
        const { browser, user } = await signedIn();
        const former = browser.cookies.sessionid;
        assert.equal((await browser.signIn(user.username)).status, 302);
        assert.notEqual(browser.cookies.sessionid, former);
        const old = new Browser(server);
        old.cookies.sessionid = former;
        unauthorized(await old.ask('GET', ME));
        ok(await browser.ask('GET', ME));
    });

    test('a key that was never given out is like none; so are nonsense and too many of them', async () => {
        for (const key of ['a'.repeat(40), '', 'é', '"x', '"a b"', 'x'.repeat(2000)]) {
            const browser = new Browser(server);
            browser.cookies.sessionid = key;
            unauthorized(await browser.ask('GET', ME));
            assert.equal((await browser.page('/')).status, 200);
        }
        const browser = new Browser(server);
        const cookie = Array.from({ length: 60 }, (_, n) => `c${n}=${n}`).join('; ');
        unauthorized(await browser.ask('GET', ME, { headers: { cookie } }));
    });

    test('is among the devices, and ends from there', async () => {
        const { browser, user } = await signedIn();
        const rows = ok(await user.get('/api/users/me/sessions/')).results;
        const [row] = rows.filter(({ kind }) => kind === 'browser');
        ok(await user.delete(`/api/users/me/sessions/${row.id}/`), 204);
        unauthorized(await browser.ask('GET', ME));
    });

    test('ends with the password, and with the account', async () => {
        const { browser, user } = await signedIn();
        const json = { old_password: PASSWORD, new_password: 'Another-pass-77' };
        ok(await user.post('/api/users/me/password/', json));
        unauthorized(await browser.ask('GET', ME));
        const { browser: second, user: gone } = await signedIn();
        ok(await gone.delete(ME), 204);
        unauthorized(await second.ask('GET', ME));
    });

    test('opens a socket, but not for a page of another site', async () => {
        const { browser } = await signedIn();
        const cookie = `sessionid=${browser.cookies.sessionid}`;
        const own = `http://127.0.0.1:${server.port}`;
        const socket = await openSocket({ server, headers: { cookie, origin: own } });
        await socket.get({ type: 'hello' });
        await socket.close();
        for (const origin of ['http://evil.example', 'null']) {
            const answer = await browser.ask('GET', '/api/ws/', {
                headers: { origin, upgrade: 'websocket', connection: 'upgrade',
                    'sec-websocket-version': '13', 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==' },
            });
            refused(answer, /Origin checking failed/);
        }
    });
});

describe('a page of what was refused early', () => {
    const page = (browser, path, headers, form = { next: '/x' }) =>
        browser.ask('POST', path, { form, headers: { ...PAGE, ...headers } });

    test('a bad header, a stale token, a token that is none', async () => {
        const { browser } = await signedIn();
        for (const path of [LOGIN, LOGOUT]) {
            const anonymous = await page(new Browser(server), path, { authorization: 'Bearer x' });
            assert.equal(anonymous.status, path === LOGIN ? 200 : 401); // names are missing
            const { csrftoken } = browser.cookies;
            browser.cookies.csrftoken = 'x'.repeat(csrftoken.length);
            const stale = await page(browser, path, {});
            assert.equal(stale.status, path === LOGIN ? 200 : 403);
            browser.cookies.csrftoken = csrftoken;
        }
        await server.assertAlive();
        const form = { username: 'nobody', password: 'x', csrfmiddlewaretoken: 'of.another.app' };
        const lost = new Browser(server);
        lost.cookies.csrftoken = 'of.another.app';
        assert.equal((await page(lost, LOGIN, {}, form)).status, 403);
        assert.match(lost.cookies.csrftoken, /^[\w-]{16,64}$/); // and the next try is good
    });

    test('another site changes no cookie', async () => {
        const origin = 'https://evil.example';
        for (const path of [LOGOUT, '/api/nope/', '/api/users/']) {
            const answer = await page(new Browser(server), path, { origin });
            assert.ok(!('set-cookie' in answer.headers), path);
        }
    });

    test('a wrong password asks for no other scheme', async () => {
        const user = await register(server);
        const answer = await new Browser(server).signIn(user.username, 'wrong');
        assert.equal(answer.status, 200);
        assert.ok(!('www-authenticate' in answer.headers));
    });

    test('behind TLS cookies are for TLS, however the address is written', async () => {
        const PUBLIC_URL = 'HTTPS://Chat.Example:443/';
        const behind = await startServer({ env: { PUBLIC_URL } });
        try {
            const user = await register(behind);
            const browser = new Browser(behind);
            const { text } = await browser.page(LOGIN);
            const form = { username: user.username, password: PASSWORD, csrfmiddlewaretoken: formToken(text) };
            const origin = 'https://chat.example';
            const answer = await page(browser, LOGIN, { origin }, form);
            assert.equal(answer.status, 302);
            assert.match(browser.lines.sessionid, /; Secure/);
            for (const link of Object.values(ok(await browser.ask('GET', '/api/')))) {
                assert.match(link, /^https:\/\/chat\.example\/api\//);
            }
            for (const other of ['http://chat.example', 'https://chat.example:444', 'https://chat.example.evil']) {
                refused(await browser.change('POST', CONVERSATIONS, {}, { origin: other }), /Origin/);
            }
            ok(await browser.change('POST', CONVERSATIONS, {}, { origin: 'https://chat.example:443' }), 201);
        } finally {
            await behind.stop();
        }
    });
});

describe('signing out', () => {
    test('asks on a page, and is done by POST with the token', async () => {
        const { browser, user } = await signedIn();
        const page = await browser.page(`${LOGOUT}?next=/`);
        assert.equal(page.status, 200);
        assert.ok(page.text.includes(`<b>${user.username}</b>`));
        ok(await browser.ask('GET', ME));
        refused(await browser.ask('POST', LOGOUT, { form: { next: '/' } }), /missing/);
        ok(await browser.ask('GET', ME));
        const key = browser.cookies.sessionid;
        const form = { next: '//evil.example', csrfmiddlewaretoken: formToken(page.text) };
        const answer = await browser.ask('POST', LOGOUT, { form, headers: PAGE });
        assert.equal(answer.status, 302);
        assert.equal(answer.headers.location, '/');
        assert.ok(!('sessionid' in browser.cookies));
        browser.cookies.sessionid = key;
        unauthorized(await browser.ask('GET', ME));
    });
});

describe('a browser that asks the API', () => {
    test('gets each answer as a page: name, status, headers, JSON', async () => {
        const { browser } = await signedIn();
        ok(await browser.change('POST', CONVERSATIONS, { title: '</pre><script>alert(1)</script>' }), 201);
        const page = await browser.page(`${CONVERSATIONS}?search=<b>&x="`.replace(/[<>"]/g, escape));
        assert.equal(page.status, 200);
        assert.equal(page.headers['content-type'], 'text/html; charset=utf-8');
        assert.match(page.headers['content-security-policy'], /frame-ancestors 'none'/);
        const list = await browser.page(CONVERSATIONS);
        assert.match(list.text, /<h1>Conversation List<\/h1>/);
        assert.match(list.text, /HTTP 200 OK/);
        assert.match(list.text, /Allow: GET, POST, HEAD, OPTIONS/);
        assert.match(list.text, /&lt;\/pre&gt;&lt;script&gt;alert\(1\)/);
        assert.doesNotMatch(list.text, /<script>|<\/pre><script/);
        assert.doesNotMatch(list.text, new RegExp(browser.cookies.sessionid));
    });

    test('errors too, with their status', async () => {
        const browser = new Browser(server);
        const unknown = '/api/users/00000000-0000-4000-8000-000000000000/';
        for (const [path, status] of [[ME, 401], [unknown, 401], ['/api/nope/', 404], ['/nope/', 404]]) {
            const page = await browser.page(path);
            assert.equal(page.status, status, path);
            assert.match(page.headers['content-type'], /^text\/html/);
            assert.match(page.text, new RegExp(`HTTP ${status}`));
        }
        const { browser: known } = await signedIn();
        assert.equal((await known.page(unknown)).status, 404);
        assert.equal((await known.page('/api/ws/')).status, 426);
    });

    test('who wants JSON gets it, whatever else he takes', async () => {
        const { browser } = await signedIn();
        for (const accept of ['application/json', '*/*', 'text/html, application/json']) {
            const answer = await browser.ask('GET', ME, { headers: { accept } });
            assert.match(answer.headers['content-type'], /^application\/json/);
        }
        const chosen = await browser.ask('GET', `${ME}?format=json`, { headers: PAGE });
        assert.match(chosen.headers['content-type'], /^application\/json/);
        const asked = await browser.ask('GET', `${ME}?format=api`);
        assert.match(asked.headers['content-type'], /^text\/html/);
    });
});

describe('what pages load', () => {
    test('is compressed for who takes that, and not sent twice', async () => {
        const browser = new Browser(server);
        const plain = await browser.ask('GET', '/static/css/confab.css');
        assert.equal(plain.status, 200);
        assert.equal(plain.headers['content-type'], 'text/css; charset=utf-8');
        const gzip = { 'accept-encoding': 'br;q=1, gzip' };
        const packed = await browser.ask('GET', '/static/css/confab.css', { headers: gzip });
        assert.equal(packed.headers['content-encoding'], 'gzip');
        const { gunzipSync } = await import('node:zlib');
        assert.deepEqual(gunzipSync(packed.body), plain.body);
        assert.notEqual(packed.headers.etag, plain.headers.etag);
        const again = { ...gzip, 'if-none-match': `"x", ${packed.headers.etag}` };
        const known = await browser.ask('GET', '/static/css/confab.css', { headers: again });
        assert.equal(known.status, 304);
        assert.equal(known.body.length, 0);
        const none = { 'accept-encoding': 'gzip;q=0' };
        const refusedCoding = await browser.ask('GET', '/static/css/confab.css', { headers: none });
        assert.ok(!('content-encoding' in refusedCoding.headers));
    });

    test('the icon that browsers ask for of themselves is that of the pages', async () => {
        const browser = new Browser(server);
        const { text } = await browser.page(LOGIN);
        const [, linked] = text.match(/<link rel="icon" href="([^"]+)"/);
        const asked = await browser.ask('GET', '/favicon.ico', { headers: { accept: 'image/*' } });
        assert.equal(asked.status, 200);
        assert.equal(asked.headers['content-type'], 'image/svg+xml');
        assert.equal(asked.text, (await browser.ask('GET', linked)).text);
        const known = { 'if-none-match': asked.headers.etag };
        assert.equal((await browser.ask('GET', '/favicon.ico', { headers: known })).status, 304);
    });

    test('from a folder, all that changes is there, and Swagger UI as it is', async (t) => {
        const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'confab-assets-'));
        t.after(() => fs.rm(folder, { recursive: true }));
        await fs.cp(new URL('../../web', import.meta.url), folder, { recursive: true });
        const here = await startServer({ env: { ASSETS_DIR: folder } });
        t.after(() => here.stop());
        const bundle = '/static/swagger-ui/swagger-ui-bundle.js';
        const [own, shipped] = [new Browser(here), new Browser(server)];
        const wanted = await shipped.ask('GET', bundle);
        assert.equal(wanted.status, 200);
        assert.deepEqual((await own.ask('GET', bundle)).body, wanted.body);
        await fs.appendFile(path.join(folder, 'js/dom.js'), '\n// changed');
        assert.match((await own.ask('GET', '/static/js/dom.js')).text, /changed$/);
        await fs.rm(path.join(folder, 'js/ui.js'));
        assert.equal((await own.ask('GET', '/static/js/ui.js')).status, 404);
    });

    test('is nothing but what is there', async () => {
        const browser = new Browser(server);
        for (const path of ['/static/', '/static/nope.js', '/static/../src/main.c', '/static/%2e%2e/README.md',
            '/static/pages/login.html', '/static/css', '/static/css/confab.css/x', '/static/css%00/confab.css',
            '/static//etc/passwd']) {
            assert.equal((await browser.ask('GET', path)).status, 404, path);
        }
    });
});
