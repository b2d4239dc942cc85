"""A Kubernetes API in memory, without HTTP, whose requests can be made to fail."""

from collections.abc import Callable, Mapping
from copy import deepcopy

from hooks.http.bounded_json import Json
from hooks.kube.client import (
    MERGE_PATCH,
    Conflict,
    KubeError,
    KubeRefused,
    KubeUnreachable,
    NotFound,
)
from hooks.kube.events import Event
from tests.kubes import Answering, Call
from tools.api_server import RefusedError, Request, Store


class MemoryKube(Answering):
    """Objects by their paths.

    Attributes:
        store: what there is.
        failure: what every request fails with; None where they work.
        refused: what requests of a verb fail with.
        before_patch, before_delete: are called before that, as somebody who is faster would.
        reads: the paths that were read, in order.
        writes: what was asked, in order, also in vain: verb, path, body.
        events: what was recorded, in order.
    """

    def __init__(
        self, objects: Mapping[str, Json] | None = None, failure: KubeError | None = None
    ) -> None:
        self.store = Store()
        self.store.objects.update(objects or {})
        self.failure = failure
        self.refused: dict[str, KubeError] = {}
        self.before_patch: Callable[[], object] = lambda: None
        self.before_delete: Callable[[], object] = lambda: None
        self.reads: list[str] = []
        self.writes: list[tuple[str, str, Json]] = []
        self.events: list[Event] = []

    @property
    def objects(self) -> dict[str, Json]:
        """Return what there is, by path; a test may change it."""
        return self.store.objects

    def record(self, event: Event) -> None:
        self.events.append(event)

    def reasons(self) -> list[str]:
        """Return the reasons of the Events, in order."""
        return [event.reason for event in self.events]

    def answer(self, call: Call) -> Json:
        """Carry out a call; a refusal is raised as the client does."""
        if call.deadline.remaining() <= 0:
            raise KubeUnreachable(f"{call.method} {call.path}: not sent, no time is left")
        body = call.body or {}
        if call.writes:
            self.writes.append((call.verb, call.path, deepcopy(body)))
        else:
            self.reads.append(call.path)
        if failure := self.failure or self.refused.get(call.verb):
            raise failure
        if call.verb == "patch":
            assert (call.content_type, call.params) == (MERGE_PATCH, None)
            assert "/services/" not in call.path or set(body) == {"metadata"}
            self.before_patch()
        elif call.verb == "delete":
            self.before_delete()
        request = Request(
            call.method, call.path, body, dict(call.params or {}), call.content_type, call.accept
        )
        try:
            return self.store.answer(request)[1]
        except RefusedError as error:
            code, text = error.status["code"], error.status["message"]
            kind = {404: NotFound, 409: Conflict}.get(code, KubeRefused)
            raise kind(f"{call.method} {call.path}", code, text) from error
