// POST /api/users/register/ and its aliases: what is taken, each thing that is not, all at once.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { PASSWORD, anonymous, register, unique } from '../lib/client.mjs';
import {
    BLANK,
    NULL,
    REQUIRED,
    UUID,
    contains,
    err,
    invalid,
    ok,
} from '../lib/expect.mjs';
import { startServer } from '../lib/server.mjs';
import { assertShape, registration, user as userShape } from '../lib/shapes.mjs';

let server, api;

before(async () => {
    server = await startServer();
    api = anonymous(server);
});
after(() => server?.stop());

const PATH = '/api/users/register/';
const EXISTS = 'user with this email already exists.';
const notValid = /^Enter a valid username\./;
const fresh = (fields = {}) => {
    const name = unique('fresh');
    return { username: name, email: `${name}@example.com`, password: PASSWORD, ...fields };
};
const post = (fields, path = PATH) => api.post(path, fields);

describe('a registration', () => {
    test('is answered flat, under user, with tokens twice', async () => {
        const input = fresh({
            first_name: 'Grace',
            last_name: 'Hopper',
            phone_number: '+15550001',
            role: 'host',
        });
        const res = await post(input);
        const body = assertShape(registration, ok(res, 201));
        const { password, ...shown } = input;
        contains(body, shown);
        contains(body.user, shown);
        assert.equal(body.full_name, 'Grace Hopper');
        assert.equal(body.user_id, body.id);
        assert.equal(body.user.id, body.id);
        assert.deepEqual(body.tokens, { access: body.access, refresh: body.refresh });
        assert.deepEqual(body.metadata, {});
        assert.ok(!res.text.includes(PASSWORD));
        assert.ok(!/pbkdf2/.test(res.text));
        const headers = { authorization: `Bearer ${body.access}` };
        const me = ok(await api.get('/api/users/me/', undefined, { headers }));
        assertShape(userShape, me);
        contains(me, shown);
    });

    test('needs e-mail and password alone', async () => {
        const name = unique('alone');
        const body = ok(await post({ email: `${name}@example.com`, password: PASSWORD }), 201);
        assert.equal(body.username, name);
        assert.equal(body.role, 'guest');
        assert.equal(body.first_name, '');
        assert.equal(body.last_name, '');
    });

    test('the default username is made unique and has no @', async () => {
        const names = new Set();
        for (const host of ['a.example', 'b.example', 'c.example']) {
            const body = ok(await post({ email: `same@${host}`, password: PASSWORD }), 201);
            assert.ok(body.username.startsWith('same'), body.username);
            assert.ok(!body.username.includes('@'));
            names.add(body.username.toLowerCase());
        }
        assert.equal(names.size, 3);
    });

    test('a local part that is a UUID does not become a username', async () => {
        const uuid = '0190f9a0-0000-7000-8000-000000000001';
        const body = ok(await post({ email: `${uuid}@example.com`, password: PASSWORD }), 201);
        assert.doesNotMatch(body.username, UUID);
    });

    test('the domain is lowered, the local part is not', async () => {
        const body = ok(await post(fresh({ email: 'Fresh.Face@Example.COM' })), 201);
        assert.equal(body.email, 'Fresh.Face@example.com');
    });

    test('on every alias, also by form', async () => {
        for (const path of [
            '/api/users/',
            '/api/register/',
            '/api/auth/register/',
            '/api/v1/register',
        ]) {
            assertShape(registration, ok(await post(fresh(), path), 201));
        }
        const form = fresh({ first_name: 'é ü' });
        const body = ok(await api.request('POST', PATH, { form }), 201);
        assert.equal(body.first_name, 'é ü');
    });

    test('unknown and read-only fields are ignored', async () => {
        const id = '00000000-0000-4000-8000-000000000001';
        const body = ok(await post(fresh({ id, user_id: id, is_staff: true, nope: 1 })), 201);
        assert.notEqual(body.id, id);
        assert.equal(body.role, 'guest');
    });

    test('matching confirmations', async () => {
        ok(await post(fresh({ password_confirm: PASSWORD })), 201);
        ok(await post(fresh({ confirm_password: PASSWORD })), 201);
    });

    test('a registered user can log in', async () => {
        const input = fresh();
        ok(await post(input), 201);
        const { email, password } = input;
        ok(await api.post('/api/token/', { email, password }));
    });

    test('non-ASCII names stay as they are', async () => {
        const body = ok(await post(fresh({ first_name: 'Žofie', last_name: '李 😀' })), 201);
        assert.equal(body.full_name, 'Žofie 李 😀');
    });

    test('text around is trimmed', async () => {
        const body = ok(await post(fresh({ first_name: '  Ann  ' })), 201);
        assert.equal(body.first_name, 'Ann');
    });

    test('a password is not trimmed', async () => {
        const password = `  ${PASSWORD}  `;
        const { username } = ok(await post(fresh({ password })), 201);
        ok(await api.post('/api/token/', { username, password }));
        ok(await api.post('/api/token/', { username, password: PASSWORD }), 401);
    });
});

describe('what is refused', () => {
    test('nothing at all', async () => {
        invalid(await post({}), { email: [REQUIRED], password: [REQUIRED] });
    });

    test('several things at once', async () => {
        const body = {
            email: 'no',
            password: '12345',
            first_name: null,
            last_name: null,
            role: 'king',
            phone_number: '1'.repeat(21),
            username: 'a@b',
        };
        invalid(await post(body), {
            email: ['Enter a valid email address.'],
            password: [
                'This password is too short. It must contain at least 8 characters.',
                'This password is too common.',
                'This password is entirely numeric.',
            ],
            first_name: [NULL],
            last_name: [NULL],
            role: ['"king" is not a valid choice.'],
            phone_number: ['Ensure this field has no more than 20 characters.'],
            username: notValid,
        });
    });

    for (const email of [
        'no',
        'a@',
        '@b.example',
        'a b@example.com',
        'a@b',
        'a@b..example',
        'a@@example.com',
        'a@-b.example',
    ]) {
        test(`e-mail ${email}`, async () => {
            invalid(await post(fresh({ email })), { email: 'Enter a valid email address.' });
        });
    }

    test('e-mail blank, null, too long, no text', async () => {
        invalid(await post(fresh({ email: '' })), { email: [BLANK] });
        invalid(await post(fresh({ email: null })), { email: [NULL] });
        invalid(await post(fresh({ email: ['a@example.com'] })), {
            email: ['Not a valid string.'],
        });
        const labels = ['y', 'z', 'w'].map((letter) => letter.repeat(60)).join('.');
        const long = `${'x'.repeat(64)}@${labels}.example.com`;
        invalid(await post(fresh({ email: long })), { email: /no more than 254/ });
    });

    for (const [username, text] of [
        ['with@sign', notValid],
        ['0190f9a0-0000-7000-8000-000000000002', notValid],
        ['0190F9A0-0000-7000-8000-000000000002', notValid],
        ['0190f9a0000070008000000000000002', notValid],
        ['with blank', notValid],
        ['x'.repeat(151), 'Ensure this field has no more than 150 characters.'],
        ['a\u0000b', 'Null characters are not allowed.'],
        ['me/you', notValid],
        ['a\u202eb', notValid],
        ['\u200b', notValid],
    ]) {
        test(`username ${JSON.stringify(username).slice(0, 44)}`, async () => {
            invalid(await post(fresh({ username })), { username: text });
        });
    }

    const similar = unique('similarity');
    for (const [password, text] of [
        ['Sh0rt-x', 'This password is too short. It must contain at least 8 characters.'],
        ['password', 'This password is too common.'],
        ['PassWord1', 'This password is too common.'],
        ['8127364590127', 'This password is entirely numeric.'],
        [similar, /^The password is too similar to the /],
        [`${similar}@example.com`, /^The password is too similar to the /],
    ]) {
        test(`password ${password}`, async () => {
            const fields = { username: similar, email: `${similar}@example.com`, password };
            invalid(await post(fields), { password: text });
        });
    }

    test('password like the names', async () => {
        const names = { first_name: 'Wilhelmina', last_name: 'Featherstone' };
        for (const password of ['wilhelmina1', 'featherstone9']) {
            invalid(await post(fresh({ ...names, password })), {
                password: /^The password is too similar to the /,
            });
        }
    });

    test('password blank, null, missing', async () => {
        invalid(await post(fresh({ password: '' })), { password: BLANK });
        invalid(await post(fresh({ password: null })), { password: [NULL] });
        invalid(await post(fresh({ password: undefined })), { password: [REQUIRED] });
    });

    test('a confirmation that differs', async () => {
        for (const field of ['password_confirm', 'confirm_password']) {
            const res = await post(fresh({ [field]: `${PASSWORD}x` }));
            invalid(res, { password_confirm: ["The two password fields didn't match."] });
        }
    });

    test('the admin role', async () => {
        invalid(await post(fresh({ role: 'admin' })), {
            role: ['The admin role cannot be chosen at registration.'],
        });
    });

    test('other roles', async () => {
        invalid(await post(fresh({ role: 'Guest' })), { role: ['"Guest" is not a valid choice.'] });
        invalid(await post(fresh({ role: '' })), { role: ['"" is not a valid choice.'] });
        invalid(await post(fresh({ role: null })), { role: [NULL] });
    });

    test('names that are too long', async () => {
        const long = 'x'.repeat(151);
        invalid(await post(fresh({ first_name: long, last_name: long })), {
            first_name: ['Ensure this field has no more than 150 characters.'],
            last_name: ['Ensure this field has no more than 150 characters.'],
        });
    });

    test('a NUL', async () => {
        invalid(await post(fresh({ first_name: 'a\u0000b' })), {
            first_name: ['Null characters are not allowed.'],
        });
    });

    test('a body that is no object', async () => {
        invalid(await post([1]), {
            non_field_errors: ['Invalid data. Expected a dictionary, but got list.'],
        });
    });

    test('GET of it', async () => {
        const user = await register(server);
        const res = await user.get(PATH);
        err(res, 405, 'method_not_allowed', 'Method "GET" not allowed.');
        assert.equal(res.headers.allow, 'POST, OPTIONS');
    });
});

describe('uniqueness', () => {
    test('an e-mail, whatever its case', async () => {
        const input = fresh({ email: 'Twice@example.com' });
        ok(await post(input), 201);
        for (const email of ['Twice@example.com', 'TWICE@EXAMPLE.COM', 'twice@example.com']) {
            invalid(await post(fresh({ email })), { email: [EXISTS] });
        }
    });

    test('a username, whatever its case', async () => {
        ok(await post(fresh({ username: 'Unique.Name' })), 201);
        for (const username of ['Unique.Name', 'unique.name', 'UNIQUE.NAME']) {
            invalid(await post(fresh({ username })), { username: /already exists/ });
        }
    });

    test('a username, whatever the form of its letters', async () => {
        ok(await post(fresh({ username: 'ｗｉｄｅ' })), 201);
        invalid(await post(fresh({ username: 'Wide' })), { username: /already exists/ });
        invalid(await post(fresh({ username: 'cafe\u0301' })), { username: notValid });
    });

    test('both at once are both said', async () => {
        const input = fresh();
        ok(await post(input), 201);
        invalid(await post(input), { email: EXISTS, username: /already exists/ });
    });

    test('eight at the same moment: one is made, seven are 400', async () => {
        const input = fresh();
        const answers = await Promise.all(Array.from({ length: 8 }, () => post(input)));
        const made = answers.filter((res) => res.status === 201);
        assert.equal(made.length, 1, answers.map((res) => res.status).join(' '));
        for (const res of answers) {
            if (res.status !== 201) invalid(res, { email: [EXISTS], username: /already exists/ });
        }
    });

    test('eight default usernames at the same moment all differ', async () => {
        const post1 = (n) => post({ email: `rush@h${n}.example`, password: PASSWORD });
        const answers = await Promise.all(Array.from({ length: 8 }, (_, n) => post1(n)));
        const names = answers.map((res) => ok(res, 201).username);
        assert.equal(new Set(names).size, 8);
    });
});
