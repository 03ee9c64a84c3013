// The routes of the OpenAPI document, as `confab openapi` prints it, and which of them a request
// belongs to.
import assert from 'node:assert/strict';

import { runCli } from './server.mjs';

// A route's name without the names of its parameters: "GET /api/users/{}/".
export const keyOf = (method, path) => `${method} ${path.replace(/\{[^}]*\}/g, '{}')}`;

const split = (path) => path.split('/').filter((part) => part !== '');

// One canonical path for what the server takes as the same: prefix, slash, suffix.
export function canonical(target) {
    let [path] = target.split('?');
    path = path.replace(/%[0-7][0-9a-f]/gi, (escaped) => decodeURIComponent(escaped));
    path = path.replace(/^\/api\/(v1|chats)(?=\/|$)/, '/api');
    path = path.replace(/\.(json|yaml)\/?$/, '/');
    return path.endsWith('/') ? path : `${path}/`;
}

export async function loadDocument() {
    const end = await runCli(['openapi']);
    assert.equal(end.code, 0, `confab openapi: ${end.stderr}`);
    return JSON.parse(end.stdout);
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

// A path may have aliases: each is a route of its own for the matrix and the contract.
export function routesOf(document) {
    const routes = [];
    for (const [canonicalPath, item] of Object.entries(document.paths)) {
        for (const method of METHODS.filter((name) => item[name])) {
            for (const path of [canonicalPath, ...(item['x-aliases'] ?? [])]) {
                routes.push({
                    method: method.toUpperCase(),
                    path,
                    canonicalPath,
                    operation: item[method],
                    access: item[method]['x-access'],
                    key: keyOf(method.toUpperCase(), path),
                    parts: split(path),
                });
            }
        }
    }
    assert.ok(routes.length > 0, 'a document with routes');
    return routes;
}

export async function loadRoutes() {
    return routesOf(await loadDocument());
}

function score(route, parts) {
    if (route.parts.length !== parts.length) return -1;
    let literal = 0;
    for (const [n, part] of route.parts.entries()) {
        if (part.startsWith('{')) continue;
        if (part !== parts[n]) return -1;
        // an earlier literal decides over a later one
        literal += 1 << (20 - n);
    }
    return literal;
}

// The path decides first, as on the server: null where it has no such method.
export function matchRoute(routes, method, target) {
    const parts = split(canonical(target));
    const scores = routes.map((route) => score(route, parts));
    const best = Math.max(...scores);
    const wanted = method === 'HEAD' ? 'GET' : method;
    const found = routes.find((route, n) => scores[n] === best && route.method === wanted);
    return best < 0 ? null : (found ?? null);
}
