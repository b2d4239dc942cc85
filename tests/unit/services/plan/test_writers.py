"""Whose name is ours among the writers of a Service's status."""

import pytest

from hooks.http.bounded_json import Json
from hooks.names import LOAD_BALANCER_READY
from hooks.services.plan.writers import find_writers

KEY = f'k:{{"type":"{LOAD_BALANCER_READY}"}}'
WHOLE = ("f:message", "f:reason", "f:status")


def service(**writers: tuple[str, ...]) -> Json:
    """Write a Service whose condition these managers wrote these fields of."""
    entries = [
        {
            "manager": name,
            "time": "2026-11-30T10:00:00Z",
            "fieldsV1": {"f:status": {"f:conditions": {KEY: {key: {} for key in fields}}}},
        }
        for name, fields in writers.items()
    ]
    return {"metadata": {"managedFields": entries}}


@pytest.mark.parametrize(
    ("known", "writers", "own", "others"),
    [
        ("", {"meta": ("f:type", *WHOLE)}, "meta", [""]),
        ("", {"meta": WHOLE}, "meta", [""]),
        ("other", {"meta": WHOLE}, "meta", [""]),
        ("meta", {"meta": WHOLE, "other": ("f:message",)}, "meta", ["other"]),
        ("", {"meta": ("f:type", "f:status"), "other": ("f:message",)}, "meta", ["other"]),
        ("", {"meta": WHOLE, "other": ("f:message",)}, "", ["meta", "other"]),
        ("", {"other": ("f:message",)}, "", ["other"]),
    ],
    ids=[
        "the type",
        "all but the type",
        "all but the type, where another was known",
        "known, beside another's",
        "the type, beside another's",
        "nobody has the type, and two have more",
        "a part alone",
    ],
)
def test_ours_is_who_wrote_the_condition(
    known: str, writers: dict[str, tuple[str, ...]], own: str, others: list[str]
) -> None:
    found = find_writers(service(**writers), known)
    assert found.own == own
    assert sorted(each.manager for each in found.others) == others
