"""Doubles of an API server's client: one that a function answers for, one that passes calls on."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from hooks.deadline import Deadline
from hooks.kube import JSON, MERGE_PATCH, Kube
from hooks.webhook import Json


class Killed(BaseException):
    """The process is killed; nothing in the hooks may catch this."""


@dataclass(frozen=True)
class Call:
    """One call to an API server.

    Attributes:
        verb: get, list, create, patch or delete.
    """

    verb: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: Json | None = None
    accept: str = JSON

    @property
    def writes(self) -> bool:
        """Tell whether the call may change something."""
        return self.verb not in {"get", "list"} and "dryRun" not in self.params


class Answering(ABC):
    """Answers every call by one method; implements Kube."""

    @abstractmethod
    def answer(self, call: Call) -> Json:
        """Answer a call, a list as an object with `items`; or raise KubeError."""

    def get(
        self,
        path: str,
        *,
        deadline: Deadline,
        params: Mapping[str, str] | None = None,
        accept: str = JSON,
    ) -> Json:
        del deadline
        return self.answer(Call("get", path, params or {}, accept=accept))

    def list(
        self,
        path: str,
        *,
        deadline: Deadline,
        params: Mapping[str, str] | None = None,
        accept: str = JSON,
    ) -> Iterator[Json]:
        del deadline
        items = self.answer(Call("list", path, params or {}, accept=accept)).get("items")
        yield from items if isinstance(items, list) else []

    def create(self, path: str, body: Json, *, deadline: Deadline) -> Json | None:
        del deadline
        return self.answer(Call("create", path, body=body))

    def patch(
        self,
        path: str,
        body: Json,
        *,
        deadline: Deadline,
        content_type: str = MERGE_PATCH,
        params: Mapping[str, str] | None = None,
    ) -> Json | None:
        del deadline, content_type
        return self.answer(Call("patch", path, params or {}, body))

    def delete(self, path: str, *, deadline: Deadline, options: Json | None = None) -> None:
        del deadline
        self.answer(Call("delete", path, body=options))


@dataclass
class Watched:
    """Notes calls, and passes them on to a real client; implements Kube.

    Attributes:
        before: is told of each call before it is passed on; what it raises is the answer.
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

    def get(
        self,
        path: str,
        *,
        deadline: Deadline,
        params: Mapping[str, str] | None = None,
        accept: str = JSON,
    ) -> Json:
        self._note(Call("get", path, params or {}, accept=accept))
        return self.kube.get(path, deadline=deadline, params=params, accept=accept)

    def list(
        self,
        path: str,
        *,
        deadline: Deadline,
        params: Mapping[str, str] | None = None,
        accept: str = JSON,
    ) -> Iterator[Json]:
        self._note(Call("list", path, params or {}, accept=accept))
        yield from self.kube.list(path, deadline=deadline, params=params, accept=accept)

    def create(self, path: str, body: Json, *, deadline: Deadline) -> Json | None:
        self._note(Call("create", path, body=body))
        return self.kube.create(path, body, deadline=deadline)

    def patch(
        self,
        path: str,
        body: Json,
        *,
        deadline: Deadline,
        content_type: str = MERGE_PATCH,
        params: Mapping[str, str] | None = None,
    ) -> Json | None:
        self._note(Call("patch", path, params or {}, body))
        return self.kube.patch(
            path, body, deadline=deadline, content_type=content_type, params=params
        )

    def delete(self, path: str, *, deadline: Deadline, options: Json | None = None) -> None:
        self._note(Call("delete", path, body=options))
        self.kube.delete(path, deadline=deadline, options=options)

    def _note(self, call: Call) -> None:
        if len(self.calls) + 1 == self.kill_before:
            raise Killed
        self.calls.append(call)
        self.before(call)
