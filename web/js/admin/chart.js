// A line chart of the last minutes, for people who see it and, in words, for those who do not.

import { clockOf, h } from '../dom.js';

const WIDTH = 300;
const HEIGHT = 90;
const TOP = 6;

function svg(tag, attributes = {}, ...children) {
    const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
}

// The least of 1, 2, 5, 10, 20, 50, ... that is not below; at least `least`.
function niceTop(value, least) {
    const wanted = Math.max(value, least);
    const ten = 10 ** Math.floor(Math.log10(wanted));
    return [1, 2, 5, 10].map((n) => n * ten).find((n) => n >= wanted * 0.9999);
}

// A line through [time, value | null], broken where the value is null.
function pathOf(points, scale) {
    let pen = 'M';
    return points
        .map(([time, value]) => {
            if (value === null) {
                pen = 'M';
                return '';
            }
            const at = `${pen}${scale.x(time).toFixed(1)} ${scale.y(value).toFixed(1)}`;
            pen = 'L';
            return at;
        })
        .join('');
}

const known = (points) => points.map(([, value]) => value).filter((value) => value !== null);

// {title, lines: [{name}], format(value), least, topOf(most, least)}: {node, draw(series, from, to)}, where `series` has
// the points of each line and times are milliseconds.
export function makeChart({ title, lines, format, least = 1, topOf = niceTop }) {
    const paths = lines.map((line, i) =>
        svg('path', { class: `line line-${i + 1}`, 'vector-effect': 'non-scaling-stroke' }),
    );
    const cursor = svg('path', { class: 'cursor', 'vector-effect': 'non-scaling-stroke' });
    const grid = svg('path', {
        class: 'grid',
        'vector-effect': 'non-scaling-stroke',
        d: `M0 ${TOP}H${WIDTH}M0 ${(HEIGHT + TOP) / 2}H${WIDTH}M0 ${HEIGHT - 1}H${WIDTH}`,
    });
    const picture = svg(
        'svg',
        { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' },
        grid,
        ...paths,
        cursor,
    );
    const values = lines.map((line, i) =>
        h(
            'span',
            { class: 'reading' },
            lines.length > 1 && h('i', { class: `key key-${i + 1}` }),
            h('span', { class: 'quiet' }, lines.length > 1 ? `${line.name} ` : ''),
            h('b', null, '-'),
        ),
    );
    const top = h('span', { class: 'top small quiet', 'aria-hidden': 'true' });
    const when = h('span', { class: 'small quiet', 'aria-hidden': 'true' });
    const words = h('p', { class: 'visually-hidden' });
    const node = h(
        'figure',
        { class: 'card chart', 'aria-label': title },
        h(
            'figcaption',
            null,
            h('h3', null, title),
            h('span', { class: 'readings', 'aria-hidden': 'true' }, values, when),
        ),
        h('div', { class: 'plot' }, top, picture),
        words,
    );
    let drawn = null;
    let pointed = null;

    function readAt(time) {
        const { series } = drawn;
        const index = time === null ? -1 : nearest(series[0], time);
        series.forEach((points, i) => {
            const value = points.at(index)?.[1] ?? null;
            values[i].lastChild.textContent = value === null ? '-' : format(value);
        });
        const point = time === null ? null : series[0][index];
        when.textContent = point ? clockOf(point[0]) : '';
        cursor.setAttribute(
            'd',
            point ? `M${drawn.scale.x(point[0]).toFixed(1)} ${TOP}V${HEIGHT}` : '',
        );
    }

    function describe(series) {
        return lines
            .map(({ name }, i) => {
                const list = known(series[i]);
                if (list.length === 0) return `${name}: nothing measured yet.`;
                return `${name}: now ${format(list.at(-1))}, at most ${format(Math.max(...list))}.`;
            })
            .join(' ');
    }

    function draw(series, from, to) {
        const most = topOf(Math.max(0, ...series.flatMap(known)), least);
        const scale = {
            x: (time) => ((time - from) / (to - from)) * WIDTH,
            y: (value) => HEIGHT - 1 - (value / most) * (HEIGHT - 1 - TOP),
        };
        drawn = { series, scale, from, to };
        series.forEach((points, i) => paths[i].setAttribute('d', pathOf(points, scale)));
        top.textContent = format(most);
        words.textContent = `The last five minutes. ${describe(series)}`;
        readAt(pointed);
    }

    picture.addEventListener('pointermove', (event) => {
        if (!drawn || drawn.series[0].length === 0) return;
        const box = picture.getBoundingClientRect();
        pointed = drawn.from + ((event.clientX - box.left) / box.width) * (drawn.to - drawn.from);
        readAt(pointed);
    });
    picture.addEventListener('pointerleave', () => {
        pointed = null;
        if (drawn) readAt(null);
    });
    return { node, draw };
}

function nearest(points, time) {
    let best = 0;
    points.forEach(([at], i) => {
        if (Math.abs(at - time) < Math.abs(points[best][0] - time)) best = i;
    });
    return best;
}
