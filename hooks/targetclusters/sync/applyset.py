"""Keeps the ConfigMap that stands for a TargetCluster's ApplySet on its target."""

from contextlib import suppress

from hooks.http.bounded_json import Json
from hooks.kube.client import KubeError, NotFound
from hooks.names import ANNOTATION_APPLYSET_TOOLING, FIELD_MANAGER
from hooks.targetclusters.sync.plan.applyset import ApplySet, Extent, extent_told, pairs, tool
from hooks.targetclusters.sync.plan.object import see
from hooks.targetclusters.sync.target import Target, make_namespace


class NotOurs(KubeError):
    """The ApplySet is looked after by another tool."""


class Parent:
    """The ConfigMap of one ApplySet during one round."""

    def __init__(self, target: Target, applyset: ApplySet) -> None:
        self._target = target
        self._applyset = applyset
        self._found: Json | None = None

    def read(self) -> Extent:
        """Read it; answer the extent that it tells, nothing where it is not there.

        Raises:
            NotOurs: another tool has taken the set over; KEP-3659 says to leave it alone then.
        """
        self._found = self._target.find(self._applyset.path)
        if self._found is None:
            return Extent()
        if tool(self._found) not in {"", FIELD_MANAGER}:
            owner = pairs(self._found, "annotations").get(ANNOTATION_APPLYSET_TOOLING)
            where = f"ConfigMap {self._applyset.namespace}/{self._applyset.name}"
            raise NotOurs(f"{where}: this ApplySet is looked after by {owner}")
        return extent_told(self._found) | Extent(namespaces=frozenset([self._applyset.namespace]))

    def write(self, extent: Extent, *, described: frozenset[str]) -> None:
        """Have it tell this extent; costs nothing where it does.

        Args:
            extent: of the set.
            described: namespaces that are not to be made on the way.
        """
        wanted = self._applyset.parent(extent)
        found = self._found
        if found is not None and all(
            wanted["metadata"][which].items() <= pairs(found, which).items()
            for which in ("labels", "annotations")
        ):
            return
        try:
            self._found = self._target.apply(self._applyset.path, wanted, force=True)
        except NotFound:
            name = self._applyset.namespace
            if name in described or not make_namespace(self._target, name):
                raise
            self._found = self._target.apply(self._applyset.path, wanted, force=True)

    def delete(self) -> None:
        """Delete it, where it is there and ours; raises Conflict where it changes meanwhile."""
        found = self._target.find(self._applyset.path)
        seen = see(found) if found is not None else None
        if found is None or seen is None or tool(found) != FIELD_MANAGER:
            return
        with suppress(NotFound):
            self._target.delete(
                self._applyset.path, uid=seen.uid, resource_version=seen.resource_version
            )
