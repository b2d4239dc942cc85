"""Compares what roles grant with what the audit log shows that was used."""

from collections.abc import Iterable
from dataclasses import dataclass

from tests.controlplane.api import Object


@dataclass(frozen=True, order=True)
class Verb:
    """One verb on one resource, `nodes` or `nodes/status`; the core group is ""."""

    group: str
    resource: str
    verb: str

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{'.' if self.group else ''}{self.group}"


def granted(roles: Iterable[Object]) -> set[Verb]:
    """Return every verb that Roles or ClusterRoles grant; a wildcard is none."""
    return {
        Verb(group, resource, verb)
        for role in roles
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def used(entries: Iterable[Object], user: str) -> set[Verb]:
    """Return the verbs that a user's requests needed and had."""
    return {_verb(entry) for entry in _of(entries, user) if not _forbidden(entry)}


def refused(entries: Iterable[Object], user: str) -> set[Verb]:
    """Return the verbs that a user's requests needed and had not."""
    return {_verb(entry) for entry in _of(entries, user) if _forbidden(entry)}


def _of(entries: Iterable[Object], user: str) -> Iterable[Object]:
    return (
        entry for entry in entries if entry["user"]["username"] == user and "objectRef" in entry
    )


def _forbidden(entry: Object) -> bool:
    return bool(entry.get("responseStatus", {}).get("code") == 403)


def _verb(entry: Object) -> Verb:
    about = entry["objectRef"]
    resource = "/".join(filter(None, (about["resource"], about.get("subresource", ""))))
    return Verb(about.get("apiGroup", ""), resource, entry["verb"])
