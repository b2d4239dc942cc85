"""Doubles of an API server's client: one that a function answers for, one that passes calls on."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, fields

from hooks.http.bounded_json import Json
from hooks.kube.client import Kube, KubeRequest

VERBS = {"GET": "get", "POST": "create", "PATCH": "patch", "DELETE": "delete"}


class Killed(BaseException):
    """The process is killed; nothing in the hooks may catch this."""


class Call(KubeRequest):
    """One call to an API server; a list is read in pages of a call each."""

    __slots__ = ()

    @property
    def verb(self) -> str:
        """Return get, list, create, patch or delete."""
        return "list" if "limit" in (self.params or {}) else VERBS[self.method]

    @property
    def dry_run(self) -> bool:
        """Return whether the call is a dry run."""
        return "dryRun" in (self.params or {})

    @property
    def writes(self) -> bool:
        """Return whether the call may change something."""
        return self.method != "GET" and not self.dry_run


class Answering(Kube):
    """Answers every call by one method."""

    @abstractmethod
    def answer(self, call: Call) -> Json:
        """Answer a call, a list as an object with `items`; or raise KubeError."""

    def call(self, request: KubeRequest) -> Json:
        return self.answer(Call(*(getattr(request, each.name) for each in fields(request))))


@dataclass
class Watched(Answering):
    """Notes calls, and passes them on to a real client.

    Attributes:
        before: is called with each call before it is passed on; what it raises is the answer.
        kill_before: the number of the call, from 1, before which the process is killed.
        calls: what was called.
    """

    kube: Kube
    before: Callable[[Call], None] = lambda _: None
    kill_before: int = 0
    calls: list[Call] = field(default_factory=list)

    @property
    def writes(self) -> list[Call]:
        """Answer the calls that may have changed something."""
        return [call for call in self.calls if call.writes]

    def answer(self, call: Call) -> Json:
        """Pass a call on."""
        if len(self.calls) + 1 == self.kill_before:
            raise Killed
        self.calls.append(call)
        self.before(call)
        return self.kube.call(call)
