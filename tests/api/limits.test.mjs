// Limits and hostile input: each has a clear answer, none is a 500, and the server lives on.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { raw, register, say } from '../lib/client.mjs';
import { contains, err, invalid, notFound, ok, show } from '../lib/expect.mjs';
import { startServer } from '../lib/server.mjs';
import { useCast } from '../lib/suite.mjs';

let server, api, cast, owner;
const MIB = 1 << 20;

useCast((world) => {
    ({ server, api, cast, owner } = world);
});

const messages = () => `${cast.path}messages/`;
const JSON_TYPE = { 'content-type': 'application/json' };
const FORM_TYPE = { 'content-type': 'application/x-www-form-urlencoded' };
const post = (body, headers = JSON_TYPE, more = {}) =>
    owner.request('POST', messages(), { body, headers, ...more });
const noServerError = (res) => assert.ok(res.status < 500, show(res));

describe('bodies', () => {
    // Exactly `size` bytes of a good request.
    const sized = (size) => {
        const head = '{"message_body": "fits", "nope": "';
        return `${head}${'x'.repeat(size - head.length - 2)}"}`;
    };

    test('1 MiB fits, one byte more is 413', async () => {
        ok(await post(sized(MIB)), 201);
        err(await post(sized(MIB + 1)), 413, 'too_large');
        err(await post(sized(MIB + 1), JSON_TYPE, { chunked: true }), 413, 'too_large');
        ok(await post(sized(MIB), JSON_TYPE, { chunked: true }), 201);
    });

    test('3 MB of JSON, form and multipart are 413', async () => {
        const big = 'x'.repeat(3_000_000);
        err(await post(`{"message_body": "${big}"}`), 413, 'too_large');
        err(await post(`message_body=${big}`, FORM_TYPE), 413, 'too_large');
        const part = 'Content-Disposition: form-data; name="message_body"\r\n\r\n';
        const multipart = { 'content-type': 'multipart/form-data; boundary=b' };
        err(await post(`--b\r\n${part}${big}\r\n--b--\r\n`, multipart), 413, 'too_large');
    });

    test('a refused body leaves the connection or the next request sound', async () => {
        err(await post(sized(MIB * 2)), 413);
        await say(owner, cast, 'next');
    });

    test('BODY_SIZE_MAX', async (t) => {
        const small = await startServer({ env: { BODY_SIZE_MAX: '1024' } });
        t.after(() => small.stop());
        const user = await register(small);
        err(await user.patch('/api/users/me/', { first_name: 'x'.repeat(1200) }), 413, 'too_large');
        ok(await user.patch('/api/users/me/', { first_name: 'x'.repeat(150) }));
    });

    test('JSON of depth 32, and deeper', async () => {
        const nested = (depth) =>
            `{"message_body": "deep", "nope": ${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`;
        ok(await post(nested(32)), 201);
        err(await post(nested(33)), 400, 'parse_error');
        err(await post(nested(100_000)), 400, 'parse_error');
        const objects = `${'{"a":'.repeat(1000)}1${'}'.repeat(1000)}`;
        err(await post(objects), 400, 'parse_error');
    });

    test('many keys, long keys, long numbers', async () => {
        const keys = Array.from({ length: 20_000 }, (_, n) => `"k${n}":1`).join(',');
        ok(await post(`{${keys},"message_body":"x"}`), 201);
        ok(await post(`{"${'k'.repeat(500_000)}":1,"message_body":"x"}`), 201);
        for (const number of ['9'.repeat(5000), '1e400', '9223372036854775808']) {
            err(await post(`{"message_body": ${number}}`), 400, 'parse_error');
        }
        for (const number of ['-0.0', '9223372036854775807', '0.30000000000000004']) {
            const body = ok(await post(`{"message_body": ${number}}`), 201);
            assert.equal(body.message_body, number);
        }
    });

    // Each could cost its square.
    test('a body that is wrong in very many places is told of the first ones', async () => {
        const create = (body) =>
            owner.request('POST', '/api/conversations/', { body, headers: JSON_TYPE });
        const items = await create(`{"participants": [${'[],'.repeat(300_000)}[]]}`);
        const names = Array.from({ length: 50_000 }, (_, n) => `"participant${n}":1`).join(',');
        const keys = invalid(await create(`{${names}}`), { participants: true });
        assert.ok(invalid(items, { participants: true }).participants.length === 1);
        assert.ok(keys.participants.length <= 100);
    });

    test('1,001 form fields', async () => {
        const fields = Array.from({ length: 1001 }, (_, n) => `f${n}=1`).join('&');
        const text = 'The number of parameters exceeded 1000.';
        err(await post(fields, FORM_TYPE), 400, 'invalid', text);
        ok(await post(`${fields.slice(0, 4000)}&message_body=x`, FORM_TYPE), 201);
    });

    test('multipart that is broken in every way', async () => {
        const type = (boundary) => ({
            'content-type': `multipart/form-data; boundary=${boundary}`,
        });
        const part = 'Content-Disposition: form-data; name="message_body"\r\n\r\nx';
        for (const [body, headers] of [
            ['', type('b')],
            ['--b', type('b')],
            ['--b--', type('b')],
            [`--c\r\n${part}\r\n--c--\r\n`, type('b')],
            [`--b\r\n\r\n\r\n--b--\r\n`, type('b')],
            [`--b\r\n${part}\r\n--b--\r\n`, type('')],
            [`--b\r\n${part}\r\n--b--\r\n`, type('x'.repeat(300))],
            [`--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n`, type('b')],
            [`--b\r\nContent-Disposition: form-data; name="\r\n\r\nx\r\n--b--\r\n`, type('b')],
            [`--b\r\nContent-Disposition: ${'y'.repeat(70_000)}\r\n\r\nx\r\n--b--\r\n`, type('b')],
            [`${'--b\r\n'.repeat(5000)}`, type('b')],
            ['\u0000'.repeat(100), type('b')],
        ]) {
            ok(await post(body, headers), 400);
        }
        // As Django: the end of the body ends the last part too.
        contains(ok(await post(`--b\r\n${part}`, type('b')), 201), { message_body: 'x' });
    });
});

describe('paths, queries and headers', () => {
    test('1,001 query parameters', async () => {
        const text = 'The number of parameters exceeded 1000.';
        const path = '/api/users/me/';
        err(await owner.get(`${path}?${'a&'.repeat(1000)}a`), 400, 'invalid', text);
        err(await owner.get(`/api/messages/?${'q=x&'.repeat(1000)}q=y`), 400, 'invalid', text);
        ok(await owner.get(`${path}?${'a&'.repeat(999)}a`));
        for (let n = 0; n < 30; n++) {
            err(await owner.get(`${path}?${'&'.repeat(20_000)}`), 400, 'invalid', text);
        }
    });

    // The library counts each as 64 bytes of the connection's memory, and refuses twice.
    test('more cookies than the connection has memory for', async () => {
        for (const more of ['', 'Content-Length: x\r\n', 'Transfer-Encoding: x\r\n']) {
            const cookies = `Cookie: ${','.repeat(2000)}\r\n`;
            const head = `POST /health/ HTTP/1.1\r\nHost: localhost\r\n${cookies}${more}\r\n`;
            assert.match(await raw(server, head), /^(HTTP\/1\.1 431 |$)/);
        }
    });

    test('links hold a query of any bytes', async () => {
        const head = Buffer.from('GET /api/users/?page_size=1&zzz=');
        const more = ` HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${owner.access}\r\n`;
        const tail = Buffer.from(`${more}Connection: close\r\n\r\n`);
        const bytes = [head, Buffer.alloc(12_000, 0xff), tail];
        const text = await raw(server, Buffer.concat(bytes), { idleMs: 60_000 });
        const { next } = JSON.parse(text.slice(text.indexOf('\r\n\r\n')));
        assert.ok(next.endsWith(`page=2&page_size=1&zzz=${'%EF%BF%BD'.repeat(12_000)}`));
    });

    test('long request lines, ids and headers', async () => {
        for (const size of [4200, 24_000]) {
            ok(await owner.get(`/api/users/me/?q=${'x'.repeat(size)}`));
        }
        for (const size of [100, 5000]) {
            const id = 'a'.repeat(size);
            notFound(await owner.get(`/api/conversations/${id}/`));
            notFound(await owner.get(`/api/messages/${id}/`));
            invalid(await owner.get('/api/messages/', { conversation: id }), {
                conversation: ['Enter a valid UUID.'],
            });
            ok(await owner.get('/api/users/', { search: id }));
        }
        const huge = await raw(
            server,
            `GET /${'x'.repeat(100_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
        );
        assert.match(huge, /^(HTTP\/1\.1 414 |$)/);
        const header = await raw(
            server,
            `GET /health/ HTTP/1.1\r\nHost: localhost\r\nX-Long: ${'y'.repeat(100_000)}\r\n\r\n`,
        );
        assert.match(header, /^(HTTP\/1\.1 431 |$)/);
    });

    test('a long token', async () => {
        for (const scheme of ['Bearer', 'Token', 'Basic']) {
            const headers = { authorization: `${scheme} ${'x'.repeat(8200)}` };
            ok(await api.get('/api/users/me/', undefined, { headers }), 401);
        }
    });

    test('hostile ids', async () => {
        for (const id of [
            '%00',
            'a%00b',
            '%ff%fe',
            '%e2%28%a1',
            '..%2f..',
            '%0d%0aX-Evil:%201',
            "1'%20OR%201=1",
            '%',
            '%zz',
            '-',
            '{}',
            '0',
            '00000000-0000-0000-0000-00000000000g',
            'null',
            `${'%41'.repeat(300)}`,
            '00000000-0000-4000-8000-0000000000000',
            '%F0%9F%98%80',
            '{00000000-0000-4000-8000-000000000000}',
        ]) {
            for (const path of [
                `/api/users/${id}/`,
                `/api/conversations/${id}/`,
                `/api/messages/${id}/`,
                `/api/conversations/${id}/messages/`,
                `${cast.path}messages/${id}/`,
                `${cast.path}participants/${id}/`,
            ]) {
                const res = await owner.get(path);
                if (path.includes('participants') && !id.includes('2f')) ok(res, 405);
                else notFound(res);
                assert.equal(res.headers['x-evil'], undefined);
            }
        }
        notFound(await owner.get('/api/users/%00/'));
    });

    test('hostile query values', async () => {
        const values = [
            '%00',
            '%ff',
            '%0d%0a',
            "'",
            '"',
            '%5c',
            '%25',
            '*',
            '%F0%9F%98%80',
            '-1',
            '1e308',
            'NaN',
            '9223372036854775808',
            '-9223372036854775809',
            '%e2%80%a8',
            '[]',
            '{}',
            'null',
            '%zz',
            '%',
        ];
        const names = [
            'page',
            'page_size',
            'cursor',
            'search',
            'q',
            'ordering',
            'conversation',
            'sender',
            'sent_after',
            'sent_date',
            'is_read',
            'participant',
            'message_body',
            'before_seq',
            'after_seq',
            'around_seq',
            'limit',
            'deleted',
            'messages',
            'unread',
            'role',
            'email',
            'username',
            'created_after',
            'all',
            'format',
            'sender_username',
            'user_id',
            'conversation_id',
        ];
        for (const name of names) {
            for (const value of values) {
                const path = ['role', 'email', 'username'].includes(name)
                    ? '/api/users/'
                    : messages();
                noServerError(await owner.get(`${path}?${name}=${value}`));
            }
            noServerError(await owner.get(`/api/conversations/?${name}=${values[0]}&${name}=x`));
            noServerError(await owner.get(`/api/messages/by_user/?${name}`));
        }
    });

    test('dates at the edges', async () => {
        for (const time of [
            '0001-01-01',
            '9999-12-31T23:59:59.999999Z',
            '2024-02-29',
            '1969-12-31T23:59:59Z',
            '2024-01-01T00:00:00+14:00',
            '2024-1-1',
            ' 2024-01-01 ',
            '2024-01-01 10:00',
        ]) {
            ok(await owner.get('/api/messages/', { sent_after: time }));
        }
        for (const time of [
            '2023-02-29',
            '0000-00-00',
            '2024-13-01',
            'T',
            '2024-01-01T24:00:00Z',
            '10000-01-01',
            '2024-01-01T00:00:00.1234567Z',
            '+002024-01-01',
            '2024-01-01T',
            '2024-01-01T00:00:60Z',
            '2024-01-01T00:00:00+24:00',
        ]) {
            invalid(await owner.get('/api/messages/', { sent_after: time }), {
                sent_after: ['Enter a valid date/time.'],
            });
        }
    });

    test('hostile header values', async () => {
        for (const value of [
            '\u00ff\u00fe',
            '"',
            "'; DROP TABLE user; --",
            '%00',
            '{}',
            '\t',
            ','.repeat(500),
        ]) {
            const headers = Object.fromEntries(
                [
                    'accept',
                    'x-request-id',
                    'if-match',
                    'idempotency-key',
                    'accept-language',
                    'user-agent',
                    'origin',
                    'referer',
                    'cookie',
                    'x-forwarded-for',
                    'x-forwarded-proto',
                    'range',
                    'expect-ct',
                    'access-control-request-method',
                    'if-none-match',
                    'content-encoding',
                ].map((name) => [name, value]),
            );
            if (value.length > 100) headers.cookie = 'x'; // has a test of its own
            const { accept, ...rest } = headers;
            noServerError(await owner.get('/api/users/me/', undefined, { headers: { accept } }));
            noServerError(await owner.get('/api/users/me/', undefined, { headers: rest }));
            noServerError(await owner.post(messages(), { content: 'x' }, { headers: rest }));
            noServerError(
                await api.get('/api/users/me/', undefined, { headers: { authorization: value } }),
            );
        }
    });

    test('hostile text is stored and given back as it came', async () => {
        const texts = [
            "'; DROP TABLE message; --",
            '</script><script>alert(1)</script>',
            '\u202eevil',
            '%s%n%p',
            '${1+1}',
            '\u{10ffff}',
            '\ufffe',
            'a\u0301',
            '{"a":1}',
            '\\u0000',
            '\u200b.',
            '\ufeff.',
            '&lt;',
            '\x7f',
        ];
        for (const text of texts) {
            const body = await say(owner, cast, text);
            assert.equal(body.message_body, text);
            assert.equal(ok(await owner.get(`/api/messages/${body.id}/`)).message_body, text);
        }
    });

    test('lone surrogates are refused', async () => {
        for (const text of ['a\\ud800b', '\\udc00', '\\ud800\\ud800']) {
            ok(await post(`{"message_body": "${text}"}`), 400);
        }
        contains(ok(await post('{"message_body": "\\ud83d\\ude00"}'), 201), { message_body: '😀' });
    });

    test('wrong types in every field', async () => {
        const values = [
            0,
            -1,
            1.5,
            true,
            null,
            '',
            'x',
            [],
            [[]],
            {},
            { a: {} },
            '\u0000',
            1e300,
            ['a', 1],
        ];
        const targets = [
            ['post', '/api/token/', ['username', 'email', 'password']],
            ['post', '/api/token/refresh/', ['refresh']],
            ['post', '/api/token/verify/', ['token']],
            ['post', '/api-token-auth/', ['username', 'password']],
            [
                'post',
                '/api/users/register/',
                [
                    'email',
                    'password',
                    'username',
                    'first_name',
                    'phone_number',
                    'role',
                    'password_confirm',
                ],
            ],
            [
                'patch',
                '/api/users/me/',
                ['email', 'username', 'first_name', 'phone_number', 'metadata'],
            ],
            ['post', '/api/users/me/password/', ['old_password', 'new_password']],
            [
                'post',
                '/api/conversations/',
                ['participants', 'title', 'metadata', 'direct', 'message_body'],
            ],
            ['patch', cast.path, ['participants', 'title', 'metadata']],
            ['patch', `${cast.path}me/`, ['muted_until', 'archived', 'pinned']],
            ['post', `${cast.path}participants/`, ['user_id']],
            ['patch', `${cast.path}participants/${cast.member.id}/`, ['role']],
            ['post', `${cast.path}read/`, ['seq', 'message_id']],
            [
                'post',
                messages(),
                ['message_body', 'client_id', 'reply_to', 'metadata', 'attachments'],
            ],
            ['post', '/api/messages/', ['conversation', 'conversation_id', 'content']],
        ];
        const nobody = await register(server);
        for (const [method, path, fields] of targets) {
            const user = path.includes(cast.id) ? owner : nobody;
            for (const field of fields) {
                for (const value of values)
                    noServerError(await user[method](path, { [field]: value }));
            }
        }
    });
});
