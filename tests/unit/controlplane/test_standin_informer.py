import queue
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.controlplane import polling
from tests.controlplane.api import Api, ApiError, Object, Resource, WatchEvent
from tests.controlplane.polling import PATIENCE
from tests.controlplane.standin.discovery import Kind
from tests.controlplane.standin.informer import Change, Informer

Said = queue.SimpleQueue[WatchEvent | ApiError | None]


@dataclass(frozen=True, eq=False)
class ScriptedServer(Resource):
    """An API server that lists what it holds, and whose watches say what they are told to."""

    held: dict[str, str] = field(default_factory=dict)
    said: Said = field(default_factory=queue.SimpleQueue)
    watched_since: list[str] = field(default_factory=list)

    def page(self, namespace: str = "", *, labels: str = "") -> Object:
        assert (namespace, labels) == ("", "")
        items = [thing(name, version) for name, version in self.held.items()]
        return {"metadata": {"resourceVersion": "10"}, "items": items}

    @contextmanager
    def watch(
        self, namespace: str = "", *, since: str = "", seconds: int = 300
    ) -> Iterator[Iterator[WatchEvent]]:
        assert (namespace, seconds) == ("", 300)
        self.watched_since.append(since)
        yield self._events()

    def _events(self) -> Iterator[WatchEvent]:
        while (said := self.said.get()) is not None:
            if isinstance(said, ApiError):
                raise said
            yield said


def thing(name: str, version: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Thing",
        "metadata": {"name": name, "namespace": "here", "resourceVersion": version},
    }


def told(change: Change) -> tuple[str | None, str | None]:
    """Return the versions of a change, old and new."""
    old, new = (
        obj["metadata"]["resourceVersion"] if obj else None for obj in (change.old, change.new)
    )
    return old, new


@pytest.fixture
def server() -> ScriptedServer:
    api = Api("http://127.0.0.1:1", token="", ca=Path("none"))
    return ScriptedServer(api, "v1", "things")


@pytest.fixture
def changes(server: ScriptedServer) -> list[tuple[str | None, str | None]]:
    """Start an informer on a server that holds one thing; collect what its subscriber is told."""
    server.held["a"] = "1"
    seen: list[tuple[str | None, str | None]] = []
    informer = Informer(Kind("v1", "Thing", "things", True, False, server))
    informer.synced.wait(PATIENCE)
    informer.subscribe(lambda change: seen.append(told(change)))
    polling.until(lambda: seen == [("1", "1")], "the thing that was there already is told")
    seen.clear()
    return seen


def test_a_subscriber_is_told_what_comes_changes_and_goes(
    server: ScriptedServer, changes: list[object]
) -> None:
    server.said.put(WatchEvent("ADDED", thing("b", "11")))
    server.said.put(WatchEvent("MODIFIED", thing("b", "12")))
    server.said.put(WatchEvent("BOOKMARK", thing("", "13")))
    server.said.put(WatchEvent("DELETED", thing("b", "14")))
    polling.until(lambda: len(changes) == 3, "all is told")
    assert changes == [(None, "11"), ("11", "12"), ("14", None)]


def test_a_watch_that_ends_goes_on_where_it_was(
    server: ScriptedServer, changes: list[object]
) -> None:
    server.said.put(WatchEvent("BOOKMARK", thing("", "15")))
    server.said.put(None)
    polling.until(lambda: server.watched_since == ["10", "15"], "a second watch follows")
    assert changes == []


def test_a_version_that_is_too_old_means_to_list_again(
    server: ScriptedServer, changes: list[object]
) -> None:
    server.held.clear()
    server.held["b"] = "20"
    server.said.put(ApiError(410, "Expired", "too old resource version"))
    polling.until(lambda: len(changes) == 2, "what was missed is told")
    assert changes == [(None, "20"), ("1", None)]
    polling.until(lambda: server.watched_since == ["10", "10"], "it watches from the new list")
