// What pages say and ask: toasts, dialogs, and the fields of a form with what is wrong with them.

import { h, icon, replace } from './dom.js';

const TOAST_MS = 6_000;

// Of inputs for names and other words that the keyboard knows no better than the reader.
export const PLAIN_TEXT = { autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false' };

// A short message at the bottom of the page; `bad`: something failed.
export function toast(text, { bad = false } = {}) {
    let box = document.querySelector('.toasts');
    if (!box) {
        box = h('div', { class: 'toasts', role: 'status' });
        document.body.append(box);
    }
    const node = h('div', { class: bad ? 'toast bad' : 'toast', dir: 'auto' }, text);
    box.append(node);
    setTimeout(() => node.remove(), TOAST_MS);
}

let dialogs = 0;

// A modal dialog: {dialog, close(answer), answer}, where `answer` is a promise, of undefined for who
// leaves it by Esc or the cross. `body` and `footer` are nodes.
export function openDialog({ title, body, footer = null, onsubmit = null }) {
    const id = `dialog-${++dialogs}`;
    const before = document.activeElement;
    let resolve;
    const answer = new Promise((done) => (resolve = done));
    const dialog = h('dialog', { 'aria-labelledby': id });
    const close = (value) => {
        resolve(value);
        dialog.close();
    };
    const cross = h(
        'button',
        { type: 'button', class: 'plain round', 'aria-label': 'Close', onclick: () => close() },
        icon('close'),
    );
    const inner = [
        h('header', null, h('h2', { id, dir: 'auto' }, title), cross),
        h('div', { class: 'body' }, body),
        footer && h('footer', null, footer),
    ];
    const send = (event) => {
        event.preventDefault();
        onsubmit();
    };
    replace(dialog, onsubmit ? h('form', { novalidate: true, onsubmit: send }, inner) : inner);
    dialog.addEventListener('close', () => {
        resolve();
        dialog.remove();
        if (before?.isConnected) before.focus();
    });
    document.body.append(dialog);
    dialog.showModal();
    return { dialog, close, answer };
}

// Asks; resolves with whether the answer is yes.
export async function confirmed({ title, text, yes, danger = true }) {
    let open;
    const button = (label, look, value) =>
        h('button', { type: 'button', class: look, onclick: () => open.close(value) }, label);
    open = openDialog({
        title,
        body: h('p', { dir: 'auto' }, text),
        footer: [button('Cancel', '', false), button(yes, danger ? 'danger' : 'primary', true)],
    });
    open.dialog.querySelector('footer button').focus();
    return (await open.answer) === true;
}

// A labelled field: {node, input}. The input's name is what the server calls it.
export function field(label, { name, hint = null, ...props }) {
    const id = `field-${name}-${++dialogs}`;
    const hints = hint && h('p', { class: 'hint', id: `${id}-hint` }, hint);
    const input = h('input', { id, name, 'aria-describedby': hint && `${id}-hint`, ...props });
    const node = h('div', { class: 'field' }, h('label', { for: id }, label), input, hints);
    return { node, input };
}

// What is wrong with a form as a whole; for showProblems().
export const problemLine = () => h('p', { class: 'problem', role: 'alert', hidden: true });

// Shows what the server (a RequestError) says of the form's fields beside them, and the rest in
// `problem`, a problemLine(). Without an error: takes all that away.
export function showProblems(form, problem, error = null) {
    for (const node of form.querySelectorAll('.error')) node.remove();
    let left = error && Object.keys(error.fields).length === 0 ? [error.message] : [];
    let first = null;
    for (const input of form.querySelectorAll('[name]')) {
        const sentences = error?.fields[input.name];
        if (!sentences) {
            input.removeAttribute('aria-invalid');
            continue;
        }
        const id = `${input.id}-error`;
        input.setAttribute('aria-invalid', 'true');
        input.setAttribute('aria-describedby', `${id} ${input.id}-hint`);
        input.after(h('p', { class: 'error', id }, sentences.join(' ')));
        first ??= input;
    }
    for (const [name, sentences] of Object.entries(error?.fields ?? {})) {
        if (!form.querySelector(`[name="${CSS.escape(name)}"]`)) left = left.concat(sentences);
    }
    problem.textContent = left.join(' ');
    problem.hidden = left.length === 0;
    first?.focus();
}

// True if the text is there. The Clipboard API is there over TLS and on localhost only.
export async function toClipboard(text) {
    if (navigator.clipboard) {
        return navigator.clipboard.writeText(text).then(
            () => true,
            () => false,
        );
    }
    const area = h('textarea', { class: 'visually-hidden', 'aria-hidden': 'true' });
    area.value = text;
    document.body.append(area);
    area.select();
    const isDone = document.execCommand('copy');
    area.remove();
    return isDone;
}

// A button that copies a text, and says that it has; if it may not, shows it, to be copied by hand.
export function copyButton(text, label = 'Copy the address') {
    const copy = async () => toast((await toClipboard(text)) ? 'Copied.' : text);
    return h('button', { type: 'button', class: 'small', onclick: copy }, icon('copy'), label);
}
