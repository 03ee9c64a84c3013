// Forms for POST, PUT and PATCH, made from what the schema says of the request's body; each also as
// raw JSON. The answer appears below the form, and problems at their fields.
import { h, icon, replace } from '../dom.js';
import { jsonOf } from '../session.js';
import { problemLine } from '../ui.js';
import { exchange, exchangeNode, statusOf } from './exchange.js';
import { Field, FieldError } from './fields.js';
import { tabs } from './tabs.js';

// ---- what is there already ----------------------------------------------------------------------

const idOf = (item) => (item !== null && typeof item === 'object' ? item.user_id ?? item.id : item);

// A list field as the present answer has it: of people their ids. Undefined where the answer shows
// not all of them, since what is sent replaces all.
function listOf(present, name) {
    const list = present[name];
    if (!Array.isArray(list)) return undefined;
    const count = present[`${name.replace(/s$/, '')}_count`] ?? list.length;
    return count > list.length ? undefined : list.map(idOf);
}

function presentValue(present, name) {
    const value = present?.[name];
    return Array.isArray(value) ? listOf(present, name) : value;
}

function fieldsOf(schema, present) {
    const required = schema?.required ?? [];
    return Object.entries(schema?.properties ?? {}).map(([name, one]) => new Field(name, one, {
        isRequired: required.includes(name),
        value: presentValue(present, name),
    }));
}

// ---- a form -------------------------------------------------------------------------------------

export class RequestForm {
    // `present`: the object that PUT and PATCH change, else null. `links`: a Links.
    constructor({ method, address, summary, schema, present, links }) {
        Object.assign(this, { method, address, schema, links });
        this.fields = fieldsOf(schema, present);
        this.problem = problemLine();
        this.said = h('p', { class: 'visually-hidden', role: 'status' });
        this.answer = h('div', { class: 'answer' });
        this.button = h('button', { class: 'primary', type: 'submit' }, method);
        this.node = h('details', { class: 'card operation', id: `do-${method.toLowerCase()}` },
            h('summary', null, h('h2', null, h('span', { class: 'method' }, method), ` ${summary}`)),
            h('form', { novalidate: true, onsubmit: (event) => this.#submit(event) },
                this.#inputs(), this.problem, h('div', { class: 'actions' }, this.button)),
            this.said, this.answer);
    }

    #inputs() {
        if (this.fields.length === 0) return h('p', { class: 'quiet' }, 'It takes no input.');
        this.raw = h('textarea', {
            class: 'mono', rows: 10, id: `raw-${this.method}`, spellcheck: 'false', autocapitalize: 'none',
        });
        const form = h('div', { class: 'fields' }, this.fields.map((field) => field.node));
        const label = h('label', { for: `raw-${this.method}` }, 'Body, as application/json');
        const raw = h('div', { class: 'field' }, label, this.raw, this.#example());
        return tabs('Input', [
            { name: 'Form', panel: form, onshow: () => (this.isRaw = false) },
            { name: 'Raw JSON', panel: raw, onshow: () => this.#showRaw() },
        ]);
    }

    #example() {
        const example = this.schema.examples?.[0];
        if (!example) return null;
        const text = JSON.stringify(example, null, 2);
        const use = h('button', { class: 'small', type: 'button', onclick: () => (this.raw.value = text) },
            'Use this');
        return h('details', { class: 'example' }, h('summary', null, 'An example'),
            h('pre', { tabindex: '0', role: 'group', 'aria-label': 'Example' }, text), use);
    }

    // What the form says, until somebody writes here.
    #showRaw() {
        this.isRaw = true;
        if (this.raw.value !== (this.given ?? '')) return;
        this.given = this.#formText() ?? '';
        this.raw.value = this.given;
        this.given = this.raw.value;
    }

    // The body by the fields; null where one of them holds what cannot be sent, which it says then.
    #formText() {
        const body = {};
        let isGood = true;
        for (const field of this.fields) {
            if (this.method === 'PATCH' && !field.isChanged) continue;
            if (field.kind === 'list' && field.original && !field.isChanged) continue;
            try {
                const { value } = field;
                if (value !== undefined) body[field.name] = value;
            } catch (error) {
                if (!(error instanceof FieldError)) throw error;
                field.showProblems([error.message]);
                isGood = false;
            }
        }
        return isGood ? JSON.stringify(body, null, 2) : null;
    }

    async #submit(event) {
        event.preventDefault();
        if (this.button.disabled) return;
        this.#showProblems({});
        const body = this.#bodyText();
        if (body === null) {
            this.#focusProblem();
            return;
        }
        this.button.disabled = true;
        const answer = await exchange(this.method, this.address, body).finally(() => {
            this.button.disabled = false;
        });
        this.#show(answer);
    }

    #bodyText() {
        if (this.fields.length === 0) return undefined;
        return this.isRaw ? this.raw.value : this.#formText();
    }

    #show(answer) {
        replace(this.answer, this.#whereNow(answer), exchangeNode(answer, this.links));
        this.said.textContent = statusOf(answer);
        if (answer.status < 400 && answer.status > 0) {
            this.answer.scrollIntoView({ block: 'start' });
            return;
        }
        this.#showProblems(problemsOf(answer));
        this.#focusProblem();
    }

    #whereNow({ status, body }) {
        if (status < 200 || status >= 300) return null;
        if (this.method !== 'POST') {
            return h('p', null, h('a', { class: 'button', href: location.href }, 'Load it as it is now'));
        }
        const made = status === 201 ? jsonOf(body) : null;
        if (typeof made?.id !== 'string') return null;
        const key = ['message_id', 'conversation_id', 'user_id'].find((name) => made[name] === made.id);
        const object = { ids: [{ key, value: made.id }], isRow: key === undefined };
        const link = this.links.ofId('id', made.id, object);
        return link && h('p', null, h('a', { class: 'button', href: link }, 'Open what was made'));
    }

    // `problems`: {name: [sentence, ...]}. Those of no field of this form come together above the button.
    #showProblems(problems) {
        const rest = new Map(Object.entries(problems));
        for (const field of this.fields) {
            field.showProblems(rest.get(field.name) ?? []);
            if (!this.isRaw) rest.delete(field.name);
        }
        const others = [...rest].map(([name, list]) =>
            name === 'detail' || name === 'non_field_errors' ? list.join(' ') : `${name}: ${list.join(' ')}`);
        this.problem.hidden = others.length === 0;
        replace(this.problem, others.length > 0 && icon('alert'), others.join(' '));
    }

    #focusProblem() {
        const wrong = this.node.querySelector('[aria-invalid="true"]');
        (this.isRaw ? this.raw : wrong ?? this.button).focus();
    }
}

function problemsOf({ status, reason, body }) {
    const answer = jsonOf(body);
    if (answer === null || typeof answer !== 'object') {
        return { detail: [status ? `HTTP ${status} ${reason}` : reason] };
    }
    return Object.fromEntries(
        Object.entries(answer)
            .filter(([name, value]) => name === 'detail' || Array.isArray(value))
            .map(([name, value]) => [name, [value].flat().map(String)]),
    );
}
