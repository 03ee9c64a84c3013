// A container's children, each by a key. Only what differs from before is touched, so what has the
// focus, is selected or scrolled stays as it is.
export class Keyed {
    #container;
    #known = new Map(); // key -> {sign, node}

    constructor(container) {
        this.#container = container;
    }

    node(key) {
        return this.#known.get(key)?.node ?? null;
    }

    // items: [{key, sign, make()}] in order. make() is called for new keys, and where `sign`, which
    // stands for all that the node shows, has changed.
    update(items) {
        const focused = this.#focusedKey();
        const keys = new Set(items.map(({ key }) => key));
        for (const [key, { node }] of this.#known) if (!keys.has(key)) node.remove();
        const next = new Map();
        let at = this.#container.firstChild;
        for (const { key, sign, make } of items) {
            const before = this.#known.get(key);
            const node = before?.sign === sign ? before.node : make();
            if (before && before.node !== node) {
                if (before.node === at) at = node;
                before.node.replaceWith(node);
            }
            if (node === at) at = at.nextSibling;
            else this.#container.insertBefore(node, at);
            next.set(key, { sign, node });
        }
        this.#known = next;
        if (focused !== null) this.#focus(focused);
    }

    #focusedKey() {
        const active = document.activeElement;
        if (!active || !this.#container.contains(active)) return null;
        for (const [key, { node }] of this.#known) if (node.contains(active)) return key;
        return null;
    }

    #focus(key) {
        const node = this.node(key);
        if (!node || node.contains(document.activeElement)) return;
        const target = node.matches('[tabindex]') ? node : node.querySelector('a, button');
        target?.focus({ preventScroll: true });
    }
}
