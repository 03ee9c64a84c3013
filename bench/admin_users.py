#!/usr/bin/env python3
"""Measures the admin's list of users where there are a million: its first page beside its last.

    bench/admin_users.py                       writes its part of docs/PERFORMANCE.md
    bench/admin_users.py --users 10000 --quick one round, writes nothing

The binary is build/confab or the one that CONFAB_BIN names. Everything is on the loopback and in a
temporary folder (TMPDIR). The rows are written straight into the SQLite file, in one transaction.
"""

import argparse
import http.client
import json
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

sys.dont_write_bytecode = True  # first: the modules below would leave theirs in the tree

import report
from children import Children, Failure
from confab import Confab, PASSWORD, find_binary
from measure import median

ROOT = Path(__file__).resolve().parent.parent
MARKS = ("<!-- bench-admin:begin -->", "<!-- bench-admin:end -->")
ADMIN = "admin@example.com"
PAGES_EACH = 100  # of each kind in a round
RATIO_MAX = 1.5
ORDERINGS = ("-created_at", "created_at", "username", "-username", "email", "-email", "last_seen",
             "-last_seen")
FILTERS = ("", "role=host&", "is_active=true&")
BEGIN_US = 1_700_000_000_000_000
DAY_US = 86_400_000_000

INSERT = """INSERT INTO account (id, username, username_key, email, email_key, first_name, last_name,
    phone_number, role, password, metadata, is_active, created_at, last_seen_at, stamp)
    VALUES (?, ?, ?, ?, ?, ?, ?, '', ?, '!', '{}', ?, ?, ?, 0)"""


def accounts(count):
    """Names in no order, a tenth of them hosts, each hundredth inactive, a third never seen."""
    dice = random.Random(1)
    for number in range(count):
        created = BEGIN_US + number * 30_000_000
        name = f"{dice.getrandbits(48):012x}.{number}"
        mail = f"{dice.getrandbits(48):012x}.{number}@example.org"
        seen = None if number % 3 == 0 else created + dice.randrange(400 * DAY_US)
        ident = created.to_bytes(8, "big") + dice.randbytes(8)
        role = "host" if number % 10 == 0 else "guest"
        yield (ident, name, name, mail, mail, f"First{number % 997}", f"Last{number % 991}", role,
               number % 100 != 1, created, seen)


def fill(path, count):
    """Returns the seconds that it took."""
    begin = time.monotonic()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA cache_size = -1000000")
        indexes = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND "
                             "tbl_name = 'account' AND sql IS NOT NULL").fetchall()
        for name, _ in indexes:
            db.execute(f"DROP INDEX {name}")  # made of all rows at once they take half the time
        db.executemany(INSERT, accounts(count))
        for _, sql in indexes:
            db.execute(sql)
        db.execute("UPDATE shard SET users = users + ? WHERE id = 0", (count,))
    db.close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return time.monotonic() - begin


class Asker:
    """One connection that is kept."""

    def __init__(self, server):
        self.server = server
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        self.headers = {"Accept": "application/json", "Authorization": f"Bearer {server.token}"}

    def ask(self, query):
        self.connection.request("GET", f"/api/admin/users/?{query}", headers=self.headers)
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise Failure(f"{query}: {answer.status} {body[:300]!r}")
        return body

    def measure(self, queries):
        """The median of each page in ms. They are asked for in turn, one by one, so that what
        the machine does meanwhile meets all."""
        times = {name: [] for name in queries}
        for _ in range(PAGES_EACH):
            for name, query in queries.items():
                begin = time.perf_counter()
                self.ask(query)
                times[name].append(1000 * (time.perf_counter() - begin))
        return {name: {"p50_ms": median(each)} for name, each in times.items()}


def check(asker, ordering, count):
    """Both ends are what they say: whole, in order, and each the other's opposite."""
    first = json.loads(asker.ask(f"ordering={ordering}&cursor="))["results"]
    last = json.loads(asker.ask(f"ordering={ordering}&cursor=last"))["results"]
    numbered = json.loads(asker.ask(f"ordering={ordering}&page=last"))
    opposite = ordering[1:] if ordering.startswith("-") else f"-{ordering}"
    mirror = json.loads(asker.ask(f"ordering={opposite}&cursor="))["results"]
    ids = [user["id"] for user in last]
    good = (len(first) == len(last) == 20 and ids == [user["id"] for user in reversed(mirror)]
            and numbered["count"] == count
            and [user["id"] for user in numbered["results"]] == ids[-len(numbered["results"]):])
    if not good:
        raise Failure(f"{ordering}: the pages do not fit together")


def ends(filters, ordering):
    """Queries of the first and the last page; by number too, where the count is exact."""
    base = f"{filters}ordering={urllib.parse.quote(ordering)}&"
    pairs = {"cursor": (f"{base}cursor=", f"{base}cursor=last")}
    if not filters:
        pairs["page"] = (base, f"{base}page=last")
    return pairs


def run(options, children, binary, work):
    server = Confab(children, binary, work)
    server.command("migrate")
    server.env["CONFAB_SUPERUSER_PASSWORD"] = PASSWORD
    server.command("createsuperuser", "--noinput", "--email", ADMIN, "--username", "admin")
    database = next(Path(work, "confab-data").glob("*.sqlite3"))
    took = fill(database, options.users)
    print(f"{options.users:,} users in {took:.0f} s, {database.stat().st_size / 1e6:,.0f} MB",
          file=sys.stderr)
    server.start()
    login = {"email": ADMIN, "password": PASSWORD}
    server.token = server.json("POST", "/api/token/", data=login, signed_in=False)["access"]
    asker = Asker(server)
    for ordering in ORDERINGS:
        check(asker, ordering, options.users + 1)
    rows = []
    for filters in FILTERS:
        for ordering in ORDERINGS if not filters else ORDERINGS[:1]:
            for how, (first, last) in ends(filters, ordering).items():
                rows.append(measure_pair(asker, options.runs, filters, ordering, how, first, last))
    result = {"rows": rows, "users": options.users, "fill_s": took,
              "bytes": database.stat().st_size, "version": server.version()}
    server.stop()
    return result


def measure_pair(asker, rounds, filters, ordering, how, first, last):
    queries = {"first": first, "last": last}
    asker.measure(queries)  # the file's pages come into memory
    done = [asker.measure(queries) for _ in range(rounds)]
    print(f"{filters}{ordering} by {how}: first {done[0]['first']['p50_ms']:.2f} ms, "
          f"last {done[0]['last']['p50_ms']:.2f} ms", file=sys.stderr)
    return {"filters": filters.rstrip("&"), "ordering": ordering, "how": how, "rounds": done}


def markdown(results):
    rows, worst = [], []
    for row in results["rows"]:
        ratios = report.ratios(row, "last", "first", "p50_ms")
        worst.append(median(ratios))
        rows.append([f"`{row['ordering']}`" + (f", `{row['filters']}`" if row["filters"] else ""),
                     row["how"],
                     *(report.span(report.values(row, end, "p50_ms"), "{:.2f}")
                       for end in ("first", "last")),
                     report.span(ratios, "{:.2f}")])
    machine = report.table(["machine", ""], [[name, value] for name, value in
                                             results["machine"].items()], "---")
    verdict = "yes" if max(worst) <= RATIO_MAX else "**no**"
    return "\n\n".join([
        machine,
        f"{results['users']:,} users in SQLite, {results['bytes'] / 1e6:,.0f} MB, written in "
        f"{results['fill_s']:.0f} s. The worst ratio of a last page to its first: "
        f"{max(worst):.2f}; the bar is {RATIO_MAX}: {verdict}.",
        report.table(["ordering, filter", "by", "first page ms", "last page ms",
                      "last / first"], rows)])


def end(number, _):
    raise SystemExit(128 + number)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5, help="rounds of each (5)")
    parser.add_argument("--quick", action="store_true", help="one round, writes nothing")
    options = parser.parse_args()
    options.runs = 1 if options.quick else options.runs
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    children = Children()
    try:
        binary = find_binary(ROOT)
        with tempfile.TemporaryDirectory(prefix="confab-bench-") as work:
            os.chdir(work)  # no .env of the caller's folder is read
            try:
                results = run(options, children, binary, work)
            finally:
                children.stop_all()
                os.chdir(ROOT)
    except Failure as failure:
        sys.exit(f"bench: {failure}")
    results["machine"] = {**report.machine("-"), "confab": results["version"]}
    del results["machine"]["file system"]
    text = markdown(results)
    print(text)
    if not options.quick and options.users >= 1_000_000:
        report.write(ROOT / "docs" / "PERFORMANCE.md", text, MARKS)


if __name__ == "__main__":
    main()
