// The browsable page: what the server wrote into it as text becomes clickable, and gets filters,
// pages and forms by the server's own OpenAPI document.
import { h, replace } from './dom.js';
import { exchange, exchangeNode, statusOf } from './browse/exchange.js';
import { RequestForm } from './browse/forms.js';
import { Links } from './browse/links.js';
import { filters, ordering, pages } from './browse/lists.js';
import { loadSchema } from './browse/schema.js';
import { jsonOf, request } from './session.js';
import { confirmed } from './ui.js';

const $ = (id) => document.getElementById(id);
const { path, prefix, method, address, allow, user } = document.body.dataset;
const allowed = allow.split(', ').filter(Boolean);
const WITH_BODY = ['POST', 'PUT', 'PATCH'];

const base = prefix.startsWith('/api') ? prefix : '/api/';
const here = location.pathname.endsWith('/') ? location.pathname : `${location.pathname}/`;

// ---- the answer ---------------------------------------------------------------------------------

const shownAtFirst = () => ({
    method,
    address,
    status: Number(document.body.dataset.status),
    reason: $('status').textContent.replace(/^HTTP \d+ /, ''),
    headers: $('headers').textContent.trim(),
    body: $('body').textContent,
});

function say(text) {
    $('said').textContent = text;
}

function showAnswer(shown, links) {
    replace($('exchange'), exchangeNode(shown, links));
    say(`${shown.method}: ${statusOf(shown)}`);
}

// ---- where we are -------------------------------------------------------------------------------

const SHORT = 8; // characters of an id that tell it from the others
const readable = (segment) => (segment.length > 30 ? `${segment.slice(0, SHORT)}…` : segment);

// One for each part of the address that is a place of its own. `template`: the path of the schema.
function crumbs(schema, template) {
    const names = here.slice(base.length).split('/').filter(Boolean);
    const segments = template.slice('/api/'.length).split('/').filter(Boolean);
    const links = names.map((name, n) => {
        const isLast = n === names.length - 1;
        const isPlace = isLast || schema.has(`/api/${segments.slice(0, n + 1).join('/')}/`);
        const text = readable(name);
        const href = `${base}${names.slice(0, n + 1).join('/')}/`;
        return isPlace
            ? h('a', { href, title: name, 'aria-current': isLast && 'page' }, text)
            : h('span', { class: 'quiet' }, text);
    });
    const root = h('a', { href: base, 'aria-current': names.length === 0 && 'page' }, 'API');
    replace($('crumbs'), [root, ...links].map((link) => h('span', null, link)));
}

// What the answer itself leads to, as the root's, is not said again.
function parts(schema, present) {
    const isRead = ({ methods }) => methods.includes('GET');
    const all = schema.parts(path).filter(({ name }) => path !== '/api/' || !(name in (present ?? {})));
    const list = [...all.filter(isRead), ...all.filter((part) => !isRead(part))];
    const links = list.map(({ name, methods }) => h('a', { class: 'button small', href: `${here}${name}/` },
        name, !methods.includes('GET') && h('span', { class: 'quiet' }, methods.join(', '))));
    replace($('parts'), links.length > 0 && h('nav', { class: 'row', 'aria-label': 'Below this' },
        h('span', { class: 'quiet small' }, 'Below this:'), links));
}

// Where the server does not ask who reads, the page does not say so: of what is for anybody, and of no
// resource at all.
async function showAccount() {
    if (user !== '' || document.body.dataset.status === '401') return;
    const { username } = await request('GET', '/api-auth/login/');
    if (!username) return;
    document.body.dataset.user = username;
    $('account').dataset.shown = username;
    $('account').querySelector('b').textContent = username;
}

// ---- what can be done ---------------------------------------------------------------------------

function formats(operation) {
    const parameter = (operation?.parameters ?? []).find((one) => one.name === 'format');
    const list = (parameter?.schema.enum ?? ['json']).filter((name) => name !== 'api');
    const link = (name) => {
        const query = new URLSearchParams(location.search);
        query.set('format', name);
        return h('a', { href: `${location.pathname}?${query}` }, `As ${name}`);
    };
    return h('details', { class: 'menu' }, h('summary', { class: 'button' }, 'GET'),
        h('div', null, h('a', { href: location.href }, 'Again'), list.map(link)));
}

function optionsButton(links) {
    const ask = async () => showAnswer(await exchange('OPTIONS', address), links);
    return h('button', { type: 'button', onclick: ask }, 'OPTIONS');
}

async function remove(links) {
    const shown = await exchange('DELETE', location.pathname);
    showAnswer(shown, links);
    $('exchange').focus();
    if (shown.status >= 400 || shown.status === 0) return;
    replace($('forms'));
    const above = [...$('crumbs').querySelectorAll('a')].at(-2);
    replace($('tools'), above && h('a', { class: 'button', href: above.href }, `Back to ${above.textContent}`));
}

function deleteButton(links) {
    const text = `DELETE ${location.pathname} cannot be undone.`;
    const ask = async () => {
        if (await confirmed({ title: 'Delete this?', text, yes: 'Delete' })) await remove(links);
    };
    return h('button', { class: 'danger', type: 'button', onclick: ask }, 'DELETE');
}

const mayNot = (operation) => user === '' && ['user', 'admin'].includes(operation?.['x-access']);

function formsOf(schema, operations, present, links) {
    return WITH_BODY.filter((name) => operations[name] && !mayNot(operations[name])).map((name) =>
        new RequestForm({
            method: name,
            address: location.pathname,
            summary: operations[name].summary,
            schema: schema.body(operations[name]),
            present: name === 'POST' ? null : present,
            links,
        }));
}

function openForm(form) {
    form.node.open = true;
    form.node.scrollIntoView({ block: 'start' });
    (form.fields[0]?.control ?? form.button).focus();
}

function tools(operations, forms, links) {
    const jumps = forms.map((form) =>
        h('button', { type: 'button', onclick: () => openForm(form) }, form.method));
    replace($('tools'),
        operations.GET && formats(operations.GET), allowed.includes('OPTIONS') && optionsButton(links), jumps,
        operations.DELETE && !mayNot(operations.DELETE) && deleteButton(links));
}

// ---- all of it ----------------------------------------------------------------------------------

function addLists(schema, get, present) {
    const query = schema.query(get);
    replace($('filters'), filters(query));
    replace($('lists'), pages(present), ordering(query, schema.rowFields(get)));
}

function addForms(schema, operations, present, links) {
    const forms = formsOf(schema, operations, present, links);
    tools(operations, forms, links);
    replace($('forms'), forms.map((form) => form.node));
    if (forms.length === 1) forms[0].node.open = true;
}

async function enhance() {
    const present = jsonOf($('body').textContent);
    const shown = shownAtFirst();
    const schema = await loadSchema().catch((error) => say(`No forms: ${error.message}`));
    const template = here.startsWith(base) ? schema?.pathOf(path, `/api/${here.slice(base.length)}`) : null;
    const isCanonical = template !== null && template === path;
    const links = new Links(base, isCanonical && schema?.hasRows(path) ? here : null);
    replace($('exchange'), exchangeNode(shown, links));
    const operations = schema?.operations(path) ?? {};
    if (Object.keys(operations).length === 0) return;
    if (template) crumbs(schema, template);
    if (isCanonical) parts(schema, present);
    if (operations.GET && !mayNot(operations.GET)) addLists(schema, operations.GET, present);
    addForms(schema, operations, shown.status < 300 ? present : null, links);
}

enhance();
showAccount().catch((error) => say(error.message));
