// A button with a menu: closes by Esc, by a choice, and by a click elsewhere.

import { h } from '../dom.js';

export function makeMenu(label, items) {
    const summary = h('summary', { class: 'button small' }, label);
    const node = h('details', { class: 'menu' }, summary, h('div', null, items));
    const away = (event) => {
        if (!node.contains(event.target)) node.open = false;
    };
    node.addEventListener('toggle', () => {
        const way = node.open ? 'addEventListener' : 'removeEventListener';
        document[way]('pointerdown', away);
    });
    node.addEventListener('keydown', (event) => {
        if (event.key !== 'Escape' || !node.open) return;
        node.open = false;
        summary.focus();
    });
    node.addEventListener('click', (event) => {
        if (event.target.closest('div a, div button')) node.open = false;
    });
    return node;
}
