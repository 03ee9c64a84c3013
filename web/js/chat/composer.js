// The field to write in: a new message, an answer to one, or another text for one.

import { h, icon, numberOf, replace } from '../dom.js';
import { toast } from '../ui.js';
import { nameOf, preview } from './text.js';

const LENGTH_MAX = 10_000; // characters, as the server counts them
const LENGTH_NEAR = 9_500;
const HEIGHT_MAX = 200;

const isTouch = () => matchMedia('(pointer: coarse)').matches;

export class Composer {
    #client;
    #id = null;
    #drafts = new Map(); // conversation id -> {text, reply}
    #reply = null; // the message that is answered
    #edited = null; // the message that is changed
    #about = h('div', { class: 'about', hidden: true });
    #count = h('p', { class: 'hint', id: 'text-count', 'aria-live': 'polite' });
    #closed = h(
        'p',
        { class: 'notice closed', hidden: true },
        'This conversation is closed. Nobody can write in it.',
    );
    #text;
    #send = h(
        'button',
        { class: 'primary round', type: 'submit', 'aria-label': 'Send' },
        icon('send'),
    );

    editLast = () => null; // the message that the user wrote last
    sent = () => {};

    constructor({ client }) {
        this.#client = client;
        this.#text = h('textarea', {
            id: 'text',
            rows: '1',
            dir: 'auto',
            placeholder: 'Write a message',
            'aria-label': 'Message',
            'aria-describedby': 'text-count',
            enterkeyhint: isTouch() ? 'enter' : 'send',
            oninput: () => this.#typed(),
            onkeydown: (event) => this.#key(event),
        });
        const submit = (event) => {
            event.preventDefault();
            this.#submit();
        };
        this.form = h(
            'form',
            { onsubmit: submit },
            this.#about,
            h('div', { class: 'line' }, this.#text, this.#send),
            this.#count,
        );
        this.element = h('div', { class: 'composer' }, this.form, this.#closed);
    }

    focus() {
        this.#text.focus();
    }

    // What was begun in the conversation before is kept until one comes back.
    show(id) {
        if (this.#edited) this.#stop();
        if (this.#id) this.#drafts.set(this.#id, { text: this.#text.value, reply: this.#reply });
        this.#id = id;
        const { text = '', reply = null } = this.#drafts.get(id) ?? {};
        this.#reply = reply;
        this.#set(text);
        this.#drawAbout();
    }

    update({ closed }) {
        this.form.hidden = closed;
        this.#closed.hidden = !closed;
    }

    reply(message) {
        if (this.#edited) this.#stop();
        this.#reply = message;
        this.#drawAbout();
        this.focus();
    }

    edit(message) {
        this.#edited = message;
        this.#reply = null;
        this.#set(message.message_body);
        this.#drawAbout();
        this.focus();
    }

    #stop() {
        if (this.#edited) this.#set('');
        this.#edited = null;
        this.#reply = null;
        this.#drawAbout();
    }

    #set(text) {
        this.#text.value = text;
        this.#size();
    }

    #size() {
        const { style } = this.#text;
        style.height = 'auto';
        style.height = `${Math.min(this.#text.scrollHeight + 2, HEIGHT_MAX)}px`;
        const length = [...this.#text.value.trim()].length;
        const isLong = length > LENGTH_MAX;
        this.#count.textContent =
            length > LENGTH_NEAR ? `${numberOf(length)} of ${numberOf(LENGTH_MAX)} characters` : '';
        this.#count.classList.toggle('error', isLong);
        this.#send.disabled = length === 0 || isLong;
    }

    #drawAbout() {
        const message = this.#edited ?? this.#reply;
        this.#about.hidden = !message;
        this.#send.setAttribute('aria-label', this.#edited ? 'Save' : 'Send');
        if (!message) return;
        const title = this.#edited ? 'Editing' : `Reply to ${nameOf(message.sender)}`;
        const cancel = () => {
            this.#stop();
            this.focus();
        };
        replace(
            this.#about,
            icon(this.#edited ? 'edit' : 'reply'),
            h(
                'p',
                null,
                h('b', { dir: 'auto' }, title),
                h('span', { dir: 'auto' }, preview(message.message_body)),
            ),
            h(
                'button',
                {
                    type: 'button',
                    class: 'plain round small',
                    'aria-label': 'Cancel',
                    onclick: cancel,
                },
                icon('close'),
            ),
        );
    }

    #typed() {
        this.#size();
        if (this.#text.value && !this.#edited) this.#client.typing(this.#id);
    }

    #key(event) {
        const { key, shiftKey, isComposing } = event;
        if (key === 'Enter' && !shiftKey && !isComposing && !isTouch()) {
            event.preventDefault();
            this.#submit();
        } else if (key === 'Escape' && (this.#edited || this.#reply)) {
            event.stopPropagation();
            this.#stop();
        } else if (key === 'ArrowUp' && !this.#text.value && !this.#edited) {
            const message = this.editLast();
            if (!message) return;
            event.preventDefault();
            this.edit(message);
        }
    }

    #submit() {
        const text = this.#text.value.trim();
        if (this.#send.disabled || !text) return;
        if (this.#edited) this.#save(this.#edited, text);
        else {
            this.#client
                .send(this.#id, text, { replyTo: this.#reply?.id ?? null })
                .delivered.catch(() => {});
            this.#set('');
            this.#stop();
            this.sent();
        }
    }

    // What failed is given back to be tried again, if its place is free, and of the message as it is
    // now: an edit of an older one would be refused each time.
    async #save(message, text) {
        const id = this.#id;
        this.#stop();
        if (text === message.message_body) return;
        try {
            await this.#client.edit(message, text);
        } catch (error) {
            const isOld = error.status === 409;
            toast(isOld ? 'Somebody has changed this message meanwhile.' : error.message, {
                bad: true,
            });
            if (this.#id !== id || this.#text.value || this.#edited || this.#reply) return;
            const { messages } = this.#client.conversations.get(id) ?? {};
            const present = messages?.get(message.seq) ?? message;
            if (!present.deleted) this.edit(present);
            this.#set(text);
        }
    }
}
