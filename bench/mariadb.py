"""A MariaDB for one run, in a folder of its own, reached by a socket in it. Commits are flushed before
they are answered; all else is at its default."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from children import Failure, environment

START_S = 60


class Cluster:
    """Root starts it as the user mysql, whom the folder belongs to then."""

    def __init__(self, children):
        self.children = children
        self.folder = Path(tempfile.mkdtemp(prefix="confab-bench-my-"))
        self.child = None
        self.log = self.folder / "log"
        self.socket = self.folder / "socket"
        as_user = []
        if os.geteuid() == 0:
            shutil.chown(self.folder, "mysql", "mysql")
            as_user = ["--user=mysql"]
        self.words = ["--no-defaults", *as_user, f"--datadir={self.folder / 'data'}",
                      f"--socket={self.socket}", "--skip-networking", "--max-connections=300",
                      "--innodb-flush-log-at-trx-commit=1"]

    def _run(self, *words):
        done = subprocess.run([str(word) for word in words], env=environment(),
                              capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            raise Failure(f"{words[0]} ended with {done.returncode}:\n{done.stderr[-2000:]}")
        return done.stdout

    def _admin(self, *words):
        return ["mariadb-admin", "--no-defaults", "-uroot", f"-S{self.socket}", *words]

    def start(self):
        if shutil.which("mariadb-install-db") is None:
            raise Failure("the benchmark needs more: apt-get install mariadb-server")
        self._run("mariadb-install-db", *self.words, "--auth-root-authentication-method=normal",
                  "--skip-test-db")
        with open(self.log, "ab") as log:
            self.child = self.children.start(["mariadbd", *self.words], environment(), stdout=log)
        deadline = time.monotonic() + START_S
        while subprocess.run(self._admin("--silent", "ping"), env=environment(),
                             capture_output=True).returncode != 0:
            if self.child.poll() is not None or time.monotonic() > deadline:
                raise Failure(f"MariaDB does not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.1)

    def create(self, name):
        """The database's URL."""
        self._run(*self._admin("create", name))
        return f"mysql://root@localhost/{name}?socket={self.socket}"

    @property
    def pids(self):
        return [self.child.pid]

    def version(self):
        return self._run("mariadbd", "--no-defaults", "--version").split()[2]

    def stop(self):
        if self.child:
            self.children.stop(self.child, signal.SIGTERM)
        shutil.rmtree(self.folder, ignore_errors=True)
