"""A real API server's client that counts its calls; the process can be killed before any one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from hooks.deadline import Deadline
from hooks.kube import JSON, MERGE_PATCH, Kube
from hooks.webhook import Json


class Killed(BaseException):
    """The process is killed; nothing in the hooks may catch this."""


@dataclass(frozen=True)
class Call:
    """One call to an API server."""

    verb: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    accept: str = JSON

    @property
    def writes(self) -> bool:
        """Tell whether the call may change something."""
        return self.verb not in {"get", "list"} and "dryRun" not in self.params


@dataclass
class Watched:
    """Passes calls on to a real client; implements Kube.

    Attributes:
        calls: what was called.
        kill_before: the number of the call, from 1, before which the process is killed.
    """

    kube: Kube
    calls: list[Call] = field(default_factory=list)
    kill_before: int = 0

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
        self._begin(Call("get", path, params or {}, accept))
        return self.kube.get(path, deadline=deadline, params=params, accept=accept)

    def list(
        self,
        path: str,
        *,
        deadline: Deadline,
        params: Mapping[str, str] | None = None,
        accept: str = JSON,
    ) -> Iterator[Json]:
        self._begin(Call("list", path, params or {}, accept))
        yield from self.kube.list(path, deadline=deadline, params=params, accept=accept)

    def create(self, path: str, body: Json, *, deadline: Deadline) -> Json | None:
        self._begin(Call("create", path))
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
        self._begin(Call("patch", path, params or {}))
        return self.kube.patch(
            path, body, deadline=deadline, content_type=content_type, params=params
        )

    def delete(self, path: str, *, deadline: Deadline, options: Json | None = None) -> None:
        self._begin(Call("delete", path))
        self.kube.delete(path, deadline=deadline, options=options)

    def _begin(self, call: Call) -> None:
        if len(self.calls) + 1 == self.kill_before:
            raise Killed
        self.calls.append(call)
