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
    session = requests.Session()
    session.trust_env = False
    session.verify = str(cluster.ca)
    session.mount("https://", requests.adapters.HTTPAdapter(pool_maxsize=32))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # or each answer waits 40 ms for its second half

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fate: Fate = "done"
            is_write = self.command != "GET" and "dryRun" not in self.path
            if is_write and not proxy.dead.is_set():
                fate = proxy.on_write(f"{self.command} {urlsplit(self.path).path}")
            if proxy.dead.is_set() or fate == "lost":
                self._cut()
                return
            answer = session.request(
                self.command,
                cluster.url + self.path,
                data=body,
                headers={
                    "Authorization": f"Bearer {cluster.token}",
                    "Content-Type": self.headers.get("Content-Type", "application/json"),
                    "Accept": self.headers.get("Accept", "application/json"),
                    "User-Agent": self.headers.get("User-Agent", ""),
                },
                timeout=30,
            )
            if is_write:
                proxy.writes.append(f"{self.command} {urlsplit(self.path).path}")
            if fate == "done unanswered":
                self._cut()
                return
            self.send_response(answer.status_code)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def _cut(self) -> None:
            proxy.dead.set()
            self.close_connection = True

        do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = handle_any  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a client that hangs up is what some tests are about

    with session, Server(("127.0.0.1", 0), Handler) as http:
        proxy.url = f"http://127.0.0.1:{http.server_address[1]}"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield proxy
        finally:
            http.shutdown()
            thread.join()
