// The settings in force, and what is unwise in them.

import { h, replace, spinner } from '../dom.js';
import { read } from './api.js';
import { count } from './bulk.js';
import { badge, none } from './cells.js';
import { makeFilters } from './filters.js';
import { addressOf } from './route.js';
import { empty, failure } from './states.js';
import { makeTable, scrolled } from './table.js';

// What a page shows of what it read, or why it could not; `signal` ends with the page.
async function fill(body, path, show, signal) {
    replace(body, spinner());
    try {
        show(await read(path, {}, signal));
    } catch (error) {
        if (error.name === 'AbortError') return;
        replace(
            body,
            failure(error, () => fill(body, path, show, signal)),
        );
    }
}

// ---- settings ----------------------------------------------------------------------------------

const value = (setting) => {
    if (setting.secret) return [badge('secret'), ' ', setting.value];
    return setting.value === '' ? none('empty') : h('code', { dir: 'auto' }, setting.value);
};

const columns = [
    {
        label: 'Setting',
        head: true,
        cell: ({ name, help }) => [h('code', null, name), h('div', { class: 'small quiet' }, help)],
    },
    { label: 'Value', cell: value },
    { label: 'From', cell: ({ source }) => badge(source, source === 'default' ? '' : 'accent') },
    {
        label: 'Default',
        cell: (setting) =>
            setting.default === '' ? none('empty') : h('code', null, setting.default),
    },
    {
        label: 'Allowed',
        cell: ({ allowed }) => (allowed ? h('span', { class: 'small' }, allowed) : none()),
    },
];

const filters = [
    { name: 'search', label: 'Search', kind: 'search', placeholder: 'Name, help' },
    { name: 'from', label: 'Which', kind: 'choice', choices: [['set', 'Set by somebody']] },
];

const fits = (setting, { search = '', from = '' }) =>
    `${setting.name} ${setting.help}`.toLowerCase().includes(search.toLowerCase()) &&
    (from === '' || setting.source !== 'default');

function group(name, rows) {
    const table = makeTable({ caption: name, columns, rows });
    return h(
        'section',
        { 'aria-label': name },
        h('h2', null, name),
        scrolled(`Table: ${name}`, table),
    );
}

export function settings(page) {
    const stopped = new AbortController();
    const form = makeFilters(filters, 'Find settings', page.change);
    const status = h('p', { class: 'count', role: 'status' });
    const box = h('div', { class: 'groups' });
    let all = [];
    let query = page.query;
    function draw() {
        const rows = all.filter((setting) => fits(setting, query));
        const groups = grouped(rows);
        status.textContent = `${rows.length} of ${all.length} settings`;
        replace(
            box,
            [...groups].map(([name, list]) => group(name, list)),
        );
    }
    function show(wanted) {
        query = wanted;
        form.sync(query);
        if (all.length > 0) draw();
    }
    page.body.append(
        h(
            'p',
            { class: 'quiet' },
            'Settings come from the environment and .env, and are changed there; of secrets only whether they are set is told.',
        ),
        form.node,
        status,
        box,
    );
    form.sync(query);
    fill(
        box,
        'settings/',
        ({ results }) => {
            all = results;
            draw();
        },
        stopped.signal,
    );
    return {
        show,
        close() {
            stopped.abort();
            form.close();
        },
    };
}

function grouped(rows) {
    const groups = new Map();
    for (const row of rows) groups.set(row.group, [...(groups.get(row.group) ?? []), row]);
    return groups;
}

// ---- checks ------------------------------------------------------------------------------------

const LEVELS = { warning: ['warning', 'warn'], error: ['error', 'bad'] };

function checkOf(check) {
    const [label, look] = LEVELS[check.level] ?? [check.level, ''];
    return h(
        'li',
        { class: 'card check-card', dataset: { id: check.id } },
        h('p', { class: 'row' }, badge(label, look), h('b', null, check.text)),
        h('p', null, check.hint),
        h(
            'p',
            { class: 'small quiet' },
            check.id,
            ' · ',
            h('a', { href: addressOf('/settings', { search: check.setting }) }, check.setting),
        ),
    );
}

export function checks(page) {
    const stopped = new AbortController();
    fill(
        page.body,
        'checks/',
        ({ results }) => {
            const status = h(
                'p',
                { role: 'status' },
                `${count(results.length, ['thing', 'things'])} to mend.`,
            );
            const good = empty(
                'check',
                'Nothing to mend',
                'The settings are fit for a server that others reach.',
            );
            replace(
                page.body,
                results.length > 0
                    ? [status, h('ul', { class: 'bare-list checks' }, results.map(checkOf))]
                    : good,
            );
        },
        stopped.signal,
    );
    return { close: () => stopped.abort() };
}
