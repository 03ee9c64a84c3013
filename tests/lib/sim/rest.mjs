// Requests whose answer may never come. `ask` resolves to {status, headers, body}, or to null where
// the connection ended first: then nobody knows whether it was done.
import http from 'node:http';

const ANSWER_MS = 60_000;
const CONNECTIONS = 4;

function parse(text, headers) {
    if (text === '') return null;
    return /json/.test(headers['content-type'] ?? '') ? JSON.parse(text) : text;
}

export class Rest {
    // `port()` because a server's is only known once it runs.
    constructor(port) {
        this.port = port;
        this.agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS });
    }

    // cutAfterMs: the connection is broken so long after the request was begun.
    ask(method, path, options = {}) {
        const { token, json, headers = {}, cutAfterMs, timeoutMs = ANSWER_MS } = options;
        const port = options.port ?? this.port();
        const body = json === undefined ? '' : JSON.stringify(json);
        const all = { ...headers };
        if (token) all.authorization = `Bearer ${token}`;
        if (json !== undefined) all['content-type'] = 'application/json';
        if (method !== 'GET') all['content-length'] = Buffer.byteLength(body);
        return new Promise((resolve) => {
            const { agent } = this;
            const target = { host: '127.0.0.1', port, method, path, agent };
            const request = http.request({ ...target, headers: all, timeout: timeoutMs });
            const timer =
                cutAfterMs === undefined
                    ? undefined
                    : setTimeout(() => request.destroy(), cutAfterMs);
            const done = (answer) => {
                clearTimeout(timer);
                resolve(answer);
            };
            request.on('timeout', () => request.destroy());
            request.on('error', () => {});
            request.on('close', () => done(null)); // unless there was an answer
            request.on('response', (response) => readAnswer(response, done));
            request.end(body);
        });
    }

    close() {
        this.agent.destroy();
    }
}

function readAnswer(response, done) {
    const parts = [];
    response.on('data', (part) => parts.push(part));
    response.on('error', () => {});
    response.on('end', () => {
        const { statusCode: status, headers } = response;
        done({ status, headers, body: parse(Buffer.concat(parts).toString('utf8'), headers) });
    });
}
