"""The operator's own API server, in memory, as far as the hook reads it; implements Kube."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from hooks.deadline import Deadline
from hooks.kube import JSON, MERGE_PATCH, KubeError, NotFound
from hooks.webhook import Json

_PLURALS = {"ConfigMap": "configmaps", "Secret": "secrets"}


@dataclass
class OwnCluster:
    """Objects by path; `broken` is raised by every read while it is set."""

    objects: dict[str, Json] = field(default_factory=dict)
    broken: KubeError | None = None
    reads: list[str] = field(default_factory=list)
    versions: int = 0

    def put(self, obj: Json) -> None:
        """Add or replace a ConfigMap or a Secret."""
        metadata = obj["metadata"]
        namespace = {"metadata": {"name": metadata["namespace"]}}
        self.objects.setdefault(f"/api/v1/namespaces/{metadata['namespace']}", namespace)
        plural = _PLURALS[obj["kind"]]
        path = f"/api/v1/namespaces/{metadata['namespace']}/{plural}/{metadata['name']}"
        self.versions += 1
        version = {"resourceVersion": str(self.versions), "uid": f"uid-of-{metadata['name']}"}
        self.objects[path] = {**obj, "metadata": {**metadata, **version}}

    def remove(self, kind: str, name: str, namespace: str) -> None:
        """Delete an object."""
        del self.objects[f"/api/v1/namespaces/{namespace}/{_PLURALS[kind]}/{name}"]

    def get(
        self,
        path: str,
        *,
        deadline: Deadline,
        params: Mapping[str, str] | None = None,
        accept: str = JSON,
    ) -> Json:
        """Read one object."""
        del deadline, params, accept
        self.reads.append(path)
        if self.broken is not None:
            raise self.broken
        if path not in self.objects:
            raise NotFound(f"GET {path}", 404, "not found")
        return self.objects[path]

    def list(
        self,
        path: str,
        *,
        deadline: Deadline,
        params: Mapping[str, str] | None = None,
        accept: str = JSON,
    ) -> Iterator[Json]:
        """Read the objects of a collection."""
        del deadline, accept
        self.reads.append(path)
        if self.broken is not None:
            raise self.broken
        key, _, value = (params or {}).get("labelSelector", "").partition("=")
        for object_path, obj in list(self.objects.items()):
            labels = obj["metadata"].get("labels") or {}
            if object_path.rpartition("/")[0] == path and (not key or labels.get(key) == value):
                yield obj

    def create(self, path: str, body: Json, *, deadline: Deadline) -> Json:
        """Fail: this hook writes nothing by itself."""
        raise AssertionError(f"POST {path} {body} {deadline}")

    def patch(
        self,
        path: str,
        body: Json,
        *,
        deadline: Deadline,
        content_type: str = MERGE_PATCH,
        params: Mapping[str, str] | None = None,
    ) -> Json:
        """Fail: this hook writes nothing by itself."""
        raise AssertionError(f"PATCH {path} {body} {deadline} {content_type} {params}")

    def delete(self, path: str, *, deadline: Deadline, options: Json | None = None) -> None:
        """Fail: this hook writes nothing by itself."""
        raise AssertionError(f"DELETE {path} {deadline} {options}")
