"""The finalizers of a Service: no answer to Metacontroller can name them, so a hook writes them."""

from dataclasses import dataclass

from hooks.http.bounded_json import Json


@dataclass(frozen=True, slots=True)
class ServiceFinalizers:
    """Have a Service hold just these finalizers, if it is still as it was read.

    Attributes:
        namespace, name: the Service.
        resource_version: what was read; the API server refuses to write to a Service that changed
            since.
        finalizers: all that it is to have.
    """

    namespace: str
    name: str
    resource_version: str
    finalizers: tuple[str, ...]

    @property
    def path(self) -> str:
        """Answer where the Service is in the Kubernetes API."""
        return f"/api/v1/namespaces/{self.namespace}/services/{self.name}"

    @property
    def patch(self) -> Json:
        """Answer what to write there."""
        return {
            "metadata": {
                "resourceVersion": self.resource_version,
                "finalizers": list(self.finalizers),
            }
        }
