"""What the server is compared with, in the same run and on the same disk: nginx with the same bytes
as a static file, and a bare SQLite commit loop (bare_commit.c)."""

import json
import os
import re
import subprocess
import time
from pathlib import Path

from children import Failure, environment
from confab import MESSAGES, fetch, free_port
from measure import Watch

# nginx writes these itself; the others are copied from the server's answer, so that both send a
# head of about the same size.
NGINX_OWN = {"server", "date", "content-type", "content-length", "connection", "keep-alive"}

NGINX_CONF = """
{user}
daemon off;
worker_processes 2;
pid {work}/nginx.pid;
error_log {work}/nginx.log warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    etag off;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    client_body_temp_path {work}/nginx-1;
    proxy_temp_path {work}/nginx-2;
    fastcgi_temp_path {work}/nginx-3;
    uwsgi_temp_path {work}/nginx-4;
    scgi_temp_path {work}/nginx-5;
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location = {path} {{
            alias {work}/page.json;
            types {{ }}
            default_type "{content_type}";
{headers}
        }}
    }}
}}
"""


class Nginx:
    """Two workers that answer one path with the bytes that the server answered there. The path is
    without its last slash here: nginx would look for an index behind it."""

    def __init__(self, children, work, path, headers, body):
        self.children = children
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.path = path.rstrip("/")
        self.log_path = Path(work, "nginx.log")
        Path(work, "page.json").write_bytes(body)
        conf = Path(work, "nginx.conf")
        conf.write_text(NGINX_CONF.format(
            user="user root;" if os.geteuid() == 0 else "", work=work, port=self.port,
            path=self.path, content_type=headers["Content-Type"],
            headers=_add_headers(headers)))
        self.child = children.start(
            ["nginx", "-p", str(work), "-e", str(self.log_path), "-c", str(conf)], environment())
        self._wait_for(body)

    def _wait_for(self, body):
        deadline = time.monotonic() + 10
        while True:
            try:
                _, got = fetch(self.port, "GET", self.path, 200, {})
                break
            except Failure:
                if time.monotonic() > deadline or self.child.poll() is not None:
                    raise Failure(f"nginx does not answer:\n{self._log_tail()}") from None
                time.sleep(0.05)
        if got != body:
            raise Failure("nginx answers other bytes than the server")

    def _log_tail(self):
        text = self.log_path.read_text() if self.log_path.exists() else ""
        return "\n".join(text.splitlines()[-5:])

    @property
    def pids(self):
        pid = self.child.pid
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def stop(self):
        self.children.stop(self.child)


def _add_headers(headers):
    lines = []
    for name, value in headers.items():
        if name.lower() not in NGINX_OWN:
            quoted = re.sub(r'(["\\])', r"\\\1", value)
            if "$" not in value:
                lines.append(f'            add_header {name} "{quoted}";')
    return "\n".join(lines)


class BareCommit:
    def __init__(self, children, work):
        self.children = children
        self.binary = Path(work, "bare_commit")
        self.file = Path(work, "bare.db")
        source = Path(__file__).resolve().parent / "bare_commit.c"
        built = subprocess.run(
            ["cc", "-std=c17", "-O2", "-o", str(self.binary), str(source), "-lsqlite3"],
            capture_output=True, text=True, timeout=120)
        if built.returncode != 0:
            raise Failure(f"bench/bare_commit.c does not compile:\n{built.stderr}")

    def run(self, seconds, batch):
        watch = Watch()
        child = self.children.start(
            [str(self.binary), str(self.file), str(seconds), str(batch), str(MESSAGES)],
            environment(), stdout=subprocess.PIPE)
        cpu = self.children.finish(child, seconds + 120)
        with child.stdout as stream:
            output = stream.read().decode(errors="replace")
        if child.returncode != 0:
            raise Failure(f"bare_commit failed: {output}")
        got = json.loads(output)
        _, foreign = watch.end(cpu)
        return {**got, "foreign": foreign, "rate": got["rows"] / got["seconds"],
                "cpu_ms": 1000 * cpu / got["rows"],
                "commit_ms": 1000 * got["seconds"] / got["commits"]}
