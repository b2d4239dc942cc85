"""Metacontroller's webhook contract, version v2: what it posts, what it takes, what a hook plans.

Version v2 answers are parsed strictly: one key that is not listed here fails the whole sync
(checked on Metacontroller 4.17.2). Outer keys of the object maps read `Kind.group/version`
(`Node.v1`), inner ones `name` for cluster-scoped and `namespace/name` for namespaced objects.
"""

from dataclasses import dataclass
from typing import Generic, TypedDict, TypeVar

from hooks.http.bounded_json import Json
from hooks.kube.events import Event


class BadRequest(ValueError):
    """A body that is no hook request. The app answers 400 and names the field.

    Attributes:
        field: a path such as `object.metadata.name`; empty where it is the whole body.
        problem: what is wrong there and what would be right; never the value of a secret.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}" if field else problem)
        self.field = field
        self.problem = problem


class DecoratorResponse(TypedDict, total=False):
    """What a DecoratorController takes back.

    `labels` and `annotations`: a null value deletes the key. `status` replaces the whole status;
    left out or null it leaves it alone. An attachment left out is deleted.
    """

    labels: dict[str, str | None]
    annotations: dict[str, str | None]
    status: Json | None
    attachments: list[Json]
    resyncAfterSeconds: float
    finalized: bool


class CompositeResponse(TypedDict, total=False):
    """What a CompositeController takes back. A child left out is deleted."""

    status: Json
    children: list[Json]
    resyncAfterSeconds: float
    finalized: bool


class CustomizeResponse(TypedDict):
    """Which related objects the sync hook is to be sent."""

    relatedResources: list[Json]


Response = DecoratorResponse | CompositeResponse

Action = TypeVar("Action", covariant=True)


@dataclass(frozen=True)
class Plan(Generic[Action]):
    """What a hook answers now, and what is to be done in the world before it looks again.

    The response says only what has been observed; it stays true whether or not the actions
    are carried out. Actions are done in order; the first that fails ends them. Events tell
    people about it once the actions are done; they are no work that could be left over.
    """

    response: Response
    actions: tuple[Action, ...] = ()
    events: tuple[Event, ...] = ()
