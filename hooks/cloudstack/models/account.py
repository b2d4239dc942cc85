"""The limits of accounts and projects, and the server's version and services."""

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
    """How many public addresses an account or project has, and may have; None: no limit."""

    used: int
    limit: int | None

    @classmethod
    def from_json(cls, answer: Answer) -> "ResourceLimit":
        """Read `iplimit` and `iptotal` of one entry of `account` or `project`."""
        unlimited = optional(answer, "iplimit") in ("", "Unlimited", "-1")
        return cls(
            used=optional_number(answer, "resource limit", "iptotal") or 0,
            limit=None if unlimited else number(answer, "resource limit", "iplimit"),
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
