"""The server under test: its data, its settings, its start, and questions to it."""

import http.client
import json
import os
import re
import random
import socket
import time
from pathlib import Path

from children import Failure, environment

USERS, CONVERSATIONS, MESSAGES = 1000, 2000, 100000
PASSWORD = "demo-Passw0rd"
READER = "user0@example.com"
# Not the reader: a limit on sessions per user must not sign out whoever measures.
EMAILS = [f"user{number}@example.com" for number in range(1, 65)]
ITERATIONS = 600000


def free_port():
    """Below the ports that the kernel gives to clients: someone who knocks on a closed port of
    that range again and again is in the end connected to himself."""
    for port in random.sample(range(20000, 30000), 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise Failure("no free port between 20000 and 30000 on 127.0.0.1")


class Confab:
    def __init__(self, children, binary, work, name="confab", **settings):
        """`name` is that of its log and of its folder; settings beside the benchmark's own."""
        self.children = children
        self.binary = str(binary)
        self.log_path = Path(work, f"{name}.log")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.child = None
        self.token = None
        self.env = environment(
            HOST="127.0.0.1", PORT=str(self.port), DATA_DIR=str(Path(work, f"{name}-data")),
            DEBUG="0",
            ALLOWED_HOSTS="127.0.0.1,localhost", PASSWORD_ITERATIONS=str(ITERATIONS),
            THROTTLE_ANON="0", THROTTLE_USER="0", THROTTLE_LOGIN="0", THROTTLE_REGISTER="0",
            CONNECTIONS_PER_ADDRESS_MAX="0", ACCESS_LOG="0", METRICS_ALLOW="127.0.0.1", **settings)

    def command(self, *words, timeout=300):
        with open(self.log_path, "ab") as log:
            child = self.children.start([self.binary, *words], self.env, stdout=log)
            self.children.finish(child, timeout)
        if child.returncode != 0:
            raise Failure(f"`confab {words[0]}` ended with {child.returncode}:\n{self.log_tail()}")

    def version(self):
        path = Path(self.log_path.parent, "version")
        with open(path, "wb") as out:
            child = self.children.start([self.binary, "version"], self.env, stdout=out)
            self.children.finish(child, 10)
        return path.read_text(errors="replace").split("\n", 1)[0].strip()

    def seed(self):
        self.command("migrate")
        self.command("seed-demo", "--users", str(USERS), "--conversations", str(CONVERSATIONS),
                     "--messages", str(MESSAGES))

    def start(self, guarded=True):
        """Returns the milliseconds from just before the exec to the first 200 of /health/."""
        with open(self.log_path, "ab") as log:
            begin = time.perf_counter()
            self.child = self.children.start(
                [self.binary, "serve"], self.env, stdout=log, guarded=guarded)
            while not self._is_healthy():
                if self.child.poll() is not None:
                    raise Failure(f"`confab serve` ended at once:\n{self.log_tail()}")
                if time.perf_counter() - begin > 20:
                    raise Failure(f"no 200 from /health/ within 20 s:\n{self.log_tail()}")
            return 1000 * (time.perf_counter() - begin)

    def _is_healthy(self):
        with socket.socket() as knock:
            knock.settimeout(5)
            try:
                knock.connect(("127.0.0.1", self.port))
                knock.sendall(b"GET /health/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                              b"Accept: application/json\r\nConnection: close\r\n\r\n")
                return knock.recv(4096).startswith(b"HTTP/1.1 200")
            except OSError:
                return False

    def stop(self):
        if self.child:
            self.children.stop(self.child)
        self.child = None

    @property
    def pids(self):
        if self.child.poll() is not None:
            raise Failure(f"the server ended with {self.child.returncode}:\n{self.log_tail()}")
        return [self.child.pid]

    def log_tail(self):
        text = self.log_path.read_text(errors="replace") if self.log_path.exists() else ""
        return "\n".join(text.splitlines()[-15:])

    def ask(self, method, path, expect=200, data=None, signed_in=True):
        """Asks once, follows nothing, insists on the status: (headers, body)."""
        headers = {"Accept": "application/json"}
        if signed_in:
            headers["Authorization"] = f"Bearer {self.token}"
        if data is not None:
            headers["Content-Type"] = "application/json"
        return fetch(self.port, method, path, expect, headers,
                     None if data is None else json.dumps(data))

    def json(self, *args, **kwargs):
        return json.loads(self.ask(*args, **kwargs)[1])

    def sign_in(self):
        login = {"email": READER, "password": PASSWORD}
        self.token = self.json("POST", "/api/token/", data=login, signed_in=False)["access"]

    def conversations(self):
        """All of the reader's, newest activity first."""
        found, page = [], 1
        while True:
            got = self.json("GET", f"/api/conversations/?page_size=100&page={page}")
            found += got["results"]
            if not got["next"]:
                return found
            page += 1

    def commits(self):
        """(batches committed, requests in them) since the start."""
        text = fetch(self.port, "GET", "/metrics", 200, {"Accept": "*/*"})[1].decode()
        found = dict(re.findall(r"^(\w+) (\d+)$", text, re.M))
        return (int(found["confab_write_batches_total"]), int(found["confab_write_batched_total"]))

    def last_seqs(self, ids):
        return sum(self.json("GET", f"/api/conversations/{one}/?messages=0")["last_seq"]
                   for one in ids)


def fetch(port, method, path, expect, headers, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
    except OSError as error:
        raise Failure(f"{method} {path}: {error}") from error
    finally:
        connection.close()
    if answer.status != expect:
        raise Failure(f"{method} {path} answered {answer.status}, not {expect}: {text[:300]!r}")
    return answer.headers, text


def find_binary(root):
    binary = Path(os.environ.get("CONFAB_BIN") or root / "build" / "confab").resolve()
    if not os.access(binary, os.X_OK) or not binary.is_file():
        raise Failure("there is no build/confab: run `make` first, or name a binary in CONFAB_BIN")
    if b"__asan_init" in binary.read_bytes():
        raise Failure("the binary is built with the address sanitizer: measure a release build")
    return binary
