// Conversations: making them under every alias, detail, list and filters, change, delete.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import {
    anonymous,
    makeAdmin,
    makeCast,
    makeConversation,
    register,
    say,
    sayMany,
    unique,
    walk,
} from '../lib/client.mjs';
import {
    BLANK,
    NO_UUID,
    NULL,
    contains,
    err,
    ids,
    invalid,
    invalidSome,
    notFound,
    ok,
    unauthorized,
} from '../lib/expect.mjs';
import { startServer } from '../lib/server.mjs';
import { assertShape, assertTwins, conversation as shape, page } from '../lib/shapes.mjs';

let server, api, admin, alice, bob, carl;

before(async () => {
    server = await startServer();
    api = anonymous(server);
    admin = await makeAdmin(server);
    alice = await register(server, { username: 'alice' });
    bob = await register(server, { username: 'bob', first_name: 'Robert', last_name: 'Builder' });
    carl = await register(server, { username: 'carl' });
});
after(() => server?.stop());

const ROOT = '/api/conversations/';
const of = (id) => `${ROOT}${id}/`;
const post = (input, user = alice) => user.post(ROOT, input);
const people = (body) => body.participants.map((row) => row.id).sort();
const pair = (...users) => users.map((user) => user.id).sort();

describe('POST /api/conversations/', () => {
    test('the caller owns it and is a participant', async () => {
        const input = { participants: [bob.id], title: ' Plans ', metadata: { ticket: 7 } };
        const body = assertTwins(assertShape(shape, ok(await post(input), 201)));
        contains(body, {
            title: 'Plans',
            metadata: { ticket: 7 },
            closed: false,
            participant_count: 2,
            messages: [],
            last_seq: 0,
            message_count: 0,
            unread_count: 0,
        });
        assert.deepEqual(people(body), pair(alice, bob));
        const role = Object.fromEntries(body.participants.map((row) => [row.id, row.role]));
        assert.deepEqual(role, { [alice.id]: 'owner', [bob.id]: 'member' });
        assert.deepEqual(ok(await alice.get(of(body.id))), body);
    });

    for (const field of [
        'participants',
        'participant_ids',
        'participants_id',
        'participants_ids',
        'participant_id',
        'participant',
        'participants_emails',
    ]) {
        test(`${field}: list or one, id, username or e-mail`, async () => {
            const values = [
                bob.id,
                'bob',
                bob.email,
                [bob.id],
                ['bob', carl.email],
                [bob.id, alice.id],
            ];
            for (const value of values) {
                const body = ok(await post({ [field]: value }), 201);
                const many = Array.isArray(value) && value.includes(carl.email);
                assert.deepEqual(people(body), many ? pair(alice, bob, carl) : pair(alice, bob));
            }
        });
    }

    test('by form, with repeated keys', async () => {
        const body = `participants=${bob.id}&participants=${carl.id}&title=a+form`;
        const headers = { 'content-type': 'application/x-www-form-urlencoded' };
        const made = ok(await alice.request('POST', ROOT, { body, headers }), 201);
        assert.deepEqual(people(made), pair(alice, bob, carl));
        assert.equal(made.title, 'a form');
    });

    test('named twice: one row each', async () => {
        const made = ok(await post({ participants: [bob.id, 'bob', bob.email, bob.id] }), 201);
        assert.deepEqual(people(made), pair(alice, bob));
        assert.equal(made.participant_count, 2);
    });

    test('empty or absent: a note to self', async () => {
        for (const input of [{}, { participants: [] }, { participant_ids: [] }]) {
            assert.deepEqual(people(ok(await post(input), 201)), pair(alice));
        }
    });

    test('a first message', async () => {
        const body = ok(await post({ participants: [bob.id], message_body: ' First! ' }), 201);
        contains(body, { last_seq: 1, message_count: 1, unread_count: 0 });
        assert.equal(body.messages.length, 1);
        contains(body.messages[0], { message_body: 'First!', seq: 1, sender_id: alice.id });
        assert.equal(ok(await bob.get(of(body.id))).unread_count, 1);
    });

    test('direct: one for the pair, whoever asks; never a third', async () => {
        const dora = await register(server);
        const first = ok(await post({ participants: [dora.id], direct: true }), 201);
        const again = ok(await post({ participants: [dora.id], direct: true }));
        assert.equal(again.id, first.id);
        assert.equal(ok(await post({ participants: [alice.id], direct: true }, dora)).id, first.id);
        const plain = ok(await post({ participants: [dora.id] }), 201);
        assert.notEqual(plain.id, first.id);
        const third = await alice.post(`${of(first.id)}participants/`, { user_id: bob.id });
        invalid(third, { user_id: true });
        const set = { participants: [dora.id, bob.id] };
        invalid(await alice.patch(of(first.id), set), { participants: true });
        assert.deepEqual(people(ok(await alice.get(of(first.id)))), pair(alice, dora));
        ok(await post({ participants: [bob.id, carl.id], direct: true }), 400);
    });

    test('two who open the direct conversation at once get one', async () => {
        for (let n = 0; n < 12; n++) {
            const dora = await register(server);
            const answers = await Promise.all([
                ...Array.from({ length: 4 }, () => post({ participants: [dora.id], direct: true })),
                ...Array.from({ length: 4 }, () =>
                    post({ participants: [alice.id], direct: true }, dora),
                ),
            ]);
            const made = answers.map((res) => ok(res, 200, 201));
            assert.equal(new Set(ids(made)).size, 1);
            assert.equal(answers.filter((res) => res.status === 201).length, 1);
        }
    });

    test('unknown participants', async () => {
        const text = `Invalid pk "${NO_UUID}" - object does not exist.`;
        invalid(await post({ participants: [NO_UUID] }), { participants: [text] });
        for (const value of ['nobody', 'nobody@example.com', '', 7, true, {}, null, [null], [[]]]) {
            const res = await post({ participants: [value].flat() });
            ok(res, 400);
        }
        invalid(await post({ participants: null }), { participants: [NULL] });
    });

    test('any other key that begins with participant is 400', async () => {
        for (const key of ['participantz', 'participants_usernames', 'participant_count']) {
            ok(await post({ [key]: [bob.id] }), 400);
        }
        const made = ok(await post({ nope: 1, id: NO_UUID }), 201);
        const { participants, ...rest } = made;
        ok(await alice.put(of(made.id), { ...rest, title: 'Sent back' }));
    });

    test('metadata is an object of at most 4 KiB', async () => {
        for (const metadata of ['text', 1, [1], true])
            invalid(await post({ metadata }), { metadata: true });
        invalid(await post({ metadata: { x: 'y'.repeat(4096) } }), { metadata: true });
        const fits = { x: 'y'.repeat(4000), deep: { list: [1, 2.5, null, 'é'] } };
        assert.deepEqual(ok(await post({ metadata: fits }), 201).metadata, fits);
    });

    test('several things at once', async () => {
        const input = { participants: [NO_UUID], title: { a: 1 }, metadata: [1], message_body: '' };
        const body = ok(await post(input), 400);
        for (const name of ['participants', 'title', 'metadata', 'message_body']) {
            assert.ok(name in body, `${name}: ${JSON.stringify(body)}`);
        }
    });

    test('anonymous', async () => {
        unauthorized(await api.post(ROOT, { participants: [bob.id] }));
    });
});

describe('GET /api/conversations/', () => {
    let eva;
    before(async () => {
        eva = await register(server, { username: 'eva' });
        await makeConversation(eva, [bob], { title: 'Summer party' });
        await makeConversation(eva, [carl], { title: 'Winter' });
        await makeConversation(carl, [eva], { title: 'Autumn', message_body: 'unread by eva' });
        await makeConversation(bob, [carl], { title: 'Not hers' });
    });
    const titles = async (query, user = eva) =>
        ok(await user.get(ROOT, query)).results.map((row) => row.title);

    test('mine only, newest activity first, one message each', async () => {
        const body = assertShape(page(shape), ok(await eva.get(ROOT)));
        assert.equal(body.count, 3);
        assert.deepEqual(
            body.results.map((row) => row.title),
            ['Autumn', 'Winter', 'Summer party'],
        );
        assert.deepEqual(
            body.results.map((row) => row.messages.length),
            [1, 0, 0],
        );
        const summer = body.results[2];
        await say(eva, summer, 'wakes up');
        assert.deepEqual(await titles(), ['Summer party', 'Autumn', 'Winter']);
    });

    test('participant, by id, username or e-mail that may be seen', async () => {
        for (const field of ['participant', 'participants', 'participant_id']) {
            assert.deepEqual(await titles({ [field]: bob.id }), ['Summer party'], field);
            assert.deepEqual(await titles({ [field]: 'bob' }), ['Summer party'], field);
        }
        assert.deepEqual(await titles({ participant_username: 'BO' }), ['Summer party']);
        assert.deepEqual(await titles({ participant_email: bob.email }), [], 'not hers to see');
        assert.equal((await titles({ participant_email: eva.email })).length, 3);
        assert.equal((await titles({ participant: eva.id })).length, 3);
    });

    test('no match is an empty page', async () => {
        for (const participant of [NO_UUID, 'nobody', 'abc', 'bo']) {
            const body = ok(await eva.get(ROOT, { participant }));
            contains(body, { count: 0, results: [], next: null, previous: null });
        }
    });

    test('unread', async () => {
        assert.deepEqual(await titles({ unread: 'true' }), ['Autumn']);
        assert.deepEqual(await titles({ unread: '1' }), ['Autumn']);
        assert.deepEqual((await titles({ unread: 'false' })).sort(), ['Summer party', 'Winter']);
    });

    test('search: five words, not six', async () => {
        assert.deepEqual(await titles({ search: 'summer party, summer party summer' }), [
            'Summer party',
        ]);
        invalid(await eva.get(ROOT, { search: 'one two three four five six' }), {
            search: ['Search for at most 5 words.'],
        });
    });

    test('search in title and participants', async () => {
        assert.deepEqual(await titles({ search: 'summer' }), ['Summer party']);
        assert.deepEqual(await titles({ q: 'PARTY' }), ['Summer party']);
        assert.deepEqual(await titles({ search: 'builder' }), ['Summer party']);
        assert.deepEqual(await titles({ search: 'nothing' }), []);
        assert.deepEqual((await titles({ search: 'carl' })).sort(), ['Autumn', 'Winter']);
        const body = ok(await eva.get(`${ROOT}search/`, { q: 'summer' }));
        assertShape(page(shape), body);
        assert.equal(body.results.length, 1);
    });

    test('created_after and created_before take a date or a date-time', async () => {
        assert.equal((await titles({ created_after: '2020-01-01' })).length, 3);
        assert.equal((await titles({ created_after: '2020-01-01T00:00:00Z' })).length, 3);
        assert.equal((await titles({ created_before: '2020-01-01' })).length, 0);
        assert.equal((await titles({ created_before: '2999-01-01T00:00:00+02:00' })).length, 3);
        const rows = ok(await eva.get(ROOT, { ordering: 'created_at' })).results;
        const middle = rows[1].created_at;
        assert.equal((await titles({ created_after: middle })).length, 2, 'inclusive');
        assert.equal((await titles({ created_before: middle })).length, 2, 'inclusive');
        invalid(await eva.get(ROOT, { created_after: 'yesterday' }), {
            created_after: ['Enter a valid date/time.'],
        });
    });

    test('ordering', async () => {
        const up = await titles({ ordering: 'created_at' });
        assert.deepEqual(up, ['Summer party', 'Winter', 'Autumn']);
        assert.deepEqual(await titles({ ordering: '-created_at' }), [...up].reverse());
        const active = await titles({ ordering: 'updated_at' });
        assert.deepEqual(await titles({ ordering: '-updated_at' }), [...active].reverse());
        assert.deepEqual(await titles({ ordering: 'title' }), await titles());
    });

    test('an admin sees all with ?all=1, others do not', async () => {
        const hers = ids(ok(await eva.get(ROOT)).results);
        assert.deepEqual(await titles(undefined, admin), []);
        const rows = ids(await walk(admin, `${ROOT}?all=1&page_size=50`));
        for (const id of hers) assert.ok(rows.includes(id));
        assert.deepEqual(ids(ok(await eva.get(ROOT, { all: 1 })).results), hers);
    });

    test('?messages=', async () => {
        const talk = await makeConversation(eva, [bob], { title: unique('talk') });
        await sayMany(eva, talk, 22);
        const detail = async (query) =>
            ok(await eva.get(of(talk.id), query)).messages.map((m) => m.seq);
        const run = (from, to) => Array.from({ length: to - from + 1 }, (_, n) => from + n);
        assert.deepEqual(await detail(), run(3, 22), 'the newest 20, in order');
        assert.deepEqual(await detail({ messages: 0 }), []);
        assert.deepEqual(await detail({ messages: 3 }), run(20, 22));
        assert.deepEqual(await detail({ messages: 100 }), run(1, 22));
        const row = ok(await eva.get(ROOT, { messages: 2, page_size: 1 })).results[0];
        assert.deepEqual(
            row.messages.map((m) => m.seq),
            [21, 22],
        );
        for (const messages of ['101', '-1', 'x'])
            invalid(await eva.get(of(talk.id), { messages }), { messages: true });
    });
});

describe('one conversation', () => {
    let cast;
    before(async () => {
        cast = await makeCast(server);
    });

    test('participants see it, strangers and the unknown are 404', async () => {
        for (const who of ['owner', 'moderator', 'member']) {
            assertShape(shape, ok(await cast[who].get(cast.path)));
        }
        notFound(await cast.stranger.get(cast.path));
        notFound(await cast.stranger.get(of(NO_UUID)));
        notFound(await cast.stranger.get(of('abc')));
        ok(await admin.get(cast.path));
        unauthorized(await api.get(cast.path));
        ok(await cast.owner.get(of(cast.id.toUpperCase())));
        ok(await cast.owner.get(of(cast.id.replaceAll('-', ''))));
    });

    test('no contacts of others in it', async () => {
        const body = ok(await cast.member.get(cast.path));
        for (const row of body.participants) {
            assert.equal(row.email, row.id === cast.member.id ? cast.member.email : null);
        }
    });

    test('title and metadata are changed by owner, moderator, admin', async () => {
        for (const user of [cast.owner, cast.moderator, admin]) {
            const change = { title: unique('title'), metadata: { by: user.username } };
            const old = ok(await cast.owner.get(cast.path)).rev;
            contains(ok(await user.patch(cast.path, change)), change);
            const body = ok(await cast.owner.get(cast.path));
            contains(body, change);
            assert.ok(body.rev > old, 'each change has a rev of its own');
        }
        err(await cast.member.patch(cast.path, { title: 'x' }), 403, 'permission_denied');
        err(await cast.member.put(cast.path, { title: 'x' }), 403);
        notFound(await cast.stranger.patch(cast.path, { title: 'x' }));
    });

    test('PATCH with nothing, blank title, bad values', async () => {
        const old = ok(await cast.owner.get(cast.path));
        const body = ok(await cast.owner.patch(cast.path, {}));
        assert.equal(body.title, old.title);
        assert.equal(body.rev, old.rev, 'no change, no rev');
        invalid(await cast.owner.patch(cast.path, { metadata: 1 }), { metadata: true });
        invalid(await cast.owner.patch(cast.path, { title: 'x'.repeat(5000) }), { title: true });
    });

    test('participants: the list replaces the set; absent leaves it', async () => {
        const { owner, member, moderator } = cast;
        const other = await makeConversation(owner, [member, moderator]);
        const set = async (participants) =>
            people(ok(await owner.patch(of(other.id), { participants })));
        assert.deepEqual(
            await set([bob.id, member.id]),
            pair(owner, bob, member),
            'the owner stays',
        );
        assert.deepEqual(
            people(ok(await owner.patch(of(other.id), { title: 'T' }))),
            pair(owner, bob, member),
        );
        notFound(await moderator.get(of(other.id)));
        ok(await bob.get(of(other.id)));
        invalid(await owner.patch(of(other.id), { participants: [NO_UUID] }), {
            participants: true,
        });
        const whole = { title: 'whole', participants: [member.id], metadata: {} };
        assert.deepEqual(people(ok(await owner.put(of(other.id), whole))), pair(owner, member));
    });

    test('DELETE by owner or admin: gone for all', async () => {
        const { owner, member, moderator, stranger } = cast;
        for (const user of [owner, admin]) {
            const other = await makeConversation(owner, [member, moderator]);
            const said = await say(member, other, 'soon gone');
            err(await member.delete(of(other.id)), 403);
            err(await moderator.delete(of(other.id)), 403);
            notFound(await stranger.delete(of(other.id)));
            const res = await user.delete(of(other.id));
            assert.equal(res.status, 204);
            assert.equal(res.text, '');
            for (const seeker of [owner, member]) {
                notFound(await seeker.get(of(other.id)));
                notFound(await seeker.get(`/api/messages/${said.id}/`));
                notFound(await seeker.get(`${of(other.id)}messages/`));
                const query = { conversation: other.id };
                assert.equal(ok(await seeker.get('/api/messages/', query)).count, 0);
            }
            notFound(await user.delete(of(other.id)));
            ok(await member.post('/api/messages/', { conversation: other.id, content: 'x' }), 403);
        }
    });
});

describe('my view and state', () => {
    test('PATCH me/', async () => {
        const cast = await makeCast(server);
        const path = `${cast.path}me/`;
        const until = '2999-01-01T00:00:00Z';
        const change = { muted_until: until, archived: true, pinned: true };
        contains(ok(await cast.member.patch(path, change)), change);
        contains(ok(await cast.member.patch(path, { muted_until: null })), {
            muted_until: null,
            archived: true,
        });
        invalid(await cast.member.patch(path, { muted_until: 'soon' }), { muted_until: true });
        invalid(await cast.member.patch(path, { archived: 'perhaps' }), { archived: true });
        notFound(await cast.stranger.patch(path, change));
    });

    test('close and reopen', async () => {
        const cast = await makeCast(server);
        const closed = 'conversation_closed';
        for (const user of [cast.owner, cast.moderator, admin]) {
            contains(ok(await user.post(`${cast.path}close/`, {})), { closed: true });
            contains(ok(await cast.member.get(cast.path)), { closed: true });
            const nested = await cast.member.post(`${cast.path}messages/`, { content: 'x' });
            err(nested, 403, closed);
            const flat = { conversation: cast.id, content: 'x' };
            err(await cast.owner.post('/api/messages/', flat), 403, closed);
            ok(await user.post(`${cast.path}close/`, {}));
            contains(ok(await user.post(`${cast.path}reopen/`, {})), { closed: false });
            await say(cast.member, cast, 'open again');
        }
        err(await cast.member.post(`${cast.path}close/`, {}), 403, 'permission_denied');
        err(await cast.member.post(`${cast.path}reopen/`, {}), 403);
        notFound(await cast.stranger.post(`${cast.path}close/`, {}));
    });

    test('a blank first message, an unknown direct partner', async () => {
        invalid(await post({ message_body: '  ' }), { message_body: [BLANK] });
        invalidSome(await post({ participants: ['nobody'], direct: true }), 'participants');
    });
});
