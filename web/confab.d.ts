// Types of confab.js. Names with_underscores are the server's (docs/realtime.md); times are UTC,
// '2025-07-27T18:01:41.482677Z'.

export type Uuid = string;
export type Time = string;
export type Json = { [name: string]: unknown };

export interface Person {
    id: Uuid;
    username: string;
    full_name: string;
    avatar: string | null;
}

export interface Me extends Person {
    role: 'guest' | 'host' | 'admin';
}

export interface User extends Me {
    first_name: string;
    last_name: string;
    deleted: boolean;
}

export interface Participant extends Person {
    role: 'owner' | 'moderator' | 'member';
    joined_at: Time;
}

export interface Message {
    id: Uuid;
    message_id: Uuid;
    conversation: Uuid;
    sender: Person | null;
    sender_id: Uuid;
    /** '' of a deleted message. */
    message_body: string;
    metadata: Json;
    sent_at: Time;
    edited_at: Time | null;
    edited: boolean;
    /** What is left of a deleted message is a tombstone: it keeps its seq. */
    deleted: boolean;
    pinned: boolean;
    reply_to: Uuid | null;
    /** 1, 2, 3 ... in its conversation. */
    seq: number;
    rev: number;
    attachments: unknown[];
}

/** One's own part in a conversation. */
export interface Membership {
    role: 'owner' | 'moderator' | 'member';
    muted_until: Time | null;
    pinned: boolean;
    archived: boolean;
    rev: number;
}

/** A copy that the client keeps up to date. Not to be changed from outside. */
export class Conversation {
    private constructor();
    readonly id: Uuid;
    readonly title: string;
    readonly metadata: Json;
    readonly closed: boolean;
    readonly direct: boolean;
    readonly created_by: Uuid;
    readonly created_at: Time;
    readonly updated_at: Time;
    /** The first hundred. */
    readonly participants: readonly Participant[];
    readonly participant_count: number;
    /** Those that are not deleted, when the server last described the conversation. */
    readonly message_count: number;
    readonly rev: number;
    /** The seq of the newest message. */
    readonly last_seq: number;
    /** From here to last_seq all messages are kept; history() brings older ones. */
    readonly from_seq: number;
    /** null for the moment between the conversation and what it is to oneself. */
    readonly mine: Membership | null;
    /** By seq; tombstones too. */
    readonly messages: ReadonlyMap<number, Message>;
    /** User id -> has read up to this seq. */
    readonly reads: ReadonlyMap<Uuid, number>;
    /** One's own, as the server knows it. */
    readonly read_seq: number;
    /** What this device has marked as read does not count, even if the server does not know yet. */
    readonly unread_count: number;
    /** The messages from from_seq on in order, tombstones too. */
    list(): Message[];
}

export interface Presence {
    state: 'online' | 'offline';
    last_seen: Time | null;
}

/** A message on its way. */
export interface OutboxItem {
    readonly client_id: Uuid;
    readonly conversation_id: Uuid;
    readonly message_body: string;
    readonly reply_to: Uuid | null;
    readonly metadata: Json | null;
    /** By the clock of this device. */
    readonly created_at: Time;
    readonly state: 'pending' | 'failed';
    /** Why it failed. */
    readonly error: { status: number; code: string; body: Json | null } | null;
    readonly attempts: number;
    /** The stored message; rejects with a ConfabError when it fails. */
    readonly delivered: Promise<Message>;
}

export type State =
    | 'closed'
    | 'connecting'
    /** Connected; what was missed is coming. */
    | 'syncing'
    | 'online'
    /** Not connected; it will try again by itself. */
    | 'waiting'
    /** There is no token that the server takes: resume(token) or connect(). */
    | 'signed-out';

export interface Events {
    state: { state: State; previous: State };
    /** New or changed. `previous`: as it was known before. Also of what is caught up with. */
    message: { conversation: Conversation; message: Message; previous: Message | null };
    conversation: { conversation: Conversation };
    membership: { conversation: Conversation };
    /** Deleted, or one is no longer in it. */
    gone: { conversationId: Uuid };
    read: { conversation: Conversation; userId: Uuid; seq: number };
    /** Who types now. */
    typing: { conversationId: Uuid; userIds: Uuid[] };
    presence: { userId: Uuid; state: Presence['state']; last_seen: Time | null };
    user: { user: User };
    outbox: { item: OutboxItem; status: 'pending' | 'failed' | 'sent' | 'removed' };
    /** All that was kept has been dropped, and comes again. */
    reset: { reason: string };
    /** Once after all that changed at one go: the moment to draw. */
    change: { conversationIds: Set<Uuid> };
    error: { error: Error };
}

export class ConfabError extends Error {
    constructor(message: string, options?: Partial<Pick<ConfabError, ErrorFields>>);
    /** HTTP's; 0: there was no answer. */
    status: number;
    /** X-Error-Code. */
    code: string;
    /** The server's error object. */
    body: Json | null;
    /** Seconds. */
    retryAfter: number | null;
    /** Was it refused because of who asks (the token, or the session)? */
    readonly isIdentity: boolean;
    /** May the same request succeed later? */
    readonly retriable: boolean;
    static from(error: unknown): ConfabError;
}
type ErrorFields = 'status' | 'code' | 'body' | 'retryAfter' | 'cause';

/** [table, key, row]; row null: take it away. */
export type Row = [table: string, key: string, row: object | null];
export interface Changes {
    /** First empty the tables 'conversations', 'messages' and 'gone'. */
    clear: boolean;
    rows: Row[];
}
export interface StoredState {
    cursor: string;
    me: Me | null;
    evidence: [string, number][];
    conversations: object[];
    messages: object[];
    gone: object[];
    marks: object[];
    outbox: object[];
}
/** Where the client keeps its copy between runs. It belongs to one user of one server. */
export interface Store {
    load(): Promise<StoredState | null>;
    /** All or nothing. One call at a time. */
    save(changes: Changes, cursor: string): Promise<void>;
    close?(): void;
}

export class MemoryStore implements Store {
    load(): Promise<StoredState | null>;
    save(changes: Changes, cursor: string): Promise<void>;
}

export class IndexedDbStore implements Store {
    /** One name for each user and server. Default: 'confab'. */
    constructor(name?: string);
    load(): Promise<StoredState | null>;
    save(changes: Changes, cursor: string): Promise<void>;
    close(): void;
}

type Transport = 'ws' | 'sse' | 'poll';

/** What the client needs of a WebSocket: a browser's, Node's (22 on), that of the package ws. */
export interface WebSocketLike {
    readonly readyState: number;
    onmessage: ((event: any) => any) | null;
    onclose: ((event: any) => any) | null;
    onerror: ((event: any) => any) | null;
    send(text: string): void;
    close(code?: number): void;
}

export interface Options {
    /** The server, 'https://chat.example.com'; default in a browser: where the page is from. */
    url?: string | URL;
    /** An access token (JWT) or a long-lived key; also with its scheme in front. */
    token?: string;
    /**
     * Instead of `token`: asked at the start, and when the server does not take a token any more
     * (`refused`). null: there is none; the user is signed out.
     */
    getToken?: (hint: { refused: string | null }) => string | null | Promise<string | null>;
    /**
     * Instead of `token`, in a page of the server itself: the session that the browser has signed in
     * to (/api-auth/login/).
     */
    session?: boolean;
    /** Default: a MemoryStore. */
    store?: Store;
    /** Default: 'auto', which is WebSocket and, where that does not get through, the others. */
    transport?: Transport | 'auto';
    WebSocket?: new (url: string, protocols: string[]) => WebSocketLike;
    fetch?: typeof fetch;
    /** From 0 to 1, for back-off. */
    random?: () => number;
    /** Milliseconds since 1970. */
    now?: () => number;
}

export interface RequestOptions {
    query?: Record<string, string | number>;
    json?: unknown;
    headers?: Record<string, string>;
    signal?: AbortSignal;
}

export class Confab {
    constructor(options: Options);

    /** null until the first connection, or until the store was read. */
    readonly me: Me | null;
    readonly conversations: ReadonlyMap<Uuid, Conversation>;
    /** Those that frames told of: see subscribe(). */
    readonly users: ReadonlyMap<Uuid, User>;
    readonly presence: ReadonlyMap<Uuid, Presence>;
    readonly state: State;
    /** The one in use. */
    readonly transport: Transport;
    readonly cursor: string;

    /** Resolves when it has caught up for the first time. After that it comes back by itself. */
    connect(): Promise<void>;
    /** Tries at once instead of after a while; with a token, as one who has signed in again. */
    resume(token?: string): void;
    close(): Promise<void>;

    on<E extends keyof Events>(event: E, listener: (detail: Events[E]) => void): () => void;
    off<E extends keyof Events>(event: E, listener: (detail: Events[E]) => void): void;

    /** Shown as pending at once, stored by the server once. */
    send(
        conversationId: Uuid,
        body: string,
        options?: { replyTo?: Uuid | null; metadata?: Json | null },
    ): OutboxItem;
    /** What is not stored yet: all, or a conversation's. */
    pending(conversationId?: Uuid): OutboxItem[];
    /** A failed one once more. */
    retry(clientId: Uuid): boolean;
    /** Only what has failed, or was never tried. */
    remove(clientId: Uuid): boolean;
    edit(message: Pick<Message, 'id' | 'rev'>, body: string): Promise<Message>;
    delete(message: Pick<Message, 'id'>): Promise<null>;

    /** Up to this seq, or all. */
    markRead(conversationId: Uuid, seq?: number): void;
    /** To be called at every keystroke. */
    typing(conversationId: Uuid): void;
    typists(conversationId: Uuid): Uuid[];
    /** Follows profile and presence of these too; at most 1000 in all. */
    subscribe(userIds: Iterable<Uuid>): void;
    /** Older messages: by default those before from_seq. */
    history(
        conversationId: Uuid,
        options?: { beforeSeq?: number; limit?: number },
    ): Promise<{ messages: Message[]; more: boolean }>;
    /** Anything of the API (docs/api.md); rejects with a ConfabError. */
    request(method: string, path: string, options?: RequestOptions): Promise<any>;
}

/** Milliseconds: full jitter, anything from 0 to min(cap, base * 2 ** tries). */
export function backoffDelay(
    tries: number,
    random?: () => number,
    base?: number,
    cap?: number,
): number;

// ---- parts, for who wants to build something else from them ------------------------------------

/** Applies frames; what Confab does when it is connected. */
export class Replica {
    me: Me | null;
    cursor: string;
    readonly conversations: Map<Uuid, Conversation>;
    readonly users: Map<Uuid, User>;
    readonly presence: Map<Uuid, Presence>;
    readonly marks: Map<Uuid, number>;
    readonly gone: Map<Uuid, number>;
    readonly evidence: [string, number][];
    /** To be overridden. */
    tell(event: string, detail: object): void;
    /** To be overridden: this row has changed. */
    touch(table: string, key: string): void;
    apply(frame: { type: string; [field: string]: any }): void;
    applyMessage(message: Message, source?: 'frame' | 'ack' | 'history'): void;
    applyRead(conversationId: Uuid, userId: Uuid, seq: number): void;
    mark(conversation: Conversation, seq: number): void;
    unmark(conversationId: Uuid): void;
    typists(conversationId: Uuid): Uuid[];
    stopAllTyping(): void;
    /** All frames so far lie before this cursor. */
    advance(cursor: string): void;
    beginProof(): void;
    endProof(): boolean;
    load(state: StoredState): void;
    row(table: string, key: string): object | null;
    clear(): void;
}

export class Outbox {
    constructor(options: {
        deliver: (item: OutboxItem) => Promise<Message>;
        changed?: (item: OutboxItem, status: Events['outbox']['status']) => void;
        random?: () => number;
    });
    readonly items: Map<Uuid, OutboxItem>;
    add(fields: Pick<OutboxItem, OutboxFields>): OutboxItem;
    load(rows: object[]): void;
    retry(clientId: Uuid): boolean;
    remove(clientId: Uuid): boolean;
    open(): void;
    close(): void;
    clear(): void;
}
type OutboxFields =
    'client_id' | 'conversation_id' | 'message_body' | 'reply_to' | 'metadata' | 'created_at';

/** Server-sent events of a response's body; null: a piece of one has come. */
export function readEvents(
    body: ReadableStream<Uint8Array>,
): AsyncGenerator<{ data: string; id: string | undefined } | null>;
