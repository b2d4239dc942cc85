"""Worlds with two zones and two accounts, made for one test."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

Machine = dict[str, Any]
#: A network for each zone and account.
NETWORKS = {("zone-1", "user"): "net-1", ("zone-2", "user"): "net-2", ("zone-1", "other"): "net-3"}


def machine(name: str, *, zone: str = "zone-1", account: str = "user", **more: Any) -> Machine:
    """Return a VM of a world file."""
    networks = [NETWORKS[zone, account]]
    return {"name": name, "offering": "Small", "networks": networks, "account": account, **more}


def write_world(folder: Path, machines: Iterable[Machine]) -> str:
    """Write a world file with these VMs; return its path, which a Simulator takes."""
    world = {
        "zones": [{"name": "zone-1"}, {"name": "zone-2"}],
        "accounts": [
            {"name": "admin", "role": "Admin"},
            {"name": "user", "limits": {"user_vm": 100}},
            {"name": "other"},
        ],
        "serviceofferings": [{"name": "Small", "cpunumber": 1, "cpuspeed": 500, "memory": 512}],
        "templates": [{"name": "Linux"}],
        "networks": [
            {"name": "net-1", "cidr": "10.1.0.0/16", "zone": "zone-1", "account": "user"},
            {"name": "net-2", "cidr": "10.2.0.0/16", "zone": "zone-2", "account": "user"},
            {"name": "net-3", "cidr": "10.3.0.0/16", "zone": "zone-1", "account": "other"},
            {"name": "net-4", "cidr": "10.4.0.0/16", "zone": "zone-1", "account": "user"},
        ],
        "publicaddresses": [
            {"first": "198.51.100.10", "last": "198.51.100.99", "zone": "zone-1"},
            {"first": "203.0.113.10", "last": "203.0.113.99", "zone": "zone-2"},
        ],
        "virtualmachines": list(machines),
    }
    path = folder / "world.yaml"
    path.write_text(yaml.safe_dump(world))
    return str(path)
