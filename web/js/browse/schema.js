// The server's OpenAPI document, asked about the resource that a page shows.
import { request } from '../session.js';

const isId = (segment) => segment.startsWith('{');
const segmentsOf = (path) => path.split('/').filter(Boolean);
// Ids have several names in the paths.
const unnamed = (path) => path.replace(/\{\w+\}/g, '{}');

// It is large and the same until the next version of the server: the browser keeps it, and asks.
export const loadSchema = async () =>
    new Schema(await request('GET', '/api/schema/', { query: { format: 'json' }, cache: 'no-cache' }));

class Schema {
    constructor(document) {
        this.document = document;
        const entries = Object.entries(document.paths);
        this.paths = new Map(entries.map(([path]) => [unnamed(path), path]));
        this.aliases = new Set(entries.flatMap(([, item]) => item['x-aliases'] ?? []).map(unnamed));
    }

    // What a {"$ref": "#/..."} stands for.
    resolve(node) {
        if (!node?.$ref) return node;
        return node.$ref.split('/').slice(1).reduce((place, name) => place?.[name], this.document);
    }

    // Its operations by method: {GET: {summary, parameters, ...}}.
    operations(path) {
        const entries = Object.entries(this.document.paths[path] ?? {});
        return Object.fromEntries(
            entries.filter(([name]) => !name.startsWith('x-')).map(([name, one]) => [name.toUpperCase(), one]),
        );
    }

    body(operation) {
        return this.resolve(operation.requestBody?.content['application/json']?.schema) ?? null;
    }

    query(operation) {
        return (operation.parameters ?? []).filter((one) => one.in === 'query');
    }

    // The names of the fields of what the list's rows are; empty where it is no list.
    rowFields(operation) {
        const answer = this.resolve(operation.responses[200]?.content?.['application/json']?.schema);
        const rows = answer?.type === 'array' ? answer : answer?.properties?.results;
        return Object.keys(this.resolve(rows?.items)?.properties ?? {});
    }

    // Of the path and its aliases the one that an address is of; null if none.
    pathOf(path, address) {
        const names = segmentsOf(address);
        const all = [path, ...(this.document.paths[path]?.['x-aliases'] ?? [])];
        return all.find((one) => {
            const segments = segmentsOf(one);
            return segments.length === names.length && segments.every((s, n) => isId(s) || s === names[n]);
        }) ?? null;
    }

    has(path) {
        return this.paths.has(unnamed(path)) || this.aliases.has(unnamed(path));
    }

    // Is there something with an id directly below this list?
    hasRows(path) {
        return this.#below(path).some(({ name }) => isId(name));
    }

    // What is directly below it under a name of its own: [{name: 'messages', methods: ['GET', 'POST']}].
    parts(path) {
        return this.#below(path)
            .filter(({ name }) => !isId(name))
            .map(({ name, full }) => ({ name, methods: Object.keys(this.operations(full)) }));
    }

    #below(path) {
        const start = unnamed(path);
        const depth = segmentsOf(path).length + 1;
        return [...this.paths]
            .filter(([one]) => one.startsWith(start) && segmentsOf(one).length === depth)
            .map(([, full]) => ({ name: segmentsOf(full).at(-1), full }));
    }
}
