// A browser's cookies without a browser: signs in by the form, keeps what the server sets, and shows
// the CSRF token where something changes.
import { PASSWORD, send } from './client.mjs';

export const LOGIN = '/api-auth/login/';
export const LOGOUT = '/api-auth/logout/';
export const PAGE = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' };

export class Browser {
    constructor(server) {
        this.server = server;
        this.cookies = {};
        this.lines = {}; // the last Set-Cookie of each name
    }

    async ask(method, path, { headers = {}, ...options } = {}) {
        const pairs = Object.entries(this.cookies);
        const cookie = pairs.map(([name, value]) => `${name}=${value}`).join('; ');
        const sent = { ...(cookie && { cookie }), ...headers };
        const answer = await send(this.server, method, path, { ...options, headers: sent });
        for (const line of answer.headers['set-cookie'] ?? []) this.#keep(line);
        return answer;
    }

    #keep(line) {
        const [, name, value] = line.match(/^([^=]+)=([^;]*)/);
        this.lines[name] = line;
        if (/Max-Age=0(;|$)/.test(line)) delete this.cookies[name];
        else this.cookies[name] = value;
    }

    page(path) {
        return this.ask('GET', path, { headers: PAGE });
    }

    change(method, path, json, headers = {}) {
        const token = { 'x-csrftoken': this.cookies.csrftoken };
        return this.ask(method, path, { json, headers: { ...token, ...headers } });
    }

    // As the form does it; `form` may say otherwise.
    async signIn(username, password = PASSWORD, form = {}, path = LOGIN) {
        const shown = await this.page(path);
        const csrfmiddlewaretoken = formToken(shown.text);
        const sent = { username, password, csrfmiddlewaretoken, ...form };
        return this.ask('POST', path, { form: sent, headers: PAGE });
    }
}

export const formToken = (html) => html.match(/name="csrfmiddlewaretoken" value="([^"]+)"/)[1];
