"""The writes on Nodes that Metacontroller cannot do."""

from dataclasses import dataclass, field

from hooks.http.bounded_json import Json
from hooks.nodes.plan.addresses import Address


@dataclass(frozen=True)
class AddressPatch:
    """Set `status.addresses`, whole and in this order, on this version only.

    Metacontroller may call with a Node from before our last patch: its version is then outdated.
    """

    node: str
    uid: str
    resource_version: str = field(compare=False)
    addresses: tuple[Address, ...]


@dataclass(frozen=True)
class SpecPatch:
    """Set the provider id (None leaves it) and all taints in one write, on this version only.

    The same patch of another version is equal: it was written, and something reverted it.
    """

    node: str
    uid: str
    resource_version: str = field(compare=False)
    provider_id: str | None
    taints: tuple[Json, ...]


@dataclass(frozen=True)
class NodeDeletion:
    """Delete the Node, of this uid and version only."""

    node: str
    uid: str
    resource_version: str


NodeAction = AddressPatch | SpecPatch | NodeDeletion
