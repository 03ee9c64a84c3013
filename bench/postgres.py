"""The server on PostgreSQL, beside pgbench on the same cluster and beside itself on MariaDB and SQLite.

The clusters are made for the run, in folders of their own, with the settings of production: commits
are flushed before they are answered. Nobody else's cluster is touched."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import mariadb
import scenarios
from children import Failure, environment
from confab import Confab
from measure import median
from report import about_rounds, ratios, span, table, values
from scenarios import READ_CONNECTIONS, WARM_UP

MARKS = "<!-- bench-postgres:begin -->", "<!-- bench-postgres:end -->"
DEBIAN = Path("/usr/lib/postgresql")  # its programs are in nobody's path
CONNECTIONS = (8, 16, 64)
READERS = (READ_CONNECTIONS, max(CONNECTIONS))
SCALE = 10
SETTINGS = {"listen_addresses": "", "max_connections": "300", "fsync": "on",
            "synchronous_commit": "on", "full_page_writes": "on"}
ALL = ("post", "history")


def programs():
    versions = sorted((path for path in DEBIAN.glob("*/bin/pgbench")),
                      key=lambda path: float(path.parts[-3]))
    if not versions:
        raise Failure("the benchmark needs more: apt-get install postgresql")
    return versions[-1].parent


class Cluster:
    """Reached by a socket in its folder. Root starts it as the user postgres, whom the folder
    belongs to then."""

    def __init__(self, children):
        self.children = children
        self.programs = programs()
        self.folder = Path(tempfile.mkdtemp(prefix="confab-bench-pg-"))
        self.as_user = []
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
            self.as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
        self.child = None
        self.log = self.folder / "log"

    def run(self, program, *words):
        """What it printed."""
        done = subprocess.run([*self.as_user, self.programs / program, *words], cwd=self.folder,
                              env=environment(), capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            raise Failure(f"{program} ended with {done.returncode}:\n{done.stderr[-2000:]}")
        return done.stdout

    def start(self):
        data = self.folder / "data"
        self.run("initdb", "-D", str(data), "--username=confab", "--encoding=UTF8",
                 "--locale=C.UTF-8", "--auth=trust")
        settings = {**SETTINGS, "unix_socket_directories": self.folder}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with open(self.log, "ab") as log:
            self.child = self.children.start(
                [*self.as_user, str(self.programs / "postgres"), "-D", str(data), *words],
                environment(), stdout=log)
        deadline = time.monotonic() + 30
        while not self._answers():
            if self.child.poll() is not None or time.monotonic() > deadline:
                raise Failure(f"PostgreSQL does not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.1)

    def _answers(self):
        asked = [self.programs / "pg_isready", "-q", "-h", self.folder]
        return subprocess.run(asked, env=environment()).returncode == 0

    def create(self, name):
        """The database's URL."""
        self.run("createdb", "-h", str(self.folder), "-U", "confab", name)
        return f"postgres://confab@/{name}?host={self.folder}"

    @property
    def pids(self):
        pid = self.child.pid
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *(int(one) for one in found)]

    def version(self):
        return self.run("postgres", "--version").split()[2]

    def stop(self):
        if self.child:
            self.children.stop(self.child, signal.SIGINT)  # what is connected is not waited for
        shutil.rmtree(self.folder, ignore_errors=True)


class Pgbench:
    """Transactions of one update, one select and one insert, prepared."""

    def __init__(self, cluster):
        self.cluster = cluster
        cluster.create("pgbench")
        self.run("-i", "-q", "-s", str(SCALE))

    def run(self, *words):
        return self.cluster.run("pgbench", "-h", str(self.cluster.folder), "-U", "confab", *words,
                                "pgbench")

    def sample(self, connections, seconds):
        shown = self.run("-n", "-N", "-M", "prepared", "-c", str(connections), "-j", "2",
                         "-T", str(seconds))
        rate = re.search(r"^tps = ([0-9.]+)", shown, re.M)
        latency = re.search(r"^latency average = ([0-9.]+) ms", shown, re.M)
        if not rate or not latency:
            raise Failure(f"pgbench gave no result:\n{shown}")
        return {"rate": float(rate.group(1)), "mean_ms": float(latency.group(1))}


def each(bench, what, numbers, warm_up, once):
    """{connections: rounds}."""
    result = {}
    for connections in numbers:
        bench.tell(f"{what}, {connections} connections")
        warm_up(connections, WARM_UP)
        result[connections] = bench.rounds(lambda n=connections: once(n, bench.seconds))
    return result


def post(benches, clusters):
    """{connections: rounds}; each round asks pgbench and the servers, in turn."""
    pgbench = Pgbench(clusters["postgres"])
    bench = benches["postgres"]
    ids = {name: benches[name].env["CONVERSATIONS"].split(",") for name in clusters}
    for name in clusters:
        scenarios.check_post(benches[name].server, ids[name])

    def on_servers(connections, seconds):
        return {name: scenarios.post_sample(benches[name], ids[name], connections, seconds,
                                            cluster.pids)
                for name, cluster in clusters.items()}

    def once(connections, seconds):
        return {"pgbench": pgbench.sample(connections, seconds),
                **on_servers(connections, seconds)}

    return each(bench, "post", CONNECTIONS, on_servers, once)


def history(benches, clusters):
    for one in benches.values():
        one.full_page(one.history_path + "?page=1")

    def once(connections, seconds):
        return {name: one.load("history", connections, seconds,
                               others=clusters[name].pids if name in clusters else ())
                for name, one in benches.items()}

    return each(benches["postgres"], "history", READERS, once, once)


def run(options, children, binary, work, tell):
    """The results, beside what run.py says of the machine."""
    wanted = options.only or ALL
    results = {}
    clusters = {"postgres": Cluster(children), "mariadb": mariadb.Cluster(children)}
    try:
        tell("clusters, seed")
        for name, cluster in clusters.items():
            cluster.start()
            results[name] = cluster.version()
        urls = {name: {"DATABASE_URL": cluster.create("confab")}
                for name, cluster in clusters.items()}
        benches = {name: scenarios.Bench(children, Confab(children, binary, work, name, **url),
                                         work, options, tell)
                   for name, url in {**urls, "sqlite": {}}.items()}
        for bench in benches.values():
            bench.server.seed()
            bench.server.start()
            bench.prepare()
        postgres = clusters["postgres"]
        postgres.run("vacuumdb", "-h", str(postgres.folder), "-U", "confab", "--analyze", "confab")
        if "history" in wanted:
            for connections, done in history(benches, clusters).items():
                results[f"history_{connections}"] = {"rounds": done}
        if "post" in wanted:
            for connections, done in post(benches, clusters).items():
                results[f"post_{connections}"] = {"rounds": done}
        for bench in benches.values():
            bench.server.stop()
    finally:
        children.stop_all()
        for cluster in clusters.values():
            cluster.stop()
    return results


# What, in which rounds, whose figure is divided by whose, the bar.
BARS = [
    *((f"durable POST, {n} connections, times pgbench's transactions", f"post_{n}", "postgres",
       "pgbench", 1.0 if n == max(CONNECTIONS) else None) for n in CONNECTIONS),
    *((f"history page of 20, {n} connections, share of SQLite's rate", f"history_{n}", "postgres",
       "sqlite", 0.5) for n in READERS),
    *((f"MariaDB: durable POST, {n} connections, times PostgreSQL's rate", f"post_{n}", "mariadb",
       "postgres", None) for n in CONNECTIONS),
    *((f"MariaDB: history page of 20, {n} connections, share of SQLite's rate", f"history_{n}",
       "mariadb", "sqlite", None) for n in READERS),
]
RATES = [
    *((what, n, f"post_{n}", series) for n in CONNECTIONS
      for what, series in (("durable POST, PostgreSQL", "postgres"), ("pgbench -N", "pgbench"),
                           ("durable POST, MariaDB", "mariadb"))),
    *((f"history page, {name}", n, f"history_{n}", series) for n in READERS
      for name, series in (("PostgreSQL", "postgres"), ("MariaDB", "mariadb"),
                           ("SQLite", "sqlite"))),
]

METHOD = """### How PostgreSQL is measured

`bench/run.py --postgres` makes a cluster in a folder of its own (`initdb`, `fsync`,
`full_page_writes` and `synchronous_commit` on, everything else at its default), reached by its socket, another one of
MariaDB (commits flushed, everything else at its default), and starts the server on each, and one more of the same
program on SQLite, each with the data of the other benchmarks. `pgbench -N -M prepared -j 2` (one update, one select, one insert a transaction; scale {scale})
runs on the same cluster, in turn with wrk's POST over as many connections on either, and the history page
on all three in turn. A ratio is the median of the ratios of the rounds. Everything
shares the machine: the clients, the server and the database. CPU time is the server's alone, without
the database's.
"""


def markdown(results):
    shown = [one for one in BARS if one[1] in results]
    bars = []
    for what, name, above, below, bar in shown:
        got = ratios(results[name], above, below, "rate")
        met = "" if bar is None else "yes" if median(got) >= bar else "**no**"
        bars.append([what, "for comparison" if bar is None else f"at least {bar}",
                     span(got, "{:.2f}"), met])
    about = {**results["machine"], "PostgreSQL": results["postgres"],
             "MariaDB": results["mariadb"]}
    return "\n\n".join([
        table(["machine", ""], [[key, value] for key, value in about.items()], "---"),
        about_rounds(results, f"medians of {results['runs']} x {results['seconds']} s each"),
        "### PostgreSQL: targets", table(["target", "bar", "measured", "met"], bars),
        "### PostgreSQL: rates", _rates(results),
        METHOD.format(scale=SCALE).rstrip()])


def _rates(results):
    rows = []
    for what, connections, name, series in RATES:
        if name in results:
            one = results[name]["rounds"][0][series]
            shown = [span(values(results[name], series, field), form) if field in one else ""
                     for field, form in (("rate", "{:,.0f}"), ("p50_ms", "{:.2f}"),
                                         ("p99_ms", "{:.2f}"), ("cpu_ms", "{:.4f}"),
                                         ("group", "{:.0f}"))]
            rows.append([what, connections, *shown])
    return table(["what", "connections", "a second", "p50 ms", "p99 ms", "CPU ms each",
                  "messages a commit"], rows)
