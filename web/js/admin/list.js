// A list of the admin API: filters, sortable table, pages, many at once, files. What it shows is all in
// its query, which is kept by who mounts it (the address, or a variable). A list is data:
//     path       behind /api/admin/
//     noun       ['user', 'users']
//     columns    table.js      filters   filters.js      actions   bulk.js, or []
//     nameOf     (row) => what it is called
//     ordering   what it is without one, where it can be sorted
//     fixed      what the query always has
//     acts       (row, reload) => nodes, the buttons of a row
//     exports    true where the API gives a file
//     empty      [heading, sentence] when there is nothing at all
//     refreshMs  how often it looks again by itself

import { h, numberOf, replace, spinner } from '../dom.js';
import { exportAddress, placeOf, read } from './api.js';
import { count, makeBulk } from './bulk.js';
import { makeFilters } from './filters.js';
import { makeMenu } from './menu.js';
import { changed } from './route.js';
import { empty, failure } from './states.js';
import { makeTable, scrolled } from './table.js';

const SIZES = ['20', '50', '100'];

const names = ({ filters = [], ordering }) => [
    ...filters.map(({ name }) => name),
    ...(ordering ? ['ordering'] : []),
    'page_size',
];

// What of the query is this list's; the rest is not sent.
const ownOf = (spec, query) => {
    const own = names(spec).map((name) => [name, query[name] ?? '']);
    return { ...Object.fromEntries(own), ...spec.fixed };
};

const isFiltered = (spec, query) =>
    (spec.filters ?? []).some(({ name, isSubject }) => !isSubject && query[name]);

// {node, show(query), reload(), close()}. `change(patch, {replace})`: the query wants to be changed.
export function makeList(given, change) {
    const spec = { ...given, tableOf: () => body.querySelector('table') };
    const body = h('div', { class: 'list-body' });
    const status = h('p', { class: 'count', role: 'status' });
    const bulk = spec.actions?.length > 0 ? makeBulk(spec, () => reload()) : null;
    const label = `Find ${spec.noun[1]}`;
    const filters = spec.filters ? makeFilters(spec.filters, label, change) : null;
    const tools = h('div', { class: 'row tools' });
    const pages = h('nav', { class: 'pages', 'aria-label': `Pages of ${spec.noun[1]}` });
    const node = h(
        'div',
        { class: 'list-box' },
        filters?.node,
        h('div', { class: 'row spread head-of-list' }, status, tools),
        bulk?.node,
        body,
        pages,
    );
    let query = {};
    let total = { of: null };
    let running = null;
    let timer = 0;
    let isClosed = false;

    const ordering = () => query.ordering || spec.ordering;

    function sortSelect() {
        const sorted = spec.columns.filter(({ sort }) => sort);
        if (sorted.length === 0) return null;
        const options = sorted.flatMap(({ sort, label: name }) => [
            h('option', { value: sort, selected: sort === ordering() }, `${name} ↑`),
            h('option', { value: `-${sort}`, selected: `-${sort}` === ordering() }, `${name} ↓`),
        ]);
        const onchange = (event) => change({ ordering: event.target.value });
        return h('select', { class: 'phone-only', 'aria-label': 'Order', onchange }, options);
    }

    function sizeSelect() {
        const size = query.page_size || SIZES[0];
        const onchange = (event) => change({ page_size: event.target.value });
        const options = SIZES.map((value) =>
            h('option', { value, selected: value === size }, `${value} rows`),
        );
        return h('select', { 'aria-label': 'Rows a page', onchange }, options);
    }

    function showTools() {
        const own = ownOf(spec, query);
        const file = (format) =>
            h(
                'a',
                { href: exportAddress(spec.path, own, format), download: true },
                format.toUpperCase(),
            );
        const menu = spec.exports && makeMenu('Export', [file('csv'), file('json')]);
        const again = h(
            'button',
            { type: 'button', class: 'small', onclick: () => reload() },
            'Refresh',
        );
        replace(tools, sortSelect(), sizeSelect(), menu, again);
    }

    // How many there are is told with page numbers only; behind a cursor it is still so.
    function showCount(answer) {
        const of = JSON.stringify({ ...ownOf(spec, query), ordering: '', page_size: '' });
        if (answer.count !== undefined)
            total = { of, count: answer.count, capped: answer.count_capped };
        const known = total.of === of && !(total.count === 0 && answer.results.length > 0);
        const many = known ? count(total.count, spec.noun, total.capped) : '';
        const shown =
            known && total.count === answer.results.length
                ? ''
                : `${numberOf(answer.results.length)} shown`;
        const part = answer.truncated ? 'only the newest were looked through' : '';
        status.textContent = [many, shown, part].filter(Boolean).join(' · ');
    }

    function step(name, place, rel) {
        const off = place === null;
        const onclick = () => off || change({ page: '', cursor: '', ...place });
        return h(
            'button',
            {
                type: 'button',
                class: 'small',
                'aria-disabled': String(off),
                onclick,
                dataset: { step: rel },
            },
            name,
        );
    }

    function showPages(answer) {
        const focused =
            pages.contains(document.activeElement) && document.activeElement.dataset.step;
        const next = placeOf(answer.next);
        const previous = placeOf(answer.previous);
        replace(
            pages,
            step('First', previous && {}, 'first'),
            step('Previous', previous, 'previous'),
            step('Next', next, 'next'),
            step('Last', next && { cursor: 'last' }, 'last'),
            answer.total_pages > 1 &&
                `Page ${numberOf(answer.current_page)} of ${numberOf(answer.total_pages)}${answer.count_capped ? '+' : ''}`,
        );
        pages.hidden = !next && !previous;
        if (focused) pages.querySelector(`[data-step="${focused}"]`).focus();
    }

    function nothing() {
        if (query.page || query.cursor) {
            const first = h(
                'button',
                { type: 'button', onclick: () => change({}) },
                'To the first page',
            );
            return empty(
                'search',
                'Nothing on this page',
                `The ${spec.noun[1]} that were here are gone.`,
                first,
            );
        }
        if (isFiltered(spec, query))
            return empty('search', `No ${spec.noun[1]} found`, 'None fit these filters.');
        return empty(
            'check',
            ...(spec.empty ?? [`No ${spec.noun[1]}`, 'There is nothing here yet.']),
        );
    }

    function showRows(answer) {
        const focused =
            body.contains(document.activeElement) && document.activeElement.dataset.sort;
        bulk?.reset(answer.results);
        const table =
            answer.results.length > 0 &&
            makeTable({
                caption: spec.caption ?? `All ${spec.noun[1]}`,
                columns: spec.columns,
                rows: answer.results,
                ordering: ordering(),
                onsort: (wanted) => change({ ordering: wanted }),
                mark: bulk?.mark,
                acts: spec.acts && ((row) => spec.acts(row, reload)),
            });
        replace(body, table ? scrolled(`Table of ${spec.noun[1]}`, table) : nothing());
        if (focused) body.querySelector(`[data-sort="${focused}"]`)?.focus();
    }

    function showAnswer(answer) {
        showRows(answer);
        showCount(answer);
        showPages(answer);
        spec.onanswer?.(answer);
    }

    function showProblem(error) {
        bulk?.reset([]);
        status.textContent = '';
        pages.hidden = true;
        const labels = Object.fromEntries(
            (spec.filters ?? []).map(({ name, label: called }) => [name, called]),
        );
        replace(
            body,
            failure(error, () => reload(), labels),
        );
    }

    // Rows that somebody is choosing from stay.
    const isIdle = () =>
        !document.hidden &&
        !body.querySelector(':checked') &&
        !document.querySelector('dialog');

    // `unasked`: nobody waits for it, so it gives way to who has begun something meanwhile.
    async function load({ unasked = false } = {}) {
        if (isClosed) return; // by who left the page before what he began there was done
        running?.abort();
        clearTimeout(timer);
        const mine = new AbortController();
        running = mine;
        body.setAttribute('aria-busy', 'true');
        const { page = '', cursor = '' } = query;
        const isWanted = () => running === mine && (!unasked || isIdle());
        try {
            const answer = await read(
                spec.path,
                { ...ownOf(spec, query), page, cursor },
                mine.signal,
            );
            if (isWanted()) showAnswer(answer);
        } catch (error) {
            if (error.name !== 'AbortError' && isWanted()) showProblem(error);
        }
        if (running !== mine) return;
        body.removeAttribute('aria-busy');
        plan();
    }

    function plan() {
        if (!spec.refreshMs) return;
        timer = setTimeout(() => {
            if (isIdle()) load({ unasked: true });
            else plan();
        }, spec.refreshMs);
    }

    const reload = () => load();

    function show(wanted) {
        query = wanted;
        filters?.sync(query);
        showTools();
        return load();
    }

    function close() {
        isClosed = true;
        clearTimeout(timer);
        running?.abort();
        running = null;
        filters?.close();
    }

    replace(body, h('p', { class: 'empty' }, spinner()));
    pages.hidden = true;
    return { node, show, reload, close };
}

// A list as a page: its query is that of the address. `intro`: a sentence above it.
export function listPage(page, spec, intro = null) {
    const list = makeList(spec, page.change);
    if (intro) page.body.append(h('p', { class: 'quiet' }, intro));
    page.body.append(list.node);
    list.show(page.query);
    return list;
}

// A list within a page: its query is nobody's but its own.
export function embedList(spec) {
    let query = {};
    const list = makeList(spec, (patch) => {
        query = changed(query, patch);
        list.show(query);
    });
    list.show(query);
    return list;
}
