"""A Kubernetes API in memory, for the hooks of Services and load balancers."""

from collections.abc import Callable, Mapping
from copy import deepcopy

from hooks.http.bounded_json import Json
from hooks.kube.client import MERGE_PATCH, Conflict, KubeError, NotFound
from hooks.kube.events import Event
from tests.kubes import Answering, Call


class MemoryKube(Answering):
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

    def answer(self, call: Call) -> Json:
        """Do what is asked; the hooks list nothing, and finalizers keep what they delete."""
        assert call.deadline.remaining() > 0
        body = call.body or {}
        if call.writes:
            self.writes.append((call.verb, call.path, deepcopy(body)))
        if failure := self.failure or self.refused.get(call.verb):
            raise failure
        match call.verb:
            case "get":
                return deepcopy(self._find(call))
            case "create":
                return self._create(call, body)
            case "patch":
                return self._merge(call, body)
            case "delete":
                return {}
            case _:
                raise AssertionError(f"the hook asks for {call}")

    def _create(self, call: Call, body: Json) -> Json:
        where = f"{call.path}/{body['metadata']['name']}"
        if where in self.objects:
            raise Conflict(f"POST {call.path}", 409, "it is there already")
        self.objects[where] = deepcopy(body)
        return body

    def _merge(self, call: Call, body: Json) -> Json:
        """Merge into an object's metadata, under the version that is given."""
        assert (call.content_type, call.params) == (MERGE_PATCH, None)
        self.before_patch()
        metadata = self._find(call)["metadata"]
        assert set(body) == {"metadata"}
        if body["metadata"].get("resourceVersion") != metadata.get("resourceVersion"):
            raise Conflict(f"PATCH {call.path}", 409, "it has changed")
        version = str(int(metadata["resourceVersion"]) + 1)
        metadata.update(deepcopy(body["metadata"]), resourceVersion=version)
        return deepcopy(self.objects[call.path])

    def _find(self, call: Call) -> Json:
        if call.path not in self.objects:
            raise NotFound(f"{call.verb} {call.path}", 404, "not found")
        return self.objects[call.path]
