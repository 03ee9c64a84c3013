// Assertions that show the whole answer when they fail.
import assert from 'node:assert/strict';

export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
export const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z$/;
export const NO_UUID = '00000000-0000-4000-8000-000000000000';
export const REQUIRED = 'This field is required.';
export const BLANK = 'This field may not be blank.';
export const NULL = 'This field may not be null.';
export const NO_CREDENTIALS = 'Authentication credentials were not provided.';
export const NOT_FOUND = 'Not found.';
export const NOT_PARTICIPANT = 'You are not a participant of this conversation.';

export function show(res) {
    return `${res.method} ${res.path} -> ${res.status} ${res.text.slice(0, 2000)}`;
}

// Returns the parsed body (undefined when there is none), so a test can go on with it.
export function ok(res, ...statuses) {
    const wanted = statuses.length ? statuses : [200];
    assert.ok(wanted.includes(res.status), `expected ${wanted.join(' or ')}: ${show(res)}`);
    if (res.status >= 400) return failed(res);
    return res.text === '' || !/json/.test(res.headers['content-type'] ?? '')
        ? undefined
        : res.json;
}

function failed(res) {
    assert.match(
        res.headers['x-error-code'] ?? '',
        /^[a-z][a-z0-9_]*$/,
        `X-Error-Code: ${show(res)}`,
    );
    if (res.method === 'HEAD') return undefined;
    assert.match(res.headers['content-type'] ?? '', /json/, `errors are JSON: ${show(res)}`);
    assert.equal(typeof res.json, 'object', show(res));
    return res.json;
}

export function err(res, status, code, detail) {
    const body = ok(res, status);
    if (code) assert.equal(res.headers['x-error-code'], code, show(res));
    if (detail instanceof RegExp) assert.match(body.detail, detail, show(res));
    else if (detail) assert.equal(body.detail, detail, show(res));
    return body;
}

// A validation error with exactly these fields. Each value: a text (among the field's texts), a
// pattern, a list (exactly these texts) or true (any text).
export function invalid(res, fields) {
    const body = ok(res, 400);
    assert.deepEqual(Object.keys(body).sort(), Object.keys(fields).sort(), show(res));
    for (const [name, wanted] of Object.entries(fields)) {
        const texts = body[name];
        assert.ok(Array.isArray(texts) && texts.length > 0, `${name} is a list: ${show(res)}`);
        if (Array.isArray(wanted)) assert.deepEqual(texts, wanted, show(res));
        else if (wanted instanceof RegExp)
            assert.ok(
                texts.some((t) => wanted.test(t)),
                show(res),
            );
        else if (wanted !== true) assert.ok(texts.includes(wanted), show(res));
    }
    return body;
}

// One of several field names may carry the error, where the contract names none.
export function invalidSome(res, ...names) {
    const body = ok(res, 400);
    assert.ok(
        names.some((name) => Array.isArray(body[name])),
        `${names}: ${show(res)}`,
    );
    return body;
}

export function notFound(res) {
    return err(res, 404, 'not_found', NOT_FOUND);
}

export function unauthorized(res) {
    const body = ok(res, 401);
    assert.equal(res.headers['www-authenticate'], 'Bearer realm="api"', show(res));
    return body;
}

export const ids = (list) => list.map((item) => item.id);

export function contains(object, part, note = '') {
    for (const [key, value] of Object.entries(part)) {
        assert.deepEqual(object?.[key], value, `${key} ${note} in ${JSON.stringify(object)}`);
    }
}
