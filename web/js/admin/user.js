// One user: all that is known of him, changing it, his password, his devices, his end.

import { avatar, h, numberOf, replace, spinner } from '../dom.js';
import { PLAIN_TEXT, field, problemLine, showProblems, toast } from '../ui.js';
import { ask, read } from './api.js';
import { badge, facts, id, isActive, moment, role } from './cells.js';
import { choice, makeQuestion, openForm } from './dialogs.js';
import { embedList } from './list.js';
import { addressOf, go } from './route.js';
import { missing } from './states.js';
import { endingOf, sessionColumns } from './sessions.js';
import { ROLES } from './users.js';

const TEXTS = ['username', 'email', 'first_name', 'last_name', 'phone_number'];

function fieldsOf(user) {
    const plain = { ...PLAIN_TEXT, dir: 'auto' };
    const texts = [
        field('Username', { name: 'username', value: user.username, ...plain }),
        field('E-mail', { name: 'email', type: 'email', value: user.email ?? '', ...plain }),
        field('First name', { name: 'first_name', value: user.first_name, ...plain }),
        field('Last name', { name: 'last_name', value: user.last_name, ...plain }),
        field('Phone number', { name: 'phone_number', value: user.phone_number ?? '', ...plain }),
        choice('Role', { name: 'role', value: user.role, choices: ROLES }),
    ];
    const active = h('input', { type: 'checkbox', name: 'is_active', id: 'is-active' });
    active.checked = user.is_active;
    const metadata = h('textarea', {
        name: 'metadata',
        id: 'metadata',
        rows: '4',
        class: 'mono',
        spellcheck: 'false',
    });
    metadata.value = JSON.stringify(user.metadata ?? {}, null, 2);
    return [
        h(
            'div',
            { class: 'fields' },
            texts.map(({ node }) => node),
        ),
        h('label', { class: 'check field', for: 'is-active' }, active, 'Active: can log in'),
        h(
            'div',
            { class: 'field' },
            h('label', { for: 'metadata' }, 'Metadata of the application (JSON)'),
            metadata,
        ),
    ];
}

// What the form says, where it is not what is there already.
function changesOf(form, user) {
    const of = form.elements;
    const json = {};
    for (const name of TEXTS) {
        if (of[name].value !== (user[name] ?? '')) json[name] = of[name].value;
    }
    if (of.role.value !== user.role) json.role = of.role.value;
    if (of.is_active.checked !== user.is_active) json.is_active = of.is_active.checked;
    const metadata = JSON.parse(of.metadata.value || '{}');
    if (JSON.stringify(metadata) !== JSON.stringify(user.metadata ?? {})) json.metadata = metadata;
    return json;
}

const badJson = (error) => ({
    message: '',
    fields: { metadata: [`This is no JSON: ${error.message}`] },
});

function accountForm(user, saved) {
    const problem = problemLine();
    const save = h('button', { type: 'submit', class: 'primary' }, 'Save');
    const form = h(
        'form',
        { novalidate: true, 'aria-label': 'Account' },
        problem,
        fieldsOf(user),
        h('div', { class: 'actions' }, save),
    );
    form.addEventListener('submit', async (event) => {
        event.preventDefault();
        save.disabled = true;
        try {
            const json = changesOf(form, user);
            if (Object.keys(json).length > 0) {
                saved(await ask('PATCH', `users/${user.id}/`, { json }));
                toast('Saved.');
            } else toast('There is nothing to save.');
        } catch (error) {
            showProblems(form, problem, error instanceof SyntaxError ? badJson(error) : error);
        }
        save.disabled = false;
    });
    return form;
}

const secret = (label, name, autocomplete) =>
    field(label, { name, type: 'password', autocomplete });

function changeOwnPassword() {
    return openForm({
        title: 'Change your password',
        text: 'All of your other devices and Tokens are signed out.',
        fields: [
            secret('Old password', 'old_password', 'current-password'),
            secret('New password', 'new_password', 'new-password'),
        ],
        yes: 'Change password',
        act: async (json) => {
            toast((await ask('POST', '/api/users/me/password/', { json })).detail);
        },
    });
}

function setPassword(user) {
    const password = secret('New password', 'password', 'new-password');
    return openForm({
        title: 'Reset password',
        text: `The password of ${user.username} is set, and all of his devices and Tokens are signed out.`,
        fields: [password],
        yes: 'Set password',
        act: async (json) => {
            toast((await ask('POST', `users/${user.id}/password/`, { json })).detail);
        },
    });
}

function erase(user) {
    return makeQuestion({
        title: 'Erase this user',
        text: 'For ever: the account, its sessions and its name are gone, all of its messages become tombstones, and its conversations pass to the oldest moderator or member.',
        yes: 'Erase',
        danger: true,
        word: user.username,
        act: async () => {
            await ask('DELETE', `users/${user.id}/`);
            toast('The user is erased.');
            go('/users');
        },
    });
}

function endSessions(user) {
    return makeQuestion({
        title: 'End all sessions',
        text: `All devices and Tokens of ${user.username} are signed out at once.`,
        yes: 'End all',
        danger: true,
        act: () => ask('DELETE', `users/${user.id}/sessions/`),
    });
}

const elsewhere = (user) => [
    ['Conversations', '/conversations', { participant: user.id }],
    ['Messages', '/messages', { sender: user.id }],
    ['Notifications', '/notifications', { user: user.id }],
    ['What was done to this account', '/audit', { object: user.id }],
    ['What this account did', '/audit', { actor: user.id }],
];

const summary = (user) =>
    facts([
        ['Id', id(user.id)],
        ['Role', role(user.role)],
        [
            'State',
            [
                isActive(user.is_active),
                !user.can_log_in && user.is_active && [' ', badge('no password', 'warn')],
            ],
        ],
        ['Created', moment(user.created_at)],
        ['Last seen', moment(user.last_seen)],
        ['Sessions', numberOf(user.session_count)],
        [
            'Conversations',
            `${numberOf(user.conversation_count)}${user.conversation_count_capped ? ' or more' : ''}`,
        ],
        [
            'More',
            h(
                'ul',
                { class: 'bare-list' },
                elsewhere(user).map(([label, path, query]) =>
                    h('li', null, h('a', { href: addressOf(path, query) }, label)),
                ),
            ),
        ],
    ]);

export function userPage(page) {
    const stopped = new AbortController();
    const about = h('section', { class: 'card', 'aria-label': 'About' });
    const account = h('section', { class: 'card' }, h('h2', null, 'Account'));
    const button = (label, act, look = '') =>
        h('button', { type: 'button', class: look, onclick: act }, label);
    let user = null;
    let list = null;

    const reload = async () => show(await read(`users/${page.id}/`, {}, stopped.signal));
    async function endAll() {
        if (!(await endSessions(user))) return;
        list.reload();
        reload();
    }

    // The form is made anew; who saved by keyboard goes on from there.
    function saved(known) {
        show(known);
        account.querySelector('[type="submit"]').focus();
    }

    function show(known) {
        user = known;
        page.title(user.username);
        replace(
            about,
            h(
                'div',
                { class: 'row face' },
                avatar(user.id, user.full_name || user.username),
                h('b', { class: 'cut', dir: 'auto' }, user.full_name || user.username),
            ),
            summary(user),
        );
        replace(account, h('h2', null, 'Account'), accountForm(user, saved));
    }

    function sessionList() {
        list = embedList({
            path: `users/${page.id}/sessions/`,
            noun: ['session', 'sessions'],
            columns: sessionColumns.filter(({ label }) => label !== 'User'),
            nameOf: (session) => session.user_agent,
            acts: endingOf,
            empty: ['Signed in nowhere', 'There are no devices and no Tokens.'],
        });
        return h(
            'section',
            { class: 'card' },
            h(
                'div',
                { class: 'row spread' },
                h('h2', null, 'Devices and Tokens'),
                button('End all sessions', endAll, 'small danger'),
            ),
            list.node,
        );
    }

    async function begin() {
        try {
            await reload();
        } catch (error) {
            if (error.name === 'AbortError') return;
            page.title('User');
            replace(page.body, missing(error, 'user', ['#/users', 'To the users']));
            return;
        }
        page.actions(
            user.id === page.me.id
                ? button('Change password', changeOwnPassword)
                : button('Reset password', () => setPassword(user)),
            button('Erase', () => erase(user), 'danger'),
        );
        replace(page.body, h('div', { class: 'two' }, about, account), sessionList());
    }

    page.title('User');
    replace(page.body, spinner());
    begin();
    return {
        close() {
            stopped.abort();
            list?.close();
        },
    };
}
