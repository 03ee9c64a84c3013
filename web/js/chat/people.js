// Choosing people, and beginning a conversation with them.

import { h, icon, replace } from '../dom.js';
import { request } from '../session.js';
import { copyButton, field, openDialog, problemLine, showProblems } from '../ui.js';
import { namesOf, pictureOf } from './person.js';
import { INVITATION, nameOf } from './text.js';

const SEARCH_MS = 200;
const SHOWN = 30;

// A search field with what it finds: {node, chosen: Map of users by id}. People in `without` (ids)
// are not offered. changed() is called when somebody is chosen or not any more.
function peoplePicker({ without = [], changed = () => {} }) {
    const hidden = new Set(without);
    const chosen = new Map();
    const chips = h('ul', { class: 'bare-list chips', role: 'list', 'aria-label': 'Chosen' });
    const results = h('ul', { class: 'bare-list people', role: 'list', 'aria-label': 'Found' });
    const search = field('People', {
        name: 'search',
        type: 'search',
        placeholder: 'Name or username',
        autocomplete: 'off',
        autofocus: true,
        dir: 'auto',
        oninput: () => later(),
    });
    let timer;
    let found = [];
    let asked = null;

    function later() {
        clearTimeout(timer);
        timer = setTimeout(ask, SEARCH_MS);
    }
    async function ask() {
        const words = search.input.value.trim();
        asked = words;
        const path = words ? '/api/users/search/' : '/api/users/';
        try {
            const page = await request('GET', path, { query: { q: words, page_size: SHOWN } });
            if (asked !== words) return;
            found = page.results.filter(({ id }) => !hidden.has(id));
            draw();
        } catch (error) {
            replace(results, h('li', { class: 'problem' }, error.message));
        }
    }
    function toggle(user) {
        if (!chosen.delete(user.id)) chosen.set(user.id, user);
        draw();
        changed();
    }
    function draw() {
        replace(
            chips,
            [...chosen.values()].map((user) =>
                h(
                    'li',
                    null,
                    chip(user, () => toggle(user)),
                ),
            ),
        );
        const focused = document.activeElement?.dataset?.id;
        const rows = found.map((user) =>
            h(
                'li',
                null,
                choice(user, chosen.has(user.id), () => toggle(user)),
            ),
        );
        replace(results, rows.length ? rows : h('li', null, nobody(search.input.value.trim())));
        if (focused) results.querySelector(`[data-id="${focused}"]`)?.focus();
    }
    ask();
    return { node: h('div', { class: 'picker' }, search.node, chips, results), chosen };
}

function chip(user, onclick) {
    const name = nameOf(user);
    const props = { type: 'button', class: 'chip', 'aria-label': `Remove ${name}`, onclick };
    return h('button', props, h('span', { dir: 'auto' }, name), icon('close'));
}

function choice(user, isChosen, onclick) {
    const name = nameOf(user);
    const props = { type: 'button', class: 'person', 'aria-pressed': String(isChosen), onclick };
    return h(
        'button',
        { ...props, dataset: { id: user.id } },
        pictureOf(user.id, name, { image: user.avatar }),
        namesOf(name, `@${user.username}`),
        isChosen && icon('check'),
    );
}

function nobody(words) {
    if (words) return h('p', { class: 'empty' }, `Nobody is called “${words}” here.`);
    return h(
        'div',
        { class: 'empty' },
        h('h3', null, 'Nobody else is here yet'),
        h('p', null, INVITATION),
        copyButton(location.origin),
    );
}

// The form for a new conversation. Resolves with the conversation, or undefined.
export async function newConversation({ user }) {
    const title = field('Group name', {
        name: 'title',
        maxlength: 255,
        autocomplete: 'off',
        dir: 'auto',
        hint: 'With one person and no name it is a one-to-one conversation.',
    });
    const problem = problemLine();
    const submit = h('button', { class: 'primary', type: 'submit', disabled: true }, 'Begin');
    const picker = peoplePicker({
        without: [user.id],
        changed: () => (submit.disabled = picker.chosen.size === 0),
    });
    const body = h('div', null, problem, picker.node, title.node);
    const dialog = openDialog({
        title: 'New conversation',
        body,
        footer: submit,
        onsubmit: async () => {
            if (submit.disabled) return;
            submit.disabled = true;
            const participants = [...picker.chosen.keys()];
            const name = title.input.value.trim();
            const isDirect = participants.length === 1 && !name;
            const json = isDirect ? { participants, direct: true } : { participants, title: name };
            try {
                dialog.close(await request('POST', '/api/conversations/', { json }));
            } catch (error) {
                showProblems(body, problem, error);
                submit.disabled = false;
            }
        },
    });
    return dialog.answer;
}

// Resolves with whether people were added.
export async function addPeople(conversation) {
    const problem = problemLine();
    const submit = h('button', { class: 'primary', type: 'submit', disabled: true }, 'Add');
    const picker = peoplePicker({
        without: conversation.participants.map(({ id }) => id),
        changed: () => (submit.disabled = picker.chosen.size === 0),
    });
    const dialog = openDialog({
        title: 'Add people',
        body: h('div', null, problem, picker.node),
        footer: submit,
        onsubmit: async () => {
            submit.disabled = true;
            const path = `/api/conversations/${conversation.id}/participants/`;
            try {
                for (const id of picker.chosen.keys()) {
                    await request('POST', path, { json: { user_id: id } });
                }
                dialog.close(true);
            } catch (error) {
                showProblems(dialog.dialog, problem, error);
                submit.disabled = false;
            }
        },
    });
    return (await dialog.answer) === true;
}
