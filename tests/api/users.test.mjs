// The list of users, one user, oneself: who sees what, who may change what.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import {
    PASSWORD,
    anonymous,
    login,
    makeAdmin,
    makeCast,
    makeConversation,
    register,
    say,
    unique,
    untilDead,
    walk,
} from '../lib/client.mjs';
import { Browser } from '../lib/browser_session.mjs';
import {
    NO_UUID,
    contains,
    err,
    ids,
    invalid,
    notFound,
    ok,
    show,
    unauthorized,
} from '../lib/expect.mjs';
import { startServer } from '../lib/server.mjs';
import { assertShape, assertTwins, page, user as userShape } from '../lib/shapes.mjs';

let server, api, admin, zoe, yan;

before(async () => {
    server = await startServer();
    api = anonymous(server);
    admin = await makeAdmin(server);
    zoe = await register(server, {
        username: 'Zoe.Quill',
        first_name: 'Zoe',
        last_name: 'Quillfeather',
        phone_number: '+1555',
    });
    yan = await register(server, {
        username: 'yan',
        email: 'yan@other.example',
        role: 'host',
        first_name: 'Yan',
        last_name: 'Zoellner',
    });
});
after(() => server?.stop());

const list = async (user, query) => ok(await user.get('/api/users/', query));
const names = (body) => body.results.map((row) => row.username);

describe('GET /api/users/', () => {
    test('is for those who are signed in', async () => {
        unauthorized(await api.get('/api/users/'));
        const body = assertShape(page(userShape), await list(zoe));
        body.results.forEach(assertTwins);
        assert.ok(names(body).includes('yan'));
        assert.equal(body.count, body.results.length);
    });

    test('search: word prefixes, case ignored, every word', async () => {
        assert.deepEqual(names(await list(zoe, { search: 'quillf' })), ['Zoe.Quill']);
        assert.deepEqual(names(await list(zoe, { search: 'zoe QUILLFEATHER' })), ['Zoe.Quill']);
        assert.deepEqual(names(await list(zoe, { q: 'quillf' })), ['Zoe.Quill']);
        assert.deepEqual(names(await list(zoe, { search: 'feather' })), [], 'no word begins so');
        assert.deepEqual(names(await list(zoe, { search: 'zoe nothing' })), []);
        const both = names(await list(zoe, { search: 'zoe' }));
        assert.deepEqual(both.sort(), ['Zoe.Quill', 'yan']);
    });

    test('/api/users/search/?q=', async () => {
        const body = ok(await zoe.get('/api/users/search/', { q: 'quillf' }));
        assertShape(page(userShape), body);
        assert.deepEqual(names(body), ['Zoe.Quill']);
    });

    test('search with wildcards and quotes finds nothing, breaks nothing', async () => {
        for (const search of [
            '%',
            '_',
            "'",
            '"',
            'a"b*',
            '*',
            '\\',
            'zoe*',
            '(',
            'NEAR(a b)',
            '😀',
        ]) {
            ok(await zoe.get('/api/users/', { search }));
        }
        assert.deepEqual(names(await list(zoe, { username: '%' })), []);
        assert.deepEqual(names(await list(zoe, { username: '_' })), []);
    });

    test('username means contains, case ignored', async () => {
        assert.deepEqual(names(await list(zoe, { username: 'E.QUI' })), ['Zoe.Quill']);
        assert.deepEqual(names(await list(zoe, { username: 'nobody' })), []);
    });

    test('email is exact, and only where the reader may see it', async () => {
        assert.deepEqual(names(await list(admin, { email: 'yan@other.example' })), ['yan']);
        assert.deepEqual(names(await list(yan, { email: 'yan@other.example' })), ['yan']);
        assert.deepEqual(names(await list(zoe, { email: 'yan@other.example' })), []);
        assert.deepEqual(names(await list(admin, { email: 'yan@other' })), []);
        assert.deepEqual(names(await list(zoe, { search: 'yan@other.example' })), []);
    });

    test('role', async () => {
        assert.deepEqual(names(await list(zoe, { role: 'host' })), ['yan']);
        assert.deepEqual(names(await list(zoe, { role: 'admin' })), [admin.username]);
        invalid(await zoe.get('/api/users/', { role: 'king' }), {
            role: ['Select a valid choice. king is not one of the available choices.'],
        });
    });

    test('an unknown parameter or ordering filters nothing', async () => {
        const all = (await list(zoe)).count;
        assert.equal((await list(zoe, { nope: 1 })).count, all);
        assert.equal((await list(zoe, { ordering: 'password' })).count, all);
        assert.equal((await list(zoe, { role: '' })).count, all);
    });

    test('filters together', async () => {
        assert.deepEqual(names(await list(zoe, { role: 'host', search: 'zoel' })), ['yan']);
        assert.deepEqual(names(await list(zoe, { role: 'guest', search: 'zoel' })), []);
    });

    test('in each order, by page and by cursor', async () => {
        for (const ordering of ['created_at', '-created_at', 'username', '-username']) {
            const path = `/api/users/?page_size=2&ordering=${ordering}`;
            const byPage = await walk(zoe, path);
            assert.ok(byPage.length > 2);
            assert.deepEqual(ids(await walk(zoe, `${path}&cursor=`)), ids(byPage), ordering);
        }
    });

    test('by page and by cursor', async () => {
        const all = ids((await list(zoe, { page_size: 100 })).results).sort();
        const byPage = ids(await walk(zoe, '/api/users/?page_size=2')).sort();
        const byCursor = ids(await walk(zoe, '/api/users/?cursor=&page_size=2')).sort();
        assert.deepEqual(byPage, all);
        assert.deepEqual(byCursor, all);
    });
});

describe('GET of a user', () => {
    test('oneself, by me and by id', async () => {
        const me = assertShape(userShape, ok(await zoe.get('/api/users/me/')));
        assert.deepEqual(ok(await zoe.get(`/api/users/${zoe.id}/`)), me);
        contains(me, {
            username: 'Zoe.Quill',
            email: zoe.email,
            full_name: 'Zoe Quillfeather',
            phone_number: '+1555',
            role: 'guest',
            avatar: null,
        });
    });

    test('contacts are for their owner and for admins', async () => {
        const seen = assertShape(userShape, ok(await yan.get(`/api/users/${zoe.id}/`)));
        contains(seen, { email: null, phone_number: null, first_name: 'Zoe' });
        contains(ok(await admin.get(`/api/users/${zoe.id}/`)), {
            email: zoe.email,
            phone_number: '+1555',
        });
        const row = (await list(yan, { username: 'zoe.quill' })).results[0];
        contains(row, { email: null, phone_number: null });
    });

    test('sharing a conversation shows them only with CONTACTS_VISIBLE=members', async (t) => {
        const cast = await makeCast(server);
        contains(ok(await cast.member.get(`/api/users/${cast.owner.id}/`)), { email: null });
        const open = await startServer({ env: { CONTACTS_VISIBLE: 'members' } });
        t.after(() => open.stop());
        const people = await makeCast(open);
        contains(ok(await people.member.get(`/api/users/${people.owner.id}/`)), {
            email: people.owner.email,
        });
        contains(ok(await people.stranger.get(`/api/users/${people.owner.id}/`)), { email: null });
        const detail = ok(await people.member.get(people.path));
        const owner = detail.participants.find((row) => row.role === 'owner');
        assert.equal(owner.email, people.owner.email);
    });

    test('unknown, malformed and other spellings of an id', async () => {
        notFound(await zoe.get(`/api/users/${NO_UUID}/`));
        notFound(await zoe.get('/api/users/abc/'));
        unauthorized(await api.get('/api/users/abc/'));
        contains(ok(await zoe.get(`/api/users/${yan.id.toUpperCase()}/`)), { id: yan.id });
        contains(ok(await zoe.get(`/api/users/${yan.id.replaceAll('-', '')}/`)), { id: yan.id });
    });
});

describe('changing a user', () => {
    const path = (user) => `/api/users/${user.id}/`;

    test('PATCH of oneself: what is writable', async () => {
        const user = await register(server);
        const change = {
            username: unique('renamed'),
            email: `${unique('moved')}@example.com`,
            first_name: 'Ada',
            last_name: 'L',
            phone_number: '+49 30 1',
            metadata: { theme: 'dark', n: [1, 2] },
        };
        contains(ok(await user.patch('/api/users/me/', change)), { ...change, full_name: 'Ada L' });
        contains(ok(await user.get(path(user))), change);
        ok(await api.post('/api/token/', { email: change.email, password: PASSWORD }));
        ok(await api.post('/api/token/', { email: user.email, password: PASSWORD }), 401);
    });

    test('PATCH with nothing changes nothing', async () => {
        const old = ok(await zoe.get('/api/users/me/'));
        const { last_seen, ...rest } = old;
        contains(ok(await zoe.patch('/api/users/me/', {})), rest);
    });

    test('PUT', async () => {
        const user = await register(server, { first_name: 'Old' });
        const { username, email } = user;
        const input = { username, email, first_name: 'New', last_name: 'Name', phone_number: '1' };
        contains(ok(await user.put(path(user), input)), input);
        contains(ok(await user.put('/api/users/me/', { ...input, first_name: 'Newer' })), {
            id: user.id,
            first_name: 'Newer',
        });
        invalid(await user.put('/api/users/me/', {}), { email: ['This field is required.'] });
    });

    test('role and is_active are ignored but from an admin', async () => {
        const user = await register(server);
        const change = {
            role: 'admin',
            is_active: false,
            created_at: '2001-01-01T00:00:00Z',
            id: NO_UUID,
        };
        contains(ok(await user.patch(path(user), change)), { role: 'guest', id: user.id });
        ok(await user.get('/api/users/me/'));
        contains(ok(await admin.patch(path(user), { role: 'host' })), { role: 'host' });
        contains(ok(await admin.patch(path(user), { first_name: 'ByAdmin' })), {
            first_name: 'ByAdmin',
        });
    });

    test('an admin deactivates and reactivates', async () => {
        const user = await register(server);
        ok(await admin.patch(path(user), { is_active: false }));
        await untilDead(user);
        ok(await admin.patch(path(user), { is_active: true }));
        ok(await (await login(server, user.username)).get('/api/users/me/'));
    });

    test('what was signed in before a deactivation stays signed out', async () => {
        const user = await register(server);
        const key = { username: user.username, password: PASSWORD };
        const { token } = ok(await api.post('/api-token-auth/', key));
        const browser = new Browser(server);
        assert.equal((await browser.signIn(user.username)).status, 302);
        ok(await browser.ask('GET', '/api/users/me/'));
        ok(await admin.patch(path(user), { is_active: false }));
        await untilDead(user);
        ok(await admin.patch(path(user), { is_active: true }));
        unauthorized(await user.get('/api/users/me/'));
        unauthorized(await api.post('/api/token/refresh/', { refresh: user.refresh }));
        unauthorized(await api.with({ authorization: `Token ${token}` }).get('/api/users/me/'));
        unauthorized(await browser.ask('GET', '/api/users/me/'));
        const again = await login(server, user.username);
        assert.equal(ok(await again.get('/api/users/me/sessions/')).count, 1, 'only the new one');
    });

    test('a password is 400', async () => {
        invalid(await zoe.patch('/api/users/me/', { password: 'Another-pass1' }), {
            password: /\/api\/users\/me\/password\//,
        });
        ok(await api.post('/api/token/', { username: zoe.username, password: PASSWORD }));
    });

    test('of somebody else is 403', async () => {
        err(await yan.patch(path(zoe), { first_name: 'X' }), 403, 'permission_denied');
        err(await yan.put(path(zoe), { first_name: 'X' }), 403);
        err(await yan.delete(path(zoe)), 403);
        notFound(await yan.patch(`/api/users/${NO_UUID}/`, {}));
    });

    test('invalid values, all at once', async () => {
        invalid(
            await zoe.patch('/api/users/me/', {
                email: 'no',
                username: 'a@b',
                first_name: 'x'.repeat(151),
                phone_number: '1'.repeat(21),
                metadata: 'text',
            }),
            {
                email: ['Enter a valid email address.'],
                username: /^Enter a valid username\./,
                first_name: ['Ensure this field has no more than 150 characters.'],
                phone_number: ['Ensure this field has no more than 20 characters.'],
                metadata: ['Expected a dictionary of items but got type "str".'],
            },
        );
        invalid(await zoe.patch('/api/users/me/', { metadata: [1] }), {
            metadata: ['Expected a dictionary of items but got type "list".'],
        });
        const large = { metadata: { x: 'y'.repeat(4096) } };
        invalid(await zoe.patch('/api/users/me/', large), { metadata: /no more than 4096 bytes/ });
    });

    test('names that are taken, whatever their case', async () => {
        invalid(await zoe.patch('/api/users/me/', { email: 'YAN@other.example' }), {
            email: ['user with this email already exists.'],
        });
        invalid(await zoe.patch('/api/users/me/', { username: 'YAN' }), {
            username: /already exists/,
        });
        const same = { username: 'zoe.quill' };
        contains(ok(await zoe.patch('/api/users/me/', same)), same);
        ok(await zoe.patch('/api/users/me/', { username: 'Zoe.Quill' }));
    });
});

describe('the last active admin', () => {
    test('can be neither demoted, deactivated nor deleted', async (t) => {
        const other = await startServer();
        t.after(() => other.stop());
        const only = await makeAdmin(other);
        const path = `/api/users/${only.id}/`;
        err(await only.patch(path, { role: 'guest' }), 409, 'last_admin');
        err(await only.patch(path, { is_active: false }), 409, 'last_admin');
        err(await only.delete(path), 409, 'last_admin');
        err(await only.delete('/api/users/me/'), 409, 'last_admin');
        const second = await makeAdmin(other);
        ok(await second.patch(`/api/users/${second.id}/`, { is_active: true }));
        contains(ok(await only.patch(path, { role: 'guest' })), { role: 'guest' });
        err(await second.patch(`/api/users/${second.id}/`, { role: 'host' }), 409, 'last_admin');
    });

    test('two admins who demote each other at once: one stays', async (t) => {
        const other = await startServer();
        t.after(() => other.stop());
        const one = await makeAdmin(other);
        const two = await makeAdmin(other);
        const answers = await Promise.all([
            one.patch(`/api/users/${two.id}/`, { role: 'guest' }),
            two.patch(`/api/users/${one.id}/`, { role: 'guest' }),
        ]);
        const good = answers.filter((res) => res.status === 200);
        assert.equal(good.length, 1, answers.map(show).join('\n'));
    });
});

describe('DELETE of a user', () => {
    test('hides at once, leaves tombstones, ends tokens', async () => {
        const cast = await makeCast(server);
        const gone = cast.member;
        const word = unique('farewell');
        const said = await say(gone, cast, word);
        const pair = { refresh: gone.refresh };
        assert.equal((await gone.delete('/api/users/me/')).status, 204);
        await untilDead(gone);
        unauthorized(await api.post('/api/token/refresh/', pair));
        unauthorized(
            await api.post('/api/token/', { username: gone.username, password: PASSWORD }),
        );
        notFound(await zoe.get(`/api/users/${gone.id}/`));
        assert.deepEqual(names(await list(zoe, { username: gone.username })), []);
        notFound(await cast.owner.get(`/api/messages/${said.id}/`));
        const detail = ok(await cast.owner.get(cast.path));
        assert.ok(!ids(detail.participants).includes(gone.id));
        const rows = ok(await cast.owner.get(`${cast.path}messages/`, { deleted: 1 })).results;
        const tomb = rows.find((row) => row.id === said.id);
        contains(tomb, { deleted: true, message_body: '', seq: said.seq });
        assert.ok(!JSON.stringify(rows).includes(word));
        assert.ok(!JSON.stringify(rows).includes(gone.username));
    });

    test('his conversations pass to the oldest moderator, else member', async () => {
        const cast = await makeCast(server);
        assert.equal((await cast.owner.delete(`/api/users/${cast.owner.id}/`)).status, 204);
        const detail = ok(await cast.moderator.get(cast.path));
        const roles = Object.fromEntries(detail.participants.map((row) => [row.id, row.role]));
        assert.equal(roles[cast.moderator.id], 'owner');
        assert.equal(roles[cast.member.id], 'member');

        const owner = await register(server);
        const first = await register(server);
        const second = await register(server);
        const { id } = await makeConversation(owner, [first]);
        ok(await owner.post(`/api/conversations/${id}/participants/`, { user_id: second.id }), 201);
        assert.equal((await owner.delete('/api/users/me/')).status, 204);
        const after1 = ok(await second.get(`/api/conversations/${id}/`));
        const newOwner = after1.participants.find((row) => row.role === 'owner');
        assert.equal(newOwner.id, first.id);
    });

    test('cannot be stopped by one who has taken the name of the emptied row', async () => {
        const user = await register(server);
        await register(server, { username: `deleted-${user.id}` });
        assert.equal((await user.delete('/api/users/me/')).status, 204);
        notFound(await zoe.get(`/api/users/${user.id}/`));
    });

    test('by an admin; the name is free again', async () => {
        const user = await register(server);
        assert.equal((await admin.delete(`/api/users/${user.id}/`)).status, 204);
        notFound(await admin.delete(`/api/users/${user.id}/`));
        await register(server, { username: user.username });
    });
});
