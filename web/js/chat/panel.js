// People and settings of a conversation.

import { h, icon, replace } from '../dom.js';
import { request } from '../session.js';
import { confirmed, field, openDialog, problemLine, showProblems, toast } from '../ui.js';
import { addPeople } from './people.js';
import { namesOf, pictureOf } from './person.js';
import { nameOf, presenceText, titleOf } from './text.js';

const ROLES = { owner: 'Owner', moderator: 'Moderator', member: '' };

export class Panel {
    #chat;
    #sign = '';
    #body = h('div', { class: 'scroller' });
    #close;

    constructor({ chat, close }) {
        this.#chat = chat;
        this.#close = h(
            'button',
            { class: 'plain round', 'aria-label': 'Close', onclick: close },
            icon('close'),
        );
        this.element = h(
            'aside',
            { class: 'panel', hidden: true, 'aria-label': 'People and settings' },
            h('header', { class: 'head' }, h('h2', null, 'People and settings'), this.#close),
            this.#body,
        );
    }

    focus() {
        this.#close.focus();
    }

    update(conversation) {
        if (this.element.hidden) return;
        const { client } = this.#chat;
        const presences = conversation.participants.map(({ id }) =>
            presenceText(client.presence.get(id)),
        );
        const { id, title, participants, participant_count: count, mine } = conversation;
        const sign = JSON.stringify([id, title, participants, count, mine?.role, presences]);
        if (sign === this.#sign) return;
        this.#sign = sign;
        replace(
            this.#body,
            this.#settings(conversation),
            this.#people(conversation),
            this.#leave(conversation),
        );
    }

    #mayChange({ direct, mine }) {
        return !direct && (mine?.role === 'owner' || mine?.role === 'moderator');
    }

    #settings(conversation) {
        const { me } = this.#chat.client;
        const rename = () => this.#rename(conversation);
        return h(
            'section',
            { class: 'about' },
            pictureOf(conversation.id, titleOf(conversation, me)),
            h('h3', { dir: 'auto' }, titleOf(conversation, me)),
            this.#mayChange(conversation) &&
                h('button', { class: 'small', onclick: rename }, icon('edit'), 'Rename'),
        );
    }

    #people(conversation) {
        const rows = conversation.participants.map((person) => this.#person(person, conversation));
        const more = conversation.participant_count - conversation.participants.length;
        const add = () => addPeople(conversation);
        return h(
            'section',
            null,
            h(
                'div',
                { class: 'row spread' },
                h('h3', null, `People (${conversation.participant_count})`),
                this.#mayChange(conversation) &&
                    h('button', { class: 'small', onclick: add }, icon('plus'), 'Add'),
            ),
            h('ul', { class: 'bare-list people', role: 'list' }, rows),
            more > 0 && h('p', { class: 'quiet small' }, `and ${more} more`),
        );
    }

    #person(person, conversation) {
        const { client, user } = this.#chat;
        const isMe = person.id === user.id;
        const name = nameOf(person);
        const isOnline = isMe || client.presence.get(person.id)?.state === 'online';
        const picture = pictureOf(person.id, name, { image: person.avatar, isOnline });
        const mayRemove =
            !isMe &&
            this.#mayChange(conversation) &&
            person.role !== 'owner' &&
            (conversation.mine.role === 'owner' || person.role === 'member');
        const state = isMe ? 'You' : presenceText(client.presence.get(person.id));
        const words = [`@${person.username}`, ROLES[person.role], state]
            .filter(Boolean)
            .join(' · ');
        const remove = () => this.#remove(person, conversation);
        return h(
            'li',
            { class: 'person' },
            picture,
            namesOf(name, words),
            mayRemove &&
                h(
                    'button',
                    {
                        class: 'plain round small',
                        'aria-label': `Remove ${name}`,
                        title: 'Remove',
                        onclick: remove,
                    },
                    icon('close'),
                ),
        );
    }

    #leave(conversation) {
        const leave = () => this.#leaveIt(conversation);
        return h(
            'section',
            null,
            h('button', { class: 'small', onclick: leave }, icon('out'), 'Leave the conversation'),
        );
    }

    async #rename({ id, title }) {
        const name = field('Name', {
            name: 'title',
            value: title,
            maxlength: 255,
            dir: 'auto',
            autofocus: true,
        });
        const problem = problemLine();
        const body = h('div', null, problem, name.node);
        const dialog = openDialog({
            title: 'Rename the conversation',
            body,
            footer: h('button', { class: 'primary', type: 'submit' }, 'Save'),
            onsubmit: async () => {
                try {
                    const json = { title: name.input.value.trim() };
                    await request('PATCH', `/api/conversations/${id}/`, { json });
                    dialog.close();
                } catch (error) {
                    showProblems(body, problem, error);
                }
            },
        });
        name.input.select();
    }

    async #remove(person, { id }) {
        const name = nameOf(person);
        const text = `${name} will not see what is written from then on.`;
        if (!(await confirmed({ title: `Remove ${name}?`, text, yes: 'Remove' }))) return;
        await this.#end(id, person.id);
    }

    async #leaveIt({ id }) {
        const text = 'You will not see what is written from then on.';
        if (!(await confirmed({ title: 'Leave the conversation?', text, yes: 'Leave' }))) return;
        await this.#end(id, this.#chat.user.id);
    }

    async #end(id, userId) {
        try {
            await request('DELETE', `/api/conversations/${id}/participants/${userId}/`);
        } catch (error) {
            toast(error.message, { bad: true });
        }
    }
}
