// Sending once: client_id and Idempotency-Key on messages, Idempotency-Key on what else creates.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { eventually, makeCast, makeConversation, register, say, unique } from '../lib/client.mjs';
import { contains, err, invalid, notFound, ok, show } from '../lib/expect.mjs';
import { startServer } from '../lib/server.mjs';

let server, cast;

before(async () => {
    server = await startServer();
    cast = await makeCast(server);
});
after(() => server?.stop());

const FLAT = '/api/messages/';
const by = (id) => `${FLAT}${id}/`;
const nested = (c = cast) => `${c.path}messages/`;
const post = (user, input, headers, path = nested()) => user.post(path, input, { headers });
const MISMATCH = 'idempotency_mismatch';

function replayed(res) {
    const body = ok(res);
    assert.equal(res.headers['idempotent-replay'], 'true', show(res));
    return body;
}

describe('client_id', () => {
    test('the same again: 200, the message, stored once', async () => {
        const input = { message_body: 'once', client_id: randomUUID() };
        const res = await post(cast.member, input);
        const first = ok(res, 201);
        assert.equal(res.headers['idempotent-replay'], undefined);
        assert.equal(first.client_id, input.client_id);
        for (let n = 0; n < 3; n++) {
            const again = replayed(await post(cast.member, input));
            contains(again, { id: first.id, seq: first.seq, client_id: input.client_id });
        }
        const rows = ok(await cast.member.get(nested(), { message_body: 'once' })).results;
        assert.equal(rows.length, 1);
    });

    test('flat and nested, under each field name, are the same request', async () => {
        const client_id = randomUUID();
        const first = ok(await post(cast.member, { message_body: 'any way', client_id }), 201);
        const flat = { conversation_id: cast.id, content: 'any way', client_id };
        assert.equal(replayed(await cast.member.post(FLAT, flat)).id, first.id);
        const send = `${cast.path}send/`;
        assert.equal(
            replayed(await cast.member.post(send, { text: 'any way', client_id })).id,
            first.id,
        );
    });

    test('another body, reply or conversation: 409, nothing stored', async () => {
        const root = await say(cast.owner, cast, 'root');
        const other = await makeCast(server, cast);
        const client_id = randomUUID();
        const first = ok(await post(cast.member, { message_body: 'one', client_id }), 201);
        err(await post(cast.member, { message_body: 'two', client_id }), 409, MISMATCH);
        const reply = { message_body: 'one', client_id, reply_to: root.id };
        err(await post(cast.member, reply), 409, MISMATCH);
        const elsewhere = await post(
            cast.member,
            { message_body: 'one', client_id },
            {},
            nested(other),
        );
        err(elsewhere, 409, MISMATCH);
        assert.equal(ok(await other.member.get(nested(other))).count, 0);
        const next = await say(cast.member, cast, 'next');
        assert.equal(next.seq, first.seq + 1, 'no seq is spent');
    });

    test("is the sender's own, and shown to him alone", async () => {
        const client_id = randomUUID();
        const mine = ok(await post(cast.member, { message_body: 'same id', client_id }), 201);
        const yours = ok(await post(cast.owner, { message_body: 'same id', client_id }), 201);
        assert.notEqual(mine.id, yours.id);
        assert.equal(ok(await cast.member.get(by(mine.id))).client_id, client_id);
        assert.equal(ok(await cast.owner.get(by(mine.id))).client_id, null);
        const rows = ok(await cast.owner.get(nested(), { message_body: 'same id' })).results;
        assert.deepEqual(
            rows.map((row) => row.client_id),
            [null, client_id],
        );
    });

    test('sixteen at once: one 201, the rest replays, one row', async () => {
        const input = { message_body: unique('sixteen'), client_id: randomUUID() };
        const posts = Array.from({ length: 16 }, () => post(cast.member, input));
        const answers = await Promise.all(posts);
        assert.equal(answers.filter((res) => res.status === 201).length, 1);
        const bodies = answers.map((res) => (res.status === 201 ? ok(res, 201) : replayed(res)));
        assert.equal(new Set(bodies.map((body) => body.id)).size, 1);
        const rows = ok(
            await cast.member.get(nested(), { message_body: input.message_body }),
        ).results;
        assert.equal(rows.length, 1);
    });

    test('sixteen at once into two conversations: one is stored', async () => {
        const other = await makeCast(server, cast);
        const input = { message_body: unique('two rooms'), client_id: randomUUID() };
        const posts = Array.from({ length: 16 }, (_, n) =>
            post(cast.member, input, {}, nested(n % 2 ? cast : other)),
        );
        const answers = await Promise.all(posts);
        assert.equal(answers.filter((res) => res.status === 201).length, 1);
        for (const res of answers) ok(res, 200, 201, 409); // by the room that came first
        const query = { message_body: input.message_body };
        assert.equal(ok(await cast.member.get(FLAT, query)).count, 1);
    });

    test('edit, then retry: the present state', async () => {
        const input = { message_body: 'before', client_id: randomUUID() };
        const first = ok(await post(cast.member, input), 201);
        ok(await cast.member.patch(by(first.id), { content: 'after' }));
        const again = replayed(await post(cast.member, input));
        contains(again, { id: first.id, message_body: 'after', edited: true });
        const changed = { ...input, message_body: 'after' };
        err(await post(cast.member, changed), 409, MISMATCH);
    });

    test('delete, then retry: no second message', async () => {
        const input = { message_body: 'short-lived', client_id: randomUUID() };
        const first = ok(await post(cast.member, input), 201);
        assert.equal((await cast.member.delete(by(first.id))).status, 204);
        const again = replayed(await post(cast.member, input));
        contains(again, { id: first.id, deleted: true, message_body: '' });
        const rows = ok(await cast.member.get(nested(), { message_body: 'short-lived' })).results;
        assert.equal(rows.length, 0);
    });

    test('known before membership: a retry after leaving replays, a new one is 403', async () => {
        const c = await makeCast(server);
        const input = { message_body: 'then I left', client_id: randomUUID() };
        const first = ok(await post(c.member, input, {}, nested(c)), 201);
        ok(await c.member.delete(`${c.path}participants/${c.member.id}/`), 204);
        assert.equal(replayed(await post(c.member, input, {}, nested(c))).id, first.id);
        err(await post(c.member, { message_body: 'new' }, {}, nested(c)), 403, 'not_participant');
    });

    test('a retry into a conversation that was closed meanwhile replays', async () => {
        const c = await makeCast(server, cast);
        const input = { message_body: 'in time', client_id: randomUUID() };
        const first = ok(await post(c.member, input, {}, nested(c)), 201);
        ok(await c.owner.post(`${c.path}close/`, {}));
        assert.equal(replayed(await post(c.member, input, {}, nested(c))).id, first.id);
    });

    test('a retry into a conversation that was deleted meanwhile replays', async () => {
        const c = await makeCast(server, cast);
        const input = { message_body: 'too late', client_id: randomUUID() };
        const first = ok(await post(c.member, input, {}, nested(c)), 201);
        ok(await c.owner.delete(c.path), 204);
        const ask = () => post(c.member, input, {}, nested(c));
        const again = replayed(await eventually(ask, (res) => res.json.deleted, 'it is wiped'));
        contains(again, { id: first.id, deleted: true, message_body: '' });
        const other = { ...input, message_body: 'other' };
        err(await post(c.member, other, {}, nested(c)), 409, MISMATCH);
    });

    test('must be a UUID', async () => {
        for (const client_id of ['abc', 7, {}, '']) {
            const res = await post(cast.member, { message_body: 'x', client_id });
            invalid(res, { client_id: true });
        }
        ok(await post(cast.member, { message_body: 'x', client_id: null }), 201);
    });

    test('a refused one is not remembered', async () => {
        const client_id = randomUUID();
        invalid(await post(cast.member, { message_body: '', client_id }), { message_body: true });
        ok(await post(cast.member, { message_body: 'now with text', client_id }), 201);
    });
});

describe('Idempotency-Key on messages', () => {
    test('is a client_id', async () => {
        const key = randomUUID();
        const headers = { 'idempotency-key': key };
        const first = ok(await post(cast.member, { message_body: 'by header' }, headers), 201);
        assert.equal(first.client_id, key);
        assert.equal(
            replayed(await post(cast.member, { message_body: 'by header' }, headers)).id,
            first.id,
        );
        const field = { message_body: 'by header', client_id: key };
        assert.equal(replayed(await post(cast.member, field)).id, first.id);
        err(await post(cast.member, { message_body: 'another' }, headers), 409, MISMATCH);
    });

    test('any text is one, and so is the nil UUID', async () => {
        for (const key of ['any text', '00000000-0000-0000-0000-000000000000', 'x'.repeat(300)]) {
            const headers = { 'idempotency-key': key };
            const input = { message_body: 'by text' };
            const first = ok(await post(cast.member, input, headers), 201);
            assert.equal(replayed(await post(cast.member, input, headers)).id, first.id);
            err(await post(cast.member, { message_body: 'no' }, headers), 409, MISMATCH);
            ok(await post(cast.owner, input, headers), 201);
        }
    });

    test('both must agree', async () => {
        const key = randomUUID();
        const same = { message_body: 'agree', client_id: key };
        ok(await post(cast.member, same, { 'idempotency-key': key }), 201);
        const res = await post(
            cast.member,
            { ...same, client_id: randomUUID() },
            { 'idempotency-key': key },
        );
        invalid(res, { client_id: true });
    });
});

describe('Idempotency-Key on what else creates', () => {
    const ROOT = '/api/conversations/';
    const count = async (user) => ok(await user.get(ROOT)).count;

    test('a conversation is made once', async () => {
        const user = await register(server);
        const headers = { 'idempotency-key': 'any text is a key' };
        const input = { participants: [cast.member.id], title: 'once' };
        const first = ok(await post(user, input, headers, ROOT), 201);
        const res = await post(user, input, headers, ROOT);
        assert.deepEqual(ok(res, 201), first, 'the first answer again');
        assert.equal(res.headers['idempotent-replay'], 'true');
        assert.equal(await count(user), 1);
        err(await post(user, { ...input, title: 'twice' }, headers, ROOT), 409, MISMATCH);
        ok(await post(user, input, { 'idempotency-key': 'another' }, ROOT), 201);
        assert.equal(await count(user), 2);
    });

    test("is the user's own", async () => {
        const one = await register(server);
        const two = await register(server);
        const headers = { 'idempotency-key': 'shared' };
        const first = ok(await post(one, { title: 'x' }, headers, ROOT), 201);
        const second = ok(await post(two, { title: 'x' }, headers, ROOT), 201);
        assert.notEqual(first.id, second.id);
    });

    test('eight at once make one', async () => {
        const user = await register(server);
        const headers = { 'idempotency-key': randomUUID() };
        const posts = Array.from({ length: 8 }, () => post(user, { title: 'rush' }, headers, ROOT));
        const made = (await Promise.all(posts)).map((res) => ok(res, 201));
        assert.equal(new Set(made.map((body) => body.id)).size, 1);
        assert.equal(await count(user), 1);
    });

    test('a replay is authorised anew', async () => {
        const user = await register(server);
        const c = await makeConversation(cast.owner, [user]);
        const path = `${ROOT}${c.id}/participants/`;
        const joiner = await register(server);
        const headers = { 'idempotency-key': randomUUID() };
        ok(await post(cast.owner, { user_id: joiner.id }, headers, path), 201);
        ok(await cast.owner.delete(`${ROOT}${c.id}/`), 204);
        notFound(await post(cast.owner, { user_id: joiner.id }, headers, path));
    });

    test('a replay shows only what the caller may still see', async () => {
        const user = await register(server);
        const headers = { 'idempotency-key': randomUUID() };
        const input = { participants: [cast.member.id], title: 'left' };
        const made = ok(await post(user, input, headers, ROOT), 201);
        assert.deepEqual(ok(await post(user, input, headers, ROOT), 201), made);
        ok(await user.delete(`${ROOT}${made.id}/participants/${user.id}/`), 204);
        notFound(await post(user, input, headers, ROOT));
        assert.equal(await count(user), 0, 'and nothing is made anew');
        ok(await cast.member.post(`${ROOT}${made.id}/participants/`, { user_id: user.id }), 201);
        assert.deepEqual(ok(await post(user, input, headers, ROOT), 201), made, 'he is back');
    });

    test('what is gone is not found again', async () => {
        const user = await register(server);
        const headers = { 'idempotency-key': randomUUID() };
        const input = { title: 'gone' };
        const made = ok(await post(user, input, headers, ROOT), 201);
        ok(await user.delete(`${ROOT}${made.id}/`), 204);
        notFound(await post(user, input, headers, ROOT));
        err(await post(user, { title: 'other' }, headers, ROOT), 409, MISMATCH);
        assert.equal(await count(user), 0);
    });

    test('a participant who has left since is not found again', async () => {
        const c = await makeConversation(cast.owner, []);
        const path = `${ROOT}${c.id}/participants/`;
        const joiner = await register(server);
        const headers = { 'idempotency-key': randomUUID() };
        const input = { user_id: joiner.id };
        const first = ok(await post(cast.owner, input, headers, path), 201);
        assert.deepEqual(ok(await post(cast.owner, input, headers, path), 201), first);
        ok(await joiner.delete(`${path}${joiner.id}/`), 204);
        notFound(await post(cast.owner, input, headers, path));
        assert.equal(ok(await cast.owner.get(path)).count, 1);
    });

    test('a refused request is not remembered', async () => {
        const user = await register(server);
        const headers = { 'idempotency-key': randomUUID() };
        ok(await post(user, { metadata: 1 }, headers, ROOT), 400);
        ok(await post(user, { metadata: { now: 'good' } }, headers, ROOT), 201);
    });
});
