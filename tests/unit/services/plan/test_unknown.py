"""Annotations of our prefix that do not exist are told, with the nearest that does."""

import pytest

from hooks import names
from hooks.kube.annotations import MAX_UNKNOWN
from hooks.services.plan.plan import plan
from hooks.services.plan.spec import wanted_spec
from hooks.services.plan.unknown import KNOWN, unknown_annotations
from tests.unit.services.objects import (
    PREFIX,
    facts,
    load_balancer,
    ours,
    own_condition,
    service,
    serving,
)

NOTHING = "there is no such annotation, so it has no effect"


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("proxy-protcol", "proxy-protocol"),
        ("Proxy-Protocol", "proxy-protocol"),
        ("source-cidr", "source-cidrs"),
        ("keepip", "keep-ip"),
        ("adress", "address"),
        ("nodeselector", "node-selector"),
        ("", ""),
        ("colour", ""),
        ("x" * 250, ""),
    ],
)
def test_the_nearest_annotation_is_named(word: str, meant: str) -> None:
    hint = f"; is {PREFIX}{meant} meant?" if meant else ""
    found = list(unknown_annotations({PREFIX + word: "true", "example.com/other": ""}))
    assert found == [(PREFIX + word, NOTHING + hint)]


def test_those_that_exist_are_known_also_of_other_providers() -> None:
    assert {"proxy-protocol", "id", "network-id", "ip-associated-by-controller"} <= set(KNOWN)
    assert list(unknown_annotations(dict.fromkeys((PREFIX + word for word in KNOWN), ""))) == []


def test_few_are_named_of_many() -> None:
    many = {f"{PREFIX}unknown-{number}": "" for number in range(200)}
    assert len(list(unknown_annotations(many))) == MAX_UNKNOWN


def test_the_condition_says_so_and_an_event_tells_it_once() -> None:
    misspelt = f'metadata.annotations["{PREFIX}proxy-protcol"]: {NOTHING}'
    note = f"{misspelt}; is {PREFIX}proxy-protocol meant?"
    balanced = load_balancer(status=serving())
    condition = own_condition(message="203.0.113.10: rules 1/1, members 3/3")
    observed = service({"proxy-protcol": "true"}, status=ours(condition, ip="203.0.113.10"))
    first = plan(facts(observed, balanced))
    status = first.response["status"] or {}
    assert note in status["conditions"][0]["message"]
    told = [each for each in first.events if each.reason == names.EVENT_UNKNOWN_ANNOTATION]
    assert [(each.type, each.message) for each in told] == [("Warning", note)]
    again = {**observed, "status": status}
    events = [each.reason for each in plan(facts(again, balanced)).events]
    assert names.EVENT_UNKNOWN_ANNOTATION not in events


def test_it_keeps_nothing_from_being_served() -> None:
    spec = wanted_spec(facts(service({"proxy-protcol": "true"})))
    assert spec["invalid"] == []
    assert not spec["ports"][0]["proxyProtocol"]
    assert [each["field"] for each in spec["ignored"]] == [
        f'metadata.annotations["{PREFIX}proxy-protcol"]'
    ]
