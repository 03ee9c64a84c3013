// The contract check, run after all tests: node tests/lib/contract.mjs FOLDER
//
// FOLDER holds what the tests recorded (CONFAB_RECORD). Every answer must have exactly the shape
// that its route declares in `confab routes` and the one that the contract gives to an object of
// that name (shapes.mjs), every error the shape of an error; every route must have been called,
// under each of its paths, and have succeeded at least once. Exit code 1 and a list when not.
import fs from 'node:fs';
import path from 'node:path';

import { loadTable, matchRoute } from './routes.mjs';
import * as S from './shapes.mjs';

// The contract's shapes by the names that routes give to theirs.
const CONTRACT = {
    User: S.user,
    Participant: S.participant,
    Message: S.message,
    Conversation: S.conversation,
    Session: S.session,
    Login: S.loginAnswer,
    Registration: S.registration,
    TokenPair: S.tokens,
    Token: S.opaqueToken,
    Detail: S.detail,
    History: S.historyEntry,
    Notification: S.notification,
    NotificationPage: S.notificationPage,
};

const TYPES = {
    uuid: S.uuid,
    string: S.str,
    int: S.int,
    bool: S.bool,
    time: S.time,
    url: S.url,
    object: S.dict,
    any: S.any,
};

const both = (one, two) => (value, where) => [...one(value, where), ...two(value, where)];

function named(shapes, name) {
    if (name in TYPES) return TYPES[name];
    const fields = {};
    const optional = {};
    if (!(name in shapes)) throw new Error(`a shape that is not declared: ${name}`);
    for (const [key, type] of Object.entries(shapes[name])) {
        // looked up when it is needed, as shapes may hold each other
        const shape = (value, where) => typed(shapes, type)(value, where);
        if (key.endsWith('?')) optional[key.slice(0, -1)] = shape;
        else fields[key] = shape;
    }
    const declared = S.object(fields, { optional, closed: true });
    return name in CONTRACT ? both(declared, CONTRACT[name]) : declared;
}

function typed(shapes, type) {
    if (type.endsWith('|null')) return S.nullable(typed(shapes, type.slice(0, -'|null'.length)));
    const list = /^\[(\w+)\]$/.exec(type);
    return list ? S.list(named(shapes, list[1])) : named(shapes, type);
}

// `out` of a route: null (no body), "Name", "page:Name" or "[Name]".
function shapeOf(shapes, out) {
    if (out === null) return null;
    const page = /^page:(\w+)$/.exec(out);
    return page ? S.page(named(shapes, page[1])) : typed(shapes, out);
}

function* answers(folder) {
    for (const name of fs.readdirSync(folder).filter((file) => file.endsWith('.jsonl'))) {
        for (const line of fs.readFileSync(path.join(folder, name), 'utf8').split('\n')) {
            if (line) yield JSON.parse(line);
        }
    }
}

const HTTP_ERROR = 400;

function checkError(answer) {
    const list = answer.code ? [] : ['no X-Error-Code'];
    if (answer.method === 'HEAD') return list;
    if (answer.body === null) return [...list, 'no JSON body'];
    const shape = /problem/.test(answer.type) ? S.problem : S.error;
    return [...list, ...S.complaints(shape, answer.body)];
}

// 200 stands beside the declared status where a request is answered again or changes nothing.
function checkSuccess(answer, route) {
    const list = [];
    if (answer.attachment) return list; // a list as a file: tests/api/admin_export.test.mjs
    if (answer.status !== route.status && answer.status !== 200)
        list.push(`${route.status} is declared`);
    if (answer.method === 'HEAD' || answer.status === 204 || answer.status === 205) {
        return answer.body === null ? list : [...list, 'with a body'];
    }
    if (route.shape === null) {
        return answer.body === null ? list : [...list, 'a body, but none is declared'];
    }
    if (!/json/.test(answer.type ?? '')) return [...list, `not JSON but ${answer.type}`];
    return [...list, ...S.complaints(route.shape, answer.body)];
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
            // what speaks another protocol is reached when it asks for that
            if (route?.status === 101 && answer.status === 426) called.get(route.key).succeeded++;
        } else if (answer.method === 'OPTIONS') {
            // 204: a CORS preflight
            if (answer.status === 200) list = S.complaints(S.metadataAnswer, answer.body);
        } else if (route) {
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
    const { routes, shapes } = await loadTable();
    for (const route of routes) route.shape = shapeOf(shapes, route.out);
    const { called, problems, checked } = check(folder, routes);
    let bad = 0;
    const say = (text) => {
        bad++;
        if (bad <= 200) console.log(text);
    };
    for (const [key, { times, file }] of problems) say(`shape   ${key} (${times} times, ${file})`);
    for (const [key, { asked, succeeded }] of called) {
        if (asked === 0) say(`uncalled ${key}`);
        else if (succeeded === 0) say(`never 2xx ${key}`);
    }
    console.log(`contract: ${checked} answers of ${routes.length} routes, ${bad} complaints`);
    if (checked === 0) console.log('contract: nothing was recorded');
    process.exitCode = bad > 0 || checked === 0 ? 1 : 0;
}

if (process.argv[1] && import.meta.url.endsWith(path.basename(process.argv[1]))) await main();
