"""Doubles of an API server's client: one that a function answers for, one that passes calls on."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import JSON, MERGE_PATCH, Kube, KubeRequest

VERBS = {"GET": "get", "POST": "create", "PATCH": "patch", "DELETE": "delete"}


class Killed(BaseException):
    """The process is killed; nothing in the hooks may catch this."""


@dataclass(frozen=True)
class Call:
    """One call to an API server.

    Attributes:
        verb: get, list, create, patch or delete.
        body: what is written, or the options of a deletion.
    """

    verb: str
    path: str
    deadline: Deadline
    params: Mapping[str, str] | None = None
    body: Json | None = None
    accept: str = JSON
    content_type: str = MERGE_PATCH

    @property
    def dry_run(self) -> bool:
        """Return whether the call is a dry run."""
        return "dryRun" in (self.params or {})

    @property
    def writes(self) -> bool:
        """Return whether the call may change something."""
        return self.verb not in {"get", "list"} and not self.dry_run


class Answering(Kube):
    """Answers every call by one method, a list in one page."""

    @abstractmethod
    def answer(self, call: Call) -> Json:
        """Answer a call, a list as an object with `items`; or raise KubeError."""

    def call(self, request: KubeRequest) -> Json:
        call = Call(
            VERBS[request.method],
            request.path,
            request.deadline,
            request.params,
            request.body,
            request.accept,
            request.content_type,
        )
        return self.answer(call)

    def list(
        self,
        path: str,
        *,
        deadline: Deadline,
        params: Mapping[str, str] | None = None,
        accept: str = JSON,
    ) -> Iterator[Json]:
        answer = self.answer(Call("list", path, deadline, params, accept=accept))
        items = answer.get("items")
        yield from items if isinstance(items, list) else []


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
        kube, path, deadline, body = self.kube, call.path, call.deadline, call.body or {}
        match call.verb:
            case "get":
                return kube.get(path, deadline=deadline, params=call.params, accept=call.accept)
            case "list":
                items = kube.list(path, deadline=deadline, params=call.params, accept=call.accept)
                return {"items": list(items)}
            case "create":
                return kube.create(path, body, deadline=deadline)
            case "patch":
                kind = call.content_type
                return kube.patch(
                    path, body, deadline=deadline, content_type=kind, params=call.params
                )
            case _:
                kube.delete(path, deadline=deadline, options=call.body)
                return {}
