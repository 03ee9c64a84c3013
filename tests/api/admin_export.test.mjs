// Lists as files: ?export=csv and ?export=json.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { makeAdmin, makeConversation, register, say } from '../lib/client.mjs';
import { invalid, ok } from '../lib/expect.mjs';
import { startServer } from '../lib/server.mjs';

let server, admin, ann, talk;
const HOSTILE = ['=1+1', '+1', '-1', '@x', 'a"b', 'a,b', 'two\nlines', '<script>', '😀 e\u0301'];

before(async () => {
    server = await startServer({ env: { EXPORT_ROWS: '12' } });
    admin = await makeAdmin(server);
    ann = await register(server, { username: 'ann', first_name: '=HYPERLINK("x")' });
    talk = await makeConversation(ann, [], { title: '@SUM(A1)' });
    for (const text of HOSTILE) await say(ann, talk, text);
});
after(() => server?.stop());

// RFC 4180, read strictly.
function parse(text) {
    const rows = [];
    let row = [];
    let at = 0;
    while (at < text.length) {
        let cell = '';
        if (text[at] === '"') {
            for (at++; text[at] !== '"' || text[at + 1] === '"'; at++) {
                assert.ok(at < text.length, 'an open quote');
                if (text[at] === '"') at++;
                cell += text[at];
            }
            at++;
        } else {
            while (at < text.length && !/[,\r\n"]/.test(text[at])) cell += text[at++];
        }
        row.push(cell);
        if (text[at] === ',') {
            at++;
            continue;
        }
        assert.equal(text.slice(at, at + 2), '\r\n', 'the end of a row');
        at += 2;
        rows.push(row);
        row = [];
    }
    const [head, ...rest] = rows;
    return rest.map((cells) => Object.fromEntries(head.map((name, n) => [name, cells[n]])));
}

async function file(path, kind, query = {}) {
    const res = await admin.get(`/api/admin/${path}/`, { export: kind, ...query });
    ok(res);
    assert.equal(
        res.headers['content-disposition'],
        `attachment; filename="confab-${path}.${kind}"`,
    );
    assert.match(res.headers['content-type'], kind === 'csv' ? /^text\/csv/ : /^application\/json/);
    return res;
}

describe('CSV', () => {
    test('no cell is a formula, and all else is as it was', async () => {
        const res = await file('messages', 'csv', { ordering: 'sent_at' });
        const rows = parse(res.text);
        const harmless = (text) => (/^[=+\-@\t\r]/.test(text) ? `'${text}` : text);
        assert.deepEqual(
            rows.map((row) => row.message_body),
            HOSTILE.map(harmless),
        );
        assert.ok(rows.every((row) => row.sender === 'ann' && row.conversation_id === talk.id));
        assert.notEqual(res.body[0], 0xef, 'no byte order mark');
        assert.equal(res.headers['x-export-truncated'], 'false');
    });

    test('the filters hold', async () => {
        const rows = parse((await file('users', 'csv', { username: 'ann' })).text);
        assert.equal(rows.length, 1);
        assert.equal(rows[0].first_name, `'=HYPERLINK("x")`);
        assert.equal(rows[0].email, ann.email);
        const none = await file('users', 'csv', { email: 'nobody@example.com' });
        assert.deepEqual(parse(none.text), []);
        assert.match(none.text, /^id,username,email,/);
        const [row] = parse((await file('conversations', 'csv')).text);
        assert.equal(row.title, "'@SUM(A1)");
    });

    test('is cut where EXPORT_ROWS says, and tells so', async () => {
        for (let n = 0; n < 6; n++) await say(ann, talk, `more ${n}`);
        const res = await file('messages', 'csv');
        assert.equal(parse(res.text).length, 12);
        assert.equal(res.headers['x-export-truncated'], 'true');
        const json = ok(await file('messages', 'json'));
        assert.equal(json.count, 12);
        assert.equal(json.results.length, 12);
        assert.equal(json.truncated, true);
        const fewer = ok(await file('messages', 'json', { search: 'more' }));
        assert.equal(fewer.count, 6);
        assert.equal(fewer.truncated, false);
    });
});

describe('JSON', () => {
    test('has the rows of the list, in its order', async () => {
        for (const [path, query] of [
            ['users', { ordering: 'email' }],
            ['conversations', {}],
            ['messages', { conversation: talk.id, search: 'a' }],
        ]) {
            const { results } = ok(await admin.get(`/api/admin/${path}/`, query));
            const whole = ok(await file(path, 'json', query));
            assert.deepEqual(whole.results, results, path);
        }
        const audit = ok(await file('audit', 'json'));
        assert.ok(audit.results.every((row) => row.actor.id === admin.id));
    });
});

test('only csv and json, only for admins, and noted', async () => {
    invalid(await admin.get('/api/admin/users/', { export: 'xml' }), { export: true });
    ok(await ann.get('/api/admin/users/', { export: 'csv' }), 403);
    const count = async () =>
        Number(await server.sql("SELECT count(*) FROM audit WHERE action = 'user.list_all'"));
    const before = await count();
    await file('users', 'csv');
    assert.equal(await count(), before + 1);
});
