"""The operator's own API server, in memory, as far as the hook reads it."""

from hooks.http.bounded_json import Json
from hooks.kube.client import METADATA, KubeUnreachable
from tests.kubes import Call
from tests.memory_kube import MemoryKube


class OwnCluster(MemoryKube):
    """ConfigMaps and Secrets, each with its namespace.

    Attributes:
        whole_reads: the paths of objects that were read with more than their metadata.
    """

    def __init__(self) -> None:
        super().__init__()
        self.whole_reads: list[str] = []
        self._versions = 0
        hub = {"name": "kube-system", "uid": "uid-of-hub"}
        self.store.put({"apiVersion": "v1", "kind": "Namespace", "metadata": hub})

    def put(self, obj: Json) -> None:
        """Add or replace a ConfigMap or a Secret."""
        metadata = obj["metadata"]
        namespace = {"name": metadata["namespace"]}
        self.store.put({"apiVersion": "v1", "kind": "Namespace", "metadata": namespace})
        self._versions += 1
        version = {"resourceVersion": str(self._versions), "uid": f"uid-of-{metadata['name']}"}
        self.store.put({"apiVersion": "v1", **obj, "metadata": {**metadata, **version}})

    def remove(self, kind: str, name: str, namespace: str) -> None:
        """Delete an object."""
        del self.objects[f"/api/v1/namespaces/{namespace}/{kind.lower()}s/{name}"]

    def answer(self, call: Call) -> Json:
        """Return the answer to a read; this hook writes nothing by itself but Leases."""
        assert call.verb in ("get", "list") or "/leases" in call.path, call
        if call.deadline.passed():  # of a job that was stopped
            raise KubeUnreachable(f"{call.method} {call.path}: not sent, no time is left")
        answer = super().answer(call)
        if call.verb == "get" and call.accept != METADATA:
            self.whole_reads.append(call.path)
        return answer
