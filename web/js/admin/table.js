// The table of a list. Each column is data:
//     {label, cell: (row) => node or text, sort: 'name in ordering', first: 'desc', number: true, head: true}
// `first`: which way it is sorted at the first click; `head`: the cell that names its row.

import { h } from '../dom.js';

const DIRECTIONS = { asc: 'ascending', desc: 'descending' };

// {name, way} of what `ordering` says.
function sortOf(ordering) {
    const down = ordering.startsWith('-');
    return { name: down ? ordering.slice(1) : ordering, way: down ? 'desc' : 'asc' };
}

const orderingOf = ({ name, way }) => (way === 'desc' ? `-${name}` : name);

function nextSort(column, sort) {
    if (column.sort !== sort.name)
        return orderingOf({ name: column.sort, way: column.first ?? 'asc' });
    return orderingOf({ name: sort.name, way: sort.way === 'asc' ? 'desc' : 'asc' });
}

function headOf(column, sort, onsort) {
    const look = column.number ? 'number' : '';
    if (!column.sort) return h('th', { scope: 'col', class: look }, column.label);
    const sorted = column.sort === sort.name ? DIRECTIONS[sort.way] : null;
    const onclick = () => onsort(nextSort(column, sort));
    const button = h(
        'button',
        { type: 'button', onclick, dataset: { sort: column.sort } },
        column.label,
    );
    return h('th', { scope: 'col', class: look, 'aria-sort': sorted }, button);
}

function cellOf(column, row) {
    const props = { class: column.number ? 'number' : column.look, 'data-label': column.label };
    const content = h('div', { class: 'cell' }, column.cell(row));
    return column.head ? h('th', { scope: 'row', ...props }, content) : h('td', props, content);
}

// `mark` is what says which rows are chosen: {has(row), toggle(row, yes), labelOf(row)}; null: none are.
// `acts(row)`: the buttons of a row; null: it has none.
export function makeTable({ caption, columns, rows, ordering, onsort, mark, acts }) {
    const sort = sortOf(ordering ?? '');
    const heads = columns.map((column) => headOf(column, sort, onsort));
    if (mark) heads.unshift(h('td', { class: 'mark' }));
    if (acts) heads.push(h('th', { scope: 'col', class: 'acts' }, 'Actions'));
    const body = rows.map((row) => {
        const cells = columns.map((column) => cellOf(column, row));
        const line = h('tr', {
            'aria-selected': mark && String(mark.has(row)),
            dataset: { id: row.id ?? '' },
        });
        if (mark) cells.unshift(h('td', { class: 'mark' }, checkOf(row, mark, line)));
        if (acts) cells.push(h('td', { class: 'acts' }, h('div', { class: 'cell' }, acts(row))));
        line.append(...cells);
        return line;
    });
    return h(
        'table',
        { class: 'list stack' },
        h('caption', { class: 'visually-hidden' }, caption),
        h('thead', null, h('tr', null, heads)),
        h('tbody', null, body),
    );
}

// Where it is wider than the page it is scrolled by itself, by keyboard too.
export const scrolled = (label, table) =>
    h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': label }, table);

function checkOf(row, mark, line) {
    const check = h('input', { type: 'checkbox', 'aria-label': `Select ${mark.labelOf(row)}` });
    check.checked = mark.has(row);
    check.addEventListener('change', () => {
        line.setAttribute('aria-selected', String(check.checked));
        mark.toggle(row, check.checked);
    });
    return h('label', { class: 'target' }, check);
}
