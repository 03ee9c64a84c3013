// One message as a node.

import { avatar, clockOf, h, icon, momentOf } from '../dom.js';
import { isEmoji, linked, nameOf, preview } from './text.js';

const LONG_CHARACTERS = 1_600;
const LONG_LINES = 24;

const isLong = (text) =>
    text.length > LONG_CHARACTERS || text.split('\n', LONG_LINES + 1).length > LONG_LINES;

// The text, and `meta` in its last line where there is room. Long ones are cut until asked for.
function textNode(text, meta) {
    const node = h(
        'div',
        { class: isEmoji(text) ? 'text big' : 'text', dir: 'auto' },
        linked(text),
    );
    if (!isLong(text)) {
        node.append(meta);
        return node;
    }
    node.classList.add('cut');
    const more = h('button', { class: 'small more', type: 'button' }, 'Show all');
    more.addEventListener('click', () => {
        node.classList.remove('cut');
        more.remove();
    });
    return [node, more, meta];
}

function quoteNode(quoted, jump) {
    const isThere = quoted && !quoted.deleted && !quoted.isAwaited;
    const instead = quoted?.isAwaited ? '…' : 'Message deleted';
    const inner = [
        h('b', { dir: 'auto' }, isThere ? nameOf(quoted.sender) : ''),
        h('span', { dir: 'auto' }, isThere ? preview(quoted.message_body) : instead),
    ];
    if (!isThere) return h('p', { class: 'quote' }, inner);
    return h(
        'button',
        { class: 'quote', type: 'button', title: 'To this message', onclick: jump },
        inner,
    );
}

function tick(name, label) {
    return h(
        'span',
        { class: `tick ${name}`, role: 'img', 'aria-label': label, title: label },
        icon(name),
    );
}

function metaNode(time, isEdited, mark) {
    return h(
        'span',
        { class: 'meta' },
        isEdited && h('span', null, 'edited'),
        h('time', { datetime: time, title: momentOf(time) }, clockOf(time)),
        mark,
    );
}

function toolButton(name, label, onclick) {
    return h(
        'button',
        { type: 'button', class: 'plain round small', 'aria-label': label, title: label, onclick },
        icon(name),
    );
}

// row: {message, isOwn, isJoined (the one before is of the same sender), isNamed, isRead, mayDelete,
// quoted (undefined: it answers none; null: one that is gone)}; acts: {reply, edit, remove, jump}.
export function messageNode(
    { message, isOwn, isJoined, isNamed, isRead, mayDelete, quoted },
    acts,
) {
    const { sender, message_body: text, deleted, sent_at: time } = message;
    const name = nameOf(sender);
    const mark =
        isOwn && !deleted && (isRead ? tick('checks', 'Read by all') : tick('check', 'Sent'));
    const meta = metaNode(time, message.edited && !deleted, mark);
    const isVisible = isNamed && !isJoined;
    const tools = [
        !deleted && toolButton('reply', 'Reply', () => acts.reply(message)),
        isOwn && !deleted && toolButton('edit', 'Edit', () => acts.edit(message)),
        mayDelete && !deleted && toolButton('delete', 'Delete', () => acts.remove(message)),
    ];
    return h(
        'article',
        {
            class: ['message', isOwn && 'own', isJoined && 'joined', deleted && 'deleted']
                .filter(Boolean)
                .join(' '),
            tabindex: '-1',
            dataset: { seq: message.seq },
        },
        isNamed &&
            (isJoined
                ? h('span', { class: 'gap' })
                : avatar(message.sender_id, name, { small: true, image: sender?.avatar })),
        h(
            'div',
            { class: 'bubble' },
            h(
                'p',
                { class: isVisible ? 'sender' : 'visually-hidden', dir: 'auto' },
                isOwn ? 'You' : name,
            ),
            quoted !== undefined && !deleted && quoteNode(quoted, () => acts.jump(quoted)),
            deleted ? h('p', { class: 'text' }, 'Message deleted', meta) : textNode(text, meta),
        ),
        h('div', { class: 'tools' }, tools),
    );
}

// A message that is not stored yet; acts: {retry, discard}.
export function pendingNode({ item, quoted }, acts) {
    const hasFailed = item.state === 'failed';
    const mark = hasFailed ? tick('alert', 'Not sent') : tick('clock', 'Not sent yet');
    const why = item.error?.body?.detail ?? Object.values(item.error?.body ?? {}).flat()[0] ?? '';
    return h(
        'article',
        { class: hasFailed ? 'message own pending failed' : 'message own pending', tabindex: '-1' },
        h(
            'div',
            { class: 'bubble' },
            h('p', { class: 'visually-hidden' }, 'You'),
            quoted !== undefined && quoteNode(quoted, () => acts.jump(quoted)),
            textNode(item.message_body, metaNode(item.created_at, false, mark)),
        ),
        hasFailed &&
            h(
                'div',
                { class: 'failure' },
                h('p', null, `Not sent. ${why}`),
                h(
                    'button',
                    { type: 'button', class: 'small', onclick: () => acts.retry(item) },
                    'Try again',
                ),
                h(
                    'button',
                    { type: 'button', class: 'small', onclick: () => acts.discard(item) },
                    'Discard',
                ),
            ),
    );
}
