// The list of users, and making one.

import { h } from '../dom.js';
import { PLAIN_TEXT, field } from '../ui.js';
import { ask } from './api.js';
import { isActive, moment, personWithFace, role, text } from './cells.js';
import { choice, openForm } from './dialogs.js';
import { listPage } from './list.js';
import { go } from './route.js';

export const ROLES = [
    ['guest', 'Guest'],
    ['host', 'Host'],
    ['admin', 'Admin'],
];

const ACTIVITY = [
    ['true', 'Active'],
    ['false', 'Inactive'],
];

const columns = [
    { label: 'User', sort: 'username', head: true, cell: personWithFace },
    { label: 'E-mail', sort: 'email', look: 'mail', cell: (user) => text(user.email, 80) },
    { label: 'Role', cell: (user) => role(user.role) },
    { label: 'State', cell: (user) => isActive(user.is_active) },
    {
        label: 'Last seen',
        sort: 'last_seen',
        first: 'desc',
        cell: (user) => moment(user.last_seen),
    },
    {
        label: 'Created',
        sort: 'created_at',
        first: 'desc',
        cell: (user) => moment(user.created_at),
    },
];

const filters = [
    { name: 'search', label: 'Search', kind: 'search', placeholder: 'Names, e-mail address' },
    { name: 'role', label: 'Role', kind: 'choice', choices: ROLES },
    { name: 'is_active', label: 'State', kind: 'choice', choices: ACTIVITY },
    { name: 'username', label: 'Username contains', kind: 'text', more: true },
    { name: 'created_after', label: 'Created from', kind: 'day', more: true },
    { name: 'created_before', label: 'Created until', kind: 'day', more: true },
    { name: 'last_seen_after', label: 'Last seen from', kind: 'day', more: true },
    { name: 'last_seen_before', label: 'Last seen until', kind: 'day', more: true },
];

const actions = [
    {
        label: 'Activate',
        ask: (users) => `${users} will be able to log in again.`,
        body: () => ({ action: 'activate' }),
    },
    {
        label: 'Deactivate',
        ask: (users) =>
            `${users} will be signed out at once and cannot log in until activated again. What they wrote stays.`,
        body: () => ({ action: 'deactivate' }),
    },
    {
        label: 'Set role',
        ask: (users) =>
            `The role of ${users} becomes the one that you choose here. A host who becomes guest is moderator nowhere any more.`,
        fields: () => [choice('Role', { name: 'role', value: 'guest', choices: ROLES })],
        body: ({ role: wanted }) => ({ action: 'set_role', role: wanted }),
    },
    {
        label: 'End sessions',
        ask: (users) => `All devices and Tokens of ${users} are signed out at once.`,
        body: () => ({ action: 'end_sessions' }),
    },
    {
        label: 'Erase',
        danger: true,
        word: 'erase',
        ask: (users) =>
            `${users} will be erased, for ever: the accounts, sessions and names are gone, and all of their messages become tombstones.`,
        body: () => ({ action: 'erase' }),
    },
];

function create() {
    const fields = [
        field('E-mail', { name: 'email', type: 'email', required: true, ...PLAIN_TEXT }),
        field('Username', {
            name: 'username',
            hint: 'Without one it is made of the e-mail address.',
            ...PLAIN_TEXT,
        }),
        field('First name', { name: 'first_name', autocomplete: 'off' }),
        field('Last name', { name: 'last_name', autocomplete: 'off' }),
        field('Phone number', { name: 'phone_number', type: 'tel', autocomplete: 'off' }),
        choice('Role', { name: 'role', value: 'guest', choices: ROLES }),
        field('Password', {
            name: 'password',
            type: 'password',
            autocomplete: 'new-password',
            hint: 'Without one nobody can log in until it is set.',
        }),
    ];
    return openForm({
        title: 'New user',
        fields,
        yes: 'Create',
        act: async (json) => {
            const user = await ask('POST', 'users/', { json });
            go(`/users/${user.id}`);
        },
    });
}

export function users(page) {
    page.actions(h('button', { type: 'button', class: 'primary', onclick: create }, 'New user'));
    return listPage(page, {
        path: 'users/',
        noun: ['user', 'users'],
        columns,
        filters,
        actions,
        nameOf: (user) => user.username,
        ordering: '-created_at',
        exports: true,
    });
}
