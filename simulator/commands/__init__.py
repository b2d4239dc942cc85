"""One module for each family of CloudStack commands; importing this registers them all."""

from simulator.commands import (
    accounts,
    addresses,
    catalogue,
    firewall,
    jobs,
    limits,
    load_balancers,
    members,
    networks,
    nics,
    port_forwarding,
    projects,
    stickiness,
    tags,
    virtual_machines,
    vm_lists,
)

__all__ = [
    "accounts",
    "addresses",
    "catalogue",
    "firewall",
    "jobs",
    "limits",
    "load_balancers",
    "members",
    "networks",
    "nics",
    "port_forwarding",
    "projects",
    "stickiness",
    "tags",
    "virtual_machines",
    "vm_lists",
]
