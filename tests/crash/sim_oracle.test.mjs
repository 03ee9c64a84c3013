// An oracle that cannot fail is a defect: here it is shown what it has to find. A small run on a
// real server is judged good; then one thing at a time is made wrong (in a copy of the database, in
// what a client knows, in what was promised), and it has to say so, by the right name.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { makeConversation, register } from '../lib/client.mjs';
import { removeDir, startServer, tempDir } from '../lib/server.mjs';
import { databaseFile, readDatabase, sqlite } from '../lib/sim/database.mjs';
import { Ledger } from '../lib/sim/ledger.mjs';
import { readMarker, tick } from '../lib/sim/marker.mjs';
import { Model } from '../lib/sim/model.mjs';
import { compareClient, judgeLedger, judgeMembers, judgeStored } from '../lib/sim/oracle.mjs';
import { Rest } from '../lib/sim/rest.mjs';
import { Choice } from '../lib/sim/choice.mjs';
import { Verdict } from '../lib/sim/verdict.mjs';
import { Watch } from '../lib/sim/watch.mjs';

const LIFE = 1;
let server;
let folder;
let file; // a copy of the database
let anna;
let ben;
let talk;
let rest;
const choose = new Choice('oracle', 'ids');

const ask = (user, method, target, json) =>
    rest.ask(method, target, { token: user.access, json });

// A ledger with eight messages: one is edited, one deleted, one pinned.
async function makeHistory() {
    const ledger = new Ledger();
    const messages = `/api/conversations/${talk.id}/messages/`;
    const sends = [];
    for (let n = 0; n < 8; n++) {
        const send = ledger.newSend({
            sender: (n % 2 ? ben : anna).id,
            conversation: talk.id,
            clientId: choose.uuid(),
        });
        const attempt = ledger.began(send, LIFE);
        const json = { message_body: send.text, client_id: send.clientId };
        const answer = await ask(n % 2 ? ben : anna, 'POST', messages, json);
        ledger.acknowledge(send, attempt, answer.body, answer.status);
        sends.push(send);
    }
    const edit = ledger.editing(sends[0], LIFE);
    const target = `/api/messages/${sends[0].answer.id}/`;
    ledger.edited(sends[0], edit, (await ask(anna, 'PATCH', target, { text: edit.text })).body);
    ledger.deleting(sends[1]);
    await ask(ben, 'DELETE', `/api/messages/${sends[1].answer.id}/`);
    ledger.deleted(sends[1], LIFE);
    const pin = `/api/messages/${sends[2].answer.id}/pin/`;
    ledger.noteState(sends[2], (await ask(anna, 'POST', pin)).body, LIFE);
    ledger.readUpTo(talk.id, ben.id, 8, LIFE);
    return ledger;
}

// What the server itself tells a client that has nothing.
async function makeModel(user) {
    const model = new Model(user.id);
    const { body } = await ask(user, 'GET', '/api/sync/');
    for (const frame of body.frames) if (frame.conversation_id) model.apply(frame);
    return model;
}

const viewOf = (model) => {
    const talks = [...model.talks.values()];
    return { name: 'client', userId: model.userId, talks };
};

before(async () => {
    folder = tempDir();
    file = path.join(folder, 'copy.sqlite3');
    server = await startServer();
    rest = new Rest(() => server.port);
    anna = await register(server);
    ben = await register(server);
    talk = await makeConversation(anna, [ben], { title: 'talk' });
});

after(async () => {
    rest.close();
    removeDir(folder);
    await server.stop();
});

async function copyDatabase(change = '') {
    fs.rmSync(file, { force: true });
    await sqlite(databaseFile(server), `VACUUM INTO '${file}';`);
    if (change) await sqlite(file, `${change};`);
    return readDatabase(file);
}

const judgeAll = (ledger, stored) => judgeLedger(ledger, stored, judgeStored(stored));

function assertFinds(verdict, kind, pattern) {
    assert.ok(verdict.counts[kind] > 0, `not found as ${kind}: ${verdict.line}`);
    assert.match(verdict.shown.join('\n'), pattern);
}

const COLUMNS = 'conversation_id, id, sender_id, body, metadata, sent_at, stamp, sent_stamp';
const TWICE = `INSERT INTO message (seq, rev, ${COLUMNS})
    SELECT 9, 99, ${COLUMNS.replace(' id,', ' randomblob(16),')} FROM message WHERE seq = 4`;
const set = (what, seq = 4) => `UPDATE message SET ${what} WHERE seq = ${seq}`;
const ofSeq = (seq, column) => `(SELECT ${column} FROM message WHERE seq = ${seq})`;

// What is done to the copy, under which name it has to be found, and in which words.
const DAMAGE = [
    ['a message is gone', 'DELETE FROM message WHERE seq = 4', 'lost', /answered as .* seq 4/],
    ['the last one', 'DELETE FROM message WHERE seq = 8', 'unsound', /7 messages, last_seq 8/],
    ['a hole in seq', 'DELETE FROM message WHERE seq = 4', 'unsound', /seq 5 stands where 4/],
    ['a message twice', TWICE, 'doubled', /and message/],
    ['the text before an edit', set(`body = 'm1 ~1'`, 1), 'lost', /last answered text/],
    ['an edit is undone', set(`body = 'm1 ~1', rev = 4`, 1), 'lost', /rev \d+ was answered/],
    ['a deletion is undone', set('deleted_at = NULL', 2), 'lost', /it was deleted/],
    ['a tombstone with its text', set(`body = 'x'`, 2), 'unsound', /its body is there/],
    ['deleted by nobody', set(`deleted_at = 1, body = ''`), 'unsound', /deleted by nobody/],
    ['a pin is lost', set('pinned_at = NULL', 3), 'lost', /"pinned":true/],
    ['another client_id', set('client_id = randomblob(16)'), 'unsound', /client_id was/],
    ['another sender', set(`sender_id = ${ofSeq(1, 'sender_id')}`), 'unsound', /sent by/],
    ['a rev twice', set(`rev = ${ofSeq(5, 'rev')}`), 'unsound', /in two objects/],
    ['a rev beyond', set('rev = 1000'), 'unsound', /an object of rev 1000/],
    ['no change', 'DELETE FROM change_log WHERE rev = 5', 'unsound', /rev 5 of \d+ is no change/],
    ['a stamp beyond', set('stamp = 100000'), 'unsound', /has stamp 100000, beyond/],
    ['a wrong count', 'UPDATE conversation SET message_count = 3', 'unsound', /message_count 3/],
    ['a wrong last_seq', 'UPDATE conversation SET last_seq = 9', 'unsound', /last_seq 9/],
    ['a read position', 'UPDATE participant SET read_seq = 1', 'lost', /read position of/],
];

for (const [name, change, kind, pattern] of DAMAGE) {
    test(`stored: ${name}`, async () => {
        const ledger = await history();
        assert.ok(judgeAll(ledger, await copyDatabase()).isGood, 'good before');
        assertFinds(judgeAll(ledger, await copyDatabase(change)), kind, pattern);
    });
}

// Made once; judging takes complaints out of it, nothing else.
let made;
const history = () => (made ??= makeHistory());

test('stored though it was refused; sent by nobody', async () => {
    const ledger = await history();
    const stored = await copyDatabase();
    const send = [...ledger.sends.values()].at(-1);
    const { answer } = send;
    Object.assign(send, { answer: null, refusals: 1 });
    assertFinds(judgeLedger(ledger, stored), 'unsound', /though it was refused/);
    ledger.sends.delete(send.number);
    assertFinds(judgeLedger(ledger, stored), 'unsound', /nobody sent it/);
    ledger.sends.set(send.number, Object.assign(send, { answer, refusals: 0 }));
    assert.ok(judgeLedger(ledger, stored).isGood);
});

test('answered twice, differently', async () => {
    const ledger = await history();
    const send = [...ledger.sends.values()].at(-1);
    const message = { id: send.answer.id, seq: 77, rev: 1, client_id: send.clientId };
    ledger.acknowledge(send, ledger.began(send, LIFE), message, 200);
    assertFinds(judgeLedger(ledger, await copyDatabase()), 'doubled', /then as/);
    const same = { ...message, seq: send.answer.seq };
    ledger.acknowledge(send, ledger.began(send, LIFE), same, 201);
    assertFinds(judgeLedger(ledger, await copyDatabase()), 'doubled', /201 a second time/);
});

test('a conversation lost, doubled, deleted by nobody, called otherwise', async () => {
    const stored = await copyDatabase();
    const ledger = new Ledger();
    const known = ledger.newTalk(anna.id);
    ledger.created(known, ledger.creating(known, LIFE), { id: choose.uuid() });
    assertFinds(judgeLedger(ledger, none(stored)), 'lost', /conversation/);
    const row = { id: known.id, title: known.title, deleted_at: null };
    const fine = none(stored, [row]);
    assert.ok(judgeLedger(ledger, fine).isGood);
    const twice = none(stored, [row, { ...row, id: choose.uuid() }]);
    assertFinds(judgeLedger(ledger, twice), 'doubled', /are one/);
    const gone = none(stored, [{ ...row, deleted_at: 5 }]);
    assertFinds(judgeLedger(ledger, gone), 'unsound', /deleted by nobody/);
    const renamed = none(stored, [{ ...row, title: 'something else' }]);
    assertFinds(judgeLedger(ledger, renamed), 'lost', /something else/);
});

// The same database with these conversations and no messages.
function none(stored, talks = []) {
    const copy = Object.create(Object.getPrototypeOf(stored));
    const talkById = new Map(talks.map((row) => [row.id, row]));
    return Object.assign(copy, stored, { messages: [], talks, talkById });
}

// --- what a client knows ---------------------------------------------------------------------

// What is made wrong in a client's copy, and the words of the complaint.
const CONFUSION = [
    ['knows nothing', (model) => model.talks.clear(), /does not know/],
    ['knows too much', (model) => addTalk(model), /not his/],
    ['another title', (model, copy) => (copy.title = 'x'), /title x/],
    ['closed', (model, copy) => (copy.closed = true), /closed true/],
    ['a message is missing', (model, copy) => copy.messages.delete(4), /message 4 missing/],
    ['a message too many', (model, copy) => copy.messages.set(9, {}), /message 9 there/],
    ['an old text', (model, copy) => change(copy, 1, { message_body: 'old' }), /body of message 1/],
    ['an old rev', (model, copy) => change(copy, 1, { rev: 1 }), /rev of message 1/],
    ['not deleted', (model, copy) => change(copy, 2, { deleted: false }), /deleted of message 2/],
    ['not pinned', (model, copy) => change(copy, 3, { pinned: false }), /pinned of message 3/],
    ['behind', (model, copy) => (copy.lastSeq = 7), /last_seq 7/],
    ['read less', (model, copy) => copy.reads.set(ben.id, 3), /read position of/],
    ['somebody is missing', (model, copy) => copy.participants.delete(ben.id), /participants 1/],
    ['another role', (model, copy) => copy.participants.set(ben.id, 'owner'), /role of/],
    ['own settings', (model, copy) => (copy.mine = { ...copy.mine, pinned: true }), /own pinned/],
    ['keeps nothing', (model, copy) => copy.forgetBelow(9), /from_seq 9/],
];

function addTalk(model) {
    const [copy] = model.talks.values();
    model.talks.set('another', { ...copy, id: 'another' });
}

const change = (copy, seq, fields) =>
    copy.messages.set(seq, { ...copy.messages.get(seq), ...fields });

for (const [name, confuse, pattern] of CONFUSION) {
    test(`a client: ${name}`, async () => {
        await history();
        const stored = await copyDatabase();
        const model = await makeModel(anna);
        assert.deepEqual(compareClient(viewOf(model), stored), [], 'good before');
        confuse(model, model.talks.get(talk.id));
        assert.match(compareClient(viewOf(model), stored).join('\n'), pattern);
    });
}

test('a client: a frame of a conversation that it was never told of', async () => {
    const model = new Model(anna.id);
    model.apply({ type: 'read', conversation_id: talk.id, user_id: ben.id, seq: 1 });
    assert.match(model.complaints[0], /never told of/);
});

// --- who was removed ---------------------------------------------------------------------------

const frameAt = (at, rev) => ({
    type: 'message',
    conversation_id: 'talk',
    message: { rev, message_body: `m1 ~${at}` },
});

function removed(watch, rev) {
    watch.done(watch.begin('removals', 'talk', ['ben'], LIFE), { rev });
}

test('a leak by time, by rev, and by what was seen before it was known', () => {
    const watch = new Watch();
    const before = tick();
    removed(watch, 10);
    watch.saw('ben', frameAt(before, 9), LIFE);
    assert.equal(watch.leaks.length, 0, 'what was on its way');
    watch.saw('ben', frameAt(tick(), 9), LIFE);
    assert.equal(watch.leaks.length, 1, 'begun after it was answered');
    watch.saw('ben', frameAt(before, 11), LIFE);
    assert.equal(watch.leaks.length, 2, 'written after it');
    const late = new Watch();
    const attempt = late.begin('removals', 'talk', ['ben'], LIFE);
    late.saw('ben', frameAt(before, 12), LIFE);
    late.done(attempt, { rev: 11 });
    assert.equal(late.leaks.length, 1, 'seen before the answer came');
});

test('no leak once somebody begins to add him, nor where the order is not known', () => {
    const watch = new Watch();
    removed(watch, 10);
    watch.begin('adds', 'talk', ['ben'], LIFE);
    watch.saw('ben', frameAt(tick(), 20), LIFE);
    const other = new Watch();
    other.begin('adds', 'talk', ['ben'], LIFE); // never answered: it may happen at any time
    removed(other, 10);
    other.saw('ben', frameAt(tick(), 20), LIFE);
    assert.equal(other.isOut('talk', 'ben'), false);
    other.newLife(LIFE + 1); // not any more
    other.done(other.begin('removals', 'talk', ['ben'], LIFE + 1), { rev: 30 });
    assert.equal(other.isOut('talk', 'ben'), true);
    assert.deepEqual([...watch.leaks, ...other.leaks], []);
});

test('a removal that was answered and is not stored; leaks are in the verdict', async () => {
    const stored = await copyDatabase();
    const watch = new Watch();
    watch.done(watch.begin('removals', talk.id, [ben.id], LIFE));
    watch.leak(talk.id, ben.id, 'something');
    const verdict = new Verdict();
    judgeMembers(watch, stored, verdict);
    assertFinds(verdict, 'lost', /answered as out/);
    assertFinds(verdict, 'leaked', /something/);
});

// --- a database that went back -----------------------------------------------------------------

test('after a restore promises since the backup bind no more, those before do', async () => {
    const ledger = new Ledger();
    const [old, young] = [0, 1].map(() =>
        ledger.newSend({ sender: anna.id, conversation: talk.id, clientId: choose.uuid() }),
    );
    const answerOf = (send, seq) => ({
        id: choose.uuid(),
        seq,
        rev: seq,
        client_id: send.clientId,
        message_body: send.text,
    });
    ledger.acknowledge(old, ledger.began(old, LIFE), answerOf(old, 1), 201);
    const backup = tick();
    const late = ledger.began(young, LIFE);
    ledger.acknowledge(young, late, answerOf(young, 2), 201);
    const stored = none(await copyDatabase(), [{ id: talk.id, deleted_at: null, title: 'talk' }]);
    assert.equal(judgeLedger(ledger, stored).counts.lost, 2);
    ledger.rolledBack(backup, LIFE + 1);
    assert.equal(judgeLedger(ledger, stored).counts.lost, 1, 'only the old one');
    ledger.acknowledge(young, late, answerOf(young, 3), 200);
    assert.equal(young.answer, null, 'an answer of the old server renews nothing');
});

// A client is told something, its connection ends, and it catches up: is that well?
const conversationAt = (rev, fields = {}) => ({
    type: 'conversation',
    conversation_id: 'talk',
    title: '',
    participants: [{ id: 'ben', role: 'member', read_seq: 0 }],
    last_seq: 0,
    rev,
    ...fields,
});
const messageAt = (seq, rev, id = `id ${seq}`) => ({
    type: 'message',
    conversation_id: 'talk',
    message: { seq, rev, id, sender_id: 'ben' },
});
const readTo = (seq) => ({ type: 'read', conversation_id: 'talk', user_id: 'ben', seq });
const gone = { type: 'conversation.gone', conversation_id: 'talk', rev: 9 };
const limited = { limited: true, from_seq: 1 };
const above = { limited: true, from_seq: 2 };

const CATCHING_UP = [
    ['all again', [messageAt(1, 6), readTo(1)], [conversationAt(6), messageAt(1, 6)], true],
    ['changed since', [messageAt(1, 6)], [conversationAt(8), messageAt(1, 8)], true],
    ['nothing again', [messageAt(1, 6)], [], false],
    ['others took its rev', [messageAt(1, 6)], [conversationAt(7), messageAt(2, 7)], false],
    ['another in its place', [messageAt(1, 6)], [messageAt(1, 7, 'other')], false],
    ['limited', [messageAt(1, 6)], [conversationAt(7, above), readTo(1)], true],
    ['a read position less', [readTo(4)], [readTo(3)], false],
    ['gone again', [messageAt(1, 6), gone], [gone], true],
    ['gone, not gone', [gone], [conversationAt(6)], false],
    ['gone, joined again', [gone], [conversationAt(10, limited)], true],
    ['a title, not renamed', [conversationAt(6)], [readTo(5)], false],
];

for (const [name, told, caughtUp, isWell] of CATCHING_UP) {
    test(`a database that ${isWell ? 'went on' : 'went back'}: ${name}`, () => {
        const model = new Model('anna');
        model.apply(conversationAt(5, limited));
        model.evidence.covered();
        told.forEach((frame) => model.apply(frame));
        model.evidence.disconnected();
        caughtUp.forEach((frame) => model.apply(frame));
        const found = [...model.evidence.settle(), ...model.contradictions];
        assert.equal(found.length === 0, isWell, JSON.stringify(found));
    });
}

test('markers are read back', () => {
    assert.deepEqual(readMarker('m12 ~345 and more'), { kind: 'm', number: 12, at: 345 });
    assert.equal(readMarker('no marker'), null);
    assert.equal(readMarker(undefined), null);
});
