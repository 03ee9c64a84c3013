// The open conversation: its head, the messages, the field to write in, and the panel of people.

import { h, icon, replace } from '../dom.js';
import { confirmed, toast } from '../ui.js';
import { Composer } from './composer.js';
import { Panel } from './panel.js';
import { Thread } from './thread.js';
import { pictureOf } from './person.js';
import { partnerOf, presenceText, presenceTitle, preview, titleOf, typistsOf } from './text.js';

const BANNERS = {
    connecting: 'Connecting…',
    waiting: 'No connection. What you write is sent when it is back.',
    syncing: 'Catching up…',
};

export class Conversation {
    #chat;
    #id = null;
    #head = h('header', { class: 'head' });
    #headSign = '';
    #banner = h('p', { class: 'banner', role: 'status' });
    #typing = h('p', { class: 'typing' });
    #missing = h(
        'div',
        { class: 'empty missing' },
        icon('alert'),
        h('h1', null, 'This conversation is not here'),
        h('p', null, 'It was deleted, or you are not in it.'),
        h('a', { class: 'button', href: '#/' }, 'All conversations'),
    );

    constructor({ chat }) {
        this.#chat = chat;
        const { client } = chat;
        this.composer = new Composer({ client });
        this.thread = new Thread({
            client,
            acts: {
                reply: (message) => this.composer.reply(message),
                edit: (message) => this.composer.edit(message),
                remove: (message) => this.#remove(message),
            },
        });
        this.composer.editLast = () => this.thread.lastOwn();
        this.composer.sent = () => this.thread.toEnd();
        this.panel = new Panel({ chat, close: () => this.#showPanel(false) });
        this.element = h(
            'section',
            { class: 'conversation', hidden: true, 'aria-label': 'Conversation' },
            h(
                'div',
                { class: 'middle' },
                this.#head,
                this.#banner,
                this.thread.element,
                this.#missing,
                this.#typing,
                this.composer.element,
            ),
            this.panel.element,
        );
        this.element.addEventListener('keydown', ({ key }) => {
            if (key === 'Escape' && !this.panel.element.hidden) this.#showPanel(false);
        });
    }

    get #conversation() {
        return this.#chat.client.conversations.get(this.#id);
    }

    // null: none.
    show(id) {
        this.element.hidden = id === null;
        if (id !== this.#id) {
            this.#showPanel(false);
            this.#id = id;
            this.thread.show(id);
            this.composer.show(id);
            this.#be(this.#conversation ? 'there' : 'coming');
            this.#welcome();
        }
    }

    // 'there', 'coming' (the server has not told anything of it yet, or not again), or 'missing'.
    #be(what) {
        if (this.element.dataset.is === what) return;
        this.element.dataset.is = what;
        this.#headSign = '';
        if (what === 'there') return;
        const back = { class: 'button plain round back', href: '#/', 'aria-label': 'Back' };
        replace(this.#head, h('a', back, icon('back')));
        if (what === 'missing') this.#showPanel(false);
    }

    // Who has a keyboard can write at once.
    #welcome() {
        const isThere = this.element.dataset.is === 'there';
        if (isThere && matchMedia('(hover: hover)').matches) this.composer.focus();
    }

    stop() {
        this.thread.stop();
    }

    focus() {
        this.composer.focus();
    }

    update(dirty) {
        this.#drawBanner();
        if (this.#id === null) return;
        const { client } = this.#chat;
        if (!this.#conversation) {
            // One that was just made may be on its way, and after a reset all are, so it is looked at
            // again whenever something comes. What is begun in the composer stays there, hidden.
            if (client.state === 'online') this.#be('missing');
            else if (this.element.dataset.is === 'there') this.#be('coming');
            return;
        }
        if (this.element.dataset.is !== 'there') {
            this.#be('there');
            if (document.activeElement === document.body) this.#welcome();
        }
        if (!client.me) return;
        const isChanged = dirty === null || dirty.has(this.#id);
        if (isChanged) {
            this.#chat.follow(this.#conversation.participants.slice(0, 50).map(({ id }) => id));
            this.composer.update(this.#conversation);
        }
        this.#drawHead();
        this.#drawTyping();
        this.panel.update(this.#conversation);
        this.thread.update(isChanged);
    }

    #drawBanner() {
        const { state } = this.#chat.client;
        const text = BANNERS[state] ?? '';
        if (this.#banner.dataset.state === state) return;
        this.#banner.dataset.state = state;
        const again = () => this.#chat.client.resume();
        replace(
            this.#banner,
            text,
            state === 'waiting' && h('button', { class: 'small', onclick: again }, 'Try now'),
        );
        this.#banner.hidden = !text;
    }

    #drawHead() {
        const { client } = this.#chat;
        const { me } = client;
        const conversation = this.#conversation;
        const partner = partnerOf(conversation, me);
        const presence = partner && client.presence.get(partner.id);
        const title = titleOf(conversation, me);
        const count = conversation.participant_count;
        const people = count === 1 ? 'Only you' : `${count} people`;
        const state = {
            id: conversation.id,
            title,
            sub: partner ? presenceText(presence) : people,
            hint: partner && presenceTitle(presence),
            isOnline: presence?.state === 'online',
        };
        const sign = JSON.stringify(state);
        if (sign === this.#headSign) return;
        this.#headSign = sign;
        this.element.setAttribute('aria-label', title);
        this.#fillHead(state, partner);
    }

    #fillHead({ id, title, sub, hint, isOnline }, partner) {
        const picture = pictureOf(partner?.id ?? id, title, { image: partner?.avatar, isOnline });
        const isOpen = !this.panel.element.hidden;
        this.toggle = h(
            'button',
            {
                class: 'plain round',
                'aria-label': 'People and settings',
                title: 'People and settings',
                'aria-expanded': String(isOpen),
                onclick: () => this.#showPanel(this.panel.element.hidden),
            },
            icon('people'),
        );
        replace(
            this.#head,
            h(
                'a',
                { class: 'button plain round back', href: '#/', 'aria-label': 'Back to the list' },
                icon('back'),
            ),
            picture,
            h(
                'div',
                { class: 'names' },
                h('h1', { dir: 'auto' }, title),
                h('p', { class: 'quiet small', title: hint }, sub),
            ),
            this.toggle,
        );
    }

    #showPanel(isShown) {
        const isChanged = this.panel.element.hidden === isShown;
        if (!isChanged) return;
        this.panel.element.hidden = !isShown;
        this.element.classList.toggle('with-panel', isShown);
        this.toggle?.setAttribute('aria-expanded', String(isShown));
        if (isShown) {
            this.panel.update(this.#conversation);
            this.panel.focus();
        } else this.toggle?.focus();
    }

    #drawTyping() {
        const names = typistsOf(this.#conversation, this.#chat.client);
        let text = '';
        if (names.length === 1) text = `${names[0]} is typing…`;
        else if (names.length === 2) text = `${names[0]} and ${names[1]} are typing…`;
        else if (names.length > 2) text = 'Several people are typing…';
        if (this.#typing.textContent !== text) this.#typing.textContent = text;
    }

    async #remove(message) {
        const text = preview(message.message_body);
        const isSure = await confirmed({
            title: 'Delete this message?',
            text: `“${text}” is deleted for everybody.`,
            yes: 'Delete',
        });
        if (!isSure) return;
        try {
            await this.#chat.client.delete(message);
        } catch (error) {
            toast(error.message, { bad: true });
        }
    }
}
