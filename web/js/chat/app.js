// The signed-in page: the list on one side, the conversation beside it, and what goes between them
// and the client library. Draws at most once a frame, whatever comes in between.

import { h, icon } from '../dom.js';
import { toast } from '../ui.js';
import { Conversation } from './conversation.js';
import { newConversation } from './people.js';
import { Sidebar } from './sidebar.js';
import { nameOf, preview, titleOf } from './text.js';

const HIDDEN_MS = 250; // pages that nobody sees have no frames
const FOLLOWED_MAX = 190; // the server follows 200 users for a connection

export class Chat {
    #dirty = new Set();
    #isAll = true;
    #isPlanned = false;
    #stops = [];
    #abort = new AbortController();
    #followed = new Set();

    // leave(): the user wants to sign out.
    constructor({ client, user, leave }) {
        Object.assign(this, { client, user });
        this.sidebar = new Sidebar({ chat: this, leave });
        this.conversation = new Conversation({ chat: this });
        this.nothing = this.#emptyPane();
        this.element = h(
            'div',
            { class: 'chat' },
            h('a', { class: 'skip', href: '#text' }, 'To the message field'),
            this.sidebar.element,
            h('main', { class: 'pane' }, this.nothing, this.conversation.element),
        );
        this.element.querySelector('.skip').addEventListener('click', (event) => {
            event.preventDefault();
            this.conversation.focus();
        });
    }

    #emptyPane() {
        return h(
            'div',
            { class: 'empty' },
            icon('chat'),
            h('h1', null, 'Your conversations'),
            h('p', null, 'Choose one from the list, or begin a new one.'),
            h(
                'button',
                { class: 'primary', onclick: () => this.begin() },
                icon('plus'),
                'New conversation',
            ),
        );
    }

    start() {
        const { client } = this;
        const listen = (event, listener) => this.#stops.push(client.on(event, listener));
        listen('change', ({ conversationIds }) => this.#plan(conversationIds));
        listen('state', ({ state }) => this.#turned(state));
        listen('outbox', ({ status }) => status === 'failed' && this.#dropLost());
        listen('reset', () => this.#planAll());
        listen('message', (event) => this.#announce(event));
        listen('presence', ({ userId }) => this.#plan(this.sidebar.conversationsWith(userId)));
        listen('gone', ({ conversationId }) => this.#left(conversationId));
        listen('gone', () => this.#dropLost());
        const { signal } = this;
        addEventListener('hashchange', () => this.#route(), { signal });
        addEventListener('focus', () => this.#plan([]), { signal });
        document.addEventListener('visibilitychange', () => this.#plan([]), { signal });
        document.addEventListener('keydown', (event) => this.#key(event), { signal });
        this.#route();
        this.#draw();
    }

    stop() {
        this.#abort.abort();
        this.#stops.forEach((stop) => stop());
        this.conversation.stop();
    }

    get signal() {
        return this.#abort.signal;
    }

    // ---- where we are ----

    get openId() {
        return /^#\/c\/([0-9a-f-]{36})$/.exec(location.hash)?.[1] ?? null;
    }

    go(id) {
        location.hash = id ? `#/c/${id}` : '#/';
    }

    #route() {
        const id = this.openId;
        this.element.classList.toggle('open', id !== null);
        this.conversation.show(id);
        this.nothing.hidden = id !== null;
        this.#planAll();
    }

    #left(id) {
        if (id !== this.openId) return;
        toast('You are no longer in this conversation.');
        this.go(null);
    }

    // What failed while there was no connection is tried again.
    #turned(state) {
        if (state === 'online') {
            this.#planAll();
            this.#dropLost();
        } else this.#plan([]);
    }

    // What was refused is seen in its conversation. Where that has gone it can be said only; which have
    // gone is known when all has been told.
    #dropLost() {
        const { client } = this;
        if (client.state !== 'online') return;
        for (const item of client.pending()) {
            if (item.state !== 'failed' || client.conversations.has(item.conversation_id)) continue;
            client.remove(item.client_id);
            const text = preview(item.message_body);
            toast(`“${text}” was not sent: its conversation is not there any more.`, { bad: true });
        }
    }

    #key(event) {
        if (event.key === 'k' && (event.ctrlKey || event.metaKey)) {
            event.preventDefault();
            this.go(matchMedia('(max-width: 48rem)').matches ? null : this.openId);
            this.sidebar.search.focus();
            this.sidebar.search.select();
        }
    }

    async begin() {
        const made = await newConversation(this);
        if (made) this.go(made.id);
    }

    // ---- drawing ----

    #plan(ids) {
        for (const id of ids) this.#dirty.add(id);
        if (this.#isPlanned) return;
        this.#isPlanned = true;
        if (document.hidden) setTimeout(() => this.#draw(), HIDDEN_MS);
        else requestAnimationFrame(() => this.#draw());
    }

    #planAll() {
        this.#isAll = true;
        this.#plan([]);
    }

    #draw() {
        this.#isPlanned = false;
        const dirty = this.#isAll ? null : this.#dirty;
        this.#isAll = !this.client.me; // until it is known who reads, nothing can be drawn
        this.#dirty = new Set();
        this.sidebar.update(dirty);
        this.conversation.update(dirty);
        this.#title();
    }

    #title() {
        const { conversations, me } = this.client;
        let unread = 0;
        for (const { unread_count: count } of conversations.values()) unread += count;
        const open = conversations.get(this.openId);
        const name = open && me ? `${preview(titleOf(open, me))} - Confab` : 'Confab';
        document.title = unread ? `(${unread}) ${name}` : name;
    }

    // Screen readers are told what comes while somebody is here, not what is caught up with.
    #announce({ conversation, message, previous }) {
        const { me, state } = this.client;
        if (state !== 'online' || previous || message.deleted || message.sender_id === me.id)
            return;
        const where = conversation.id === this.openId ? '' : ` in ${titleOf(conversation, me)}`;
        const text = `${nameOf(message.sender)}${where}: ${preview(message.message_body)}`;
        document.getElementById('announcer').textContent = text;
    }

    // ---- who is there ----

    follow(ids) {
        const fresh = ids.filter((id) => !this.#followed.has(id) && id !== this.user.id);
        const some = fresh.slice(0, FOLLOWED_MAX - this.#followed.size);
        for (const id of some) this.#followed.add(id);
        if (some.length) this.client.subscribe(some);
    }
}
