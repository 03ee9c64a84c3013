// The contract check, run after all tests: node tests/lib/contract.mjs FOLDER
//
// FOLDER holds what the tests recorded (CONFAB_RECORD). Every answer must be one that the OpenAPI
// document declares for its operation (openapi.mjs) and have the shape that the contract gives to an
// object of that name (shapes.mjs); every operation must have been called, under each of its paths,
// and have succeeded at least once. Exit code 1 and a list when not.
import fs from 'node:fs';
import path from 'node:path';

import { Checker, answerName } from './openapi.mjs';
import { loadDocument, matchRoute, routesOf } from './routes.mjs';
import * as S from './shapes.mjs';

// The contract's shapes by the names that the document gives to its schemas.
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

// null: the contract says nothing of it.
function contractShape(name) {
    if (name === null) return null;
    const [, page, bare] = /^Paginated(\w+)List$|^\[(\w+)\]$/.exec(name) ?? [];
    const shape = CONTRACT[page ?? bare ?? name];
    if (!shape) return page ? S.page(S.any) : null;
    return page ? S.page(shape) : bare ? S.list(shape) : shape;
}

function* answers(folder) {
    for (const name of fs.readdirSync(folder).filter((file) => file.endsWith('.jsonl'))) {
        for (const line of fs.readFileSync(path.join(folder, name), 'utf8').split('\n')) {
            if (line) yield JSON.parse(line);
        }
    }
}

const HTTP_ERROR = 400;

// What is wrong with one answer; `route` is null where it belongs to no operation.
export function judge(checker, answer, route) {
    if (answer.status >= 500 && answer.status !== 503 && answer.status !== 507) {
        return [`a server error: ${answer.status}`];
    }
    if (answer.method === 'OPTIONS') {
        if (answer.status >= HTTP_ERROR) return checker.errorProblems(answer);
        // 204: a CORS preflight
        return answer.status === 200 ? S.complaints(S.metadataAnswer, answer.body) : [];
    }
    if (answer.attachment) return []; // a list as a file: tests/api/admin_export.test.mjs
    if (!route) return answer.status >= HTTP_ERROR ? checker.errorProblems(answer) : ['no such operation'];
    const list = checker.problems(answer, route);
    const shape = answer.status < HTTP_ERROR && contractShape(answerName(route, answer.status));
    const isJson = answer.method !== 'HEAD' && /json/.test(answer.type ?? '');
    return shape && isJson ? [...list, ...S.complaints(shape, answer.body)] : list;
}

function wanted(answer) {
    return /^\/(api|health|ready|metrics|api-token-auth)(\/|\.|\?|$)/.test(answer.path);
}

function check(folder, checker, routes) {
    const called = new Map(routes.map((route) => [route.key, { asked: 0, succeeded: 0 }]));
    const problems = new Map();
    let checked = 0;
    for (const answer of answers(folder)) {
        if (!wanted(answer)) continue;
        checked++;
        const route = matchRoute(routes, answer.method, answer.path);
        if (route) {
            const counts = called.get(route.key);
            // what speaks another protocol is reached when it asks for that
            const reached = answer.status < HTTP_ERROR || (route.operation.responses[101] && answer.status === 426);
            counts.asked++;
            counts.succeeded += reached ? 1 : 0;
        }
        const where = route?.key ?? `${answer.method} ${answer.path.slice(0, 60)}`;
        for (const text of judge(checker, answer, route)) {
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
    const document = await loadDocument();
    const routes = routesOf(document);
    const { called, problems, checked } = check(folder, new Checker(document), routes);
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
