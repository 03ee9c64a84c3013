// The same done to many rows of a list: what is chosen, the bar with its actions, the question, and what
// happened to each. An action is data:
//     {label, danger, ask: (n) => sentence, yes: 'Deactivate', word: typed before it is done,
//      fields: () => [field], body: (values) => JSON for <path>bulk/   or   each: (id) => promise}

import { h, numberOf } from '../dom.js';
import { openDialog } from '../ui.js';
import { ask } from './api.js';
import { badge, cut } from './cells.js';
import { makeQuestion } from './dialogs.js';

const LOOKS = { done: 'good', unchanged: '', skipped: 'warn', failed: 'bad' };

// 3 users; 10,000+ users where there may be more.
export const count = (n, [one, many], orMore = false) =>
    `${numberOf(n)}${orMore ? '+' : ''} ${n === 1 ? one : many}`;

// One after the other, whatever becomes of them.
async function runEach(action, ids) {
    const results = [];
    for (const id of ids) {
        try {
            await action.each(id);
            results.push({ id, result: 'done', detail: null });
        } catch (error) {
            results.push({ id, result: 'failed', detail: error.message });
        }
    }
    return results;
}

async function run(spec, action, ids, values) {
    if (action.each) return runEach(action, ids);
    const json = { ...action.body(values), ids };
    return (await ask('POST', `${spec.path}bulk/`, { json })).results;
}

function resultLine(result, names) {
    const name = h(
        'span',
        { class: 'cut', dir: 'auto' },
        cut(names.get(result.id) ?? result.id, 80),
    );
    const detail = result.detail && h('span', { class: 'quiet small' }, result.detail);
    return h(
        'li',
        { dataset: { result: result.result } },
        name,
        h('span', { class: 'row' }, detail, badge(result.result, LOOKS[result.result])),
    );
}

function showResults(spec, action, results, names) {
    const done = results.filter(({ result }) => result === 'done').length;
    const sentence = `${action.label}: ${numberOf(done)} of ${count(results.length, spec.noun)} done.`;
    const list = h(
        'ul',
        { class: 'bare-list results' },
        results.map((result) => resultLine(result, names)),
    );
    const close = h('button', { type: 'button', class: 'primary' }, 'Close');
    const open = openDialog({
        title: 'What happened',
        body: [h('p', { role: 'status' }, sentence), list],
        footer: close,
    });
    close.addEventListener('click', () => open.close());
    close.focus();
    return open.answer;
}

// {node, mark, reset(rows)}: `reload` is called when something was done.
export function makeBulk(spec, reload) {
    let rows = [];
    const chosen = new Map();
    const all = h('input', { type: 'checkbox' });
    const how = h('span', { class: 'how', role: 'status' });
    const buttons = spec.actions.map((action) => {
        const onclick = () => start(action);
        return h(
            'button',
            { type: 'button', class: action.danger ? 'small danger' : 'small', onclick },
            action.label,
        );
    });
    const acts = h('div', { class: 'row acts', hidden: true }, buttons);
    const node = h(
        'div',
        { class: 'bulk', role: 'group', 'aria-label': 'Selected rows' },
        h('label', { class: 'check' }, all, 'Select all on this page'),
        how,
        acts,
    );

    function show() {
        all.checked = rows.length > 0 && chosen.size === rows.length;
        all.indeterminate = chosen.size > 0 && !all.checked;
        how.textContent = chosen.size > 0 ? `${numberOf(chosen.size)} selected` : '';
        acts.hidden = chosen.size === 0;
        node.classList.toggle('on', chosen.size > 0);
        node.hidden = rows.length === 0;
    }

    async function start(action) {
        const names = new Map(chosen);
        const ids = [...names.keys()];
        let results = null;
        const agreed = await makeQuestion({
            title: `${action.label}: ${count(ids.length, spec.noun)}`,
            text: action.ask(count(ids.length, spec.noun), ids.length),
            yes: action.yes ?? action.label,
            danger: action.danger,
            word: action.word,
            fields: action.fields?.() ?? [],
            act: async (values) => (results = await run(spec, action, ids, values)),
        });
        if (!agreed) return;
        await showResults(spec, action, results, names);
        reload();
    }

    all.addEventListener('change', () => {
        chosen.clear();
        if (all.checked) for (const row of rows) chosen.set(row.id, spec.nameOf(row));
        for (const line of spec.tableOf().querySelectorAll('tbody tr')) {
            line.setAttribute('aria-selected', String(all.checked));
            line.querySelector('.mark input').checked = all.checked;
        }
        show();
    });
    const mark = {
        has: (row) => chosen.has(row.id),
        labelOf: (row) => cut(spec.nameOf(row), 60),
        toggle(row, yes) {
            if (yes) chosen.set(row.id, spec.nameOf(row));
            else chosen.delete(row.id);
            show();
        },
    };
    function reset(shown) {
        rows = shown;
        chosen.clear();
        show();
    }
    show();
    return { node, mark, reset };
}
