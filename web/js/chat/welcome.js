// The first screen: how to begin, and the forms to sign up and in.

import { h, replace } from '../dom.js';
import { signIn, signUp } from '../session.js';
import { copyButton, field, problemLine, showProblems } from '../ui.js';

const account = () => [
    field('Username', {
        name: 'username',
        autocomplete: 'username',
        autocapitalize: 'none',
        spellcheck: 'false',
        required: true,
        maxlength: 150,
        hint: 'By this name others find you.',
    }),
    field('E-mail', { name: 'email', type: 'email', autocomplete: 'email', required: true }),
    field('Password', {
        name: 'password',
        type: 'password',
        autocomplete: 'new-password',
        required: true,
        hint: 'At least 8 characters, and not one that many use.',
    }),
];

const login = () => [
    field('Username or e-mail', {
        name: 'username',
        autocomplete: 'username',
        autocapitalize: 'none',
        spellcheck: 'false',
        required: true,
    }),
    field('Password', {
        name: 'password',
        type: 'password',
        autocomplete: 'current-password',
        required: true,
    }),
];

const WAYS = {
    up: { tab: 'Create account', button: 'Create account', fields: account, send: signUp },
    in: {
        tab: 'Sign in',
        button: 'Sign in',
        fields: login,
        send: ({ username, password }) => signIn(username, password),
    },
};

function missing(form) {
    const empty = [...form.elements].filter((input) => input.required && !input.value.trim());
    const fields = Object.fromEntries(empty.map(({ name }) => [name, ['Please fill this in.']]));
    return empty.length ? { fields } : null;
}

function makeForm(way, done) {
    const { button, fields, send } = WAYS[way];
    const problem = problemLine();
    const submit = h('button', { class: 'primary', type: 'submit' }, button);
    const form = h(
        'form',
        { novalidate: true },
        problem,
        fields().map(({ node }) => node),
        submit,
    );
    form.addEventListener('submit', async (event) => {
        event.preventDefault();
        const wrong = missing(form);
        showProblems(form, problem, wrong);
        if (wrong || submit.disabled) return;
        submit.disabled = true;
        try {
            await done(await send(Object.fromEntries(new FormData(form))));
        } catch (error) {
            const { status, message, fields: wrongFields = {} } = error;
            const text = status === 401 ? 'No account has this name and password.' : message;
            showProblems(form, problem, { message: text, fields: wrongFields });
        } finally {
            submit.disabled = false;
        }
    });
    return form;
}

// Tabs: the arrow keys go from one to the other.
function card(notice, done) {
    const panel = h('div', { role: 'tabpanel', id: 'way' });
    const tabs = Object.entries(WAYS).map(([way, { tab }]) =>
        h(
            'button',
            {
                role: 'tab',
                type: 'button',
                id: `way-${way}`,
                'aria-controls': 'way',
                onclick: () => show(way),
            },
            tab,
        ),
    );
    function show(way) {
        for (const tab of tabs) {
            const isShown = tab.id === `way-${way}`;
            tab.setAttribute('aria-selected', String(isShown));
            tab.tabIndex = isShown ? 0 : -1;
        }
        panel.setAttribute('aria-labelledby', `way-${way}`);
        replace(panel, makeForm(way, done));
    }
    const turn = ({ key, currentTarget }) => {
        if (key !== 'ArrowLeft' && key !== 'ArrowRight') return;
        const other = currentTarget.querySelector('[aria-selected="false"]');
        other.click();
        other.focus();
    };
    show(notice ? 'in' : 'up');
    return h(
        'section',
        { class: 'card narrow', 'aria-label': 'Your account' },
        notice && h('p', { class: 'notice' }, notice),
        h(
            'div',
            { class: 'tabs', role: 'tablist', 'aria-label': 'Account', onkeydown: turn },
            tabs,
        ),
        panel,
    );
}

// done(user) is called when somebody has signed in.
export function welcome({ notice, done }) {
    const steps = [
        ['Create an account', 'A name, an address and a password. No mail is sent.'],
        [
            'Open this page once more',
            'In a private window or on another device, and sign up there too.',
        ],
        ['Find each other by name', 'Choose “New conversation” in one of them, and write.'],
    ];
    const list = steps.map(([title, text]) =>
        h('li', null, h('b', null, title), h('span', null, text)),
    );
    return h(
        'main',
        { class: 'welcome' },
        h(
            'div',
            { class: 'pitch' },
            h(
                'p',
                { class: 'brand' },
                h('img', { src: '/static/img/icon.svg', alt: '', width: '36', height: '36' }),
                'Confab',
            ),
            h('h1', null, 'Messages on a server of your own'),
            h(
                'p',
                { class: 'quiet' },
                'Sign up, then once more in a second window, and talk. It takes a minute.',
            ),
        ),
        card(notice, done),
        h(
            'div',
            { class: 'how' },
            h('ol', { class: 'steps' }, list),
            h(
                'p',
                { class: 'row' },
                h('code', { class: 'address' }, location.origin),
                copyButton(location.origin),
            ),
            h(
                'p',
                { class: 'quiet small links' },
                h('a', { href: '/api/' }, 'Browse the API'),
                h('a', { href: '/api/schema/swagger-ui/' }, 'Swagger UI'),
                h('a', { href: '/admin/' }, 'Admin site'),
            ),
        ),
    );
}
