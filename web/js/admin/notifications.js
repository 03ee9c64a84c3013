// What one user has not read. There is no list of everybody's: it follows from read positions.

import { h, numberOf } from '../dom.js';
import { count } from './bulk.js';
import { link, moment, person, text } from './cells.js';
import { makeFilters } from './filters.js';
import { makeList } from './list.js';
import { empty } from './states.js';

const columns = [
    {
        label: 'Message',
        head: true,
        look: 'long',
        cell: ({ message }) => text(message.message_body, 300),
    },
    { label: 'From', cell: ({ message }) => person(message.sender) },
    {
        label: 'Conversation',
        cell: ({ conversation }) =>
            link(`/conversations/${conversation.id}`, conversation.title || 'Untitled'),
    },
    { label: 'Sent', cell: (notification) => moment(notification.created_at) },
];

const filters = [
    {
        name: 'user',
        label: 'User',
        kind: 'text',
        placeholder: 'Username, e-mail or id',
        isSubject: true,
    },
    { name: 'conversation', label: 'Conversation', kind: 'text', placeholder: 'Id' },
];

// Until somebody is named there is nothing to ask for.
function withoutUser(page) {
    const form = makeFilters(filters.slice(0, 1), 'Whose notifications', page.change);
    page.body.append(
        form.node,
        empty('people', 'Whose?', 'Name a user to see what he has not read.'),
    );
    return form;
}

export function notifications(page) {
    const sum = h('p', { class: 'quiet' });
    const list = makeList(
        {
            path: 'notifications/',
            noun: ['notification', 'notifications'],
            columns,
            filters,
            nameOf: ({ id }) => id,
            empty: [
                'All read',
                'This user has read everything in conversations that he has not muted.',
            ],
            onanswer: ({ unread_count: unread, unread_conversations: talks }) =>
                (sum.textContent = `${numberOf(unread)} unread in ${count(talks, ['conversation', 'conversations'])}.`),
        },
        page.change,
    );
    let without = null;
    function show(query) {
        without?.close();
        page.body.replaceChildren();
        if (!query.user) {
            without = withoutUser(page);
            return;
        }
        without = null;
        page.body.append(sum, list.node);
        list.show(query);
    }
    show(page.query);
    return {
        show,
        close() {
            without?.close();
            list.close();
        },
    };
}
