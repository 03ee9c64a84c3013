// The shapes of API.md's objects as checks: a shape takes (value, where) and gives a list of
// complaints. Objects may have more keys than the shape says; `closed` ones may not.
import assert from 'node:assert/strict';

import { TIME, UUID } from './expect.mjs';

const wrong = (where, what, value) => [
    `${where}: ${what}, got ${JSON.stringify(value)?.slice(0, 80)}`,
];
const test = (what, pass) => (value, where) => (pass(value) ? [] : wrong(where, what, value));

export const any = () => [];
export const str = test('text', (v) => typeof v === 'string');
export const int = test('integer', (v) => Number.isInteger(v));
export const count = test('count', (v) => Number.isInteger(v) && v >= 0);
export const bool = test('boolean', (v) => typeof v === 'boolean');
export const uuid = test('lower-case UUID', (v) => UUID.test(v));
export const time = test('time', (v) => TIME.test(v));
export const url = test('absolute link', (v) => /^https?:\/\/[^/]+\/./.test(v));
export const jwt = test('JWT', (v) => /^[\w-]+\.[\w-]+\.[\w-]+$/.test(v));
export const dict = test('object', (v) => v !== null && typeof v === 'object' && !Array.isArray(v));
export const oneOf = (...list) => test(list.join('|'), (v) => list.includes(v));
export const nullable = (shape) => (value, where) => (value === null ? [] : shape(value, where));

export const list = (shape) => (value, where) =>
    Array.isArray(value)
        ? value.flatMap((item, n) => shape(item, `${where}[${n}]`))
        : wrong(where, 'list', value);

export const object =
    (fields, { optional = {}, closed = false } = {}) =>
    (value, where) => {
        const complaints = dict(value, where);
        if (complaints.length) return complaints;
        for (const [key, shape] of Object.entries(fields)) {
            if (!(key in value)) complaints.push(`${where}.${key} is missing`);
            else complaints.push(...shape(value[key], `${where}.${key}`));
        }
        for (const [key, shape] of Object.entries(optional)) {
            if (key in value) complaints.push(...shape(value[key], `${where}.${key}`));
        }
        for (const key of closed ? Object.keys(value) : []) {
            if (!(key in fields) && !(key in optional))
                complaints.push(`${where}.${key} is too much`);
        }
        return complaints;
    };

const userFields = {
    id: uuid,
    user_id: uuid,
    username: str,
    email: nullable(str),
    first_name: str,
    last_name: str,
    full_name: str,
    phone_number: nullable(str),
    role: oneOf('guest', 'host', 'admin'),
    avatar: nullable(str),
    metadata: dict,
    created_at: time,
    last_seen: nullable(time),
};

const never = (value, where) => wrong(where, 'must never be sent', value);
const secrets = { password: never, password_hash: never };
export const user = object(userFields, { optional: secrets });

export const participant = object(
    {
        ...userFields,
        role: oneOf('owner', 'moderator', 'member'),
        user_role: oneOf('guest', 'host', 'admin'),
        joined_at: time,
        read_seq: count,
    },
    { optional: secrets },
);

export const message = object({
    id: uuid,
    message_id: uuid,
    conversation: uuid,
    sender: nullable(user),
    sender_id: nullable(uuid),
    message_body: str,
    metadata: dict,
    sent_at: time,
    edited_at: nullable(time),
    edited: bool,
    deleted: bool,
    reply_to: nullable(uuid),
    client_id: nullable(uuid),
    seq: count,
    rev: count,
    is_read: bool,
    attachments: list(any),
});

export const conversation = object({
    id: uuid,
    conversation_id: uuid,
    title: nullable(str),
    metadata: dict,
    closed: bool,
    participants: list(participant),
    participant_count: count,
    messages: list(message),
    created_by: nullable(any),
    created_at: time,
    updated_at: time,
    last_seq: count,
    message_count: count,
    unread_count: count,
    rev: count,
});

const pageHead = { next: nullable(url), previous: nullable(url), page_size: count };
const numbers = { count, current_page: count, total_pages: count };
const truncated = { truncated: bool };

// By number, or by cursor (no count then).
export const page = (shape) => (value, where) => {
    const byNumber = dict(value, where).length === 0 && 'count' in value;
    const fields = { ...pageHead, ...(byNumber ? numbers : {}), results: list(shape) };
    const optional = byNumber ? { count_capped: bool, ...truncated } : truncated;
    return object(fields, { optional, closed: true })(value, where);
};

export const notification = object(
    {
        id: uuid,
        notification_id: uuid,
        kind: oneOf('message'),
        conversation: object(
            { id: uuid, conversation_id: uuid, title: str, unread_count: count },
            { closed: true },
        ),
        message,
        is_read: bool,
        created_at: time,
    },
    { closed: true },
);

// The page of a list, and two counts more.
export const notificationPage = (value, where) => {
    const { unread_count, unread_conversations, ...rest } = value ?? {};
    const counts = object({ unread_count: count, unread_conversations: count });
    return [
        ...counts({ unread_count, unread_conversations }, where),
        ...page(notification)(rest, where),
    ];
};

export const tokens = object({ access: jwt, refresh: jwt });
export const loginAnswer = object({ access: jwt, refresh: jwt, user_id: uuid, user });
export const registration = object({
    ...userFields,
    user,
    access: jwt,
    refresh: jwt,
    tokens,
});
export const opaqueToken = object({ token: str });
export const detail = object({ detail: str });
export const session = object({ id: uuid, created_at: time, last_used: nullable(time) });
export const historyEntry = object({ message_body: str });
export const metadataAnswer = object({
    name: str,
    description: str,
    renders: list(str),
    parses: list(str),
});
export const error = test('an error object', (v) =>
    dict(v, '').length === 0 && Object.keys(v).length > 0);
export const problem = object(
    { title: str, status: int },
    { optional: { type: str, detail: str, code: str } },
);

export function complaints(shape, value, where = 'body') {
    return shape(value, where);
}

export function assertShape(shape, value, where = 'body') {
    const list = shape(value, where);
    assert.deepEqual(list, [], `${list.join('\n')}\nin ${JSON.stringify(value)?.slice(0, 1500)}`);
    return value;
}

// Each fixed pair of an id and its named id.
const twins = { user_id: 'id', conversation_id: 'id', message_id: 'id' };
export function assertTwins(value) {
    for (const [named, plain] of Object.entries(twins)) {
        if (named in value && plain in value) assert.equal(value[named], value[plain], named);
    }
    return value;
}
