"""A cluster's API server in a few lines: what a probe reads, with everything settable."""

import json
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from hooks.http.bounded_json import Json
from tests import loopback

REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
IDENTITY = "/api/v1/namespaces/kube-system"


def node(name: str, *, ready: bool = True, **resources: str) -> Json:
    """Write a Node as a list holds it."""
    quantities = {"cpu": "4", "memory": "8Gi", "pods": "110", **resources}
    return {
        "metadata": {"name": name},
        "status": {
            "conditions": [{"type": "Ready", "status": "True" if ready else "Unknown"}],
            "capacity": quantities,
            "allocatable": quantities,
        },
    }


def pod(name: str, *, ready: bool = True, phase: str = "Running", **status: str) -> Json:
    """Write a Pod as a list holds it."""
    return {
        "metadata": {"name": name},
        "status": {
            "phase": phase,
            "conditions": [{"type": "Ready", "status": str(ready)}],
            **status,
        },
    }


@dataclass
class FakeCluster:
    """What the cluster answers; may be changed while it serves.

    Attributes:
        uid: of the namespace kube-system.
        user: that it takes callers for.
        token: what callers must send; empty for nothing.
        answers: bodies or (status, body) by path, in the place of what is made of the rest.
        asked: how often each path was asked for.
    """

    url: str = ""
    token: str = ""
    uid: str = "uid-of-kube-system"
    user: str = "system:serviceaccount:access:operator"
    version: str = "v1.36.3"
    readyz: tuple[int, str] = (200, "ok")
    nodes: list[Json] = field(default_factory=lambda: [node("n-1"), node("n-2"), node("n-3")])
    pods: dict[str, list[Json]] = field(default_factory=lambda: {"kube-system": [pod("dns")]})
    answers: dict[str, tuple[int, Json]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def probes(self) -> int:
        """Return how many probes have begun."""
        return self.asked["/readyz"]

    def answer(self, path: str, query: dict[str, list[str]], token: str) -> tuple[int, str]:
        """Answer one GET: status and body."""
        with self.lock:
            self.asked[path] += 1
        if self.token and token != f"Bearer {self.token}":
            return _refusal(401, "Unauthorized")
        if path in self.answers:
            status, body = self.answers[path]
            return status, json.dumps(body)
        if path == "/readyz":
            return self.readyz
        if path == REVIEWS:
            user = {"username": self.user}
            return 201, json.dumps({"status": {"userInfo": user}})
        if path == "/version":
            return 200, json.dumps({"gitVersion": self.version})
        if path == IDENTITY:
            return 200, json.dumps({"metadata": {"name": "kube-system", "uid": self.uid}})
        if path == "/api/v1/nodes":
            return 200, json.dumps(_page(self.nodes, query))
        if path.startswith("/api/v1/namespaces/") and path.endswith("/pods"):
            return 200, json.dumps(_page(self.pods.get(path.split("/")[4], []), query))
        return _refusal(404, "the server could not find the requested resource")


class Crowded(FakeCluster):
    """Has 50,000 nodes, every tenth of them not ready, and writes a page of them at a time."""

    def answer(self, path: str, query: dict[str, list[str]], token: str) -> tuple[int, str]:
        if path != "/api/v1/nodes":
            return super().answer(path, query, token)
        self.asked[path] += 1
        limit, first = (int(query.get(key, ["0"])[0]) for key in ("limit", "continue"))
        ready, other = (json.dumps(node("n-N", ready=ready)) for ready in (True, False))
        items = ",".join(
            (ready if number % 10 else other).replace("n-N", f"n-{number}", 1)
            for number in range(first, first + limit)
        )
        more = str(first + limit) if first + limit < 50_000 else ""
        return 200, f'{{"metadata": {{"continue": "{more}"}}, "items": [{items}]}}'


#: JSON of 6 MiB that would take 300 MiB of memory.
SWELLING = '{"items": [' + "{}," * 2_000_000 + "0]}"


class Swelling(FakeCluster):
    """Answers probes as it should, and everything else with JSON that swells in memory."""

    def answer(self, path: str, query: dict[str, list[str]], token: str) -> tuple[int, str]:
        status, body = super().answer(path, query, token)
        return (200, SWELLING) if status == 404 else (status, body)


@contextmanager
def running(served: FakeCluster | None = None) -> Iterator[FakeCluster]:
    """Serve a cluster on a free port until the block ends."""
    cluster = served or FakeCluster()

    class Handler(loopback.Handler):
        def answer(self) -> None:
            url = urlsplit(self.path)
            self.body()
            if self.command != "GET" and url.path != REVIEWS:
                self.reply(501, b"")
                return
            token = self.headers.get("Authorization", "")
            status, body = cluster.answer(url.path, parse_qs(url.query), token)
            self.reply(status, body.encode())

    with loopback.serving(Handler) as cluster.url:
        yield cluster


def _page(items: list[Json], query: dict[str, list[str]]) -> Json:
    """Return a page of a list, of the size requested."""
    limit = int(query.get("limit", ["500"])[0])
    first = int(query.get("continue", ["0"])[0])
    rest = len(items) > first + limit
    metadata = {"continue": str(first + limit)} if rest else {}
    return {"metadata": metadata, "items": items[first : first + limit]}


def _refusal(code: int, message: str) -> tuple[int, str]:
    return code, json.dumps({"kind": "Status", "code": code, "message": message})


def main() -> None:
    """Serve a cluster until the process is ended; say where."""
    with running() as cluster:
        sys.stdout.write(f"{cluster.url}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
