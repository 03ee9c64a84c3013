// Addresses within the admin site: what stands behind the #, as '/users/<id>?search=...'.

import { addressOf as withQuery } from '../session.js';

// {path, name, id, query}: name and id are the first two parts of the path, '' where there is none.
export function parse(hash) {
    const [path, search = ''] = hash.replace(/^#?\/?/, '').split(/\?(.*)/s);
    const [name = '', id = ''] = path.split('/').map(decode);
    return { path: `/${path}`, name, id, query: Object.fromEntries(new URLSearchParams(search)) };
}

function decode(part) {
    try {
        return decodeURIComponent(part);
    } catch {
        return part;
    }
}

// As addressOf() of ../session.js.
export const addressOf = (path, query) => withQuery(`#${path}`, query);

export function go(path, query) {
    location.hash = addressOf(path, query);
}

// The query with some of it changed; where it begins is forgotten, as it is another list then.
export function changed(query, patch) {
    const { page, cursor, ...rest } = query;
    return { ...rest, ...patch };
}
