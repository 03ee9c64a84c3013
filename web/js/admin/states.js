// What stands where something is to come, is missing, or did not work.

import { h, icon } from '../dom.js';

export const empty = (look, heading, sentence, ...more) =>
    h('div', { class: 'empty' }, icon(look), h('h2', null, heading), h('p', null, sentence), more);

// `error`: a RequestError; `again` asks once more; `labels`: what fields are called.
export function failure(error, again, labels = {}) {
    const fields = Object.entries(error.fields ?? {}).map(
        ([name, list]) => `${labels[name] ?? name}: ${list.join(' ')}`,
    );
    const button = h('button', { type: 'button', onclick: again }, 'Try again');
    const sentence = fields.join(' ') || error.message;
    return h('div', { role: 'alert' }, empty('alert', 'That did not work', sentence, button));
}

// One object that could not be read; `back`: [address, label].
export function missing(error, what, [address, label]) {
    const gone = error.status === 404;
    const sentence = gone ? 'It was deleted, or never there.' : error.message;
    const link = h('a', { class: 'button', href: address }, label);
    const heading = gone ? `There is no such ${what}` : 'That did not work';
    return h('div', { role: 'alert' }, empty('alert', heading, sentence, link));
}
