"""How an API server serves a kind of object: its path, and whether it lives in namespaces."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from hooks.http.bounded_json import Json
from hooks.targetclusters.sync.plan.inventory import GroupKind

#: A kind as objects name it: apiVersion and kind.
Gvk = tuple[str, str]

_PLURAL = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


@dataclass(frozen=True)
class Kind:
    """A kind that an API server serves."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool

    @property
    def group(self) -> str:
        """Answer the API group, empty for the core group."""
        group, slash, _ = self.api_version.partition("/")
        return group if slash else ""

    @property
    def group_kind(self) -> GroupKind:
        """Answer the kind, whatever the version."""
        return self.group, self.kind

    def path(self, namespace: str = "", name: str = "") -> str:
        """Answer the path of an object, or of the collection in one namespace or in all."""
        path = version_path(self.api_version)
        if self.namespaced and namespace:
            path += f"/namespaces/{quote(namespace, safe='')}"
        path += f"/{self.plural}"
        return f"{path}/{quote(name, safe='')}" if name else path


NAMESPACE = Kind("v1", "Namespace", "namespaces", namespaced=False)
CRD_KIND = "CustomResourceDefinition"
CRD_GROUP = "apiextensions.k8s.io"


def version_path(api_version: str) -> str:
    """Answer the path under which a version of a group is served."""
    prefix = "/apis" if "/" in api_version else "/api"
    return f"{prefix}/{quote(api_version)}"


def kinds_served(api_version: str, answer: Json) -> Mapping[str, Kind]:
    """Read an APIResourceList; what is no kind that has a path of its own is left out."""
    resources = answer.get("resources")
    found: dict[str, Kind] = {}
    for resource in resources if isinstance(resources, list) else ():
        if not isinstance(resource, dict):
            continue
        kind, plural = resource.get("kind"), resource.get("name")
        if isinstance(kind, str) and isinstance(plural, str) and _PLURAL.fullmatch(plural):
            found[kind] = Kind(api_version, kind, plural, resource.get("namespaced") is True)
    return found


def versions_served(answer: Json) -> Mapping[str, tuple[str, ...]]:
    """Read an APIGroupList: each group's versions such as `apps/v1`, the preferred one first."""
    groups = answer.get("groups")
    found: dict[str, tuple[str, ...]] = {}
    for group in groups if isinstance(groups, list) else ():
        listed = _map(group).get("versions")
        entries = [
            _map(group).get("preferredVersion"),
            *(listed if isinstance(listed, list) else ()),
        ]
        versions = [_map(entry).get("groupVersion") for entry in entries]
        found[str(_map(group).get("name"))] = tuple(
            dict.fromkeys(version for version in versions if isinstance(version, str))
        )
    return found


def kinds_defined(crd: Json) -> Mapping[Gvk, Kind]:
    """Read the kinds that a CustomResourceDefinition brings; empty where it is malformed."""
    spec = _map(crd.get("spec"))
    names = _map(spec.get("names"))
    group, kind, plural = spec.get("group"), names.get("kind"), names.get("plural")
    versions = spec.get("versions")
    if not (isinstance(group, str) and isinstance(kind, str) and isinstance(versions, list)):
        return {}
    if not isinstance(plural, str) or not _PLURAL.fullmatch(plural):
        return {}
    served = [_map(version).get("name") for version in versions if _map(version).get("served")]
    found = {}
    for version in served:
        if isinstance(version, str):
            api_version = f"{group}/{version}"
            namespaced = spec.get("scope") == "Namespaced"
            found[api_version, kind] = Kind(api_version, kind, plural, namespaced)
    return found


def _map(value: object) -> Json:
    return value if isinstance(value, dict) else {}
