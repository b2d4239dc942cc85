"""What an Event says, and about which object; `hooks.kube.recorder` writes it."""

from dataclasses import dataclass
from typing import Literal

from hooks.http.bounded_json import Json
from hooks.http.texts import shorten

#: Characters of an Event's message; the API server refuses longer ones.
MAX_MESSAGE = 1024


@dataclass(frozen=True)
class Reference:
    """The object that an Event is about, as in a core/v1 ObjectReference."""

    api_version: str
    kind: str
    name: str
    uid: str
    namespace: str = ""

    @classmethod
    def to(cls, obj: Json) -> "Reference":
        """Refer to an object; parts that it lacks become empty."""
        metadata = obj.get("metadata") or {}
        names = (metadata.get(key) for key in ("name", "uid", "namespace"))
        return cls(*(text or "" for text in (obj.get("apiVersion"), obj.get("kind"), *names)))


@dataclass(frozen=True)
class Event:
    """One Event: a reason in CamelCase and a sentence for people.

    The message becomes what is shown of it: MAX_MESSAGE printable characters at most.
    """

    regarding: Reference
    reason: str
    message: str
    type: Literal["Normal", "Warning"] = "Normal"

    def __post_init__(self) -> None:
        """Cut the message."""
        object.__setattr__(self, "message", shorten(self.message, MAX_MESSAGE))
