// confab import-django: a database as Django makes it, from any engine into any.
import assert from 'node:assert/strict';
import { createHash, pbkdf2Sync } from 'node:crypto';
import fs from 'node:fs';
import { after, before, describe, test } from 'node:test';

import { login, send } from '../lib/client.mjs';
import { Databases, bad, good, serve } from '../lib/databases.mjs';
import { ok } from '../lib/expect.mjs';

let databases;
before(() => {
    databases = new Databases();
});
after(() => databases?.stop());

const SCHEMA = fs.readFileSync(new URL('../lib/django.sql', import.meta.url), 'utf8');
// What Django's other backends have for the same fields.
const ON_POSTGRES = [
    [/"id" integer NOT NULL PRIMARY KEY AUTOINCREMENT/g, '"id" bigserial NOT NULL PRIMARY KEY'],
    [/char\(32\)/g, 'uuid'],
    [/\bdatetime\b/g, 'timestamp with time zone'],
    [/\bbool\b/g, 'boolean'],
];

const ON_MYSQL = [
    [/^/, 'ALTER DATABASE CHARACTER SET utf8mb4;\n'],
    [/"id" integer NOT NULL PRIMARY KEY AUTOINCREMENT/g, '"id" bigint AUTO_INCREMENT NOT NULL PRIMARY KEY'],
    [/\bdatetime\b/g, 'datetime(6)'],
    [/\btext\b/g, 'longtext'],
    [/ DEFERRABLE INITIALLY DEFERRED/g, ''],
    [/"[a-z_]{40,}_([0-9a-f]{8}(_uniq)?)"/g, '"chats_conversation_part_$1"'],
];
const WORDS = { sqlite: [], postgres: ON_POSTGRES, mysql: ON_MYSQL };

const engineOf = (database) => database.url.split(':')[0];

function schemaFor(database) {
    const words = WORDS[engineOf(database)];
    return words.reduce((text, [from, to]) => text.replace(from, to), SCHEMA);
}

const idOf = (name) => createHash('sha256').update(name).digest('hex').slice(0, 32);
const dashed = (id) => id.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
const quoted = (value) =>
    typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : value === null ? 'NULL' : `${value}`;

function hashOf(password, iterations = 1000) {
    const salt = 'saltsaltsaltsaltsalt12';
    const hash = pbkdf2Sync(password, salt, iterations, 32, 'sha256').toString('base64');
    return `pbkdf2_sha256$${iterations}$${salt}$${hash}`;
}

// Rows as Django writes them: ids without dashes, times without a fraction where that is zero.
class Old {
    constructor(database) {
        this.database = database;
        this.text = [schemaFor(database)];
        this.bool = (value) => (engineOf(database) === 'sqlite' ? Number(value) : value);
    }

    row(table, fields) {
        const columns = Object.keys(fields).map((name) => `"${name}"`);
        const values = Object.values(fields).map((value) =>
            quoted(typeof value === 'boolean' ? this.bool(value) : value),
        );
        this.text.push(`INSERT INTO "${table}" (${columns}) VALUES (${values});`);
    }

    user(name, fields = {}) {
        this.row('chats_user', {
            user_id: idOf(name),
            password: hashOf(`${name}-Passw0rd`),
            last_login: null,
            is_superuser: false,
            is_staff: false,
            is_active: true,
            date_joined: '2024-02-29 23:59:59.999999',
            email: `${name}@Example.com`,
            first_name: name.toUpperCase(),
            last_name: "O'Neil",
            phone_number: '+15550001',
            role: 'guest',
            created_at: '2025-01-01 00:00:00',
            ...fields,
        });
    }

    conversation(name, people, fields = {}) {
        const id = idOf(name);
        const at = '2025-02-01 10:00:00.000001';
        this.row('chats_conversation', { conversation_id: id, created_at: at, updated_at: at, ...fields });
        for (const person of people) {
            this.row('chats_conversation_participants', { conversation_id: id, user_id: idOf(person) });
        }
    }

    message(conversation, sender, at, body, isRead = true) {
        this.row('chats_message', {
            message_id: idOf(body),
            message_body: body,
            sent_at: `2025-02-01 ${at}`,
            is_read: isRead,
            conversation_id: idOf(conversation),
            sender_id: idOf(sender),
        });
    }

    save() {
        this.database.sql(this.text.join('\n'));
        return this.database;
    }
}

function makeOld(engine) {
    const old = new Old(databases.make(engine));
    old.user('ann', { is_superuser: true, is_staff: true, last_login: '2025-03-01 08:00:00.5' });
    old.user('bob', { role: 'host', created_at: '2025-01-02 00:00:00.000001' });
    old.user('cy', { is_active: false });
    old.user('dee', { password: 'argon2$argon2id$v=19$m=102400,t=2,p=8$c2FsdA$aGFzaA' });
    old.user('ann2', { email: 'ann@other.example', created_at: '2025-01-03 00:00:00' });
    // In time's order, whatever the order of their ids; two in one moment.
    old.conversation('pair', ['bob', 'ann'], { updated_at: '2025-02-05 00:00:00' });
    old.message('pair', 'ann', '12:00:00.000002', 'third', false);
    old.message('pair', 'ann', '12:00:00', 'first');
    old.message('pair', 'bob', '12:00:00.000001', 'second');
    old.message('pair', 'bob', '12:00:01', 'fourth \'"; ключ 🗝\n', false);
    // The same two again: an older one.
    old.conversation('pair before', ['ann', 'bob'], { updated_at: '2025-02-04 00:00:00' });
    // A sender who is no participant any more; one conversation without anybody.
    old.conversation('group', ['ann', 'bob', 'ann2']);
    old.message('group', 'dee', '13:00:00', 'bye');
    old.message('group', 'ann2', '13:00:01', 'unread', false);
    old.conversation('empty', []);
    return old.save();
}

const PAIRS = [
    ['sqlite', 'sqlite'],
    ['sqlite', 'postgres'],
    ['postgres', 'sqlite'],
    ['postgres', 'postgres'],
    ['mariadb', 'postgres'],
    ['sqlite', 'mariadb'],
    ['mariadb', 'mariadb'],
];

for (const [engine, into] of PAIRS) {
    test(`from ${engine} into ${into}`, async () => {
        const [from, to] = [makeOld(engine), databases.make(into)];
        const text = await good(to, ['import-django', from.url]);
        assert.match(text, /^5 users, 4 conversations \(1 of them one-to-one\), 6 messages$/m);
        assert.match(text, /^1 users have a password that is not pbkdf2_sha256/m);
        const hashes = (database, table) => database.sql(`SELECT password FROM ${table} ORDER BY 1`);
        assert.equal(hashes(to, 'account'), hashes(from, 'chats_user'));
        const server = await serve(to);
        try {
            await checkUsers(server);
            await checkConversations(server);
        } finally {
            await server.stop();
        }
    });
}

async function checkUsers(server) {
    const ann = await login(server, 'ann@example.com', 'ann-Passw0rd');
    assert.equal(ann.id, dashed(idOf('ann')));
    const me = ok(await ann.get('/api/users/me/'));
    assert.deepEqual(
        [me.username, me.email, me.first_name, me.last_name, me.phone_number, me.role, me.created_at],
        ['ann', 'ann@Example.com', 'ANN', "O'Neil", '+15550001', 'admin', '2025-01-01T00:00:00Z'],
    );
    const bob = await login(server, 'bob', 'bob-Passw0rd');
    assert.equal(ok(await bob.get('/api/users/me/')).role, 'host');
    const other = await login(server, 'ann@other.example', 'ann2-Passw0rd');
    assert.equal(other.username, 'ann2', 'another name where the first part of the address is taken');
    for (const [name, password] of [
        ['cy', 'cy-Passw0rd'],
        ['dee', 'dee-Passw0rd'],
        ['bob', 'ann-Passw0rd'],
    ]) {
        const json = { username: name, password };
        assert.equal((await send(server, 'POST', '/api/token/', { json })).status, 401, name);
    }
    assert.equal(ok(await ann.get('/api/users/')).count, 5);
    assert.equal(ok(await ann.get('/api/users/', { search: 'neil' })).count, 5, 'found by a name');
}

async function checkConversations(server) {
    const bob = await login(server, 'bob', 'bob-Passw0rd');
    const list = ok(await bob.get('/api/conversations/'));
    assert.deepEqual(
        list.results.map((one) => [one.id, one.updated_at, one.unread_count]),
        [
            [dashed(idOf('pair')), '2025-02-05T00:00:00Z', 0],
            [dashed(idOf('pair before')), '2025-02-04T00:00:00Z', 0],
            [dashed(idOf('group')), '2025-02-01T10:00:00.000001Z', 1],
        ],
    );
    const path = `/api/conversations/${dashed(idOf('pair'))}/`;
    const { results } = ok(await bob.get(`${path}messages/`, { ordering: 'sent_at' }));
    const bodies = ['first', 'second', 'third', 'fourth \'"; ключ 🗝\n'];
    assert.deepEqual(
        results.map((one) => [one.id, one.message_body, one.seq, one.sent_at]),
        bodies.map((body, n) => [
            dashed(idOf(body)),
            body,
            n + 1,
            ['12:00:00', '12:00:00.000001', '12:00:00.000002', '12:00:01'][n],
        ].map((value, at) => (at === 3 ? `2025-02-01T${value}Z` : value))),
    );
    // Ann has not read what Bob has sent last; Bob, who has answered, has read all.
    const ann = await login(server, 'ann@example.com', 'ann-Passw0rd');
    assert.equal(ok(await ann.get(path)).unread_count, 1);
    const again = { participants: [dashed(idOf('ann'))], direct: true };
    const same = ok(await bob.post('/api/conversations/', again), 200);
    assert.equal(same.id, dashed(idOf('pair')), 'the pair has its conversation already');
    const sent = ok(await bob.post(`${path}messages/`, { message_body: 'new' }), 201);
    assert.equal(sent.seq, 5);
}

describe('what is refused leaves nothing', () => {
    const nothing = (database) =>
        assert.equal(database.sql('SELECT count(*) FROM account').trim(), '0');

    test('addresses that differ by case only', async () => {
        const old = new Old(databases.make('sqlite'));
        old.user('ann');
        old.user('twin', { email: 'ANN@example.com' });
        const [from, to] = [old.save(), databases.make('postgres')];
        const text = await bad(to, ['import-django', from.url]);
        assert.match(text, new RegExp(`${dashed(idOf('twin'))}.*ANN@example.com`));
        assert.match(text, /1 users have an e-mail address/);
        nothing(to);
    });

    test('a row that is broken', async () => {
        for (const [column, value, why] of [
            ['sent_at', "'yesterday'", /sent_at.*is not a time/],
            ['message_id', "'seven'", /message_id.*is not a UUID/],
            ['message_body', "CAST(x'ff' AS TEXT)", /message_body.*is not valid text/],
            ['conversation_id', `'${idOf('nowhere')}'`, /0 of 1 messages/],
        ]) {
            const old = new Old(databases.make('sqlite'));
            old.user('ann');
            old.conversation('one', ['ann']);
            old.message('one', 'ann', '12:00:00', 'text');
            const [from, to] = [old.save(), databases.make('sqlite')];
            from.sql(`UPDATE chats_message SET ${column} = ${value}`);
            assert.match(await bad(to, ['import-django', from.url]), why);
            nothing(to);
        }
    });

    test('a target with users in it, one that a server runs on, no old database', async () => {
        const [from, to] = [makeOld('sqlite'), databases.make('postgres')];
        const server = await serve(to);
        const impatient = { DB_BUSY_TIMEOUT_MS: 200 };
        assert.match(await bad(to, ['import-django', from.url], impatient), /stop it first/);
        await server.stop();
        await good(to, ['import-django', from.url]);
        assert.match(await bad(to, ['import-django', from.url]), /users in/);
        assert.match(await bad(to, ['import-django', 'sqlite:////nowhere.sqlite3']), /no database/);
        assert.match(await bad(to, ['import-django']), /needs a URL/);
    });
});

test('tables and columns of other names', async () => {
    const [from, to] = [makeOld('postgres'), databases.make('sqlite')];
    from.sql('ALTER TABLE chats_user RENAME TO "People"; ALTER TABLE "People" RENAME email TO "Mail"');
    from.sql('ALTER TABLE chats_message RENAME message_body TO "order"');
    const args = ['import-django', from.url, '--user-table', 'People'];
    assert.match(await bad(to, args), /no column email.*--map user\.email=/);
    assert.match(await bad(to, [...args, '--map', 'user.email=Mail']), /message\.body=/);
    const map = ['--map', 'user.email=Mail,message.body=order'];
    assert.match(await good(to, [...args, ...map]), /^5 users/);
    assert.match(await bad(to, ['import-django', from.url, '--app', 'talk']), /no table talk_user/);
    for (const wrong of ['user.email', 'user.x=y', 'user.email=a"b', 'user.email=1a', 'x.y=z']) {
        assert.match(await bad(to, [...args, '--map', wrong]), /TABLE\.FIELD=COLUMN/, wrong);
    }
    assert.match(await bad(to, [...args, '--message-table', 'a b']), /no name of a table/);
});
