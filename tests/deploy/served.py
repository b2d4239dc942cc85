"""Which metrics queries use, and whether the hooks serve them."""

import re
from collections.abc import Iterable

from tests.deploy.rendering import PROJECT

_METRIC = re.compile(r"\b(?:cloudstack|target_cluster|hook|config|kube)_[a-z_]+\b")
#: What the samples of a histogram have behind its name.
_SAMPLE = re.compile(r"_(bucket|sum|count)$")
_PAGE = (PROJECT / "docs" / "reference" / "metrics.md").read_text()


def metrics_of(queries: Iterable[str]) -> set[str]:
    """Return the names of our metrics in queries."""
    return {name for query in queries for name in _METRIC.findall(query)}


def unserved(names: Iterable[str]) -> list[str]:
    """Return those of some metrics that the page of all metrics does not have."""
    return [
        name
        for name in sorted(names)
        if f"`{name}`" not in _PAGE and f"`{_SAMPLE.sub('', name)}`" not in _PAGE
    ]
