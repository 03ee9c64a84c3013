// Everybody's messages, and one of them with its history.

import { h, numberOf, replace } from '../dom.js';
import { openDialog, toast } from '../ui.js';
import { ask, read } from './api.js';
import { badge, cut, facts, id, link, moment, person, text } from './cells.js';
import { makeQuestion } from './dialogs.js';
import { listPage } from './list.js';

function states(message) {
    const known = [
        message.edited && badge('edited'),
        message.pinned && badge('pinned', 'good'),
        message.deleted && badge('deleted', 'bad'),
    ].filter(Boolean);
    return known.length > 0 ? h('span', { class: 'row' }, known) : null;
}

const whole = (body) =>
    h(
        'div',
        { class: 'whole', dir: 'auto', tabindex: '0', role: 'group', 'aria-label': 'Text' },
        body,
    );

const bodyOf = (message) =>
    message.deleted ? h('span', { class: 'quiet' }, 'deleted') : text(message.message_body, 300);

const version = (earlier) =>
    h(
        'li',
        null,
        h(
            'p',
            { class: 'quiet small' },
            `${numberOf(earlier.n)}. `,
            moment(earlier.written_at),
            ' by ',
            person(earlier.editor),
        ),
        whole(earlier.message_body),
    );

async function showHistory(message, box) {
    try {
        const { results } = await read(`/api/messages/${message.id}/history/`, { page_size: 100 });
        const list = h('ol', { class: 'bare-list versions' }, results.map(version));
        replace(
            box,
            results.length > 0
                ? [h('h3', null, 'Earlier'), list]
                : h('p', { class: 'quiet' }, 'It was never edited.'),
        );
    } catch (error) {
        replace(box, h('p', { class: 'problem', role: 'alert' }, error.message));
    }
}

async function remove(message, reload) {
    const done = await makeQuestion({
        title: 'Delete this message',
        text: `"${cut(message.message_body, 120)}" is wiped with its history; a tombstone stays.`,
        yes: 'Delete',
        danger: true,
        act: () => ask('DELETE', `/api/messages/${message.id}/`),
    });
    if (!done) return;
    toast('The message is deleted.');
    reload();
}

function openMessage(message, reload) {
    const history = h('div', { class: 'history', 'aria-live': 'polite' });
    const close = h('button', { type: 'button' }, 'Close');
    const danger = !message.deleted && h('button', { type: 'button', class: 'danger' }, 'Delete');
    const open = openDialog({
        title: 'Message',
        body: [
            message.deleted
                ? h('p', { class: 'notice' }, 'This message was deleted; its text is gone.')
                : whole(message.message_body),
            facts([
                ['From', person(message.sender)],
                ['Sent', moment(message.sent_at)],
                ['Edited', moment(message.edited_at, 'no')],
                ['Number', numberOf(message.seq)],
                [
                    'Conversation',
                    link(`/conversations/${message.conversation}`, message.conversation),
                ],
                ['Id', id(message.id)],
            ]),
            history,
        ],
        footer: [close, danger],
    });
    if (!message.deleted) showHistory(message, history);
    close.addEventListener('click', () => open.close());
    open.dialog.addEventListener('click', (event) => event.target.closest('a') && open.close());
    if (danger) {
        danger.addEventListener('click', () => {
            open.close();
            remove(message, reload);
        });
    }
}

export const messageColumns = [
    { label: 'Message', head: true, look: 'long', cell: bodyOf },
    { label: 'From', cell: (message) => person(message.sender) },
    {
        label: 'Conversation',
        cell: (message) =>
            link(`/conversations/${message.conversation}`, message.conversation.slice(0, 8)),
    },
    { label: 'State', cell: states },
    { label: 'Sent', sort: 'sent_at', first: 'desc', cell: (message) => moment(message.sent_at) },
];

export const messageFilters = [
    { name: 'search', label: 'Search', kind: 'search', placeholder: 'Words in the text' },
    { name: 'sender', label: 'Sender', kind: 'text', placeholder: 'Username, e-mail or id' },
    { name: 'conversation', label: 'Conversation', kind: 'text', placeholder: 'Id', more: true },
    { name: 'sent_after', label: 'Sent from', kind: 'day', more: true },
    { name: 'sent_before', label: 'Sent until', kind: 'day', more: true },
    {
        name: 'deleted',
        label: 'Deleted ones',
        kind: 'choice',
        choices: [['true', 'Show too']],
        more: true,
    },
];

// All of a list of messages but where it is.
export const messageList = {
    path: 'messages/',
    noun: ['message', 'messages'],
    columns: messageColumns,
    filters: messageFilters,
    ordering: '-sent_at',
    exports: true,
    nameOf: (message) => (message.deleted ? 'deleted message' : message.message_body),
    acts: (message, reload) =>
        h(
            'button',
            { type: 'button', class: 'small', onclick: () => openMessage(message, reload) },
            'Show',
        ),
    actions: [
        {
            label: 'Delete',
            danger: true,
            ask: (many) =>
                `${many} will be wiped with their history; tombstones stay. Nobody can bring them back.`,
            body: () => ({ action: 'delete' }),
        },
    ],
};

export const messages = (page) => listPage(page, messageList);
