"""The samples of a run as tables: medians, ranges, ratios, and whether the bars are met."""

import os
import platform
import re
import shlex
import subprocess
import time
from pathlib import Path

from confab import CONVERSATIONS, ITERATIONS, MESSAGES, USERS
from measure import foreign, median
from scenarios import (LOGIN_CONNECTIONS, POST_CONNECTIONS, PROBE_CONNECTIONS, PROBE_THINK_MS,
                       READ_CONNECTIONS)

MARKS = "<!-- bench:begin -->", "<!-- bench:end -->"
HEAD = """# Performance

What the server does in a second on one small machine, beside programs that do as little as can be
done. The part between the two marks is written by `bench/run.py`; `make bench` writes this and the part
about sockets. The rest is not touched by it.

"""

METHOD = """### How it is measured

`make bench` needs `wrk`, `nginx-light` and a C compiler. It starts the built server on the loopback
with a fresh database of {users:,} users, {conversations:,} conversations and {messages:,} messages
(`confab seed-demo`), throttles and access log off, {iterations:,} iterations for a password and
everything else at its default. The generator, wrk with one thread, shares the machine with the
server, so a rate is what both reach together; the CPU time per request is the server's alone.

- Each question is asked once before it is loaded: status, full page, same bytes from nginx. After
  each load of POST the rows are counted; an answer without its row ends the benchmark.
- What is compared is measured in turn, A B A B, in the same rounds. A ratio is the median of the
  ratios of the rounds. A round during which other programs took more than a tenth of the machine
  is repeated.
- nginx: two workers, `sendfile on`, no access log, the same request and the bytes of the history
  page as a static file with the server's own extra headers.
- Bare commit loop (`bench/bare_commit.c`): one thread, prepared statements, the server's pragmas
  (WAL, `synchronous=FULL`); a message table as the server's, keyed by conversation and `seq`, with
  the same indexes and as many rows at the start. It commits groups of the size that the server
  reached in the same round ({batch} connections in a closed loop: half of them wait for a commit
  while the other half is answered); beside it the figure for groups of {batch}.
- Log-ins: {logins} clients that ask again at once. A page of history is asked for by {probes}
  connections: "busy" ones that ask again at once and leave the hashing little, and "calm" ones that
  wait {think} ms, so that the hashing has most of the machine. The worse of the two is held against
  the bar.
- Start: from just before the exec to the first 200 of `/health/`, on the seeded database.
- Memory: the kernel's `smaps_rollup`, one second after the start, and at rest after all the loads;
  1 MB is 1,000,000 bytes.
- wrk's loop is closed: with 16 connections and a busy server the median is about 16 divided by the
  rate. wrk corrects its percentiles for stalls. Where wrk's core is at 100 %, the generator is the
  limit and not the server: the CPU time tells more there.

To look into one cost:

| cost | command |
| --- | --- |
| one scenario | `bench/run.py --only history` (or `start`, `conversations`, `login`, `interference`, `post`) |
| while changing code | `bench/run.py --quick --only post` |
| all samples | `bench/run.py --json FILE` |
| sockets | `bench/run.py --sockets`, see there |
| system calls per request | `bench/run.py --quick --only history --strace` |
| a flush of the disk | `cc -O2 -o bare_commit bench/bare_commit.c -lsqlite3 && ./bare_commit FILE 5 1 0`: seconds by commits |
| where the time goes | a server of your own, `TOKEN=... CONVERSATION=... SCENARIO=history wrk -t1 -c16 -d30s -s bench/wrk/load.lua URL`, and `perf record -g -p PID` beside it |
"""


def machine(file_system):
    cpu = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    kib = int(re.search(r"^MemTotal: +(\d+)", Path("/proc/meminfo").read_text(), re.M).group(1))
    return {
        "processor": cpu.group(1) if cpu else platform.machine(),
        "cores": os.cpu_count(),
        "memory": f"{kib / 2**20:.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "file system": file_system,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def tools():
    return {"wrk": _first(r"wrk (\S+)", ["wrk", "-v"]),
            "nginx": _first(r"nginx/(\S+)", ["nginx", "-v"])}


def _first(pattern, argv):
    shown = subprocess.run(argv, capture_output=True, text=True, timeout=10)
    found = re.search(pattern, shown.stdout + shown.stderr)
    return found.group(1) if found else "?"


def command(words):
    """As typed, without the names of files."""
    kept, skip = [], False
    for word in words:
        if not skip and not word.startswith(("--json", "--doc")):
            kept.append(word)
        skip = not skip and word in ("--json", "--doc")
    return shlex.join(["bench/run.py", *kept])


def errors(results):
    """Answers that were no success, without the log-ins beside the probe: those may be refused."""
    return sum(sample.get("errors", 0) for _, one in _rounds(results) for sample in one.values())


def _rounds(results):
    for name, value in results.items():
        if isinstance(value, dict):
            for one in value.get("rounds", []):
                yield name, one


def values(result, series, field):
    return [one[series][field] for one in result["rounds"]]


def ratios(result, above, below, field):
    return [one[above][field] / max(1e-9, one[below][field]) for one in result["rounds"]]


def span(several, form):
    """Median (least to most)."""
    shown = form.format(median(several))
    if len(several) == 1:
        return shown
    return f"{shown} ({form.format(min(several))} to {form.format(max(several))})"


def table(head, rows, column="---:"):
    lines = [head, ["---"] + [column] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _interference_ratios(result):
    """The worse probe's ratios of p99."""
    both = [ratios(result, f"{probe}_logins", probe, "p99_ms") for probe in ("busy", "calm")]
    return max(both, key=median)


# target, scenario, its values, text of a value, text of the bar, met
BARS = [
    ("history page, share of nginx's rate", "history",
     lambda r: ratios(r, "confab", "nginx", "rate"), "{:.2f}", "at least 0.25",
     lambda v: v >= 0.25),
    ("durable POST, share of the bare loop's rows", "post",
     lambda r: ratios(r, "confab", "bare", "rate"), "{:.2f}", "at least 0.4",
     lambda v: v >= 0.4),
    ("the same, bare loop with a commit for every %d rows" % POST_CONNECTIONS, "post",
     lambda r: ratios(r, "confab", "bare_all", "rate"), "{:.2f}", "for comparison", None),
    ("messages a commit", "post",
     lambda r: [one["confab"]["group"] for one in r["rounds"]], "{:.0f}", "for comparison", None),
    ("history p99 beside log-ins, times its value alone", "interference",
     _interference_ratios, "{:.2f}", "less than 3", lambda v: v < 3),
    ("idle memory (RSS), MB", "memory",
     lambda r: [r["idle"]["rss_mb"]], "{:.1f}", "less than 20", lambda v: v < 20),
    ("exec to the first answer, ms", "start",
     lambda r: r["ms"], "{:.1f}", "at most 50", lambda v: v <= 50),
]


def bars(results, targets):
    rows = []
    for target, scenario, read, form, bar, met in targets:
        if scenario in results:
            got = read(results[scenario])
            verdict = "" if met is None else "yes" if met(median(got)) else "**no**"
            rows.append([target, bar, span(got, form), verdict])
    return table(["target", "bar", "measured", "met"], rows)


RATES = [
    ("history page of 20", "history", "confab", READ_CONNECTIONS),
    ("nginx, the same bytes", "history", "nginx", READ_CONNECTIONS),
    ("conversation list", "conversations", "confab", READ_CONNECTIONS),
    ("durable POST", "post", "confab", POST_CONNECTIONS),
    ("bare commit loop, rows", "post", "bare", None),
    ("bare commit loop, %d a commit" % POST_CONNECTIONS, "post", "bare_all", None),
    ("log-in", "login", "confab", READ_CONNECTIONS),
]


def _rates(results):
    rows = []
    for label, scenario, series, connections in RATES:
        if scenario not in results:
            continue
        result = results[scenario]

        def middle(field, form, result=result, series=series):
            if field not in result["rounds"][0][series]:
                return ""
            return form.format(median(values(result, series, field)))

        rates = values(result, series, "rate")
        form = "{:,.0f}" if median(rates) > 99 else "{:.1f}"
        rows.append([label, connections or "", span(rates, form),
                     middle("p50_ms", "{:.2f}"), middle("p99_ms", "{:.2f}"),
                     middle("cpu_ms", "{:.4f}"), middle("bytes_each", "{:,.0f}"), middle("generator_busy", "{:.0f}"),
                     sum(one[series].get("errors", 0) for one in result["rounds"])])
    return table(["what", "connections", "a second", "p50 ms", "p99 ms", "CPU ms each",
                   "bytes each", "wrk's core %", "errors"], rows)


def _interference(result):
    rows = []
    for probe in ("busy", "calm"):
        beside = f"{probe}_logins"
        rows.append([f"{probe}, alone", *_probe(result, probe), "", ""])
        rows.append([f"{probe}, beside log-ins", *_probe(result, beside),
                     span(values(result, beside, "logins_per_second"), "{:.1f}"),
                     sum(values(result, beside, "login_errors"))])
        rows.append([f"{probe}, times",
                     *(span(ratios(result, beside, probe, field), "{:.2f}")
                       for field in ("rate", "p50_ms", "p99_ms")), "", ""])
    return table(["probe", "pages a second", "p50 ms", "p99 ms", "log-ins a second",
                   "log-ins refused"], rows)


def _probe(result, series):
    return (span(values(result, series, "rate"), "{:,.0f}"),
            span(values(result, series, "p50_ms"), "{:.2f}"),
            span(values(result, series, "p99_ms"), "{:.2f}"))


def _memory(result):
    rows = []
    for label, when in (("after the start", "idle"), ("after the loads", "after")):
        sizes = result[when]
        rows.append([label, *(f"{sizes[field]:.1f}"
                              for field in ("rss_mb", "pss_mb", "anonymous_mb"))])
    return table(["", "RSS MB", "PSS MB", "of it anonymous MB"], rows)


def _syscalls(counted):
    rows = []
    for scenario, calls in counted.items():
        often = sorted(calls.items(), key=lambda item: -item[1])
        rows.append([scenario, f"{sum(calls.values()):.2f}",
                     ", ".join(f"{name} {each:.2f}" for name, each in often if each >= 0.01)])
    return table(["scenario", "calls a request", "which"], rows)


def about_rounds(results, what):
    noise = max((foreign(one) for _, one in _rounds(results)), default=0)
    return (f"`{results['command']}`: {what}"
            + (", in brackets the least and the most" if results["runs"] > 1 else "")
            + f". Other programs took at most {100 * noise:.0f} % of the machine in a round.")


def markdown(results):
    about = dict(results["machine"])
    if "post" in results:
        about["SQLite"] = results["post"]["rounds"][0]["bare"]["sqlite"]
    length = f"{results['runs']} x {results['seconds']} s"
    parts = [
        table(["machine", ""], [[key, value] for key, value in about.items()], "---"),
        about_rounds(results, f"medians of {length} each"),
        "### Targets", bars(results, BARS),
    ]
    if any(scenario in results for _, scenario, _, _ in RATES):
        parts += ["### Rates", _rates(results)]
    if "interference" in results:
        parts += [f"### A page of history beside {LOGIN_CONNECTIONS} clients logging in",
                  _interference(results["interference"])]
    parts += ["### Memory", _memory(results["memory"])]
    if "syscalls" in results:
        parts += ["### System calls", _syscalls(results["syscalls"])]
    parts.append(METHOD.format(
        users=USERS, conversations=CONVERSATIONS, messages=MESSAGES, iterations=ITERATIONS,
        batch=POST_CONNECTIONS, logins=LOGIN_CONNECTIONS, probes=PROBE_CONNECTIONS,
        think=PROBE_THINK_MS).rstrip())
    return "\n\n".join(parts)


def write(path, text, marks):
    """Replaces what is between the marks, and nothing else; without marks it goes to the end."""
    begin, end = marks
    old = path.read_text() if path.exists() else HEAD
    if begin not in old or end not in old:
        old = old.rstrip() + f"\n\n{begin}\n{end}\n"
    before, _, rest = old.partition(begin)
    _, _, after = rest.partition(end)
    path.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")
