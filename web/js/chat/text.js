// Words for conversations, people and what they write.

import { h, momentOf, shortTimeOf } from '../dom.js';

const ADDRESS = /https?:\/\/[^\s<>"'`]+/giu;
const PREVIEW_MAX = 140;

export const nameOf = (person) => person?.full_name?.trim() || person?.username || 'Deleted user';

export const othersOf = (conversation, me) =>
    conversation.participants.filter(({ id }) => id !== me.id);

// Whom a one-to-one conversation is with; null for groups.
export const partnerOf = (conversation, me) =>
    conversation.direct ? (othersOf(conversation, me)[0] ?? null) : null;

export function titleOf(conversation, me) {
    if (conversation.title) return conversation.title;
    const names = othersOf(conversation, me).map(nameOf);
    if (names.length === 0) return conversation.participant_count > 1 ? 'Group' : 'Note to self';
    const more = conversation.participant_count - 1 - Math.min(names.length, 3);
    return names.slice(0, 3).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

// The names of those who are writing in it now.
export const typistsOf = ({ id, participants }, client) =>
    client.typists(id).map((userId) => nameOf(participants.find((person) => person.id === userId)));

export const INVITATION =
    'Invite somebody: open this page in another browser or a private window, and sign up there.';

// A sentence may end behind an address, or stand in brackets with it.
function splitAddress(text) {
    let end = text.length;
    for (; end > 0; end--) {
        const char = text[end - 1];
        if ('.,;:!?*_~'.includes(char)) continue;
        const opening = { ')': '(', ']': '[', '}': '{' }[char];
        const count = (what) => text.slice(0, end).split(what).length;
        if (!opening || count(opening) >= count(char)) break;
    }
    return [text.slice(0, end), text.slice(end)];
}

const isAddress = (text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);

// Text nodes, and links where it has addresses of the web; nothing else becomes an element.
export function linked(text) {
    const parts = [];
    let at = 0;
    for (const { 0: found, index } of text.matchAll(ADDRESS)) {
        const [address] = splitAddress(found);
        if (!isAddress(address)) continue;
        const props = { href: address, target: '_blank', rel: 'noopener noreferrer' };
        parts.push(text.slice(at, index), h('a', props, address));
        at = index + address.length;
    }
    parts.push(text.slice(at));
    return parts;
}

// One line of what may be ten thousand characters.
export const preview = (text) => text.slice(0, PREVIEW_MAX).replace(/\s+/gu, ' ');

// One to three emoji and nothing else.
export const isEmoji = (text) => /^\p{RGI_Emoji}{1,3}$/v.test(text);

export function presenceText(presence) {
    if (presence?.state === 'online') return 'Online';
    return presence?.last_seen ? `Last seen ${shortTimeOf(presence.last_seen)}` : 'Offline';
}

export const presenceTitle = (presence) =>
    presence?.last_seen && presence.state !== 'online' ? momentOf(presence.last_seen) : null;
