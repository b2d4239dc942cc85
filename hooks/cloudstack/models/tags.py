"""Tags of resources."""

from dataclasses import dataclass
from typing import Protocol

from hooks.cloudstack.models.fields import Model

#: The characters that CloudStack takes in the value of a tag.
MAX_TAG_LENGTH = 255


@dataclass(frozen=True, slots=True)
class Tag(Model):
    """A key and value on a resource."""

    key: str
    value: str = ""


class Resource(Protocol):
    """Anything with tags."""

    @property
    def id(self) -> str:
        """Return CloudStack's id."""

    @property
    def tags(self) -> tuple[Tag, ...]:
        """Return all tags."""
