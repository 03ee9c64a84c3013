// The chat page: who is signed in gets the conversations, everybody else the way to sign in or up.

import { Confab, IndexedDbStore } from '../confab.js';
import { Chat } from './chat/app.js';
import { welcome } from './chat/welcome.js';
import { h, replace } from './dom.js';
import { me, signOut } from './session.js';
import { confirmed, toast } from './ui.js';

const STORE = 'confab ';
const root = document.getElementById('app');
const SOON_MS = 5_000;
let chat = null;
let enteredAt = 0;

// What is kept on this device for other users goes when somebody signs in: it is for their eyes.
async function forgetOthers(user) {
    for (const { name } of (await indexedDB.databases?.()) ?? []) {
        if (name.startsWith(STORE) && name !== STORE + user.id) indexedDB.deleteDatabase(name);
    }
}

// `refused`: the id of a user who is signed in, and whom the server did not take nevertheless.
async function start(notice = '', refused = null) {
    document.title = 'Confab';
    try {
        const user = await me();
        if (user && user.id === refused) {
            fail('The server does not take what this page sends. Is its PUBLIC_URL right?', '');
        } else if (user) await enter(user);
        else replace(root, welcome({ notice, done: enter }));
    } catch (error) {
        fail(error.message, notice);
    }
}

function fail(message, notice) {
    const retry = () => {
        again.disabled = true; // once: each start makes a chat
        start(notice);
    };
    const again = h('button', { class: 'primary', onclick: retry }, 'Try again');
    const text = h('p', { class: 'problem', role: 'alert' }, message);
    replace(root, h('main', { class: 'waiting' }, h('h1', null, 'Confab'), text, again));
}

async function enter(user) {
    await forgetOthers(user).catch(() => {}); // some browsers have no databases in private windows
    const client = new Confab({ session: true, store: new IndexedDbStore(STORE + user.id) });
    const mine = new Chat({ client, user, leave });
    chat = mine;
    enteredAt = Date.now();
    const isOther = () => client.me && client.me.id !== user.id;
    client.on('state', ({ state }) => {
        if (chat === mine && state === 'signed-out') restart('You have been signed out.');
    });
    client.on('reset', () => {
        queueMicrotask(() => chat === mine && isOther() && restart()); // it knows behind this event
    });
    replace(root, mine.element);
    mine.start();
    client.connect().catch(() => {}); // the state says what is wrong
}

async function close(closing) {
    chat = null;
    closing.stop();
    await closing.client.close();
}

// The session has ended, or is another user's: the server knows.
async function restart(notice) {
    const { id } = chat.user;
    const isSoon = Date.now() - enteredAt < SOON_MS; // not in circles
    await close(chat);
    await start(notice, isSoon ? id : null);
}

async function leave() {
    const leaving = chat;
    const unsent = leaving.client.pending().length;
    const text = `${unsent === 1 ? 'A message is' : `${unsent} messages are`} not sent yet, and will be lost.`;
    if (unsent && !(await confirmed({ title: 'Sign out?', text, yes: 'Sign out' }))) return;
    chat = null; // that it is signed out will be no news
    try {
        await signOut();
    } catch (error) {
        chat = leaving;
        toast(error.message, { bad: true });
        return;
    }
    await close(leaving);
    indexedDB.deleteDatabase(STORE + leaving.user.id);
    history.replaceState(null, '', '/');
    await start();
}

start();
