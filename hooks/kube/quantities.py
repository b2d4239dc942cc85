"""Adds up Kubernetes quantities, such as 3920m and 4, or 8145636Ki and 8Gi."""

import re
from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache

#: The resources that are added up; a cluster may invent any number of others.
RESOURCES = ("cpu", "memory", "ephemeral-storage", "pods")

_QUANTITY = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,12})?)([numkMGTPE]|[KMGTPE]i|[eE][0-9]{1,2}|)")
_MAX_LENGTH = 40
_SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", start=1)},
}
_BINARY = ("Ei", "Pi", "Ti", "Gi", "Mi", "Ki")


def parse_quantity(text: object) -> Decimal | None:
    """Read a quantity; None for anything else, which a cluster may well send."""
    return _parse(text) if isinstance(text, str) and len(text) <= _MAX_LENGTH else None


@lru_cache(maxsize=1024)  # most nodes of a cluster have the same quantities
def _parse(text: str) -> Decimal | None:
    match = _QUANTITY.fullmatch(text)
    if match is None:
        return None
    number, suffix = match.groups()
    if suffix[:1] in ("e", "E") and suffix[1:].isdigit():
        return Decimal(number) * Decimal(10) ** int(suffix[1:])
    return Decimal(number) * _SUFFIXES[suffix]


class ResourceTotals:
    """Adds up the resources of nodes."""

    def __init__(self) -> None:
        self._totals: dict[str, Decimal] = {}

    def add(self, quantities: object) -> None:
        """Add one node's quantities; what is not a quantity is left out."""
        if isinstance(quantities, Mapping):
            for resource in RESOURCES:
                quantity = parse_quantity(quantities.get(resource))
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
        for unit in _BINARY:
            if whole % int(_SUFFIXES[unit]) == 0:
                return f"{whole // int(_SUFFIXES[unit])}{unit}"
    return str(whole)
