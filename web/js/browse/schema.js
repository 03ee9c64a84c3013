// The server's OpenAPI document, asked about the resource that a page shows.
import { request } from '../session.js';

const isId = (segment) => segment.startsWith('{');
const segmentsOf = (path) => path.split('/').filter(Boolean);

export const loadSchema = async () =>
    new Schema(await request('GET', '/api/schema/', { query: { format: 'json' } }));

export class Schema {
    constructor(document) {
        this.document = document;
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

    has(path) {
        return path in this.document.paths || this.#aliases.has(path);
    }

    get #aliases() {
        const lists = Object.values(this.document.paths).map((one) => one['x-aliases'] ?? []);
        return new Set(lists.flat());
    }

    // Is there something with an id directly below this list?
    hasRows(path) {
        return this.#below(path).some(([last]) => isId(last));
    }

    // What is directly below it under a name of its own: [{name: 'messages', methods: ['GET', 'POST']}].
    parts(path) {
        return this.#below(path)
            .filter(([last]) => !isId(last))
            .map(([name, full]) => ({ name, methods: Object.keys(this.operations(full)) }));
    }

    #below(path) {
        const depth = segmentsOf(path).length;
        return Object.keys(this.document.paths)
            .filter((full) => full.startsWith(path) && segmentsOf(full).length === depth + 1)
            .map((full) => [segmentsOf(full).at(-1), full]);
    }
}
