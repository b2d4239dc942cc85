"""Calls a target within a round: each call bounded, and the round ended when the target is lost."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TypeVar

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import (
    APPLY_PATCH,
    Conflict,
    Kube,
    KubeError,
    KubeRefused,
    KubeUnreachable,
    NotFound,
)
from hooks.names import FIELD_MANAGER
from hooks.targetclusters.sync.plan.kinds import NAMESPACE
from hooks.targetclusters.sync.plan.object import LiveObject, Wanted, see

#: Seconds that one call to a target may take.
CALL_SECONDS = 10.0
#: Seconds that one list may take, with all its pages.
LIST_SECONDS = 60.0
#: Seconds kept back from the round for telling what became of it.
MARGIN = 0.2
#: Calls in a row without an answer after which the target is given up for this round.
SILENT_CALLS = 3
#: Whole objects in one page, and the bytes that they may take: 1.6 MiB each.
PAGE = "5"
MAX_ANSWER_BYTES = 8 * 1024 * 1024

Answer = TypeVar("Answer")


class RoundOver(Exception):
    """No more calls in this round; str() says why, and is empty where merely time ran out."""


class TooMany(KubeError):
    """The target lists more objects than there can be of ours."""


class Target:
    """A target's API server as one round uses it.

    Every method raises RoundOver where the round's time is over, the target has stopped
    answering, or it no longer takes the credentials; else KubeError.
    """

    def __init__(self, kube: Kube, deadline: Deadline) -> None:
        self._kube = kube
        self._deadline = deadline
        self._silent = 0

    @property
    def deadline(self) -> Deadline:
        """Answer the round's deadline."""
        return self._deadline

    def get(self, path: str) -> Json:
        """Read an object. Raises NotFound."""
        return self._call(lambda deadline: self._kube.get(path, deadline=deadline))

    def find(self, path: str) -> Json | None:
        """Read an object; None where it clearly is not there."""
        try:
            return self.get(path)
        except NotFound:
            return None

    def list(self, path: str, *, labels: str, most: int) -> Iterator[Json]:
        """Read a collection's objects by label; more than `most` of them raise TooMany."""
        deadline = self._begin(LIST_SECONDS)
        params = {"labelSelector": labels, "limit": PAGE}
        try:
            items = self._kube.list(path, deadline=deadline, params=params)
            for number, item in enumerate(items):
                if number >= most:
                    raise TooMany(f"GET {path}: lists more than {most} objects of ours")
                yield item
        except KubeError as error:
            self._note(error)
            raise
        self._silent = 0

    def apply(self, path: str, body: Json, *, force: bool, dry_run: bool = False) -> Json:
        """Apply a body server-side; a field of another manager is a Conflict unless forced."""
        params = {
            "fieldManager": FIELD_MANAGER,
            "force": "true" if force else "false",
            "fieldValidation": "Strict",
            **({"dryRun": "All"} if dry_run else {}),
        }
        answer = self._call(
            lambda deadline: self._kube.patch(
                path, body, deadline=deadline, content_type=APPLY_PATCH, params=params
            )
        )
        return answer or {}

    def create(self, path: str, body: Json) -> None:
        """Create an object. Raises Conflict where it is there."""
        self._call(lambda deadline: self._kube.create(path, body, deadline=deadline))

    def delete(self, path: str, *, uid: str, resource_version: str) -> None:
        """Delete the very object that was read. Raises NotFound, Conflict where it has changed."""
        options = {
            "preconditions": {"uid": uid, "resourceVersion": resource_version},
            "propagationPolicy": "Background",
        }
        self._call(lambda deadline: self._kube.delete(path, deadline=deadline, options=options))

    def _call(self, call: Callable[[Deadline], Answer]) -> Answer:
        deadline = self._begin(CALL_SECONDS)
        try:
            answer = call(deadline)
        except KubeError as error:
            self._note(error)
            raise
        self._silent = 0
        return answer

    def _begin(self, seconds: float) -> Deadline:
        if self._deadline.passed(margin=MARGIN):
            raise RoundOver
        return self._deadline.at_most(seconds)

    def _note(self, error: KubeError) -> None:
        """Count the calls without an answer; raises RoundOver where another one is no use."""
        if isinstance(error, KubeRefused) and error.code == 401:
            raise RoundOver(str(error)) from error
        if not isinstance(error, KubeUnreachable) or error.code == 500:
            self._silent = 0
            return
        self._silent += 1
        if self._deadline.passed(margin=MARGIN) or self._silent >= SILENT_CALLS:
            raise RoundOver(str(error)) from error


def look(target: Target, path: str, wanted: Wanted | None = None) -> LiveObject | None:
    """Read what counts of one object; None where it clearly is not there."""
    found = target.find(path)
    seen = see(found, wanted) if found is not None else None
    if found is not None and seen is None:
        raise KubeUnreachable(f"GET {path}: the answer is no object")
    return seen


def make_namespace(target: Target, name: str) -> bool:
    """Make a namespace that is missing; False where it is there.

    It becomes no part of a set, and is never deleted: others may come to live in it.
    """
    if target.find(NAMESPACE.path(name=name)) is not None:
        return False
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    with suppress(Conflict):  # made meanwhile
        target.create(NAMESPACE.path(), body)
    return True
