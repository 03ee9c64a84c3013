// Everything that is written carries a marker: what it is (a number that nothing else has) and its
// place in the order of all that the simulator began ("~"). So the oracle can tell from a text
// alone whether it was stored twice, and whether it was begun after somebody had been removed.
let order = 0;

// The next place in the order. Ticks are compared, never counted.
export const tick = () => ++order;

let numbered = 0;
export const nextNumber = () => ++numbered;

export const writeMarker = (kind, number, at, rest = '') =>
    `${kind}${number} ~${at}${rest ? ` ${rest}` : ''}`;

const MARKER = /^([a-z])(\d+) ~(\d+)/;

// {kind, number, at}, or null where there is none (a tombstone's empty body).
export function readMarker(text) {
    const found = MARKER.exec(text ?? '');
    return found && { kind: found[1], number: Number(found[2]), at: Number(found[3]) };
}
