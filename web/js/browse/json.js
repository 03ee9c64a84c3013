// JSON to read: coloured, with links, to be folded. The text is shown as it was sent, token by token,
// never parsed and written again: numbers keep their digits. Large answers are worked on in slices.
import { h, numberOf } from '../dom.js';

const TOKEN = /\s*("(?:[^"\\]|\\.)*"|[^\s{}[\]:,"]+|[{}[\]:,])/y;
const SLICE_MS = 12;
const TOKENS_AT_ONCE = 200;
const LONG = 1000; // characters of a string; of a longer one the beginning is shown until asked
const BEGINNING = 400;
const CUT_ESCAPE = /(?:\\u?[\da-f]{0,3}|[\uD800-\uDBFF])$/i;
const PILED_MARKS = /\p{M}{4}/u; // such reach over the lines above and below
const LAZY = 20; // lines; what has more is laid out when it comes into sight (browse.css)
const CLOSING = { '{': '}', '[': ']' };

const pause = () => new Promise((done) => setTimeout(done));

// ---- one value ----------------------------------------------------------------------------------

function longText(text) {
    const beginning = text.slice(0, BEGINNING).replace(CUT_ESCAPE, '');
    const node = h('bdi', null, beginning);
    const more = h('button', { class: 'more', type: 'button' },
        `… ${numberOf(text.length - beginning.length)} more characters`);
    more.addEventListener('click', () => {
        node.textContent = text;
        more.remove();
    });
    return [node, more];
}

function stringNode(token, link) {
    const text = token.slice(1, -1);
    const content = text.length > LONG && !link ? longText(text) : h('bdi', null, text);
    const name = PILED_MARKS.test(text) ? 's piled' : 's';
    return link
        ? h('a', { class: name, href: link }, '"', content, '"')
        : h('span', { class: name }, '"', content, '"');
}

const wordNode = (token) => h('span', { class: /^[-\d]/.test(token) ? 'n' : 'b' }, token);

// ---- objects and arrays -------------------------------------------------------------------------

// An object or an array that is being read. The outermost frame, of no bracket, holds the one value.
class Frame {
    constructor(bracket, key, parent) {
        Object.assign(this, { bracket, key, parent });
        this.isArray = bracket !== '{';
        this.depth = parent ? parent.depth + 1 : 0;
        this.outer = parent?.line; // where the brackets stand
        this.inner = h('span', { class: 'inner' });
        this.line = null; // of the member that is being read
        this.name = null; // its key
        this.count = 0;
        this.lines = 1;
        this.ids = []; // {key, value, node}: what may become a link once all of the object is known
    }

    // An element of the list that the page is about?
    get isRow() {
        const { parent } = this;
        const ofPage = parent.depth === 2 && parent.key === 'results';
        return parent.isArray && (parent.depth === 1 || ofPage);
    }

    begin() {
        this.count++;
        this.lines++;
        this.line = h('span', { class: 'member' });
        this.inner.append(this.line);
    }
}

function addString(frame, token, links) {
    const value = JSON.parse(token);
    const link = links.ofText(value);
    const node = stringNode(token, link);
    frame.line.append(node);
    const key = frame.isArray ? frame.key : frame.name;
    if (!link && links.isId(value)) frame.ids.push({ key, value, node, token });
}

function toggleFor(frame) {
    const unit = frame.isArray ? 'item' : 'field';
    const amount = `${numberOf(frame.count)} ${unit}${frame.count === 1 ? '' : 's'}`;
    const label = frame.key === null ? amount : `${frame.key}: ${amount}`;
    const button = h('button', {
        class: 'toggle', type: 'button', tabindex: '-1', 'aria-expanded': 'true', 'aria-label': label,
        onclick: () => fold(button, button.getAttribute('aria-expanded') === 'true'),
    });
    return [button, h('span', { class: 'folded', hidden: true }, amount)];
}

function close(frame, links) {
    const { outer, bracket, inner, count, ids } = frame;
    for (const { key, value, node, token } of ids) {
        const link = links.ofId(key, value, frame);
        if (link) node.replaceWith(stringNode(token, link));
    }
    if (count === 0) {
        outer.append(bracket + CLOSING[bracket]);
    } else {
        const [button, folded] = toggleFor(frame);
        outer.append(button, bracket, inner, folded, CLOSING[bracket]);
    }
    if (frame.lines > LAZY) {
        outer.classList.add('lazy');
        outer.style.setProperty('--lines', frame.lines);
    }
    frame.parent.lines += frame.lines;
    return frame.parent;
}

// Takes one token in; gives the frame that is open then.
function take(frame, token, links) {
    const isKey = !frame.isArray && frame.name === null;
    if (token === '}' || token === ']') return close(frame, links);
    if (token === ',') {
        frame.line.append(',');
        frame.name = null;
        return frame;
    }
    if (token === ':') {
        frame.line.append(': ');
        return frame;
    }
    if (isKey || frame.isArray) frame.begin();
    if (isKey) {
        frame.name = JSON.parse(token);
        frame.line.append(h('span', { class: 'k' }, token));
    } else if (token in CLOSING) {
        return new Frame(token, frame.isArray ? frame.key : frame.name, frame);
    } else if (token.startsWith('"')) {
        addString(frame, token, links);
    } else {
        frame.line.append(wordNode(token));
    }
    return frame;
}

function* build(text, whole, links) {
    let frame = whole;
    let at = 0;
    for (let n = 1; ; n++) {
        TOKEN.lastIndex = at;
        const match = TOKEN.exec(text);
        if (!match) return;
        at = TOKEN.lastIndex;
        frame = take(frame, match[1], links);
        if (n % TOKENS_AT_ONCE === 0) yield;
    }
}

// ---- folding ------------------------------------------------------------------------------------

function fold(button, isFolded) {
    const line = button.parentNode;
    button.setAttribute('aria-expanded', String(!isFolded));
    line.querySelector(':scope > .inner').hidden = isFolded;
    line.querySelector(':scope > .folded').hidden = !isFolded;
}

// Folds what is within the outermost object or list, or shows everything.
export function foldAll(node, isFolded) {
    const [outermost, ...inside] = node.querySelectorAll('.toggle');
    if (outermost && !isFolded) fold(outermost, false);
    for (const button of inside) fold(button, isFolded);
}

// One toggle takes Tab; from there the arrows go up and down, and fold.
function useKeys(node) {
    const move = (from, by) => {
        const shown = [...node.querySelectorAll('.toggle')].filter((one) => !one.closest('[hidden]'));
        const to = shown[shown.indexOf(from) + by];
        if (!to) return;
        from.setAttribute('tabindex', '-1');
        to.setAttribute('tabindex', '0');
        to.focus();
    };
    const actions = {
        ArrowLeft: (button) => fold(button, true),
        ArrowRight: (button) => fold(button, false),
        ArrowUp: (button) => move(button, -1),
        ArrowDown: (button) => move(button, 1),
    };
    node.querySelector('.toggle')?.setAttribute('tabindex', '0');
    node.addEventListener('keydown', (event) => {
        if (!(event.key in actions) || !event.target.matches('.toggle')) return;
        actions[event.key](event.target);
        event.preventDefault();
    });
}

// ---- the whole ----------------------------------------------------------------------------------

function isJson(text) {
    try {
        JSON.parse(text);
        return true;
    } catch {
        return false;
    }
}

// Lays JSON text out in `node`, which shows it plain until that is done; other text stays as it is.
// `links`: a Links (links.js).
export async function showJson(node, text, links) {
    if (!isJson(text)) return;
    const whole = new Frame('', null, null);
    const work = build(text, whole, links);
    let until = performance.now() + SLICE_MS;
    while (!work.next().done) {
        if (performance.now() < until) continue;
        await pause();
        until = performance.now() + SLICE_MS;
    }
    node.replaceChildren(h('span', { class: 'json' }, whole.inner));
    useKeys(node);
}
