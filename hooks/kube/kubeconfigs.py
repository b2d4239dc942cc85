"""Knows what holds for every kubeconfig, whoever reads it."""

from collections import Counter
from collections.abc import Iterable

from hooks.http.texts import quote

#: Lists whose entries have names.
NAMED_LISTS = ("contexts", "clusters", "users")


def repeated_name(names: Iterable[object]) -> str:
    """Say which name several entries of a list have; empty where each has its own.

    client-go refuses such a kubeconfig (`duplicate name`, tools/clientcmd/api/v1/conversion.go),
    whichever entry is used.
    """
    found = (
        f"has {count} entries named {quote(name)}; each must have its own name"
        for name, count in Counter(map(str, names)).items()
        if count > 1
    )
    return next(found, "")
