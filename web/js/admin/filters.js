// The filters of a list, as a form. Each filter is data:
//     {name, label, kind: 'search' | 'text' | 'choice' | 'day', choices: [[value, label]], known: [text],
//      placeholder, more: true}
// `more`: behind "More filters"; `known`: what is proposed; `isSubject`: whose list it is, which narrows
// nothing.

import { h } from '../dom.js';
import { PLAIN_TEXT } from '../ui.js';

const DEBOUNCE_MS = 250;
let forms = 0;

function control(filter, id) {
    const props = { id, name: filter.name, placeholder: filter.placeholder };
    if (filter.kind === 'choice') {
        const options = [['', 'Any'], ...filter.choices];
        return h(
            'select',
            props,
            options.map(([value, label]) => h('option', { value }, label)),
        );
    }
    const type = { search: 'search', day: 'date' }[filter.kind] ?? 'text';
    const list = filter.known && `${id}-known`;
    return h('input', { type, ...PLAIN_TEXT, list, ...props });
}

function field(filter, id) {
    const known = filter.known?.map((value) => h('option', { value }));
    return h(
        'div',
        { class: `filter ${filter.kind}` },
        h('label', { for: id }, filter.label),
        control(filter, id),
        known && h('datalist', { id: `${id}-known` }, known),
    );
}

// {node, sync(query)}. `change(patch, {replace})` is told what is wished; typing replaces the entry of
// the history, so that Back leaves the list and not a letter.
export function makeFilters(filters, label, change) {
    const prefix = `filter-${++forms}`;
    let timer = 0;
    let waiting = {};
    const fields = (chosen) => chosen.map((filter) => field(filter, `${prefix}-${filter.name}`));
    const flush = (options) => {
        clearTimeout(timer);
        const patch = waiting;
        waiting = {};
        if (Object.keys(patch).length > 0) change(patch, options);
    };
    const typed = (event) => {
        if (event.target.type !== 'search') return;
        waiting[event.target.name] = event.target.value.trim();
        clearTimeout(timer);
        timer = setTimeout(() => flush({ replace: true }), DEBOUNCE_MS);
    };
    const chosen = (event) => {
        const { name, type, value } = event.target;
        if (!name || (type === 'search' && !(name in waiting))) return;
        waiting[name] = value.trim();
        flush({ replace: type === 'search' });
    };
    const clear = h('button', { type: 'button', class: 'plain', hidden: true }, 'Clear filters');
    clear.addEventListener('click', () => {
        clearTimeout(timer);
        waiting = {};
        change(Object.fromEntries(filters.map(({ name }) => [name, ''])), {});
        form.querySelector('input, select').focus();
    });
    const more = filters.filter((filter) => filter.more);
    const details =
        more.length > 0 &&
        h(
            'details',
            { class: 'more' },
            h('summary', null, 'More filters'),
            h('div', { class: 'row-of-filters' }, fields(more)),
        );
    const first = h(
        'div',
        { class: 'row-of-filters' },
        fields(filters.filter((filter) => !filter.more)),
        clear,
    );
    const form = h(
        'form',
        { class: 'filters', role: 'search', 'aria-label': label },
        first,
        details,
    );
    form.addEventListener('input', typed);
    form.addEventListener('change', chosen);
    form.addEventListener('submit', (event) => {
        event.preventDefault();
        flush({});
    });

    function sync(query) {
        for (const { name } of filters) {
            const input = form.elements[name];
            if (name in waiting) continue;
            if (input.value.trim() !== (query[name] ?? '')) input.value = query[name] ?? '';
        }
        if (details && more.some(({ name }) => query[name])) details.open = true;
        clear.hidden = !filters.some(({ name }) => query[name]);
    }
    return { node: form, sync, close: () => clearTimeout(timer) };
}
