// What every list has in common: page numbers, sizes, links, cursors to the end and back, depth.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import {
    PASSWORD,
    login,
    makeCast,
    makeConversation,
    register,
    say,
    sayMany,
    send,
    toPath,
    walk,
} from '../lib/client.mjs';
import { contains, err, ids, ok } from '../lib/expect.mjs';
import { startServer } from '../lib/server.mjs';
import { assertShape, message, page } from '../lib/shapes.mjs';

let server, cast, path;
const COUNT = 45;

before(async () => {
    server = await startServer();
    cast = await makeCast(server);
    path = `${cast.path}messages/`;
    await sayMany(cast.owner, cast, COUNT);
    for (let n = 0; n < 5; n++) await makeConversation(cast.owner, [], { title: `list ${n}` });
});
after(() => server?.stop());

const get = async (target, query) => ok(await cast.owner.get(target, query));
const link = (target) => `${server.url}${target}`;

describe('page numbers', () => {
    test('the default page', async () => {
        const body = assertShape(page(message), await get(path));
        contains(body, {
            count: COUNT,
            page_size: 20,
            current_page: 1,
            total_pages: 3,
            previous: null,
            next: link(`${path}?page=2`),
        });
        assert.equal(body.results.length, 20);
        assert.equal(body.count_capped, undefined, 'said only when it is so');
    });

    test('the second and the last', async () => {
        contains(await get(path, { page: 2 }), {
            current_page: 2,
            previous: link(path),
            next: link(`${path}?page=3`),
        });
        const last = await get(path, { page: 'last' });
        contains(last, { current_page: 3, next: null, previous: link(`${path}?page=2`) });
        assert.equal(last.results.length, 5);
        assert.deepEqual(last.results, (await get(path, { page: 3 })).results);
    });

    test('links keep and sort the other parameters; page 1 has no page', async () => {
        const body = await get(`${path}?page_size=1&zzz=1&search=message&aaa=%C3%A9+b&page=2`);
        const rest = 'page_size=1&search=message&zzz=1';
        assert.equal(body.next, link(`${path}?aaa=%C3%A9+b&page=3&${rest}`));
        assert.equal(body.previous, link(`${path}?aaa=%C3%A9+b&${rest}`));
    });

    test("links keep the caller's prefix and suffix", async () => {
        const body = await get('/api/v1/conversations/', { page_size: 1 });
        assert.equal(body.next, link('/api/v1/conversations/?page=2&page_size=1'));
        const chats = await get('/api/chats/messages/', { page_size: 1 });
        assert.equal(chats.next, link('/api/chats/messages/?page=2&page_size=1'));
        const bare = await get('/api/conversations', { page_size: 1 });
        assert.match(bare.next, /\/api\/conversations\/?\?page=2&page_size=1$/);
    });

    test('page_size: the answer tells the effective one', async () => {
        const sizes = [
            [1000, 100],
            [101, 100],
            [100, 100],
            [1, 1],
            [0, 20],
            [-1, 20],
            ['abc', 20],
            ['', 20],
        ];
        for (const [asked, effective] of sizes) {
            contains(await get(path, { page_size: asked }), {
                page_size: effective,
                total_pages: Math.ceil(COUNT / effective),
            });
        }
    });

    for (const bad of [
        '0',
        '-1',
        'abc',
        '',
        '1.0',
        '9999',
        '1e1',
        '%201x',
        '99999999999999999999',
        '%00',
    ]) {
        test(`page=${bad}`, async () => {
            const res = await cast.owner.get(`${path}?page=${bad}`);
            err(res, 404, 'invalid_page', 'Invalid page.');
        });
    }

    test('an empty list is one empty page', async () => {
        const wanted = {
            count: 0,
            next: null,
            previous: null,
            results: [],
            current_page: 1,
            total_pages: 1,
        };
        contains(await get('/api/messages/', { search: 'nosuchword' }), wanted);
        contains(ok(await cast.stranger.get('/api/conversations/')), wanted);
        err(await cast.stranger.get('/api/conversations/', { page: 2 }), 404, 'invalid_page');
        contains(ok(await cast.stranger.get('/api/conversations/', { page: 'last' })), wanted);
    });

    test('the walk by pages is whole', async () => {
        const rows = await walk(cast.owner, `${path}?page_size=7`);
        assert.deepEqual(
            rows.map((row) => row.seq),
            Array.from({ length: COUNT }, (_, n) => n + 1),
        );
    });
});

describe('cursors', () => {
    test('next and previous are cursor links, and there is no count', async () => {
        const first = assertShape(page(message), await get(path, { cursor: '', page_size: 10 }));
        for (const name of ['count', 'total_pages', 'current_page'])
            assert.ok(!(name in first), name);
        assert.equal(first.previous, null);
        assert.match(first.next, /[?&]cursor=[\w%.~-]+/);
        assert.ok(!/[?&]page=/.test(first.next));
        const second = await get(toPath(cast.owner, first.next));
        assert.equal(second.results[0].seq, 11);
        const back = await get(toPath(cast.owner, second.previous));
        assert.deepEqual(ids(back.results), ids(first.results));
    });

    for (const [name, query] of [
        ['messages/', ''],
        ['messages/', 'ordering=-sent_at'],
        ['messages/', 'search=message'],
        ['messages/', 'sender=USER'],
        ['participants/', ''],
    ]) {
        test(`${name}?${query}: to the end and back, no gap, no double`, async () => {
            const target = `${cast.path}${name}?${query.replace('USER', cast.owner.id)}`;
            const whole = ids((await get(`${target}&page_size=100`)).results);
            assert.ok(whole.length >= 3);
            for (const size of [1, 7, 45, 100]) {
                if (whole.length / size > 50) continue;
                const rows = await walk(cast.owner, `${target}&cursor=&page_size=${size}`);
                assert.deepEqual(ids(rows), whole, `page_size=${size}`);
            }
        });
    }

    for (const target of [
        '/api/messages/?',
        '/api/messages/?ordering=sent_at&',
        '/api/messages/?message_body=message&',
        '/api/messages/my_messages/?',
        '/api/messages/search/?q=message&',
        '/api/messages/by_user/?user_id=USER&',
        '/api/conversations/?',
        '/api/conversations/?ordering=created_at&',
        '/api/conversations/?ordering=-created_at&',
        '/api/conversations/?ordering=updated_at&',
        '/api/conversations/search/?q=list&',
        '/api/users/?',
        '/api/users/?search=m&',
        '/api/users/search/?q=o&',
        '/api/users/me/sessions/?',
    ]) {
        test(`GET ${target}cursor=`, async () => {
            const base = target.replace('USER', cast.owner.id);
            for (let n = 0; n < 3; n++) await login(server, cast.owner.username);
            const whole = ids((await get(`${base}page_size=100`)).results);
            assert.ok(whole.length > 0);
            const size = Math.max(1, Math.floor(whole.length / 4));
            const rows = await walk(cast.owner, `${base}cursor=&page_size=${size}`);
            assert.deepEqual(ids(rows), whole);
        });
    }

    test('unread/ and replies/', async () => {
        const root = await say(cast.owner, cast, 'root');
        for (let n = 0; n < 7; n++)
            await say(cast.owner, cast, `reply ${n}`, { reply_to: root.id });
        const replies = `/api/messages/${root.id}/replies/?page_size=3&cursor=`;
        assert.equal((await walk(cast.owner, replies)).length, 7);
        const unread = await walk(cast.member, '/api/messages/unread/?page_size=9&cursor=');
        assert.equal(unread.length, COUNT + 8);
    });

    test('rows that come meanwhile make no gap and no double', async () => {
        const c = await makeCast(server, cast);
        await sayMany(c.owner, c, 12);
        const seen = [];
        let target = `/api/messages/?conversation=${c.id}&page_size=5&cursor=`;
        for (let n = 0; target && n < 20; n++) {
            const body = ok(await c.member.get(target));
            seen.push(...body.results.map((row) => row.seq));
            await say(c.owner, c, 'meanwhile');
            target = body.next && toPath(c.member, body.next);
        }
        assert.deepEqual(
            seen,
            Array.from({ length: 12 }, (_, n) => 12 - n),
        );
    });

    test('what is no cursor of this list', async () => {
        const { next } = await get(path, { cursor: '', page_size: 2 });
        const good = new URL(next).searchParams.get('cursor');
        for (const cursor of [
            'x',
            '%',
            'AAAA',
            good.slice(0, -1),
            `${good}A`,
            'x'.repeat(5000),
            '\u0000x',
        ]) {
            err(await cast.owner.get(path, { cursor }), 400, 'bad_cursor');
        }
        err(await cast.owner.get('/api/users/', { cursor: good }), 400, 'bad_cursor');
        const other = await cast.owner.get(path, { cursor: good, ordering: '-sent_at' });
        err(other, 400, 'bad_cursor');
    });

    test('a cursor is no capability', async () => {
        const { next } = await get(path, { cursor: '', page_size: 2 });
        err(await cast.stranger.get(toPath(cast.owner, next)), 403, 'not_participant');
    });
});

describe('depth', () => {
    const MESSAGES = 10_060;
    let deep, user, talk;
    before(async () => {
        deep = await startServer();
        const args = [
            'seed-demo',
            '--users',
            '3',
            '--conversations',
            '1',
            '--messages',
            `${MESSAGES}`,
        ];
        const end = await deep.cli(args);
        assert.equal(end.code, 0, end.stderr);
        const email = /[\w.+-]+@[\w.-]+\.\w+/.exec(end.stdout)?.[0] ?? 'user0@example.com';
        const words = end.stdout.split(/[\s"',]+/);
        user = await firstLogin(email, [
            'demo-Passw0rd',
            ...words.filter((word) => word.length >= 8),
        ]);
        const rows = ok(await user.get('/api/conversations/')).results;
        talk = rows.find((row) => row.last_seq >= MESSAGES);
        assert.ok(talk, 'the seeded conversation');
    });
    after(() => deep?.stop());

    async function firstLogin(email, passwords) {
        for (const password of passwords.slice(0, 12)) {
            const res = await send(deep, 'POST', '/api/token/', { json: { email, password } });
            if (res.status === 200) return login(deep, email, password);
        }
        return login(deep, email, PASSWORD);
    }
    const messages = (query) => user.get(`/api/conversations/${talk.id}/messages/`, query);

    test('the count is exact without a filter, capped with one', async () => {
        contains(ok(await messages({ page_size: 1 })), { count: MESSAGES });
        const capped = ok(await messages({ sent_after: '2000-01-01', page_size: 1 }));
        contains(capped, { count: 10_000, count_capped: true });
        const flat = ok(await user.get('/api/messages/', { page_size: 1 }));
        contains(flat, { count: MESSAGES });
    });

    test('pages beyond row 10,000', async () => {
        const at = ok(await messages({ page: 100, page_size: 100 }));
        assert.equal(at.results.length, 100);
        const res = await messages({ page: 101, page_size: 100 });
        err(res, 400, 'page_too_deep');
        err(await messages({ page: 501, page_size: 20 }), 400, 'page_too_deep');
        ok(await messages({ page: 500, page_size: 20 }));
    });

    test('cursors go there', async () => {
        const rows = await walk(
            user,
            `/api/conversations/${talk.id}/messages/?cursor=&page_size=100`,
        );
        assert.equal(rows.length, MESSAGES);
        assert.equal(rows[0].seq, 1);
        assert.equal(rows.at(-1).seq, talk.last_seq);
    });

    test('the last page of a deep list', async () => {
        const last = ok(await messages({ page: 'last', page_size: 100 }));
        assert.equal(last.results.at(-1).seq, talk.last_seq);
        assert.equal(last.results.length, MESSAGES % 100);
    });

    test('links that no number may have are cursors', async () => {
        const follow = async (target) => ok(await user.get(toPath(user, target)));
        const end = ok(await messages({ page: 100, page_size: 100 }));
        const behind = await follow(end.next);
        assert.equal(behind.results[0].seq, end.results.at(-1).seq + 1);
        const last = ok(await messages({ page: 'last', page_size: 100 }));
        const before = await follow(last.previous);
        assert.equal(before.results.at(-1).seq, last.results[0].seq - 1);
        assert.equal(before.results.length, 100);
    });

    test('behind a capped count there is more', async () => {
        const end = ok(await messages({ sent_after: '2000-01-01', page: 100, page_size: 100 }));
        contains(end, { current_page: 100, total_pages: 100, count_capped: true });
        const behind = ok(await user.get(toPath(user, end.next)));
        assert.equal(behind.results[0].seq, end.results.at(-1).seq + 1);
    });

    test('a cursor for the end', async () => {
        const end = ok(await messages({ cursor: 'last', page_size: 100 }));
        assert.equal(end.results.at(-1).seq, talk.last_seq);
        assert.equal(end.results.length, 100);
        assert.equal(end.next, null);
        const before = ok(await user.get(toPath(user, end.previous)));
        assert.equal(before.results.at(-1).seq, end.results[0].seq - 1);
        const back = ok(await user.get(toPath(user, before.next)));
        assert.deepEqual(back.results, end.results);
    });

    test('a search looks at enough and says when it did not', async () => {
        const body = ok(await messages({ message_body: 'e', page_size: 1 }));
        assert.ok(body.count > 0);
        assert.ok(body.truncated === undefined || body.truncated === true);
    });

    test('the same seed makes the same rows', async (t) => {
        const other = await startServer();
        t.after(() => other.stop());
        const args = ['seed-demo', '--users', '3', '--conversations', '1', '--messages', '50'];
        assert.equal((await other.cli(args)).code, 0);
        const again = await startServer();
        t.after(() => again.stop());
        assert.equal((await again.cli(args)).code, 0);
        const bodies = [];
        for (const one of [other, again]) {
            const me = await login(one, user.email, user.password);
            bodies.push(ok(await me.get('/api/messages/', { page_size: 100 })).results);
        }
        const plain = (rows) =>
            rows.map(({ id, message_body, seq, sent_at }) => ({ id, message_body, seq, sent_at }));
        assert.deepEqual(plain(bodies[0]), plain(bodies[1]));
        assert.equal(bodies[0].length, 50);
        const known = await register(other);
        ok(await known.get('/api/users/'));
    });
});
