#!/usr/bin/env python3
"""Measures a built server on this machine, beside nginx and bare loops.

    make bench                                 both of these, a quarter of an hour
    bench/run.py                               requests; writes its part of docs/PERFORMANCE.md
    bench/run.py --sockets                     sockets; writes its part
    bench/run.py --quick                       one run of 2 s of each, writes nothing
    bench/run.py --sockets --quick             a tenth of the sockets, writes nothing
    bench/run.py --postgres                    on PostgreSQL and MariaDB, beside pgbench; its part
    bench/run.py --only history --only post    these alone
    bench/run.py --strace                      also counts the system calls per request

The binary is build/confab or the one that CONFAB_BIN names. Everything is on the loopback and in
a temporary folder (TMPDIR), which has to be on a disk: flushing to memory costs nothing.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True  # first: the modules below would leave theirs in the tree

import postgres
import realtime
import realtime_report
import report
import scenarios
from children import Children, Failure
from confab import Confab, find_binary
from measure import memory, settle

ROOT = Path(__file__).resolve().parent.parent
TOOLS = {"wrk": "wrk", "nginx": "nginx-light", "cc": "gcc"}
SOCKET_TOOLS = {"cc": "gcc"}
POSTGRES_TOOLS = {"wrk": "wrk"}


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one run of 2 seconds, three starts")
    parser.add_argument("--sockets", action="store_true", help="sockets instead of requests")
    parser.add_argument("--postgres", action="store_true",
                        help="on PostgreSQL, beside pgbench, MariaDB and SQLite")
    parser.add_argument("--only", action="append", metavar="NAME",
                        help="one of: " + ", ".join(scenarios.ALL) + "; with --sockets: "
                             + ", ".join(realtime.ALL) + "; with --postgres: "
                             + ", ".join(postgres.ALL) + "; may be repeated")
    parser.add_argument("--runs", type=int, default=5, help="rounds of each (5)")
    parser.add_argument("--seconds", type=int, default=5, help="of each run (5)")
    parser.add_argument("--strace", action="store_true", help="count system calls, after the rest")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all samples")
    parser.add_argument("--doc", type=Path, metavar="FILE",
                        help="write the tables there (a full run: docs/PERFORMANCE.md)")
    options = parser.parse_args()
    options.starts = scenarios.STARTS
    if options.quick:
        options.runs, options.seconds, options.starts = 1, 2, 3
    if not (1 <= options.runs <= 50 and 1 <= options.seconds <= 60):
        parser.error("--runs is 1 to 50, --seconds 1 to 60")
    if options.sockets and options.postgres:
        parser.error("--sockets or --postgres, one of them")
    known = (realtime.ALL if options.sockets else postgres.ALL if options.postgres
             else scenarios.ALL)
    for name in options.only or []:
        if name not in known:
            parser.error(f"--only {name}: there are {', '.join(known)}")
    if options.strace and (options.sockets or options.postgres):
        parser.error("--strace counts for requests on SQLite")
    full = not (options.quick or options.only) and options.runs >= 3
    options.doc = options.doc or (ROOT / "docs" / "PERFORMANCE.md" if full else None)
    options.json, options.doc = (path and path.absolute() for path in (options.json, options.doc))
    return options


def check_tools(options):
    needed = SOCKET_TOOLS if options.sockets else POSTGRES_TOOLS if options.postgres else TOOLS
    needed = dict(needed, **({"strace": "strace"} if options.strace else {}))
    missing = [package for tool, package in needed.items() if not shutil.which(tool)]
    if missing:
        raise Failure(f"the benchmark needs more: apt-get install {' '.join(missing)}")


def file_system(folder):
    """The type of the file system that the data is on."""
    device = os.stat(folder).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    kind = "unknown"
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mount, _, source = line.partition(" - ")
        if mount.split()[2] == number:
            kind = source.split()[0]
    if kind in ("tmpfs", "ramfs"):
        raise Failure("the temporary folder is in memory: name one on a disk in TMPDIR")
    return kind


def tell(text):
    print(text, file=sys.stderr, flush=True)


def describe(options, server, work):
    return {"machine": {**report.machine(file_system(work)), "confab": server.version()},
            "runs": options.runs, "seconds": options.seconds,
            "command": report.command(sys.argv[1:])}


def run_sockets(options, children, binary, work):
    sizes = realtime.Sizes(options.quick)
    realtime.check_limits(sizes)
    server = Confab(children, binary, work)
    results = describe(options, server, work)
    bench = realtime.Bench(children, server, work, options, tell)
    results.update(realtime.run(bench, options.only or list(realtime.ALL)))
    return results


def run_postgres(options, children, binary, work):
    results = describe(options, Confab(children, binary, work), work)
    results.update(postgres.run(options, children, binary, work, tell))
    return results


def run_requests(options, children, binary, work):
    server = Confab(children, binary, work)
    results = describe(options, server, work)
    results["machine"].update(report.tools())
    wanted = options.only or list(scenarios.ALL)
    tell("seed")
    server.seed()
    bench = scenarios.Bench(children, server, work, options, tell)
    if "start" in wanted:
        tell("start")
        results["start"] = scenarios.start(bench)
    else:
        server.start()
    # All the rest is asked of this one.
    time.sleep(1)
    results["memory"] = {"idle": memory(server.pids[0])}
    for name in wanted:
        if name != "start":
            tell(name)
            bench.prepare()
            results[name] = scenarios.ALL[name](bench)
            settle(server.pids)
    if options.strace:
        tell("strace")
        bench.prepare()
        results["syscalls"] = scenarios.syscalls(bench)
    time.sleep(1)
    results["memory"]["after"] = memory(server.pids[0])
    server.stop()
    return results


def end(number, _):
    raise SystemExit(128 + number)


def main():
    options = parse_options()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    children = Children()
    try:
        check_tools(options)
        binary = find_binary(ROOT)
        with tempfile.TemporaryDirectory(prefix="confab-bench-") as work:
            os.chdir(work)  # no .env of the caller's folder is read
            try:
                run = (run_sockets if options.sockets else run_postgres if options.postgres
                       else run_requests)
                results = run(options, children, binary, work)
            finally:
                children.stop_all()
                os.chdir(ROOT)
    except Failure as failure:
        sys.exit(f"bench: {failure}")
    reporter = realtime_report if options.sockets else postgres if options.postgres else report
    text = reporter.markdown(results)
    print(text)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    if report.errors(results):
        sys.exit("bench: some answers were errors, so nothing is written: see above")
    if options.doc:
        report.write(options.doc, text, reporter.MARKS)


if __name__ == "__main__":
    main()
