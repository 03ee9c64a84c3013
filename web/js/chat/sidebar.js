// The list of conversations: the newest activity first, unread counts, search, and people to begin a
// conversation with.

import { h, icon, numberOf, replace, shortTimeOf } from '../dom.js';
import { request } from '../session.js';
import { copyButton, toast } from '../ui.js';
import { Keyed } from './keyed.js';
import { namesOf, pictureOf } from './person.js';
import { INVITATION, nameOf, partnerOf, preview, titleOf, typistsOf } from './text.js';

const SEARCH_MS = 200;
const PEOPLE_MAX = 8;
const FOLLOWED_AT_ONCE = 100;

export class Sidebar {
    #chat;
    #items = new Map(); // conversation id -> {key, sign, make, at, words, partner}
    #byPartner = new Map(); // user id -> conversation id
    #list = h('ul', { class: 'bare-list rows', role: 'list' });
    #rows = new Keyed(this.#list);
    #people = h('div', { class: 'found', hidden: true });
    #empty = h('div', { class: 'empty', hidden: true });
    #nav = h(
        'nav',
        { class: 'scroller', 'aria-label': 'Conversations' },
        this.#list,
        this.#people,
        this.#empty,
    );
    #timer = null;
    #asked = '';

    constructor({ chat, leave }) {
        this.#chat = chat;
        this.search = h('input', {
            type: 'search',
            'aria-label': 'Search conversations and people',
            placeholder: 'Search',
            autocomplete: 'off',
            dir: 'auto',
            oninput: () => this.#searched(),
            onkeydown: (event) => this.#searchKey(event),
        });
        const begin = () => chat.begin();
        this.element = h(
            'div',
            { class: 'sidebar' },
            h(
                'header',
                { class: 'top' },
                this.#account(leave),
                h(
                    'button',
                    {
                        class: 'primary round',
                        'aria-label': 'New conversation',
                        title: 'New conversation',
                        onclick: begin,
                    },
                    icon('plus'),
                ),
            ),
            h('div', { class: 'search', role: 'search' }, icon('search'), this.search),
            this.#nav,
        );
        this.#list.addEventListener('keydown', (event) => this.#arrow(event));
    }

    #account(leave) {
        const { user } = this.#chat;
        const name = nameOf(user);
        const link = (href, text) => h('a', { href }, text);
        const out = h('button', { type: 'button', onclick: leave }, icon('out'), 'Sign out');
        const menu = h(
            'details',
            { class: 'menu account' },
            h(
                'summary',
                null,
                pictureOf(user.id, name, { image: user.avatar }),
                h('span', { class: 'visually-hidden' }, 'Account of '),
                h('b', { dir: 'auto' }, name),
            ),
            h(
                'div',
                null,
                h('p', { class: 'quiet small', dir: 'auto' }, user.email ?? user.username),
                link('/api/', 'Browsable API'),
                link('/api/schema/swagger-ui/', 'Swagger UI'),
                user.role === 'admin' && link('/admin/', 'Admin site'),
                out,
            ),
        );
        const close = () => (menu.open = false);
        menu.addEventListener(
            'focusout',
            ({ relatedTarget: to }) => to && !menu.contains(to) && close(),
        );
        menu.addEventListener('keydown', ({ key }) => key === 'Escape' && close());
        const { signal } = this.#chat;
        document.addEventListener('click', ({ target }) => menu.contains(target) || close(), {
            signal,
        });
        return menu;
    }

    conversationsWith(userId) {
        return this.#byPartner.has(userId) ? [this.#byPartner.get(userId)] : [];
    }

    // `dirty`: ids of the conversations that have changed; null: all.
    update(dirty) {
        const { client } = this.#chat;
        if (!client.me) return;
        if (dirty === null) this.#items.clear();
        for (const id of dirty ?? client.conversations.keys()) this.#describe(id);
        this.#follow();
        this.#draw();
    }

    #describe(id) {
        const { client, openId } = this.#chat;
        const conversation = client.conversations.get(id);
        if (!conversation) {
            this.#items.delete(id);
            return;
        }
        const row = rowOf(conversation, client, openId === id);
        if (row.partner) this.#byPartner.set(row.partner.id, id);
        const names = conversation.participants.flatMap((person) => [
            person.full_name,
            person.username,
        ]);
        const words = [row.title, ...names].join(' ').toLowerCase();
        const { at, partner } = row;
        const sign = JSON.stringify(row);
        this.#items.set(id, { key: id, sign, make: () => makeRow(row), at, words, partner });
    }

    #follow() {
        const newest = this.#sorted().slice(0, FOLLOWED_AT_ONCE);
        this.#chat.follow(newest.map(({ partner }) => partner?.id).filter(Boolean));
    }

    #sorted() {
        return [...this.#items.values()].sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0));
    }

    get #words() {
        return this.search.value.trim().toLowerCase();
    }

    #draw() {
        const words = this.#words.split(/\s+/).filter(Boolean);
        const isFound = (item) => words.every((word) => item.words.includes(word));
        const shown = this.#sorted().filter(isFound);
        this.#rows.update(shown);
        const isEmpty =
            this.#items.size === 0 && words.length === 0 && this.#chat.client.state === 'online';
        if (isEmpty && this.#empty.hidden) replace(this.#empty, this.#invitation());
        this.#empty.hidden = !isEmpty;
    }

    #invitation() {
        const begin = () => this.#chat.begin();
        return [
            icon('people'),
            h('h2', null, 'No conversations yet'),
            h('p', null, 'Begin one with somebody who is here already.'),
            h('button', { class: 'primary', onclick: begin }, 'New conversation'),
            h('p', null, `Nobody here? ${INVITATION}`),
            copyButton(location.origin),
        ];
    }

    // ---- searching ----

    #searched() {
        clearTimeout(this.#timer);
        this.#draw();
        if (this.#words) this.#timer = setTimeout(() => this.#findPeople(), SEARCH_MS);
        else this.#people.hidden = true;
    }

    async #findPeople() {
        const words = this.#words;
        this.#asked = words;
        try {
            const query = { q: words, page_size: PEOPLE_MAX };
            const { results } = await request('GET', '/api/users/search/', { query });
            if (this.#asked === words && this.#words === words) this.#showPeople(results);
        } catch (error) {
            toast(error.message, { bad: true });
        }
    }

    #showPeople(users) {
        const others = users.filter(({ id }) => id !== this.#chat.user.id);
        const rows = others.map((user) => h('li', null, this.#personButton(user)));
        const nothing = rows.length === 0 && this.#list.childElementCount === 0;
        replace(
            this.#people,
            rows.length > 0 && [
                h('h2', null, 'People'),
                h('ul', { class: 'bare-list', role: 'list' }, rows),
            ],
            nothing && h('p', { class: 'empty' }, 'Nothing found.'),
        );
        this.#people.hidden = rows.length === 0 && !nothing;
    }

    #personButton(user) {
        const name = nameOf(user);
        const open = async () => {
            try {
                const json = { participants: [user.id], direct: true };
                const { id } = await request('POST', '/api/conversations/', { json });
                this.#clear();
                this.#chat.go(id);
            } catch (error) {
                toast(error.message, { bad: true });
            }
        };
        return h(
            'button',
            { class: 'person', onclick: open },
            pictureOf(user.id, name, { image: user.avatar }),
            namesOf(name, `@${user.username}`),
        );
    }

    #clear() {
        this.search.value = '';
        this.#searched();
    }

    #searchKey(event) {
        if (event.key === 'Escape') this.#clear();
        else if (event.key === 'ArrowDown' || event.key === 'Enter') {
            const first = this.#nav.querySelector('a, button');
            if (!first) return;
            event.preventDefault();
            if (event.key === 'Enter') first.click();
            else first.focus();
        }
    }

    #arrow(event) {
        const way = { ArrowDown: 'nextElementSibling', ArrowUp: 'previousElementSibling' }[
            event.key
        ];
        const row = way && event.target.closest('li');
        if (!row) return;
        event.preventDefault();
        if (row[way]) row[way].querySelector('a').focus();
        else if (event.key === 'ArrowUp') this.search.focus();
    }
}

// ---- one row ----------------------------------------------------------------------------------

function lastLine(conversation, client) {
    const pending = client.pending(conversation.id).at(-1);
    if (pending) return { text: `You: ${preview(pending.message_body)}`, isOwn: true };
    const message = conversation.messages.get(conversation.last_seq);
    if (!message) return { text: conversation.last_seq ? '' : 'No messages yet' };
    const isOwn = message.sender_id === client.me.id;
    if (message.deleted) return { text: 'Message deleted', isFaint: true };
    const who = isOwn ? 'You: ' : conversation.direct ? '' : `${nameOf(message.sender)}: `;
    return { text: who + preview(message.message_body), at: message.sent_at };
}

// All that a row shows.
function rowOf(conversation, client, isOpen) {
    const { me } = client;
    const { text, isFaint = false } = lastLine(conversation, client);
    const partner = partnerOf(conversation, me);
    const typists = typistsOf(conversation, client);
    const message = conversation.messages.get(conversation.last_seq);
    const at = message?.sent_at ?? conversation.created_at;
    return {
        id: conversation.id,
        title: titleOf(conversation, me),
        partner: partner && { id: partner.id, avatar: partner.avatar },
        isOnline: Boolean(partner) && client.presence.get(partner.id)?.state === 'online',
        text: typists.length ? `${typists[0]} is typing…` : text,
        isFaint: isFaint || typists.length > 0,
        hasFailed: client.pending(conversation.id).some(({ state }) => state === 'failed'),
        unread: conversation.unread_count,
        at,
        when: shortTimeOf(at),
        isOpen,
    };
}

function makeRow({
    id,
    title,
    partner,
    isOnline,
    text,
    isFaint,
    hasFailed,
    unread,
    at,
    when,
    isOpen,
}) {
    const picture = pictureOf(partner?.id ?? id, title, { image: partner?.avatar, isOnline });
    const count = h(
        'span',
        { class: 'badge accent' },
        unread > 999 ? '999+' : numberOf(unread),
        h('span', { class: 'visually-hidden' }, ' unread'),
    );
    return h(
        'li',
        null,
        h(
            'a',
            {
                class: unread ? 'row-link unread' : 'row-link',
                href: `#/c/${id}`,
                'aria-current': isOpen && 'page',
            },
            picture,
            h('b', { class: 'title', dir: 'auto' }, title),
            h('time', { datetime: at }, when),
            h('span', { class: isFaint ? 'last faint' : 'last', dir: 'auto' }, text),
            h(
                'span',
                { class: 'state' },
                hasFailed && h('span', { class: 'badge bad' }, 'Not sent'),
                unread > 0 && count,
            ),
            isOnline && h('span', { class: 'visually-hidden' }, 'Online'),
        ),
    );
}
