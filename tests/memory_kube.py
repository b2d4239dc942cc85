"""A Kubernetes API in memory, for the hooks of Services and load balancers; implements Kube."""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy

from hooks.deadline import Deadline
from hooks.events import Event
from hooks.kube import JSON, MERGE_PATCH, Conflict, KubeError, NotFound
from hooks.webhook import Json


class MemoryKube:
    """Objects by their paths.

    Attributes:
        objects: what there is; a test may change it.
        failure: what every request fails with; None where they work.
        refused: what requests of a verb fail with.
        before_patch: is called before an object is patched, as somebody who is faster would.
        writes: what was asked, in order, also in vain: verb, path, body.
        events: what was recorded, in order.
    """

    def __init__(
        self, objects: Mapping[str, Json] | None = None, failure: KubeError | None = None
    ) -> None:
        self.objects = dict(objects or {})
        self.failure = failure
        self.refused: dict[str, KubeError] = {}
        self.before_patch: Callable[[], None] = lambda: None
        self.writes: list[tuple[str, str, Json]] = []
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
        del params, accept
        self._answer("get", deadline)
        return deepcopy(self._find(f"GET {path}", path))

    def list(
        self,
        path: str,
        *,
        deadline: Deadline,
        params: Mapping[str, str] | None = None,
        accept: str = JSON,
    ) -> Iterator[Json]:
        raise AssertionError(f"the hook lists {path} ({params}, {accept}, {deadline})")

    def create(self, path: str, body: Json, *, deadline: Deadline) -> Json:
        self.writes.append(("create", path, deepcopy(body)))
        self._answer("create", deadline)
        where = f"{path}/{body['metadata']['name']}"
        if where in self.objects:
            raise Conflict(f"POST {path}", 409, "it is there already")
        self.objects[where] = deepcopy(body)
        return body

    def patch(
        self,
        path: str,
        body: Json,
        *,
        deadline: Deadline,
        content_type: str = MERGE_PATCH,
        params: Mapping[str, str] | None = None,
    ) -> Json:
        """Merge into an object's metadata, under the version that is given."""
        assert (content_type, params) == (MERGE_PATCH, None)
        self.writes.append(("patch", path, deepcopy(body)))
        self._answer("patch", deadline)
        self.before_patch()
        metadata = self._find(f"PATCH {path}", path)["metadata"]
        assert set(body) == {"metadata"}
        if body["metadata"].get("resourceVersion") != metadata.get("resourceVersion"):
            raise Conflict(f"PATCH {path}", 409, "it has changed")
        version = str(int(metadata["resourceVersion"]) + 1)
        metadata.update(deepcopy(body["metadata"]), resourceVersion=version)
        return deepcopy(self.objects[path])

    def delete(self, path: str, *, deadline: Deadline, options: Json | None = None) -> None:
        """Take note of a deletion; finalizers keep the object."""
        self.writes.append(("delete", path, options or {}))
        self._answer("delete", deadline)

    def _find(self, what: str, path: str) -> Json:
        if path not in self.objects:
            raise NotFound(what, 404, "not found")
        return self.objects[path]

    def _answer(self, verb: str, deadline: Deadline) -> None:
        assert deadline.remaining() > 0
        if failure := self.failure or self.refused.get(verb):
            raise failure
