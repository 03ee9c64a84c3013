// Long poll: GET sync/?cursor=&wait=.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { anonymous, makeCast, makeConversation, raw, register, say } from '../lib/client.mjs';
import { err, invalid, ok, unauthorized } from '../lib/expect.mjs';
import { POLL_PATH, closing, cursorOf, listen, page, poll, settled } from '../lib/live.mjs';
import { startServer } from '../lib/server.mjs';

const WAIT_S = 60;
let server, cast;

before(async () => {
    server = await startServer();
    cast = await makeCast(server);
});
after(() => server?.stop());

const bodies = ({ frames }) =>
    frames.filter((frame) => frame.type === 'message').map((frame) => frame.message.message_body);

// A poll that is known to wait: it was sent before something that has been answered.
function waiting(user, cursor, wait = WAIT_S) {
    let answered = false;
    const answer = poll(user, cursor, wait).then((res) => {
        answered = true;
        return res;
    });
    return { answer, isAnswered: () => answered };
}

describe('wait', { concurrency: 4 }, () => {
    test('0 and nothing: at once', async () => {
        const c = await makeCast(server);
        const cursor = await cursorOf(c.member);
        for (const query of [{ cursor }, { cursor, wait: 0 }]) {
            const body = ok(await c.member.get(POLL_PATH, query));
            assert.deepEqual(bodies(body), []);
            assert.equal(body.more, false);
            assert.notEqual(body.cursor, '');
        }
        await say(c.owner, c, 'told');
        await settled(server);
        const body = await page(c.member, cursor, 0);
        assert.deepEqual(bodies(body), ['told']);
        assert.deepEqual(bodies(await page(c.member, body.cursor, 0)), []);
    });

    test('what is there already comes at once', async () => {
        const c = await makeCast(server);
        const cursor = await cursorOf(c.member);
        await say(c.owner, c, 'there already');
        const began = Date.now();
        assert.deepEqual(bodies(await page(c.member, cursor, WAIT_S)), ['there already']);
        assert.ok(Date.now() - began < WAIT_S * 1000, 'it did not wait to the end');
    });

    test('until something comes', async () => {
        const c = await makeCast(server);
        const cursor = await cursorOf(c.member);
        const one = waiting(c.member, cursor);
        const other = waiting(c.stranger, await cursorOf(c.stranger), 3);
        ok(await c.owner.get('/api/users/me/'));
        assert.equal(one.isAnswered(), false);
        await say(c.owner, c, 'at last');
        const body = ok(await one.answer);
        assert.deepEqual(bodies(body), ['at last']);
        assert.deepEqual(bodies(await page(c.member, body.cursor, 0)), []);
        assert.deepEqual(bodies(ok(await other.answer)), [], 'nothing for a stranger');
    });

    test('until its end, if nothing comes', async () => {
        const c = await makeCast(server);
        const cursor = await cursorOf(c.member);
        const began = Date.now();
        const body = await page(c.member, cursor, 1);
        assert.ok(Date.now() - began >= 950, 'it waited');
        assert.deepEqual(body.frames, []);
        assert.equal(body.more, false);
        await say(c.owner, c, 'later');
        await settled(server);
        assert.deepEqual(bodies(await page(c.member, body.cursor, 0)), ['later']);
    });

    test('a new conversation ends it, and its own settings', async () => {
        const c = await makeCast(server);
        let cursor = await cursorOf(c.stranger);
        const one = waiting(c.stranger, cursor);
        const fresh = await makeConversation(c.owner, [c.stranger], { title: 'fresh' });
        const body = ok(await one.answer);
        assert.ok(body.frames.some((f) => f.type === 'conversation' && f.limited));
        cursor = await cursorOf(c.stranger);
        const two = waiting(c.stranger, cursor);
        ok(await c.stranger.patch(`/api/conversations/${fresh.id}/me/`, { pinned: true }));
        const { frames } = ok(await two.answer);
        assert.ok(frames.some((f) => f.type === 'membership' && f.pinned));
    });

    test('who comes without a cursor gets one at once', async () => {
        const user = await register(server);
        const began = Date.now();
        const body = await page(user, '', WAIT_S);
        assert.notEqual(body.cursor, '');
        assert.equal(body.more, false);
        assert.ok(Date.now() - began < WAIT_S * 1000, 'it did not wait to the end');
    });

    test('who comes without a cursor is told himself: he may know himself from before', async () => {
        const user = await register(server);
        ok(await user.patch('/api/users/me/', { first_name: 'Renamed' }));
        const { frames } = await page(user, '', 0);
        const told = new Set(frames.map((f) => `${f.type} ${f.user.full_name}`)); // perhaps twice
        assert.deepEqual([...told], ['user Renamed']);
    });

    test('a hundred that wait are all answered', async () => {
        const c = await makeCast(server);
        const cursor = await cursorOf(c.member);
        const polls = Array.from({ length: 60 }, () => waiting(c.member, cursor));
        const others = Array.from({ length: 40 }, () => waiting(c.owner, cursor));
        ok(await c.owner.get('/api/users/me/'));
        await say(c.owner, c, 'to all that wait');
        for (const { answer } of [...polls, ...others]) {
            assert.deepEqual(bodies(ok(await answer)), ['to all that wait']);
        }
    });

    test('read positions that wait to be told together do not make it spin', async (t) => {
        const c = await makeCast(server);
        const other = await makeCast(server);
        for (let n = 0; n < 12; n++) await say(other.owner, other, `${n}`);
        const [poller, reader] = closing(
            t,
            await listen('poll', c.member),
            await listen('ws', other.owner),
            await listen('ws', c.owner), // so that the ring has the messages
        );
        const before = poller.pages;
        for (let seq = 1; seq <= 12; seq++) {
            ok(await other.member.post(`${other.path}read/`, { seq }));
            const { id } = await say(c.owner, c, `${seq}`);
            await poller.get({ type: 'message', message: { id } });
        }
        await reader.get({ type: 'read', seq: 12 });
        const pages = poller.pages - before;
        assert.ok(pages <= 3 * 12, `${pages} answers for 12 messages`);
    });

    test('what is no time', async () => {
        for (const wait of [
            'x',
            '-1',
            '61',
            '1.5',
            '1e1',
            '99999999999999999999',
            '0x1',
            ' ',
            '',
        ]) {
            const res = await cast.member.get(POLL_PATH, { wait });
            if (wait.trim() === '' && res.status === 200) continue; // as good as none
            invalid(res, { wait: true });
        }
        for (const wait of ['0', '1', '60']) {
            const query = { cursor: wait === '60' ? '' : await cursorOf(cast.member), wait };
            ok(await cast.member.get(POLL_PATH, query));
        }
    });
});

describe('the answer', { concurrency: 4 }, () => {
    test('who may ask', async () => {
        unauthorized(await anonymous(server).get(POLL_PATH));
        unauthorized(await anonymous(server).get(POLL_PATH, { cursor: '', wait: 30 }));
        err(await cast.member.post(POLL_PATH), 405, 'method_not_allowed');
        err(await cast.member.delete(POLL_PATH), 405, 'method_not_allowed');
    });

    test('is of one kind for an empty cursor, however it is spelt', async () => {
        for (const query of [{}, { cursor: '' }]) {
            const body = ok(await cast.member.get(POLL_PATH, query));
            assert.ok(body.frames.some((frame) => frame.type === 'conversation'));
        }
    });

    test('is a page of at most a mebibyte; `more` says that there is another', async () => {
        const c = await makeCast(server);
        const cursor = await cursorOf(c.member);
        const long = '語'.repeat(9900);
        await Promise.all(Array.from({ length: 90 }, (_, n) => say(c.owner, c, `${n} ${long}`)));
        let seen = 0;
        let pages = 0;
        for (let [at, more] = [cursor, true]; more; pages++) {
            const res = await poll(c.member, at, pages === 0 ? WAIT_S : 0);
            assert.ok(res.body.length <= 1 << 20, `${res.body.length} bytes`);
            const body = ok(res);
            seen += bodies(body).length;
            assert.ok(body.frames.length === 0 || body.cursor !== at);
            [at, more] = [body.cursor, body.more];
        }
        assert.ok(pages >= 3);
        assert.equal(seen, 90);
    });

    // Whoever was told of something beyond his cursor and misses it with `more: false` starts anew.
    test('is the last one only with all that was told before, or its end', async () => {
        const owner = await register(server);
        const member = await register(server);
        const made = await Promise.all(
            ['one', 'other'].map((title) => makeConversation(owner, [member], { title })),
        );
        const [first, second] = made.sort((a, b) => (a.id < b.id ? -1 : 1));
        const cursor = await cursorOf(member);
        const long = '語'.repeat(9900);
        await Promise.all(Array.from({ length: 60 }, (_, n) => say(owner, first, `${n} ${long}`)));
        await say(owner, second, 'behind it');
        const begun = await page(member, cursor, 0);
        assert.equal(begun.more, true);
        const told = await page(member, begun.cursor, 0);
        assert.ok(told.frames.some((frame) => frame.conversation_id === first.id));
        ok(await owner.delete(`/api/conversations/${first.id}/participants/${member.id}/`), 204);
        const frames = []; // the answer before has not come
        for (let [at, more] = [begun.cursor, true]; more;) {
            const body = await page(member, at, 0);
            frames.push(...body.frames);
            [at, more] = [body.cursor, body.more];
        }
        const ends = frames.filter((frame) => frame.type === 'conversation.gone');
        assert.deepEqual(ends.map((frame) => frame.conversation_id), [first.id]);
    });

    test('to a client that has gone is not missed', async () => {
        const c = await makeCast(server);
        const cursor = await cursorOf(c.member);
        const request = [
            `GET ${POLL_PATH}?wait=60&cursor=${cursor} HTTP/1.1`,
            `Host: 127.0.0.1:${server.port}`,
            `Authorization: ${c.member.headers.authorization}`,
        ];
        const text = `${request.join('\r\n')}\r\n\r\n`;
        await Promise.all(Array.from({ length: 20 }, () => raw(server, text, { firstMs: 100 })));
        await say(c.owner, c, 'nobody waits');
        await settled(server);
        assert.deepEqual(bodies(await page(c.member, cursor, 0)), ['nobody waits']);
        await server.assertAlive();
    });
});
