"""The processes that a benchmark starts: each in a session of its own, stopped by its pid.

Nothing outlives the run: stop_all() is called on the way out whatever happened, the signals that
end a program become an exception (see run.py), and should run.py itself be killed, the kernel sends
SIGTERM to what asked for it.
"""

import ctypes
import os
import select
import signal
import subprocess

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Failure(Exception):
    """One sentence for the person who started the benchmark."""


def _end_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


class Children:
    def __init__(self):
        self._running = []

    def start(self, argv, env, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, guarded=True,
              stdin=subprocess.DEVNULL):
        """guarded=False: without the kernel's guard, which costs a fork instead of a vfork."""
        child = subprocess.Popen(
            argv, env=env, stdin=stdin, stdout=stdout, stderr=stderr,
            start_new_session=True, preexec_fn=_end_with_parent if guarded else None,
        )
        self._running.append(child)
        return child

    def finish(self, child, timeout):
        """Waits for the end; returns the CPU seconds of the child, or raises Failure."""
        fd = os.pidfd_open(child.pid)
        try:
            ended = select.select([fd], [], [], timeout)[0]
        finally:
            os.close(fd)
        if not ended:
            self.stop(child)
            raise Failure(f"{os.path.basename(child.args[0])} did not end within {timeout:.0f} s")
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        self._running.remove(child)
        return usage.ru_utime + usage.ru_stime

    def stop(self, child, how=signal.SIGTERM, patience=15):
        if child.poll() is None:
            _signal_group(child, how)
            try:
                child.wait(patience)
            except subprocess.TimeoutExpired:
                _signal_group(child, signal.SIGKILL)
                child.wait()
        if child in self._running:
            self._running.remove(child)

    def pids(self):
        return [child.pid for child in self._running]

    def stop_all(self):
        for child in reversed(self._running[:]):
            self.stop(child, patience=5)


def _signal_group(child, how):
    """The child leads its session, so its group is its own pid: workers of nginx are in it."""
    try:
        os.killpg(child.pid, how)
    except ProcessLookupError:
        pass


def environment(**settings):
    """Nothing of the caller's settings reaches the server: only what is given here."""
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8", **settings}
