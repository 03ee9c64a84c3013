// Controls for what a schema of OpenAPI describes: of a request's body, and of a query.
import { h, replace } from '../dom.js';
import { PLAIN_TEXT } from '../ui.js';

const LONG_TEXT = 500; // characters: such a field gets several lines
const DATE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?/;
const INTEGER = /^-?\d{1,15}$/;

// The sentence is for the reader: what stands in a field cannot be sent.
export class FieldError extends Error {}

const typesOf = (schema) => [schema.type ?? (schema.oneOf ?? []).map((one) => one.type)].flat();

function kindOf(schema) {
    const types = typesOf(schema);
    if (schema.enum) return 'choice';
    if (types.includes('array')) return 'list';
    if (types.includes('boolean')) return 'bool';
    if (types.includes('integer') || types.includes('number')) return 'number';
    if (types.includes('object')) return 'object';
    if (schema.format === 'date-time') return 'time';
    if (schema.format === 'password') return 'secret';
    return schema.maxLength > LONG_TEXT ? 'prose' : 'text';
}

// ---- times: the reader's clock in the control, UTC on the wire ----------------------------------

const pad = (number) => String(number).padStart(2, '0');

function localTime(text) {
    const date = new Date(text);
    const day = [date.getFullYear(), pad(date.getMonth() + 1), pad(date.getDate())].join('-');
    const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(pad).join(':');
    return `${day}T${clock}`;
}

// What is not a moment, as "2025-07-27", is left as it is, in a control for text.
const isMoment = (text) => text === '' || (DATE_TIME.test(text) && !Number.isNaN(Date.parse(text)));

// ---- controls -----------------------------------------------------------------------------------

const lines = (value) => [value].flat().map(String).join('\n');

// A value of JSON as the control's text.
const writers = {
    bool: (value) => String(/^(?:true|1)$/i.test(value)),
    list: (value) => lines(value),
    object: (value) => JSON.stringify(value, null, 2),
    time: (value) => (isMoment(String(value)) ? localTime(value) : String(value)),
};

function readObject(text) {
    try {
        return JSON.parse(text);
    } catch (error) {
        throw new FieldError(`This is no JSON: ${error.message}`);
    }
}

// The control's text, which is not empty, as a value of JSON.
const readers = {
    list: (text) => text.split('\n').map((line) => line.trim()).filter(Boolean),
    bool: (text) => text === 'true',
    number: (text) => (INTEGER.test(text.trim()) ? Number(text) : text),
    object: readObject,
    time: (text) => (isMoment(text) ? new Date(text).toISOString() : text),
};

function select(props, choices, isRequired) {
    const options = choices.filter((choice) => choice !== null).map(String);
    return h('select', props, h('option', { value: '' }, isRequired ? 'Choose…' : '–'),
        options.map((option) => h('option', { value: option }, option)));
}

const controls = {
    choice: (props, schema, field) => select(props, schema.enum, field.isRequired),
    bool: (props, schema, field) => select(props, [true, false], field.isRequired),
    list: (props) => h('textarea', { ...props, ...PLAIN_TEXT, rows: 2 }),
    object: (props) => h('textarea', { ...props, ...PLAIN_TEXT, rows: 3, class: 'mono' }),
    prose: (props) => h('textarea', { ...props, rows: 4, dir: 'auto' }),
    time: (props, schema, field) =>
        h('input', { ...props, ...(isMoment(field.initial) ? { type: 'datetime-local', step: '1' } : {}) }),
    number: (props) => h('input', { ...props, inputmode: 'numeric', autocomplete: 'off' }),
    secret: (props) => h('input', {
        ...props, type: 'password',
        autocomplete: props.name === 'password' || /new|confirm/.test(props.name)
            ? 'new-password' : 'current-password',
    }),
    text: (props, schema) => h('input', { ...props, ...PLAIN_TEXT, dir: 'auto', maxlength: schema.maxLength,
        type: schema.format === 'email' ? 'email' : 'text' }),
};

const unitHints = { list: 'One a line.', object: 'JSON.', time: 'In your time zone.' };

// ---- a field ------------------------------------------------------------------------------------

let numbered = 0;

export class Field {
    // `value`: what it is now, undefined if unknown.
    constructor(name, schema, { isRequired = false, help = schema.description, value } = {}) {
        this.name = name;
        this.kind = kindOf(schema);
        this.isRequired = isRequired;
        this.isText = typesOf(schema).includes('string') && ['text', 'prose'].includes(this.kind);
        this.original = value ?? undefined;
        this.initial = this.#textOf(value);
        const id = `field-${++numbered}`;
        const props = { id, name, 'aria-describedby': `${id}-hint ${id}-error` };
        if (isRequired) props['aria-required'] = 'true';
        this.control = controls[this.kind](props, schema, this);
        this.control.value = this.initial;
        this.initial = this.control.value; // as the control has it: line ends, unknown choices
        this.error = h('p', { class: 'error', id: `${id}-error`, hidden: true });
        this.node = h('div', { class: `field ${this.kind}` }, this.#label(id), this.control,
            this.#hint(id, help), this.error);
    }

    #label(id) {
        const mark = this.isRequired && h('span', { class: 'quiet' }, ' (required)');
        return h('label', { for: id }, this.name, mark);
    }

    #hint(id, help) {
        const text = [help, unitHints[this.kind]].filter(Boolean).join(' ');
        const parts = text.split('`').map((part, n) => (n % 2 ? h('code', null, part) : part));
        return h('p', { class: 'hint', id: `${id}-hint`, hidden: text === '' }, parts);
    }

    #textOf(value) {
        if (value === undefined || value === null) return '';
        return (writers[this.kind] ?? String)(value);
    }

    get text() {
        return this.control.value;
    }

    set text(text) {
        this.control.value = text;
    }

    get isChanged() {
        return this.text !== this.initial;
    }

    // As JSON: of what was emptied the empty text or null, of what is and was empty undefined; what
    // is as it was comes back as it was. Throws a FieldError.
    get value() {
        if (!this.isChanged) return this.original;
        if (this.text !== '') return (readers[this.kind] ?? String)(this.text);
        if (this.kind === 'list') return [];
        return this.isText ? '' : null;
    }

    showProblems(problems) {
        this.error.hidden = problems.length === 0;
        replace(this.error, problems.join(' '));
        if (problems.length > 0) this.control.setAttribute('aria-invalid', 'true');
        else this.control.removeAttribute('aria-invalid');
    }
}
