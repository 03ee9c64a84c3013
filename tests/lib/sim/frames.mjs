// Frames from text. The server encodes what is shared once, so the same text comes to many clients
// of this process: parsed once, frozen, and shared by their models, which keeps a hundred clients
// with a long history in a small memory.
const KEPT = 4000;
const recent = new Map();

function freeze(value) {
    if (typeof value !== 'object' || value === null) return value;
    Object.values(value).forEach(freeze);
    return Object.freeze(value);
}

export function parseFrame(text) {
    const known = recent.get(text);
    if (known) return known;
    const frame = freeze(JSON.parse(text));
    recent.set(text, frame);
    if (recent.size > KEPT) recent.delete(recent.keys().next().value);
    return frame;
}

// For one that was parsed as a part of something else.
export const shareFrame = (frame) => parseFrame(JSON.stringify(frame));
