// What people do. An actor has a device and does one thing after the other, by chance; he acts upon
// what his device shows, which may be long out of date, so that the server has to refuse some of
// it. Each action tells the ledger what was promised, and the watch who is in what.
import { sleep } from '../server.mjs';
import { Composer } from './composer.mjs';
import { readMarker } from './marker.mjs';
import { refusal } from './device.mjs';

const TRIES = 60;

const path = (talk, rest = '') => `/api/conversations/${talk.id}/${rest}`;
const good = (answer) => answer !== null && answer.status >= 200 && answer.status < 300;

// Did the server surely not do it?
const isRefused = (answer) => answer && refusal(answer.status).kind === 'refused';

export class Actor {
    constructor(device) {
        this.device = device;
        this.world = device.world;
        this.user = device.user;
        this.choose = device.world.choice(`${device.name} acts`);
        this.composer = new Composer(this);
        this.table = [
            [100, 'send'],
            [14, 'edit'],
            [6, 'remove'],
            [5, 'pin'],
            [20, 'read'],
            [5, 'mine'],
            [5, 'rename'],
            [9, 'add'],
            [5, 'expel'],
            [2, 'replace'],
            [2, 'leave'],
            [3, 'promote'],
            [2, 'close'],
            [4, 'create'],
            [1, 'direct'],
            [1, 'end'],
            [4, 'peek'],
            [3, 'profile'],
            [6, 'chatter'],
            [4, 'goAway'],
            [1, 'reinstall'],
            [1, 'signOut'],
        ];
    }

    start() {
        this.running = this.run();
    }

    async run() {
        const { world } = this;
        while (!world.isOver) {
            await world.whenActing();
            await this.device.whenHopeful();
            if (world.isOver) break;
            const name = this.choose.weighted(this.table);
            await world.during(() => this[name]());
            world.tally.acted(name);
            await sleep(this.choose.around(world.settings.thinkMs));
        }
    }

    ask(method, target, json, headers) {
        return this.device.ask(method, target, { json, headers });
    }

    get life() {
        return this.world.life;
    }

    // --- choosing ---

    talks(fits = () => true) {
        return this.device.talks.filter(fits);
    }

    anyTalk(fits) {
        const list = this.talks(fits);
        return list.length > 0 ? this.choose.pick(list) : null;
    }

    managed(least = 'moderator') {
        const roles = least === 'owner' ? ['owner'] : ['owner', 'moderator'];
        return this.anyTalk((talk) => !talk.direct && roles.includes(talk.mine?.role));
    }

    // One of the newest messages, that fits.
    anyMessage(talk, fits = () => true) {
        if (!talk) return null;
        for (let tries = 0; tries < 6; tries++) {
            const back = Math.min(talk.lastSeq, 40);
            const message = talk.messages.get(talk.lastSeq - this.choose.below(Math.max(back, 1)));
            if (message && !message.deleted && fits(message)) return message;
        }
        return null;
    }

    sendOf(message) {
        return this.world.ledger.sends.get(readMarker(message?.message_body)?.number);
    }

    others(talk) {
        return this.world.users.filter((one) => !talk.participants.has(one.id));
    }

    // --- messages ---

    async send() {
        const talk = this.anyTalk((one) => !one.closed || this.choose.chance(0.05));
        if (talk) await this.composer.burst(talk);
    }

    async edit() {
        const message = this.anyMessage(this.anyTalk(), (one) => one.sender_id === this.user.id);
        const send = this.sendOf(message);
        if (!send || send.isBusy) return;
        send.isBusy = true;
        const { ledger } = this.world;
        const edit = ledger.editing(send, this.life);
        const target = `/api/messages/${message.id}/`;
        const answer = await this.ask('PATCH', target, { message_body: edit.text });
        if (good(answer)) ledger.edited(send, edit, answer.body);
        else if (isRefused(answer)) send.bodies.refused(edit.write);
        send.isBusy = false;
    }

    // His own, or somebody's in a conversation that he manages.
    async remove() {
        const talk = this.anyTalk();
        const isMine = (one) => one.sender_id === this.user.id;
        const mayAny = ['owner', 'moderator'].includes(talk?.mine?.role);
        const message = this.anyMessage(talk, mayAny ? undefined : isMine);
        const send = this.sendOf(message);
        if (!send) return;
        const { life } = this;
        this.world.ledger.deleting(send);
        const answer = await this.ask('DELETE', `/api/messages/${message.id}/`);
        if (good(answer)) this.world.ledger.deleted(send, life);
    }

    async pin() {
        const message = this.anyMessage(this.managed());
        const send = this.sendOf(message);
        if (!send) return;
        const { life } = this;
        const word = message.pinned ? 'unpin' : 'pin';
        const answer = await this.ask('POST', `/api/messages/${message.id}/${word}/`);
        if (good(answer)) this.world.ledger.noteState(send, answer.body, life);
    }

    async read() {
        const talk = this.anyTalk((one) => one.lastSeq > 0);
        if (!talk) return;
        const isAll = this.choose.chance(0.7);
        const seq = isAll ? talk.lastSeq : this.choose.between(1, talk.lastSeq);
        const frame = { type: 'read', conversation_id: talk.id, seq };
        if (this.choose.chance(0.5) && this.device.tell(frame)) return;
        const { life } = this;
        const answer = await this.ask('POST', path(talk, 'read/'), { seq });
        if (!good(answer)) return;
        // less than was asked for, where the database has gone back
        this.world.ledger.readUpTo(talk.id, this.user.id, answer.body.read_seq, life);
    }

    // --- conversations ---

    async mine() {
        const talk = this.anyTalk((one) => one.mine);
        if (!talk) return;
        const until = new Date(Date.UTC(2031, 0, 1 + this.choose.below(300))).toISOString();
        await this.ask(
            'PATCH',
            path(talk, 'me/'),
            this.choose.pick([
                { pinned: !talk.mine.pinned },
                { archived: !talk.mine.archived },
                { muted_until: talk.mine.muted_until === null ? until : null },
            ]),
        );
    }

    async rename() {
        const talk = this.managed();
        const known = talk && this.world.ledger.talks.get(readMarker(talk.title)?.number);
        if (!known) return;
        const rename = this.world.ledger.renaming(known, this.life);
        const answer = await this.ask('PATCH', path(talk), { title: rename.title });
        if (good(answer)) this.world.ledger.renamed(known, rename, answer.body.rev);
        else if (isRefused(answer)) known.titles.refused(rename.write);
    }

    async close() {
        const talk = this.managed();
        if (!talk) return;
        // mostly open
        const word = talk.closed || this.choose.chance(0.5) ? 'reopen' : 'close';
        await this.ask('POST', path(talk, `${word}/`));
    }

    async create() {
        const { ledger, users } = this.world;
        if (ledger.talks.size >= this.world.settings.conversations) return;
        const talk = ledger.newTalk(this.user.id);
        const participants = this.choose
            .some(users, this.choose.between(1, 9))
            .map((one) => one.id);
        const json = { title: talk.title, participants };
        const headers = { 'idempotency-key': this.choose.uuid() };
        await this.untilAnswered(async () => {
            const attempt = ledger.creating(talk, this.life);
            const answer = await this.ask('POST', '/api/conversations/', json, headers);
            if (!good(answer)) return answer;
            ledger.created(talk, attempt, answer.body);
            ledger.renamed(talk, attempt, answer.body.rev);
            return answer;
        });
    }

    async direct() {
        const other = this.choose.pick(this.world.users);
        if (other.id === this.user.id) return;
        await this.ask('POST', '/api/conversations/', { direct: true, participants: [other.id] });
    }

    // Once more, at once twice, until somebody has said yes or no.
    async untilAnswered(attempt) {
        for (let tries = 0; tries < TRIES && !this.world.isOver; tries++) {
            const isDouble = this.choose.chance(0.1);
            const attempts = isDouble ? [attempt(), attempt()] : [attempt()];
            const answers = await Promise.all(attempts);
            if (answers.some((answer) => good(answer) || isRefused(answer))) return;
            await sleep(this.choose.around(30));
        }
    }

    async end() {
        const { ledger, watch, users } = this.world;
        const talk = this.talks().length > 8 ? this.managed('owner') : null;
        const known = talk && ledger.talks.get(readMarker(talk.title)?.number);
        if (!known) return;
        const { life } = this;
        const everybody = users.map((one) => one.id);
        known.deletion = 'maybe';
        const attempt = watch.begin('removals', talk.id, everybody, life);
        const answer = await this.ask('DELETE', path(talk));
        if (good(answer)) {
            ledger.ended(known, life);
            watch.done(attempt);
        } else if (isRefused(answer)) watch.end(attempt);
    }

    // --- who is in it ---

    // `json` -> answer with the conversation, or without: what the watch is told.
    async changeMembers(kind, talk, ids, request) {
        const { watch } = this.world;
        const attempt = watch.begin(kind, talk.id, ids, this.life);
        const answer = await request();
        if (good(answer)) watch.done(attempt, { rev: answer.body?.rev });
        else if (isRefused(answer)) watch.end(attempt);
    }

    async add() {
        const talk = this.managed();
        const [other] = talk ? this.choose.some(this.others(talk), 1) : [];
        if (!other) return;
        const json = { user_id: other.id };
        const target = this.choose.pick(['participants/', 'add_participant/']);
        await this.changeMembers('adds', talk, [other.id], () =>
            this.ask('POST', path(talk, target), json),
        );
    }

    anyMember(talk) {
        const ids = [...talk.participants].filter(([, role]) => role === 'member');
        return ids.length > 2 ? this.choose.pick(ids)[0] : null;
    }

    async expel() {
        const talk = this.managed();
        const id = talk && this.anyMember(talk);
        if (!id || id === this.user.id) return;
        await this.changeMembers('removals', talk, [id], () =>
            this.choose.chance(0.5)
                ? this.ask('DELETE', path(talk, `participants/${id}/`))
                : this.ask('POST', path(talk, 'remove_participant/'), { user_id: id }),
        );
    }

    // The list replaces the set: some go, some come, in one change.
    async replace() {
        const { watch, users } = this.world;
        const talk = this.managed('owner');
        if (!talk) return;
        const wanted = this.choose.some(users, this.choose.between(4, 10)).map((one) => one.id);
        const rest = users.map((one) => one.id).filter((id) => !wanted.includes(id));
        const adds = watch.begin('adds', talk.id, wanted, this.life);
        const removals = watch.begin('removals', talk.id, rest, this.life);
        const answer = await this.ask('PATCH', path(talk), { participants: wanted });
        if (!good(answer)) {
            if (isRefused(answer)) for (const one of [adds, removals]) watch.end(one);
            return;
        }
        const stayed = new Set(answer.body.participants.map((one) => one.id));
        watch.done(adds);
        watch.done(removals, { rev: answer.body.rev, stayed });
    }

    async leave() {
        const talk = this.anyTalk((one) => !one.direct && one.participants.size > 3);
        if (!talk) return;
        await this.changeMembers('removals', talk, [this.user.id], () =>
            this.ask('DELETE', path(talk, `participants/${this.user.id}/`)),
        );
    }

    async promote() {
        const talk = this.managed('owner');
        const id = talk && this.anyMember(talk);
        if (!id) return;
        const role = this.choose.pick(['moderator', 'member']);
        await this.ask('PATCH', path(talk, `participants/${id}/`), { role });
    }

    // Looks into a conversation that he was removed from, where that is sure before and after.
    async peek() {
        const { watch } = this.world;
        const id = watch.anyOut(this.user.id, this.choose);
        if (!id) return;
        const answer = await this.ask('GET', `/api/conversations/${id}/messages/?limit=5`);
        if (good(answer) && watch.isOut(id, this.user.id))
            watch.leak(id, this.user.id, 'GET messages answered 200');
    }

    // --- the rest ---

    async profile() {
        const { ledger } = this.world;
        if (this.user.isBusy) return;
        this.user.isBusy = true; // one after the other: these answers have no rev
        const change = ledger.naming(this.user, this.life);
        const answer = await this.ask('PATCH', '/api/users/me/', { first_name: change.name });
        if (good(answer)) ledger.named(change);
        else if (isRefused(answer)) change.register.refused(change.write);
        this.user.isBusy = false;
    }

    async chatter() {
        const talk = this.anyTalk();
        if (!talk) return;
        const frame = this.choose.pick([
            { type: 'typing', conversation_id: talk.id },
            { type: 'subscribe', user_ids: [...talk.participants.keys()] },
        ]);
        if (!this.device.tell(frame)) await this.ask('POST', path(talk, 'typing/'));
    }

    async goAway() {
        this.device.goAway(this.choose.around(1200));
    }

    // Everything is lost but what is on its way; or an old backup of the device is put back.
    async reinstall() {
        this.device.reinstall(this.choose.chance(0.5));
    }

    async signOut() {
        await this.device.signOut();
    }
}
