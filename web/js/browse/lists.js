// What a list has beside its rows: filters, an order, pages. All of it is in the query of the address.
import { h, numberOf } from '../dom.js';
import { Field } from './fields.js';

const NOT_FILTERS = ['page', 'page_size', 'cursor', 'format', 'ordering', 'limit'];
const OF_PLACE = ['page', 'cursor']; // start again where the rows are others
const PAGE_SIZES = [10, 20, 50, 100];

const addressWith = (change) => {
    const query = new URLSearchParams(location.search);
    change(query);
    const text = query.toString();
    return location.pathname + (text && `?${text}`);
};

const namesOf = (parameter) => [parameter.name, ...(parameter['x-aliases'] ?? [])];

function setAnew(query, parameter, value) {
    for (const name of [...OF_PLACE, ...namesOf(parameter)]) query.delete(name);
    if (value !== '') query.set(parameter.name, value);
}

// ---- filters ------------------------------------------------------------------------------------

function filterField(parameter, query) {
    const name = namesOf(parameter).find((one) => query.has(one));
    const value = name && query.get(name);
    return new Field(parameter.name, parameter.schema, { help: parameter.description, value });
}

function queryOf(fields, parameters) {
    return (query) => fields.forEach((field, n) => {
        if (field.isChanged) setAnew(query, parameters[n], String(field.value ?? ''));
    });
}

// The filters that a route takes, null where it takes none. `parameters`: of its query, as in OpenAPI.
export function filters(parameters) {
    const taken = parameters.filter(({ name }) => !NOT_FILTERS.includes(name));
    if (taken.length === 0) return null;
    const query = new URLSearchParams(location.search);
    const fields = taken.map((parameter) => filterField(parameter, query));
    const set = fields.filter((field) => field.initial !== '').length;
    const apply = (event) => {
        event.preventDefault();
        location.assign(addressWith(queryOf(fields, taken)));
    };
    const all = addressWith((now) => taken.forEach((parameter) => setAnew(now, parameter, '')));
    const isList = parameters.some(({ name }) => name === 'page_size');
    return h('details', { class: 'card filters', open: set > 0 },
        h('summary', null, h('h2', null, isList ? 'Filters' : 'Parameters', set > 0 && h('span', { class: 'badge accent' }, String(set)))),
        h('form', { onsubmit: apply },
            h('div', { class: 'fields' }, fields.map((field) => field.node)),
            h('div', { class: 'actions' },
                h('a', { class: 'button', href: all }, 'Clear'),
                h('button', { class: 'primary', type: 'submit' }, 'Filter'))));
}

// ---- the order ----------------------------------------------------------------------------------

// The parameter is free text; what it takes are the fields of the rows that its help names.
function orders(parameter, rowFields) {
    const words = new Set((parameter.description ?? '').match(/\w+/g));
    return rowFields.filter((name) => words.has(name)).flatMap((name) => [name, `-${name}`]);
}

export function ordering(parameters, rowFields) {
    const parameter = parameters.find(({ name }) => name === 'ordering');
    const choices = parameter ? parameter.schema.enum ?? orders(parameter, rowFields) : [];
    if (choices.length === 0) return null;
    const now = new URLSearchParams(location.search).get('ordering') ?? '';
    const label = (name) =>
        name.startsWith('-') ? `${name.slice(1)}, descending` : `${name}, ascending`;
    const select = h('select', { id: 'ordering' }, h('option', { value: '' }, 'as usual'),
        choices.map((name) => h('option', { value: name }, label(name))));
    select.value = now;
    select.addEventListener('change', () =>
        location.assign(addressWith((query) => setAnew(query, parameter, select.value))));
    return h('div', { class: 'control' }, h('label', { for: 'ordering' }, 'Order'), select);
}

// ---- pages --------------------------------------------------------------------------------------

const page = (name, address) =>
    address === null
        ? h('span', { class: 'button small', 'aria-disabled': 'true' }, name)
        : h('a', { class: 'button small', href: address }, name);

// The link of an answer, whose host may be another than that of this page.
const placeOf = (link) => (link === null ? null : location.pathname + new URL(link, location.href).search);

function firstAndLast(list) {
    const to = (name, value) => addressWith((query) => {
        OF_PLACE.forEach((one) => query.delete(one));
        if (value !== null) query.set(name, value);
    });
    if (list.current_page === undefined) return { first: to('cursor', ''), last: null };
    return { first: to('page', null), last: to('page', 'last') };
}

function pageSize(list) {
    const sizes = [...new Set([...PAGE_SIZES, list.page_size])].sort((a, b) => a - b);
    const select = h('select', { id: 'page-size' }, sizes.map((size) => h('option', null, String(size))));
    select.value = String(list.page_size);
    select.addEventListener('change', () => location.assign(addressWith((query) => {
        OF_PLACE.forEach((name) => query.delete(name));
        query.set('page_size', select.value);
    })));
    return h('div', { class: 'control' }, h('label', { for: 'page-size' }, 'Rows'), select);
}

function whichPage(list) {
    if (list.current_page === undefined) return 'By cursor';
    const many = `${list.count_capped ? 'more than ' : ''}${numberOf(list.count)}`;
    return `Page ${numberOf(list.current_page)} of ${numberOf(list.total_pages)} · ${many} in all`;
}

// Of a list's answer; null where that is none.
export function pages(list) {
    if (!Array.isArray(list?.results) || !('next' in list)) return null;
    const { first, last } = firstAndLast(list);
    return h('nav', { class: 'pages', 'aria-label': 'Pages' },
        page('First', list.previous === null ? null : first),
        page('Previous', placeOf(list.previous)),
        page('Next', placeOf(list.next)),
        last !== null && page('Last', list.next === null ? null : last),
        h('span', null, whichPage(list)),
        pageSize(list));
}
