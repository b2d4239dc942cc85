"""Reads and deletes the ConfigMaps of ApplySets that earlier builds made on a target.

What is refused about them stops nothing: the objects are told by the inventory.
"""

from collections.abc import Iterator
from contextlib import suppress

from hooks.kube.client import KubeRefused
from hooks.kube.kinds import CONFIG_MAP
from hooks.names import FIELD_MANAGER
from hooks.targetclusters.sync.plan.decide import read_live
from hooks.targetclusters.sync.plan.former_sets import is_former_set, read_tool, set_id
from hooks.targetclusters.sync.plan.inventory import Inventory, InventoryEntry, ObjectKey
from hooks.targetclusters.sync.target import Target


def read(target: Target, recorded: Inventory) -> dict[str, str]:
    """Return the ids of the recorded sets, with the tool that took one over; empty for none."""
    tools = {set_id(entry): "" for entry, _ in _sets(recorded)}
    with suppress(KubeRefused):
        for entry, path in _sets(recorded):
            tool = read_tool(target.find(path) or {}, entry)
            tools[set_id(entry)] = "" if tool == FIELD_MANAGER else tool
    return tools


def delete(target: Target, recorded: Inventory) -> frozenset[ObjectKey]:
    """Delete the sets of ours, which no object needs any more; return those that are gone."""
    gone: set[ObjectKey] = set()
    with suppress(KubeRefused):
        for entry, path in _sets(recorded):
            found = target.find(path) or {}
            tool, live = read_tool(found, entry), read_live(found)
            if tool == FIELD_MANAGER and live:
                target.delete(path, live)
            if tool in ("", FIELD_MANAGER):
                gone.add(entry.key)
    return frozenset(gone)


def _sets(recorded: Inventory) -> Iterator[tuple[InventoryEntry, str]]:
    """Return the sets in an inventory, with the paths of their ConfigMaps."""
    for entry in filter(is_former_set, recorded.by_key.values()):
        yield entry, CONFIG_MAP.path(entry.namespace, entry.name)
