"""Stands between the operator and a cluster: sees each write, and cuts the line where told to."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

import requests

from tests.controlplane import Cluster

#: What becomes of a write: it is done; or the line is dead from here on, the write not done, or
#: done but never answered.
Fate = Literal["done", "lost", "done unanswered"]


@dataclass
class Proxy:
    """Where it listens, and what it has passed on.

    Attributes:
        on_write: is told of each write, `METHOD path`, before it is passed on.
    """

    url: str = ""
    writes: list[str] = field(default_factory=list)
    on_write: Callable[[str], Fate] = lambda _: "done"
    dead: threading.Event = field(default_factory=threading.Event)


@contextmanager
def before(cluster: Cluster) -> Iterator[Proxy]:
    """Pass requests on to a cluster, as its administrator, until the block ends."""
    proxy = Proxy()
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(cluster.ca)
        session.mount("https://", requests.adapters.HTTPAdapter(pool_maxsize=32))
        known = {"proxy": proxy, "cluster": cluster, "session": session}
        handler = type("Handler", (_Handler,), known)
        with _Server(("127.0.0.1", 0), handler) as http:
            proxy.url = f"http://127.0.0.1:{http.server_address[1]}"
            thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            try:
                yield proxy
            finally:
                http.shutdown()
                thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a client that hangs up is what some tests are about


class _Handler(BaseHTTPRequestHandler):
    """Answers one connection; what it needs is given by a subclass."""

    proxy: Proxy
    cluster: Cluster
    session: requests.Session

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer waits 40 ms for its second half

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        write = f"{self.command} {urlsplit(self.path).path}"
        fate: Fate = "done"
        is_write = self.command != "GET" and "dryRun" not in self.path
        if is_write and not self.proxy.dead.is_set():
            fate = self.proxy.on_write(write)
        if self.proxy.dead.is_set() or fate == "lost":
            self.cut()
            return
        answer = self.pass_on(body)
        if is_write:
            self.proxy.writes.append(write)
        if fate == "done unanswered":
            self.cut()
            return
        self.send_response(answer.status_code)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def pass_on(self, body: bytes) -> requests.Response:
        passed = ("Content-Type", "Accept", "User-Agent")
        headers = {name: self.headers[name] for name in passed if name in self.headers}
        return self.session.request(
            self.command,
            self.cluster.url + self.path,
            data=body,
            headers={**headers, "Authorization": f"Bearer {self.cluster.token}"},
            timeout=30,
        )

    def cut(self) -> None:
        self.proxy.dead.set()
        self.close_connection = True

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = handle_any  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass
