// How people look, in lists and in heads.

import { avatar, h } from '../dom.js';

export function pictureOf(id, name, { image = null, isOnline = false } = {}) {
    const picture = avatar(id, name, { image });
    if (isOnline) picture.append(h('span', { class: 'presence online' }));
    return picture;
}

// The name, and a line of `words` below it.
export const namesOf = (name, words) =>
    h(
        'span',
        { class: 'names' },
        h('b', { dir: 'auto' }, name),
        h('span', { class: 'quiet small', dir: 'auto' }, words),
    );
