"""Accounts, projects and their limits, and the server's version and services."""

import re
from dataclasses import dataclass

from hooks.cloudstack.models.fields import (
    Answer,
    Malformed,
    flag,
    number,
    optional,
    optional_number,
    required,
)


@dataclass(frozen=True, slots=True)
class ResourceLimit:
    """How many of a kind an account or project has, and may have; None: as many as it likes."""

    used: int
    limit: int | None

    @classmethod
    def from_json(cls, answer: Answer, kind: str) -> "ResourceLimit":
        """Read `KINDlimit` and `KINDtotal` of an account or project, such as those of `ip`."""
        unlimited = optional(answer, f"{kind}limit") in ("", "Unlimited", "-1")
        return cls(
            used=optional_number(answer, "resource limit", f"{kind}total") or 0,
            limit=None if unlimited else number(answer, "resource limit", f"{kind}limit"),
        )


@dataclass(frozen=True, slots=True)
class Project:
    """A project, and its quota of public addresses."""

    id: str
    name: str
    addresses: ResourceLimit

    @classmethod
    def from_json(cls, answer: Answer) -> "Project":
        """Read one entry of `project`."""
        return cls(
            id=required(answer, "project", "id"),
            name=required(answer, "project", "name"),
            addresses=ResourceLimit.from_json(answer, "ip"),
        )


@dataclass(frozen=True, slots=True)
class Account:
    """An account, and its quota of public addresses."""

    id: str
    name: str
    addresses: ResourceLimit

    @classmethod
    def from_json(cls, answer: Answer) -> "Account":
        """Read one entry of `account`."""
        return cls(
            id=required(answer, "account", "id"),
            name=required(answer, "account", "name"),
            addresses=ResourceLimit.from_json(answer, "ip"),
        )


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the server is: its version as numbers, such as (4, 22, 0, 0)."""

    version: tuple[int, ...]
    security_groups_enabled: bool = False
    kubernetes_service_enabled: bool = False

    @classmethod
    def from_json(cls, answer: Answer) -> "Capabilities":
        """Read `capability` of listCapabilities; `4.22.0.0-SNAPSHOT` is (4, 22, 0, 0)."""
        text = required(answer, "capability", "cloudstackversion")
        numbers = re.match(r"\d+(\.\d+)*", text, re.ASCII)
        if numbers is None:
            raise Malformed(f"a cloudstackversion {text!r}, one such as 4.22.0.0 was expected")
        return cls(
            version=tuple(int(part) for part in numbers[0].split(".")),
            security_groups_enabled=flag(answer, "securitygroupsenabled"),
            kubernetes_service_enabled=flag(answer, "kubernetesserviceenabled"),
        )

    def at_least(self, *version: int) -> bool:
        """Tell whether the server is of this version, such as `at_least(4, 18)`, or newer."""
        return self.version >= version
