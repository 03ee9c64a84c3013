"""One measurement: wrk against a URL, with the CPU time and the errors of those seconds."""

import json
import os
import re
import statistics
import subprocess
import time
from pathlib import Path

from children import Failure, environment

TICKS = os.sysconf("SC_CLK_TCK")
LOAD_SCRIPT = Path(__file__).resolve().parent / "wrk" / "load.lua"
FOREIGN_MAX = 0.10  # a run during which others took more of the machine is repeated


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            continue
        total += sum(map(int, stat.rpartition(")")[2].split()[11:13]))
    return total / TICKS


def machine_seconds():
    """CPU time of everybody, without interrupts: their share is not in the processes' either."""
    user, nice, system, _, _, _, _, steal = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
    return (user + nice + system + steal) / TICKS


def memory(pid):
    """Sizes in MB (1,000,000 bytes): RSS, PSS, and what is the process's own and not a file."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    kib = {name: int(size) for name, size in re.findall(r"^(\w+): +(\d+) kB", text, re.M)}
    return {"rss_mb": kib["Rss"] * 1024 / 1e6, "pss_mb": kib["Pss"] * 1024 / 1e6,
            "anonymous_mb": kib["Anonymous"] * 1024 / 1e6}


def settle(pids, limit=60):
    """Waits until these processes rest: work that a load left behind (log-ins whose client is
    gone, a checkpoint) must not run into the next measurement."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        before = cpu_seconds(pids)
        time.sleep(0.25)
        if cpu_seconds(pids) - before <= 1 / TICKS:
            return
    raise Failure(f"the server is still busy {limit} s after a load")


class Load:
    """wrk under way. `env` is what bench/wrk/load.lua reads."""

    def __init__(self, children, url, scenario, connections, seconds, env):
        self.children = children
        self.seconds = seconds
        self.child = children.start(
            ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s",
             "-s", str(LOAD_SCRIPT), url],
            environment(SCENARIO=scenario, **env), stdout=subprocess.PIPE)

    def result(self):
        cpu = self.children.finish(self.child, self.seconds + 60)
        with self.child.stdout as stream:
            output = stream.read().decode(errors="replace")
        found = re.search(r"^RESULT (.*)$", output, re.M)
        if not found:
            raise Failure(f"wrk gave no result:\n{output}")
        got = json.loads(found.group(1))
        good = got["requests"] - got["status"]
        got["rate"] = good / got["seconds"]
        got["bytes_each"] = got["bytes"] / max(1, got["requests"])
        got["errors"] = got["status"] + got["broken"]
        got["generator_cpu"] = cpu
        got["generator_busy"] = 100 * cpu / got["seconds"]
        return got


class Watch:
    """CPU time from now on: of the server, of known processes besides, and of everybody else."""

    def __init__(self, pids=(), others=()):
        self.pids, self.others = list(pids), list(others)
        self.begin = self._read()

    def _read(self):
        return (time.monotonic(), machine_seconds(), cpu_seconds(self.pids),
                cpu_seconds(self.others) + time.process_time())

    def end(self, ended_cpu):
        """ended_cpu: of known processes that began and ended meanwhile. Returns the CPU seconds of
        the server, and the share of the machine that went to strangers."""
        elapsed, machine, server, others = (
            now - then for now, then in zip(self._read(), self.begin))
        foreign = (machine - server - others - ended_cpu) / (os.cpu_count() * elapsed)
        return server, max(0.0, foreign)


def measure(children, url, scenario, connections, seconds, env, pids, others=()):
    """pids: of the server, whose CPU time is counted; others: known processes besides."""
    watch = Watch(pids, others)
    got = Load(children, url, scenario, connections, seconds, env).result()
    server, got["foreign"] = watch.end(got["generator_cpu"])
    got["cpu_ms"] = 1000 * server / max(1, got["requests"])
    return got


def rounds(count, once, tell):
    """`count` quiet rounds of once(), which returns a dict of samples; A and B stand in the same
    round, so that what the machine does meanwhile meets both. Noisy rounds are repeated, at most
    `count` times in all; then they are taken as they are, and the report says so."""
    done = []
    while len(done) < 2 * count:
        done.append(once())
        quiet = [one for one in done if foreign(one) < FOREIGN_MAX]
        tell(done[-1])
        if len(quiet) == count:
            return quiet
    return sorted(done, key=foreign)[:count]


def foreign(one_round):
    return max((sample.get("foreign", 0) for sample in one_round.values()), default=0)


def median(values):
    return statistics.median(values)
