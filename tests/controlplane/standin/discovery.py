"""Knows which kinds the API server serves, as of the last look."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from tests.controlplane.api import Api, Object, Resource
from tests.controlplane.standin import objects
from tests.controlplane.standin.errors import SyncError


class UnknownKindError(SyncError):
    """A kind or resource was not served when last looked; it may be a moment later."""


@dataclass(frozen=True)
class Kind:
    """One kind of object in one version, and how it is reached."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool
    has_status: bool
    resource: Resource

    @property
    def key(self) -> str:
        """Return the outer key of v2 maps."""
        return objects.kind_key(self.api_version, self.kind)


class Discovery:
    """The kinds of one API server; `refresh` looks again. Threads may share it."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._lock = threading.Lock()
        self._kinds: list[Kind] = []

    def refresh(self) -> None:
        """Look what is served now."""
        accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        found = [
            self._kind(api_version, resource)
            for path in ("/api", "/apis")
            for group in self._api.call("GET", path, headers={"Accept": accept})["items"]
            for version in group["versions"]
            for api_version in [_api_version(group, version)]
            for resource in version["resources"]
        ]
        with self._lock:
            self._kinds = found

    def resource(self, api_version: str, plural: str) -> Kind:
        """Return a kind by the plural name in its URL."""
        return self._find(lambda kind: kind.plural == plural, api_version, plural)

    def kind(self, api_version: str, kind: str) -> Kind:
        """Return a kind by its name in objects."""
        return self._find(lambda known: known.kind == kind, api_version, kind)

    def _find(self, is_it: Callable[[Kind], bool], api_version: str, asked: str) -> Kind:
        with self._lock:
            kinds = self._kinds
        for kind in kinds:
            if kind.api_version == api_version and is_it(kind):
                return kind
        raise UnknownKindError(f"the API server has no {asked} in {api_version or '(none)'}")

    def _kind(self, api_version: str, resource: Object) -> Kind:
        plural, namespaced = str(resource["resource"]), resource["scope"] == "Namespaced"
        subresources = {item["subresource"] for item in resource.get("subresources") or []}
        return Kind(
            api_version=api_version,
            kind=str(resource["responseKind"]["kind"]),
            plural=plural,
            namespaced=namespaced,
            has_status="status" in subresources,
            resource=self._api.resource(api_version, plural, namespaced=namespaced),
        )


def _api_version(group: Object, version: Object) -> str:
    name = group["metadata"].get("name", "")
    return f"{name}/{version['version']}" if name else str(version["version"])
