// What holds on every route: spelling of paths, methods, negotiation, content types, error shapes,
// headers, Host, chunked bodies, character sets.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import {
    PASSWORD,
    anonymous,
    makeAdmin,
    makeCast,
    makeConversation,
    raw,
    register,
    say,
} from '../lib/client.mjs';
import {
    NO_CREDENTIALS,
    NO_UUID,
    REQUIRED,
    UUID,
    contains,
    err,
    invalid,
    notFound,
    ok,
    show,
    unauthorized,
} from '../lib/expect.mjs';
import { startServer } from '../lib/server.mjs';
import { assertShape, metadataAnswer, problem } from '../lib/shapes.mjs';

let server, api, admin, cast, owner;

before(async () => {
    server = await startServer();
    api = anonymous(server);
    admin = await makeAdmin(server);
    cast = await makeCast(server);
    ({ owner } = cast);
});
after(() => server?.stop());

const messages = () => `${cast.path}messages/`;
const JSON_TYPE = { 'content-type': 'application/json' };
const post = (body, headers = JSON_TYPE, more = {}) =>
    owner.request('POST', messages(), { body, headers, ...more });
const words = (header) =>
    (header ?? '')
        .toLowerCase()
        .split(/\s*,\s*/)
        .filter(Boolean);

describe('paths', () => {
    test('with and without the slash, any method, no redirect', async () => {
        ok(await owner.get('/api/conversations'));
        ok(await owner.get('/api/conversations?page=1'));
        ok(await owner.head('/api/conversations'));
        ok(await owner.options('/api/conversations'));
        const said = ok(
            await owner.post('/api/messages', { conversation: cast.id, content: 'x' }),
            201,
        );
        const path = `/api/messages/${said.id}`;
        ok(await owner.patch(path, { content: 'y' }));
        ok(await owner.put(path, { content: 'z' }));
        ok(await owner.delete(path), 204);
        unauthorized(await api.get('/api/conversations'));
        err(await owner.put('/api/conversations', {}), 405);
    });

    test('the prefixes /api/v1/ and /api/chats/', async () => {
        for (const prefix of ['/api/v1', '/api/chats']) {
            ok(await owner.get(`${prefix}/conversations/${cast.id}/`));
            ok(await owner.get(`${prefix}/conversations/${cast.id}/messages`));
            ok(
                await api.post(`${prefix}/token/`, {
                    username: owner.username,
                    password: PASSWORD,
                }),
            );
            ok(
                await owner.post(`${prefix}/messages/`, { conversation: cast.id, content: 'x' }),
                201,
            );
            const root = ok(await owner.get(`${prefix}/`));
            for (const link of Object.values(root))
                assert.ok(link.startsWith(`${server.url}${prefix}/`));
        }
        notFound(await owner.get('/api/v2/conversations/'));
        notFound(await owner.get('/api/v1/v1/conversations/'));
    });

    test('the suffix .json', async () => {
        const list = ok(await owner.get('/api/users.json', { page_size: 1 }));
        assert.equal(list.results.length, 1);
        contains(ok(await owner.get(`/api/users/${owner.id}.json`)), { id: owner.id });
        for (const path of ['/api/users.xml', '/api/users.', '/api/users.json/', '/api/.json']) {
            notFound(await owner.get(path));
        }
    });

    test('the root lists the resources', async () => {
        const body = ok(await owner.get('/api/'));
        for (const name of ['users', 'conversations', 'messages']) {
            assert.equal(body[name], `${server.url}/api/${name}/`);
        }
        assert.deepEqual(ok(await owner.get('/api')), body);
        unauthorized(await api.get('/api/'));
    });

    test('unknown ones are JSON 404, whoever asks', async () => {
        for (const path of [
            '/api/nope/',
            '/api/nope',
            '/api//conversations/',
            '/api/conversations//',
            '/nope',
            '/apix/',
            `/api/conversations/${cast.id}/nope/`,
            '/api/users/me/nope/',
            '/api/..%2f/',
            '/API/users/',
        ]) {
            err(await owner.get(path), 404, 'not_found', 'Not found.');
            ok(await api.get(path), 404);
            ok(await api.post(path, {}), 404);
        }
    });

    test('percent-encoding is decoded once', async () => {
        ok(await owner.get(`/api/%63onversations/${cast.id}/`));
        notFound(await owner.get('/api/conversations/%2561/'));
        ok(await owner.get(`/api/conversations/?search=%zz`));
    });
});

describe('methods', () => {
    test('405 names the method and carries Allow', async () => {
        const table = [
            ['PUT', '/api/conversations/', 'GET, POST, HEAD, OPTIONS'],
            ['POST', cast.path, 'GET, PUT, PATCH, DELETE, HEAD, OPTIONS'],
            ['DELETE', messages(), 'GET, POST, HEAD, OPTIONS'],
            ['BREW', '/api/conversations/', 'GET, POST, HEAD, OPTIONS'],
            ['TRACE', '/api/conversations/', 'GET, POST, HEAD, OPTIONS'],
        ];
        for (const [method, path, allow] of table) {
            const res = await owner.request(method, path);
            err(res, 405, 'method_not_allowed', `Method "${method}" not allowed.`);
            assert.equal(res.headers.allow, allow, path);
            unauthorized(await api.request(method, path));
        }
        const res = await api.get('/api/token/');
        err(res, 405, 'method_not_allowed', 'Method "GET" not allowed.');
        assert.equal(res.headers.allow, 'POST, OPTIONS');
        assert.match(show(res), /405/);
    });

    test('HEAD is GET without the body', async () => {
        for (const path of [
            '/api/conversations/',
            cast.path,
            messages(),
            '/api/users/me/',
            '/health/',
        ]) {
            const get = await owner.get(path);
            const head = await owner.head(path);
            ok(head);
            assert.equal(head.text, '');
            assert.equal(head.headers['content-type'], get.headers['content-type']);
            assert.equal(head.headers['content-length'], get.headers['content-length'], path);
        }
        ok(await api.head('/api/conversations/'), 401);
        ok(await owner.head(`/api/conversations/${NO_UUID}/`), 404);
    });

    test('OPTIONS tells what there is', async () => {
        const res = await owner.options(messages());
        const body = assertShape(metadataAnswer, ok(res));
        assert.equal(res.headers.allow, 'GET, POST, HEAD, OPTIONS');
        assert.deepEqual(body.renders, ['application/json', 'text/html']);
        assert.deepEqual(body.parses.slice().sort(), [
            'application/json',
            'application/x-www-form-urlencoded',
            'multipart/form-data',
        ]);
        const field = body.actions.POST.message_body;
        contains(field, { type: 'string', required: true, read_only: false });
        assert.equal(typeof field.label, 'string');
        unauthorized(await api.options('/api/conversations/'));
        const open = ok(await api.options('/api/users/register/'));
        for (const name of ['email', 'password'])
            contains(open.actions.POST[name], { required: true });
        const role = open.actions.POST.role;
        assert.equal(role.type, 'choice');
        assert.ok(role.choices.some((choice) => choice.value === 'host'));
        ok(await api.options('/api/token/'));
    });

    test('OPTIONS tells in what forms an answer comes', async () => {
        for (const [path, forms] of [
            ['/api/schema/', ['application/json', 'text/html', 'application/yaml', 'application/vnd.oai.openapi']],
            ['/api/events/', ['application/json', 'text/html', 'text/event-stream']],
            ['/api/schema/swagger-ui/', ['text/html']],
            ['/admin/', ['text/html']],
            ['/static/js/admin.js', []],
        ]) {
            assert.deepEqual(ok(await owner.options(path)).renders, forms, path);
        }
    });

    test('OPTIONS leaves out what the caller may not write', async () => {
        const said = await say(cast.member, cast, 'not yours');
        const path = `/api/messages/${said.id}/`;
        assert.ok(ok(await cast.member.options(path)).actions?.PUT?.message_body);
        assert.equal(ok(await owner.options(path)).actions?.PUT, undefined);
    });

    test('a CORS preflight is answered before authentication', async (t) => {
        const origin = 'http://app.example';
        const other = await startServer({ env: { CORS_ALLOWED_ORIGINS: origin } });
        t.after(() => other.stop());
        const ask = (from) =>
            anonymous(other).options('/api/conversations/', {
                headers: {
                    origin: from,
                    'access-control-request-method': 'POST',
                    'access-control-request-headers': 'authorization,content-type',
                },
            });
        const res = await ask(origin);
        ok(res, 204);
        assert.equal(res.headers['access-control-allow-origin'], origin);
        assert.ok(words(res.headers['access-control-allow-methods']).includes('post'));
        assert.ok(words(res.headers['access-control-allow-headers']).includes('authorization'));
        assert.ok(words(res.headers.vary).includes('origin'));
        const foreign = await ask('http://evil.example');
        assert.equal(foreign.headers['access-control-allow-origin'], undefined);
        const user = await register(other);
        const plain = await user.get('/api/users/me/', undefined, { headers: { origin } });
        ok(plain);
        assert.equal(plain.headers['access-control-allow-origin'], origin);
    });
});

describe('negotiation', () => {
    const me = (accept, query) => owner.get('/api/users/me/', query, { headers: { accept } });

    test('what gives JSON', async () => {
        for (const accept of [
            '*/*',
            'application/*',
            'application/json',
            'text/html, application/json',
            'application/json;q=0.1, text/html;q=0.9',
            'application/xml, */*;q=0.1',
            'APPLICATION/JSON',
            '',
        ]) {
            const res = await me(accept);
            ok(res);
            assert.equal(res.headers['content-type'], 'application/json', accept);
        }
    });

    test('what is 406, before authentication', async () => {
        for (const accept of ['application/xml', 'nonsense', 'image/png, text/csv']) {
            const text = 'Could not satisfy the request Accept header.';
            err(await me(accept), 406, 'not_acceptable', text);
            const anybody = await api.get('/api/users/me/', undefined, { headers: { accept } });
            err(anybody, 406, 'not_acceptable', text);
        }
    });

    test('?format=json wins over Accept; an unknown format is 404', async () => {
        ok(await me('text/html', { format: 'json' }));
        ok(await me('application/xml', { format: 'json' }));
        notFound(await me('*/*', { format: 'xml' }));
        notFound(await api.get('/api/users/me/', { format: 'xml' }));
    });

    test('indent', async () => {
        const res = await me('application/json; indent=2');
        assert.match(res.text, /^\{\n {2}"/);
        contains(ok(res), { id: owner.id });
    });

    test('problem+json carries the same code', async () => {
        const headers = { accept: 'application/problem+json' };
        const res = await owner.get(`/api/conversations/${NO_UUID}/`, undefined, { headers });
        assert.equal(res.status, 404);
        assert.match(res.headers['content-type'], /^application\/problem\+json/);
        const body = assertShape(problem, res.json);
        contains(body, { status: 404 });
        assert.equal(res.headers['x-error-code'], 'not_found');
        assert.ok(JSON.stringify(body).includes('not_found'));
        const bad = await owner.post(messages(), { message_body: '' }, { headers });
        assert.equal(bad.status, 400);
        assert.match(bad.headers['content-type'], /problem\+json/);
        assert.ok(bad.text.includes('message_body'));
        ok(await owner.get('/api/users/me/', undefined, { headers }));
        const both = { accept: 'application/json, application/problem+json' };
        ok(await owner.get('/api/users/me/', undefined, { headers: both }));
    });
});

describe('bodies', () => {
    test('types that are not taken', async () => {
        for (const type of [
            'text/plain',
            'application/vnd.api+json',
            'application/xml',
            'nonsense',
            '',
        ]) {
            const res = await post('{"message_body": "x"}', { 'content-type': type });
            const text = `Unsupported media type "${type}" in request.`;
            err(res, 415, 'unsupported_media_type', text);
        }
        const latin = await post('{}', { 'content-type': 'text/\u00e9' });
        const shown = 'Unsupported media type "text/\ufffd" in request.';
        err(latin, 415, 'unsupported_media_type', shown);
        const none = await owner.request('POST', messages(), { body: '{"message_body": "x"}' });
        err(none, 415, 'unsupported_media_type', 'Unsupported media type "" in request.');
        invalid(await owner.request('POST', messages()), { message_body: [REQUIRED] });
        invalid(await post(''), { message_body: [REQUIRED] });
    });

    test('types that are', async () => {
        for (const type of [
            'application/json',
            'Application/JSON; charset=UTF-8',
            'application/json;charset="utf-8"',
        ]) {
            ok(await post('{"message_body": "x"}', { 'content-type': type }), 201);
        }
        const form = await owner.request('POST', messages(), {
            form: { message_body: 'a form é +&' },
        });
        contains(ok(form, 201), { message_body: 'a form é +&' });
        const parts =
            '--b\r\nContent-Disposition: form-data; name="message_body"\r\n\r\n' +
            'multi é\r\n--b--\r\n';
        const multipart = await post(parts, { 'content-type': 'multipart/form-data; boundary=b' });
        contains(ok(multipart, 201), { message_body: 'multi é' });
        ok(await post('x', { 'content-type': 'multipart/form-data' }), 400);
        ok(
            await post(parts.slice(0, 40), { 'content-type': 'multipart/form-data; boundary=b' }),
            400,
        );
    });

    test('malformed JSON', async () => {
        for (const text of [
            '{"message_body": ',
            '{bad',
            '{"a":1,}',
            "{'a':1}",
            '{"message_body": NaN}',
            '[1',
            '{"a" 1}',
            '{"message_body": "x"} y',
            '\u00ef',
            '{"message_body": "\n"}',
            'nul',
            '{"a": 01}',
            '{"a": .5}',
            '{"a": "\\x"}',
            '{"a": Infinity}',
        ]) {
            err(await post(text), 400, 'parse_error', /^JSON parse error - ./);
        }
        err(
            await post(Buffer.from('{"message_body": "\xff"}', 'latin1')),
            400,
            'parse_error',
            /^JSON parse/,
        );
        err(await post('\ufeff{"message_body": "x"}'), 400, 'parse_error', /^JSON parse error/);
        err(await post(`{"message_body": ${'9'.repeat(5000)}}`), 400);
    });

    test('JSON that is no object', async () => {
        const names = { '[1]': 'list', '"text"': 'str', 7: 'int', 1.5: 'float', true: 'bool' };
        for (const [text, name] of Object.entries(names)) {
            const said = `Invalid data. Expected a dictionary, but got ${name}.`;
            invalid(await post(text), { non_field_errors: [said] });
        }
        invalid(await post('null'), { non_field_errors: ['No data provided'] });
    });

    test('the same key twice: the last one counts', async () => {
        const body = ok(await post('{"message_body": "one", "message_body": "two"}'), 201);
        assert.equal(body.message_body, 'two');
    });

    test('chunked, with no Content-Length', async () => {
        const long = 'é'.repeat(5000);
        const res = await post(JSON.stringify({ message_body: long }), JSON_TYPE, {
            chunked: true,
        });
        contains(ok(res, 201), { message_body: long });
        const form = { 'content-type': 'application/x-www-form-urlencoded' };
        contains(ok(await post('content=in+chunks', form, { chunked: true }), 201), {
            message_body: 'in chunks',
        });
    });

    test('charset is obeyed', async () => {
        for (const charset of ['latin-1', 'iso-8859-1', 'ISO-8859-1']) {
            const type = { 'content-type': `application/json; charset=${charset}` };
            const res = await post(Buffer.from('{"message_body": "caf\xe9"}', 'latin1'), type);
            contains(ok(res, 201), { message_body: 'café' });
        }
        ok(
            await post('{"message_body": "x"}', {
                'content-type': 'application/json; charset=nonsense',
            }),
            400,
            415,
        );
    });

    test('a DELETE with a body', async () => {
        const made = await makeConversation(owner);
        const res = await owner.request('DELETE', `/api/conversations/${made.id}/`, {
            json: { a: 1 },
        });
        assert.equal(res.status, 204);
        assert.equal(res.headers['content-type'], undefined);
    });
});

describe('order of checks', () => {
    test('anonymous is 401 whatever the method, id or body', async () => {
        unauthorized(await api.request('POST', messages(), { body: '{bad', headers: JSON_TYPE }));
        unauthorized(await api.get('/api/conversations/abc/'));
        unauthorized(await api.request('PUT', '/api/conversations/'));
        unauthorized(
            await api.request('POST', '/api/messages/', {
                body: 'x',
                headers: { 'content-type': 'a/b' },
            }),
        );
        const body = unauthorized(await api.get('/api/conversations/'));
        assert.deepEqual(body, { detail: NO_CREDENTIALS });
    });

    test('the object comes before the body', async () => {
        err(await cast.stranger.post(messages(), {}), 403, 'not_participant');
        notFound(await owner.patch(`/api/messages/${NO_UUID}/`, { message_body: '' }));
        err(await cast.member.patch(cast.path, { metadata: 1 }), 403);
        err(await owner.request('POST', cast.path, { body: '{bad', headers: JSON_TYPE }), 405);
    });
});

describe('headers', () => {
    test('security headers on all', async () => {
        const answers = [
            await api.get('/health/'),
            await api.get('/api/conversations/'),
            await owner.get('/api/users/me/'),
            await api.get('/nope'),
            await owner.post(messages(), {}),
            await owner.get('/api/users/me/', { format: 'xml' }),
            await admin.get(`/api/conversations/${NO_UUID}/`),
            await owner.options('/api/messages/'),
        ];
        for (const res of answers) {
            assert.equal(res.headers['x-content-type-options'], 'nosniff', show(res));
            assert.equal(res.headers['x-frame-options'], 'DENY', show(res));
            assert.equal(res.headers['referrer-policy'], 'same-origin', show(res));
            assert.equal(res.headers['cross-origin-opener-policy'], 'same-origin', show(res));
            assert.ok(words(res.headers.vary).length > 0 || /health/.test(res.path), show(res));
            assert.match(res.headers['x-request-id'] ?? '', /^[\w.-]{8,}$/, show(res));
            assert.equal(res.headers['transfer-encoding'], undefined, show(res));
        }
        assert.ok(words((await owner.get('/api/users/me/')).headers.vary).includes('accept'));
    });

    test('X-Request-ID in and out', async () => {
        const headers = (id) => ({ headers: { 'x-request-id': id } });
        const given = await owner.get('/api/users/me/', undefined, headers('my-request-0001'));
        assert.equal(given.headers['x-request-id'], 'my-request-0001');
        const bad = await owner.get('/api/users/me/', undefined, headers('a b"<>\u00e9;'));
        assert.doesNotMatch(bad.headers['x-request-id'], /[ "<>\u00e9;]/);
        const long = await owner.get('/api/users/me/', undefined, headers('x'.repeat(3000)));
        assert.ok(long.headers['x-request-id'].length <= 200);
        const ids = new Set();
        for (let n = 0; n < 5; n++) ids.add((await api.get('/health/')).headers['x-request-id']);
        assert.equal(ids.size, 5);
    });

    test('a 204 has no body, no type, no length', async () => {
        const said = await say(owner, cast, 'x');
        const res = await owner.delete(`/api/messages/${said.id}/`);
        assert.equal(res.status, 204);
        assert.equal(res.headers['content-length'], undefined);
        assert.equal(res.headers['content-type'], undefined);
    });

    test('ids and times', async () => {
        const body = ok(await owner.get(cast.path));
        assert.match(body.id, UUID);
        assert.match(body.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z$/);
    });
});

describe('Host and links', () => {
    test('an allowed host is used in links, another is 400', async () => {
        const ask = (host) =>
            owner.get('/api/conversations/', { page_size: 1 }, { headers: { host } });
        await makeConversation(owner);
        const { next } = ok(await ask('localhost:1234'));
        assert.ok(next.startsWith('http://localhost:1234/api/conversations/?'), next);
        for (const host of [
            'evil.example',
            'localhost.evil.example',
            'a b',
            'localhost:x',
            'localhost:',
            'localhost@evil.example',
            'evil.example/localhost',
            '[::1',
            '..',
        ]) {
            err(await ask(host), 400, 'bad_host');
        }
        // None, an empty one, two, and one that the request line contradicts.
        for (const lines of ['', 'Host:\r\n', 'Host: localhost\r\nHost: evil.example\r\n']) {
            const text = `GET /health/ HTTP/1.1\r\nConnection: close\r\n${lines}\r\n`;
            assert.match(await raw(server, text), /^HTTP\/1\.1 400 /, lines);
        }
    });

    test('ALLOWED_HOSTS, PUBLIC_URL and forwarded headers', async (t) => {
        const other = await startServer({
            env: {
                ALLOWED_HOSTS: '.example.com,127.0.0.1',
                PUBLIC_URL: 'https://chat.example.org',
            },
        });
        t.after(() => other.stop());
        const user = await register(other);
        for (let n = 0; n < 2; n++) await makeConversation(user);
        const ask = (headers) => user.get('/api/conversations/', { page_size: 1 }, { headers });
        for (const host of ['example.com', 'a.example.com', 'A.EXAMPLE.COM:80', 'example.com.']) {
            const { next } = ok(await ask({ host }));
            assert.ok(next.startsWith('https://chat.example.org/api/conversations/?'), next);
        }
        for (const host of ['badexample.com', 'localhost'])
            err(await ask({ host }), 400, 'bad_host');
    });

    test('forwarded headers count only from trusted proxies', async (t) => {
        const forwarded = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'evil.example' };
        const ask = async (user) => {
            const body = ok(
                await user.get('/api/conversations/', { page_size: 1 }, { headers: forwarded }),
            );
            return new URL(body.next);
        };
        assert.equal((await ask(owner)).origin, server.url);
        const env = { TRUSTED_PROXIES: '127.0.0.1', ALLOWED_HOSTS: '127.0.0.1,.example.com' };
        const proxied = await startServer({ env });
        t.after(() => proxied.stop());
        const user = await register(proxied);
        for (let n = 0; n < 2; n++) await makeConversation(user);
        err(await user.get('/api/users/me/', undefined, { headers: forwarded }), 400, 'bad_host');
        forwarded['x-forwarded-host'] = 'chat.example.com';
        assert.equal((await ask(user)).origin, 'https://chat.example.com');
    });
});
