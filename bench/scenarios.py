"""What is measured, one function each. A function asks its question once before it loads anything,
warms up, and returns its rounds; report.py makes medians and ratios of them."""

import json
import signal
import time
from pathlib import Path

from children import Failure, environment
from confab import EMAILS, PASSWORD
from measure import Load, measure, median, rounds, settle
from references import BareCommit, Nginx

READ_CONNECTIONS = 16
POST_CONNECTIONS = 64
PROBE_CONNECTIONS = 4   # few, so that the probe's own queue does not hide a delay
PROBE_THINK_MS = 2
LOGIN_CONNECTIONS = 50
WARM_UP = 1             # seconds
STARTS = 10
PAGE = 20


class Bench:
    """The server, the references and the options, for the scenarios."""

    def __init__(self, children, server, work, options, tell):
        self.children, self.server, self.work = children, server, work
        self.runs, self.seconds, self.starts = options.runs, options.seconds, options.starts
        self.tell = tell
        self.env = {}

    def prepare(self):
        """Signs in and finds the conversations. Repeated before each scenario: the access token of
        a long run would end in the middle of it."""
        self.server.sign_in()
        if "CONVERSATION" not in self.env:
            mine = self.server.conversations()
            longest = max(mine, key=lambda one: one["message_count"])
            self.env["CONVERSATION"] = longest["conversation_id"]
            self.env["CONVERSATIONS"] = ",".join(one["conversation_id"] for one in mine[:PAGE])
            self.env["PASSWORD"] = PASSWORD
        self.env["TOKEN"] = self.server.token

    @property
    def history_path(self):
        return f"/api/conversations/{self.env['CONVERSATION']}/messages/"

    def full_page(self, path):
        headers, body = self.server.ask("GET", path)
        got = json.loads(body)
        if len(got["results"]) != PAGE or got["count"] < 2 * PAGE:
            raise Failure(f"{path} is not a full page: {len(got['results'])} of {got['count']}")
        return headers, body

    def load(self, scenario, connections, seconds=None, url=None, pids=None, others=(), **env):
        return measure(self.children, url or self.server.url, scenario, connections,
                       seconds or self.seconds, {**self.env, **env}, pids or self.server.pids,
                       others)

    def rounds(self, once):
        return rounds(self.runs, once, self._tell_round)

    def _tell_round(self, samples):
        shown = []
        for name, one in samples.items():
            shown.append(f"{name} {one['rate']:.0f}/s")
            if "p99_ms" in one:
                shown[-1] += f" p99 {one['p99_ms']:.2f} ms"
            if one.get("errors"):
                shown[-1] += f" {one['errors']} errors"
        self.tell("  " + ", ".join(shown))


def start(bench):
    """The first start, which reads the binary from the disk, is not counted, nor is the last, which
    stays."""
    bench.server.start()
    samples = []
    for _ in range(bench.starts):
        bench.server.stop()
        samples.append(bench.server.start(guarded=False))
    bench.server.stop()
    bench.server.start()
    bench.tell(f"  {median(samples):.1f} ms")
    return {"ms": samples}


def history(bench):
    headers, body = bench.full_page(bench.history_path + "?page=1")
    nginx = Nginx(bench.children, bench.work, bench.history_path, headers, body)

    def one(seconds=None):
        return {
            "confab": bench.load("history", READ_CONNECTIONS, seconds),
            "nginx": bench.load("history", READ_CONNECTIONS, seconds, nginx.url, nginx.pids,
                                HISTORY_PATH=nginx.path),
        }

    try:
        one(WARM_UP)
        return {"rounds": bench.rounds(one), "body_bytes": len(body)}
    finally:
        nginx.stop()


def conversations(bench):
    _, body = bench.full_page("/api/conversations/?page=1")

    def one(seconds=None):
        return {"confab": bench.load("conversations", READ_CONNECTIONS, seconds)}

    one(WARM_UP)
    return {"rounds": bench.rounds(one), "body_bytes": len(body)}


def check_post(server, ids):
    text = "one question before the load"
    got = server.json("POST", "/api/messages/", 201, {"conversation": ids[0], "message_body": text})
    if got["message_body"] != text:
        raise Failure("POST /api/messages/ answered another text")


def post_sample(bench, ids, connections, seconds, others=()):
    """Counts the rows: a connection that the server drops without an answer is no error to wrk."""
    server = bench.server
    before = server.last_seqs(ids)
    commits, committed = server.commits()
    sample = bench.load("post_message", connections, seconds, others=others)
    settle(server.pids)
    more = server.commits()
    rows = server.last_seqs(ids) - before
    # Requests under way when wrk stops are done, but not counted by it.
    surplus = rows - (sample["requests"] - sample["status"])
    if not 0 <= surplus <= connections:
        raise Failure(f"POST: {rows} rows in the database, {surplus} beside the answers")
    group = max(1, round((more[1] - committed) / max(1, more[0] - commits)))
    return {**sample, "group": group}


def post(bench):
    ids = bench.env["CONVERSATIONS"].split(",")
    check_post(bench.server, ids)
    bare = BareCommit(bench.children, bench.work)

    def one(seconds=None):
        sample = post_sample(bench, ids, POST_CONNECTIONS, seconds)
        # The server commits what waits: half of a closed loop's connections while the other half
        # is answered. The bare loop is given groups of the same size, and of all connections.
        return {"confab": sample,
                "bare": bare.run(seconds or bench.seconds, sample["group"]),
                "bare_all": bare.run(seconds or bench.seconds, POST_CONNECTIONS)}

    one(WARM_UP)
    return {"rounds": bench.rounds(one)}


def login(bench):
    """No warm-up: what there is to warm is in the processor, and a hash warms it by itself."""
    check_login(bench)

    def one():
        sample = bench.load("token", READ_CONNECTIONS, EMAILS=",".join(EMAILS[:16]))
        settle(bench.server.pids)
        return {"confab": sample}

    return {"rounds": bench.rounds(one)}


def check_login(bench):
    got = bench.server.json("POST", "/api/token/", signed_in=False,
                            data={"email": EMAILS[0], "password": PASSWORD})
    if not (got["access"] and got["refresh"]):
        raise Failure("POST /api/token/ answered without tokens")


def interference(bench):
    """A history page alone and beside log-ins, with two probes. The busy one asks again at once and
    takes all that the machine gives; the calm one thinks in between, so the hashing gets its full
    speed and meets each request."""
    check_login(bench)
    bench.full_page(bench.history_path + "?page=1")
    calm = {"THINK_MS": str(PROBE_THINK_MS)}

    def beside_logins(env):
        logins = Load(bench.children, bench.server.url, "token", LOGIN_CONNECTIONS,
                      bench.seconds + 3, {**bench.env, "EMAILS": ",".join(EMAILS)})
        time.sleep(1)
        sample = bench.load("history", PROBE_CONNECTIONS, others=[logins.child.pid], **env)
        done = logins.result()
        sample["logins_per_second"], sample["login_errors"] = done["rate"], done["errors"]
        settle(bench.server.pids)
        return sample

    def one():
        return {
            "busy": bench.load("history", PROBE_CONNECTIONS),
            "busy_logins": beside_logins({}),
            "calm": bench.load("history", PROBE_CONNECTIONS, **calm),
            "calm_logins": beside_logins(calm),
        }

    bench.load("history", PROBE_CONNECTIONS, WARM_UP)
    return {"rounds": bench.rounds(one)}


def syscalls(bench, seconds=2):
    """Calls per request, counted by strace; slow, and so apart from everything timed."""
    table = {}
    for scenario, connections in (
            ("history", READ_CONNECTIONS), ("conversations", READ_CONNECTIONS),
            ("post_message", POST_CONNECTIONS)):
        out = Path(bench.work, f"strace.{scenario}")
        pid = bench.server.pids[0]
        tracer = bench.children.start(
            ["strace", "-c", "-f", "-o", str(out), "-p", str(pid)], environment())
        _wait_traced(pid)
        load = Load(bench.children, bench.server.url, scenario, connections, seconds, bench.env)
        requests = load.result()["requests"]
        bench.children.stop(tracer, signal.SIGINT)
        settle(bench.server.pids)
        table[scenario] = {name: calls / max(1, requests) for name, calls in _calls(out).items()}
        bench.tell(f"  {scenario}: {sum(table[scenario].values()):.2f} calls a request")
    return table


def _wait_traced(pid):
    deadline = time.monotonic() + 10
    while "TracerPid:\t0\n" in Path(f"/proc/{pid}/status").read_text():
        if time.monotonic() > deadline:
            raise Failure("strace cannot attach to the server here")
        time.sleep(0.02)
    time.sleep(0.2)  # the other threads


def _calls(path):
    """{name: calls} of the table of strace -c; the column of errors may be empty."""
    found = {}
    for line in path.read_text().splitlines():
        words = line.split()
        if len(words) in (5, 6) and words[3].isdigit() and words[-1] != "total":
            found[words[-1]] = int(words[3])
    return found


# In this order: what adds rows comes last.
ALL = {"start": start, "history": history, "conversations": conversations, "login": login,
       "interference": interference, "post": post}
