// Dialogs that do something: they stay open until the server has done it, and say what it says
// instead.

import { h } from '../dom.js';
import { PLAIN_TEXT, openDialog, problemLine, showProblems, toast } from '../ui.js';

let words = 0;

// A form in a dialog; resolves with whether it was done. `fields`: [{node, input}]; `act(values)` does
// it, `values` are what stands in the named inputs. `ready(values)`: may it be sent?
export async function openForm({ title, text, fields, yes, danger, act, ready = null }) {
    const problem = problemLine();
    const send = h('button', { type: 'submit', class: danger ? 'danger' : 'primary' }, yes);
    const cancel = h('button', { type: 'button' }, 'Cancel');
    const nodes = fields.map(({ node }) => node);
    const said = text && h('p', { class: 'asked', dir: 'auto' }, text);
    const valuesOf = () => Object.fromEntries(new FormData(open.dialog.querySelector('form')));
    let running = null; // resolves with whether it was done
    let isBusy = false;
    const run = async () => {
        try {
            await act(valuesOf());
            open.close(true);
            return true;
        } catch (error) {
            if (open.dialog.open) showProblems(open.dialog, problem, error);
            else if (error.name !== 'AbortError') toast(error.message, { bad: true });
            return false;
        }
    };
    const submit = async () => {
        if (send.disabled) return;
        isBusy = true;
        check();
        running = run();
        await running;
        isBusy = false;
        check();
    };
    const open = openDialog({
        title,
        body: [said, problem, nodes],
        footer: [cancel, send],
        onsubmit: submit,
    });
    const check = () => (send.disabled = isBusy || (ready !== null && !ready(valuesOf())));
    cancel.addEventListener('click', () => open.close());
    open.dialog.addEventListener('input', check);
    check();
    (fields[0]?.input ?? cancel).focus();
    await open.answer;
    return (await running) === true; // who leaves the dialog does not stop what has begun
}

// Asks before something is done to many, or for good: `word`, where there is one, has to be typed.
export function makeQuestion({ title, text, yes, danger = false, word = null, fields = [], act }) {
    const all = word ? [...fields, wordField(word)] : fields;
    const ready = word && ((values) => values.word.trim() === word);
    return openForm({ title, text, fields: all, yes, danger, act, ready });
}

function wordField(word) {
    const id = `word-${++words}`;
    const input = h('input', { id, name: 'word', ...PLAIN_TEXT });
    const label = h(
        'label',
        { for: id },
        'Type ',
        h('b', { class: 'mono', dir: 'auto' }, word),
        ' to go on',
    );
    return { node: h('div', { class: 'field' }, label, input), input };
}

// As field() of ../ui.js, of a choice: [[value, label]].
export function choice(label, { name, value, choices, hint = null }) {
    const id = `choice-${name}-${++words}`;
    const options = choices.map(([v, text]) =>
        h('option', { value: v, selected: v === value }, text),
    );
    const input = h('select', { id, name }, options);
    const hints = hint && h('p', { class: 'hint' }, hint);
    return {
        node: h('div', { class: 'field' }, h('label', { for: id }, label), input, hints),
        input,
    };
}
