// A device that runs web/confab.js, through a relay that breaks its connections. It looks like
// Device to the actors; sending, editing and reading go through the library, so that its outbox and
// its marks are under test as well.
import { createRequire } from 'node:module';

import { Confab, MemoryStore } from '../../../web/confab.js';
import { Proxy } from './proxy.mjs';
import { Rest } from './rest.mjs';
import { Device } from './device.mjs';
import { readMarker } from './marker.mjs';

const { WebSocket } = createRequire(import.meta.url)('ws');
const LATER_MS = 30;
const NO_LOGIN = 'no answer to the log-in';
const HASTE = 0.06; // of the library's usual back-off, so that a kill costs no minute

export class LibraryDevice extends Device {
    isLibrary = true;

    constructor(world, user, name, transport) {
        super(world, user, name, transport);
        this.proxy = new Proxy({ world, choose: world.choice(`${name} proxy`), name });
        this.store = new MemoryStore();
    }

    async run() {
        await this.proxy.start();
        this.open();
    }

    open() {
        const { world } = this;
        this.client = new Confab({
            url: `http://127.0.0.1:${this.proxy.port}`,
            getToken: ({ refused }) => this.freshToken(refused),
            transport: this.preferred,
            store: this.store,
            random: () => HASTE * this.choose.below(1000) * 0.001,
            WebSocket,
        });
        this.client.on('message', ({ message }) => this.saw(message));
        this.client.on('conversation', ({ conversation }) => this.sawTalk(conversation));
        this.client.on('outbox', ({ item, status }) => this.follow(item, status));
        this.client.on('error', ({ error }) => this.judge(error));
        // two tokens that were refused in a row: as somebody would who logs in again
        this.client.on('state', ({ state }) => {
            if (state === 'signed-out') setTimeout(() => this.client.resume(), LATER_MS);
        });
        this.client.on('reset', () => world.tally.resets++);
        this.client.connect().catch(() => {});
    }

    async freshToken(refused) {
        if (refused === this.token) await this.login(refused);
        if (refused === this.token) throw new Error(NO_LOGIN);
        return this.token;
    }

    // What nobody but a mistake causes.
    judge(error) {
        const isRefusal = [400, 403, 404, 409].includes(error.status);
        if (isRefusal || error.retriable || error.message === NO_LOGIN) return;
        this.world.fault(`${this.name}: ${error.stack ?? error}`);
    }

    saw(message) {
        const { world, user } = this;
        world.tally.frames++;
        // the answer to a retry tells him what has become of his own message, wherever he is
        if (message.sender_id === user.id) return;
        const frame = { type: 'message', conversation_id: message.conversation, message };
        world.watch.saw(user.id, frame, world.life, this.name);
    }

    sawTalk({ id, rev, title }) {
        const frame = { type: 'conversation', conversation_id: id, rev, title };
        this.world.watch.saw(this.user.id, frame, this.world.life, this.name);
    }

    // --- what actions see ---

    get talks() {
        return [...this.client.conversations.values()].map(asTalk);
    }

    tell(frame) {
        if (frame.type === 'read') this.client.markRead(frame.conversation_id, frame.seq);
        if (frame.type === 'typing') this.client.typing(frame.conversation_id);
        if (frame.type === 'subscribe') this.client.subscribe(frame.user_ids);
        return true;
    }

    // The library makes the client_id; its promise says how it ended.
    deliver(send) {
        const { tally } = this.world;
        tally.attempts++;
        const item = this.client.send(send.conversation, send.text, { replyTo: send.replyTo });
        send.clientId = item.client_id;
        return undefined;
    }

    // Of each message that the outbox holds, also after it was loaded from the store; told anew at
    // each try.
    follow(item, status) {
        const { ledger, life } = this.world;
        const send = ledger.sends.get(readMarker(item.message_body)?.number);
        if (status !== 'pending' || !send) return;
        if (send.item !== item) this.await(send, item);
        send.attempt.life = life;
    }

    await(send, item) {
        const { ledger, tally, life } = this.world;
        const attempt = ledger.began(send, life);
        Object.assign(send, { item, attempt, clientId: item.client_id });
        item.delivered.then(
            (message) => {
                ledger.acknowledge(send, attempt, message);
                tally.answers.library++;
            },
            (error) => {
                if (error.status < 400) return; // closed
                ledger.refuse(send, attempt);
                this.client.remove(item.client_id);
                tally.refused++;
            },
        );
    }

    // --- being away ---

    async goAway(ms) {
        if (this.isAway) return;
        this.isAway = true;
        this.cut();
        await this.client.close();
        this.timer = setTimeout(() => this.comeBack(), ms);
    }

    // Sometimes as another process that has only the store.
    comeBack() {
        if (!this.timer) return;
        clearTimeout(this.timer);
        this.timer = null;
        this.isAway = false;
        if (this.choose.chance(0.5)) this.open();
        else this.client.connect().catch(() => {});
    }

    connectAgain() {
        this.proxy.endAll();
    }

    cut() {
        this.proxy.cutAll();
    }

    // The outbox is lost with it, so not while something is in it.
    async reinstall() {
        if (this.isAway || this.client.pending().length > 0) return;
        await this.client.close();
        this.store = new MemoryStore();
        this.open();
    }

    async stop() {
        this.isOver = true;
        await this.running;
        await this.client.close();
        await this.proxy.stop();
        this.rest.close();
    }

    get isLoaded() {
        return this.client.pending().length >= this.world.settings.outbox;
    }

    // Nothing is left that it will still tell the server.
    get isIdle() {
        const { marks } = this.client;
        const isSent = this.client.pending().every((item) => item.state === 'failed');
        return !this.isAway && isSent && marks.size === 0;
    }

    describe() {
        const { marks, state, transport } = this.client;
        const items = this.client.pending().map((item) => [item.state, item.attempts]);
        const left = `outbox ${JSON.stringify(items)}, marks ${JSON.stringify([...marks])}`;
        return `${this.name}: ${state}, ${transport}, ${left}`;
    }
}

// A conversation of the library's with the names that actors and the oracle use.
export function asTalk(one) {
    return {
        id: one.id,
        title: one.title,
        closed: one.closed,
        direct: one.direct,
        participants: new Map(one.participants.map((person) => [person.id, person.role])),
        participantCount: one.participant_count,
        lastSeq: one.last_seq,
        fromSeq: one.from_seq,
        messages: one.messages,
        reads: one.reads,
        mine: one.mine,
    };
}
