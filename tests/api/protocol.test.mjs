// HTTP itself, as bytes on a socket: what is no HTTP, what could be read in two ways, and what ends
// in the middle. None is a 5xx but "another version", and the server lives on.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { raw } from '../lib/client.mjs';
import { REQUIRED, invalid } from '../lib/expect.mjs';
import { useCast } from '../lib/suite.mjs';

let server, api, cast, owner;

useCast((world) => {
    ({ server, api, cast, owner } = world);
});

const messages = () => `${cast.path}messages/`;
const JSON_LINE = 'Content-Type: application/json\r\n';

describe('the protocol', () => {
    const head = (line, more = '') =>
        `${line}\r\nHost: localhost\r\nConnection: close\r\n${more}\r\n`;
    // Up to the end of the connection, for those that ask for it in the last request.
    const toItsEnd = (bytes) => raw(server, bytes, { idleMs: 60_000 });
    // Nothing, if the server waits for more. 505 is for another version of HTTP.
    const status = async (bytes) => {
        const text = await raw(server, bytes, { firstMs: 1000 });
        assert.match(text, /^(HTTP\/1\.[01] ([1-4]\d\d|505) |$)/, text.slice(0, 300));
        return Number(text.slice(9, 12));
    };

    test('what is no HTTP', async () => {
        for (const bytes of [
            '\r\n\r\n',
            'GET\r\n\r\n',
            'GET /\r\n\r\n',
            head('GET /health/ HTTP/9.9'),
            head('get /health/ HTTP/1.1'),
            head('GET  /health/  HTTP/1.1'),
            '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
            'x'.repeat(3000),
            head('GET http://localhost/health/ HTTP/1.1'),
            head('GET * HTTP/1.1'),
            head('OPTIONS * HTTP/1.1'),
            head('CONNECT localhost:1 HTTP/1.1'),
            head('GET /health/ HTTP/1.1', 'Bad Header\r\n'),
            head('GET /health/ HTTP/1.1', ': x\r\n'),
            head('GET /health/ HTTP/1.1', 'A: b\r\n c\r\n'),
        ]) {
            await status(Buffer.from(bytes, 'latin1'));
        }
    });

    test('a request that could be read in two ways is refused', async () => {
        const post11 = 'POST /api/token/ HTTP/1.1';
        const type = 'Content-Type: application/json\r\n';
        for (const more of [
            'Content-Length: 5\r\nContent-Length: 6\r\n',
            'Content-Length: -1\r\n',
            'Content-Length: 5x\r\n',
            'Content-Length: 99999999999999999999\r\n',
            'Transfer-Encoding: gzip, chunked, x\r\n',
        ]) {
            const code = await status(Buffer.from(`${head(post11, type + more)}{"a":`));
            assert.ok(code === 0 || code >= 400, `${more}: ${code}`);
        }
        const both = 'Content-Length: 3\r\nTransfer-Encoding: chunked\r\n';
        const smuggled = `${head(post11, type + both)}0\r\n\r\n${head('GET /api/nope HTTP/1.1')}`;
        const text = await toItsEnd(Buffer.from(smuggled));
        assert.ok((text.match(/HTTP\/1\.1 /g) ?? []).length <= 1, text.slice(0, 500));
    });

    test('broken chunks', async () => {
        for (const chunks of [
            'x\r\n',
            'ffffffffffffffff\r\nx',
            '5\r\nab',
            '-1\r\n\r\n',
            '2\r\nabc\r\n0\r\n\r\n',
        ]) {
            const more = 'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n';
            await status(Buffer.from(`${head('POST /api/token/ HTTP/1.1', more)}${chunks}`));
        }
    });

    test('pipelined requests are answered in order', async () => {
        const one = 'GET /health/ HTTP/1.1\r\nHost: localhost\r\n\r\n';
        const last = head('GET /api/nope/ HTTP/1.1');
        const text = await toItsEnd(Buffer.from(one + one + last));
        const codes = [...text.matchAll(/HTTP\/1\.1 (\d+) /g)].map((match) => match[1]);
        assert.deepEqual(codes, ['200', '200', '404']);
    });

    test('a HEAD, then a GET on one connection', async () => {
        const text = await toItsEnd(
            `HEAD /health/ HTTP/1.1\r\nHost: localhost\r\n\r\n${head('GET /health/ HTTP/1.1')}`,
        );
        assert.equal((text.match(/HTTP\/1\.1 200 /g) ?? []).length, 2, text);
    });

    test('HTTP/1.0', async () => {
        const text = await raw(server, 'GET /health/ HTTP/1.0\r\nHost: localhost\r\n\r\n');
        assert.match(text, /^HTTP\/1\.[01] 200 /);
    });

    test('Expect: 100-continue', async () => {
        const body = JSON.stringify({ token: 'x' });
        const more = `${JSON_LINE}Content-Length: ${body.length}\r\nExpect: 100-continue\r\n`;
        const text = await toItsEnd(`${head('POST /api/token/verify/ HTTP/1.1', more)}${body}`);
        assert.match(text, /HTTP\/1\.1 401 /);
    });

    // The same bytes each run: a linear congruential generator, no clock.
    test('three hundred mutated requests', async () => {
        let state = 20_250_727;
        const random = (below) => {
            state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
            return (state >>> 8) % below;
        };
        const body = JSON.stringify({
            message_body: 'mutate me',
            client_id: null,
            metadata: { a: [1, 2] },
        });
        const whole = Buffer.from(
            `POST ${messages()}?page=1&cursor= HTTP/1.1\r\n` +
                'Host: localhost\r\nConnection: close\r\n' +
                `Authorization: Bearer ${owner.access}\r\nContent-Type: application/json\r\n` +
                `Content-Length: ${body.length}\r\n\r\n${body}`,
        );
        const rounds = process.env.CONFAB_QUICK ? 60 : 300;
        for (let n = 0; n < rounds; n++) {
            const bytes = Buffer.from(whole);
            const changes = 1 + random(4);
            for (let c = 0; c < changes; c++) bytes[random(bytes.length)] = random(256);
            const cut = random(10) === 0 ? bytes.subarray(0, random(bytes.length)) : bytes;
            const text = await raw(server, cut, { firstMs: 50, idleMs: 50 });
            assert.doesNotMatch(text, /^HTTP\/1\.\d 5/, `${cut}`);
        }
    });

    test('connections that end in the middle', async () => {
        const lines = 'POST /api/token/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n';
        for (let n = 0; n < 20; n++) await raw(server, `${lines}\r\n{`, { firstMs: 5 });
        invalid(await api.post('/api/token/verify/', {}), { token: [REQUIRED] });
    });
});
