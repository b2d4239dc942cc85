"""What syncing and finalizing share: their decision, and the inventory's ConfigMaps."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from hooks.http.bounded_json import Json
from hooks.kube.conditions import Condition
from hooks.targetclusters.plan.facts import Facts
from hooks.targetclusters.sync.plan.applyset import recorded_sets
from hooks.targetclusters.sync.plan.inventory import Inventory

SYNCED = "ResourcesSynced"


@dataclass(frozen=True)
class Decision:
    """What to answer about the resources on the cluster.

    Attributes:
        children: the inventory's ConfigMaps.
        condition: ResourcesSynced.
        sync: `status.sync`; empty if it stays as it is.
        wait: seconds until the next call is useful; None if nothing here needs one.
        start: the inventory to start a round with; None for no round.
        stop: stop the running sync round.
        finalized: nothing is left to be done before the TargetCluster goes.
        event: reason and message.
    """

    children: list[Json]
    condition: Condition
    sync: Json = field(default_factory=dict)
    wait: float | None = None
    start: Inventory | None = None
    stop: bool = False
    finalized: bool = False
    event: tuple[str, str] | None = None


def present_children(config_maps: Iterable[Json]) -> list[Json]:
    """Return the ConfigMaps as they are, with only the fields that we own."""
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": config_map["metadata"]["name"],
                "namespace": config_map["metadata"].get("namespace"),
            },
            "data": config_map.get("data") or {},
        }
        for config_map in config_maps
    ]


def inventory_children(facts: Facts, new: Inventory | None = None) -> list[Json]:
    """Return the ConfigMaps of a new inventory, else the present ones."""
    if new is None:
        return present_children(facts.config_maps)
    namespace, _, name = facts.key.partition("/")
    return new.to_config_maps(name=name, namespace=namespace)


def count_objects(cluster: str, inventory: Inventory) -> int:
    """Count the objects of an inventory; an ApplySet's own ConfigMap is not one of them."""
    return len(inventory.by_key) - len(recorded_sets(cluster, inventory))
