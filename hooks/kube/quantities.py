"""Adds up Kubernetes quantities, such as 3920m and 4, or 8145636Ki and 8Gi."""

import re
from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache

from kubernetes.utils.quantity import parse_quantity

#: The resources that are added up; a cluster may invent any number of others.
RESOURCES = ("cpu", "memory", "ephemeral-storage", "pods")

#: What is parsed: numbers of a bounded size, since a cluster sends what it likes.
_QUANTITY = re.compile(r"[0-9]{1,20}(\.[0-9]{1,12})?([numkMGTPE]|[KMGTPE]i|[eE][0-9]{1,2})?")
_BINARY = {f"{unit}i": 1024 ** (6 - index) for index, unit in enumerate("EPTGMK")}


def read_quantity(text: object) -> Decimal | None:
    """Read a quantity; None for anything else."""
    if isinstance(text, str) and _QUANTITY.fullmatch(text):
        return _parse(text)
    return None


@lru_cache(maxsize=1024)  # most nodes of a cluster have the same quantities
def _parse(text: str) -> Decimal:
    parsed: Decimal = parse_quantity(text)  # type: ignore[no-untyped-call]
    return parsed


class ResourceTotals:
    """Adds up the resources of nodes."""

    def __init__(self) -> None:
        self._totals: dict[str, Decimal] = {}

    def add(self, quantities: object) -> None:
        """Add one node's quantities; what is not a quantity is left out."""
        if isinstance(quantities, Mapping):
            for resource in RESOURCES:
                quantity = read_quantity(quantities.get(resource))
                if quantity is not None:
                    self._totals[resource] = self._totals.get(resource, Decimal(0)) + quantity

    def quantities(self) -> dict[str, str]:
        """Return the totals as Kubernetes writes them, in the largest unit that loses nothing."""
        return {
            resource: _write(resource, self._totals[resource])
            for resource in RESOURCES
            if resource in self._totals
        }


def _write(resource: str, quantity: Decimal) -> str:
    if quantity != quantity.to_integral_value():
        return f"{(quantity * 1000).to_integral_value(ROUND_CEILING)}m"
    whole = int(quantity)
    if resource in ("memory", "ephemeral-storage") and whole:
        for unit, size in _BINARY.items():
            if whole % size == 0:
                return f"{whole // size}{unit}"
    return str(whole)
