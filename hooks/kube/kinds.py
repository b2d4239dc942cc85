"""How an API server serves a kind of object: its path, and whether it is namespaced."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard
from urllib.parse import quote

from hooks.http.bounded_json import Json
from hooks.kube.objects import items, part
from hooks.kube.patterns import API_VERSION, KIND, OBJECT_NAME

#: How many kinds of one version are read, and how many versions of groups; no honest target is
#: known to serve a third of that. With the lengths of their names that bounds what is kept.
MAX_KINDS = 1_000
MAX_VERSIONS = 5_000

#: A kind as objects name it: apiVersion and kind.
Gvk = tuple[str, str]
#: A kind in any version: its group, empty for the core group, and its name.
GroupKind = tuple[str, str]


@dataclass(frozen=True)
class Kind:
    """A kind that an API server serves."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool

    @property
    def group(self) -> str:
        """Return the API group, empty for the core group."""
        group, slash, _ = self.api_version.partition("/")
        return group if slash else ""

    @property
    def group_kind(self) -> GroupKind:
        """Return the kind, whatever the version."""
        return self.group, self.kind

    def path(self, namespace: str = "", name: str = "") -> str:
        """Return the path of an object, or of the collection in one namespace or in all."""
        path = version_path(self.api_version)
        if self.namespaced and namespace:
            path += f"/namespaces/{quote(namespace, safe='')}"
        path += f"/{self.plural}"
        return f"{path}/{quote(name, safe='')}" if name else path


CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps", namespaced=True)
SECRET = Kind("v1", "Secret", "secrets", namespaced=True)
POD = Kind("v1", "Pod", "pods", namespaced=True)
EVENT = Kind("v1", "Event", "events", namespaced=True)
SERVICE = Kind("v1", "Service", "services", namespaced=True)
NAMESPACE = Kind("v1", "Namespace", "namespaces", namespaced=False)
NODE = Kind("v1", "Node", "nodes", namespaced=False)
CRD_KIND = "CustomResourceDefinition"
CRD_GROUP = "apiextensions.k8s.io"


def version_path(api_version: str) -> str:
    """Return the path under which a version of a group is served."""
    prefix = "/apis" if "/" in api_version else "/api"
    return f"{prefix}/{quote(api_version)}"


def parse_resource_list(api_version: str, answer: Json) -> Mapping[str, Kind]:
    """Read the kinds in an APIResourceList; what has no path of its own, as `pods/log`, is none.

    Raises ValueError, which continues "the answer ", if there are more than MAX_KINDS.
    """
    found: dict[str, Kind] = {}
    for resource in _maps(items(answer, "resources")):
        kind, plural = resource.get("kind"), resource.get("name")
        if _matches(kind, KIND) and _matches(plural, OBJECT_NAME):
            found[kind] = Kind(api_version, kind, plural, resource.get("namespaced") is True)
            if len(found) > MAX_KINDS:
                raise ValueError(f"lists more than {MAX_KINDS} kinds")
    return found


def parse_group_list(answer: Json) -> Mapping[str, Sequence[str]]:
    """Read an APIGroupList: each group's versions such as `apps/v1`, the preferred one first.

    Raises ValueError, which continues "the answer ", if there are more than MAX_VERSIONS.
    """
    groups = _maps(items(answer, "groups"))
    listed = (
        version.get("groupVersion")
        for group in groups
        for version in (part(group, "preferredVersion"), *_maps(items(group, "versions")))
    )
    found: dict[str, list[str]] = {}
    for number, version in enumerate(dict.fromkeys(v for v in listed if _matches(v, API_VERSION))):
        if number == MAX_VERSIONS:
            raise ValueError(f"lists more than {MAX_VERSIONS} versions of groups")
        found.setdefault(version.rpartition("/")[0], []).append(version)
    return found


def parse_crd(crd: Json) -> Mapping[Gvk, Kind]:
    """Read the kinds that a CustomResourceDefinition defines; none if it is malformed."""
    spec, names = part(crd, "spec"), part(crd, "spec", "names")
    group, kind, plural = spec.get("group"), names.get("kind"), names.get("plural")
    if not (isinstance(group, str) and isinstance(kind, str) and _matches(plural, OBJECT_NAME)):
        return {}
    namespaced = spec.get("scope") == "Namespaced"
    return {
        (f"{group}/{name}", kind): Kind(f"{group}/{name}", kind, plural, namespaced)
        for version in _maps(items(spec, "versions"))
        if version.get("served") and isinstance(name := version.get("name"), str)
    }


def _matches(value: object, pattern: re.Pattern[str]) -> TypeGuard[str]:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _maps(values: list[Any]) -> list[Json]:
    return [value for value in values if isinstance(value, dict)]
