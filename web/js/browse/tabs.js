// Tabs with their panels: the arrows go from one to the next.
import { h } from '../dom.js';

let numbered = 0;

// `items`: [{name, panel, onshow}], the first one is shown; onshow() runs when another is chosen.
export function tabs(label, items) {
    const base = `tabs-${++numbered}`;
    const buttons = items.map(({ name }, n) => h('button', {
        type: 'button', role: 'tab', id: `${base}-${n}`, 'aria-controls': `${base}-panel-${n}`,
        onclick: () => choose(n),
    }, name));
    const choose = (chosen) => {
        items[chosen].onshow?.();
        items.forEach(({ panel }, n) => {
            buttons[n].setAttribute('aria-selected', String(n === chosen));
            buttons[n].setAttribute('tabindex', n === chosen ? '0' : '-1');
            panel.hidden = n !== chosen;
        });
    };
    const list = h('div', { class: 'tabs', role: 'tablist', 'aria-label': label }, buttons);
    list.addEventListener('keydown', (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        const here = buttons.indexOf(event.target);
        const next = (here + step + buttons.length) % buttons.length;
        choose(next);
        buttons[next].focus();
        event.preventDefault();
    });
    items.forEach(({ panel }, n) => {
        panel.id = `${base}-panel-${n}`;
        panel.setAttribute('role', 'tabpanel');
        panel.setAttribute('aria-labelledby', `${base}-${n}`);
    });
    choose(0);
    return h('div', null, list, items.map(({ panel }) => panel));
}
