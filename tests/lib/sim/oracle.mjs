// The judge. It compares three things that were written down independently: what was promised
// (ledger), what is stored (the database file), and what each client knows (its model).
//
//     lost       answered, and not stored as the answer said
//     doubled    stored or made twice, or answered as two things
//     divergent  a client's copy is not what the database holds for its user
//     leaked     told to somebody after he had been removed
//     unsound    the database contradicts itself, or the server did what nobody asked for
import { readMarker } from './marker.mjs';
import { Verdict } from './verdict.mjs';

const LIMITED = 20; // a client is given at least so many of the newest messages
const DIFFERENCES = 5; // of one client

// --- what was promised -----------------------------------------------------------------------

export function judgeLedger(ledger, stored, verdict = new Verdict()) {
    const index = indexMessages(stored, ledger, verdict);
    for (const send of ledger.sends.values()) judgeSend(send, index, stored, verdict);
    judgeTalks(ledger, stored, verdict);
    judgeReads(ledger, stored, verdict);
    for (const [user, register] of ledger.profiles) {
        const { first_name: name } = stored.accountById.get(user) ?? {};
        if (!register.allows(name))
            verdict.add('lost', `user ${user} is called "${name}", not ${register.expected}`);
    }
    for (const { kind, text } of ledger.complaints.splice(0)) verdict.add(kind, text);
    return verdict;
}

function indexMessages(stored, ledger, verdict) {
    const byNumber = new Map();
    const byClientId = new Map();
    for (const row of stored.messages) {
        const key = `${row.sender} ${row.client_id}`;
        const number = readMarker(row.body)?.number;
        if (row.client_id && byClientId.has(key))
            verdict.add('doubled', `${describe(row)}: its client_id ${row.client_id} twice`);
        if (number !== undefined && byNumber.has(number))
            verdict.add('doubled', `${describe(row)} and ${describe(byNumber.get(number))}`);
        if (number !== undefined && !ledger.sends.has(number))
            verdict.add('unsound', `${describe(row)}: nobody sent it`);
        byClientId.set(key, row);
        if (number !== undefined) byNumber.set(number, row);
    }
    return { byNumber, byClientId };
}

const describe = (row) =>
    `message ${row.id} (conversation ${row.talk}, seq ${row.seq}, rev ${row.rev}, ` +
    `"${row.body.slice(0, 40)}")`;

function judgeSend(send, index, stored, verdict) {
    const talk = stored.talkById.get(send.conversation);
    if (talk && talk.deleted_at !== null) return;
    const row =
        index.byNumber.get(send.number) ??
        index.byClientId.get(`${send.sender} ${send.clientId}`);
    if (row) judgeStoredSend(send, row, verdict);
    else if (send.answer)
        verdict.add(
            'lost',
            `"${send.text.slice(0, 40)}", answered as ${send.answer.id}, ` +
                `seq ${send.answer.seq} of conversation ${send.conversation}`,
        );
}

function judgeStoredSend(send, row, verdict) {
    const { answer, state } = send;
    if (answer && (answer.id !== row.id || answer.seq !== row.seq))
        verdict.add('lost', `${describe(row)} was answered as ${answer.id}, seq ${answer.seq}`);
    const isRefused = !answer && send.unknown === 0 && send.refusals > 0 && !send.item;
    if (isRefused) verdict.add('unsound', `${describe(row)} is stored though it was refused`);
    if (row.talk !== send.conversation || row.sender !== send.sender)
        verdict.add('unsound', `${describe(row)}: sent by ${send.sender} to ${send.conversation}`);
    if (send.clientId && row.client_id !== send.clientId)
        verdict.add('unsound', `${describe(row)}: client_id was ${send.clientId}`);
    if (row.reply_to !== (send.replyTo ?? null))
        verdict.add('unsound', `${describe(row)}: reply_to was ${send.replyTo}`);
    if (state && row.rev < state.rev)
        verdict.add('lost', `${describe(row)}: rev ${state.rev} was answered`);
    if (row.deleted_at !== null) judgeTombstone(send, row, verdict);
    else judgeBody(send, row, verdict);
}

function judgeTombstone(send, row, verdict) {
    if (send.deletion === 'no') verdict.add('unsound', `${describe(row)}: deleted by nobody`);
    if (row.body !== '') verdict.add('unsound', `${describe(row)}: deleted, and its body is there`);
}

function judgeBody(send, row, verdict) {
    const { state } = send;
    if (send.deletion === 'yes') verdict.add('lost', `${describe(row)}: it was deleted`);
    if (!send.bodies.allows(row.body, row.rev))
        verdict.add('lost', `${describe(row)}: the last answered text is of ${newestOf(send)}`);
    if (!state || state.rev !== row.rev) return;
    const isSame = state.body === row.body && state.pinned === (row.pinned_at !== null);
    if (!isSame || state.deleted)
        verdict.add('lost', `${describe(row)}: answered as ${JSON.stringify(state)}`);
}

function newestOf({ bodies: { newest } }) {
    return `rev ${newest?.rev}, "${newest?.value.slice(0, 40)}"`;
}

function judgeTalks(ledger, stored, verdict) {
    const seen = new Map();
    for (const row of stored.livingTalks()) {
        const number = readMarker(row.title)?.number;
        if (number === undefined) continue;
        if (seen.has(number))
            verdict.add('doubled', `conversations ${row.id} and ${seen.get(number)} are one`);
        seen.set(number, row.id);
    }
    for (const talk of ledger.talks.values()) {
        const row = stored.talkById.get(talk.id);
        if (row) judgeTalk(talk, row, verdict);
        else if (talk.answeredAt) verdict.add('lost', `conversation ${talk.id}, "${talk.title}"`);
    }
}

function judgeTalk(talk, row, verdict) {
    const isLiving = row.deleted_at === null;
    if (isLiving && talk.deletion === 'yes')
        verdict.add('lost', `conversation ${row.id} was deleted, and lives`);
    if (!isLiving && talk.deletion === 'no')
        verdict.add('unsound', `conversation ${row.id}: deleted by nobody`);
    if (isLiving && !talk.titles.allows(row.title))
        verdict.add('lost', `conversation ${row.id}: "${row.title}", not ${talk.titles.expected}`);
}

function judgeReads(ledger, stored, verdict) {
    const readers = new Map(stored.members.map((row) => [`${row.talk} ${row.user}`, row]));
    for (const [key, list] of ledger.reads) {
        const wanted = list.at(-1)?.seq ?? 0;
        const talk = stored.talkById.get(key.split(' ')[0]);
        if (wanted === 0 || (talk && talk.deleted_at !== null)) continue;
        const { read_seq: seq } = readers.get(key) ?? {};
        if (!(seq >= wanted))
            verdict.add('lost', `read position of ${key}: ${seq} is stored, not ${wanted}`);
    }
}

// Who was surely removed or added last is so in the database.
export function judgeMembers(watch, stored, verdict) {
    for (const [key, pair] of watch.pairs) {
        const [talk, user] = key.split(' ');
        if (pair.state === 'unknown' || stored.talkById.get(talk)?.deleted_at !== null) continue;
        const isIn = stored.membersIn(talk).some((row) => row.user === user);
        if (isIn !== (pair.state === 'in'))
            verdict.add('lost', `membership of ${user} in ${talk}: answered as ${pair.state}`);
    }
    verdict.addAll('leaked', watch.leaks.splice(0));
}

// --- what is stored --------------------------------------------------------------------------

export function judgeStored(stored, verdict = new Verdict()) {
    for (const talk of stored.livingTalks()) {
        const complain = (text) => verdict.add('unsound', `conversation ${talk.id}: ${text}`);
        judgeSeqs(talk, stored.messagesIn(talk.id), complain);
        judgeRevs(talk, stored, complain);
        judgeStamps(talk, stored, complain);
        judgeCounts(talk, stored, complain);
    }
    return verdict;
}

function judgeSeqs(talk, messages, complain) {
    const wrong = messages.findIndex((row, n) => row.seq !== n + 1);
    if (wrong >= 0) complain(`seq ${messages[wrong].seq} stands where ${wrong + 1} belongs`);
    if (messages.length !== talk.last_seq)
        complain(`${messages.length} messages, last_seq ${talk.last_seq}`);
}

// Each rev from 1 on is one change, in the log; what it changed carries it.
function judgeRevs(talk, stored, complain) {
    const logged = new Set();
    for (const { rev } of stored.changesOf.get(talk.id) ?? []) {
        if (logged.has(rev)) complain(`rev ${rev} is two changes`);
        logged.add(rev);
    }
    for (let rev = 1; rev <= talk.rev; rev++) {
        if (!logged.has(rev)) complain(`rev ${rev} of ${talk.rev} is no change`);
    }
    if (logged.size > talk.rev) complain(`${logged.size} changes, rev ${talk.rev}`);
    const used = new Map();
    const objects = [...stored.messagesIn(talk.id), ...(stored.membersOf.get(talk.id) ?? [])];
    for (const row of objects) {
        if (used.has(row.rev)) complain(`rev ${row.rev} is in two objects`);
        if (row.rev > talk.rev) complain(`an object of rev ${row.rev}, beyond ${talk.rev}`);
        used.set(row.rev, row);
    }
}

function judgeStamps(talk, stored, complain) {
    const newest = stored.newestStamp(talk.id);
    let before = 0;
    if (talk.stamp > newest) complain(`stamp ${talk.stamp}, the newest commit is ${newest}`);
    for (const row of stored.messagesIn(talk.id)) {
        if (row.stamp > talk.stamp) complain(`seq ${row.seq} has stamp ${row.stamp}, beyond it`);
        if (row.sent_stamp > row.stamp) complain(`seq ${row.seq} was changed before it was sent`);
        if (row.sent_stamp < before) complain(`seq ${row.seq} was sent before the one before it`);
        before = row.sent_stamp;
    }
    for (const row of stored.membersOf.get(talk.id) ?? []) {
        if (row.stamp > talk.stamp) complain(`${row.user} has stamp ${row.stamp}, beyond it`);
        if (row.joined_stamp > row.stamp) complain(`member ${row.user} changed before he joined`);
    }
}

function judgeCounts(talk, stored, complain) {
    const members = stored.membersIn(talk.id);
    const kept = stored.messagesIn(talk.id).filter((row) => row.deleted_at === null).length;
    if (kept !== talk.message_count) complain(`message_count ${talk.message_count}, not ${kept}`);
    if (members.length !== talk.participant_count)
        complain(`participant_count ${talk.participant_count}, not ${members.length}`);
    for (const row of members) {
        if (row.read_seq > talk.last_seq) complain(`${row.user} has read up to ${row.read_seq}`);
    }
    const owners = members.filter((row) => row.role === 'owner').length;
    if (owners !== 1 && members.length > 0) complain(`${owners} owners`);
}

// --- what a client knows ---------------------------------------------------------------------

// `talks`: Model's or the library's. Returns the first differences, in words.
export function compareClient({ name, userId, talks }, stored) {
    const found = [];
    const complain = (text) => found.length < DIFFERENCES && found.push(`${name}: ${text}`);
    const known = new Map(talks.map((talk) => [talk.id, talk]));
    for (const row of stored.members) {
        const talk = stored.talkById.get(row.talk);
        if (row.user !== userId || row.left_at !== null || talk?.deleted_at !== null) continue;
        const copy = known.get(row.talk);
        known.delete(row.talk);
        if (copy) compareTalk(copy, talk, row, stored, complain);
        else complain(`does not know conversation ${row.talk}`);
    }
    for (const id of known.keys()) complain(`knows conversation ${id}, which is not his`);
    return found;
}

function compareTalk(copy, talk, mine, stored, complain) {
    const differs = (what, has, wanted) => {
        if (has !== wanted) complain(`conversation ${talk.id}: ${what} ${has}, stored ${wanted}`);
    };
    differs('title', copy.title, talk.title);
    differs('closed', copy.closed, talk.closed_at !== null);
    differs('participant_count', copy.participantCount, talk.participant_count);
    differs('last_seq', copy.lastSeq, talk.last_seq);
    compareMembership(copy.mine, mine, differs);
    comparePeople(copy, stored.membersIn(talk.id), differs);
    compareMessages(copy, stored.messagesIn(talk.id), differs);
    const least = Math.max(1, talk.last_seq - LIMITED + 1);
    if (copy.fromSeq > least) differs('from_seq', copy.fromSeq, `${least} at most`);
    if (copy.unread !== undefined) differs('unread', copy.unread, talk.last_seq - mine.read_seq);
}

function compareMembership(copy, row, differs) {
    if (!copy) {
        differs('own membership', null, 'there');
        return;
    }
    const until = copy.muted_until === null ? null : Date.parse(copy.muted_until) * 1000;
    differs('own role', copy.role, row.role);
    differs('own pinned', copy.pinned, Boolean(row.pinned));
    differs('own archived', copy.archived, Boolean(row.archived));
    differs('own muted_until', until, row.muted_until);
    differs('own rev', copy.rev, row.rev);
}

function comparePeople(copy, members, differs) {
    differs('participants', copy.participants.size, members.length);
    for (const row of members) {
        differs(`role of ${row.user}`, copy.participants.get(row.user), row.role);
        differs(`read position of ${row.user}`, copy.reads.get(row.user) ?? 0, row.read_seq);
    }
}

// What a copy of a message says, and what the row does.
const MESSAGE_FIELDS = [
    ['id', (message) => message.id, (row) => row.id],
    ['rev', (message) => message.rev, (row) => row.rev],
    ['body', (message) => message.message_body, (row) => row.body],
    ['deleted', (message) => message.deleted, (row) => row.deleted_at !== null],
    ['pinned', (message) => message.pinned, (row) => row.pinned_at !== null],
    ['edited', (message) => message.edited, (row) => row.edited_at !== null],
    ['sender', (message) => message.sender_id, (row) => row.sender],
    ['reply_to', (message) => message.reply_to, (row) => row.reply_to],
];

function compareMessages(copy, rows, differs) {
    for (let seq = copy.fromSeq; seq <= rows.length; seq++) {
        const row = rows[seq - 1];
        const message = copy.messages.get(seq);
        if (message) compareMessage(seq, message, row, differs);
        else differs(`message ${seq}`, 'missing', `"${row.body.slice(0, 40)}"`);
    }
    for (const seq of copy.messages.keys()) {
        if (seq > rows.length) differs(`message ${seq}`, 'there', 'not stored');
    }
}

function compareMessage(seq, message, row, differs) {
    for (const [name, has, wanted] of MESSAGE_FIELDS) {
        if (has(message) !== wanted(row))
            differs(`${name} of message ${seq}`, has(message), wanted(row));
    }
}

// REST's list of the user's conversations, whole.
export function compareList(name, userId, list, stored) {
    const found = [];
    const differs = (id, what, has, wanted) => {
        if (has !== wanted) found.push(`${name}, GET: ${id} ${what} ${has}, stored ${wanted}`);
    };
    const rows = stored.members.filter((row) => {
        const talk = stored.talkById.get(row.talk);
        return row.user === userId && row.left_at === null && talk?.deleted_at === null;
    });
    const known = new Map(list.map((one) => [one.id, one]));
    differs('list', 'of conversations', known.size, rows.length);
    for (const row of rows) {
        const talk = stored.talkById.get(row.talk);
        const has = known.get(row.talk) ?? {};
        differs(row.talk, 'unread_count', has.unread_count, talk.last_seq - row.read_seq);
        differs(row.talk, 'last_seq', has.last_seq, talk.last_seq);
        differs(row.talk, 'rev', has.rev, talk.rev);
    }
    return found.slice(0, DIFFERENCES);
}
