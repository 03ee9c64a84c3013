// Answers against the OpenAPI document: status, code, media type and body.
import Ajv from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

const pointer = (...parts) =>
    parts.map((part) => `/${encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))}`).join('');

// For clients an object may get more fields one day; here it must have those that are declared.
function close(node) {
    if (node === null || typeof node !== 'object') return;
    for (const child of Object.values(node)) close(child);
    if (node.type === 'object' && node.properties && !('additionalProperties' in node)) {
        node.additionalProperties = false;
    }
}

const mediaType = (header) => (header ?? '').split(';')[0].trim().toLowerCase();

// Any answer comes so to a browser; what is on it is the business of other tests.
const PAGE = 'text/html';

export class Checker {
    constructor(document) {
        this.document = structuredClone(document);
        close(this.document.components.schemas);
        this.ajv = new Ajv({ strict: false, allErrors: true });
        addFormats(this.ajv);
        this.ajv.addSchema(this.document, 'api');
        this.validators = new Map();
    }

    // What is wrong with a value by the schema at a place of the document.
    bodyProblems(place, value) {
        if (!this.validators.has(place)) {
            this.validators.set(place, this.ajv.compile({ $ref: `api#${place}` }));
        }
        const validate = this.validators.get(place);
        if (validate(value)) return [];
        return validate.errors.map((one) => {
            const extra = one.params.additionalProperty ? ` (${one.params.additionalProperty})` : '';
            return `body${one.instancePath.replace(/\/\d+/g, '/[]')} ${one.message}${extra}`;
        });
    }

    schemaProblems(name, value) {
        return this.bodyProblems(pointer('components', 'schemas', name), value);
    }

    // The response of a route for a status, and where it stands; null: not declared.
    response(route, status) {
        const { operation, canonicalPath, method } = route;
        const declared = operation.responses[status];
        if (!declared) return null;
        if (!declared.$ref) {
            const place = pointer('paths', canonicalPath, method.toLowerCase(), 'responses', String(status));
            return { declared, place };
        }
        const name = declared.$ref.split('/').at(-1);
        return {
            declared: this.document.components.responses[name],
            place: pointer('components', 'responses', name),
        };
    }

    // What is wrong with an answer of the route. `answer`: {method, status, type, code, body}, body
    // null where there is none or it is no JSON.
    problems(answer, route) {
        const found = this.response(route, answer.status);
        if (!found) return ['a status that is not declared'];
        const list = [];
        if (answer.status >= 400 && !route.operation['x-error-codes'].includes(answer.code)) {
            list.push(`X-Error-Code ${answer.code} is not declared`);
        }
        const { declared, place } = found;
        const type = mediaType(answer.type);
        if (answer.method === 'HEAD' || type === PAGE) return list;
        if (!declared.content) {
            return answer.body === null ? list : [...list, 'a body, but none is declared'];
        }
        if (!declared.content[type]) return [...list, `media type ${type} is not declared`];
        if (!type.endsWith('json')) return list;
        return [...list, ...this.bodyProblems(place + pointer('content', type, 'schema'), answer.body)];
    }

    // Of an answer that belongs to no operation: an unknown path, a method that is not there.
    errorProblems(answer) {
        const list = answer.code ? [] : ['no X-Error-Code'];
        const type = mediaType(answer.type);
        if (answer.method === 'HEAD' || type === PAGE) return list;
        if (answer.body === null) return [...list, 'no JSON body'];
        if (type === 'application/problem+json') {
            return [...list, ...this.schemaProblems('Problem', answer.body)];
        }
        const fields = this.schemaProblems('FieldErrors', answer.body);
        return [...list, ...(fields.length ? this.schemaProblems('Error', answer.body) : [])];
    }
}

// The name of the schema of a route's answer: "Message", "PaginatedMessageList", "[Message]".
export function answerName(route, status) {
    const schema = route.operation.responses[status]?.content?.['application/json']?.schema;
    if (schema?.$ref) return schema.$ref.split('/').at(-1);
    return schema?.items?.$ref ? `[${schema.items.$ref.split('/').at(-1)}]` : null;
}
