// Nothing that was written after a removal is seen by the one who was removed: over each transport,
// while others send, edit, delete and rename without a pause.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { makeConversation, register, say } from '../lib/client.mjs';
import { ok } from '../lib/expect.mjs';
import { KINDS, closing, cursorOf, listen, page, settled } from '../lib/live.mjs';
import { Mirror, converges } from '../lib/mirror.mjs';
import { startServer } from '../lib/server.mjs';

const ROUNDS = 8;

let server;

before(async () => {
    server = await startServer();
});
after(() => server?.stop());

class Scene {
    removed = false; // the removal was answered
    over = false;

    static async make(kind, title) {
        const s = new Scene();
        [s.owner, s.victim] = [await register(server), await register(server)];
        s.c = await makeConversation(s.owner, [s.victim], { title });
        s.path = `/api/conversations/${s.c.id}/`;
        s.client = await listen(kind, s.victim);
        s.mirror = new Mirror(s.client);
        return s;
    }

    // What is asked for now; texts asked for after the removal was answered say so.
    text(n) {
        return `${this.removed ? 'AFTER' : 'before'} ${n}`;
    }

    async write(n) {
        const message = await say(this.owner, this.c, this.text(n));
        const target = `/api/messages/${message.id}/`;
        ok(await this.owner.patch(target, { message_body: this.text(`${n} edited`) }));
        if (n % 3 === 0) ok(await this.owner.patch(this.path, { title: this.text(n) }));
        if (n % 4 === 0) ok(await this.owner.post(`${this.path}typing/`), 204);
        if (n % 5 === 0) assert.equal((await this.owner.delete(target)).status, 204);
    }

    async keepWriting() {
        for (let n = 1; !this.over; n++) await this.write(n);
    }

    async remove() {
        const answer = await this.owner.delete(`${this.path}participants/${this.victim.id}/`);
        assert.equal(answer.status, 204);
        this.removed = true;
    }

    // A change of his that was committed after all of that.
    async marker() {
        const mine = await makeConversation(this.victim, [], { title: 'marker' });
        await this.client.get({ type: 'conversation', conversation_id: mine.id });
    }

    // The removal has a rev, and all that is told of the conversation is of before.
    check() {
        const frames = this.client.frames.filter((f) => f.conversation_id === this.c.id);
        const at = frames.findIndex((frame) => frame.type === 'conversation.gone');
        assert.ok(at >= 0, 'he was told that it is gone');
        const { rev } = frames[at];
        // that alone may come again
        const after = frames.slice(at + 1).filter((frame) => frame.type !== 'conversation.gone');
        assert.deepEqual(after, [], 'and nothing of it afterwards');
        for (const frame of frames.slice(0, at)) {
            const shown = frame.message?.rev ?? frame.rev ?? 0;
            assert.ok(shown < rev, `rev ${shown} after ${rev}: ${JSON.stringify(frame)}`);
        }
        assert.doesNotMatch(JSON.stringify(this.client.frames), /AFTER/);
    }
}

for (const kind of KINDS) {
    test(`a removal among sends, edits, deletions (${kind})`, async (t) => {
        await Promise.all(
            Array.from({ length: ROUNDS }, async (_, round) => {
                const s = await Scene.make(kind, `round ${round}`);
                closing(t, s.client);
                const writers = [s.keepWriting(), s.keepWriting(), s.keepWriting()];
                // each round a little later
                await s.client.until(() => {
                    const many = s.client.all('message').length;
                    return many >= round * 2 ? true : undefined;
                }, 'some messages');
                await s.remove();
                for (let n = 0; n < 3; n++) await s.write(`surely ${n}`);
                s.over = true;
                await Promise.all(writers);
                await s.marker();
                s.check();
                await converges(s.mirror, s.victim);
            }),
        );
    });

    test(`a removal among catching up (${kind})`, async (t) => {
        await Promise.all(
            Array.from({ length: ROUNDS }, async (_, round) => {
                const s = await Scene.make(kind, `round ${round}`);
                await s.client.close();
                let { cursor } = s.client;
                const writing = s.keepWriting();
                const seen = [];
                const removing = (async () => {
                    for (let n = 0; n < round; n++) await cursorOf(s.owner);
                    await s.remove();
                })();
                for (let n = 0; n < 4; n++) {
                    const client = await listen(kind, s.victim, { cursor });
                    await client.close();
                    seen.push(...client.frames);
                    ({ cursor } = client);
                }
                await removing;
                await s.write('surely');
                s.over = true;
                await writing;
                s.client = closing(t, await listen(kind, s.victim, { cursor }));
                s.client.frames.unshift(...seen);
                s.check();
            }),
        );
    });
}

test('removed and added again, all the time', async (t) => {
    const clients = [];
    const s = await Scene.make('ws', 'in and out');
    closing(t, s.client);
    for (const kind of KINDS) clients.push(closing(t, await listen(kind, s.victim)));
    const mirrors = clients.map((client) => new Mirror(client));
    const writing = s.keepWriting();
    for (let n = 0; n < 12; n++) {
        await s.remove();
        ok(await s.owner.post(`${s.path}participants/`, { user_id: s.victim.id }), 200, 201);
    }
    s.over = true;
    await writing;
    for (const mirror of [s.mirror, ...mirrors]) await converges(mirror, s.victim);
});

describe('cursors of one who was removed', () => {
    test('give nothing of it', async () => {
        const s = await Scene.make('poll', 'cursors');
        await s.client.close();
        const cursors = [''];
        for (let n = 0; n < 3; n++) {
            await s.write(n);
            cursors.push(await cursorOf(s.victim));
        }
        await s.remove();
        for (let n = 0; n < 3; n++) await s.write(n);
        await settled(server);
        for (const cursor of cursors) {
            const body = await page(s.victim, cursor, 0);
            const frames = body.frames.filter((frame) => frame.conversation_id === s.c.id);
            const types = frames.map((frame) => frame.type);
            assert.deepEqual(types, cursor === '' ? [] : ['conversation.gone']);
        }
    });
});
