"""A cluster in memory: the objects that the hook reads and deletes, and what Events it wrote."""

from collections.abc import Iterator, Mapping
from copy import deepcopy

from hooks.deadline import Deadline
from hooks.events import Event
from hooks.kube import JSON, KubeUnreachable, NotFound
from hooks.webhook import Json


class Cluster:
    """Objects by their paths; implements Kube.

    Attributes:
        reachable: whether it answers.
        deleted: paths that were deleted, in order.
        events: what was recorded, in order.
    """

    def __init__(self, objects: Mapping[str, Json]) -> None:
        self.objects = dict(objects)
        self.reachable = True
        self.deleted: list[str] = []
        self.events: list[Event] = []

    def record(self, event: Event) -> None:
        self.events.append(event)

    def reasons(self) -> list[str]:
        """Return the reasons of the Events, in order."""
        return [event.reason for event in self.events]

    def get(
        self,
        path: str,
        *,
        deadline: Deadline,
        params: Mapping[str, str] | None = None,
        accept: str = JSON,
    ) -> Json:
        del deadline, params, accept
        self._answer(path)
        if path not in self.objects:
            raise NotFound(f"GET {path}", 404, "not found")
        return deepcopy(self.objects[path])

    def list(
        self,
        path: str,
        *,
        deadline: Deadline,
        params: Mapping[str, str] | None = None,
        accept: str = JSON,
    ) -> Iterator[Json]:
        raise NotImplementedError(f"the hook lists nothing: {path}")

    def create(self, path: str, body: Json, *, deadline: Deadline) -> Json:
        raise NotImplementedError(f"the hook creates nothing: {path}")

    def patch(
        self,
        path: str,
        body: Json,
        *,
        deadline: Deadline,
        content_type: str = "",
        params: Mapping[str, str] | None = None,
    ) -> Json:
        raise NotImplementedError(f"the hook patches nothing: {path}")

    def delete(self, path: str, *, deadline: Deadline, options: Json | None = None) -> None:
        del deadline, options
        self._answer(path)
        self.deleted.append(path)

    def _answer(self, path: str) -> None:
        if not self.reachable:
            raise KubeUnreachable(f"{path}: connection refused")
