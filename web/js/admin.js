// The admin site: who it is for, its navigation, and which page is shown. Nothing is kept in the browser
// but the address, so windows do not know of each other.

import { h, icon, replace } from './dom.js';
import { me, signOut } from './session.js';
import { toast } from './ui.js';
import { whenRefused } from './admin/api.js';
import { audit } from './admin/audit.js';
import { conversationPage, conversations } from './admin/conversations.js';
import { dashboard } from './admin/dashboard.js';
import { jobs } from './admin/jobs.js';
import { messages } from './admin/messages.js';
import { notifications } from './admin/notifications.js';
import { addressOf, changed, parse } from './admin/route.js';
import { sessions } from './admin/sessions.js';
import { empty } from './admin/states.js';
import { checks, settings } from './admin/system.js';
import { userPage } from './admin/user.js';
import { users } from './admin/users.js';

// Each page is called with {body, query, id, me, change, title, actions}, and may return
// {show(query), close()}.
const ROUTES = {
    '': { title: 'Dashboard', list: dashboard },
    users: { title: 'Users', list: users, one: userPage },
    conversations: { title: 'Conversations', list: conversations, one: conversationPage },
    messages: { title: 'Messages', list: messages },
    notifications: { title: 'Notifications', list: notifications },
    sessions: { title: 'Sessions', list: sessions },
    audit: { title: 'Audit log', list: audit },
    jobs: { title: 'Background work', list: jobs },
    settings: { title: 'Settings', list: settings },
    checks: { title: 'Security checks', list: checks },
};

const main = document.querySelector('#main');
const side = document.querySelector('#side');
const menu = document.querySelector('#menu');
const account = document.querySelector('#account');
let user = null;
let current = null; // {path, show, close}

// ---- who it is ---------------------------------------------------------------------------------

const signInAddress = () =>
    `/api-auth/login/?next=${encodeURIComponent(`/admin/${location.hash}`)}`;

function leavePage() {
    current?.close?.();
    current = null;
}

function card(heading, ...content) {
    leavePage();
    side.hidden = menu.hidden = true;
    document.title = `${heading} - Confab admin`;
    replace(
        main,
        h('section', { class: 'card narrow gate' }, h('h1', { tabindex: '-1' }, heading), content),
    );
}

function askToSignIn() {
    replace(account, h('a', { href: signInAddress() }, 'Sign in'));
    card(
        'Admin',
        h('p', null, 'The admin site is for admins. You are not signed in.'),
        h('a', { class: 'button primary', href: signInAddress() }, 'Sign in'),
    );
}

async function leave() {
    try {
        await signOut();
    } catch (error) {
        toast(error.message, { bad: true });
        return;
    }
    location.reload();
}

function refuse() {
    card(
        'This is for admins',
        h(
            'p',
            { dir: 'auto' },
            'You are signed in as ',
            h('b', null, h('bdi', null, user.username)),
            `, whose role is ${user.role}. Admins alone can come in here.`,
        ),
        h(
            'div',
            { class: 'row' },
            h('button', { type: 'button', class: 'primary', onclick: leave }, 'Sign out'),
            h('a', { class: 'button', href: '/' }, 'To the chat'),
        ),
    );
}

function showAccount() {
    const out = h(
        'button',
        { type: 'button', class: 'plain small', onclick: leave },
        icon('out'),
        h('span', { class: 'visually-hidden' }, 'Sign out'),
    );
    out.title = 'Sign out';
    const name = h(
        'a',
        { class: 'me cut', dir: 'auto', href: user.role === 'admin' ? `#/users/${user.id}` : '/' },
        user.username,
    );
    replace(account, name, out);
}

// ---- navigation --------------------------------------------------------------------------------

function openMenu(open) {
    side.classList.toggle('open', open);
    menu.setAttribute('aria-expanded', String(open));
}

function showNavigation(name) {
    const entries = Object.entries(ROUTES).map(([key, { title }]) => {
        const props = { href: `#/${key}`, 'aria-current': key === name ? 'page' : null };
        return h('li', null, h('a', props, title));
    });
    replace(side, h('ul', { class: 'bare-list' }, entries));
    side.hidden = menu.hidden = false;
}

// An address of its own would be taken for a page.
document.querySelector('.skip').addEventListener('click', (event) => {
    event.preventDefault();
    main.focus();
});
menu.addEventListener('click', () => openMenu(!side.classList.contains('open')));
document.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || !side.classList.contains('open')) return;
    openMenu(false);
    menu.focus();
});

// ---- pages -------------------------------------------------------------------------------------

function change(patch, { replace: instead = false } = {}) {
    const { path, query } = parse(location.hash);
    const address = addressOf(path, changed(query, patch));
    if (address === location.hash) return;
    if (!instead) {
        location.hash = address;
        return;
    }
    history.replaceState(null, '', address);
    showPage();
}

function notFound({ body }) {
    const link = h('a', { class: 'button', href: '#/' }, 'To the dashboard');
    body.append(empty('search', 'There is no such page', 'The address may be old.', link));
}

function mount(route, fresh) {
    const known = Object.hasOwn(ROUTES, route.name) ? ROUTES[route.name] : null;
    const build = (route.id ? known?.one : known?.list) ?? notFound;
    const heading = h('h1', { tabindex: '-1', dir: 'auto' });
    const acts = h('div', { class: 'row acts' });
    const body = h('div', { class: 'content' });
    const title = (text) => {
        heading.textContent = text;
        document.title = `${text} - Confab admin`;
    };
    leavePage();
    title(build === notFound ? 'Not found' : known.title);
    replace(main, h('div', { class: 'row spread page-head' }, heading, acts), body);
    current = { path: route.path };
    Object.assign(
        current,
        build({
            ...route,
            body,
            me: user,
            change,
            title,
            actions: (...nodes) => replace(acts, nodes),
        }),
    );
    if (!fresh) {
        heading.focus();
        window.scrollTo(0, 0);
    }
}

function showPage({ fresh = false } = {}) {
    const route = parse(location.hash);
    if (current?.path === route.path && current.show) {
        current.show(route.query);
        return;
    }
    openMenu(false);
    showNavigation(route.name);
    mount(route, fresh);
}

async function start() {
    try {
        user = await me();
    } catch (error) {
        card(
            'Admin',
            h('p', { class: 'problem', role: 'alert' }, error.message),
            h('button', { type: 'button', onclick: start }, 'Try again'),
        );
        return;
    }
    if (!user) {
        askToSignIn();
        return;
    }
    showAccount();
    if (user.role === 'admin') showPage({ fresh: true });
    else refuse();
}

window.addEventListener('hashchange', () => {
    if (user?.role === 'admin') showPage();
    else if (!user) askToSignIn();
});
// What is on the page stays until it is known who it is now.
let asking = false;
whenRefused(async () => {
    if (asking) return;
    asking = true;
    leavePage();
    await start();
    asking = false;
});
start();
