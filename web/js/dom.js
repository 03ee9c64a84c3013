// What the pages build their DOM with. Text becomes text nodes and nothing else.

function set(node, name, value) {
    if (value === null || value === undefined || value === false) return;
    if (name === 'class') node.className = value;
    else if (name === 'dataset') Object.assign(node.dataset, value);
    else if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (name in node && typeof value !== 'string') node[name] = value;
    else node.setAttribute(name, value === true ? '' : value);
}

// h('p', {class: 'quiet', onclick: listener}, 'text', node, [more], null). Props that are null,
// undefined or false are left out; what is not text is set as a property where there is one.
export function h(tag, props, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(props ?? {})) set(node, name, value);
    node.append(...clean(children));
    return node;
}

const clean = (children) =>
    children
        .flat(Infinity)
        .filter((child) => child !== null && child !== undefined && child !== false);

export function replace(node, ...children) {
    node.replaceChildren(...clean(children));
    return node;
}

export const icon = (name) => h('span', { class: `icon icon-${name}`, 'aria-hidden': 'true' });

export const spinner = () =>
    h('span', { class: 'spinner', role: 'status', 'aria-label': 'Loading' });

// A colour of its own for each id, the same in all pages: a hue in degrees.
function hueOf(id) {
    let hash = 0x811c9dc5; // FNV-1a
    for (const char of id) hash = Math.imul(hash ^ char.codePointAt(0), 0x01000193);
    return ((hash ^ (hash >>> 15)) >>> 0) % 360;
}

const graphemes = new Intl.Segmenter();

// At most two letters; of marks that pile up only the first few are kept.
function initialsOf(name) {
    const words = name
        .trim()
        .split(/[\s._-]+/u)
        .filter(Boolean);
    const chosen = words.length > 1 ? [words[0], words.at(-1)] : words;
    const letters = chosen.map((word) => [...graphemes.segment(word)][0].segment.slice(0, 8));
    return letters.join('').toUpperCase() || '?';
}

// The person's name must stand beside it: for screen readers it is not there. `image`: an address
// of this server.
export function avatar(id, name, { small = false, image = null } = {}) {
    const node = h('span', { class: small ? 'avatar small' : 'avatar', 'aria-hidden': 'true' });
    node.style.setProperty('--hue', hueOf(id));
    node.append(image ? h('img', { src: image, alt: '' }) : initialsOf(name));
    return node;
}

// ---- times and numbers, as the reader's language writes them -----------------------------------

const timeFormat = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });
const dayFormat = new Intl.DateTimeFormat(undefined, { dateStyle: 'full' });
const weekdayFormat = new Intl.DateTimeFormat(undefined, { weekday: 'short' });
const shortDayFormat = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric' });
const dateFormat = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' });
const momentFormat = new Intl.DateTimeFormat(undefined, {
    dateStyle: 'medium',
    timeStyle: 'short',
});
const relativeFormat = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' });
const numberFormat = new Intl.NumberFormat();

const DAY_MS = 86_400_000;
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

// Whole days of the calendar from `time` to `now`; times are anything that Date takes.
function daysAgo(time, now) {
    const midnight = (moment) => new Date(moment).setHours(0, 0, 0, 0);
    return Math.round((midnight(now) - midnight(time)) / DAY_MS);
}

// 14:05
export const clockOf = (time) => timeFormat.format(new Date(time));

// Today, Yesterday, Monday, 4 August 2025
export function dayOf(time, now = Date.now()) {
    const days = daysAgo(time, now);
    if (days === 0 || days === 1) return capital(relativeFormat.format(-days, 'day'));
    return dayFormat.format(new Date(time));
}

// 14:05, Mon, 4 Aug, 4 Aug 2024: as short as it can be told apart
export function shortTimeOf(time, now = Date.now()) {
    const date = new Date(time);
    const days = daysAgo(time, now);
    if (days <= 0) return timeFormat.format(date);
    if (days < 7) return weekdayFormat.format(date);
    return days < 300 ? shortDayFormat.format(date) : dateFormat.format(date);
}

// 4 Aug 2025, 14:05
export const momentOf = (time) => momentFormat.format(new Date(time));

export const numberOf = (number) => numberFormat.format(number);
