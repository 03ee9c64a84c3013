// The messages of the open conversation. Of what is kept, a window is in the page: it grows towards
// where one scrolls, asks the server for what is older, and lets go at the other end.

import { dayOf, h, icon, numberOf, spinner } from '../dom.js';
import { toast } from '../ui.js';
import { Keyed } from './keyed.js';
import { messageNode, pendingNode } from './message.js';
import { othersOf } from './text.js';

const STEP = 60; // messages that the window grows by
const WINDOW_MAX = 300;
const NEAR_PX = 800; // so close to an end it grows
const END_PX = 60;
const JOIN_MS = 5 * 60_000; // one's messages within this time stand together
const HISTORY = 100;
const AWAITED = { rev: 'awaited', isAwaited: true };

export class Thread {
    #client;
    #acts;
    #id = null;
    #copy = null; // {conversation, generation} of what is drawn
    #first = 0; // seq; the window is from here
    #last = Infinity; // ... to here; Infinity: and what comes
    #unreadFrom = Infinity; // the first that was not read when the conversation was opened
    #isNew = true; // not drawn since it was opened
    #isStuck = true; // at the end, where it stays
    #hasMore = true;
    #isLoading = false;
    #isRefused = false; // the last load was; it has been said
    #isStale = false; // something was to be drawn while the panel was before it
    #found = new Map(); // message id -> message, null or AWAITED; of those that are not kept here
    #seqs = new Map(); // message id -> seq
    #box = h('div', { class: 'rows' });
    #rows = new Keyed(this.#box);
    #loading = h('p', { class: 'loading', hidden: true }, spinner());
    #empty = h(
        'div',
        { class: 'empty', hidden: true },
        h('p', null, 'No messages yet. Write the first one.'),
    );
    #scroller;
    #jump;
    #observer;

    constructor({ client, acts }) {
        this.#client = client;
        this.#acts = {
            ...acts,
            jump: (message) => this.#jumpTo(message),
            retry: (item) => client.retry(item.client_id),
            discard: (item) => client.remove(item.client_id),
        };
        this.#scroller = h(
            'div',
            {
                class: 'scroller',
                role: 'log',
                'aria-label': 'Messages',
                'aria-live': 'off',
                tabindex: '0',
            },
            this.#loading,
            this.#empty,
            this.#box,
        );
        this.#jump = h(
            'button',
            {
                class: 'to-end',
                type: 'button',
                hidden: true,
                'aria-label': 'To the newest message',
                onclick: () => this.toEnd(),
            },
            icon('down'),
        );
        this.element = h('div', { class: 'thread' }, this.#scroller, this.#jump);
        this.#scroller.addEventListener('scroll', () => this.#scrolled(), { passive: true });
        this.#scroller.addEventListener('keydown', (event) => this.#key(event));
        this.#observer = new ResizeObserver(() => this.#resized());
        this.#observer.observe(this.#scroller);
        this.#observer.observe(this.#box);
    }

    stop() {
        this.#observer.disconnect();
    }

    get #conversation() {
        return this.#client.conversations.get(this.#id);
    }

    show(id) {
        this.#id = id;
        this.#isNew = true;
        this.#isLoading = false;
        this.#isRefused = false;
        this.#isStale = false;
        this.#hasMore = true;
        this.#found.clear();
        this.#seqs.clear();
        this.#rows.update([]);
        for (const node of [this.#loading, this.#empty, this.#jump]) node.hidden = true;
    }

    lastOwn() {
        if (!this.#conversation) return null;
        const { last_seq: last, messages, from_seq: from } = this.#conversation;
        for (let seq = last; seq >= from; seq--) {
            const message = messages.get(seq);
            if (message && message.sender_id === this.#client.me.id && !message.deleted)
                return message;
        }
        return null;
    }

    toEnd() {
        if (this.#isNew || !this.#conversation) return; // it opens there
        this.#last = Infinity;
        this.#first = Math.max(this.#first, this.#conversation.last_seq - STEP);
        this.#isStuck = true;
        this.#draw();
        this.#stick();
    }

    // `isChanged`: something of this conversation.
    update(isChanged) {
        this.#renew();
        if (this.#isNew && this.#isAwaited()) return;
        if (this.#isNew) this.#open();
        else if (isChanged) {
            this.#draw();
            this.#scrolled(); // what could not be loaded is tried again
        } else this.#markRead();
    }

    // Where messages were forgotten, the window may lie where there are none.
    #renew() {
        const conversation = this.#conversation;
        const { generation } = conversation;
        const isSame =
            this.#copy?.conversation === conversation && this.#copy.generation === generation;
        this.#copy = { conversation, generation };
        if (!isSame) this.show(this.#id);
    }

    get #hasLast() {
        const { last_seq: last, messages } = this.#conversation;
        return last === 0 || messages.has(last);
    }

    // Are the messages on their way?
    #isAwaited() {
        return !this.#hasLast && !['waiting', 'connecting'].includes(this.#client.state);
    }

    #open() {
        const { last_seq: last, from_seq: from, unread_count: unread } = this.#conversation;
        this.#isNew = false;
        this.#first = Math.max(from, last - STEP + 1);
        this.#last = Infinity;
        this.#unreadFrom = unread ? last - unread + 1 : Infinity;
        this.#isStuck = true;
        this.#draw();
        const divider = this.#rows.node('unread');
        if (divider) {
            divider.scrollIntoView({ block: 'start' });
            this.#isStuck = this.#isAtEnd();
        } else this.#stick();
        this.#scrolled();
    }

    // ---- rows ----

    // Without a layout there is no place to keep: it is drawn when it is seen again.
    #draw() {
        this.#isStale = this.#isCovered;
        if (this.#isStale) return;
        const anchor = this.#isStuck ? null : this.#anchor();
        this.#rows.update([...this.#messageItems(), ...this.#pendingItems()]);
        this.#empty.hidden = this.#box.childElementCount > 0 || this.#conversation.last_seq > 0;
        if (anchor) this.#restore(anchor);
        else this.#stick();
        this.#drawJump();
    }

    #messageItems() {
        const conversation = this.#conversation;
        const { messages, last_seq: last, from_seq: from } = conversation;
        const context = this.#context(conversation);
        const items = [];
        let before = null;
        this.#first = Math.max(this.#first, from);
        for (let seq = this.#first; seq <= Math.min(this.#last, last); seq++) {
            const message = messages.get(seq);
            if (!message) continue;
            const day = new Date(message.sent_at).toDateString();
            const isNewDay = !before || new Date(before.sent_at).toDateString() !== day;
            if (isNewDay) items.push(dayItem(day, message.sent_at));
            const isDivided = seq === this.#unreadFrom;
            if (isDivided) items.push(UNREAD);
            const isJoined = !isNewDay && !isDivided && goesWith(message, before);
            items.push(this.#messageItem(message, isJoined, context));
            before = message;
        }
        return items;
    }

    // What is the same for all rows.
    #context(conversation) {
        const { me } = this.#client;
        const others = othersOf(conversation, me);
        const reads = others.map(({ id }) => conversation.reads.get(id) ?? 0);
        const role = conversation.mine?.role;
        return {
            me,
            isGroup: !conversation.direct,
            readByAll: reads.length ? Math.min(...reads) : 0,
            mayDeleteAll: role === 'owner' || role === 'moderator',
            ownerId: conversation.participants.find((person) => person.role === 'owner')?.id,
        };
    }

    #messageItem(message, isJoined, { me, isGroup, readByAll, mayDeleteAll, ownerId }) {
        const { seq, rev, sender_id: senderId } = message;
        const isOwn = senderId === me.id;
        const quoted = message.reply_to ? this.#find(message.reply_to) : undefined;
        const isNamed = isGroup && !isOwn;
        const isRead = seq <= readByAll;
        const mayDelete = isOwn || (mayDeleteAll && senderId !== ownerId);
        const row = { message, isOwn, isJoined, isNamed, isRead, mayDelete, quoted };
        const sign = [
            rev,
            isJoined,
            isNamed,
            isOwn && isRead,
            mayDelete,
            quoted?.rev,
            quoted === null,
        ].join();
        return { key: `m${seq}`, sign, make: () => messageNode(row, this.#acts) };
    }

    #pendingItems() {
        if (this.#last !== Infinity) return [];
        return this.#client.pending(this.#id).map((item) => {
            const quoted = item.reply_to ? this.#find(item.reply_to) : undefined;
            const make = () => pendingNode({ item, quoted }, this.#acts);
            return { key: item.client_id, sign: [item.state, quoted?.rev].join(), make };
        });
    }

    // The message with this id; null: it is not there (any more); AWAITED: not known yet.
    #find(id) {
        const { messages } = this.#conversation;
        const known = messages.get(this.#seqs.get(id));
        if (known?.id === id) return known;
        for (const message of messages.values()) this.#seqs.set(message.id, message.seq);
        if (this.#seqs.has(id)) return messages.get(this.#seqs.get(id));
        if (!this.#found.has(id)) this.#fetch(id);
        return this.#found.get(id);
    }

    // What fails is tried again when the rows are drawn again, which is not done for that.
    async #fetch(id) {
        const conversationId = this.#id;
        this.#found.set(id, AWAITED);
        let message = null;
        let isFailed = false;
        try {
            message = await this.#client.request('GET', `/api/messages/${id}/`);
        } catch (error) {
            isFailed = error.retriable;
        }
        if (this.#id !== conversationId) return;
        if (isFailed) this.#found.delete(id);
        else this.#found.set(id, message);
        if (!isFailed && !this.#isNew && this.#conversation) this.#draw();
    }

    // ---- scrolling ----

    get #isCovered() {
        return this.#scroller.clientHeight === 0;
    }

    #resized() {
        if (this.#isCovered) return;
        if (this.#isStale && this.#conversation) {
            this.#draw();
            this.#scrolled();
        } else if (this.#isStuck) this.#stick();
    }

    #isAtEnd() {
        if (this.#isCovered) return false;
        const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
        return this.#last === Infinity && scrollHeight - scrollTop - clientHeight < END_PX;
    }

    #stick() {
        this.#scroller.scrollTop = this.#scroller.scrollHeight;
    }

    // The first row in sight, and where it is: it stays there.
    #anchor() {
        const top = this.#scroller.getBoundingClientRect().top;
        for (const node of this.#box.children) {
            const { bottom } = node.getBoundingClientRect();
            if (bottom > top && node.dataset.seq) return { seq: node.dataset.seq, bottom };
        }
        return null;
    }

    #restore({ seq, bottom }) {
        const node = this.#rows.node(`m${seq}`);
        if (node) this.#scroller.scrollTop += node.getBoundingClientRect().bottom - bottom;
    }

    #scrolled() {
        if (this.#isNew || !this.#conversation || this.#isCovered) return;
        this.#isStuck = this.#isAtEnd();
        const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
        if (scrollTop < NEAR_PX) this.#growUp();
        if (scrollHeight - scrollTop - clientHeight < NEAR_PX) this.#growDown();
        this.#drawJump();
        this.#markRead();
    }

    #growUp() {
        const { from_seq: from } = this.#conversation;
        if (this.#first > from) {
            this.#first = Math.max(from, this.#first - STEP);
            if (this.#last - this.#first > WINDOW_MAX && !this.#isStuck) {
                this.#last = Math.min(this.#conversation.last_seq, this.#first + WINDOW_MAX);
                if (this.#last === this.#conversation.last_seq) this.#last = Infinity;
            }
            this.#draw();
            requestAnimationFrame(() => this.#scrolled());
        } else if (from > 1 && this.#hasMore && !this.#isLoading) this.#load();
    }

    #growDown() {
        if (this.#last === Infinity) return;
        const { last_seq: last } = this.#conversation;
        this.#last = this.#last + STEP >= last ? Infinity : this.#last + STEP;
        const end = Math.min(this.#last, last);
        this.#first = Math.max(this.#first, end - WINDOW_MAX);
        this.#draw();
    }

    async #load() {
        const id = this.#id;
        this.#isLoading = true;
        this.#loading.hidden = false;
        try {
            const { more } = await this.#client.history(id, { limit: HISTORY });
            if (id !== this.#id) return;
            this.#hasMore = more;
            this.#isLoading = false;
            this.#isRefused = false;
            this.#scrolled();
        } catch (error) {
            if (id !== this.#id || !this.#conversation || error.status === 0) return;
            if (!this.#isRefused) toast(error.message, { bad: true });
            this.#isRefused = true;
        } finally {
            if (id === this.#id) {
                this.#isLoading = false;
                this.#loading.hidden = true;
            }
        }
    }

    async #jumpTo({ id, seq }) {
        const conversation = this.#conversation;
        this.#loading.hidden = false;
        try {
            while (conversation.from_seq > seq) {
                await this.#client.history(conversation.id, { limit: HISTORY });
                if (this.#conversation !== conversation) return;
            }
        } catch (error) {
            toast(error.message, { bad: true });
            return;
        } finally {
            this.#loading.hidden = true;
        }
        if (this.#conversation.messages.get(seq)?.id === id) this.#reveal(seq);
    }

    #reveal(seq) {
        const { last_seq: last } = this.#conversation;
        this.#first = Math.max(1, seq - STEP);
        this.#last = seq + STEP >= last ? Infinity : seq + STEP;
        this.#isStuck = false;
        this.#draw();
        const node = this.#rows.node(`m${seq}`);
        node.scrollIntoView({ block: 'center' });
        node.focus({ preventScroll: true });
        node.classList.remove('found');
        requestAnimationFrame(() => node.classList.add('found'));
    }

    #drawJump() {
        const { unread_count: unread } = this.#conversation;
        this.#jump.hidden = this.#isAtEnd();
        this.#jump.dataset.count = unread ? numberOf(unread) : '';
    }

    // Read is what somebody had before his eyes.
    #markRead() {
        const isSeen = document.visibilityState === 'visible' && document.hasFocus();
        if (isSeen && !this.#isNew && this.#hasLast && this.#isAtEnd())
            this.#client.markRead(this.#id);
    }

    // From message to message; Tab goes to what can be done with one.
    #key(event) {
        const way = { ArrowDown: 'nextElementSibling', ArrowUp: 'previousElementSibling' }[
            event.key
        ];
        if (!way) return;
        let node = document.activeElement.closest('.message');
        if (!node && event.key === 'ArrowDown') return;
        do node = node ? node[way] : this.#box.lastElementChild;
        while (node && !node.matches('.message'));
        if (!node) return;
        event.preventDefault();
        node.focus({ preventScroll: true });
        node.scrollIntoView({ block: 'nearest' });
    }
}

const goesWith = (message, before) =>
    before.sender_id === message.sender_id &&
    new Date(message.sent_at) - new Date(before.sent_at) < JOIN_MS;

const dayItem = (day, time) => ({
    key: `d${day}`,
    sign: dayOf(time),
    make: () => h('h2', { class: 'divider' }, h('span', null, dayOf(time))),
});

const UNREAD = {
    key: 'unread',
    sign: '',
    make: () => h('p', { class: 'divider new' }, h('span', null, 'New messages')),
};
