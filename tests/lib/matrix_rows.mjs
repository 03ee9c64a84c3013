// Who gets what on every route, from API.md's text. A row: the status for each role in the order of
// ROLES ("200/204": either), and, where the default request will not do, how to make it:
//     ids(w, role)    the ids of the path                  default: by the names of the path
//     body(w, role)   the JSON body                        default: {}
//     query(w, role)
//     fresh           a cast of its own for each role, as the request changes or destroys
// `w` is a cast (client.mjs) with `admin`, `extra` (one more member), `joiner` (nobody) and
// `message`, which the member sent. {} stands for any id in a path.
import { PASSWORD, login, register, unique } from './client.mjs';
import { NO_UUID } from './expect.mjs';

export const ROLES = ['anonymous', 'stranger', 'member', 'moderator', 'owner', 'admin'];

const sidOf = (user) => JSON.parse(Buffer.from(user.access.split('.')[1], 'base64url')).sid;

const newcomer = () => {
    const username = unique('newcomer');
    return { username, email: `${username}@example.com`, password: PASSWORD };
};
const credentials = (w) => ({ username: w.member.username, password: PASSWORD });
const device = async (w) => login(w.server, w.member.username);
const text = () => ({ message_body: 'from the matrix' });
const rename = (w, role) => ({ title: `by ${role}` });
const joiner = (w) => ({ user_id: w.joiner.id });
const extra = (w) => ({ user_id: w.extra.id });

const open = (status, more) => [
    `${status} ${status} ${status} ${status} ${status} ${status}`,
    more,
];
const signedIn = (status, more) => [`401 ${status} ${status} ${status} ${status} ${status}`, more];

// Reading, managing, owning a conversation: one to whom it does not exist gets 404.
const READ = '401 404 200 200 200 200';
const MANAGE = '401 404 403 200 200 200';
// Of messages/ below a conversation: strangers get 403.
const READ_NESTED = '401 403 200 200 200 200';
const SEND = '401 403 201 201 201 403';
const EDIT_FLAT = '401 404 200 403 403 403';
const EDIT_NESTED = '401 403 200 403 403 403';
// What belongs to a membership: an admin who is no member has none.
const MINE = '401 404 200 200 200 403';
// Of others' messages in one's own conversations; the member sent it.
const NOTIFIED = '401 404 404 200 200 404';

// For admins alone.
const admin = (status, more) => [`401 403 403 403 403 ${status}`, more];
const bulk = (action, pick) => ({ body: (w) => ({ action, ids: [pick(w)] }) });

const self = { body: (w, role) => ({ first_name: `By ${role}` }) };
const wholeSelf = {
    body: (w, role) => {
        const { username, email } = w[role] ?? w.member;
        return { username, email, first_name: 'Whole', last_name: role, phone_number: '' };
    },
};
const wholeMember = {
    body: (w) => ({
        username: w.member.username,
        email: w.member.email,
        first_name: 'W',
        last_name: 'M',
        phone_number: '',
    }),
};
const search = { query: () => ({ q: 'a' }) };
const send = { body: text };
const sendFlat = { body: (w) => ({ conversation: w.id, message_body: 'from the matrix' }) };
const loginRow = open('200', { body: credentials });
const registerRow = open('201', { body: newcomer });
const refreshRow = open('200', { body: async (w) => ({ refresh: (await device(w)).refresh }) });

export const ROWS = {
    'POST /api/token/': loginRow,
    'POST /api/token/refresh/': refreshRow,
    'POST /api/token/verify/': open('200', { body: (w) => ({ token: w.member.access }) }),
    'POST /api/token/revoke/': open('205', refreshRow[1]),
    'POST /api/auth/logout/': open('200', refreshRow[1]),
    'POST /api-token-auth/': loginRow,

    'POST /api/users/register/': registerRow,
    'POST /api/users/': registerRow,
    'GET /api/users/': signedIn('200'),
    'GET /api/users/search/': signedIn('200', search),
    'GET /api/users/{}/': signedIn('200'),
    'PUT /api/users/{}/': ['401 403 200 403 403 200', wholeMember],
    'PATCH /api/users/{}/': ['401 403 200 403 403 200', self],
    'DELETE /api/users/{}/': ['401 403 204 403 403 204', { fresh: true }],
    'GET /api/users/me/': signedIn('200'),
    'PUT /api/users/me/': signedIn('200', wholeSelf),
    'PATCH /api/users/me/': signedIn('200', self),
    'DELETE /api/users/me/': ['401 204 204 204 204 409', { fresh: true }],
    'POST /api/users/me/password/': signedIn('400', { body: () => ({ old_password: PASSWORD }) }),
    'GET /api/users/me/sessions/': signedIn('200'),
    'DELETE /api/users/me/sessions/{}/': signedIn('204', {
        ids: async (w, role) => [
            sidOf(w[role] ? await login(w.server, w[role].username) : w.member),
        ],
    }),

    'GET /api/conversations/': signedIn('200'),
    'POST /api/conversations/': signedIn('201'),
    'GET /api/conversations/search/': signedIn('200', search),
    'GET /api/conversations/{}/': [READ],
    'PUT /api/conversations/{}/': ['401 404 403 200 200 200', { body: rename, fresh: true }],
    'PATCH /api/conversations/{}/': ['401 404 403 200 200 200', { body: rename }],
    'DELETE /api/conversations/{}/': ['401 404 403 403 204 204', { fresh: true }],
    'GET /api/conversations/{}/participants/': [READ],
    'POST /api/conversations/{}/participants/': [
        '401 404 403 201 201 201',
        { body: joiner, fresh: true },
    ],
    'PATCH /api/conversations/{}/participants/{}/': [
        '401 404 403 403 200 200',
        { ids: (w) => [w.id, w.moderator.id], body: () => ({ role: 'member' }), fresh: true },
    ],
    'DELETE /api/conversations/{}/participants/{}/': [
        '401 404 403 204 204 204',
        { ids: (w) => [w.id, w.extra.id], fresh: true },
    ],
    'POST /api/conversations/{}/add_participant/': [
        '401 404 403 200 200 200',
        { body: joiner, fresh: true },
    ],
    'POST /api/conversations/{}/remove_participant/': [
        '401 404 403 200 200 200',
        { body: extra, fresh: true },
    ],
    'PATCH /api/conversations/{}/me/': [MINE, { body: () => ({ pinned: true }) }],
    'POST /api/conversations/{}/read/': [MINE],
    'POST /api/conversations/{}/close/': [MANAGE, { fresh: true }],
    'POST /api/conversations/{}/reopen/': [MANAGE, { fresh: true }],

    'GET /api/conversations/{}/messages/': [READ_NESTED],
    'POST /api/conversations/{}/messages/': [SEND, send],
    'GET /api/conversations/{}/messages/{}/': [READ_NESTED],
    'PUT /api/conversations/{}/messages/{}/': [EDIT_NESTED, send],
    'PATCH /api/conversations/{}/messages/{}/': [EDIT_NESTED, send],
    'DELETE /api/conversations/{}/messages/{}/': ['401 403 204 204 204 204', { fresh: true }],
    'POST /api/conversations/{}/messages/{}/pin/': ['401 403 403 200 200 200'],
    'POST /api/conversations/{}/messages/{}/unpin/': ['401 403 403 200 200 200'],

    'GET /api/messages/': signedIn('200'),
    'POST /api/messages/': [SEND, sendFlat],
    'GET /api/messages/{}/': [READ],
    'PUT /api/messages/{}/': [EDIT_FLAT, send],
    'PATCH /api/messages/{}/': [EDIT_FLAT, send],
    'DELETE /api/messages/{}/': ['401 404 204 204 204 204', { fresh: true }],
    'GET /api/messages/{}/history/': [READ],
    'GET /api/messages/{}/replies/': [READ],
    'POST /api/messages/{}/pin/': [MANAGE],
    'POST /api/messages/{}/unpin/': [MANAGE],
    'GET /api/messages/unread/': signedIn('200'),
    'POST /api/messages/mark-all-read/': signedIn('200'),
    'POST /api/messages/{}/mark_as_read/': [MINE],
    'GET /api/messages/my_messages/': signedIn('200'),
    'GET /api/messages/by_user/': signedIn('200', { query: (w) => ({ user_id: w.member.id }) }),
    'GET /api/messages/by_conversation/': [
        '401 200 200 200 200 200', // a stranger's is empty
        { query: (w) => ({ conversation_id: w.id }) },
    ],
    'GET /api/messages/search/': signedIn('200', search),

    'GET /api/notifications/': signedIn('200'),
    'GET /api/notifications/unread_count/': signedIn('200'),
    'POST /api/notifications/mark-all-read/': signedIn('200'),
    'PATCH /api/notifications/mark-all-read/': signedIn('200'),
    'GET /api/notifications/{}/': [NOTIFIED],
    'PATCH /api/notifications/{}/': [NOTIFIED],
    'POST /api/notifications/{}/read/': [NOTIFIED],
    'PATCH /api/notifications/{}/read/': [NOTIFIED],

    'GET /api/ws/': signedIn('426'), // without a WebSocket's headers
    'GET /api/events/': signedIn('200'),
    'GET /api/sync/': signedIn('200'),
    'POST /api/ws/ticket/': signedIn('201'),
    'POST /api/conversations/{}/typing/': ['401 404 204 204 204 403'],
    'GET /api/users/{}/presence/': signedIn('200'),

    'GET /api/admin/stats/': admin('200'),
    'GET /api/admin/users/': admin('200'),
    'POST /api/admin/users/': admin('201', { body: newcomer }),
    'POST /api/admin/users/bulk/': admin('200', bulk('activate', (w) => w.member.id)),
    'GET /api/admin/users/{}/': admin('200'),
    'PATCH /api/admin/users/{}/': admin('200', self),
    'DELETE /api/admin/users/{}/': admin('204', { fresh: true }),
    'POST /api/admin/users/{}/password/': admin('200', {
        fresh: true,
        body: () => ({ password: PASSWORD }),
    }),
    'GET /api/admin/users/{}/sessions/': admin('200'),
    'DELETE /api/admin/users/{}/sessions/': admin('204', { fresh: true }),
    'DELETE /api/admin/users/{}/sessions/{}/': admin('204', {
        ids: async (w) => [w.member.id, sidOf(await device(w))],
    }),
    'GET /api/admin/conversations/': admin('200'),
    'POST /api/admin/conversations/bulk/': admin('200', bulk('reopen', (w) => w.id)),
    'GET /api/admin/conversations/{}/': admin('200', { ids: (w) => [w.id] }),
    'GET /api/admin/messages/': admin('200'),
    'POST /api/admin/messages/bulk/': admin('200', bulk('delete', () => NO_UUID)),
    'GET /api/admin/notifications/': admin('200', { query: (w) => ({ user: w.owner.id }) }),
    'GET /api/admin/sessions/': admin('200'),
    'DELETE /api/admin/sessions/{}/': admin('204', { ids: async (w) => [sidOf(await device(w))] }),
    'GET /api/admin/audit/': admin('200'),
    'GET /api/admin/jobs/': admin('200'),
    'POST /api/admin/jobs/{}/retry/': admin('404'), // there is none
    'GET /api/admin/settings/': admin('200'),
    'GET /api/admin/checks/': admin('200'),

    'GET /api/': signedIn('200'),
    'GET /api/schema/': open('200'),
    'GET /health/': open('200'),
    'GET /api/health/': open('200'),
    'GET /ready/': open('200'),
    'GET /metrics/': ['401/403 403 403 403 403 200'],
};

// Both ways to mark something as read, under each of its names.
const aliases = (path, others) =>
    Object.fromEntries(
        others.flatMap((other) =>
            ['POST', 'PATCH'].map((verb) => [`${verb} /api/${other}/`, `${verb} /api/${path}/`]),
        ),
    );

// The same handlers under other names.
export const SAME = {
    'POST /api/api-token-auth/': 'POST /api-token-auth/',
    'POST /api/login/': 'POST /api/token/',
    'POST /api/auth/login/': 'POST /api/token/',
    'POST /api/auth/token/': 'POST /api/token/',
    'POST /api/register/': 'POST /api/users/register/',
    'POST /api/auth/register/': 'POST /api/users/register/',
    'POST /api/auth/token/refresh/': 'POST /api/token/refresh/',
    'POST /api/auth/refresh/': 'POST /api/token/refresh/',
    'POST /api/auth/token/verify/': 'POST /api/token/verify/',
    'GET /api/auth/profile/': 'GET /api/users/me/',
    'PUT /api/auth/profile/': 'PUT /api/users/me/',
    'PATCH /api/auth/profile/': 'PATCH /api/users/me/',
    'GET /api/auth/user/': 'GET /api/users/me/',
    'PUT /api/auth/user/': 'PUT /api/users/me/',
    'PATCH /api/auth/user/': 'PATCH /api/users/me/',
    'GET /api/auth/profile/update/': 'GET /api/users/me/',
    'PUT /api/auth/profile/update/': 'PUT /api/users/me/',
    'PATCH /api/auth/profile/update/': 'PATCH /api/users/me/',
    'POST /api/conversations/{}/add_message/': 'POST /api/conversations/{}/messages/',
    'POST /api/conversations/{}/send_message/': 'POST /api/conversations/{}/messages/',
    'POST /api/conversations/{}/send-message/': 'POST /api/conversations/{}/messages/',
    'POST /api/conversations/{}/send/': 'POST /api/conversations/{}/messages/',
    'GET /api/notifications/unread/': 'GET /api/notifications/',
    'GET /api/notifications/unread-count/': 'GET /api/notifications/unread_count/',
    'GET /api/notifications/count/': 'GET /api/notifications/unread_count/',
    ...aliases('notifications/mark-all-read', [
        'notifications/mark_all_read',
        'notifications/mark-all-as-read',
        'notifications/mark_all_as_read',
        'notifications/read-all',
    ]),
    ...aliases('notifications/{}/read', [
        'notifications/{}/mark_as_read',
        'notifications/{}/mark-as-read',
        'notifications/{}/mark_read',
        'notifications/{}/mark-read',
    ]),
};

export function defaultIds(w, path) {
    if (/^\/api\/conversations\/\{\}\/messages\/\{\}/.test(path)) return [w.id, w.message.id];
    if (/^\/api\/conversations\/\{\}\/participants\/\{\}/.test(path)) return [w.id, w.member.id];
    if (/^\/api\/conversations\/\{\}/.test(path)) return [w.id];
    if (/^\/api\/(messages|notifications)\/\{\}/.test(path)) return [w.message.id];
    if (/^\/api\/(admin\/)?users\/\{\}/.test(path)) return [w.member.id, NO_UUID];
    return [NO_UUID, NO_UUID];
}

export async function addPeople(w, server, admin) {
    w.server = server;
    w.admin = admin;
    w.extra = await register(server);
    w.joiner = await register(server);
    return w;
}
