#!/usr/bin/env python3
"""Runs the tests and adds up what passed and failed.

    scripts/run-tests.py                  everything, in the order below
    scripts/run-tests.py unit api         these stages alone
    scripts/run-tests.py browser          the pages, in Chromium
    scripts/run-tests.py --list

The last line is `N passed, N failed`; the exit code is 1 if something failed or nothing ran. Logs
are in build/test-logs/. FUZZ_SECONDS (4) is the time of each fuzz target. CONFAB_CLIENTS names a
folder of further API collections (default: ../shared/clients, where there is one).
"""
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("CONFAB_BUILD_ROOT", ROOT / "build"))
LOGS = BUILD / "test-logs"
FUZZ_SECONDS = int(os.environ.get("FUZZ_SECONDS", "4"))
WORKERS = 7  # files of tests at a time: much of a test is waiting
UNIT_WORKERS = 7
MINUTE = 60
MEMORY = Path("/dev/shm")  # where tests keep their files, if there is room for them
MEMORY_NEEDED = 4 << 30

SANITIZER_ENV = {
    "ASAN_OPTIONS": "abort_on_error=0:detect_leaks=1:detect_stack_use_after_return=1:"
                    "strict_string_checks=1:quarantine_size_mb=4",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "halt_on_error=0:second_deadlock_stack=1:suppressions=%s"
                    % (ROOT / "tests/tsan.supp"),
}


class Result:
    """What one stage counted, and what to show of its failures."""

    def __init__(self, passed=0, failed=0, skipped=0, details=""):
        self.passed = passed
        self.failed = failed
        self.skipped = skipped
        self.details = details

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.details += other.details


RUNNING = set()
ENDED = threading.Event()


def execute(command, timeout, env=None, log=None):
    """(exit code, output); ends the command's whole process group when the time is up."""
    environment = {**os.environ, **SANITIZER_ENV, **(env or {})}
    if ENDED.is_set():
        return -1, "not begun\n"
    try:
        process = subprocess.Popen([str(word) for word in command], cwd=ROOT, env=environment,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, start_new_session=True)
    except FileNotFoundError:
        return 127, "%s is missing: run scripts/install-deps.sh --run --test\n" % command[0]
    RUNNING.add(process)
    try:
        output, _ = process.communicate(timeout=timeout)
        code = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        output += b"\nended: more than %d seconds\n" % timeout
        code = -1
    RUNNING.discard(process)  # not if the run itself is ended: main() sees to it then
    text = output.decode("utf-8", "replace")
    if log:
        (LOGS / log).write_text(text, encoding="utf-8")
    return code, text


def one(green, details):
    """The result of something that counts as one test."""
    return Result(passed=1) if green else Result(failed=1, details=details)


def tail(text, lines=60):
    return "\n".join(text.rstrip().split("\n")[-lines:]) + "\n"


# ---- stages ---------------------------------------------------------------------------------

def stage_tree():
    """What the tree itself must keep: layers, names, sizes; no addresses in the lock file."""
    result = Result()
    for arguments in ([], ["--self-test"]):
        _, text = execute([sys.executable, ROOT / "scripts/check-layers.py", *arguments], MINUTE)
        counts = re.findall(r"^([\w-]+): \d+ files, (\d+) violations$", text, re.M)
        for _, violations in counts:
            result.add(one(violations == "0", ""))
        if not counts or any(count != "0" for _, count in counts):
            result.details += text
        if not counts:
            result.failed += 1
    lock = (ROOT / "package-lock.json").read_text(encoding="utf-8")
    result.add(one('"resolved"' not in lock, "package-lock.json names download addresses\n"))
    return result


# Builds for later stages, and fuzzing, use what the stages before them leave of the processors.
GIVE_WAY = ["nice", "-n", "15"]
BUILDER = ThreadPoolExecutor(1)
BUILT = {}


def make(variant):
    code, text = execute([*GIVE_WAY, ROOT / "scripts/build.sh", variant], 20 * MINUTE,
                         log=variant + ".build")
    complaints = re.sub(r"^(?:gcc|clang) .*\n", "", text, flags=re.M)  # the long command lines
    return one(code == 0, tail(complaints, 100))


def build_ahead(variant):
    """Once in a run, one after the other."""
    if variant not in BUILT:
        BUILT[variant] = BUILDER.submit(make, variant)


def build(variant):
    """Waits for it. Each stage that needs it says if it failed."""
    build_ahead(variant)
    return BUILT[variant].result()


# What the program says about itself, and the command that writes it.
PRINTED = {
    "docs/configuration.md": "build/confab configuration --markdown",
    "docs/confab.postman_collection.json": "build/confab openapi | scripts/collection.py",
}


def stage_release():
    """The build that people run, and that the files of PRINTED are what it prints."""
    result = build("release")
    for page, command in PRINTED.items():
        if result.failed:
            break
        program = str(BUILD / "release/src/confab")
        _, text = execute(["sh", "-c", command.replace("build/confab", program)], MINUTE)
        result.add(one(text == (ROOT / page).read_text(encoding="utf-8"),
                       "%s is not what it should be now: run\n    %s >%s\n"
                       % (page, command, page)))
    return result


def cmocka_counts(text):
    passed = sum(int(n) for n in re.findall(r"\[  PASSED  \] (\d+) test", text))
    failed = sum(int(n) for n in re.findall(r"\[  FAILED  \] (\d+) test", text))
    skipped = sum(int(n) for n in re.findall(r"\[  SKIPPED \] (\d+) test", text))
    return passed, failed, skipped


def unit(variant):
    """The cmocka programs of a build. One that ends without its counts is one failure."""
    result = build(variant)
    if result.failed:
        return result
    result = Result()
    folder = BUILD / variant
    log = folder / "meson-logs" / "testlog.json"
    log.unlink(missing_ok=True)
    _, text = execute(["meson", "test", "-C", folder, "--no-rebuild", "--num-processes",
                       UNIT_WORKERS], 15 * MINUTE, log=variant + ".unit")
    if "No suitable tests defined" in text or "No tests defined" in text:
        return result
    if not log.exists():
        return Result(failed=1, details=tail(text))
    for line in log.read_text(encoding="utf-8").splitlines():
        test = json.loads(line)
        output = test.get("stdout", "") + test.get("stderr", "")
        passed, failed, skipped = cmocka_counts(output)
        if failed == 0 and test["result"] not in ("OK", "SKIP"):
            failed = 1
        details = "%s (%s): %s\n%s" % (test["name"], variant, test["result"], tail(output))
        result.add(Result(passed, failed, skipped, details if failed else ""))
    return result


def tap_counts(text):
    """The summary that node --test ends its TAP with."""
    count = {word: int(n) for word, n in re.findall(r"^# (\w+) (\d+)", text, re.M)}
    return Result(count.get("pass", 0), count.get("fail", 0) + count.get("cancelled", 0),
                  count.get("skipped", 0) + count.get("todo", 0))


# Files of tests/api, tests/live, tests/browser, tests/crash are run one by one from one queue of all
# stages, so that no stage waits for the slowest file of the one before it.
SLOTS = ThreadPoolExecutor(WORKERS)
QUEUED = {}


def run_file(label, path, variant, env):
    """One file of black-box tests with the server of a build."""
    logs = LOGS / label
    logs.mkdir(exist_ok=True)
    name = path.name.removesuffix(".test.mjs")
    tap, spec = logs / (name + ".tap"), logs / (name + ".spec")
    tap.unlink(missing_ok=True)
    code, text = execute(
        ["node", "--test-reporter=tap", "--test-reporter-destination=" + str(tap),
         "--test-reporter=spec", "--test-reporter-destination=" + str(spec), path],
        15 * MINUTE, {"CONFAB_BIN": str(BUILD / variant / "src" / "confab"), **env},
        log="%s/%s.out" % (label, name))
    result = tap_counts(tap.read_text(encoding="utf-8")) if tap.exists() else Result()
    if result.failed == 0 and (code != 0 or result.passed + result.skipped == 0):
        result.failed = 1
    if result.failed:
        report = spec.read_text(encoding="utf-8") if spec.exists() else ""
        _, found, failures = report.partition("failing tests:")
        result.details = "%s (%s)\n%s%s" % (path.name, label, failures if found else tail(report),
                                            tail(text))
    return result


def in_turn(label, files, variant, env):
    """Files that load the machine themselves: one at a time."""
    result = Result()
    for path in files:
        result.add(run_file(label, path, variant, env))
    return result


class Queued:
    """The files of a stage in the queue."""

    def __init__(self, label, files, variant="gcc-asan", env=None, within=None, alone=False):
        self.variant = variant
        self.within = within
        self.env = env or {}
        self.lock = threading.Lock()
        self.holder = None
        jobs = [files] if alone else [[path] for path in files]
        self.futures = [SLOTS.submit(self.job, label, some) for some in jobs]

    def job(self, label, files):
        if build(self.variant).failed:
            return Result()
        with self.lock:
            if self.within and self.holder is None:
                self.hold()
        return in_turn(label, files, self.variant, self.env)

    def hold(self):
        """Starts a database server (tests/lib/postgres.mjs) that lives as long as its input is open."""
        name = "CONFAB_TEST_" + self.within.upper()
        self.holder = subprocess.Popen(
            ["node", "tests/lib/%s.mjs" % self.within, "sh", "-c", 'echo "$%s"; exec cat' % name],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, text=True)
        self.env[name] = self.holder.stdout.readline().strip()

    def result(self):
        built = build(self.variant)
        if built.failed:
            return built
        total = Result()
        for future in self.futures:
            total.add(future.result())
        self.release()
        return total

    def release(self):
        if self.holder is not None and self.holder.poll() is None:
            self.holder.stdin.close()
            self.holder.wait(MINUTE)


def files_of(folder):
    return sorted((ROOT / "tests" / folder).glob("*.test.mjs"))


def queue_api():
    """tests/api. The contract check sees every answer of the run."""
    record = tempfile.mkdtemp(prefix="confab-record-")
    return Queued("api", files_of("api"), env={"CONFAB_RECORD": record})


def queue_live():
    """tests/live: real time over sockets, event streams and long polls."""
    return Queued("live", files_of("live"))


def queue_browser():
    """tests/browser: the pages, in Chromium."""
    return Queued("browser", files_of("browser"))


def on_server(label):
    """tests/api and tests/live on a database server. What brings databases of its own, as tests of
    commands, settings and several nodes do, is left to the other stages. CONFAB_QUICK lets a test leave
    out its long part; uses of dead stack frames are looked for with SQLite, where they would be the same."""
    own = ("cli.test.mjs", "config.test.mjs", "move.test.mjs", "import_django.test.mjs",
           "nodes.test.mjs", "proxies.test.mjs", "bus.test.mjs", "schema.test.mjs")
    files = [path for path in files_of("api") + files_of("live") if path.name not in own]
    options = SANITIZER_ENV["ASAN_OPTIONS"] + ":detect_stack_use_after_return=0"
    return Queued(label, files, env={"CONFAB_QUICK": "1", "ASAN_OPTIONS": options}, within=label)


def queue_crash():
    """tests/crash: kill, restart, nothing lost, and the simulator's short form (its long one is
    `make crash`)."""
    return Queued("crash", files_of("crash"), alone=True)


def queue_tsan():
    """The black-box tests that are about concurrency, under the thread sanitizer."""
    files = [path for path in files_of("api") + files_of("live")
             if re.match("concurren|live|send|drain|nodes", path.name)]
    return Queued("tsan", files, "tsan")


# In this order: what takes longest as a whole first.
QUEUES = {
    "crash": queue_crash,
    "api": queue_api,
    "live": queue_live,
    "browser": queue_browser,
    "postgres": lambda: on_server("postgres"),
    "mariadb": lambda: on_server("mariadb"),
    "tsan": queue_tsan,
}


def stage_queued(name):
    return QUEUED[name].result()


def stage_api():
    """tests/api with the gcc build, then the contract check over every answer of the run."""
    result = QUEUED["api"].result()
    record = QUEUED["api"].env["CONFAB_RECORD"]
    try:
        if not build("gcc-asan").failed:
            code, text = execute(
                ["node", ROOT / "tests/lib/contract.mjs", record], 5 * MINUTE,
                {"CONFAB_BIN": str(BUILD / "gcc-asan/src/confab")}, log="contract.out")
            result.add(one(code == 0, tail(text, 100)))
        return result
    finally:
        shutil.rmtree(record, ignore_errors=True)


def stage_tsan():
    """Thread sanitizer: the unit tests too (scripts/build.sh says which)."""
    result = unit("tsan")
    result.add(QUEUED["tsan"].result())
    return result


def fuzz_one(target):
    name = target.name
    corpus = BUILD / "fuzz-corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    seeds = ROOT / "tests/fuzz/corpus" / name.replace("fuzz_", "", 1)
    words = ROOT / "tests/fuzz" / (name.replace("fuzz_", "", 1) + ".dict")
    command = [*GIVE_WAY, target, "-max_total_time=%d" % FUZZ_SECONDS, "-timeout=20", "-rss_limit_mb=2048",
               "-max_len=8192", "-print_final_stats=1",
               "-artifact_prefix=%s/%s-" % (LOGS, name)]
    if words.exists():
        command.append("-dict=%s" % words)
    command += [corpus] + ([seeds] if seeds.is_dir() else [])
    code, text = execute(command, FUZZ_SECONDS + 5 * MINUTE, log=name + ".out")
    return one(code == 0, "%s:\n%s" % (name, tail(text)))


def fuzz():
    result = build("fuzz")
    if result.failed:
        return result
    result = Result()
    targets = [path for path in sorted((BUILD / "fuzz/tests").glob("fuzz_*"))
               if path.is_file() and (ROOT / "tests/fuzz" / (path.name + ".c")).exists()]
    with ThreadPoolExecutor(WORKERS) as pool:
        for outcome in pool.map(fuzz_one, targets):
            result.add(outcome)
    return result


BACKGROUND = ThreadPoolExecutor(1)
BEGUN = {}


def stage_fuzz():
    """Each fuzz target for FUZZ_SECONDS. What they find new stays in build/fuzz-corpus."""
    return BEGUN["fuzz"].result()


# ---- API collections ------------------------------------------------------------------------

# Where the collections of others contradict the API: the request by its place in the run (from 1),
# and the status that it gets. Assertions that fail there are expected; any other answer is not.
CONTRADICTIONS = {
    "Ripcode1": {3: 400},            # registers an admin: nobody makes himself one
    "Saadallah-design": {18: 404},   # page 2 of one message does not exist
    "TechGriffo254": {28: 404},      # a message that does not exist is not forbidden
}
BASE_PATH = {"Saadallah-design": "/api"}


class Server:
    """build/gcc-asan's server on a free port with an empty database."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="confab-newman-")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.log = open(Path(self.folder) / "server.log", "w+b")
        env = {key: os.environ[key] for key in ("PATH", "HOME", "TMPDIR") if key in os.environ}
        env.update(SANITIZER_ENV, HOST="127.0.0.1", PORT=str(self.port),
                   DATA_DIR=self.folder + "/data", PASSWORD_ITERATIONS="1000")
        self.process = subprocess.Popen([BUILD / "gcc-asan/src/confab", "serve"], env=env,
                                        cwd=self.folder, stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=subprocess.STDOUT)

    def answers(self):
        for _ in range(600):
            if self.process.poll() is not None:
                return False
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
            try:
                connection.request("GET", "/health/")
                if connection.getresponse().status == 200:
                    return True
            except OSError:
                pass
            finally:
                connection.close()
            time.sleep(0.05)
        return False

    def stop(self):
        """(it ended well, the end of its log)"""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.seek(0)
        text = self.log.read().decode("utf-8", "replace")
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        return self.process.returncode == 0, tail(text)


def judge(run, contradictions):
    """Every assertion counts, and every request without one by its status."""
    result = Result()
    for place, execution in enumerate(run["executions"], 1):
        name = "%d. %s" % (place, execution["item"]["name"])
        status = execution.get("response", {}).get("code")
        wanted = contradictions.get(place)
        assertions = execution.get("assertions", [])
        if wanted is not None or not assertions:
            green = status == wanted if wanted is not None else status in range(200, 300)
            result.add(one(green, "%s: status %s\n" % (name, status)))
            continue
        for assertion in assertions:
            error = assertion.get("error")
            result.add(one(error is None, "%s: %s: %s (status %s)\n" % (
                name, assertion["assertion"], error and error.get("message"), status)))
    if not run["executions"]:
        result.add(one(False, "no request was made\n"))
    return result


def collection(path):
    server = Server()
    report = LOGS / (path.stem + ".newman.json")
    report.unlink(missing_ok=True)
    try:
        if not server.answers():
            return Result(failed=1, details="%s: the server did not start\n%s"
                                            % (path.name, server.stop()[1]))
        url = "http://127.0.0.1:%d%s" % (server.port, BASE_PATH.get(path.stem, ""))
        _, text = execute(
            ["node_modules/.bin/newman", "run", path, "--env-var", "base_url=" + url,
             "--reporters", "cli,json", "--reporter-json-export", report, "--color", "off",
             "--timeout-request", "30000"], 5 * MINUTE, log=path.stem + ".newman")
        if not report.exists():
            return Result(failed=1, details=tail(text))
        run = json.loads(report.read_text(encoding="utf-8"))["run"]
        result = judge(run, CONTRADICTIONS.get(path.stem, {}))
    finally:
        ended_well, log = server.stop()
    result.add(one(ended_well, "the server's end:\n" + log))
    if result.failed:
        result.details = "%s:\n%s" % (path.name, result.details)
    return result


def stage_collections():
    """docs/*.postman_collection.json and the collections of others, each on a fresh server."""
    others = Path(os.environ.get("CONFAB_CLIENTS", ROOT.parent / "shared/clients"))
    paths = sorted((ROOT / "docs").glob("**/*postman_collection.json")) + \
        sorted(others.glob("*.json"))
    result = build("gcc-asan")
    if result.failed:
        return result
    result = Result(skipped=0 if others.is_dir() else 1)
    for path in paths:
        result.add(collection(path))
    return result


# ---- the run --------------------------------------------------------------------------------

# In this order; what each has built.
STAGES = {
    "tree": (stage_tree, None),
    "unit": (lambda: unit("gcc-asan"), "gcc-asan"),
    "api": (stage_api, "gcc-asan"),
    "live": (lambda: stage_queued("live"), "gcc-asan"),
    "browser": (lambda: stage_queued("browser"), "gcc-asan"),
    "postgres": (lambda: stage_queued("postgres"), "gcc-asan"),
    "mariadb": (lambda: stage_queued("mariadb"), "gcc-asan"),
    "crash": (lambda: stage_queued("crash"), "gcc-asan"),
    "release": (stage_release, "release"),
    "collections": (stage_collections, "gcc-asan"),
    "fuzz": (stage_fuzz, "fuzz"),
    "tsan": (stage_tsan, "tsan"),
}


def begin(names):
    for name in names:
        if STAGES[name][1] is not None:
            build_ahead(STAGES[name][1])
    if "fuzz" in names:
        BEGUN["fuzz"] = BACKGROUND.submit(fuzz)


def enqueue(names):
    """After the unit tests, which have the machine for themselves."""
    for name, queue in QUEUES.items():
        if name in names:
            QUEUED[name] = queue()


def in_memory():
    """A folder for the files of tests that no disk slows down; None if there is none, or TMPDIR says
    where they go. Database servers, which are other users, write there too."""
    if "TMPDIR" in os.environ or not MEMORY.is_dir() or not os.access(MEMORY, os.W_OK) \
            or shutil.disk_usage(MEMORY).free < MEMORY_NEEDED:
        return None
    folder = tempfile.mkdtemp(prefix="confab-", dir=MEMORY)
    os.chmod(folder, 0o1777)
    os.environ["TMPDIR"] = tempfile.tempdir = folder
    return folder


def on_signal(number, _frame):
    sys.exit(128 + number)


def run(names):
    total = Result()
    for name in names:
        if name in QUEUES and not QUEUED:
            enqueue(names)
        start = time.monotonic()
        result = STAGES[name][0]()
        if result.passed + result.failed == 0:
            result = Result(failed=1, details="no test ran\n")
        if result.details:
            print("---- %s\n%s----" % (name, result.details), flush=True)
        print("%-12s %5d passed, %d failed%s   %.0f s"
              % (name, result.passed, result.failed,
                 ", %d skipped" % result.skipped if result.skipped else "",
                 time.monotonic() - start), flush=True)
        total.add(result)
    if total.failed:
        print("logs: %s" % LOGS)
    print("%d passed, %d failed%s" % (total.passed, total.failed,
                                      ", %d skipped" % total.skipped if total.skipped else ""),
          flush=True)
    return 0 if total.failed == 0 and total.passed > 0 else 1


def main():
    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGHUP, on_signal)
    arguments = sys.argv[1:]
    if arguments == ["--list"]:
        print("\n".join(STAGES))
        return 0
    unknown = [name for name in arguments if name not in STAGES]
    if unknown:
        print("run-tests.py: no such stage: %s (there are: %s)"
              % (", ".join(unknown), ", ".join(STAGES)), file=sys.stderr)
        return 2
    LOGS.mkdir(parents=True, exist_ok=True)
    folder = in_memory()
    names = arguments or list(STAGES)
    try:
        begin(names)
        return run(names)
    finally:  # also when the run is ended: leave nothing behind
        ENDED.set()
        BUILDER.shutdown(wait=False, cancel_futures=True)
        BACKGROUND.shutdown(wait=False, cancel_futures=True)
        SLOTS.shutdown(wait=False, cancel_futures=True)
        for process in list(RUNNING):
            os.killpg(process.pid, signal.SIGKILL)
        for queued in QUEUED.values():
            queued.release()
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
