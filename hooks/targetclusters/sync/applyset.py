"""Reads and writes the ConfigMap that stands for an ApplySet on a target."""

from dataclasses import dataclass

from hooks.http.bounded_json import Json
from hooks.kube.client import KubeError
from hooks.kube.objects import annotations, part
from hooks.names import ANNOTATION_APPLYSET_TOOLING, FIELD_MANAGER
from hooks.targetclusters.sync.plan.applyset import ApplySet, Scope, read_scope, read_tool
from hooks.targetclusters.sync.plan.decide import read_live
from hooks.targetclusters.sync.target import Target


@dataclass
class ApplySetConfigMap:
    """The ConfigMap of one ApplySet during one round.

    Attributes:
        found: as it was last read or written; None if it does not exist.
    """

    target: Target
    applyset: ApplySet
    found: Json | None = None

    def read(self) -> Scope:
        """Read it, and return the scope that it declares; an empty one if it does not exist.

        Raises:
            KubeError: another tool manages the set; KEP-3659 says to leave it alone then.
        """
        self.found = self.target.find(self.applyset.path)
        if self.found is None:
            return Scope()
        if read_tool(self.found) not in {"", FIELD_MANAGER}:
            owner = annotations(self.found).get(ANNOTATION_APPLYSET_TOOLING)
            raise KubeError(f"{self.applyset.entry.key}: this ApplySet is managed by {owner}")
        return read_scope(self.found) | Scope(namespaces=frozenset([self.applyset.namespace]))

    def write(self, scope: Scope) -> None:
        """Make it declare a scope; does nothing if it does."""
        wanted = self.applyset.config_map(scope)
        found = self.found
        if found is None or any(
            not wanted["metadata"][field].items() <= part(found, "metadata", field).items()
            for field in ("labels", "annotations")
        ):
            self.found = self.target.apply_new(self.applyset.path, wanted)

    def delete(self) -> None:
        """Delete it, if it exists and is ours. Raises Conflict if it changes meanwhile."""
        found = self.target.find(self.applyset.path)
        live = read_live(found) if found is not None else None
        if found is not None and live is not None and read_tool(found) == FIELD_MANAGER:
            self.target.delete(self.applyset.path, live)
