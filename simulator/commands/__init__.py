"""One module for each family of CloudStack commands; importing this registers them all."""

from simulator.commands import (
    accounts,
    catalogue,
    jobs,
    networks,
    nics,
    projects,
    tags,
    virtual_machines,
    vm_lists,
)

__all__ = [
    "accounts",
    "catalogue",
    "jobs",
    "networks",
    "nics",
    "projects",
    "tags",
    "virtual_machines",
    "vm_lists",
]
