// Lists of messages: every filter under every name, ordering, seq windows, unread, the named lists.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { anonymous, makeCast, register, say, sayMany } from '../lib/client.mjs';
import {
    NO_UUID,
    REQUIRED,
    contains,
    err,
    ids,
    invalid,
    notFound,
    ok,
    unauthorized,
} from '../lib/expect.mjs';
import { startServer } from '../lib/server.mjs';
import { assertShape, list, message as shape, page } from '../lib/shapes.mjs';

let server, api, one, two, said;

before(async () => {
    server = await startServer();
    api = anonymous(server);
    one = await makeCast(server);
    two = await makeCast(server, {
        owner: one.owner,
        member: await register(server, { username: 'zora' }),
    });
    said = {
        hello: await say(one.owner, one, 'Hello World, good morning'),
        fruit: await say(one.member, one, 'Apples and PEARS 100%'),
        other: await say(two.member, two, 'hello from the other room'),
        umlaut: await say(one.moderator, one, 'Grüße aus KÖLN_1'),
        last: await say(one.owner, one, 'good night'),
    };
});
after(() => server?.stop());

const FLAT = '/api/messages/';
const nested = (c = one) => `${c.path}messages/`;
const get = async (query, path = FLAT, user = one.owner) => ok(await user.get(path, query)).results;
const expectRows = async (query, wanted, path = FLAT, user = one.owner) => {
    const rows = ids(await get(query, path, user)).sort();
    assert.deepEqual(rows, wanted.map((name) => said[name].id).sort(), JSON.stringify(query));
};
const ALL = ['hello', 'fruit', 'other', 'umlaut', 'last'];
const FIRST = ['hello', 'fruit', 'umlaut', 'last'];

describe('the flat list', () => {
    test('is all that I may see, newest first', async () => {
        const body = assertShape(page(shape), ok(await one.owner.get(FLAT)));
        assert.equal(body.count, 5);
        assert.deepEqual(ids(body.results), ALL.map((name) => said[name].id).reverse());
        await expectRows({}, FIRST, FLAT, one.member);
        await expectRows({}, [], FLAT, one.stranger);
        unauthorized(await api.get(FLAT));
    });

    test('conversation', async () => {
        for (const field of ['conversation', 'conversation_id']) {
            await expectRows({ [field]: one.id }, FIRST);
            await expectRows({ [field]: one.id.toUpperCase() }, FIRST);
            await expectRows({ [field]: NO_UUID }, []);
            await expectRows({ [field]: two.id }, [], FLAT, one.member);
        }
        invalid(await one.owner.get(FLAT, { conversation: 'abc' }), {
            conversation: ['Enter a valid UUID.'],
        });
    });

    test('sender, by id, username, e-mail; sender_username contains', async () => {
        await expectRows({ sender: one.member.id }, ['fruit']);
        await expectRows({ sender: one.member.username }, ['fruit']);
        await expectRows({ sender: one.owner.email }, ['hello', 'last'], FLAT, one.owner);
        await expectRows({ sender: one.owner.email }, [], FLAT, one.member);
        await expectRows({ sender: 'nobody' }, []);
        await expectRows({ sender: NO_UUID }, []);
        await expectRows({ sender_username: 'ZOR' }, ['other']);
        await expectRows({ sender_username: 'nobody' }, []);
        await expectRows({ sender: one.owner.id, conversation: two.id }, []);
    });

    test('participant: conversations with that one', async () => {
        await expectRows({ participant: two.member.id }, ['other']);
        await expectRows({ participant: 'zora' }, ['other']);
        await expectRows({ participant: one.owner.id }, ALL);
        await expectRows({ participant: 'nobody' }, []);
    });

    for (const field of ['message_body', 'content', 'message_content', 'message_contains']) {
        test(`${field} contains, case ignored`, async () => {
            await expectRows({ [field]: 'HELLO' }, ['hello', 'other']);
            await expectRows({ [field]: 'orld, go' }, ['hello']);
            await expectRows({ [field]: 'pears 100%' }, ['fruit']);
            await expectRows({ [field]: '%' }, ['fruit']);
            await expectRows({ [field]: '_' }, ['umlaut']);
            await expectRows({ [field]: 'köln' }, ['umlaut']);
            await expectRows({ [field]: "x' OR '1'='1" }, []);
        });
    }

    test('search: every word', async () => {
        for (const field of ['search', 'q']) {
            await expectRows({ [field]: 'good' }, ['hello', 'last']);
            await expectRows({ [field]: 'MORNING good' }, ['hello']);
            await expectRows({ [field]: 'morning,good' }, ['hello']);
            await expectRows({ [field]: 'morning night' }, []);
        }
        const body = ok(await one.owner.get(`${FLAT}search/`, { q: 'apples' }));
        assertShape(page(shape), body);
        assert.deepEqual(ids(body.results), [said.fruit.id]);
        ok(await one.owner.get(`${FLAT}?search=hel%00lo`));
    });

    test('search: ten words, not eleven', async () => {
        const words = Array(10).fill('good');
        for (const path of [FLAT, nested(), `${FLAT}search/`, `${FLAT}unread/`]) {
            ok(await one.owner.get(path, { search: words.join(' ') }));
            invalid(await one.owner.get(path, { q: [...words, 'more'].join(', ') }), {
                search: ['Search for at most 10 words.'],
            });
        }
    });

    for (const [from, to] of [
        ['sent_after', 'sent_before'],
        ['start_date', 'end_date'],
        ['sent_at_after', 'sent_at_before'],
        ['sent_at__gte', 'sent_at__lte'],
        ['created_after', 'created_before'],
        ['timestamp_after', 'timestamp_before'],
        ['from_date', 'to_date'],
    ]) {
        test(`${from} and ${to}`, async () => {
            const { sent_at: middle } = said.other;
            await expectRows({ [from]: middle }, ['other', 'umlaut', 'last']);
            await expectRows({ [to]: middle }, ['hello', 'fruit', 'other']);
            await expectRows({ [from]: said.fruit.sent_at, [to]: middle }, ['fruit', 'other']);
            await expectRows({ [from]: '2020-01-01' }, ALL);
            await expectRows({ [from]: '2020-01-01T00:00:00+02:00' }, ALL);
            await expectRows({ [to]: '2020-01-01' }, []);
            await expectRows({ [from]: '2020-01-01 00:00', [to]: '2999-12-31' }, ALL);
            await expectRows({ [from]: '' }, ALL);
            const body = ok(
                await one.owner.get(FLAT, { [from]: 'yesterday', [to]: '2020-13-01' }),
                400,
            );
            assert.equal(Object.keys(body).length, 2);
            for (const texts of Object.values(body))
                assert.deepEqual(texts, ['Enter a valid date/time.']);
        });
    }

    test('sent_date', async () => {
        const day = said.hello.sent_at.slice(0, 10);
        const rows = await get({ sent_date: day });
        for (const row of rows) assert.ok(row.sent_at.startsWith(day));
        assert.ok(ids(rows).includes(said.hello.id));
        await expectRows({ sent_date: '2020-01-01' }, []);
        ok(await one.owner.get(FLAT, { sent_date: 'x' }), 400);
    });

    test('several bad values are said at once', async () => {
        const body = ok(await one.owner.get(FLAT, { conversation: 'x', sent_after: 'y' }), 400);
        assert.deepEqual(Object.keys(body).sort(), ['conversation', 'sent_after']);
    });

    test('ordering', async () => {
        const up = ids(await get({ ordering: 'sent_at' }));
        assert.deepEqual(
            up,
            ALL.map((name) => said[name].id),
        );
        assert.deepEqual(ids(await get({ ordering: '-sent_at' })), [...up].reverse());
        assert.deepEqual(ids(await get({ ordering: 'message_body' })), [...up].reverse());
    });

    test('unknown parameters and is_read=maybe filter nothing', async () => {
        await expectRows({ nope: 1 }, ALL);
        await expectRows({ is_read: 'maybe' }, ALL);
    });
});

describe('the nested list', () => {
    test('takes the same filters, chronologically', async () => {
        assert.deepEqual(
            ids(await get({}, nested())),
            FIRST.map((name) => said[name].id),
        );
        await expectRows({ sender: one.member.id }, ['fruit'], nested());
        await expectRows({ message_body: 'good' }, ['hello', 'last'], nested());
        await expectRows({ search: 'hello' }, ['hello'], nested());
        await expectRows({ sent_after: said.umlaut.sent_at }, ['umlaut', 'last'], nested());
        const down = await get({ ordering: '-sent_at' }, nested());
        assert.deepEqual(ids(down), FIRST.map((name) => said[name].id).reverse());
    });

    test('before_seq, after_seq, around_seq with limit', async () => {
        const c = await makeCast(server, one);
        await sayMany(c.owner, c, 30);
        const seqs = async (query) => (await get(query, nested(c))).map((row) => row.seq);
        const run = (from, to) => Array.from({ length: to - from + 1 }, (_, n) => from + n);
        assert.deepEqual(await seqs({ before_seq: 10, limit: 3 }), run(7, 9));
        assert.deepEqual(await seqs({ after_seq: 10, limit: 3 }), run(11, 13));
        assert.deepEqual(await seqs({ before_seq: 3, limit: 10 }), run(1, 2));
        assert.deepEqual(await seqs({ after_seq: 28 }), run(29, 30));
        assert.deepEqual(await seqs({ after_seq: 30 }), []);
        assert.deepEqual(await seqs({ before_seq: 1 }), []);
        const around = await seqs({ around_seq: 15, limit: 5 });
        assert.ok(around.includes(15) && around.length <= 5, `${around}`);
        assert.deepEqual(around, run(around[0], around.at(-1)), 'no hole');
        assert.ok(around[0] < 15 && around.at(-1) > 15, 'both sides');
        assert.deepEqual(await seqs({ after_seq: 0, limit: 100 }), run(1, 30));
        for (const bad of ['x', '-', '1.5'])
            invalid(await c.owner.get(nested(c), { after_seq: bad }), { after_seq: true });
    });

    test('is for participants', async () => {
        err(await one.stranger.get(nested()), 403, 'not_participant');
        notFound(await one.stranger.get(`/api/conversations/${NO_UUID}/messages/`));
    });
});

// The members of a small conversation are read at once, those of a larger one as far as they are needed.
describe('senders and read marks', () => {
    for (const more of [0, 13, 14]) {
        test(`of a conversation of ${more + 3}, one of whom leaves`, async () => {
            const c = await makeCast(server);
            for (let n = 0; n < more; n++) {
                const { id } = await register(server);
                ok(await c.owner.post(`${c.path}participants/`, { user_id: id }), 201);
            }
            const people = [c.owner, c.moderator, c.member];
            for (const user of people) await say(user, c, `from ${user.id}`);
            const show = async (user) =>
                (await get({}, nested(c), user)).map((row) => [row.sender.id, row.is_read]);
            const senders = people.map((user) => user.id);
            const marked = (marks) => senders.map((id, i) => [id, marks[i]]);
            assert.deepEqual(await show(c.member), marked([true, true, false]));
            ok(await c.owner.delete(`${c.path}participants/${c.member.id}/`), 204);
            assert.deepEqual(await show(c.moderator), marked([true, false, false]));
            ok(await c.owner.post(`${c.path}read/`, { seq: 3 }));
            const byAll = more === 0;
            assert.deepEqual(await show(c.moderator), marked([true, byAll, false]));
            assert.deepEqual(await show(c.owner), marked([byAll, true, true]));
        });
    }
});

describe('unread', () => {
    const unread = async (user, query) => ids(await get(query, `${FLAT}unread/`, user));
    let c;
    before(async () => {
        c = await makeCast(server);
        await sayMany(c.owner, c, 3, 'news');
        await say(c.moderator, c, 'and more');
    });

    test('lists what others sent and I have not read', async () => {
        assert.equal((await unread(c.member)).length, 4);
        assert.equal((await unread(c.moderator)).length, 0, 'sending reads up to it');
        assert.equal((await unread(c.owner)).length, 1);
        const body = ok(await c.member.get(`${FLAT}unread/`, { page_size: 2 }));
        assertShape(page(shape), body);
        contains(body, { count: 4, page_size: 2, total_pages: 2 });
    });

    test('is_read', async () => {
        assert.equal((await get({ is_read: 'false' }, FLAT, c.member)).length, 4);
        assert.equal((await get({ is_read: 'true' }, FLAT, c.member)).length, 0);
    });

    test('mark_as_read reads up to that message', async () => {
        const rows = await get({}, nested(c), c.member);
        ok(await c.member.post(`${FLAT}${rows[1].id}/mark_as_read/`, {}));
        assert.deepEqual((await unread(c.member)).sort(), [rows[2].id, rows[3].id].sort());
        assert.equal((await get({ is_read: 'true' }, FLAT, c.member)).length, 2);
        notFound(await c.stranger.post(`${FLAT}${rows[1].id}/mark_as_read/`, {}));
        notFound(await c.member.post(`${FLAT}${NO_UUID}/mark_as_read/`, {}));
    });

    test('mark-all-read', async () => {
        const other = await makeCast(server, { ...c, stranger: c.stranger });
        await say(other.owner, other, 'elsewhere too');
        assert.ok((await unread(c.member)).length >= 3);
        ok(await c.member.post(`${FLAT}mark-all-read/`, {}));
        assert.deepEqual(await unread(c.member), []);
        contains(ok(await c.member.get(c.path)), { unread_count: 0 });
        contains(ok(await c.member.get(other.path)), { unread_count: 0 });
        assert.equal((await unread(c.owner)).length, 1, "only the caller's");
        ok(await c.member.post(`${FLAT}mark-all-read/`, {}));
        unauthorized(await api.post(`${FLAT}mark-all-read/`, {}));
    });

    test('unread_count stays last_seq - read_seq after a deletion', async () => {
        const d = await makeCast(server);
        const rows = await sayMany(d.owner, d, 3);
        assert.equal((await d.owner.delete(`${FLAT}${rows[2].id}/`)).status, 204);
        contains(ok(await d.member.get(d.path)), { unread_count: 3, last_seq: 3 });
        assert.equal((await unread(d.member)).length, 2, 'tombstones are not listed');
    });
});

describe('the named lists', () => {
    test('my_messages', async () => {
        const path = `${FLAT}my_messages/`;
        const body = assertShape(page(shape), ok(await one.owner.get(path)));
        for (const row of body.results) assert.equal(row.sender_id, one.owner.id);
        await expectRows({ conversation: one.id }, ['hello', 'last'], path);
        await expectRows({}, ['fruit'], path, one.member);
        unauthorized(await api.get(path));
    });

    test('by_user', async () => {
        const body = ok(await one.owner.get(`${FLAT}by_user/`, { user_id: one.member.id }));
        assertShape(page(shape), body);
        assert.deepEqual(ids(body.results), [said.fruit.id]);
        const none = ok(await one.owner.get(`${FLAT}by_user/`, { user_id: NO_UUID }));
        assert.equal(none.results.length, 0);
        invalid(await one.owner.get(`${FLAT}by_user/`), { user_id: [REQUIRED] });
    });

    test('by_conversation: a bare list, the newest 100, chronological', async () => {
        const path = `${FLAT}by_conversation/`;
        const rows = ok(await one.owner.get(path, { conversation_id: one.id }));
        assertShape(list(shape), rows);
        assert.deepEqual(
            ids(rows),
            FIRST.map((name) => said[name].id),
        );
        const c = await makeCast(server, one);
        await sayMany(c.owner, c, 103);
        const newest = ok(await c.member.get(path, { conversation_id: c.id }));
        assert.deepEqual(
            newest.map((row) => row.seq),
            Array.from({ length: 100 }, (_, n) => n + 4),
        );
        for (const conversation_id of [one.id, NO_UUID]) {
            assert.deepEqual(ok(await one.stranger.get(path, { conversation_id })), []);
        }
        invalid(await one.owner.get(path, { conversation_id: 'abc' }), { conversation: true });
        invalid(await one.owner.get(path), { conversation_id: [REQUIRED] });
    });
});
