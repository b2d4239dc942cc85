"""Patches of a Service's finalizers, which no answer to Metacontroller can change."""

from dataclasses import dataclass

from hooks.http.bounded_json import Json


@dataclass(frozen=True, slots=True)
class ServiceFinalizers:
    """Give a Service exactly these finalizers, if it is unchanged since it was read.

    Attributes:
        namespace, name: the Service.
        resource_version: as it was read; the API server refuses the patch of a changed Service.
        finalizers: all that it will have.
    """

    namespace: str
    name: str
    resource_version: str
    finalizers: tuple[str, ...]

    @property
    def path(self) -> str:
        """Return the Service's path in the Kubernetes API."""
        return f"/api/v1/namespaces/{self.namespace}/services/{self.name}"

    @property
    def patch(self) -> Json:
        """Return the merge patch."""
        return {
            "metadata": {
                "resourceVersion": self.resource_version,
                "finalizers": list(self.finalizers),
            }
        }
