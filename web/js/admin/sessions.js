// Everybody's devices and Tokens.

import { h } from '../dom.js';
import { ask } from './api.js';
import { badge, moment, person, text } from './cells.js';
import { makeQuestion } from './dialogs.js';
import { listPage } from './list.js';

const KINDS = [
    ['browser', 'Browser'],
    ['jwt', 'App (JWT)'],
    ['token', 'Token'],
];

const kindOf = (session) => Object.fromEntries(KINDS)[session.kind] ?? session.kind;

const device = (session) => [
    session.user_agent
        ? text(session.user_agent, 120)
        : h('span', { class: 'quiet' }, 'unknown device'),
    session.current && [' ', badge('this one', 'good')],
];

export const sessionColumns = [
    { label: 'Device', head: true, cell: device },
    { label: 'User', cell: (session) => person(session.user) },
    { label: 'Kind', cell: (session) => badge(kindOf(session)) },
    { label: 'Address', cell: (session) => text(session.address, 60) },
    { label: 'Created', cell: (session) => moment(session.created_at) },
    { label: 'Last used', cell: (session) => moment(session.last_used) },
    { label: 'Ends', cell: (session) => moment(session.expires_at) },
];

const filters = [
    { name: 'user', label: 'User', kind: 'text', placeholder: 'Username, e-mail or id' },
    { name: 'kind', label: 'Kind', kind: 'choice', choices: KINDS },
];

const end = (id) => ask('DELETE', `sessions/${id}/`);

// The buttons of a session's row.
export function endingOf(session, reload) {
    const start = async () => {
        const done = await makeQuestion({
            title: 'End this session',
            text: session.current
                ? 'This is the session that you are working in: you will have to sign in again.'
                : `This device of ${session.user.username ?? 'the user'} is signed out at once.`,
            yes: 'End session',
            danger: true,
            act: () => end(session.id),
        });
        if (done) reload();
    };
    return h('button', { type: 'button', class: 'small', onclick: start }, 'End');
}

const list = {
    path: 'sessions/',
    noun: ['session', 'sessions'],
    columns: sessionColumns,
    filters,
    acts: endingOf,
    actions: [
        {
            label: 'End sessions',
            danger: true,
            ask: (many) => `${many} will be signed out at once.`,
            each: end,
        },
    ],
    nameOf: (session) =>
        `${session.user.username ?? 'erased user'}: ${session.user_agent || kindOf(session)}`,
};

export const sessions = (page) =>
    listPage(page, list, 'Devices that are signed in, browsers and Tokens, newest first.');
