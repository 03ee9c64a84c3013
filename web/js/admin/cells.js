// What stands in the cells of tables and in facts. Text of users is shown as text, cut, and kept in
// its place: its own direction, and nothing that sticks out.

import { avatar, h, momentOf, numberOf } from '../dom.js';
import { addressOf } from './route.js';

const CUT = 240;

// At most `length` UTF-16 units, never half a character.
export function cut(text, length = CUT) {
    if (text.length <= length) return text;
    return `${text.slice(0, length).replace(/[\uD800-\uDBFF]$/, '')}…`;
}

export const none = (text = '-') => h('span', { class: 'quiet' }, text);

export const text = (value, length) =>
    value ? h('span', { class: 'cut', dir: 'auto' }, cut(value, length)) : none();

export const link = (path, label, query) =>
    h('a', { class: 'cut', dir: 'auto', href: addressOf(path, query) }, cut(label));

export const moment = (time, otherwise = 'never') =>
    time ? h('time', { datetime: time, title: time }, momentOf(time)) : none(otherwise);

export const number = (value) => numberOf(value);

export const badge = (label, look = '') => h('span', { class: `badge ${look}` }, label);

export const role = (name) => badge(name, { admin: 'accent', host: 'good' }[name] ?? '');

export const isActive = (yes) => (yes ? badge('active', 'good') : badge('inactive', 'bad'));

// Somebody {id, username}; the name of who was erased is gone.
export const person = ({ id, username }) =>
    username ? link(`/users/${id}`, username) : none('erased user');

// A user {id, username, full_name}: name and face too.
export const personWithFace = (user) =>
    h(
        'span',
        { class: 'who' },
        avatar(user.id, user.full_name || user.username, { small: true }),
        h(
            'span',
            { class: 'names' },
            person(user),
            user.full_name && h('span', { class: 'small quiet' }, text(user.full_name, 80)),
        ),
    );

export const titleOf = (conversation) => {
    if (conversation.title) return conversation.title;
    const names = (conversation.people ?? conversation.participants ?? []).map((p) => p.username);
    return names.length > 0 ? names.slice(0, 3).join(', ') : 'Untitled';
};

export const id = (value) => h('span', { class: 'mono id' }, value);

// 1.4, 14
export const roughly = (value) => numberOf(Number(value.toFixed(value < 10 ? 1 : 0)));

// 1.4 GiB
export function bytes(count) {
    const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
    const step = count > 0 ? Math.min(Math.floor(Math.log2(count) / 10), units.length - 1) : 0;
    const value = count / 1024 ** step;
    return `${step > 0 ? roughly(value) : numberOf(Math.round(value))} ${units[step]}`;
}

// 3 d 4 h, 12 min 5 s: the two largest parts.
export function duration(seconds) {
    const parts = [
        [Math.floor(seconds / 86_400), 'd'],
        [Math.floor(seconds / 3600) % 24, 'h'],
        [Math.floor(seconds / 60) % 60, 'min'],
        [Math.floor(seconds) % 60, 's'],
    ];
    const first = parts.findIndex(([count]) => count > 0);
    const shown = first < 0 ? parts.slice(-1) : parts.slice(first, first + 2);
    return shown.map(([count, unit]) => `${count} ${unit}`).join(' ');
}

// [name, node or text], ...
export const facts = (rows) =>
    h(
        'dl',
        { class: 'facts' },
        rows.map(([name, value]) => [h('dt', null, name), h('dd', null, value)]),
    );
