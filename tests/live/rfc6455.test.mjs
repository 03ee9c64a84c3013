// The WebSocket protocol, frame by frame: what RFC 6455 demands of a server for frames that are
// wrong, odd, cut or many. The client's reader (RawSocket) fails on any frame of the server that is
// wrong.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { eventually, makeConversation, register } from '../lib/client.mjs';
import { ok } from '../lib/expect.mjs';
import { OP, closePayload, closing, encodeFrame, openRaw, openSocket } from '../lib/live.mjs';
import { startServer } from '../lib/server.mjs';

const MESSAGE_MAX = 131072; // SOCKET_MESSAGE_MAX
const NORMAL = 1000;
const PROTOCOL_ERROR = 1002;
const UNSUPPORTED = 1003;
const BAD_TEXT = 1007;
const TOO_LARGE = 1009;

let server, user, conversation;

before(async () => {
    server = await startServer({ env: { SOCKETS_PER_USER_MAX: '1000' } });
    user = await register(server);
    conversation = await makeConversation(user, [], { title: 'frames' });
});
after(() => server?.stop());

const open = async (t, options) => closing(t, await openRaw(user, options));
const bytes = (...list) => Buffer.from(list);
const unknown = (length = 0) => {
    const text = JSON.stringify({ type: 'no such type', pad: '' });
    return text.replace('"pad":""', `"pad":"${'x'.repeat(Math.max(0, length - text.length))}"`);
};

// The socket still works: it answers a ping and a message.
async function works(socket) {
    const before = socket.control(OP.pong).length;
    const from = socket.frames.length;
    await socket.frame(OP.ping, 'still there');
    await socket.say({ type: 'no such type' });
    const pongs = await socket.pongs(before + 1);
    assert.equal(pongs.at(-1).toString(), 'still there');
    socket.mark = Math.max(socket.mark, from);
    await socket.get('error');
    socket.forget();
}

// The server sends a close frame with one of these codes and ends the connection, although the
// client does neither.
async function closes(socket, ...codes) {
    const { code } = await socket.ended();
    assert.ok(codes.includes(code), `closed with ${code}, wanted ${codes.join(' or ')}`);
}

// Each: name, what is written, the codes that may answer it.
function wrong(title, cases) {
    describe(title, { concurrency: 4 }, () => {
        for (const [name, frames, ...codes] of cases) {
            test(name, async (t) => {
                const socket = await open(t);
                await socket.write(Buffer.concat([frames].flat()));
                await closes(socket, ...codes);
            });
        }
    });
}

const text = (payload, options) => encodeFrame(OP.text, payload, options);
const start = (payload) => text(payload, { fin: false });
const more = (payload) => encodeFrame(OP.continuation, payload, { fin: false });
const last = (payload) => encodeFrame(OP.continuation, payload);
const closeWith = (...payload) => encodeFrame(OP.close, Buffer.concat(payload));

wrong('the header', [
    ['not masked', text('{}', { masked: false }), PROTOCOL_ERROR],
    ['a ping that is not masked', encodeFrame(OP.ping, '', { masked: false }), PROTOCOL_ERROR],
    [
        'a close that is not masked',
        encodeFrame(OP.close, closePayload(NORMAL), { masked: false }),
        PROTOCOL_ERROR,
    ],
    ...[1, 2, 4, 7].map((rsv) => [
        `reserved bits ${rsv}`,
        text(unknown(), { rsv }),
        PROTOCOL_ERROR,
    ]),
    ...[1, 2, 4].map((rsv) => [
        `reserved bits ${rsv} of a ping`,
        encodeFrame(OP.ping, 'x', { rsv }),
        PROTOCOL_ERROR,
    ]),
    ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) => [
        `reserved opcode ${opcode}`,
        encodeFrame(opcode, 'x'),
        PROTOCOL_ERROR,
    ]),
    ['a length of 5 in 16 bits', text('[1,2]', { form: 16 }), PROTOCOL_ERROR],
    ['a length of 5 in 64 bits', text('[1,2]', { form: 64 }), PROTOCOL_ERROR],
    ['a length of 300 in 64 bits', text(unknown(300), { form: 64 }), PROTOCOL_ERROR],
    [
        'a length with the highest of 64 bits',
        text('x', { form: 64, length: 1n << 63n }),
        PROTOCOL_ERROR,
        TOO_LARGE,
    ],
    [
        'a length of all 64 bits',
        text('x', { form: 64, length: (1n << 64n) - 1n }),
        PROTOCOL_ERROR,
        TOO_LARGE,
    ],
]);

wrong('control frames', [
    ['a ping in fragments', encodeFrame(OP.ping, 'x', { fin: false }), PROTOCOL_ERROR],
    ['a pong in fragments', encodeFrame(OP.pong, 'x', { fin: false }), PROTOCOL_ERROR],
    [
        'a close in fragments',
        encodeFrame(OP.close, closePayload(NORMAL), { fin: false }),
        PROTOCOL_ERROR,
    ],
    ['a ping of 126 bytes', encodeFrame(OP.ping, Buffer.alloc(126)), PROTOCOL_ERROR],
    ['a pong of 126 bytes', encodeFrame(OP.pong, Buffer.alloc(126)), PROTOCOL_ERROR],
    ['a ping of 70,000 bytes', encodeFrame(OP.ping, Buffer.alloc(70_000)), PROTOCOL_ERROR],
    ['a close of 126 bytes', closeWith(closePayload(NORMAL, 'x'.repeat(124))), PROTOCOL_ERROR],
]);

wrong('fragments', [
    ['a continuation of nothing', last('x'), PROTOCOL_ERROR],
    ['a continuation of nothing that goes on', more('x'), PROTOCOL_ERROR],
    ['a continuation behind a whole message', [text(unknown()), last('x')], PROTOCOL_ERROR],
    ['a message inside a message', [start('{'), text('{}')], PROTOCOL_ERROR],
    ['a message that begins inside a message', [start('{'), start('{')], PROTOCOL_ERROR],
    [
        'a binary message inside a message',
        [start('{'), encodeFrame(OP.binary, 'x')],
        PROTOCOL_ERROR,
        UNSUPPORTED,
    ],
]);

const euro = Buffer.from('"€"');
wrong('text', [
    ['a byte that is no text', text(bytes(0x22, 0xff, 0x22)), BAD_TEXT],
    ['a stray continuation byte', text(bytes(0x22, 0x80, 0x22)), BAD_TEXT],
    ['a character that is cut at the end', text(euro.subarray(0, 3)), BAD_TEXT],
    [
        'a character that is cut at the end of the last fragment',
        [start(euro.subarray(0, 2)), last(euro.subarray(2, 3))],
        BAD_TEXT,
    ],
    ['a long form', text(bytes(0x22, 0xc0, 0xaf, 0x22)), BAD_TEXT],
    ['a long form in three bytes', text(bytes(0x22, 0xe0, 0x80, 0xaf, 0x22)), BAD_TEXT],
    ['half a pair', text(bytes(0x22, 0xed, 0xa0, 0x80, 0x22)), BAD_TEXT],
    ['beyond U+10FFFF', text(bytes(0x22, 0xf4, 0x90, 0x80, 0x80, 0x22)), BAD_TEXT],
    ['wrong in the second fragment', [start('"'), more(bytes(0xff)), last('"')], BAD_TEXT],
    ['wrong across two fragments', [start(euro.subarray(0, 2)), last(bytes(0x41, 0x22))], BAD_TEXT],
    ['an empty end behind half a character', [start(euro.subarray(0, 3)), last('')], BAD_TEXT],
]);

wrong('size and kind', [
    ['binary', encodeFrame(OP.binary, '{}'), UNSUPPORTED],
    ['nothing, as binary', encodeFrame(OP.binary, ''), UNSUPPORTED],
    ['binary in fragments', [encodeFrame(OP.binary, 'x', { fin: false }), last('y')], UNSUPPORTED],
    ['a byte too long', text(unknown(MESSAGE_MAX + 1)), TOO_LARGE],
    ['said to be too long', text('x', { length: MESSAGE_MAX + 1 }), TOO_LARGE],
    ['said to be very long', text('x', { form: 64, length: 1n << 40n }), TOO_LARGE],
    [
        'too long in fragments',
        [start('"'), more('x'.repeat(MESSAGE_MAX - 1)), last('"')],
        TOO_LARGE,
    ],
    [
        'said to be too long in the second fragment',
        [start('"'.padEnd(1000)), encodeFrame(OP.continuation, 'x', { length: MESSAGE_MAX - 999 })],
        TOO_LARGE,
    ],
    [
        'without end',
        [start('"'), ...Array.from({ length: 400 }, () => more('x'.repeat(400)))],
        TOO_LARGE,
    ],
]);

describe('close frames', { concurrency: 4 }, () => {
    const good = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
    for (const code of good) {
        test(`${code} is answered`, async (t) => {
            const socket = await open(t);
            await socket.frame(OP.close, closePayload(code, 'so it goes, ✓'));
            await closes(socket, code);
        });
    }

    for (const code of [0, 1, 999, 1004, 1005, 1006, 1015, 5000, 65535]) {
        test(`${code} is wrong`, async (t) => {
            const socket = await open(t);
            await socket.frame(OP.close, closePayload(code));
            await closes(socket, PROTOCOL_ERROR);
        });
    }

    test('one byte is wrong', async (t) => {
        const socket = await open(t);
        await socket.frame(OP.close, bytes(3));
        await closes(socket, PROTOCOL_ERROR);
    });

    test('a reason that is no text', async (t) => {
        const socket = await open(t);
        await socket.frame(OP.close, Buffer.concat([closePayload(NORMAL), bytes(0xc3, 0x28)]));
        await closes(socket, BAD_TEXT, PROTOCOL_ERROR);
    });

    test('without a code, and with the longest reason', async (t) => {
        const bare = await open(t);
        await bare.frame(OP.close, '');
        await closes(bare, 1005, NORMAL);
        const long = await open(t);
        await long.frame(OP.close, closePayload(NORMAL, 'x'.repeat(123)));
        await closes(long, NORMAL);
    });

    test('what comes behind it is not looked at', async (t) => {
        const socket = await open(t);
        const tail = [text(unknown()), encodeFrame(OP.ping, 'x'), encodeFrame(OP.close, bytes(1))];
        const close = encodeFrame(OP.close, closePayload(NORMAL));
        await socket.write(Buffer.concat([close, ...tail]));
        await closes(socket, NORMAL);
        assert.deepEqual(socket.all('error'), []);
        assert.deepEqual(socket.control(OP.pong), []);
    });

    test('inside a message that is not finished', async (t) => {
        const socket = await open(t);
        await socket.write(Buffer.concat([start('{"type":'), closeWith(closePayload(NORMAL))]));
        await closes(socket, NORMAL);
    });

    test('what was said before it is answered', async (t) => {
        const socket = await open(t);
        const client_id = randomUUID();
        const said = { type: 'send', conversation_id: conversation.id, client_id };
        const frame = text(JSON.stringify({ ...said, message_body: 'last words' }));
        await socket.write(Buffer.concat([frame, closeWith(closePayload(NORMAL))]));
        await closes(socket, NORMAL);
        const isStored = (res) => ok(res).count === 1;
        const target = `/api/conversations/${conversation.id}/messages/?search=last words`;
        await eventually(() => user.get(encodeURI(target)), isStored, 'stored');
    });
});

describe('ping and pong', { concurrency: 4 }, () => {
    test('a ping is answered with what it said', async (t) => {
        const socket = await open(t);
        const payloads = ['', 'x', Buffer.from([0, 255, 128, 10]), Buffer.alloc(125, 7)];
        for (const [n, payload] of payloads.entries()) {
            await socket.frame(OP.ping, payload);
            const pongs = await socket.pongs(n + 1);
            assert.deepEqual(pongs[n], Buffer.from(payload));
        }
        await works(socket);
    });

    test('many pings in one packet', async (t) => {
        const socket = await open(t);
        const list = Array.from({ length: 300 }, (_, n) => `ping ${n}`);
        await socket.write(Buffer.concat(list.map((payload) => encodeFrame(OP.ping, payload))));
        // RFC 6455, 5.5.3: it may answer the most recent one alone
        const isLast = () => socket.control(OP.pong).at(-1)?.toString() === list.at(-1);
        await socket.until(() => (isLast() ? true : undefined), 'the last pong');
        const pongs = socket.control(OP.pong).map(String);
        assert.deepEqual(
            pongs,
            list.filter((payload) => pongs.includes(payload)),
            'in order',
        );
        await works(socket);
    });

    test('a pong that nobody asked for', async (t) => {
        const socket = await open(t);
        await socket.frame(OP.pong, 'unasked');
        await socket.frame(OP.pong, '');
        await works(socket);
        assert.deepEqual(socket.all('error'), []);
    });

    test('between fragments', async (t) => {
        const socket = await open(t);
        await socket.write(start('{"type":'));
        await socket.frame(OP.ping, 'between');
        const [pong] = await socket.pongs(1);
        assert.equal(pong.toString(), 'between');
        assert.deepEqual(socket.all('error'), [], 'the message is not there yet');
        await socket.write(more('"no such'));
        await socket.frame(OP.pong, 'too');
        await socket.write(last(' type"}'));
        await socket.get('error');
        await works(socket);
    });
});

describe('messages', { concurrency: 4 }, () => {
    const send = (body, client_id = randomUUID()) => ({
        type: 'send',
        conversation_id: conversation.id,
        message_body: body,
        client_id,
    });

    async function acked(socket, frame, write) {
        await write(Buffer.from(JSON.stringify(frame)));
        const ack = await socket.get({ type: 'ack', client_id: frame.client_id });
        assert.equal(ack.message.message_body, frame.message_body);
    }

    test('in one frame', async (t) => {
        const socket = await open(t);
        await acked(socket, send('whole ✓'), (payload) => socket.write(text(payload)));
    });

    test('in fragments, also inside a character, also empty ones', async (t) => {
        const socket = await open(t);
        await acked(socket, send('in pieces: €€€ 𝄞'), async (payload) => {
            const frames = [start('')];
            for (const byte of payload) frames.push(more(bytes(byte)), more(''));
            await socket.write(Buffer.concat([...frames, last('')]));
        });
        await works(socket);
    });

    test('byte by byte', async (t) => {
        const socket = await open(t, { piece: 1 });
        await acked(socket, send('slowly €'), (payload) => socket.write(text(payload), 1));
        await works(socket);
    });

    test('pieces that cut headers anywhere', async (t) => {
        const socket = await open(t);
        for (const piece of [1, 2, 3, 5, 7, 13, 126, 127, 1000]) {
            const frame = send(`${piece} ${'y'.repeat(600)}`);
            await acked(socket, frame, (payload) => socket.write(text(payload), piece));
        }
    });

    test('right behind the handshake, in one packet', async (t) => {
        const frame = send('early');
        const early = [encodeFrame(OP.ping, 'early'), text(JSON.stringify(frame))];
        const socket = await open(t, { early: Buffer.concat(early) });
        const [pong] = await socket.pongs(1);
        assert.equal(pong.toString(), 'early');
        await socket.get({ type: 'ack', client_id: frame.client_id });
        assert.equal(socket.frames[0].type, 'hello', 'hello comes first');
    });

    test('much of it right behind the handshake', async (t) => {
        const early = Array.from({ length: 200 }, (_, n) => text(unknown(300 + n)));
        const socket = await open(t, { early: Buffer.concat(early) });
        const all = () => (socket.all('error').length === early.length ? true : undefined);
        await socket.until(all, 'an answer to each');
    });

    test('a wrong frame right behind the handshake', async (t) => {
        const early = text('{}', { masked: false });
        const socket = await open(t, { early });
        await closes(socket, PROTOCOL_ERROR);
    });

    test('many in one packet', async (t) => {
        const socket = await open(t);
        const many = Array.from({ length: 1000 }, () => text(unknown()));
        await socket.write(Buffer.concat(many));
        const all = () => (socket.all('error').length === many.length ? true : undefined);
        await socket.until(all, 'an answer to each');
        await works(socket);
    });

    test('as long as may be', async (t) => {
        const socket = await open(t);
        for (const length of [125, 126, 127, 65535, 65536, MESSAGE_MAX]) {
            await socket.write(text(unknown(length)));
            await socket.get('error');
            socket.forget();
        }
        const half = MESSAGE_MAX / 2;
        const long = unknown(MESSAGE_MAX);
        await socket.write(Buffer.concat([start(long.slice(0, half)), last(long.slice(half))]));
        await socket.get('error');
        await works(socket);
    });

    test('what is no message of ours', async (t) => {
        const socket = await open(t);
        const texts = ['', ' ', 'x', '{', '[]', '1', 'null', '"send"', '{}', '{"type":1}'];
        texts.push('{"type":"send"', '\u0000', '{"type":"hello"}', '{"type":"ack"}');
        texts.push('['.repeat(5000), '{"type":'.repeat(1000), '{"type":"x"}{"type":"x"}');
        texts.push(`{"type":"${'x'.repeat(1000)}"}`, '{"type":"\\u0000"}', '\ufeff{}');
        for (const wrongText of texts) {
            await socket.write(text(wrongText));
            const error = await socket.get('error');
            assert.equal(typeof error.code, 'string', wrongText);
            assert.equal(typeof error.detail, 'string', wrongText);
            socket.forget();
        }
        await works(socket);
    });
});

describe('ends without a word', { concurrency: 4 }, () => {
    const presence = (who) => user.get(`/api/users/${who.id}/presence/`);
    const offline = (who) =>
        eventually(
            () => presence(who),
            (res) => ok(res).state === 'offline',
            'gone',
        );

    async function visitor(t) {
        const who = await register(server);
        const socket = closing(t, await openRaw(who));
        await eventually(
            () => presence(who),
            (res) => ok(res).state === 'online',
            'there',
        );
        return { who, socket };
    }

    test('the client ends its half: so does the server', async (t) => {
        const { who, socket } = await visitor(t);
        socket.socket.end();
        await socket.ended();
        await offline(who);
    });

    test('in the middle of a frame', async (t) => {
        const { who, socket } = await visitor(t);
        await socket.write(text(unknown(500)).subarray(0, 100));
        socket.socket.end();
        await socket.ended();
        await offline(who);
    });

    test('the connection is reset', async (t) => {
        const { who, socket } = await visitor(t);
        socket.socket.resetAndDestroy();
        await offline(who);
    });

    test('while an answer is on its way', async (t) => {
        const { who, socket } = await visitor(t);
        const talk = await makeConversation(who, [], { title: 'alone' });
        for (let n = 0; n < 20; n++) {
            const said = { type: 'send', conversation_id: talk.id, client_id: randomUUID() };
            socket.say({ ...said, message_body: `${n}` });
        }
        await socket.get('ack');
        socket.socket.resetAndDestroy();
        await offline(who);
        await server.assertAlive();
    });
});

describe('heartbeats', () => {
    let quick, one;
    before(async () => {
        quick = await startServer({ env: { HEARTBEAT_INTERVAL: '1' } });
        one = await register(quick);
    });
    after(() => quick?.stop());

    const beats = (client, count) =>
        client.until(() => (client.all('ping').length >= count ? true : undefined), 'pings');

    test('who never says anything is closed, who does is not', async (t) => {
        const silent = closing(t, await openSocket(one, { pong: false }));
        const answering = closing(t, await openSocket(one));
        const other = closing(t, await openRaw(one)); // pongs of the protocol
        const busy = closing(t, await openSocket(one, { pong: false })); // says other things
        let seen = 0;
        const beat = () => {
            for (; seen < other.all('ping').length; seen++) {
                other.frame(OP.pong, '');
                busy.say({ type: 'typing', conversation_id: 'x' });
            }
            return undefined;
        };
        other.until(beat, 'never', { ms: 1 << 30 }).catch(() => {});
        assert.equal((await silent.ended()).code, 1001);
        const heard = answering.all('ping').length;
        await Promise.all([answering, other, busy].map((client) => beats(client, heard + 4)));
        for (const client of [answering, other, busy]) assert.equal(client.closed, null);
        for (const ping of answering.all('ping')) assert.equal(typeof ping.cursor, 'string');
    });
});
