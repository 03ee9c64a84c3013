// Sending, as a client does that wants it stored once: the same client_id until there is an answer,
// over the socket or by POST, sometimes twice at once, sometimes again long after the answer, and
// sometimes never again, so that its fate stays open.
import { sleep } from '../server.mjs';
import { UNKNOWN, refusal } from './device.mjs';

const TRIES = 80;
const LATE_KEPT = 20;
const FLOOD = 60;
const FLOOD_SIZE = 9000;

export class Composer {
    late = []; // answered sends that may be sent again

    constructor(actor) {
        this.actor = actor;
        this.device = actor.device;
        this.world = actor.world;
        this.choose = actor.choose;
    }

    // Some messages at once, without waiting for each other.
    async burst(talk) {
        const { choose, world } = this;
        if (this.device.isLoaded) return;
        const isFlood = choose.chance(world.settings.floods);
        const count = isFlood
            ? FLOOD
            : choose.weighted([
                  [6, 1],
                  [3, 3],
                  [1, 8],
              ]);
        const sends = Array.from({ length: count }, () => this.write(talk, isFlood));
        if (this.late.length > 0 && choose.chance(0.2)) this.sendLate();
        await Promise.all(sends.map((send) => this.deliver(send)));
    }

    write(talk, isFlood) {
        const { choose, world } = this;
        const size = isFlood
            ? FLOOD_SIZE
            : choose.weighted([
                  [90, 0],
                  [9, 300],
                  [1, 5000],
              ]);
        const answered = choose.chance(0.1) ? this.actor.anyMessage(talk) : null;
        return world.ledger.newSend({
            sender: this.actor.user.id,
            conversation: talk.id,
            clientId: choose.uuid(),
            replyTo: answered?.id ?? null,
            size,
        });
    }

    async deliver(send) {
        const { choose, device, world } = this;
        if (device.isLibrary) return device.deliver(send);
        for (let tries = 0; tries < TRIES; tries++) {
            const isDouble = choose.chance(world.settings.doubles);
            const attempts = [this.attempt(send)];
            if (isDouble) attempts.push(this.attempt(send));
            if (isDouble) world.tally.doubled++;
            const outcomes = await Promise.all(attempts);
            if (outcomes.some((one) => one.kind === 'acknowledged')) return this.keepForLater(send);
            if (outcomes.every((one) => one.kind === 'refused' && one.status !== 401)) return null;
            if (choose.chance(0.03)) return null;
            await device.whenHopeful();
            await sleep(choose.around(20));
        }
        return null;
    }

    keepForLater(send) {
        if (!this.choose.chance(0.1)) return;
        this.late.push(send);
        if (this.late.length > LATE_KEPT) this.late.shift();
    }

    // Nobody waits for it.
    sendLate() {
        this.world.tally.late++;
        this.attempt(this.choose.pick(this.late));
    }

    attempt(send) {
        return this.world.during(() => this.attemptNow(send));
    }

    async attemptNow(send) {
        const { world, choose } = this;
        const { ledger, tally } = world;
        tally.attempts++;
        const attempt = ledger.began(send, world.life);
        const bySocket = choose.chance(0.8) ? this.device.sendBySocket(frameOf(send)) : null;
        const outcome = bySocket ? await bySocket : await this.post(send);
        // what is said on a connection is said to the server that it was made to
        attempt.life = outcome.life ?? attempt.life;
        if (outcome.kind === 'acknowledged') {
            ledger.acknowledge(send, attempt, outcome.message, outcome.status);
            tally.answers[bySocket ? 'socket' : 'post']++;
        }
        if (outcome.kind === 'refused') {
            ledger.refuse(send, attempt);
            tally.refused++;
        }
        return outcome;
    }

    // By one of the names of the route, with the id in the body or in the header.
    async post(send) {
        const { choose } = this;
        const json = { message_body: send.text };
        if (send.replyTo) json.reply_to = send.replyTo;
        const headers = {};
        if (choose.chance(0.2)) headers['idempotency-key'] = send.clientId;
        else json.client_id = send.clientId;
        const isFlat = choose.chance(0.3);
        if (isFlat) json.conversation = send.conversation;
        const target = isFlat
            ? '/api/messages/'
            : `/api/conversations/${send.conversation}/messages/`;
        const answer = await this.device.ask('POST', target, { json, headers });
        if (!answer) return UNKNOWN;
        const { status, body } = answer;
        if (status === 200 || status === 201)
            return { kind: 'acknowledged', message: body, status };
        return refusal(status, answer.headers['x-error-code']);
    }
}

function frameOf(send) {
    const frame = {
        conversation_id: send.conversation,
        message_body: send.text,
        client_id: send.clientId,
    };
    if (send.replyTo) frame.reply_to = send.replyTo;
    return frame;
}
