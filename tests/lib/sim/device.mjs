// One client of the simulator's own: a user's device that stays connected by one of the three
// transports, forgets nothing but what it is told to, and comes back with its cursor whenever the
// connection ends. What it does with its hands is in actions.mjs.
import { sleep } from '../server.mjs';
import { Model, isDurable } from './model.mjs';
import { Rest } from './rest.mjs';
import { TRANSPORTS } from './transports.mjs';

const LATER_MS = 25; // mean time until the next try
const VAIN_MS = 200; // between tries, where nobody listens
const ANSWER_MS = 60_000; // for a `send` on a connection that lives
const REVOKED_MS = 20_000; // a second is promised; a slow reader hears of it later
const SIGNED_OUT = 4401;

// How connections may end that nobody cut: heartbeat missed, drain, no room, signed out, reset.
const GOOD_ENDS = new Set([1000, 1001, 1012, 1013, SIGNED_OUT, 4410]);

export const UNKNOWN = { kind: 'unknown' };

export class Device {
    isLibrary = false;
    failures = 0; // tries in a row to connect in vain
    connection = null;
    isSynced = false;
    waiting = new Map(); // client_id -> those who wait for the answer to a `send`
    awayUntil = 0;

    constructor(world, user, name, preferred) {
        Object.assign(this, { world, user, name, preferred });
        this.choose = world.choice(name);
        this.model = new Model(user.id);
        this.rest = new Rest(() => world.port);
        this.token = user.access;
        this.refresh = user.refresh;
    }

    start() {
        this.running = this.run();
    }

    async stop() {
        this.isOver = true;
        this.comeBack();
        this.connection?.leave();
        await this.running;
        this.rest.close();
    }

    // --- what actions see ---

    // Is no more to be sent for the time being?
    get isLoaded() {
        return false;
    }

    get talks() {
        return [...this.model.talks.values()];
    }

    async ask(method, path, options = {}) {
        const { world, choose, token } = this;
        const isCut = !world.isCalm && choose.chance(world.settings.requestCuts);
        const cutAfterMs = isCut ? choose.around(4) : undefined;
        if (isCut) world.tally.requestsCut++;
        const answer = await this.rest.ask(method, path, { token, cutAfterMs, ...options });
        if (answer?.status === 500) world.fault(`${method} ${path} answered 500`);
        if (answer?.status === 401) await this.login(token);
        return answer;
    }

    // Over the socket, where there is one: true if it was written.
    tell(frame) {
        const isReady = this.connection?.kind === 'websocket' && this.connection.isOpen;
        if (isReady) this.connection.send(frame);
        return isReady;
    }

    // Resolves to {kind: acknowledged | refused | unknown}; null: there is no socket.
    sendBySocket(frame) {
        const life = this.connectionLife;
        if (!this.tell({ type: 'send', ...frame })) return null;
        return new Promise((resolve) => {
            const list = this.waiting.get(frame.client_id) ?? [];
            const timer = setTimeout(
                () => this.world.fault(`${this.name}: no answer to a send`),
                ANSWER_MS,
            );
            const done = (outcome) => {
                clearTimeout(timer);
                resolve({ life, ...outcome });
            };
            this.waiting.set(frame.client_id, [...list, done]);
        });
    }

    // --- being away ---

    // Off for a while: by saying so, or by falling silent.
    goAway(ms) {
        this.awayUntil = Date.now() + ms;
        if (this.choose.chance(0.5)) this.connection?.leave();
        else this.cut();
    }

    connectAgain() {
        this.connection?.leave();
    }

    comeBack() {
        this.awayUntil = 0;
        this.wake?.();
    }

    // The next connection is of that.
    replaceModel(model) {
        this.nextModel = model;
        this.cut();
    }

    // A new installation, or an old backup of this one: either is made, or put back.
    reinstall(isOld) {
        if (!isOld) return this.replaceModel(new Model(this.user.id));
        const old = this.backup;
        this.backup = old ? null : this.model.clone();
        return old && this.replaceModel(old);
    }

    // The server must end what this device has open; then it signs in again.
    async signOut() {
        const { connection, token, world } = this;
        const json = { refresh: this.refresh };
        const answer = await this.ask('POST', '/api/token/revoke/', { json });
        if (answer?.status !== 205) return;
        const isEnded = () => this.connection !== connection || world.isOver;
        setTimeout(() => {
            if (connection && !isEnded()) world.fault(`${this.name}: connected though revoked`);
        }, REVOKED_MS).unref();
        await this.login(token);
    }

    cut() {
        if (!this.connection) return;
        this.wasCut = true;
        this.connection.cut();
    }

    // --- the life of connections ---

    async run() {
        while (!this.isOver) {
            await this.pauseUntilHome();
            if (this.isOver) break;
            await this.connectOnce();
            await this.whenHopeful();
            await sleep(this.choose.around(LATER_MS));
        }
    }

    // Where nobody listens: until a server has started, when all who wait come at once, or for a while.
    async whenHopeful() {
        if (this.failures > 1) await Promise.race([this.world.started, sleep(VAIN_MS)]);
    }

    async pauseUntilHome() {
        const left = this.awayUntil - Date.now();
        if (left <= 0) return;
        await new Promise((done) => {
            this.wake = done;
            setTimeout(done, left);
        });
    }

    chooseKind() {
        if (this.choose.chance(0.85)) return this.preferred;
        return this.choose.pick(Object.keys(TRANSPORTS));
    }

    async connectOnce() {
        const { world, choose } = this;
        const kind = this.chooseKind();
        const fate = world.isCalm ? {} : drawFate(choose, world.settings);
        const ticket = await this.askTicket(kind);
        if (this.nextModel) this.takeModel();
        const outcome = await this.holdConnection(kind, fate, ticket);
        const { wasOpen } = this.connection;
        world.tally.connectionEnded(kind, { wasOpen, wasCut: this.wasCut });
        this.failures = wasOpen || this.wasCut ? 0 : this.failures + 1;
        this.forgetConnection();
        await this.judgeEnd(kind, outcome);
    }

    takeModel() {
        this.model = this.nextModel;
        this.nextModel = null;
    }

    async askTicket(kind) {
        if (kind !== 'websocket' || !this.choose.chance(0.1)) return undefined;
        const answer = await this.ask('POST', '/api/ws/ticket/');
        return answer?.status === 201 ? answer.body.ticket : undefined;
    }

    holdConnection(kind, fate, ticket) {
        const { world, choose, token, model } = this;
        this.connectionLife = world.life;
        this.connectionToken = token;
        this.wasCut = Boolean(fate.cutInHandshake);
        this.isSynced = false;
        this.isDeaf = false;
        this.startCursor = model.cursor;
        return new Promise((resolve) => {
            this.timers = [];
            this.connection = new TRANSPORTS[kind]({
                port: world.port,
                token,
                ticket,
                cursor: model.cursor,
                choose,
                cutInHandshake: fate.cutInHandshake,
                on: {
                    frame: (frame) => this.take(frame),
                    cursor: (cursor) => this.takeCursor(cursor),
                    end: resolve,
                },
            });
            this.plan(fate);
        });
    }

    plan({ cutAfterMs, pauseAfterMs, pauseMs }) {
        const at = (ms, action) => this.timers.push(setTimeout(action, ms));
        if (cutAfterMs !== undefined) at(cutAfterMs, () => this.cut());
        if (pauseAfterMs === undefined) return;
        at(pauseAfterMs, () => {
            this.world.tally.pauses++;
            this.connection?.pause();
        });
        at(pauseAfterMs + pauseMs, () => this.connection?.resume());
    }

    forgetConnection() {
        for (const timer of this.timers) clearTimeout(timer);
        this.connection = null;
        this.isSynced = false;
        this.model.evidence.disconnected();
        const lists = [...this.waiting.values()];
        this.waiting.clear();
        for (const done of lists.flat()) done(UNKNOWN);
    }

    async judgeEnd(kind, { code, status, fault }) {
        const { world } = this;
        if (fault && !this.wasCut && this.connectionLife === world.life)
            world.fault(`${this.name}, ${kind}: ${fault}`);
        if (code > 1006 && !GOOD_ENDS.has(code)) world.fault(`${this.name}: close code ${code}`);
        if (status >= 400 && ![401, 429, 503].includes(status))
            world.fault(`${this.name}, ${kind}: status ${status}`);
        if (code === 1012) world.tally.drains++;
        if (code === SIGNED_OUT || status === 401) await this.login(this.connectionToken);
    }

    // Once for all who find that `refused` is no good any more.
    async login(refused) {
        if (this.token !== refused) return;
        this.loggingIn ??= this.loginNow().finally(() => {
            this.loggingIn = null;
        });
        await this.loggingIn;
    }

    async loginNow() {
        const { username, password } = this.user;
        const answer = await this.rest.ask('POST', '/api/token/', { json: { username, password } });
        if (answer?.status === 200) {
            this.token = answer.body.access;
            this.refresh = answer.body.refresh;
        } else if (answer && answer.status !== 503) {
            this.world.fault(`${this.name}: log-in answered ${answer.status}`);
        }
    }

    describe() {
        const { connection, connectionLife, isSynced, model, world } = this;
        const how = connection
            ? `${connection.kind}, ${connection.isOpen ? 'open' : 'not open'}`
            : 'not connected';
        return (
            `${this.name}: ${how}, ${isSynced ? 'synced' : 'not synced'}, life ` +
            `${connectionLife} of ${world.life}, last heard ${Date.now() - this.heardAt} ms ago, ` +
            `cursor ${model.cursor}`
        );
    }

    // --- frames ---

    take(frame) {
        const { world, model } = this;
        if (this.isDeaf) return;
        this.heardAt = Date.now();
        if (isDurable(frame)) {
            world.tally.frames++;
            const by = `${this.name}, ${this.connection?.kind}`;
            world.watch.saw(this.user.id, frame, this.connectionLife, by);
            model.apply(frame);
            if (model.contradictions.length > 0) this.startAnew(model.contradictions);
        } else if (frame.type === 'synced') {
            this.isSynced = true;
        } else if (frame.type === 'hello') {
            model.profile = { ...model.profile, ...frame.user };
        } else if (frame.type === 'reset') {
            world.tally.resets++;
            model.forget();
        } else if (frame.type === 'ack' || frame.type === 'nack') {
            this.takeAnswer(frame);
        } else if (frame.type === 'error') {
            world.fault(`${this.name}: ${JSON.stringify(frame)}`);
        }
    }

    takeAnswer(frame) {
        if (frame.request !== 'send') return;
        const [done, ...others] = this.waiting.get(frame.client_id) ?? [];
        if (!done) return;
        if (others.length > 0) this.waiting.set(frame.client_id, others);
        else this.waiting.delete(frame.client_id);
        if (frame.type === 'ack') done({ kind: 'acknowledged', message: frame.message });
        else done(refusal(frame.status, frame.code));
    }

    takeCursor(cursor) {
        const { model } = this;
        if (this.isDeaf) return;
        if (cursor !== '' && this.isSynced && cursor !== this.startCursor) this.settle();
        if (this.isDeaf) return;
        model.evidence.covered();
        model.cursor = cursor;
    }

    // Was everything repeated that had been told after the old cursor? If not, the database has
    // gone back, and nothing of it is to be trusted.
    settle() {
        const missing = this.model.evidence.settle();
        const inDoubt = missing.filter(({ key }) => key === 'c');
        const isLost = missing.length > inDoubt.length;
        const reasons = missing.map(({ id, key, value }) => `${id} ${key} ${value} not told again`);
        if (isLost) this.startAnew(reasons);
        else if (inDoubt.length > 0) this.askFor(inDoubt, reasons, this.connection);
    }

    // A page tells a conversation's rev, which need not be that of something told: if the page was
    // interrupted, the same server may catch up without telling it again. So it is asked for.
    async askFor(claims, reasons, connection) {
        const { model } = this;
        for (const { id, value } of claims) {
            const answer = await this.ask('GET', `/api/conversations/${id}/?messages=0`);
            const talk = model.talks.get(id);
            if (this.connection !== connection || this.model !== model) return;
            if (!talk) continue;
            if (answer?.status === 200 && answer.body.rev >= Math.max(value, talk.rev)) {
                const { direct } = talk;
                model.applyConversation({ ...answer.body, conversation_id: id, direct });
            } else if (answer?.status === 200) {
                this.startAnew(reasons);
                return;
            } else {
                model.evidence.told(id, 'c', value, true); // not known: it stays owed
                this.connection.cut();
                return;
            }
        }
    }

    startAnew(reasons) {
        this.world.tally.goneBack(this.name, reasons);
        this.model.forget();
        this.isDeaf = true;
        this.connection?.cut();
    }
}

// Answers that do not say whether it was done, or that ask to come again.
export function refusal(status, code) {
    if (status >= 500 || status === 429) return { ...UNKNOWN, status };
    return { kind: 'refused', status, code };
}

// What will happen to a connection: cut in its handshake, cut later, slow for a while, or left
// alone.
function drawFate(choose, { cuts, slow }) {
    if (choose.chance(cuts)) {
        if (choose.chance(0.15)) return { cutInHandshake: true };
        return { cutAfterMs: choose.around(250) };
    }
    if (!choose.chance(slow)) return {};
    return { pauseAfterMs: choose.around(100), pauseMs: 100 + choose.around(1200) };
}
