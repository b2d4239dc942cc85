"""The writes on Nodes that Metacontroller cannot do, each on one version of one Node only."""

from dataclasses import dataclass, field

from hooks.http.bounded_json import Json
from hooks.nodes.plan.addresses import NodeAddress


@dataclass(frozen=True)
class _Patch:
    """A patch of the version that was read; Metacontroller may call with an outdated one.

    The same patch of another version is equal: it was written, and something reverted it.
    """

    node: str
    uid: str
    resource_version: str = field(compare=False)


@dataclass(frozen=True)
class AddressPatch(_Patch):
    """Set `status.addresses`, whole and in this order."""

    addresses: tuple[NodeAddress, ...]


@dataclass(frozen=True)
class SpecPatch(_Patch):
    """Set the provider id (None leaves it) and all taints in one write."""

    provider_id: str | None
    taints: tuple[Json, ...]


@dataclass(frozen=True)
class NodeDeletion:
    """Delete the Node."""

    node: str
    uid: str
    resource_version: str


NodeAction = AddressPatch | SpecPatch | NodeDeletion
