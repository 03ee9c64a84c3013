// A client of Confab for browsers and Node (18 or later): one module, no dependencies.
//
//     const client = new Confab({ url: 'https://chat.example.com', token });
//     client.on('message', ({ message }) => console.log(message.message_body));
//     await client.connect();
//     client.send(conversationId, 'Hello');
//
// What it promises: its copy of the conversations becomes the server's, whatever breaks in between,
// and what was given to send() is stored by the server once. docs/realtime.md tells how it works;
// the types are in confab.d.ts.
//
// From the bottom up: Replica applies what the server tells, by number, so that doubles do no harm.
// Keeper puts its rows and the cursor into a store in one step. Outbox sends until there is an
// answer. Three transports (WebSocket, server-sent events, long poll) bring the same frames.
// Confab is a Replica that they feed; it comes back when a connection ends. All in one file, so
// that it can be taken along without a build.

const HEARTBEAT_S = 25; // until `hello` says otherwise
const HEARTBEATS_MISSED = 2.5;
const ANSWER_MS = 30_000; // for a request, or the answer to a `send`
const HELLO_MS = 15_000; // for a connection to begin
const HEALTHY_MS = 10_000; // a connection that lasted so long was a good one
const POLL_S = 25;
const POLL_GAP_MS = 500; // after an answer that brought nothing at once
const TYPING_SHOWN_MS = 6_000;
const TYPING_EVERY_MS = 3_000;
const RENEW_BEFORE_MS = 60_000; // a token is replaced so long before it runs out
const TIMER_MAX_MS = 2 ** 31 - 1;
const SUBSCRIBED_MAX = 1000;
const SUBSCRIBED_AT_ONCE = 200;
const SOCKET_TEXT_MAX = 60_000; // what is longer goes by POST, whose refusal says why
const FAILURES_TO_SWITCH = 3; // of one transport, before another is tried

// Close codes; for the other transports they stand for what an HTTP status or a frame said.
const DONE = 1000;
const NONSENSE = 1002;
const BROKEN = 1006;
const SIGNED_OUT = 4401;
const RESET = 4410;

// ---- small things ------------------------------------------------------------------------------

// What went wrong with a request. `status` is HTTP's, 0 when there was no answer; `code` is the
// server's word for it (X-Error-Code); `body` its error object; `retryAfter` is in seconds.
export class ConfabError extends Error {
    constructor(message, { status = 0, code = '', body = null, retryAfter = null, cause } = {}) {
        super(message, { cause });
        Object.assign(this, { name: 'ConfabError', status, code, body, retryAfter });
    }

    static from(error) {
        return error instanceof ConfabError ? error : new ConfabError(`${error}`, { cause: error });
    }

    // Does the server not take who asks: the token, or the session that a CSRF token goes with?
    get isIdentity() {
        return this.status === 401 || this.code === 'csrf_failed';
    }

    // May the same request succeed later?
    get retriable() {
        const { status, isIdentity } = this;
        return isIdentity || status === 0 || status >= 500 || [408, 425, 429].includes(status);
    }
}

// Full jitter: anything between nothing and a bound that doubles with each try.
export function backoffDelay(tries, random = Math.random, base = 500, cap = 30_000) {
    return random() * Math.min(cap, base * 2 ** Math.min(tries, 16));
}

// Nobody has to listen to its rejection.
function deferred() {
    const it = {};
    it.promise = new Promise((resolve, reject) => Object.assign(it, { resolve, reject }));
    it.promise.catch(() => {});
    return it;
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function parseJson(text) {
    try {
        return JSON.parse(text);
    } catch {
        return null;
    }
}

async function errorOf(response) {
    const body = parseJson(await response.text().catch(() => ''));
    const { status, headers } = response;
    const code = headers.get('x-error-code') ?? '';
    const retryAfter = Number.parseInt(headers.get('retry-after'), 10) || null;
    const text = body?.detail ?? (body ? JSON.stringify(body) : `HTTP ${status}`);
    return new ConfabError(text, { status, code, body, retryAfter });
}

// Half a character cannot be sent.
const wellFormed = (text) => String(text).replace(/\p{Surrogate}/gu, '\ufffd');

// Where there is no randomUUID (Node 18, pages without TLS), the same from what there is.
function newId() {
    const { crypto } = globalThis;
    if (crypto?.randomUUID) return crypto.randomUUID();
    const bytes = Array.from({ length: 16 }, () => Math.floor(Math.random() * 256));
    if (crypto) crypto.getRandomValues(new Uint8Array(16)).forEach((byte, n) => (bytes[n] = byte));
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const hex = bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('');
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

function authorization(token) {
    if (token.includes(' ')) return token;
    return `${token.split('.').length === 3 ? 'Bearer' : 'Token'} ${token}`;
}

// The moment (ms) at which a JSON web token runs out; NaN for other tokens.
function expiryOf(token) {
    const payload = token.split('.')[1] ?? '';
    try {
        return JSON.parse(atob(payload.replace(/-/g, '+').replace(/_/g, '/'))).exp * 1000;
    } catch {
        return NaN;
    }
}

// A browser's session is in a cookie that scripts cannot see. Its CSRF token, which they can, stands
// for it as a token: it goes with this one session, so nothing is sent in the name of who signs in
// later, in another tab of this browser.
const csrfToken = () =>
    /(?:^|; )csrftoken=([^;]+)/.exec(globalThis.document?.cookie ?? '')?.[1] ?? null;

const pick = (object, names) => Object.fromEntries(names.map((name) => [name, object[name]]));

const PERSON = ['id', 'username', 'full_name', 'avatar'];
const MESSAGE = [
    ...['id', 'message_id', 'conversation', 'sender_id', 'message_body', 'metadata', 'sent_at'],
    ...['edited_at', 'edited', 'deleted', 'pinned', 'reply_to', 'seq', 'rev', 'attachments'],
];
const CONVERSATION = [
    ...['title', 'metadata', 'closed', 'direct', 'created_by', 'created_at', 'updated_at'],
    ...['participants', 'participant_count', 'message_count', 'rev'],
];

// A message as frames have it; REST's says more, which depends on who asks.
function plainMessage(message) {
    const sender = message.sender && pick(message.sender, PERSON);
    return { ...pick(message, MESSAGE), sender };
}

// ---- what the client knows ---------------------------------------------------------------------

export class Conversation {
    #replica;
    rev = 0;
    mine = null; // the own membership: role, muted_until, pinned, archived, rev
    messages = new Map(); // by seq; tombstones too
    reads = new Map(); // user id -> has read up to this seq
    generation = 0; // grows when messages are forgotten

    constructor(replica, id, lastSeq) {
        this.#replica = replica;
        this.id = id;
        this.last_seq = lastSeq;
        this.from_seq = lastSeq + 1; // from here on nothing is missing
    }

    // In order, tombstones too.
    list() {
        const list = [];
        for (let seq = this.from_seq; seq <= this.last_seq; seq++) {
            if (this.messages.has(seq)) list.push(this.messages.get(seq));
        }
        return list;
    }

    // The own read position, as the server knows it.
    get read_seq() {
        return this.reads.get(this.#replica.me?.id) ?? 0;
    }

    get unread_count() {
        const mark = this.#replica.marks.get(this.id) ?? 0;
        return Math.max(0, this.last_seq - Math.max(this.read_seq, mark));
    }

    toRow() {
        const row = pick(this, ['id', 'last_seq', 'from_seq', 'mine', ...CONVERSATION]);
        return { ...row, reads: Object.fromEntries(this.reads) };
    }

    static fromRow(replica, row) {
        const reads = new Map(Object.entries(row.reads));
        return Object.assign(new Conversation(replica, row.id, 0), row, { reads });
    }
}

// Applies frames. tell(event, detail) hears what changed, touch(table, key) which row is to be
// stored.
//
// An object's state is applied if its rev is not below the known one; a read position, if it is
// beyond. Equal revs are the same state, unless the database has gone back: then the server's.
//
// Evidence is what was told since the cursor. A client that comes back with the cursor must be told
// it again. If not, the database has gone back behind it though not behind the cursor (a restored
// backup): what is kept here cannot be trusted then, nor can its numbers be compared.
export class Replica {
    me = null;
    cursor = '';
    conversations = new Map();
    users = new Map();
    presence = new Map();
    marks = new Map(); // conversation id -> read up to, here; the server does not know yet
    gone = new Map(); // conversation id -> rev at which it went
    #typing = new Map(); // conversation id -> Map(user id -> timer)
    #evidence = new Map(); // 'kind conversation part' -> rev or seq
    #acked = new Map(); // the same, of answers to what was sent; until a frame tells it too
    #unproven = new Map(); // evidence that has not been told again on this connection

    tell() {}
    touch() {}

    apply(frame) {
        const { conversation_id: id, user_id: userId } = frame;
        if (frame.type === 'message') this.applyMessage(frame.message);
        else if (frame.type === 'conversation') this.#describe(id, frame);
        else if (frame.type === 'conversation.gone') this.#forget(id, frame.rev);
        else if (frame.type === 'membership') this.#own(frame);
        else if (frame.type === 'read') this.applyRead(id, userId, frame.seq);
        else if (frame.type === 'typing') this.#startTyping(id, userId);
        else if (frame.type === 'user') this.#profile(frame.user);
        else if (frame.type === 'presence') {
            const { state, last_seen } = frame;
            this.presence.set(userId, { state, last_seen });
            this.tell('presence', { userId, state, last_seen });
        } // else: of a newer server
    }

    #profile(user) {
        this.users.set(user.id, user);
        if (user.id === this.me?.id) {
            this.me = pick(user, [...PERSON, 'role']);
            this.touch('meta', 'me');
        }
        this.tell('user', { user });
    }

    #describe(id, frame) {
        if (frame.rev <= (this.gone.get(id) ?? 0)) return;
        const known = this.conversations.get(id) ?? this.#begin(id, frame.last_seq);
        if (frame.limited) this.#forgetBelow(known, frame.from_seq);
        if (frame.rev >= known.rev) {
            Object.assign(known, pick(frame, CONVERSATION));
            known.participants = frame.participants.map(({ read_seq, ...person }) => person);
        }
        known.last_seq = Math.max(known.last_seq, frame.last_seq);
        for (const person of frame.participants) this.#moveRead(known, person.id, person.read_seq);
        this.#witness(`c ${id}`, frame.rev);
        this.touch('conversations', id);
        this.tell('conversation', { conversation: known });
    }

    #begin(id, lastSeq) {
        const conversation = new Conversation(this, id, lastSeq);
        this.conversations.set(id, conversation);
        this.gone.delete(id);
        this.touch('gone', id);
        this.#unlearn((kind, of) => kind === 'g' && of === id);
        return conversation;
    }

    // Whatever rev is known: changes of these have not been told.
    #forgetBelow(conversation, fromSeq) {
        const { id } = conversation;
        this.#drop(conversation, fromSeq);
        conversation.from_seq = fromSeq;
        conversation.generation++;
        this.#unlearn((kind, of, seq) => kind === 'm' && of === id && Number(seq) < fromSeq);
    }

    #drop({ id, messages }, below = Infinity) {
        for (const seq of messages.keys()) {
            if (seq < below) {
                messages.delete(seq);
                this.touch('messages', `${id} ${seq}`);
            }
        }
    }

    #forget(id, rev) {
        const known = this.conversations.get(id);
        const isOld = rev <= Math.max(known?.rev ?? 0, known?.mine?.rev ?? 0);
        if (!isOld) this.#unlearn((kind, of) => of === id);
        this.#witness(`g ${id}`, rev);
        if (isOld) return;
        this.gone.set(id, rev);
        this.conversations.delete(id);
        for (const table of ['gone', 'conversations']) this.touch(table, id);
        this.unmark(id);
        this.#stopTyping(id);
        if (known) {
            this.#drop(known);
            this.tell('gone', { conversationId: id });
        }
    }

    #own({ type, conversation_id: id, read_seq: seq, ...mine }) {
        const known = this.conversations.get(id);
        if (!known) return;
        if (mine.rev >= (known.mine?.rev ?? 0)) known.mine = mine;
        if (this.me) this.#moveRead(known, this.me.id, seq);
        this.#witness(`p ${id}`, mine.rev);
        this.touch('conversations', id);
        this.tell('membership', { conversation: known });
    }

    // `source`: a frame, the answer ('ack') to what was sent, or a page of 'history'.
    applyMessage(message, source = 'frame') {
        const { conversation: id, seq, rev, sender_id: senderId } = message;
        const known = this.conversations.get(id);
        if (!known) return;
        const key = `m ${id} ${seq}`;
        if (source === 'frame') this.#witness(key, rev);
        else if (source === 'ack' && seq > known.last_seq) this.#acked.set(key, rev);
        this.#moveRead(known, senderId, seq);
        const previous = known.messages.get(seq) ?? null;
        if (previous && (previous.rev > rev || isSame(previous, message))) return;
        known.messages.set(seq, message);
        known.last_seq = Math.max(known.last_seq, seq);
        if (seq < known.from_seq) while (known.messages.has(known.from_seq - 1)) known.from_seq--;
        if (!previous) this.#stopTyping(id, senderId);
        this.touch('messages', `${id} ${seq}`);
        this.touch('conversations', id);
        if (source === 'history') this.tell('change', { conversation: known });
        else this.tell('message', { conversation: known, message, previous });
    }

    applyRead(id, userId, seq) {
        const conversation = this.conversations.get(id);
        if (!conversation || !this.#moveRead(conversation, userId, seq)) return;
        this.tell('read', { conversation, userId, seq });
    }

    #moveRead({ id, reads }, userId, seq) {
        const moves = seq > (reads.get(userId) ?? 0);
        this.#witness(`r ${id} ${userId}`, seq, moves);
        if (!moves) return false;
        reads.set(userId, seq);
        this.touch('conversations', id);
        if (userId === this.me?.id && seq >= this.marks.get(id)) this.unmark(id);
        return true;
    }

    mark(conversation, seq) {
        this.marks.set(conversation.id, seq);
        this.touch('marks', conversation.id);
        this.tell('change', { conversation });
    }

    unmark(id) {
        if (this.marks.delete(id)) this.touch('marks', id);
    }

    // Those that the server is to be told, once all is known of it: not what it knows already, nor
    // (of a database that has gone back) messages that it does not have.
    dueMarks() {
        for (const [id, seq] of this.marks) {
            const conversation = this.conversations.get(id);
            const due = Math.min(seq, conversation?.last_seq ?? 0);
            if (due <= (conversation?.read_seq ?? 0)) this.unmark(id);
            else if (due < seq) this.mark(conversation, due);
        }
        return this.marks;
    }

    // ---- typing ----

    typists(id) {
        return [...(this.#typing.get(id)?.keys() ?? [])];
    }

    #startTyping(id, userId) {
        if (!this.conversations.has(id) || userId === this.me?.id) return;
        const timers = this.#typing.get(id) ?? new Map();
        clearTimeout(timers.get(userId));
        timers.set(
            userId,
            setTimeout(() => this.#stopTyping(id, userId), TYPING_SHOWN_MS),
        );
        this.#typing.set(id, timers);
        this.tell('typing', { conversationId: id, userIds: this.typists(id) });
    }

    // One user's, or everybody's.
    #stopTyping(id, userId) {
        const timers = this.#typing.get(id) ?? new Map();
        const ending = this.typists(id).filter((who) => who === (userId ?? who));
        for (const who of ending) {
            clearTimeout(timers.get(who));
            timers.delete(who);
        }
        if (timers.size === 0) this.#typing.delete(id);
        if (ending.length) this.tell('typing', { conversationId: id, userIds: this.typists(id) });
    }

    stopAllTyping() {
        for (const id of [...this.#typing.keys()]) this.#stopTyping(id);
    }

    // ---- evidence ----

    #witness(key, value, isNew = true) {
        for (const map of [this.#unproven, this.#acked]) {
            if (value >= map.get(key)) map.delete(key);
        }
        if (isNew) this.#evidence.set(key, Math.max(value, this.#evidence.get(key) ?? 0));
    }

    #unlearn(concerns) {
        for (const map of [this.#evidence, this.#acked, this.#unproven]) {
            for (const key of map.keys()) if (concerns(...key.split(' '))) map.delete(key);
        }
    }

    get evidence() {
        const all = new Map();
        for (const [key, value] of [...this.#unproven, ...this.#evidence, ...this.#acked]) {
            all.set(key, Math.max(value, all.get(key) ?? 0));
        }
        return [...all];
    }

    // All that was told so far lies before this cursor.
    advance(cursor) {
        this.cursor = cursor;
        this.#evidence.clear();
    }

    // A connection begins, with the present cursor. If the one before broke in the middle, what it
    // has not told again is still to be told.
    beginProof() {
        this.#unproven = new Map(this.evidence);
    }

    // Has all of it been told again? Read positions of those who are not members now are not.
    endProof() {
        const isListed = (id, userId) =>
            this.conversations.get(id)?.participants.some((person) => person.id === userId);
        const missing = [...this.#unproven.keys()].filter((key) => {
            const [kind, id, userId] = key.split(' ');
            return kind !== 'r' || isListed(id, userId);
        });
        this.#unproven.clear();
        return missing.length === 0;
    }

    // ---- rows ----

    load({ cursor, me, evidence, conversations, messages, gone, marks }) {
        Object.assign(this, { cursor, me });
        this.#evidence = new Map(evidence);
        for (const row of conversations) {
            this.conversations.set(row.id, Conversation.fromRow(this, row));
        }
        for (const row of messages) {
            this.conversations.get(row.conversation)?.messages.set(row.seq, row);
        }
        for (const row of gone) this.gone.set(row.id, row.n);
        for (const row of marks) this.marks.set(row.id, row.n);
        this.tell('change', {});
    }

    // As it is to be stored; null: not any more.
    row(table, key) {
        const [id, seq] = key.split(' ');
        if (table === 'conversations') return this.conversations.get(id)?.toRow() ?? null;
        if (table === 'messages') {
            return this.conversations.get(id)?.messages.get(Number(seq)) ?? null;
        }
        if (table === 'meta') return { name: key, value: this[key] };
        return this[table].has(id) ? { id, n: this[table].get(id) } : null;
    }

    // All that can be had again.
    clear() {
        this.stopAllTyping();
        for (const map of [this.conversations, this.gone]) map.clear();
        this.#unlearn(() => true);
        this.cursor = '';
        this.tell('change', {});
    }
}

const isSame = (a, b) => a.rev === b.rev && a.id === b.id && a.message_body === b.message_body;

// ---- stores ------------------------------------------------------------------------------------

// load() gives {table: [row, ...], ...} or null. save({clear, rows}, cursor) does all or nothing:
// `clear` empties the tables of what can be had again, then rows [table, key, row] are put, or
// taken away where row is null.
const CACHE_TABLES = ['conversations', 'messages', 'gone'];
const TABLES = [...CACHE_TABLES, 'marks', 'outbox', 'meta'];

const cursorRow = (cursor) => ['meta', 'cursor', { name: 'cursor', value: cursor }];

function stateOf({ meta, ...tables }) {
    if (meta.length === 0) return null;
    const values = Object.fromEntries(meta.map(({ name, value }) => [name, value]));
    return { cursor: '', me: null, evidence: [], ...values, ...tables };
}

// For tests, and for what lives no longer than the process.
export class MemoryStore {
    #tables = Object.fromEntries(TABLES.map((name) => [name, new Map()]));

    async load() {
        const lists = TABLES.map((name) => [name, [...this.#tables[name].values()]]);
        return stateOf(structuredClone(Object.fromEntries(lists)));
    }

    async save({ clear, rows }, cursor) {
        const copy = structuredClone([...rows, cursorRow(cursor)]);
        if (clear) for (const name of CACHE_TABLES) this.#tables[name].clear();
        for (const [table, key, row] of copy) {
            if (row === null) this.#tables[table].delete(key);
            else this.#tables[table].set(key, row);
        }
    }
}

const requested = (request) =>
    new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
    });

// A browser's. One page at a time writes to it; others with the same name begin with what there is
// and keep what is new in memory.
export class IndexedDbStore {
    #name;
    #db = null;
    #isOwner = true;
    #release = null;
    #released = null; // the promise of it

    constructor(name = 'confab') {
        this.#name = name;
    }

    async load() {
        this.#isOwner = await this.#claim();
        this.#db = await this.#open();
        // Who deletes it need not wait for this page, which keeps what is new in memory then.
        this.#db.onversionchange = () => {
            this.#isOwner = false;
            this.#db.close();
        };
        const transaction = this.#db.transaction(TABLES);
        const rowsOf = (name) => requested(transaction.objectStore(name).getAll());
        const lists = await Promise.all(TABLES.map(rowsOf));
        return stateOf(Object.fromEntries(TABLES.map((name, n) => [name, lists[n]])));
    }

    async save({ clear, rows }, cursor) {
        if (!this.#isOwner) return;
        const transaction = this.#db.transaction(TABLES, 'readwrite');
        if (clear) for (const name of CACHE_TABLES) transaction.objectStore(name).clear();
        for (const [table, key, row] of [...rows, cursorRow(cursor)]) {
            if (row === null) transaction.objectStore(table).delete(key);
            else transaction.objectStore(table).put(row, key);
        }
        await new Promise((resolve, reject) => {
            transaction.oncomplete = resolve;
            transaction.onabort = () => reject(transaction.error);
        });
    }

    close() {
        this.#db?.close();
        this.#release?.();
        this.#release = null;
    }

    #open() {
        const request = indexedDB.open(this.#name, 1);
        request.onupgradeneeded = () => {
            for (const name of TABLES) request.result.createObjectStore(name);
        };
        return requested(request);
    }

    async #claim() {
        const locks = globalThis.navigator?.locks;
        if (!locks || this.#release) return true;
        await this.#released;
        return new Promise((resolve) => {
            const options = { ifAvailable: true };
            this.#released = locks.request(`confab ${this.#name}`, options, (lock) => {
                resolve(lock !== null);
                return lock && new Promise((release) => (this.#release = release));
            });
        });
    }
}

// Which rows are to be stored. One save at a time, of the state of the moment at which it begins.
class Keeper {
    #store;
    #rowOf;
    #failed;
    #dirty = new Set();
    #clear = false;
    #now = Promise.resolve();
    #next = null;

    constructor(store, rowOf, failed) {
        this.#store = store;
        this.#rowOf = rowOf;
        this.#failed = failed;
    }

    touch(table, key) {
        this.#dirty.add(`${table} ${key}`);
    }

    clear() {
        this.#clear = true;
    }

    // Resolves when all that is known at this moment is stored.
    save() {
        this.#next ??= this.#now.then(() => {
            this.#next = null;
            this.#now = this.#saveOnce();
            return this.#now;
        });
        return this.#next;
    }

    async #saveOnce() {
        const dirty = this.#dirty;
        const clear = this.#clear;
        this.#dirty = new Set();
        this.#clear = false;
        const rows = [...dirty].map((name) => {
            const [, table, key] = /^(\w+) (.*)$/.exec(name);
            return [table, key, this.#rowOf(table, key)];
        });
        rows.push(['meta', 'evidence', this.#rowOf('meta', 'evidence')]);
        try {
            await this.#store.save({ clear, rows }, this.#rowOf('meta', 'cursor').value);
        } catch (error) {
            for (const name of dirty) this.#dirty.add(name);
            this.#clear ||= clear;
            this.#failed(error);
        }
    }
}

// ---- outbox ------------------------------------------------------------------------------------

// Messages on their way. In order within a conversation (its lane): the next one is sent when the
// one before is answered. deliver(item) resolves when it is stored, or rejects with a ConfabError;
// changed(item, status) hears what becomes of it.
export class Outbox {
    items = new Map(); // by client_id
    #lanes = new Map(); // conversation id -> {queue, isBusy, timer, tries, isPatient}
    #isOpen = false;
    #number = 0;

    constructor({ deliver, changed = () => {}, random = Math.random }) {
        Object.assign(this, { deliver, changed, random });
    }

    add(fields) {
        const item = { ...fields, n: this.#number + 1, state: 'pending', error: null, attempts: 0 };
        return this.#enter(item);
    }

    load(rows) {
        const unknown = rows.filter(({ client_id: id }) => !this.items.has(id));
        for (const row of unknown.sort((a, b) => a.n - b.n)) this.#enter({ ...row });
    }

    #enter(item) {
        Object.defineProperty(item, 'promise', { value: deferred(), writable: true });
        Object.defineProperty(item, 'delivered', { get: () => item.promise.promise });
        this.#number = Math.max(this.#number, item.n);
        this.items.set(item.client_id, item);
        this.changed(item, item.state);
        if (item.state === 'pending') this.#queue(item);
        return item;
    }

    #queue(item) {
        const id = item.conversation_id;
        const idle = { queue: [], isBusy: false, timer: null, tries: 0, isPatient: false };
        if (!this.#lanes.has(id)) this.#lanes.set(id, idle);
        this.#lanes.get(id).queue.push(item);
        this.#pump(id);
    }

    // A failed one: once more, behind those that wait.
    retry(clientId) {
        const item = this.items.get(clientId);
        if (item?.state !== 'failed') return false;
        Object.assign(item, { state: 'pending', error: null, promise: deferred() });
        this.changed(item, 'pending');
        this.#queue(item);
        return true;
    }

    // Only what is surely not stored.
    remove(clientId) {
        const item = this.items.get(clientId);
        if (!item || (item.state === 'pending' && item.attempts > 0)) return false;
        this.#leave(item, 'removed');
        return true;
    }

    // The way is free, but where the server asked for patience.
    open() {
        this.#isOpen = true;
        for (const [id, lane] of this.#lanes) if (!lane.isPatient) this.#go(id, lane);
    }

    close() {
        this.#isOpen = false;
        for (const lane of this.#lanes.values()) {
            clearTimeout(lane.timer);
            Object.assign(lane, { timer: null, isPatient: false });
        }
    }

    clear() {
        this.close();
        for (const item of [...this.items.values()]) this.#leave(item, 'removed');
    }

    #go(id, lane) {
        clearTimeout(lane.timer);
        Object.assign(lane, { timer: null, isPatient: false });
        this.#pump(id);
    }

    #pump(id) {
        const lane = this.#lanes.get(id);
        if (!this.#isOpen || !lane || lane.isBusy || lane.timer) return;
        const [item] = lane.queue;
        if (!item) {
            this.#lanes.delete(id);
            return;
        }
        lane.isBusy = true;
        item.attempts++;
        this.changed(item, 'pending');
        this.deliver(item).then(
            (message) => this.#delivered(lane, item, message),
            (error) => this.#refused(lane, item, ConfabError.from(error)),
        );
    }

    #delivered(lane, item, message) {
        Object.assign(lane, { isBusy: false, tries: 0 });
        item.promise.resolve(message);
        this.#leave(item, 'sent');
    }

    #refused(lane, item, error) {
        const id = item.conversation_id;
        lane.isBusy = false;
        if (!this.items.has(item.client_id)) return;
        if (error.retriable) {
            const delay = (error.retryAfter ?? 0) * 1000 + backoffDelay(lane.tries++, this.random);
            lane.isPatient = error.retryAfter !== null;
            lane.timer = setTimeout(() => this.#go(id, lane), delay);
            return;
        }
        lane.queue = lane.queue.filter((other) => other !== item);
        Object.assign(item, { state: 'failed', error: pick(error, ['status', 'code', 'body']) });
        item.promise.reject(error);
        this.changed(item, 'failed');
        this.#pump(id);
    }

    #leave(item, status) {
        const { conversation_id: id, client_id: clientId } = item;
        const lane = this.#lanes.get(id);
        if (lane) lane.queue = lane.queue.filter((other) => other !== item);
        this.items.delete(clientId);
        item.promise.reject(new ConfabError('removed'));
        this.changed(item, status);
        this.#pump(id);
    }
}

// ---- transports --------------------------------------------------------------------------------

// One connection, whatever it is made of. It ends once, with a close code, also when nothing is
// heard for too long.
class Link {
    code = null;
    isReached = false; // the server answered
    isDraining = false;
    isSynced = false;
    cameWith = '';
    reason = '';
    helloAt = null;
    retryMs = null;
    token = null;
    send = () => false; // over a WebSocket; false: not sent
    #abort = new AbortController();
    #patience = HELLO_MS;
    #timer = null;

    constructor(take) {
        this.take = take;
        this.signal = this.#abort.signal;
        this.ended = new Promise((resolve) => this.signal.addEventListener('abort', resolve));
        this.alive();
    }

    expect(ms) {
        this.#patience = ms;
        this.alive();
    }

    alive() {
        clearTimeout(this.#timer);
        if (this.code === null) this.#timer = setTimeout(() => this.end(BROKEN), this.#patience);
    }

    end(code) {
        if (this.code !== null) return;
        this.code = code;
        clearTimeout(this.#timer);
        this.#abort.abort();
    }

    // act(signal), where the signal is for one request: each leaves something behind on it.
    async abortable(act) {
        const abort = new AbortController();
        const stop = () => abort.abort();
        this.signal.addEventListener('abort', stop);
        try {
            return await act(abort.signal);
        } finally {
            this.signal.removeEventListener('abort', stop);
        }
    }

    fail({ isIdentity, retryAfter }) {
        if (retryAfter) this.retryMs ??= retryAfter * 1000;
        this.end(isIdentity ? SIGNED_OUT : BROKEN);
    }

    // `cursor`: what may be remembered once the frame is applied.
    receive(text, cursor) {
        this.alive();
        const frame = parseJson(text);
        if (typeof frame?.type === 'string') this.take(frame, cursor);
        else this.end(NONSENSE);
    }
}

// Each transport feeds the link until that ends. io: {cursor(), now(), address(path, query),
// open(method, path, options) -> Response, request(the same) -> its JSON, WebSocket}.

async function overSocket(link, io) {
    const { ticket } = await io.request('POST', '/api/ws/ticket/', { signal: link.signal });
    link.isReached = true;
    const url = io.address('/api/ws/', { cursor: io.cursor(), ticket }).replace(/^http/, 'ws');
    const socket = new io.WebSocket(url, ['confab.v1']);
    link.signal.addEventListener('abort', () => socket.close(DONE));
    socket.onmessage = (event) => link.receive(event.data);
    socket.onclose = (event) => link.end(event.code);
    socket.onerror = () => {}; // onclose follows
    link.send = (frame) => {
        const text = JSON.stringify(frame);
        if (socket.readyState !== 1 || text.length > SOCKET_TEXT_MAX) return false;
        socket.send(text);
        return true;
    };
}

// The events of a stream as {data, id}, id undefined where there is none; null for each piece that
// came, as a sign of life.
export async function* readEvents(body) {
    const reader = body.getReader();
    const decoder = new TextDecoder();
    let rest = '';
    let data = [];
    let id;
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
        yield null;
        const lines = (rest + decoder.decode(piece.value, { stream: true })).split('\n');
        rest = lines.pop();
        for (const line of lines) {
            const [, name, text] = /^([^:\r]*):? ?([^\r]*)/.exec(line);
            if (name === 'data') data.push(text);
            else if (name === 'id') id = text;
            else if (name === '' && text === '') {
                if (data.length) yield { data: data.join('\n'), id };
                data = [];
                id = undefined;
            }
        }
    }
}

async function overEvents(link, io) {
    const headers = { accept: 'text/event-stream' };
    const options = { headers, query: { cursor: io.cursor() }, signal: link.signal };
    const response = await io.open('GET', '/api/events/', options);
    link.isReached = true;
    for await (const event of readEvents(response.body)) {
        if (event) link.receive(event.data, event.id);
        else link.alive();
    }
    link.end(BROKEN);
}

async function overPolls(link, io) {
    const user = await link.abortable((signal) => io.request('GET', '/api/users/me/', { signal }));
    link.isReached = true;
    link.take({ type: 'hello', user: pick(user, [...PERSON, 'role']) });
    for (let wait = 0; link.code === null;) {
        const asked = io.now();
        link.expect(wait * 1000 + ANSWER_MS);
        const query = { cursor: io.cursor(), wait };
        const get = (signal) => io.request('GET', '/api/sync/', { query, signal });
        const page = await link.abortable(get);
        for (const frame of page.frames) link.take(frame);
        link.take({ type: page.more ? 'ping' : 'synced', cursor: page.cursor });
        const isStill = page.cursor === query.cursor && io.now() - asked < POLL_GAP_MS;
        if (isStill && (wait > 0 || page.more)) await sleep(POLL_GAP_MS);
        wait = page.more ? 0 : POLL_S;
    }
}

const TRANSPORTS = { ws: overSocket, sse: overEvents, poll: overPolls };

// ---- the client --------------------------------------------------------------------------------

export class Confab extends Replica {
    #options;
    #url;
    #random;
    #now;
    #store;
    #keeper;
    #outbox;
    #listeners = new Map(); // event -> Set
    #changed = null; // conversation ids of a 'change' that is to be told

    #transports; // the one in use first
    #failures = 0; // of that one, in a row
    #state = 'closed';
    #loop = null;
    #isClosing = false;
    #ready = deferred();
    #link = null;
    #wake = () => {};
    #tries = 0;

    #getToken;
    #token = null;
    #asking = null; // the promise of a token
    #refused = null; // the last token that the server did not take
    #refusals = 0; // in a row
    #renewal = null;
    #isMe = false; // the token is known to be the user's whose messages wait

    #answers = new Map(); // client_id -> deferred answer to a `send`
    #marksSent = new Map();
    #marksTimer = null;
    #typedAt = new Map();
    #subscribed = [];
    #resume = () => this.resume();

    constructor({ url = globalThis.location?.origin, token, transport = 'auto', ...options }) {
        super();
        if (!url) throw new TypeError('url is missing');
        this.#options = { WebSocket: globalThis.WebSocket, ...options };
        this.#url = String(url).replace(/\/+$/, '');
        this.#random = options.random ?? Math.random;
        this.#now = options.now ?? Date.now;
        this.#getToken = options.session ? csrfToken : (options.getToken ?? (() => token));
        this.#transports = this.#choose(transport);
        this.#store = options.store ?? new MemoryStore();
        const rowOf = (table, key) => this.#rowOf(table, key);
        this.#keeper = new Keeper(this.#store, rowOf, (error) => this.#emit('error', { error }));
        this.#outbox = new Outbox({
            deliver: (item) => this.#deliver(item),
            changed: (item, status) => {
                this.touch('outbox', item.client_id);
                this.tell('outbox', { item, status });
            },
            random: this.#random,
        });
    }

    #choose(transport) {
        const hasSocket = Boolean(this.#options.WebSocket);
        if (transport === 'auto') return hasSocket ? ['ws', 'sse', 'poll'] : ['sse', 'poll'];
        if (!(transport in TRANSPORTS)) throw new TypeError(`no transport ${transport}`);
        if (transport === 'ws' && !hasSocket) throw new TypeError('WebSocket is missing');
        return [transport];
    }

    #rowOf(table, key) {
        if (table !== 'outbox') return this.row(table, key);
        const item = this.#outbox.items.get(key);
        return item ? { ...item } : null;
    }

    // 'closed', 'connecting', 'syncing', 'online', 'waiting' or 'signed-out'.
    get state() {
        return this.#state;
    }

    get transport() {
        return this.#transports[0];
    }

    // Messages that are not stored by the server yet, all or a conversation's.
    pending(conversationId) {
        const items = [...this.#outbox.items.values()];
        return items.filter(({ conversation_id: id }) => id === (conversationId ?? id));
    }

    // ---- events ----

    // Returns a function that ends it.
    on(event, listener) {
        if (!this.#listeners.has(event)) this.#listeners.set(event, new Set());
        this.#listeners.get(event).add(listener);
        return () => this.off(event, listener);
    }

    off(event, listener) {
        this.#listeners.get(event)?.delete(listener);
    }

    // A listener's error is its own: it must not keep a frame from being applied.
    #emit(event, detail) {
        for (const listener of [...(this.#listeners.get(event) ?? [])]) {
            try {
                listener(detail);
            } catch (error) {
                queueMicrotask(() => {
                    throw error;
                });
            }
        }
    }

    // From Replica. Each 'change' stands for all that changed at one go.
    tell(event, detail) {
        if (event !== 'change') this.#emit(event, detail);
        const { conversation, conversationId, item } = detail;
        const id = conversation?.id ?? conversationId ?? item?.conversation_id;
        if (!this.#changed) {
            this.#changed = new Set();
            queueMicrotask(() => {
                const conversationIds = this.#changed;
                this.#changed = null;
                this.#emit('change', { conversationIds });
            });
        }
        if (id) this.#changed.add(id);
    }

    touch(table, key) {
        this.#keeper.touch(table, key);
    }

    #setState(state) {
        const previous = this.#state;
        this.#state = state;
        if (state !== previous) this.#emit('state', { state, previous });
    }

    // ---- connecting ----

    // Resolves when it has caught up for the first time; rejects when the user is signed out, or by
    // close(). After that, and after all else that breaks, it comes back by itself.
    connect() {
        if (!this.#loop) {
            this.#ready = deferred();
            this.#isClosing = false;
            this.#loop = this.#run();
            globalThis.addEventListener?.('online', this.#resume);
        } else if (this.#state === 'signed-out') this.resume();
        return this.#ready.promise;
    }

    // Tries at once instead of after a while. With a token: as one who has signed in again.
    resume(token) {
        if (token) this.#getToken = () => token;
        if (this.#state === 'signed-out') this.#ready = deferred();
        if (token || this.#state === 'signed-out') {
            this.#token = null;
            this.#refused = null;
            this.#refusals = 0;
            this.#isMe = false;
        }
        this.#wake();
    }

    // What is not sent yet stays in the store.
    async close() {
        if (!this.#loop) return;
        globalThis.removeEventListener?.('online', this.#resume);
        this.#isClosing = true;
        this.#ready.reject(new ConfabError('closed'));
        this.#link?.end(DONE);
        this.#wake();
        await this.#loop;
        this.#outbox.close();
        this.stopAllTyping();
        clearTimeout(this.#marksTimer);
        await this.#keeper.save();
        this.#store.close?.();
        this.#loop = null;
        this.#setState('closed');
    }

    async #run() {
        await this.#load();
        while (!this.#isClosing) {
            const link = await this.#session();
            if (!this.#isClosing) await this.#recover(link);
        }
    }

    async #load() {
        try {
            const state = await this.#store.load();
            if (!state || this.me) return;
            this.load(state);
            this.#outbox.load(state.outbox);
        } catch (error) {
            this.#keeper.clear(); // whatever is in it does not go with what will come
            this.#emit('error', { error });
        }
    }

    // One connection from its beginning to its end.
    async #session() {
        const link = new Link((frame, cursor) => this.#take(link, frame, cursor));
        this.#link = link;
        link.cameWith = this.cursor;
        this.beginProof();
        this.#setState('connecting');
        // An aborted read may never settle, so its end is not waited for.
        this.#transport(link).catch((error) => link.fail(ConfabError.from(error)));
        await link.ended;
        this.#link = null;
        clearTimeout(this.#renewal);
        this.#marksSent.clear();
        const lost = new ConfabError('connection lost');
        for (const answer of this.#answers.values()) answer.reject(lost);
        return link;
    }

    async #transport(link) {
        link.token = await this.#askToken();
        if (link.token) await TRANSPORTS[this.transport](link, this.#io());
        else link.end(SIGNED_OUT);
    }

    #io() {
        return {
            cursor: () => this.cursor,
            now: this.#now,
            address: (path, query) => this.#address(path, query),
            open: (method, path, options) => this.#open(method, path, { ...options, isLink: true }),
            request: (method, path, options) =>
                this.request(method, path, { ...options, isLink: true }),
            WebSocket: this.#options.WebSocket,
        };
    }

    // What follows from how it ended.
    async #recover(link) {
        if (link.code === RESET) this.#reset(link.reason);
        if (link.code === SIGNED_OUT) {
            this.#refuse(link.token);
            const hasToken = await this.#askToken().catch(() => true); // to be asked again
            if (!hasToken) return this.#signOut();
        }
        this.#judge(link);
        if (link.helloAt !== null && this.#now() - link.helloAt >= HEALTHY_MS) this.#tries = 0;
        this.#setState('waiting');
        return this.#pause(link.retryMs ?? backoffDelay(this.#tries++, this.#random));
    }

    // A transport that the server can be reached for, but that brings nothing, gives way.
    #judge(link) {
        if (link.helloAt !== null) this.#failures = 0;
        else if (link.isReached && link.code === BROKEN) this.#failures++;
        if (this.#failures < FAILURES_TO_SWITCH) return;
        this.#failures = 0;
        this.#transports.push(this.#transports.shift());
    }

    async #signOut() {
        this.#outbox.close();
        this.#setState('signed-out');
        this.#ready.reject(new ConfabError('signed out', { status: 401 }));
        await this.#pause(Infinity);
    }

    #pause(ms) {
        if (this.#isClosing) return null;
        return new Promise((resolve) => {
            const timer = ms < Infinity && setTimeout(resolve, ms);
            this.#wake = () => {
                clearTimeout(timer);
                resolve();
            };
        });
    }

    #reset(reason) {
        this.clear();
        this.#keeper.clear();
        this.#keeper.save();
        this.tell('reset', { reason });
    }

    // ---- frames ----

    #take(link, frame, cursor) {
        if (link.code !== null) return;
        try {
            this.#handle(link, frame);
            if (cursor && link.code === null) this.#remember(cursor);
        } catch (error) {
            this.#emit('error', { error });
            link.end(NONSENSE); // nothing is lost: the cursor stands before it
        }
    }

    #handle(link, frame) {
        const { type } = frame;
        if (type === 'hello') this.#hello(link, frame);
        else if (type === 'synced' || type === 'ping') this.#advance(link, frame);
        else if (type === 'ack' || type === 'nack') this.#answered(type, frame);
        else if (type === 'error') {
            this.#emit('error', { error: new ConfabError(frame.detail, { code: frame.code }) });
        } else if (type === 'reset') {
            link.reason = frame.reason;
            link.end(RESET);
        } else if (type === 'drain') {
            link.isDraining = true;
            link.retryMs = frame.retry_ms;
        } else this.apply(frame);
    }

    #hello(link, { user, heartbeat = HEARTBEAT_S }) {
        const isOther = this.me && this.me.id !== user.id;
        if (isOther) this.#forgetUser();
        this.me = user;
        this.touch('meta', 'me');
        if (isOther) {
            this.#token = null; // of a session it may be the former user's
            link.end(BROKEN);
            return;
        }
        link.helloAt = this.#now();
        link.expect(heartbeat * HEARTBEATS_MISSED * 1000);
        this.#isMe = true;
        this.#refusals = 0;
        this.#planRenewal(link);
        this.#setState('syncing');
        this.#outbox.open();
        this.#sendSubscribed(this.#subscribed);
    }

    // Nothing here is for the user of the new token, nor may it be sent in his name.
    #forgetUser() {
        this.#outbox.clear();
        for (const id of [...this.marks.keys()]) this.unmark(id);
        this.users.clear();
        this.presence.clear();
        this.#reset('another user');
    }

    // Pages of a long way end with a `ping`, the way itself with `synced`. By the next cursor then,
    // what was known must have been told again; the same one proves nothing.
    #advance(link, { type, cursor }) {
        link.isSynced ||= type === 'synced';
        if (cursor) this.#remember(cursor);
        if (cursor && link.isSynced && cursor !== link.cameWith && !this.endProof()) {
            link.reason = 'the database has gone back';
            link.end(RESET);
            return;
        }
        if (type === 'ping') link.send({ type: 'pong' });
        else {
            this.#setState('online');
            this.#ready.resolve();
        }
        this.#sendMarks();
    }

    #remember(cursor) {
        this.advance(cursor);
        this.#keeper.save();
    }

    // ---- tokens ----

    // The present one, or a new one; null: there is none that the server would take.
    async #askToken() {
        if (this.#token) return this.#token;
        this.#asking ??= (async () => this.#getToken({ refused: this.#refused }))().finally(() => {
            this.#asking = null;
        });
        const token = await this.#asking;
        this.#token = token && token !== this.#refused && this.#refusals < 2 ? token : null;
        return this.#token;
    }

    #refuse(token) {
        if (!token || this.#token !== token) return;
        this.#token = null;
        this.#refused = token;
        this.#refusals++;
        this.#isMe = false;
    }

    // A new token for the old socket, before the old one runs out.
    #planRenewal(link) {
        const delay = expiryOf(link.token) - this.#now() - RENEW_BEFORE_MS;
        if (this.transport !== 'ws' || !(delay > 0)) return;
        const renew = () => this.#renew(link).catch(() => {}); // 4401 will come, then
        this.#renewal = setTimeout(renew, Math.min(delay, TIMER_MAX_MS));
    }

    async #renew(link) {
        const token = await this.#getToken({ refused: null });
        if (!token || token === link.token || !link.send({ type: 'auth', token })) return;
        this.#token = token;
        link.token = token;
        this.#planRenewal(link);
    }

    // ---- requests ----

    #address(path, query = {}) {
        const pairs = Object.entries(query).filter(([, value]) => value !== '');
        return this.#url + path + (pairs.length ? `?${new URLSearchParams(pairs)}` : '');
    }

    // Anything of the API, as the user: resolves with the parsed body, rejects with a ConfabError.
    // Options: query, json, headers, signal.
    async request(method, path, options) {
        const response = await this.#open(method, path, options);
        const text = await response.text().catch((error) => {
            throw ConfabError.from(error);
        });
        return parseJson(text);
    }

    async #open(method, path, options = {}) {
        for (let again = false; ; again = true) {
            const token = await this.#askToken();
            if (!token) throw new ConfabError('signed out', { status: 401 });
            const response = await this.#ask(method, path, options, token);
            if (response.ok) return response;
            const error = await errorOf(response);
            if (error.isIdentity) this.#refuse(token);
            if (error.isIdentity && this.#options.session) this.#link?.end(SIGNED_OUT);
            const mayRetry =
                error.isIdentity && !again && !options.isLink && !this.#options.session;
            if (!mayRetry) throw error;
        }
    }

    async #ask(method, path, { query, json, headers, signal }, token) {
        const accept = 'application/json';
        const init = { method, cache: 'no-store', headers: { accept, ...headers } };
        if (this.#options.session) init.headers['x-csrftoken'] = token;
        else init.headers.authorization = authorization(token);
        init.signal = signal ?? AbortSignal.timeout(ANSWER_MS);
        if (json !== undefined) {
            init.headers['content-type'] = 'application/json';
            init.body = JSON.stringify(json);
        }
        const { fetch = globalThis.fetch } = this.#options;
        try {
            return await fetch(this.#address(path, query), init);
        } catch (error) {
            throw ConfabError.from(error);
        }
    }

    // ---- sending ----

    // Pending at once. `delivered` of what it returns is the promise of the stored message.
    send(conversationId, body, { replyTo = null, metadata = null } = {}) {
        const item = this.#outbox.add({
            client_id: newId(),
            conversation_id: conversationId,
            message_body: wellFormed(body),
            reply_to: replyTo,
            metadata,
            created_at: new Date(this.#now()).toISOString(),
        });
        this.#keeper.save();
        return item;
    }

    retry(clientId) {
        return this.#outbox.retry(clientId);
    }

    remove(clientId) {
        const isRemoved = this.#outbox.remove(clientId);
        this.#keeper.save();
        return isRemoved;
    }

    // Over the socket if it is open, else by POST.
    async #deliver({ conversation_id: id, client_id, message_body, reply_to, metadata }) {
        const json = { client_id, message_body };
        if (reply_to) json.reply_to = reply_to;
        if (metadata) json.metadata = metadata;
        const path = `/api/conversations/${id}/messages/`;
        const isSent = this.#say({ type: 'send', conversation_id: id, ...json });
        if (!isSent && !this.#isMe) throw new ConfabError('not connected yet');
        const link = this.#link;
        const answer = isSent ? this.#answerTo(client_id) : this.request('POST', path, { json });
        const message = await answer;
        // From before a connection that is newer: perhaps of a database that has gone back since.
        if (this.#link !== link) throw new ConfabError('connection changed');
        this.applyMessage(plainMessage(message), 'ack');
        queueMicrotask(() => this.#keeper.save()); // when it has left the outbox
        return message;
    }

    // Over an open socket; false: not sent.
    #say(frame) {
        const link = this.#link;
        return Boolean(link?.helloAt) && !link.isDraining && link.send(frame);
    }

    #answerTo(clientId) {
        const link = this.#link;
        const answer = deferred();
        const timer = setTimeout(() => link.end(BROKEN), ANSWER_MS);
        this.#answers.set(clientId, answer);
        return answer.promise.finally(() => {
            clearTimeout(timer);
            this.#answers.delete(clientId);
        });
    }

    #answered(type, { request, client_id, message, status, code, error, retry_after }) {
        const answer = request === 'send' ? this.#answers.get(client_id) : null;
        if (type === 'ack') {
            answer?.resolve(message);
            return;
        }
        const retryAfter = retry_after ?? null;
        const text = error?.detail ?? JSON.stringify(error);
        const refusal = new ConfabError(text, { status, code, body: error, retryAfter });
        if (answer) answer.reject(refusal);
        else if (request === 'read')
            this.#postMarks(); // the answer to a POST says of what
        else if (request !== 'typing') this.#emit('error', { error: refusal });
    }

    // What becomes of the message comes as a frame.
    edit(message, body) {
        const json = { message_body: wellFormed(body), rev: message.rev };
        return this.request('PATCH', `/api/messages/${message.id}/`, { json });
    }

    delete(message) {
        return this.request('DELETE', `/api/messages/${message.id}/`);
    }

    // ---- read positions ----

    // Up to this seq, or all. The server is told now or when it can be reached.
    markRead(conversationId, seq = Infinity) {
        const conversation = this.conversations.get(conversationId);
        if (!conversation) return;
        const { last_seq: last, unread_count: unread } = conversation;
        if (Math.min(seq, last) <= last - unread) return;
        this.mark(conversation, Math.min(seq, last));
        this.#keeper.save();
        this.#sendMarks();
    }

    #sendMarks() {
        if (this.#state !== 'online') return;
        for (const [id, seq] of this.dueMarks()) {
            if (this.#marksSent.get(id) >= seq) continue;
            this.#marksSent.set(id, seq);
            if (!this.#say({ type: 'read', conversation_id: id, seq })) this.#postMark(id, seq);
        }
    }

    #postMarks() {
        for (const [id, seq] of this.marks) this.#postMark(id, seq);
    }

    async #postMark(id, seq) {
        try {
            await this.request('POST', `/api/conversations/${id}/read/`, { json: { seq } });
            if (seq >= this.marks.get(id)) this.unmark(id);
        } catch (error) {
            if (error.retriable) this.#marksLater(error);
            else this.unmark(id);
        }
        this.#keeper.save();
        this.tell('change', { conversationId: id });
    }

    #marksLater({ retryAfter }) {
        this.#marksSent.clear();
        clearTimeout(this.#marksTimer);
        const delay = (retryAfter ?? 0) * 1000 + backoffDelay(Infinity, this.#random);
        this.#marksTimer = setTimeout(() => this.#sendMarks(), delay);
    }

    // ---- the rest ----

    // To be called at every keystroke. Gets lost without a connection, as it should.
    typing(conversationId) {
        const last = this.#typedAt.get(conversationId) ?? -Infinity;
        if (this.#state !== 'online' || this.#now() - last < TYPING_EVERY_MS) return;
        this.#typedAt.set(conversationId, this.#now());
        if (this.#say({ type: 'typing', conversation_id: conversationId })) return;
        this.request('POST', `/api/conversations/${conversationId}/typing/`).catch(() => {});
    }

    // Follows the profile and presence of these users too, at most 1000 in all. Changes come over a
    // WebSocket; the other transports are told the presence at each connection.
    subscribe(userIds) {
        const added = [...new Set(userIds)].filter((id) => !this.#subscribed.includes(id));
        const all = [...this.#subscribed, ...added];
        if (all.length > SUBSCRIBED_MAX) throw new RangeError(`at most ${SUBSCRIBED_MAX} users`);
        this.#subscribed = all;
        this.#sendSubscribed(added);
    }

    async #sendSubscribed(ids) {
        if (!this.#link?.helloAt) return;
        for (let n = 0; n < ids.length; n += SUBSCRIBED_AT_ONCE) {
            const some = ids.slice(n, n + SUBSCRIBED_AT_ONCE);
            if (!this.#say({ type: 'subscribe', user_ids: some })) await this.#askPresence(some);
        }
    }

    async #askPresence(userIds) {
        try {
            for (const id of userIds) {
                const presence = await this.request('GET', `/api/users/${id}/presence/`);
                this.apply({ type: 'presence', ...presence });
            }
        } catch (error) {
            this.#emit('error', { error });
        }
    }

    // Older messages: {messages, more}. Those that join what is kept extend it.
    async history(conversationId, { beforeSeq, limit = 50 } = {}) {
        for (;;) {
            const conversation = this.conversations.get(conversationId);
            if (!conversation) throw new ConfabError('no such conversation', { status: 404 });
            const link = this.#link;
            const { generation, from_seq: fromSeq } = conversation;
            const query = { before_seq: beforeSeq ?? fromSeq, limit, deleted: 1 };
            const path = `/api/conversations/${conversationId}/messages/`;
            const { results } = await this.request('GET', path, { query });
            // Forgotten in between, or on another connection: a change of one of them may have gone
            // by. Once more.
            const isSameCopy = this.conversations.get(conversationId) === conversation;
            if (!isSameCopy || conversation.generation !== generation) continue;
            if (this.#link !== link) continue;
            for (const row of results) this.applyMessage(plainMessage(row), 'history');
            this.#keeper.save();
            const messages = results.map(({ seq }) => conversation.messages.get(seq));
            return { messages, more: messages.length > 0 && messages[0].seq > 1 };
        }
    }
}
