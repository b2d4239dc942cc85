"""The limits of accounts and projects, and the server's version."""

import re
from dataclasses import dataclass
from typing import Annotated, Self

from hooks.cloudstack.models.fields import (
    Answer,
    Listing,
    Malformed,
    Model,
    number,
    optional,
    optional_number,
    required,
)


@dataclass(frozen=True, slots=True)
class ResourceLimit(Model):
    """How many public addresses an account has, and may have; None: no limit."""

    LISTING = Listing("listAccounts", "account")
    used: int
    limit: int | None

    @classmethod
    def from_json(cls, answer: Answer) -> Self:
        """Read `iplimit` and `iptotal`."""
        unlimited = optional(answer, "iplimit") in ("", "Unlimited", "-1")
        return cls(
            used=optional_number(answer, "resource limit", "iptotal") or 0,
            limit=None if unlimited else number(answer, "resource limit", "iplimit"),
        )


@dataclass(frozen=True, slots=True)
class Account(Model):
    """An account; without a filter, the one that the keys belong to."""

    LISTING = Listing("listAccounts", "account")
    id: str
    name: str
    domain_id: str


class ProjectLimit(ResourceLimit):
    """The same of a project."""

    LISTING = Listing("listProjects", "project", "id")


def _version(answer: Answer, name: str) -> tuple[int, ...]:
    """Read `4.22.0.0-SNAPSHOT` as (4, 22, 0, 0)."""
    text = required(answer, "capability", name)
    numbers = re.match(r"\d{1,9}(\.\d{1,9})*", text, re.ASCII)
    if numbers is None:
        raise Malformed(f"a cloudstackversion {text!r}, one such as 4.22.0.0 was expected")
    return tuple(int(part) for part in numbers[0].split("."))


@dataclass(frozen=True, slots=True)
class Capabilities(Model):
    """What the server is: its version as numbers, such as (4, 22, 0, 0). Every role may ask."""

    LISTING = Listing("listCapabilities", "capability")
    version: Annotated[tuple[int, ...], _version, "cloudstackversion"]

    def at_least(self, *version: int) -> bool:
        """Tell whether the server is of this version, such as `at_least(4, 18)`, or newer."""
        return self.version >= version
