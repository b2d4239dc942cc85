"""Asks a target what we may do there, before it is needed."""

from collections.abc import Iterable
from dataclasses import dataclass

from hooks.http.deadline import Deadline
from hooks.kube.client import Kube
from hooks.kube.objects import part

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@dataclass(frozen=True, slots=True)
class Right:
    """A right on all objects of a resource of the core group; of a namespace if it is in one."""

    verb: str
    resource: str
    namespace: str = ""

    def __str__(self) -> str:
        """Name it for people."""
        return f"{self.verb} {self.resource}" + (f" in {self.namespace}" if self.namespace else "")


#: To look at a node once more before it is repaired.
GET_NODES = Right("get", "nodes")


def pod_rights(namespace: str) -> tuple[Right, ...]:
    """Return what a pod of a namespace takes to be deleted: a last look, and the deletion."""
    return Right("get", "pods", namespace), Right("delete", "pods", namespace)


def find_missing(target: Kube, rights: Iterable[Right], deadline: Deadline) -> tuple[Right, ...]:
    """Return the rights that we do not have on a target, in order. Raises KubeError."""
    return tuple(right for right in rights if not _has(target, right, deadline))


def _has(target: Kube, right: Right, deadline: Deadline) -> bool:
    attributes = {"verb": right.verb, "resource": right.resource}
    if right.namespace:
        attributes["namespace"] = right.namespace
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = target.create(_REVIEWS, review, deadline=deadline)
    return part(answer, "status").get("allowed") is True
