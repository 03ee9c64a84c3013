// Background work that is not done: what was deleted is erased in pieces.

import { h } from '../dom.js';
import { toast } from '../ui.js';
import { ask } from './api.js';
import { badge, id, moment, number, text } from './cells.js';
import { listPage } from './list.js';

const LOOKS = { failed: 'bad', running: 'good', waiting: '' };

const columns = [
    { label: 'Work', head: true, cell: (job) => ['Erase ', job.kind, ' ', id(job.id)] },
    { label: 'State', cell: (job) => badge(job.state, LOOKS[job.state]) },
    { label: 'Done', number: true, cell: (job) => number(job.done) },
    { label: 'Asked for', cell: (job) => moment(job.requested_at) },
    { label: 'Failed', cell: (job) => moment(job.failed_at) },
    { label: 'Why', cell: (job) => text(job.error, 200) },
];

const retry = (job) => ask('POST', `jobs/${job}/retry/`, { json: {} });

function acts(job, reload) {
    if (job.state !== 'failed') return null;
    const again = async () => {
        try {
            await retry(job.id);
            toast('It is tried again next.');
        } catch (error) {
            toast(error.message, { bad: true });
        }
        reload();
    };
    return h('button', { type: 'button', class: 'small', onclick: again }, 'Retry');
}

const list = {
    path: 'jobs/',
    noun: ['job', 'jobs'],
    caption: 'Background work, oldest first',
    columns,
    acts,
    actions: [
        {
            label: 'Retry',
            ask: (many) => `${many} will be tried again next, before all others.`,
            each: retry,
        },
    ],
    nameOf: (job) => `Erase ${job.kind} ${job.id}`,
    empty: ['Nothing to do', 'Everything that was deleted is erased.'],
    refreshMs: 3_000,
};

export const jobs = (page) =>
    listPage(
        page,
        list,
        'What was deleted is hidden at once and erased in pieces. What failed is tried again by itself, behind all others.',
    );
