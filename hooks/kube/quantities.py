"""Adds up Kubernetes quantities, such as 3920m and 4, or 8145636Ki and 8Gi."""

import re
from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache

#: The resources that are added up; a cluster may invent any number of others.
RESOURCES = ("cpu", "memory", "ephemeral-storage", "pods")

#: What is parsed: numbers of a bounded size, since a cluster sends what it likes.
_QUANTITY = re.compile(r"[0-9]{1,20}(\.[0-9]{1,12})?([numkMGTPE]|[KMGTPE]i|[eE][0-9]{1,2})?")
_BINARY = {f"{unit}i": 1024 ** (6 - index) for index, unit in enumerate("EPTGMK")}
_SUFFIXES = {
    "": Decimal(1),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("num", start=-3)},
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", start=1)},
    **{unit: Decimal(size) for unit, size in _BINARY.items()},
}


def read_quantity(text: object) -> Decimal | None:
    """Read a quantity; None for anything else."""
    if isinstance(text, str) and _QUANTITY.fullmatch(text):
        return _parse(text)
    return None


@lru_cache(maxsize=1024)  # most nodes of a cluster have the same quantities
def _parse(text: str) -> Decimal:
    number = text.rstrip("numkKMGTPEi")  # 1E3 is a number, and 1E has a suffix
    return Decimal(number) * _SUFFIXES[text[len(number) :]]


def add_quantities(totals: dict[str, Decimal], quantities: object) -> None:
    """Add one node's quantities to totals by resource; what is not a quantity is left out."""
    if isinstance(quantities, Mapping):
        for resource in RESOURCES:
            quantity = read_quantity(quantities.get(resource))
            if quantity is not None:
                totals[resource] = totals.get(resource, Decimal(0)) + quantity


def write_quantities(totals: Mapping[str, Decimal]) -> dict[str, str]:
    """Return totals as Kubernetes writes them, in the largest unit that loses nothing."""
    return {each: _write(each, totals[each]) for each in RESOURCES if each in totals}


def _write(resource: str, quantity: Decimal) -> str:
    if quantity != quantity.to_integral_value():
        return f"{(quantity * 1000).to_integral_value(ROUND_CEILING)}m"
    whole = int(quantity)
    if resource in ("memory", "ephemeral-storage") and whole:
        for unit, size in _BINARY.items():
            if whole % size == 0:
                return f"{whole // size}{unit}"
    return str(whole)
