// Everybody's conversations, and one of them: who takes part, what is written, closing and deleting.

import { h, numberOf, replace, spinner } from '../dom.js';
import { field, toast } from '../ui.js';
import { ask, read } from './api.js';
import {
    badge,
    cut,
    facts,
    id,
    link,
    moment,
    none,
    number,
    person,
    role,
    titleOf,
} from './cells.js';
import { makeQuestion, openForm } from './dialogs.js';
import { embedList, listPage } from './list.js';
import { messageColumns, messageFilters, messageList } from './messages.js';
import { go } from './route.js';
import { missing } from './states.js';

const isOpen = (closed) => (closed ? badge('closed', 'warn') : badge('open', 'good'));

function people({ people: first, participant_count: all }) {
    const names = first.flatMap((one, i) => [i > 0 && ', ', person(one)]);
    return h(
        'span',
        { class: 'people' },
        names,
        all > first.length && ` and ${numberOf(all - first.length)} more`,
    );
}

const columns = [
    {
        label: 'Title',
        head: true,
        cell: (talk) => link(`/conversations/${talk.id}`, titleOf(talk)),
    },
    { label: 'Participants', cell: people },
    {
        label: 'State',
        cell: (talk) =>
            h('span', { class: 'row' }, isOpen(talk.closed), talk.direct && badge('direct')),
    },
    { label: 'Messages', number: true, cell: (talk) => number(talk.message_count) },
    { label: 'Active', sort: 'updated_at', first: 'desc', cell: (talk) => moment(talk.updated_at) },
    {
        label: 'Created',
        sort: 'created_at',
        first: 'desc',
        cell: (talk) => moment(talk.created_at),
    },
];

const filters = [
    { name: 'search', label: 'Search', kind: 'search', placeholder: 'Title, participants' },
    {
        name: 'participant',
        label: 'Participant',
        kind: 'text',
        placeholder: 'Username, e-mail or id',
    },
    {
        name: 'closed',
        label: 'State',
        kind: 'choice',
        choices: [
            ['false', 'Open'],
            ['true', 'Closed'],
        ],
    },
    { name: 'created_after', label: 'Created from', kind: 'day', more: true },
    { name: 'created_before', label: 'Created until', kind: 'day', more: true },
];

const gone = 'Nobody sees it any more, and all of its messages are erased, for ever.';

const actions = [
    {
        label: 'Close',
        ask: (many) => `Nobody can write in ${many} any more; everything can be read.`,
        body: () => ({ action: 'close' }),
    },
    {
        label: 'Reopen',
        ask: (many) => `${many} can be written in again.`,
        body: () => ({ action: 'reopen' }),
    },
    {
        label: 'Delete',
        danger: true,
        word: 'delete',
        ask: (many) =>
            `${many}, with all messages: nobody sees them any more, and they are erased, for ever.`,
        body: () => ({ action: 'delete' }),
    },
];

export function conversations(page) {
    return listPage(page, {
        path: 'conversations/',
        noun: ['conversation', 'conversations'],
        columns,
        filters,
        actions,
        nameOf: titleOf,
        ordering: '-updated_at',
        exports: true,
    });
}

// ---- one of them -------------------------------------------------------------------------------

const summary = (talk) =>
    facts([
        ['Id', id(talk.id)],
        ['State', [isOpen(talk.closed), talk.direct && [' ', badge('direct')]]],
        [
            'Created',
            [moment(talk.created_at), ' ', link(`/users/${talk.created_by}`, 'by this user')],
        ],
        ['Active', moment(talk.updated_at)],
        ['Closed', moment(talk.closed_at, 'no')],
        ['Participants', numberOf(talk.participant_count)],
        [
            'Messages',
            `${numberOf(talk.message_count)}, ${numberOf(talk.deleted_message_count)} deleted`,
        ],
        [
            'Metadata',
            h('code', { class: 'cut', dir: 'auto' }, cut(JSON.stringify(talk.metadata), 600)),
        ],
    ]);

// `removed`: then the numbers of the conversation are others.
function removal(talk, removed) {
    return (member, reload) => {
        const remove = async () => {
            const done = await makeQuestion({
                title: 'Remove from the conversation',
                text: `${member.username} will not see this conversation any more.`,
                yes: 'Remove',
                danger: true,
                act: async () => {
                    await ask(
                        'DELETE',
                        `/api/conversations/${talk.id}/participants/${member.id}/`,
                    );
                    await removed();
                },
            });
            if (done) reload();
        };
        return h('button', { type: 'button', class: 'small', onclick: remove }, 'Remove');
    };
}

const memberColumns = [
    { label: 'User', head: true, cell: person },
    {
        label: 'Role here',
        cell: (member) => badge(member.role, { owner: 'accent', moderator: 'good' }[member.role]),
    },
    { label: 'Account', cell: (member) => role(member.user_role) },
    { label: 'Joined', cell: (member) => moment(member.joined_at) },
    {
        label: 'Read up to',
        number: true,
        cell: (member) => (member.read_seq ? number(member.read_seq) : none('nothing')),
    },
];

const members = (talk, removed) =>
    embedList({
        path: `/api/conversations/${talk.id}/participants/`,
        noun: ['participant', 'participants'],
        columns: memberColumns,
        nameOf: (member) => member.username,
        acts: removal(talk, removed),
    });

const writings = (talk) =>
    embedList({
        ...messageList,
        fixed: { conversation: talk.id },
        columns: messageColumns.filter(({ label }) => label !== 'Conversation'),
        filters: messageFilters.filter(({ name }) => name !== 'conversation'),
    });

const rename = (talk, reload) =>
    openForm({
        title: 'Rename',
        fields: [
            field('Title', { name: 'title', value: talk.title, dir: 'auto', autocomplete: 'off' }),
        ],
        yes: 'Save',
        act: async (json) => {
            await ask('PATCH', `/api/conversations/${talk.id}/`, { json });
            await reload();
        },
    });

const setClosed = (talk, reload) =>
    makeQuestion({
        title: talk.closed ? 'Reopen' : 'Close',
        text: talk.closed
            ? 'It can be written in again.'
            : 'Nobody can write in it any more; everything can be read.',
        yes: talk.closed ? 'Reopen' : 'Close',
        act: async () => {
            await ask(
                'POST',
                `/api/conversations/${talk.id}/${talk.closed ? 'reopen' : 'close'}/`,
                { json: {} },
            );
            await reload();
        },
    });

const remove = (talk) =>
    makeQuestion({
        title: 'Delete this conversation',
        text: gone,
        yes: 'Delete',
        danger: true,
        word: 'delete',
        act: async () => {
            await ask('DELETE', `/api/conversations/${talk.id}/`);
            toast('The conversation is deleted.');
            go('/conversations');
        },
    });

export function conversationPage(page) {
    const stopped = new AbortController();
    const about = h('section', { class: 'card', 'aria-label': 'About' });
    const lists = [];
    const button = (label, act, look = '') =>
        h('button', { type: 'button', class: look, onclick: act }, label);

    let talk = null;
    const toggle = button('Close', () => setClosed(talk, reload));

    async function reload() {
        talk = await read(`conversations/${page.id}/`, {}, stopped.signal);
        page.title(cut(titleOf(talk), 120));
        toggle.textContent = talk.closed ? 'Reopen' : 'Close';
        replace(about, summary(talk));
    }

    async function begin() {
        try {
            await reload();
            page.actions(
                button('Rename', () => rename(talk, reload)),
                toggle,
                button('Delete', () => remove(talk), 'danger'),
            );
            lists.push(members(talk, reload), writings(talk));
            const [who, what] = lists.map((list) => list.node);
            replace(
                page.body,
                about,
                h('section', { class: 'card' }, h('h2', null, 'Participants'), who),
                h('section', { class: 'card' }, h('h2', null, 'Messages'), what),
            );
        } catch (error) {
            if (error.name === 'AbortError') return;
            const back = ['#/conversations', 'To the conversations'];
            replace(page.body, missing(error, 'conversation', back));
        }
    }

    page.title('Conversation');
    replace(page.body, spinner());
    begin();
    return {
        close() {
            stopped.abort();
            for (const list of lists) list.close();
        },
    };
}
