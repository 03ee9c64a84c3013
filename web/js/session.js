// Requests of a page in the name of who is signed in to this browser, and signing in and out.

const SAFE = ['GET', 'HEAD', 'OPTIONS'];

// What went wrong with a request. `status` is HTTP's, 0 when there was no answer; `code` the server's
// word for it; `body` its error object, null where there is none; `fields` what is wrong with which
// field of the input: {name: [sentence, ...]}.
export class RequestError extends Error {
    constructor(message, { status = 0, code = '', body = null, cause } = {}) {
        super(message, { cause });
        Object.assign(this, { name: 'RequestError', status, code, body });
        const entries = Object.entries(body ?? {}).filter(([, value]) => Array.isArray(value));
        this.fields = Object.fromEntries(entries.map(([name, list]) => [name, list.map(String)]));
    }
}

// A sentence for people.
function describe(status, body) {
    if (status === 429) return 'Too many tries. Please wait a moment.';
    if (typeof body?.detail === 'string') return body.detail;
    const first = Object.values(body ?? {}).flat()[0];
    if (typeof first === 'string') return first;
    return status >= 500 ? 'The server has a problem. Please try again.' : `HTTP ${status}`;
}

// Changes at each sign-in, so it is read for each request.
export const csrfToken = () => /(?:^|; )csrftoken=([^;]+)/.exec(document.cookie)?.[1] ?? '';

// The path with the query behind it; what is empty in it is left out.
export function addressOf(path, query = {}) {
    const known = Object.entries(query).filter(([, value]) => value !== '' && value != null);
    if (known.length === 0) return path;
    return `${path}${path.includes('?') ? '&' : '?'}${new URLSearchParams(known)}`;
}

// The text as JSON, null where it is none.
export function jsonOf(text) {
    try {
        return JSON.parse(text);
    } catch {
        return null;
    }
}

// The server's answer as it came, {response, text}, whatever its status. `body`: JSON text; `cache` as
// fetch() has it. Rejects with a RequestError where there was no answer, or with an AbortError when the
// signal says so.
export async function send(method, path, { body, query, signal, headers, cache = 'no-store' } = {}) {
    const init = { method, body, signal, cache, credentials: 'same-origin' };
    init.headers = { accept: 'application/json', ...headers };
    if (!SAFE.includes(method)) init.headers['x-csrftoken'] = csrfToken();
    if (body !== undefined) init.headers['content-type'] = 'application/json';
    try {
        const response = await fetch(addressOf(path, query), init);
        return { response, text: await response.text() };
    } catch (error) {
        if (error.name === 'AbortError') throw error;
        throw new RequestError('The server cannot be reached.', { cause: error });
    }
}

// The answer's JSON, null where it has none. Rejects as send() does, and with a RequestError where
// the answer is none of success.
export async function request(method, path, { json, ...options } = {}) {
    const { response, text } = await send(method, path, { ...options, body: JSON.stringify(json) });
    const body = jsonOf(text);
    const { ok, status } = response;
    if (ok) return body;
    const code = response.headers.get('x-error-code') ?? '';
    throw new RequestError(describe(status, body), { status, code, body });
}

// The user who is signed in, null if nobody is. It also fetches the cookie that signing in needs.
export async function me() {
    const { user_id: id } = await request('GET', '/api-auth/login/');
    return id && request('GET', '/api/users/me/');
}

// `name`: username or e-mail address.
export async function signIn(name, password) {
    if (!csrfToken()) await request('GET', '/api-auth/login/');
    const json = { username: name, password };
    await request('POST', '/api-auth/login/', { json });
    return request('GET', '/api/users/me/');
}

// Fields: email, password, and what else /api/users/register/ takes.
export async function signUp(fields) {
    const { username } = await request('POST', '/api/users/register/', { json: fields });
    return signIn(username, fields.password);
}

export function signOut() {
    return request('POST', '/api-auth/logout/', { json: {} });
}
