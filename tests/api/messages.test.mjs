// Messages: sending (flat, nested, every alias), editing, history, deleting, replies, pins.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import {
    anonymous,
    makeAdmin,
    makeCast,
    makeConversation,
    say,
    sayMany,
} from '../lib/client.mjs';
import {
    BLANK,
    NO_UUID,
    NULL,
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
import { assertShape, assertTwins, message as shape, page } from '../lib/shapes.mjs';

let server, api, admin, cast;

before(async () => {
    server = await startServer();
    api = anonymous(server);
    admin = await makeAdmin(server);
    cast = await makeCast(server);
});
after(() => server?.stop());

const FLAT = '/api/messages/';
const by = (id) => `${FLAT}${id}/`;
const nested = (c = cast) => `${c.path}messages/`;
const flat = (input, user = cast.member) => user.post(FLAT, { conversation: cast.id, ...input });

describe('sending', () => {
    test('nested: the whole message', async () => {
        const res = await cast.member.post(nested(), { message_body: 'hello' });
        const body = assertTwins(assertShape(shape, ok(res, 201)));
        contains(body, {
            conversation: cast.id,
            sender_id: cast.member.id,
            message_body: 'hello',
            metadata: {},
            edited: false,
            edited_at: null,
            deleted: false,
            reply_to: null,
            client_id: null,
            attachments: [],
            is_read: false,
        });
        contains(body.sender, { id: cast.member.id, username: cast.member.username });
        const again = ok(await cast.member.get(by(body.id)));
        assert.deepEqual({ ...again, sender: 0 }, { ...body, sender: 0 });
        contains(ok(await cast.owner.get(`${nested()}${body.id}/`)), {
            id: body.id,
            client_id: null,
        });
    });

    test('flat, under each name of each field', async () => {
        for (const conversation of ['conversation', 'conversation_id']) {
            for (const text of ['message_body', 'content', 'text']) {
                const input = { [conversation]: cast.id, [text]: `${conversation} ${text}` };
                const body = ok(await cast.member.post(FLAT, input), 201);
                contains(body, { conversation: cast.id, message_body: input[text] });
            }
        }
    });

    test('nested, on each alias of the route', async () => {
        for (const name of ['add_message', 'send_message', 'send-message', 'send', 'messages']) {
            const body = ok(await cast.member.post(`${cast.path}${name}/`, { content: name }), 201);
            contains(body, { conversation: cast.id, message_body: name });
        }
    });

    test('seq is dense, rev grows, order is kept', async () => {
        const c = await makeCast(server, cast);
        const said = await sayMany(c.owner, c, 5);
        assert.deepEqual(
            said.map((m) => m.seq),
            [1, 2, 3, 4, 5],
        );
        for (const [n, m] of said.entries()) if (n) assert.ok(m.rev > said[n - 1].rev);
        const body = assertShape(page(shape), ok(await c.member.get(nested(c))));
        assert.deepEqual(ids(body.results), ids(said), 'nested: chronological');
        const all = ok(await c.member.get(FLAT, { conversation: c.id }));
        assert.deepEqual(ids(all.results), ids(said).reverse(), 'flat: newest first');
    });

    test('many at once: dense, each once', async () => {
        const c = await makeCast(server, cast);
        const users = [c.owner, c.moderator, c.member];
        const posts = Array.from({ length: 30 }, (_, n) => say(users[n % 3], c, `at once ${n}`));
        const said = (await Promise.all(posts)).sort((one, two) => one.seq - two.seq);
        assert.deepEqual(
            said.map((m) => m.seq),
            Array.from({ length: 30 }, (_, n) => n + 1),
        );
        for (const [n, m] of said.entries())
            if (n) assert.ok(m.sent_at > said[n - 1].sent_at, 'by time as by seq');
    });

    test('the text is trimmed, a number is text, the rest is kept', async () => {
        const cases = [
            ['  hi \n', 'hi'],
            [12.5, '12.5'],
            [7, '7'],
            ['line\nline', 'line\nline'],
            ['hé 😀 </script> a\u2028b', 'hé 😀 </script> a\u2028b'],
            ['\u00a0x\u3000', 'x'],
            ['"\\/\b\f\t', '"\\/\b'],
            ['a\u0001b', 'a\u0001b'],
        ];
        for (const [sent, stored] of cases) {
            assert.equal(ok(await flat({ content: sent }), 201).message_body, stored);
        }
        const res = await flat({ content: '</script> é a\u2028b\u2029c' });
        assert.match(
            res.text,
            /<\/script> é a\\u2028b\\u2029c/,
            'unescaped but for U+2028 and U+2029',
        );
    });

    test('10,000 characters, whatever their bytes', async () => {
        for (const one of ['x', 'é', '😀']) {
            const body = ok(await flat({ content: one.repeat(10_000) }), 201);
            assert.equal(body.message_body, one.repeat(10_000));
            invalid(await flat({ content: one.repeat(10_001) }), {
                message_body: ['Ensure this field has no more than 10000 characters.'],
            });
        }
        ok(await flat({ content: ` ${'x'.repeat(10_000)} ` }), 201);
    });

    test('bad texts', async () => {
        const cases = [
            [{}, REQUIRED],
            [{ message_body: '' }, BLANK],
            [{ message_body: ' \n\t\u3000' }, BLANK],
            [{ message_body: null }, NULL],
            [{ message_body: true }, 'Not a valid string.'],
            [{ message_body: { a: 1 } }, 'Not a valid string.'],
            [{ message_body: ['a'] }, 'Not a valid string.'],
            [{ message_body: 'a\u0000b' }, 'Null characters are not allowed.'],
        ];
        for (const [input, text] of cases) {
            invalid(await flat(input), { message_body: [text] });
            invalid(await cast.member.post(nested(), input), { message_body: [text] });
        }
        invalid(await flat({ content: '' }), { message_body: [BLANK] });
    });

    test('bad conversations', async () => {
        const send = (conversation) => cast.member.post(FLAT, { conversation, message_body: 'x' });
        invalid(await cast.member.post(FLAT, { message_body: 'x' }), { conversation: [REQUIRED] });
        invalid(await cast.member.post(FLAT, {}), {
            conversation: [REQUIRED],
            message_body: [REQUIRED],
        });
        invalid(await send('abc'), { conversation: ['“abc” is not a valid UUID.'] });
        invalid(await send(null), { conversation: [NULL] });
        for (const value of [true, {}, []]) invalid(await send(value), { conversation: true });
        err(
            await send(NO_UUID),
            403,
            'not_participant',
            'You are not a participant of this conversation.',
        );
        const stranger = await flat({ message_body: 'x' }, cast.stranger);
        err(stranger, 403, 'not_participant');
        invalid(await flat({}, cast.stranger), { message_body: [REQUIRED] });
    });

    test('nested: stranger 403, unknown 404', async () => {
        const path = (id) => `/api/conversations/${id}/messages/`;
        for (const method of ['get', 'post']) {
            err(await cast.stranger[method](nested()), 403, 'not_participant');
            notFound(await cast.stranger[method](path(NO_UUID)));
            notFound(await cast.stranger[method](path('abc')));
            unauthorized(await api[method](nested()));
        }
        err(await cast.stranger.post(nested(), { message_body: '' }), 403, 'not_participant');
    });

    test('the sender is always the caller; read-only fields are ignored', async () => {
        const input = {
            message_body: 'mine',
            sender: cast.owner.id,
            sender_id: cast.owner.id,
            id: NO_UUID,
            message_id: NO_UUID,
            seq: 999,
            rev: 999,
            is_read: true,
            sent_at: '2001-01-01T00:00:00Z',
        };
        const body = ok(await flat(input), 201);
        assert.equal(body.sender_id, cast.member.id);
        assert.notEqual(body.id, NO_UUID);
        assert.ok(body.seq < 999);
        assert.equal(body.is_read, false);
        assert.ok(!body.sent_at.startsWith('2001'));
    });

    test('an admin reads any conversation', async () => {
        const said = await say(cast.member, cast, 'for all eyes');
        ok(await admin.get(nested()));
        ok(await admin.get(by(said.id)));
    });

    test('metadata', async () => {
        const metadata = { colour: 'red', list: [1, { a: null }] };
        assert.deepEqual(ok(await flat({ content: 'm', metadata }), 201).metadata, metadata);
        invalid(await flat({ content: 'm', metadata: 'x' }), { metadata: true });
        invalid(await flat({ content: 'm', metadata: { x: 'y'.repeat(4096) } }), {
            metadata: true,
        });
    });

    test("sender's contacts are hidden from others", async () => {
        const said = await say(cast.member, cast, 'who am I');
        assert.equal(said.sender.email, cast.member.email);
        assert.equal(ok(await cast.owner.get(by(said.id))).sender.email, null);
    });
});

describe('replies', () => {
    test('reply_to and the thread', async () => {
        const root = await say(cast.owner, cast, 'question');
        const one = await say(cast.member, cast, 'answer', { reply_to: root.id });
        const two = await say(cast.owner, cast, 'thanks', { reply_to: root.id });
        assert.equal(one.reply_to, root.id);
        const body = ok(await cast.member.get(`${by(root.id)}replies/`));
        assert.deepEqual(ids(assertShape(page(shape), body).results), [one.id, two.id]);
        notFound(await cast.stranger.get(`${by(root.id)}replies/`));
    });

    test('to another conversation, to nothing, to a deleted one', async () => {
        const other = await makeCast(server, cast);
        const foreign = await say(other.owner, other, 'elsewhere');
        invalid(await flat({ content: 'x', reply_to: foreign.id }), { reply_to: true });
        invalid(await flat({ content: 'x', reply_to: NO_UUID }), { reply_to: true });
        invalid(await flat({ content: 'x', reply_to: 'abc' }), { reply_to: true });
        assert.equal(ok(await flat({ content: 'x', reply_to: null }), 201).reply_to, null);
    });
});

describe('editing', () => {
    test('by the sender, flat and nested, PUT and PATCH, all aliases', async () => {
        const said = await say(cast.member, cast, 'one');
        let rev = said.rev;
        const edits = [
            ['patch', by(said.id), 'message_body'],
            ['put', by(said.id), 'message_body'],
            ['patch', `${nested()}${said.id}/`, 'content'],
            ['put', `${nested()}${said.id}/`, 'text'],
        ];
        for (const [n, [method, path, field]] of edits.entries()) {
            const body = ok(await cast.member[method](path, { [field]: ` edit ${n} ` }));
            assertShape(shape, body);
            contains(body, { id: said.id, message_body: `edit ${n}`, edited: true, seq: said.seq });
            assert.ok(body.edited_at >= said.sent_at);
            assert.ok(body.rev > rev);
            assert.equal(body.sent_at, said.sent_at);
            rev = body.rev;
        }
    });

    test('by nobody else', async () => {
        const said = await say(cast.member, cast, 'mine');
        for (const user of [cast.owner, cast.moderator]) {
            const text = 'Only the sender may change this message.';
            err(await user.patch(by(said.id), { content: 'x' }), 403, 'not_sender', text);
            err(await user.put(`${nested()}${said.id}/`, { content: 'x' }), 403, 'not_sender');
        }
        ok(await admin.patch(by(said.id), { content: 'x' }), 403);
        notFound(await cast.stranger.patch(by(said.id), { content: 'x' }));
        err(
            await cast.stranger.patch(`${nested()}${said.id}/`, { content: 'x' }),
            403,
            'not_participant',
        );
        unauthorized(await api.patch(by(said.id), { content: 'x' }));
        assert.equal(ok(await cast.member.get(by(said.id))).message_body, 'mine');
    });

    test('PATCH with nothing or read-only fields changes nothing; PUT needs the text', async () => {
        const said = await say(cast.member, cast, 'still');
        for (const input of [{}, { is_read: true, conversation: NO_UUID, seq: 9 }]) {
            const body = ok(await cast.member.patch(by(said.id), input));
            contains(body, { message_body: 'still', rev: said.rev, edited: false });
        }
        invalid(await cast.member.put(by(said.id), {}), { message_body: [REQUIRED] });
        invalid(await cast.member.patch(by(said.id), { message_body: '' }), {
            message_body: [BLANK],
        });
    });

    test('rev in the body or If-Match must be the present one', async () => {
        const said = await say(cast.member, cast, 'v1');
        const two = ok(await cast.member.patch(by(said.id), { content: 'v2', rev: said.rev }));
        err(
            await cast.member.patch(by(said.id), { content: 'v3', rev: said.rev }),
            409,
            'rev_mismatch',
        );
        const match = (value) => ({ headers: { 'if-match': value } });
        const stale = await cast.member.patch(
            by(said.id),
            { content: 'v3' },
            match(`"${said.rev}"`),
        );
        err(stale, 409, 'rev_mismatch');
        assert.equal(ok(await cast.member.get(by(said.id))).message_body, 'v2');
        const three = ok(
            await cast.member.patch(by(said.id), { content: 'v3' }, match(`"${two.rev}"`)),
        );
        ok(await cast.member.patch(by(said.id), { content: 'v4' }, match('*')));
        assert.ok(three.rev > two.rev);
        invalid(await cast.member.patch(by(said.id), { content: 'v5', rev: 'x' }), { rev: true });
        err(await cast.owner.patch(by(said.id), { content: 'v5', rev: 1 }), 403, 'not_sender');
    });

    test('two edits of one rev at once: one wins', async () => {
        const said = await say(cast.member, cast, 'race');
        const edit = (n) => cast.member.patch(by(said.id), { content: `race ${n}`, rev: said.rev });
        const answers = await Promise.all([1, 2, 3, 4].map(edit));
        const good = answers.filter((res) => res.status === 200);
        assert.equal(good.length, 1);
        for (const res of answers) if (res.status !== 200) err(res, 409, 'rev_mismatch');
    });

    test('history: earlier bodies with time and editor, for participants', async () => {
        const said = await say(cast.member, cast, 'first');
        ok(await cast.member.patch(by(said.id), { content: 'second' }));
        ok(await cast.member.patch(by(said.id), { content: 'third' }));
        const body = ok(await cast.owner.get(`${by(said.id)}history/`));
        assert.deepEqual(
            body.results.map((row) => [row.n, row.message_body, row.editor_id]),
            [
                [1, 'first', cast.member.id],
                [2, 'second', cast.member.id],
            ],
        );
        assert.equal(body.results[0].written_at, said.sent_at);
        assert.equal(body.results[1].editor.email, null, 'no contacts of others');
        notFound(await cast.stranger.get(`${by(said.id)}history/`));
        notFound(await cast.owner.get(`${by(NO_UUID)}history/`));
        const fresh = await say(cast.member, cast, 'never edited');
        const none = ok(await cast.member.get(`${by(fresh.id)}history/`));
        assert.equal(none.count, 0);
    });
});

describe('one message', () => {
    test('flat: strangers 404; nested: 403, another conversation 404', async () => {
        const said = await say(cast.member, cast, 'here');
        notFound(await cast.stranger.get(by(said.id)));
        err(await cast.stranger.get(`${nested()}${said.id}/`), 403, 'not_participant');
        const other = await makeCast(server, cast);
        notFound(await cast.member.get(`${nested(other)}${said.id}/`));
        notFound(await cast.member.get(by(NO_UUID)));
        notFound(await cast.member.get(by('abc')));
        notFound(await cast.member.get(`${nested()}abc/`));
        unauthorized(await api.get(by(said.id)));
        ok(await cast.member.get(by(said.id.toUpperCase())));
    });
});

describe('deleting', () => {
    const table = [
        ['member', 'member', 204],
        ['owner', 'member', 204],
        ['moderator', 'member', 204],
        ['admin', 'member', 204],
        ['owner', 'moderator', 204],
        ['moderator', 'moderator', 204],
        ['moderator', 'owner', 403],
        ['admin', 'owner', 204],
        ['owner', 'owner', 204],
        ['member', 'owner', 403],
        ['member', 'moderator', 403],
        ['stranger', 'member', 404],
    ];
    for (const [actor, sender, status] of table) {
        test(`${actor} deletes what ${sender} sent: ${status}`, async () => {
            const said = await say(cast[sender], cast, 'to be deleted');
            const user = actor === 'admin' ? admin : cast[actor];
            const res = await user.delete(by(said.id));
            assert.equal(res.status, status, res.text);
            if (status === 204) notFound(await cast.owner.get(by(said.id)));
            else ok(await cast.owner.get(by(said.id)));
        });
    }

    test('leaves a tombstone that only ?deleted=1 shows', async () => {
        const c = await makeCast(server, cast);
        const [one, two, three] = await sayMany(c.member, c, 3, 'secret words');
        ok(await c.member.patch(by(two.id), { content: 'edited secret words' }));
        const res = await c.member.delete(`${nested(c)}${two.id}/`);
        assert.equal(res.status, 204);
        assert.equal(res.text, '');
        for (const user of [c.member, c.owner, admin]) {
            notFound(await user.get(by(two.id)));
            notFound(await user.get(`${nested(c)}${two.id}/`));
            notFound(await user.get(`${by(two.id)}history/`));
            notFound(await user.patch(by(two.id), { content: 'back' }));
            notFound(await user.delete(by(two.id)));
        }
        const list = ok(await c.owner.get(nested(c)));
        assert.deepEqual(ids(list.results), [one.id, three.id]);
        for (const path of [nested(c), `${FLAT}?conversation=${c.id}`]) {
            const body = ok(await c.owner.get(path, { deleted: 1 }));
            const tomb = assertShape(
                shape,
                body.results.find((row) => row.id === two.id),
            );
            contains(tomb, { deleted: true, message_body: '', seq: two.seq, metadata: {} });
            assert.ok(tomb.rev > three.rev);
            assert.ok(!JSON.stringify(tomb).includes('secret'));
        }
        const next = await say(c.owner, c, 'goes on');
        assert.equal(next.seq, 4, 'never a hole, never again the same');
        contains(ok(await c.owner.get(c.path)), { last_seq: 4 });
        const none = ok(await c.owner.get(FLAT, { conversation: c.id, search: 'secret words 2' }));
        assert.equal(none.results.length, 0);
    });
});

describe('pins', () => {
    test('owner, moderators, admins; not members', async () => {
        const said = await say(cast.member, cast, 'pin me');
        for (const path of [by(said.id), `${nested()}${said.id}/`]) {
            for (const user of [cast.owner, cast.moderator, admin]) {
                const pinned = ok(await user.post(`${path}pin/`, {}));
                contains(assertShape(shape, pinned), { id: said.id, pinned: true });
                const again = ok(await user.post(`${path}pin/`, {}));
                assert.equal(again.rev, pinned.rev, 'no change, no rev');
                const free = ok(await user.post(`${path}unpin/`, {}));
                contains(free, { pinned: false, rev: pinned.rev + 1 });
            }
            err(await cast.member.post(`${path}pin/`, {}), 403, 'permission_denied');
            err(await cast.member.post(`${path}unpin/`, {}), 403);
        }
        notFound(await cast.stranger.post(`${by(said.id)}pin/`, {}));
        notFound(await cast.owner.post(`${by(NO_UUID)}pin/`, {}));
    });
});

describe('a note to self', () => {
    test('has a sender and no unread', async () => {
        const self = await makeConversation(cast.member);
        const said = await say(cast.member, self, 'remember');
        assert.equal(said.seq, 1);
        contains(ok(await cast.member.get(`/api/conversations/${self.id}/`)), { unread_count: 0 });
        notFound(await cast.owner.get(by(said.id)));
    });
});
