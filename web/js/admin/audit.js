// Who used power over others, on whom, when.

import { h } from '../dom.js';
import { cut, link, moment, none, person } from './cells.js';
import { listPage } from './list.js';

const ACTIONS = {
    'user.create': 'Made an account',
    'user.update': 'Changed an account',
    'user.delete': 'Erased an account',
    'user.password': 'Set a password',
    'user.end_sessions': 'Ended all sessions',
    'user.read': 'Looked at an account',
    'user.list_all': 'Looked at all accounts',
    'session.list': "Looked at a user's sessions",
    'session.list_all': 'Looked at all sessions',
    'session.end': 'Ended a session',
    'conversation.list_all': 'Looked at all conversations',
    'conversation.read': 'Read a conversation',
    'conversation.change': 'Changed a conversation',
    'conversation.close': 'Closed a conversation',
    'conversation.reopen': 'Reopened a conversation',
    'conversation.delete': 'Deleted a conversation',
    'participant.add': 'Added a participant',
    'participant.remove': 'Removed a participant',
    'participant.role': "Changed a participant's role",
    'message.list_all': 'Looked at messages',
    'message.delete': 'Deleted a message',
    'message.pin': 'Pinned a message',
    'message.unpin': 'Unpinned a message',
    'notification.list': "Looked at a user's notifications",
    'job.retry': 'Retried background work',
};

// The page that an object has, by the first word of the action.
const PAGES = {
    user: 'users',
    session: 'users',
    notification: 'users',
    conversation: 'conversations',
};
PAGES.participant = PAGES.message = PAGES.conversation;

const what = ({ action }) => [
    h('span', null, ACTIONS[action] ?? action),
    h('div', { class: 'mono small quiet' }, action),
];

function onWhat({ action, object_id: object }) {
    if (!object) return none();
    const page = PAGES[action.split('.')[0]];
    return page ? link(`/${page}/${object}`, object) : h('span', { class: 'mono id' }, object);
}

function detail({ detail: known }) {
    if (Object.keys(known).length === 0) return none();
    return h('code', { class: 'cut', dir: 'auto' }, cut(JSON.stringify(known), 400));
}

const columns = [
    { label: 'When', cell: ({ at }) => moment(at) },
    { label: 'Who', cell: ({ actor }) => person(actor) },
    { label: 'What', head: true, cell: what },
    { label: 'On', cell: onWhat },
    { label: 'Details', cell: detail },
];

const filters = [
    { name: 'actor', label: 'Who', kind: 'text', placeholder: 'Username, e-mail or id' },
    {
        name: 'action',
        label: 'What',
        kind: 'text',
        placeholder: 'user.update',
        known: Object.keys(ACTIONS),
    },
    { name: 'object', label: 'On', kind: 'text', placeholder: 'Id', more: true },
    { name: 'after', label: 'From', kind: 'day', more: true },
    { name: 'before', label: 'Until', kind: 'day', more: true },
];

export function audit(page) {
    return listPage(page, {
        path: 'audit/',
        noun: ['entry', 'entries'],
        caption: 'The audit log, newest first',
        columns,
        filters,
        nameOf: ({ id }) => id,
        exports: true,
    });
}
