"""Stands between the operator and a cluster: sees each write, and cuts the line on demand."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

import requests

from tests import loopback
from tests.controlplane import Cluster

#: What becomes of a write: it is done; or the line is dead from here on, the write not done, or
#: done but never answered.
Fate = Literal["done", "lost", "done unanswered"]
#: An answer's status, body and headers.
Answer = tuple[int, bytes, Mapping[str, str]]


@dataclass
class Proxy:
    """Where it listens, and what it has passed on.

    Attributes:
        on_write: is called with each write, `METHOD path`, before it is passed on.
        uid: of the namespace kube-system, as of another cluster; empty for the cluster's own.
        instead: is called with each request, `METHOD path`, and may take its time; what it returns
            is answered instead of passing the request on.
        rewrite: is called with the body of each answer; what it returns is answered.
    """

    url: str = ""
    writes: list[str] = field(default_factory=list)
    on_write: Callable[[str], Fate] = lambda _: "done"
    dead: threading.Event = field(default_factory=threading.Event)
    uid: str = ""
    instead: Callable[[str], Answer | None] = lambda _: None
    rewrite: Callable[[bytes], bytes] = lambda body: body


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
        with loopback.serving(handler) as proxy.url:
            yield proxy


class _Handler(loopback.Handler):
    """Answers one connection; what it needs is given by a subclass."""

    proxy: Proxy
    cluster: Cluster
    session: requests.Session

    def answer(self) -> None:
        body = self.body()
        write = f"{self.command} {urlsplit(self.path).path}"
        fate: Fate = "done"
        asks_only = ("dryRun", "/selfsubjectreviews")
        is_write = self.command != "GET" and not any(text in self.path for text in asks_only)
        if is_write and not self.proxy.dead.is_set():
            fate = self.proxy.on_write(write)
        if self.proxy.dead.is_set() or fate == "lost":
            self.cut()
            return
        if answer := self.proxy.instead(write):
            self.reply(*answer)
            return
        passed = self.pass_on(body)
        if is_write:
            self.proxy.writes.append(write)
        if fate == "done unanswered":
            self.cut()
            return
        content = passed.content
        if self.proxy.uid and self.path == "/api/v1/namespaces/kube-system":
            content = json.dumps({"metadata": {"uid": self.proxy.uid}}).encode()
        self.reply(passed.status_code, self.proxy.rewrite(content))

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
