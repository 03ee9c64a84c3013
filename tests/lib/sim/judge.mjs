// The end of a phase: everybody stops, all clients come back and are given time to agree with the
// database; then the servers are stopped, and the oracle reads what is stored.
import { sleep } from '../server.mjs';
import {
    compareClient,
    compareList,
    judgeLedger,
    judgeMembers,
    judgeStored,
} from './oracle.mjs';
import { Verdict } from './verdict.mjs';

const QUIET_MS = 60_000; // without progress
const LOOK_MS = 100;
const LOOKS = 20; // before the database is read again
const STEADY_MS = 500;
const READ_TRIES = 3;

// Nobody acts any more, everything that was sent has its answer, everybody is connected.
export async function settle(world) {
    world.isCalm = true;
    world.letActorsWait();
    for (const device of world.devices) device.comeBack();
    const { tally } = world;
    const progress = () => tally.attempts + tally.frames;
    if (!(await world.until(() => world.acting === 0, QUIET_MS, progress)))
        world.fault(`${world.acting} actions do not end`);
    for (const device of world.devices) device.comeBack();
    const libraries = world.devices.filter((device) => device.isLibrary);
    await world.until(() => libraries.every((one) => one.isIdle), QUIET_MS, progress);
    for (const one of libraries.filter((device) => !device.isIdle)) world.fault(one.describe());
    // half of them converge live, half by catching up once more
    for (const device of world.devices) if (world.choose.chance(0.5)) device.connectAgain();
}

const viewOf = (device) => ({
    name: device.name,
    userId: device.user.id,
    talks: device.talks,
});

// What a client has told of itself, beside its state.
function complaintsOf(device, stored) {
    const found = device.model.complaints.splice(0).map((text) => `${device.name}: ${text}`);
    const account = stored.accountById.get(device.user.id);
    const name = account.first_name || account.username;
    const known = device.model.profile?.full_name;
    if (known !== undefined && known !== name)
        found.push(`${device.describe()}: calls itself "${known}", stored "${name}"`);
    return found;
}

async function findDissent(world, stored) {
    let left = world.devices;
    for (let looks = LOOKS; left.length > 0 && looks > 0; looks--) {
        if (looks < LOOKS) await sleep(LOOK_MS);
        left = left.filter((device) => compareClient(viewOf(device), stored).length > 0);
    }
    return left;
}

// Said over a socket and not answered, as read positions are, it may be stored a moment later.
async function isSteady(world, stored) {
    await sleep(STEADY_MS);
    return findChanges(stored, await world.site.read()).length === 0;
}

// Until all agree with what is stored and nothing more comes, or for so long without progress. Returns
// the database as it was read last.
export async function converge(world, verdict) {
    const { devices, settings, site, tally } = world;
    let stored, left, isWell;
    const look = async () => {
        stored = await site.read();
        left = await findDissent(world, stored);
        isWell = left.length === 0 && (await isSteady(world, stored));
    };
    await look();
    let seen = tally.frames;
    for (let end = Date.now() + settings.convergeMs; !isWell && Date.now() < end;) {
        await look();
        if (tally.frames !== seen) end = Date.now() + settings.convergeMs;
        seen = tally.frames;
    }
    for (const device of left) {
        const differences = compareClient(viewOf(device), stored);
        if (differences.length > 0) differences.unshift(device.describe());
        verdict.addAll('divergent', differences);
    }
    for (const device of devices) verdict.addAll('divergent', complaintsOf(device, stored));
    return stored;
}

// A kept connection may have ended with the server that it was to: then the question is put again.
async function askSurely(device, path) {
    let answer = null;
    for (let left = READ_TRIES; left > 0 && answer === null; left--)
        answer = await device.ask('GET', path);
    return answer;
}

export async function askLists(world, stored, verdict) {
    for (const user of world.users) {
        const device = world.devices.find((one) => one.user.id === user.id);
        const answer = await askSurely(device, '/api/conversations/?page_size=100&messages=0');
        if (answer?.status !== 200) verdict.add('unsound', `GET: ${answer?.status}`);
        else
            verdict.addAll(
                'divergent',
                compareList(user.username, user.id, answer.body.results, stored),
            );
    }
}

// The first row of each table that is not as it was, of conversations that live.
function findChanges(before, after) {
    const found = [];
    for (const name of ['talks', 'members', 'messages']) {
        const [one, other] = [before, after].map((stored) =>
            stored[name]
                .filter((row) => stored.talkById.get(row.talk ?? row.id)?.deleted_at === null)
                .map((row) => JSON.stringify(row)),
        );
        const at = one.findIndex((row, n) => row !== other[n]);
        if (at >= 0 || one.length !== other.length)
            found.push(`${name} differ: ${one[at]}, now ${other[at]} (${one.length}, ${other.length})`);
    }
    return found;
}

async function judgeStopped(world, before, verdict) {
    const { stored, integrity } = await world.site.readStopped();
    if (integrity !== 'ok') verdict.add('unsound', `integrity: ${integrity.slice(0, 300)}`);
    // what was stored before the servers went must be there afterwards
    verdict.addAll('lost', findChanges(before, stored));
    judgeStored(stored, verdict);
    judgeLedger(world.ledger, stored, verdict);
    judgeMembers(world.watch, stored, verdict);
}

// Judges, and leaves the servers stopped.
export async function judge(world, inOrder) {
    const verdict = new Verdict();
    await settle(world);
    const stored = await converge(world, verdict);
    await askLists(world, stored, verdict);
    const { nodes } = world.site;
    await world.noteMetrics(nodes);
    for (const end of inOrder ? await Promise.all(nodes.map((node) => node.halt())) : [])
        if (end.code !== 0) world.fault(`stopped with ${JSON.stringify(end)}`);
    await world.site.kill();
    world.endLife();
    await judgeStopped(world, stored, verdict);
    for (const device of world.devices) device.backup = null; // it may be of a time that never was
    verdict.addAll('divergent', world.tally.unexplained.splice(0));
    verdict.addAll('unsound', world.faults.splice(0));
    return verdict;
}
