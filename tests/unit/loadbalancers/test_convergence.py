"""From any state, a few passes of plan and apply converge, and then the plan is empty."""

from copy import deepcopy
from dataclasses import replace
from ipaddress import IPv4Network, collapse_addresses
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hooks.http.bounded_json import Json
from hooks.loadbalancers.plan.ranges import covers
from hooks.loadbalancers.request import read
from tests.unit.loadbalancers.builders import NODES, body, instance, port
from tests.unit.loadbalancers.generated import (
    EVERYONE,
    Play,
    by_port,
    check_firewall,
    check_rules,
    humans,
    our_addresses,
    own_firewall_rules,
    own_rules,
    refused,
    slowly,
    spec_of,
    specs,
    worlds,
)
from tests.unit.loadbalancers.model import Model


@slowly
@given(worlds(), specs)
def test_the_plan_after_apply_is_empty_and_the_world_is_as_asked(
    model: Model, drawn: dict[str, Any]
) -> None:
    play = Play(model, spec_of(drawn))
    before = humans(model)
    play.settle()
    final = play.plan()
    assert [str(each) for each in final.actions if each not in refused(play)] == []
    assert humans(model) == before
    asked = read(play.body)
    if our_addresses(model):
        check_firewall(model, asked.spec, check_rules(model, asked))


@slowly
@given(worlds(), specs, st.lists(st.integers(0, 12), max_size=4))
def test_crashes_at_any_point_do_not_change_the_result(
    model: Model, drawn: dict[str, Any], deaths: list[int]
) -> None:
    undisturbed = Play(deepcopy(model), spec_of(drawn))
    undisturbed.settle()
    play = Play(model, spec_of(drawn))
    for after in deaths:
        play.call(die_after=after)
    play.settle()
    assert shape(model) == shape(undisturbed.model)


def shape(model: Model) -> Json:
    """Return everything that exists, without ids."""
    rules = model.rules.values()
    return {
        "addresses": sorted(
            (each.ip_address, each.network_id, str(sorted(each.tags, key=str)))
            for each in model.addresses.values()
        ),
        "rules": sorted(
            str((replace(each, id="", tags=()), sorted(model.members.get(each.id, ()))))
            for each in rules
        ),
        "tags": sorted(str(sorted(each.tags, key=str)) for each in rules),
        "open": sorted(
            (port_key, [str(each) for each in collapse_addresses(map(IPv4Network, cidrs))])
            for port_key, cidrs in by_port(own_firewall_rules(model, model.addresses)).items()
        ),
    }


@slowly
@given(worlds(), specs, specs)
def test_any_spec_leads_to_any_other(
    model: Model, first: dict[str, Any], second: dict[str, Any]
) -> None:
    second["address"] = first["address"]
    play = Play(model, spec_of(first))
    play.settle()
    before = humans(model)
    nodes = {**NODES, "n4": instance("n4", "other")}
    changed = body(nodes=nodes, **{"externalTrafficPolicy": "Cluster", **spec_of(second)})
    play.body["parent"]["spec"].update(changed["parent"]["spec"])
    play.body["related"] = changed["related"]
    play.settle()
    assert [str(each) for each in play.plan().actions if each not in refused(play)] == []
    assert humans(model) == before
    if our_addresses(model):
        check_rules(model, read(play.body))


#: Contiguous ports and ranges that are not single addresses, which come and go.
open_to = st.fixed_dictionaries(
    {
        "ports": st.sets(st.sampled_from((80, 81, 82)), min_size=1).map(
            lambda ports: [port(each, 30080) for each in sorted(ports)]
        ),
        "sourceRanges": st.sampled_from(
            ([EVERYONE], [EVERYONE], ["10.0.0.0/8"], ["10.0.0.0/8", "192.0.2.0/24"])
        ),
    }
)


@slowly
@given(worlds(), open_to, open_to)
def test_who_is_admitted_before_and_after_a_change_is_admitted_throughout(
    model: Model, first: Json, second: Json
) -> None:
    play = Play(model, first)
    play.settle()
    before = by_port(model.firewall_rules.values())
    play.body["parent"]["spec"].update(second)
    state: list[dict[tuple[str, int], list[str]]] = []
    play.watch = lambda: state.append(by_port(model.firewall_rules.values()))
    play.settle()
    after = by_port(model.firewall_rules.values())
    for port_key, ranges in before.items():
        meant = [each for each in ranges if covers(after.get(port_key, ()), [each])]
        assert all(covers(existing.get(port_key, ()), meant) for existing in state)


@slowly
@given(worlds(), specs, st.lists(st.integers(0, 3), max_size=3))
def test_a_deletion_leaves_nothing_of_ours_and_everything_of_others_on_what_stays(
    model: Model, drawn: dict[str, Any], deaths: list[int]
) -> None:
    play = Play(model, spec_of(drawn))
    play.settle()
    before = humans(model)
    ours = our_addresses(model)
    play.delete()
    for after in deaths:
        play.call(die_after=after)
    final = play.settle()
    assert final.response.get("finalized") is True
    assert our_addresses(model) == set()
    assert list(own_rules(model, ours)) == []
    assert own_firewall_rules(model, ours) == []
    assert humans(model) == before
