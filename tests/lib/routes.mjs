// The route table as `confab routes` prints it, and which of its routes a request belongs to.
import assert from 'node:assert/strict';

import { runCli } from './server.mjs';

// A route's name without the names of its parameters: "GET /api/users/{}/".
export const keyOf = (method, path) => `${method} ${path.replace(/\{[^}]*\}|<[^>]*>|:\w+/g, '{}')}`;

const split = (path) => path.split('/').filter((part) => part !== '');

// One canonical path for what the server takes as the same: prefix, slash, suffix.
export function canonical(target) {
    let [path] = target.split('?');
    path = path.replace(/^\/api\/(v1|chats)(?=\/|$)/, '/api');
    path = path.replace(/\.json\/?$/, '/');
    return path.endsWith('/') ? path : `${path}/`;
}

// The routes and the shapes that they declare.
export async function loadTable() {
    const end = await runCli(['routes']);
    assert.equal(end.code, 0, `confab routes: ${end.stderr}`);
    const { routes, shapes } = JSON.parse(end.stdout);
    assert.ok(routes.length > 0, 'a list of routes');
    return { routes: routes.flatMap(variants), shapes };
}

export async function loadRoutes() {
    return (await loadTable()).routes;
}

// A row may carry aliases: each is a route of its own for the matrix and the contract.
function variants(row) {
    const paths = [row.path, ...row.aliases];
    return paths.map((path, n) => ({
        ...row,
        path,
        key: keyOf(row.method, path),
        canonicalKey: keyOf(row.method, row.path),
        isAlias: n > 0,
        parts: split(path),
    }));
}

function score(route, parts) {
    if (route.parts.length !== parts.length) return -1;
    let literal = 0;
    for (const [n, part] of route.parts.entries()) {
        if (/^[{<:]/.test(part)) continue;
        if (part !== parts[n]) return -1;
        // an earlier literal decides over a later one
        literal += 1 << (20 - n);
    }
    return literal;
}

export function matchRoute(routes, method, target) {
    const parts = split(canonical(target));
    const wanted = method === 'HEAD' ? 'GET' : method;
    let best = null;
    let bestScore = -1;
    for (const route of routes) {
        if (route.method !== wanted) continue;
        const points = score(route, parts);
        if (points > bestScore) [best, bestScore] = [route, points];
    }
    return best;
}
