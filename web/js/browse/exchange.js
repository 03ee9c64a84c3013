// A request and its answer, as the page shows them: method, address, status, headers, body.
import { h, icon } from '../dom.js';
import { RequestError, send } from '../session.js';
import { toClipboard } from '../ui.js';
import { foldAll, showJson } from './json.js';

const capitals = (name) => name.replace(/(?:^|-)[a-z]/g, (letter) => letter.toUpperCase());

// Sends it in the name of who is signed in. `body`: JSON text. Gives {method, address, status, reason,
// headers, body, location}: `status` 0 and the reason in words where there was no answer.
export async function exchange(method, address, body) {
    const headers = { accept: 'application/json; indent=2' };
    try {
        const { response, text } = await send(method, address, { body, headers });
        const lines = [...response.headers].map(([name, value]) => `${capitals(name)}: ${value}`);
        const { status, statusText: reason } = response;
        return { method, address, status, reason, headers: lines.join('\n'), body: text };
    } catch (error) {
        if (!(error instanceof RequestError)) throw error;
        return { method, address, status: 0, reason: error.message, headers: '', body: '' };
    }
}

export const statusOf = ({ status, reason }) => (status ? `HTTP ${status} ${reason}`.trim() : reason);

function gradeOf(status) {
    if (status >= 200 && status < 300) return 'good';
    return status >= 300 && status < 400 ? 'warn' : 'bad';
}

// ---- copying ------------------------------------------------------------------------------------

const SAID_MS = 3000;

// With where it says what became of it.
function copyButton(text) {
    const said = h('span', { class: 'quiet small', role: 'status' });
    const button = h('button', { class: 'small', type: 'button' }, icon('copy'), 'Copy');
    button.addEventListener('click', async () => {
        const isDone = await toClipboard(text);
        button.focus();
        said.textContent = isDone ? 'Copied.' : 'The browser does not allow that.';
        setTimeout(() => said.replaceChildren(), SAID_MS);
    });
    return [said, button];
}

function foldButton(pre) {
    const button = h('button', { class: 'small', type: 'button', 'aria-pressed': 'false' }, 'Fold');
    button.addEventListener('click', () => {
        const isFolded = button.getAttribute('aria-pressed') !== 'true';
        button.setAttribute('aria-pressed', String(isFolded));
        foldAll(pre, isFolded);
    });
    return button;
}

// ---- showing ------------------------------------------------------------------------------------

// Of one line each.
function headerLines(text, links) {
    return text.split('\n').map((line, n) => {
        const cut = line.indexOf(':');
        const value = line.slice(cut + 1).trim();
        const link = links.ofText(value);
        return [n > 0 ? '\n' : '', h('span', { class: 'k' }, line.slice(0, cut)), ': ',
            link ? h('a', { href: link }, value) : value];
    });
}

const isNested = (body) => (body.match(/[{[]/g) ?? []).length > 1;

function bodyOf({ status, body }, links) {
    if (body === '') {
        return { node: h('p', { class: 'quiet' }, status ? 'There is no body.' : 'There was no answer.') };
    }
    const node = h('pre', { class: 'body', tabindex: '0', role: 'group', 'aria-label': 'Body' }, body);
    showJson(node, body, links);
    return { node, buttons: [isNested(body) && foldButton(node), copyButton(body)] };
}

function headersOf({ headers }, links) {
    if (headers === '') return null;
    const lines = headerLines(headers, links);
    return h('details', { class: 'headers' }, h('summary', null, `${lines.length} headers`),
        h('pre', { tabindex: '0', role: 'group', 'aria-label': 'Headers' }, lines));
}

// `links`: a Links (links.js).
export function exchangeNode(shown, links) {
    const { method, address, status } = shown;
    const { node, buttons } = bodyOf(shown, links);
    return h('div', { class: 'exchange' },
        h('div', { class: 'line' },
            h('p', { class: 'request' }, h('b', null, method), ' ', h('span', null, address)),
            h('p', { class: `status badge ${gradeOf(status)}` }, statusOf(shown))),
        h('div', { class: 'line' }, headersOf(shown, links), h('div', { class: 'row buttons' }, buttons)),
        node);
}
