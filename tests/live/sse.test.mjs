// Server-sent events: the form of the stream, ids, and coming back with Last-Event-ID.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import {
    anonymous,
    eventually,
    makeCast,
    makeConversation,
    register,
    say,
} from '../lib/client.mjs';
import { err, ok, show, unauthorized } from '../lib/expect.mjs';
import { SSE_PATH, closing, cursorOf, listen, openEvents, settled } from '../lib/live.mjs';
import { Mirror, assertConverged, converges } from '../lib/mirror.mjs';
import { startServer } from '../lib/server.mjs';

let server, user;

before(async () => {
    server = await startServer();
    user = await register(server);
});
after(() => server?.stop());

async function open(t, who, options) {
    await settled(who.server);
    const stream = closing(t, await openEvents(who, options));
    await stream.synced();
    return stream;
}

const bodies = (stream) => stream.all('message').map((frame) => frame.message.message_body);

describe('the answer', () => {
    test('its head', async (t) => {
        const stream = await open(t, user);
        const { headers } = stream.response;
        assert.match(headers['content-type'], /^text\/event-stream(;|$)/);
        assert.equal(headers['cache-control'], 'no-store');
        assert.equal(headers['content-length'], undefined);
        assert.equal(headers['x-content-type-options'], 'nosniff');
    });

    test('is made of data, id and one retry', async (t) => {
        const cast = await makeCast(server);
        await say(cast.owner, cast, 'before ✓\nwith a line\r\nand another\u2028one');
        const stream = await open(t, cast.owner);
        await say(cast.member, cast, 'live');
        await stream.get({ type: 'message', message: { message_body: 'live' } });
        const lines = stream.lines.filter((line) => line !== '');
        assert.match(lines[0], /^retry: \d+$/);
        for (const line of lines.slice(1)) assert.match(line, /^(data: \{.*\}|id:( [\w-]+)?)$/);
        for (const { data } of stream.events) {
            assert.ok(!data.includes('\n') && !data.includes('\r'), 'one line each');
            JSON.parse(data);
        }
        assert.equal(stream.frames[0].type, 'hello');
    });

    test('to whom it is not meant', async () => {
        unauthorized(await anonymous(server).get(SSE_PATH));
        const headers = { accept: 'text/event-stream' };
        const refused = await anonymous(server).get(SSE_PATH, {}, { headers });
        assert.equal(refused.status, 401, show(refused));
        err(await user.post(SSE_PATH), 405, 'method_not_allowed');
    });

    test('as an EventSource asks, and as curl does', async (t) => {
        const list = ['text/event-stream', '*/*', 'text/*', 'text/event-stream, */*;q=0.1'];
        for (const accept of list) await open(t, user, { headers: { accept } });
    });
});

describe('ids', { concurrency: 4 }, () => {
    test('on the last frame of a position only', async (t) => {
        const cast = await makeCast(server);
        for (let n = 0; n < 10; n++) await say(cast.owner, cast, `${n}`);
        const stream = await open(t, cast.member);
        const at = stream.events.findIndex((event) => event.id !== undefined);
        assert.equal(at, stream.events.length - 1, 'none in the middle of a page');
        // a commit of several frames: the newcomer's place in the list, and what he is told
        const before = stream.events.length;
        ok(await cast.owner.patch(cast.path, { title: 'next' }));
        await say(cast.owner, cast, 'the last');
        await stream.get({ type: 'message', message: { message_body: 'the last' } });
        await stream.until(() => stream.events.slice(before).at(-1).id || undefined, 'an id');
    });

    test('from each of them it goes on: nothing is lost', async (t) => {
        const cast = await makeCast(server);
        const first = await open(t, cast.member);
        for (let n = 0; n < 12; n++) {
            const message = await say(cast.owner, cast, `m ${n}`);
            if (n % 3 === 0)
                ok(await cast.owner.patch(`/api/messages/${message.id}/`, { content: `m ${n}!` }));
        }
        const last = (frame) => frame.message?.message_body === 'm 11';
        await first.get(last);
        const { events } = first;
        const ids = events.map((event) => event.id);
        const places = ids.flatMap((id, n) => (id ? [[n, id]] : []));
        assert.ok(places.length >= 2, `${places.length} ids`);
        for (const [n, lastEventId] of places) {
            const mirror = new Mirror({ frames: first.frames.slice(0, n + 1), user: cast.member });
            const next = await open(t, cast.member, { lastEventId });
            assert.deepEqual(next.all('reset'), []);
            await assertConverged(mirror.follow(next), cast.member);
            await next.close();
        }
    });

    test('Last-Event-ID beats the query', async (t) => {
        const cast = await makeCast(server);
        const old = await cursorOf(cast.member);
        await say(cast.owner, cast, 'one');
        const young = await cursorOf(cast.member);
        await say(cast.owner, cast, 'two');
        const ask = (lastEventId, cursor) => open(t, cast.member, { lastEventId, cursor });
        assert.deepEqual(bodies(await ask(undefined, young)), ['two']);
        assert.deepEqual(bodies(await ask(young, old)), ['two']);
        assert.deepEqual(bodies(await ask(old, young)), ['one', 'two']);
        assert.deepEqual(bodies(await ask(young, 'nonsense')), ['two']);
        const reset = closing(
            t,
            await openEvents(cast.member, { lastEventId: 'nonsense', cursor: young }),
        );
        await reset.get('reset');
        await reset.ended();
        assert.equal(reset.events.at(-1).id, '');
        assert.ok(reset.lines.some((line) => /^id: ?$/.test(line)));
    });
});

test('heartbeats carry the cursor, and nobody has to answer them', async (t) => {
    const quick = await startServer({ env: { HEARTBEAT_INTERVAL: '1' } });
    t.after(() => quick.stop());
    const cast = await makeCast(quick);
    const stream = await open(t, cast.member);
    stream.forget();
    const pings = (count) =>
        stream.until(() => (stream.all('ping').length >= count ? true : undefined), 'pings');
    await pings(5);
    assert.equal(stream.closed, null);
    await say(cast.owner, cast, 'told');
    await stream.get('message');
    stream.forget();
    await pings(1);
    const [ping] = stream.all('ping');
    const next = await open(t, cast.member, { lastEventId: ping.cursor });
    assert.deepEqual(next.all('message'), []);
    await converges(new Mirror(stream), cast.member);
});

test('streams that are cut leave nothing behind', async (t) => {
    const few = await startServer({ env: { SOCKETS_PER_USER_MAX: '3' } });
    t.after(() => few.stop());
    const one = await register(few);
    const c = await makeConversation(one, [], { title: 'cut' });
    for (let n = 0; n < 12; n++) {
        const stream = await eventually(
            () => openEvents(one).catch((error) => error),
            (result) => !(result instanceof Error),
            'a place is free again',
        );
        closing(t, stream);
        await stream.get('hello');
        await stream.cut();
        await say(one, c, `${n}`);
    }
    const last = await eventually(
        () => listen('sse', one).catch((error) => error),
        (result) => !(result instanceof Error),
        'a place is free again',
    );
    closing(t, last);
    await assertConverged(new Mirror(last));
});
