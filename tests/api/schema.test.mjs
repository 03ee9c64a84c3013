// The OpenAPI document: valid, the same in all its forms, true of the server; and the check that all
// recorded answers go through (lib/openapi.mjs) notices what it should.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import { Validator } from '@seriousme/openapi-schema-validator';
import YAML from 'yaml';

import { anonymous, makeAdmin, makeConversation, register, say } from '../lib/client.mjs';
import { judge } from '../lib/contract.mjs';
import { ok } from '../lib/expect.mjs';
import { Checker } from '../lib/openapi.mjs';
import { loadDocument, matchRoute, routesOf } from '../lib/routes.mjs';
import { runCli } from '../lib/server.mjs';
import { useCast } from '../lib/suite.mjs';

let server, api, cast;
useCast((made) => ({ server, api, cast } = made));

let printed;
before(async () => {
    printed = await loadDocument();
});

function operations() {
    return Object.entries(printed.paths).flatMap(([path, item]) =>
        Object.entries(item)
            .filter(([key]) => !key.startsWith('x-'))
            .map(([method, operation]) => ({ path, method, operation })),
    );
}

describe('where it is', () => {
    test('anyone gets it, also with a bad token', async () => {
        assert.deepEqual(ok(await api.get('/api/schema/')), printed);
        const bad = api.with({ authorization: 'Bearer garbage' });
        assert.deepEqual(ok(await bad.get('/api/v1/schema')), printed);
    });

    test('YAML says the same, by ?format= and by Accept', async () => {
        for (const [query, accept, type] of [
            [{ format: 'yaml' }, '*/*', 'application/yaml'],
            [{}, 'application/yaml', 'application/yaml'],
            [{}, 'application/vnd.oai.openapi', 'application/vnd.oai.openapi'],
            [{ format: 'openapi' }, 'application/json', 'application/vnd.oai.openapi'],
        ]) {
            const res = await api.get('/api/schema/', query, { headers: { accept } });
            assert.equal(res.status, 200);
            assert.equal(res.headers['content-type'], type);
            assert.deepEqual(YAML.parse(res.text), printed);
        }
        const end = await runCli(['openapi', '--format', 'yaml']);
        assert.deepEqual(YAML.parse(end.stdout), printed);
        assert.equal((await api.get('/api/schema.yaml')).headers['content-type'], 'application/yaml');
    });

    test('YAML means the same to readers of version 1.1', async () => {
        const { text } = await api.get('/api/schema/', { format: 'yaml' });
        assert.deepEqual(YAML.parse(text, { version: '1.1' }), printed);
    });

    test('what has not changed is not sent again', async () => {
        const first = await api.get('/api/schema/');
        const { etag } = first.headers;
        assert.match(etag, /^"[\w-]+"$/);
        const again = (tag, query) => api.get('/api/schema/', query, { headers: { 'if-none-match': tag } });
        const same = await again(etag);
        assert.equal(same.status, 304);
        assert.equal(same.text, '');
        assert.equal(same.headers.etag, etag);
        assert.equal((await again('"other"')).status, 200);
        assert.equal((await again(etag, { format: 'yaml' })).status, 200);
    });

    test('OPTIONS, HEAD and other methods as everywhere', async () => {
        assert.equal(ok(await api.options('/api/schema/')).name, 'Schema');
        assert.equal((await api.head('/api/schema/')).text, '');
        ok(await api.post('/api/schema/', {}), 405);
        ok(await api.get('/api/schema/', { format: 'xml' }), 404);
        ok(await api.get('/api/schema/', {}, { headers: { accept: 'image/png' } }), 406);
    });
});

describe('what it says', () => {
    test('it is valid OpenAPI 3.1', async () => {
        const validator = new Validator();
        const { valid, errors } = await validator.validate(structuredClone(printed));
        assert.ok(valid, JSON.stringify(errors, null, 1));
        assert.equal(validator.version, '3.1');
    });

    test('names are unique, tags are described, references lead somewhere', () => {
        const ids = operations().map(({ operation }) => operation.operationId);
        assert.deepEqual(ids.filter((id, n) => ids.indexOf(id) !== n), []);
        for (const id of ids) assert.match(id, /^[a-z][a-z0-9_]*$/);
        const tags = printed.tags.map((tag) => tag.name);
        for (const { operation } of operations()) assert.ok(tags.includes(operation.tags[0]));
        for (const [, ref] of JSON.stringify(printed).matchAll(/"\$ref":"#([^"]*)"/g)) {
            const found = ref.split('/').slice(1).reduce((node, part) => node?.[part], printed);
            assert.ok(found, ref);
        }
    });

    test('names that clients may rely on', () => {
        const names = Object.fromEntries(
            operations().map(({ path, method, operation }) => [`${method} ${path}`, operation.operationId]),
        );
        for (const [key, name] of Object.entries({
            'get /api/': 'root_retrieve',
            'get /api/users/': 'users_list',
            'post /api/users/': 'users_create',
            'get /api/users/{id}/': 'users_retrieve',
            'put /api/users/{id}/': 'users_update',
            'patch /api/users/{id}/': 'users_partial_update',
            'delete /api/users/{id}/': 'users_destroy',
            'get /api/conversations/{conversation_id}/messages/': 'conversations_messages_list',
            'post /api/messages/mark-all-read/': 'messages_mark_all_read_create',
        })) {
            assert.equal(names[key], name, key);
        }
    });

    test('every example is valid by its own schema', () => {
        const checker = new Checker(printed);
        for (const [name, schema] of Object.entries(printed.components.schemas)) {
            assert.ok(schema.examples?.length > 0, `${name} has an example`);
            for (const example of schema.examples) {
                assert.deepEqual(checker.schemaProblems(name, example), [], name);
            }
        }
    });

    test('who may call it, and how he says who he is', () => {
        for (const { path, method, operation } of operations()) {
            const access = operation['x-access'];
            const where = `${method} ${path}`;
            assert.match(access, /^(anyone|user|admin)$/, where);
            const guarded = access !== 'anyone';
            const open = operation.security.length === 0 || operation.security.some((one) => Object.keys(one).length === 0);
            assert.equal(open, !guarded, where);
            if (guarded) assert.ok(operation.responses[401], where);
            const session = operation.security.find((one) => one.session);
            if (session) assert.equal('csrf' in session, method !== 'get', where);
        }
        assert.equal(printed.components.securitySchemes.basic, undefined);
    });

    test('Basic is in it where it is on', async () => {
        const end = await runCli(['openapi'], { env: { AUTH_BASIC: '1' } });
        const document = JSON.parse(end.stdout);
        assert.equal(document.components.securitySchemes.basic.scheme, 'basic');
        assert.ok(document.paths['/api/users/'].get.security.some((one) => one.basic));
    });
});

describe('the server takes what it says', () => {
    // The example of a body, and what differs.
    const bodyOf = (path, method, changes) => {
        const { content } = printed.paths[path][method].requestBody;
        const name = content['application/json'].schema.$ref.split('/').at(-1);
        const schema = printed.components.schemas[name];
        return { schema, body: { ...schema.examples[0], ...changes } };
    };

    test('limits, enums and required fields of a body hold', async () => {
        const { schema, body } = bodyOf('/api/conversations/', 'post', { participants: [], direct: false });
        ok(await cast.owner.post('/api/conversations/', body), 201);
        const { maxLength } = schema.properties.title;
        ok(await cast.owner.post('/api/conversations/', { title: 'x'.repeat(maxLength) }), 201);
        ok(await cast.owner.post('/api/conversations/', { title: 'x'.repeat(maxLength + 1) }), 400);
        assert.ok(schema.properties.title.type.includes('null'));
        ok(await cast.owner.post('/api/conversations/', { title: null }), 201);
        const sent = bodyOf('/api/messages/', 'post').schema;
        const answer = ok(await cast.owner.post('/api/messages/', {}), 400);
        assert.deepEqual(Object.keys(answer).sort(), [...sent.required].sort());
        const role = bodyOf('/api/conversations/{id}/participants/{user_id}/', 'patch').schema.properties.role;
        const target = `${cast.path}participants/${cast.moderator.id}/`;
        for (const one of role.enum) ok(await cast.owner.patch(target, { role: one }), 200);
        ok(await cast.owner.patch(target, { role: 'king' }), 400);
    });

    test('every other name of a field works', async () => {
        const { properties } = bodyOf('/api/messages/', 'post').schema;
        for (const name of properties.message_body['x-aliases']) {
            const body = { conversation: cast.id, [name]: 'by another name' };
            assert.equal(ok(await cast.owner.post('/api/messages/', body), 201).message_body, body[name]);
        }
    });

    test('every parameter of every list is taken', async () => {
        const admin = await makeAdmin(server);
        for (const { path, method, operation } of operations()) {
            const who = operation['x-access'] === 'admin' ? admin : cast.owner;
            const isList = method === 'get' && operation.operationId.endsWith('_list');
            const wants = operation.parameters?.some(({ in: place, required }) => required && place === 'query');
            if (!isList || wants || /\{|by_/.test(path)) continue; // those by whom or where want to know that
            for (const { name, in: place, schema } of operation.parameters) {
                if (place !== 'query' || name === 'all') continue;
                const usual = { integer: '1', boolean: 'true' }[schema.type] ?? '';
                const value = name === 'page' ? 'last' : (schema.enum?.[0] ?? usual);
                ok(await who.get(path, { [name]: value }), 200);
            }
        }
    });
});

// A mutation of the answer, or of the document, must be noticed.
describe('the contract check', () => {
    let checker, routes, message, target;
    const answerOf = (res) => ({
        method: res.method,
        path: res.path,
        status: res.status,
        type: res.headers['content-type'] ?? null,
        code: res.headers['x-error-code'] ?? null,
        body: /json/.test(res.headers['content-type'] ?? '') ? res.json : null,
    });
    const judged = (answer) => judge(checker, answer, matchRoute(routes, answer.method, answer.path));

    before(async () => {
        checker = new Checker(printed);
        routes = routesOf(printed);
        const user = await register(server);
        const conversation = await makeConversation(user);
        target = `/api/messages/${(await say(user, conversation, 'checked')).id}/`;
        message = answerOf(await user.get(target));
    });

    test('a true answer passes', async () => {
        assert.deepEqual(judged(message), []);
        assert.deepEqual(judged(answerOf(await api.get(target))), []);
        assert.deepEqual(judged(answerOf(await api.get('/api/nowhere/'))), []);
    });

    const changed = (change) => {
        const copy = structuredClone(message);
        change(copy);
        return judged(copy).join('\n');
    };

    test('a field too many, too few, or of another type', () => {
        assert.match(changed((a) => (a.body.extra = 1)), /additional properties \(extra\)/);
        assert.match(changed((a) => delete a.body.seq), /'seq'/);
        assert.match(changed((a) => (a.body.seq = '1')), /body\/seq must be integer/);
        assert.match(changed((a) => (a.body.sender = null)), /body\/sender must be object/);
        assert.match(changed((a) => (a.body.id = 'x')), /body\/id must match format "uuid"/);
        assert.match(changed((a) => (a.body.sender.role = 'king')), /body\/sender\/role/);
        assert.match(changed((a) => (a.body.sent_at = 'today')), /date-time/);
    });

    test('a status, a code or a media type that is not declared', () => {
        assert.match(changed((a) => (a.status = 201)), /status that is not declared/);
        assert.match(changed((a) => (a.status = 418)), /status that is not declared/);
        assert.match(changed((a) => (a.status = 500)), /server error/);
        assert.match(changed((a) => (a.type = 'text/plain')), /text\/plain is not declared/);
        const refused = { status: 404, code: 'last_admin', type: 'application/json', body: { detail: 'x' } };
        assert.match(changed((a) => Object.assign(a, refused)), /last_admin is not declared/);
        refused.code = 'not_found';
        assert.equal(changed((a) => Object.assign(a, refused)), '');
        refused.body = { message: 'x' };
        assert.match(changed((a) => Object.assign(a, refused)), /'detail'/);
    });

    test('a body where none belongs', () => {
        const gone = { ...message, method: 'DELETE', status: 204 };
        assert.match(judged(gone).join(), /a body, but none is declared/);
        assert.deepEqual(judged({ ...gone, body: null, type: null }), []);
    });
});
