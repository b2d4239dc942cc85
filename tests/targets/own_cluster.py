"""The operator's own API server, in memory, as far as the hook reads it."""

from dataclasses import dataclass, field

from hooks.http.bounded_json import Json
from hooks.kube.client import METADATA, KubeError, NotFound
from tests.kubes import Answering, Call

_PLURALS = {"ConfigMap": "configmaps", "Secret": "secrets"}


@dataclass
class OwnCluster(Answering):
    """Objects by path; `broken` is raised by every read while it is set.

    Attributes:
        reads: the paths that were read.
        whole_reads: those of them that were read with more than their metadata.
    """

    objects: dict[str, Json] = field(default_factory=dict)
    broken: KubeError | None = None
    reads: list[str] = field(default_factory=list)
    whole_reads: list[str] = field(default_factory=list)
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

    def answer(self, call: Call) -> Json:
        """Answer a read; this hook writes nothing by itself."""
        assert call.verb in ("get", "list"), call
        self.reads.append(call.path)
        if self.broken is not None:
            raise self.broken
        if call.verb == "list":
            return {"items": self._listed(call)}
        if call.path not in self.objects:
            raise NotFound(f"GET {call.path}", 404, "not found")
        obj = self.objects[call.path]
        if call.accept == METADATA:
            return {"metadata": obj["metadata"]}
        self.whole_reads.append(call.path)
        return obj

    def _listed(self, call: Call) -> list[Json]:
        key, _, value = (call.params or {}).get("labelSelector", "").partition("=")
        return [
            obj
            for path, obj in list(self.objects.items())
            if path.rpartition("/")[0] == call.path
            and (not key or (obj["metadata"].get("labels") or {}).get(key) == value)
        ]
