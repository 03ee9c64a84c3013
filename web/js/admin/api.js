// Requests to the admin API; paths are those behind /api/admin/.

import { addressOf, request } from '../session.js';

// Called when the session has ended or its user is no admin any more.
let onRefused = () => {};
export function whenRefused(listener) {
    onRefused = listener;
}

// As request() of ../session.js; paths that begin with / are of the whole site.
export async function ask(method, path, options) {
    try {
        return await request(method, path.startsWith('/') ? path : `/api/admin/${path}`, options);
    } catch (error) {
        if (error.status === 401 || error.code === 'permission_denied') onRefused(error);
        throw error;
    }
}

export const read = (path, query, signal) => ask('GET', path, { query, signal });

// An address to click at: a file of the whole list.
export const exportAddress = (path, query, format) =>
    addressOf(`/api/admin/${path}`, { ...query, export: format });

// What next and previous of a list say: {page} or {cursor}; null where there is none.
export function placeOf(link) {
    if (!link) return null;
    const query = new URL(link).searchParams;
    return query.has('cursor')
        ? { cursor: query.get('cursor') }
        : { page: query.get('page') ?? '' };
}
