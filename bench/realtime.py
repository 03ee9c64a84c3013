"""What sockets cost, one function each: idle ones, coming (back), one message to all, the way of a
message from socket to socket, and readers that are slow. The clients are bench/sockets/, the bare
program beside the server is bench/bare_relay.c."""

import json
import os
import resource
import select
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

from children import Failure, environment
from confab import free_port
from measure import Watch, memory, rounds

SOURCES = Path(__file__).resolve().parent
COMPILE = ["cc", "-std=c17", "-D_GNU_SOURCE", "-O2"]

MEMBERS = 10        # of a small conversation
CONVERSATIONS = 3   # that a user of the idle sockets is in
RATE = 1000         # messages a second
READERS, SLOW = 5, 5
SLOW_BODY = 8000    # bytes
AT_ONCE = 256       # connect at a time, where nothing else is said
WARM_UP_AT_ONCE = 16
TIMEOUT = 900
SPARE = 2000        # open files for everything else


class Sizes:
    """How many of everything; `--quick` is a tenth of it, but for the rooms."""

    def __init__(self, quick):
        tenth = 10 if quick else 1
        self.idle_sockets = 15000 // tenth
        self.idle_users = 5000 // tenth
        self.idle_seconds = 5 if quick else 60
        self.storm = 5000 // tenth
        self.members = 10000 // tenth   # of the large conversation, and users in all
        self.messages = 10              # to it in a round
        self.pause_ms = 250
        self.rooms = min(100, self.idle_users // MEMBERS)  # nobody is in two
        self.latency_seconds = 3 if quick else 15
        self.slow_seconds = 10 if quick else 60
        self.slow_alone_seconds = 5 if quick else 20

    def sockets(self, scenario):
        """That the server has to hold; in a storm it may not have noticed yet who has gone."""
        return {"idle": self.idle_sockets, "connect": 2 * self.storm, "fanout": self.members,
                "latency": self.rooms * MEMBERS, "slow": READERS + SLOW}[scenario]


def settings(sockets):
    """Limits out of the way, passwords quick; everything else at its default. Open files that the
    sockets do not need are left to connections, up to their default: in a storm all of them are
    connections first."""
    connections = min(10000, _files() - sockets - SPARE)
    return {"PASSWORD_ITERATIONS": "1", "ACCESS_TOKEN_LIFETIME": "86400",
            "SOCKETS_MAX": str(sockets + SPARE // 4), "SOCKETS_PER_USER_MAX": "1000",
            "SOCKETS_PER_ADDRESS_MAX": str(sockets + SPARE // 4),
            "CONNECTIONS_MAX": str(connections)}


def check_limits(sizes):
    needed = sizes.idle_sockets + 2 * SPARE
    if _files() < needed:
        raise Failure(f"{sizes.idle_sockets} sockets need a limit of open files (ulimit -Hn) of "
                      f"{needed}; here it is {_files()}")


def _files():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 10**6 if most == resource.RLIM_INFINITY else most


# --- the programs ------------------------------------------------------------------------------

class Tools:
    def __init__(self, work):
        self.clients, self.relay = Path(work, "sockets"), Path(work, "bare_relay")
        shared = [SOURCES / "sockets" / name for name in ("frame.c", "loop.c")]
        _compile(self.clients, sorted((SOURCES / "sockets").glob("*.c")))
        _compile(self.relay, [SOURCES / "bare_relay.c", *shared])


def _compile(program, sources):
    built = subprocess.run([*COMPILE, "-o", str(program), *map(str, sources)],
                           capture_output=True, text=True, timeout=120)
    if built.returncode != 0:
        raise Failure(f"{program.name} does not compile:\n{built.stderr}")


class Clients:
    """bench/sockets under way: does what it is asked, one line of JSON for each."""

    def __init__(self, bench, mode, *words):
        self.children = bench.children
        self.child = bench.children.start(
            [str(bench.tools.clients), mode, *map(str, words)], environment(),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.text = b""
        self.first = self._answer(TIMEOUT, None)

    @property
    def pid(self):
        return self.child.pid

    def ask(self, command, meanwhile=None):
        self.child.stdin.write(command.encode() + b"\n")
        self.child.stdin.flush()
        return self._answer(TIMEOUT, meanwhile)

    def _answer(self, timeout, meanwhile):
        deadline = time.monotonic() + timeout
        while b"\n" not in self.text:
            if time.monotonic() > deadline:
                raise Failure(f"the clients did not answer within {timeout} s")
            if select.select([self.child.stdout], [], [], 0.25)[0]:
                more = os.read(self.child.stdout.fileno(), 65536)
                if not more:
                    raise Failure("the clients ended without an answer")
                self.text += more
            elif meanwhile:
                meanwhile()
        line, _, self.text = self.text.partition(b"\n")
        try:
            return json.loads(line)
        except ValueError:
            raise Failure(f"the clients gave up: {line.decode(errors='replace')}") from None

    def close(self):
        self.child.stdin.close()
        self.children.finish(self.child, 60)
        self.child.stdout.close()


class BareRelay:
    def __init__(self, bench, frame_size, file=None):
        self.port = free_port()
        words = [self.port, bench.sizes.idle_sockets, frame_size, *([file] if file else [])]
        self.children = bench.children
        self.child = bench.children.start(
            [str(bench.tools.relay), *map(str, words)], environment(), stdout=None, stderr=None)
        deadline = time.monotonic() + 30
        while not self._listens():
            if self.child.poll() is not None or time.monotonic() > deadline:
                raise Failure("bare_relay does not listen")
            time.sleep(0.05)

    def _listens(self):
        with socket.socket() as knock:
            return knock.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def pids(self):
        return [self.child.pid]

    def stop(self):
        self.children.stop(self.child)


# --- users and conversations ---------------------------------------------------------------------

class World:
    """Made once for a run, through REST: users with a token each, and small conversations of ten,
    so that each of the first users is in three of them."""

    def __init__(self, server, sizes, work):
        self.work, self.files = work, 0
        self.local = threading.local()
        self.port = server.port
        with ThreadPoolExecutor(8) as pool:
            self.users = list(pool.map(self._register, range(sizes.members)))
            self.small = list(pool.map(self._open, self._groups(sizes.idle_users)))

    def open_large(self):
        """One with everybody, and a cursor from which nobody has anything to read: all its members'
        read positions are in everybody's first page."""
        conversation, members = self._open(range(len(self.users)))
        cursor, more = "", True
        while more:
            got = self._ask(f"/api/sync/?cursor={cursor}", None, self.users[0][1], "GET", 200)
            cursor, more = got["cursor"], got["more"]
        return conversation, members, cursor

    def _ask(self, path, data, token=None, method="POST", expect=201):
        if not hasattr(self.local, "connection"):
            self.local.connection = HTTPConnection("127.0.0.1", self.port, timeout=120)
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self.local.connection.request(method, path, data and json.dumps(data), headers)
        answer = self.local.connection.getresponse()
        text = answer.read()
        if answer.status != expect:
            raise Failure(f"{method} {path} answered {answer.status}: {text[:300]!r}")
        return json.loads(text)

    def _register(self, number):
        got = self._ask("/api/users/register/", {
            "email": f"reader{number}@example.com", "username": f"reader{number}",
            "first_name": "Rea", "last_name": "Der", "password": "demo-Passw0rd"})
        return got["user"]["id"], got["access"]

    def _open(self, members):
        first, *others = members
        got = self._ask("/api/conversations/", {
            "title": f"{len(others) + 1} people",
            "participants": [self.users[one][0] for one in others]}, self.users[first][1])
        return got["conversation_id"], list(members)

    @staticmethod
    def _groups(users):
        """The first layer is neighbours, the others are strides: nobody meets anybody twice."""
        count = users // MEMBERS
        for layer in range(CONVERSATIONS):
            for group in range(count):
                if layer == 0:
                    yield [group * MEMBERS + one for one in range(MEMBERS)]
                else:
                    yield [one * count + (group + layer * one) % count for one in range(MEMBERS)]

    def tokens(self, members):
        """A file of their tokens, in this order."""
        return self._file(self.users[one][1] for one in members)

    def rooms(self, count):
        """Two files: the tokens of all their members, and the conversations."""
        rooms = self.small[:count]
        return (self.tokens(one for _, members in rooms for one in members),
                self._file(conversation for conversation, _ in rooms))

    def _file(self, lines):
        self.files += 1
        path = Path(self.work, f"lines.{self.files}")
        path.write_text("".join(line + "\n" for line in lines))
        return path


class Bench:
    def __init__(self, children, server, work, options, tell):
        self.children, self.server, self.work, self.tell = children, server, work, tell
        self.runs, self.sizes = options.runs, Sizes(options.quick)
        self.tools = Tools(work)
        self.world = None

    def prepare(self):
        self.tell("users and conversations")
        self.server.env.update(settings(0))
        self.server.start()
        self.world = World(self.server, self.sizes, self.work)
        self.server.stop()

    def watched(self, server, clients, command, meanwhile=None):
        """One command, with the CPU time of the server and the share of strangers."""
        watch = Watch(server.pids, [one for one in self.children.pids() if one != server.pids[0]])
        got = clients.ask(command, meanwhile)
        got["cpu_s"], got["foreign"] = watch.end(0)
        return got

    def rounds(self, once, show):
        return rounds(self.runs, once, lambda one: self.tell("  " + ", ".join(
            f"{name} {show(sample)}" for name, sample in one.items())))


# --- what is measured ----------------------------------------------------------------------------

def idle(bench):
    """Each user's first page is read once before, by few sockets at a time, so that the caches of
    the database and the threads' memory are not counted as the sockets'."""
    sizes, pid = bench.sizes, bench.server.pids[0]
    tokens = bench.world.tokens(range(sizes.idle_users))
    warm_up = Clients(bench, "hold", bench.server.port, tokens, sizes.idle_users)
    warm_up.ask(f"churn {WARM_UP_AT_ONCE}")
    warm_up.close()
    time.sleep(3)
    result = {"sockets": sizes.idle_sockets, "users": sizes.idle_users,
              "before": memory(pid)}
    clients = Clients(bench, "hold", bench.server.port, tokens, sizes.idle_sockets)
    clients.ask(f"connect {AT_ONCE}")
    time.sleep(3)
    result["after"] = memory(pid)
    time.sleep(sizes.idle_seconds)
    result["later"] = memory(pid)
    clients.ask("drop")
    time.sleep(10)  # the last ones are seen off, presence included
    result["gone"] = memory(pid)
    clients.close()
    each = 1e6 * (result["later"]["rss_mb"] - result["before"]["rss_mb"]) / sizes.idle_sockets
    bench.tell(f"  {each:.0f} bytes each")
    return result


def connect(bench):
    """New ones that know nothing, and all of them at once that come back with their cursors."""
    sizes = bench.sizes
    tokens = bench.world.tokens(range(sizes.storm))
    bare = BareRelay(bench, 1000)
    clients = Clients(bench, "hold", bench.server.port, tokens, sizes.storm)
    others = Clients(bench, "hold", bare.port, tokens, sizes.storm)

    def measured(server, who, command):
        got = bench.watched(server, who, command)
        got["rate"] = got["sockets"] / got["seconds"]
        got["cpu_us"] = 1e6 * got["cpu_s"] / got["sockets"]
        got["bytes_each"] = got["bytes"] / got["sockets"]
        return got

    def once():
        sample = {}
        for name, server, who in (("confab", bench.server, clients), ("bare", bare, others)):
            who.ask("forget")
            sample[name] = measured(server, who, f"connect {AT_ONCE}")
            time.sleep(1)
            sample[name + "_storm"] = measured(server, who, f"storm {sizes.storm}")
            time.sleep(1)
            who.ask("drop")
            time.sleep(2)
        return sample

    once()
    try:
        return {"sockets": sizes.storm, "at_once": AT_ONCE, "rounds": bench.rounds(
            once, lambda got: f"{got['rate']:.0f}/s in {got['seconds']:.2f} s")}
    finally:
        clients.close()
        others.close()
        bare.stop()


def latency(bench):
    sizes = bench.sizes
    words = (*bench.world.rooms(sizes.rooms), MEMBERS)
    command = f"run {RATE} {sizes.latency_seconds}"
    clients = Clients(bench, "relay", bench.server.port, *words)
    size = clients.ask(f"run {RATE} 3")["frame_size"]
    bare = BareRelay(bench, size, Path(bench.work, "bare_relay.log"))
    others = Clients(bench, "relay", bare.port, *words)
    others.ask(f"run {RATE} 3")

    def once():
        sample = {"confab": bench.watched(bench.server, clients, command),
                  "bare": bench.watched(bare, others, command)}
        for one in sample.values():
            one["errors"] = one["missing"]
            one["cpu_us"] = 1e6 * one["cpu_s"] / one["messages"]
        sample["confab"]["errors"] += sample["confab"]["messages"] - sample["confab"]["acked"]
        return sample

    try:
        return {"rounds": bench.rounds(once, lambda got: "p50 {delivery_p50_ms:.2f} p99 "
                                       "{delivery_p99_ms:.2f} p99.9 {delivery_p999_ms:.2f} ms"
                                       .format(**got))}
    finally:
        clients.close()
        others.close()
        bare.stop()


def slow(bench):
    """Alone first, then beside the slow ones."""
    sizes, pid = bench.sizes, bench.server.pids[0]
    conversation, members = bench.world.small[sizes.rooms % len(bench.world.small)]
    clients = Clients(bench, "slow", bench.server.port, bench.world.tokens(members), conversation,
                      READERS, SLOW)

    def measured(seconds):
        most = memory(pid)

        def look():
            for field, size in memory(pid).items():
                most[field] = max(most[field], size)

        got = bench.watched(bench.server, clients, f"run {SLOW_BODY} {seconds}", look)
        return {**got, "errors": got["missing"], "most": most}

    measured(3)
    alone = measured(sizes.slow_alone_seconds)
    clients.ask("slow")
    beside = measured(sizes.slow_seconds)
    caught_up = clients.ask("catchup")
    time.sleep(2)
    result = {"rounds": [{"alone": alone, "beside": beside}], "caught_up": caught_up,
              "after": memory(pid)}
    clients.close()
    bench.tell(f"  p99 {alone['delivery_p99_ms']:.2f} ms alone, "
               f"{beside['delivery_p99_ms']:.2f} beside; caught up in {caught_up['seconds']} s")
    return result


def fanout(bench):
    sizes = bench.sizes
    conversation, members, cursor = bench.world.open_large()
    tokens = bench.world.tokens(members)
    words = tokens, len(members), conversation, cursor
    command = f"send {sizes.messages} {sizes.pause_ms}"
    clients = Clients(bench, "fanout", bench.server.port, *words)
    bare = BareRelay(bench, clients.ask("send 3 500")["frame_size"])
    others = Clients(bench, "fanout", bare.port, *words)
    others.ask("send 3 500")

    def once():
        sample = {"confab": bench.watched(bench.server, clients, command),
                  "bare": bench.watched(bare, others, command)}
        for one in sample.values():
            one["cpu_us"] = 1e6 * one["cpu_s"] / (one["messages"] * one["sockets"])
        return sample

    try:
        return {"sockets": len(members), "rounds": bench.rounds(
            once, lambda got: f"{got['last_p50_ms']:.1f} ms to the last")}
    finally:
        clients.close()
        others.close()
        bare.stop()


# In this order: what adds rows comes last.
ALL = {"idle": idle, "connect": connect, "latency": latency, "slow": slow, "fanout": fanout}


def run(bench, wanted):
    """Each has a server of its own, on the same data."""
    results = {}
    bench.prepare()
    for name in wanted:
        bench.tell(name)
        bench.server.env.update(settings(bench.sizes.sockets(name)))
        bench.server.start()
        time.sleep(1)
        results[name] = ALL[name](bench)
        bench.server.stop()
    return results
