// The contract check, run after all tests: node tests/lib/contract.mjs FOLDER
//
// FOLDER holds what the tests recorded (CONFAB_RECORD). Every answer must have the shape that its
// route declares in `confab routes`, every error the shape of an error, and every route must have
// been called, and have succeeded at least once. Exit code 1 and a list when not.
import fs from 'node:fs';
import path from 'node:path';

import { loadRoutes, matchRoute } from './routes.mjs';
import * as S from './shapes.mjs';

// The names that a route's `out` may have, with the shapes of API.md.
const NAMED = {
    none: null,
    empty: null,
    user: S.user,
    participant: S.participant,
    message: S.message,
    conversation: S.conversation,
    session: S.session,
    login: S.loginAnswer,
    registration: S.registration,
    register: S.registration,
    tokens: S.tokens,
    pair: S.tokens,
    token: S.opaqueToken,
    detail: S.detail,
    history: S.historyEntry,
    object: S.dict,
    any: S.any,
    root: S.dict,
    metadata: S.metadataAnswer,
    health: S.dict,
};

const TYPES = {
    uuid: S.uuid,
    id: S.uuid,
    text: S.str,
    str: S.str,
    string: S.str,
    int: S.int,
    integer: S.int,
    count: S.count,
    bool: S.bool,
    boolean: S.bool,
    time: S.time,
    datetime: S.time,
    url: S.url,
    jwt: S.jwt,
    object: S.dict,
    json: S.any,
    list: S.list(S.any),
    any: S.any,
};

// `out` is a name ("message", "page:message", "[message]", "message?"), a type, an object of those,
// or a list with one of those. undefined: not understood, which is reported.
export function shapeOf(out) {
    if (out === null || out === '') return null;
    if (Array.isArray(out)) return S.list(shapeOf(out[0]) ?? S.any);
    if (typeof out === 'object') {
        const fields = {};
        const optional = {};
        for (const [key, value] of Object.entries(out)) {
            const shape = shapeOf(value) ?? S.any;
            if (key.endsWith('?')) optional[key.slice(0, -1)] = shape;
            else fields[key] = shape;
        }
        return S.object(fields, { optional, closed: true });
    }
    const text = String(out);
    const page = /^(?:page|list of|paged)[:( ]\s*([\w-]+)\)?$/.exec(text);
    if (page) return S.page(shapeOf(page[1]) ?? S.any);
    const bare = /^(?:list|array)[:( ]\s*([\w-]+)\)?$|^\[([\w-]+)\]$|^([\w-]+)\[\]$/.exec(text);
    if (bare) return S.list(shapeOf(bare[1] ?? bare[2] ?? bare[3]) ?? S.any);
    if (/\?$|\|null$/.test(text))
        return S.nullable(shapeOf(text.replace(/\?$|\|null$/, '')) ?? S.any);
    if (text in NAMED) return NAMED[text];
    return TYPES[text];
}

// Routes that only need to have been asked: what they do belongs to other issues.
const MAY_FAIL = new Set();

function* answers(folder) {
    for (const name of fs.readdirSync(folder).filter((file) => file.endsWith('.jsonl'))) {
        for (const line of fs.readFileSync(path.join(folder, name), 'utf8').split('\n')) {
            if (line) yield JSON.parse(line);
        }
    }
}

const HTTP_ERROR = 400;

function checkError(answer) {
    if (answer.method === 'HEAD') return [];
    if (answer.body === null) return [`${answer.status} without a JSON body`];
    const shape = /problem/.test(answer.type) ? S.problem : S.error;
    return S.complaints(shape, answer.body);
}

function checkSuccess(answer, route) {
    if (answer.method === 'HEAD' || answer.status === 204 || answer.status === 205) {
        return answer.body === null ? [] : [`${answer.status} with a body`];
    }
    if (!/json/.test(answer.type ?? '')) return [];
    const shape = shapeOf(route.out ?? route.shape ?? 'any');
    if (shape === undefined) return [`the declared shape is not understood: ${route.out}`];
    if (shape === null) return answer.body === null ? [] : ['a body, but none is declared'];
    return S.complaints(shape, answer.body);
}

function wanted(answer) {
    return /^\/(api|health|ready|metrics|api-token-auth)(\/|\.|\?|$)/.test(answer.path);
}

function check(folder, routes) {
    const called = new Map(routes.map((route) => [route.key, { asked: 0, succeeded: 0 }]));
    const problems = new Map();
    let checked = 0;
    for (const answer of answers(folder)) {
        if (!wanted(answer)) continue;
        checked++;
        const route = matchRoute(routes, answer.method, answer.path);
        if (route) called.get(route.key).asked++;
        let list = [];
        if (answer.status >= 500 && answer.status !== 503 && answer.status !== 507) {
            list = [`a server error: ${answer.status}`];
        } else if (answer.status >= HTTP_ERROR) {
            list = checkError(answer);
        } else if (route && answer.method !== 'OPTIONS') {
            called.get(route.key).succeeded++;
            list = checkSuccess(answer, route);
        }
        const where = route?.key ?? `${answer.method} ${answer.path.slice(0, 60)}`;
        for (const text of list) {
            const key = `${where} ${answer.status}: ${text.replace(/\[\d+\]/g, '[]')}`;
            const seen = problems.get(key) ?? { times: 0, file: answer.file };
            seen.times++;
            problems.set(key, seen);
        }
    }
    return { called, problems, checked };
}

async function main() {
    const folder = process.argv[2] ?? process.env.CONFAB_RECORD;
    if (!folder) throw new Error('usage: node tests/lib/contract.mjs FOLDER');
    const routes = await loadRoutes();
    const { called, problems, checked } = check(folder, routes);
    let bad = 0;
    const say = (text) => {
        bad++;
        if (bad <= 200) console.log(text);
    };
    for (const [key, { times, file }] of problems) say(`shape   ${key} (${times} times, ${file})`);
    for (const [key, { asked, succeeded }] of called) {
        if (asked === 0) say(`uncalled ${key}`);
        else if (succeeded === 0 && !MAY_FAIL.has(key)) say(`never 2xx ${key}`);
    }
    console.log(`contract: ${checked} answers of ${routes.length} routes, ${bad} complaints`);
    if (checked === 0) console.log('contract: nothing was recorded');
    process.exitCode = bad > 0 || checked === 0 ? 1 : 0;
}

if (process.argv[1] && import.meta.url.endsWith(path.basename(process.argv[1]))) await main();
