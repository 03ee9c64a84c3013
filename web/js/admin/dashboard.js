// What the server holds and does now: tiles, and charts of the last five minutes. The server tells totals
// since its start; rates are their differences.

import { h, numberOf, replace } from '../dom.js';
import { problemLine } from '../ui.js';
import { read } from './api.js';
import { count } from './bulk.js';
import { bytes, duration, roughly } from './cells.js';
import { makeChart } from './chart.js';
import { addressOf } from './route.js';

const CENSUS_MAX = 10_000; // what is counted stops there
const EVERY_MS = 2_000;
const KEPT_MS = 300_000;
const SHOWN_MS = 60_000; // at least, while there is not more
const GAP_S = 8; // no rate over what nobody looked at

const rate = (value) => `${roughly(value)}/s`;
const whole = (value) => numberOf(Math.round(value));
const percent = (value) => `${roughly(value)} %`;
const millis = (value) => `${roughly(value)} ms`;

// What a line shows of a sample and the one before, `seconds` ago: where there is none, there is no rate.
const perSecond = (of) => (now, before, seconds) =>
    before && Math.max(0, of(now) - of(before)) / seconds;
const level = (of) => (now) => of(now);

function meanTime(now, before) {
    if (!before) return null;
    const answers = now.answers.total - before.answers.total;
    return answers > 0 ? (now.answers.us - before.answers.us) / answers / 1000 : 0;
}
const waiting = ({ queues }) => Object.values(queues).reduce((sum, n) => sum + n, 0);

const CHARTS = [
    {
        title: 'Requests',
        format: rate,
        lines: [{ name: 'Requests', of: perSecond((s) => s.answers.total) }],
    },
    {
        title: 'Errors',
        format: rate,
        lines: [
            { name: '4xx', of: perSecond((s) => s.answers['4xx']) },
            { name: '5xx', of: perSecond((s) => s.answers['5xx']) },
        ],
    },
    { title: 'Time of an answer, mean', format: millis, lines: [{ name: 'Mean', of: meanTime }] },
    {
        title: 'Messages and commits',
        format: rate,
        lines: [
            { name: 'Messages', of: perSecond((s) => s.messages) },
            { name: 'Commits', of: perSecond((s) => s.writes.commits) },
        ],
    },
    {
        title: 'Connections',
        format: whole,
        least: 5,
        lines: [
            { name: 'Sockets', of: level((s) => s.live.sockets) },
            { name: 'Streams, polls', of: level((s) => s.live.streams + s.live.polls) },
        ],
    },
    {
        title: 'Frames sent',
        format: rate,
        lines: [{ name: 'Frames', of: perSecond((s) => s.live.frames) }],
    },
    {
        title: 'Queues',
        format: whole,
        least: 5,
        lines: [
            { name: 'Waiting', of: level(waiting) },
            { name: 'Under way', of: level((s) => s.answers.under_way) },
        ],
    },
    {
        title: 'Processor',
        format: percent,
        least: 5,
        lines: [{ name: 'One core is 100 %', of: perSecond((s) => s.cpu_us / 10_000) }],
    },
    {
        title: 'Memory',
        format: bytes,
        topOf: (most) => 2 ** Math.ceil(Math.log2(Math.max(most, 1))),
        lines: [{ name: 'Resident', of: level((s) => s.memory_bytes) }],
    },
];

function tilesOf(s) {
    const { users, live, database, jobs, answers } = s;
    const some = (n, noun) => count(n, noun, users.capped && n === CENSUS_MAX);
    return [
        [
            'Users',
            numberOf(users.total),
            `${some(users.admin, ['admin', 'admins'])}, ${some(users.host, ['host', 'hosts'])}, ${some(users.inactive, ['inactive', 'inactive'])}`,
            '/users',
        ],
        ['Conversations', numberOf(s.conversations), 'all that are not deleted', '/conversations'],
        ['Messages', numberOf(s.messages), 'all that are not deleted', '/messages'],
        [
            'Online',
            numberOf(live.users),
            `${numberOf(live.sockets)} sockets, ${numberOf(live.streams + live.polls)} streams and polls`,
            '/sessions',
        ],
        [
            'Database',
            bytes(database.bytes),
            `${database.engine}${database.log_bytes > 0 ? `, log ${bytes(database.log_bytes)}` : ''}`,
            null,
        ],
        [
            'Background work',
            numberOf(jobs.waiting),
            jobs.failed > 0 ? `${numberOf(jobs.failed)} failed` : 'none failed',
            '/jobs',
            jobs.failed > 0,
        ],
        [
            'Server errors',
            numberOf(answers['5xx']),
            `of ${numberOf(answers.total)} answers since the start`,
            null,
            answers['5xx'] > 0,
        ],
        [
            'Running',
            duration(s.uptime_s),
            `${count(live.nodes, ['node', 'nodes'])}, version ${s.version}`,
            '/settings',
        ],
    ];
}

function makeTile([name, value, more, path, bad]) {
    const content = [
        h('span', { class: 'name' }, name),
        h('b', null, value),
        h('span', { class: 'small quiet' }, more),
    ];
    const look = bad ? 'card tile bad' : 'card tile';
    return h(
        'li',
        null,
        path
            ? h('a', { class: look, href: addressOf(path) }, content)
            : h('div', { class: look }, content),
    );
}

export function dashboard(page) {
    const stopped = new AbortController();
    const tiles = h('ul', { class: 'bare-list tiles', 'aria-label': 'Now' });
    const problem = problemLine();
    const charts = CHARTS.map((chart) => ({
        ...chart,
        ...makeChart(chart),
        series: chart.lines.map(() => []),
    }));
    let before = null;
    let timer = 0;
    let shown = '';

    function take(stats) {
        const at = performance.timeOrigin + performance.now();
        const seconds = before ? (at - before.at) / 1000 : 0;
        const gap = seconds > GAP_S || before?.stats.started_at !== stats.started_at;
        const earlier = gap ? null : before.stats;
        for (const chart of charts) {
            chart.lines.forEach(({ of }, i) => {
                const points = chart.series[i];
                if (gap && before) points.push([at - 1, null]);
                points.push([at, of(stats, earlier, seconds)]);
                while (points[0][0] < at - KEPT_MS) points.shift();
            });
            chart.draw(chart.series, Math.min(chart.series[0][0][0], at - SHOWN_MS), at);
        }
        before = { at, stats };
    }

    // Links keep the focus: tiles are made anew only when they say something else.
    function showTiles(stats) {
        const wanted = tilesOf(stats);
        const text = JSON.stringify(wanted);
        if (text === shown) return;
        const index = [...tiles.querySelectorAll('a')].indexOf(document.activeElement);
        shown = text;
        replace(tiles, wanted.map(makeTile));
        if (index >= 0) tiles.querySelectorAll('a')[index]?.focus();
    }

    async function look() {
        clearTimeout(timer);
        if (document.hidden || stopped.signal.aborted) return;
        try {
            const stats = await read('stats/', {}, stopped.signal);
            problem.hidden = true;
            take(stats);
            showTiles(stats);
        } catch (error) {
            if (error.name === 'AbortError') return;
            problem.textContent = `${error.message} Trying again.`;
            problem.hidden = false;
        }
        clearTimeout(timer);
        timer = setTimeout(look, EVERY_MS);
    }

    document.addEventListener('visibilitychange', look);
    replace(
        page.body,
        problem,
        tiles,
        h('h2', null, 'The last five minutes'),
        h(
            'div',
            { class: 'charts' },
            charts.map(({ node }) => node),
        ),
    );
    look();
    return {
        close() {
            stopped.abort();
            clearTimeout(timer);
            document.removeEventListener('visibilitychange', look);
        },
    };
}
