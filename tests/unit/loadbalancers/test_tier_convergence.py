"""On a VPC tier, from any state, a few passes converge, and nothing of others has changed."""

from copy import deepcopy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hooks.cloudstack.models.firewall import NetworkAcl
from hooks.http.bounded_json import Json
from hooks.loadbalancers.plan.ranges import covers
from hooks.loadbalancers.request import Spec, read
from tests.unit.loadbalancers.builders import body, our_tags, request
from tests.unit.loadbalancers.generated import (
    Play,
    our_addresses,
    own_rules,
    refused,
    slowly,
    spec_of,
    specs,
)
from tests.unit.loadbalancers.model import Model
from tests.unit.loadbalancers.plan.tier_items import LIST
from tests.unit.loadbalancers.tiers import strangers, tiers

OURS = set(our_tags(request()))


def own(model: Model) -> list[NetworkAcl]:
    return [each for each in model.items.values() if set(each.tags) >= OURS]


def check_items(model: Model, spec: Spec) -> None:
    """Check that ours, and only these, are as the Service asks, and before the list's end."""
    served = {rule.public_port for rule in own_rules(model, our_addresses(model))}
    end = min(
        (
            each.number or 0
            for each in model.items.values()
            if each.acl_id == LIST
            and each.denies
            and set(each.tags).isdisjoint(OURS)
            and "0.0.0.0/0" in each.cidrs
            and any(part.start_port == 0 and part.end_port == 65535 for part in each.opened)
        ),
        default=10**9,
    )
    for each in own(model):
        assert each.acl_id == LIST
        assert each.allows
        assert (each.number or 0) < end or end <= 30
        assert covers(spec.source_ranges, each.cidrs)
        assert each.opens_only({("tcp", port) for port in served})
    denies = any(each.denies for each in strangers_in_list(model))
    for port in served if spec.source_ranges and not denies else ():
        admitting = [
            cidr
            for each in model.items.values()
            if each.acl_id == LIST and each.allows and each.opens("tcp", port)
            for cidr in each.cidrs
        ]
        assert covers(admitting, spec.source_ranges)


def strangers_in_list(model: Model) -> list[NetworkAcl]:
    return [
        each for each in model.items.values() if each.acl_id == LIST and not set(each.tags) >= OURS
    ]


@slowly
@given(tiers(), specs)
def test_the_plan_after_apply_is_empty_and_only_ours_have_changed(
    model: Model, drawn: dict[str, Any]
) -> None:
    play = Play(model, spec_of(drawn))
    before = strangers(model)
    play.settle()
    assert [str(each) for each in play.plan().actions if each not in refused(play)] == []
    assert strangers(model).items() >= before.items()
    if our_addresses(model):
        check_items(model, read(play.body).spec)


@slowly
@given(tiers(), specs, st.lists(st.integers(0, 12), max_size=4))
def test_crashes_at_any_point_do_not_change_what_is_admitted(
    model: Model, drawn: dict[str, Any], deaths: list[int]
) -> None:
    undisturbed = Play(deepcopy(model), spec_of(drawn))
    undisturbed.settle()
    play = Play(model, spec_of(drawn))
    for after in deaths:
        play.call(die_after=after)
    play.settle()
    assert shape(model) == shape(undisturbed.model)


def shape(model: Model) -> list[Any]:
    """Return what the items open, without ids, numbers and seals."""
    return sorted(
        (each.acl_id, each.protocol, str(each.opened), str(sorted(each.tags, key=str)))
        for each in model.items.values()
    )


@slowly
@given(tiers(), specs, specs)
def test_any_spec_leads_to_any_other_and_nobody_stays_admitted_whom_it_does_not_name(
    model: Model, first: dict[str, Any], second: dict[str, Any]
) -> None:
    second["address"] = first["address"]
    play = Play(model, spec_of(first))
    play.settle()
    before = strangers(model)
    change(play, second)
    play.settle()
    assert strangers(model).items() >= before.items()
    if our_addresses(model):
        check_items(model, read(play.body).spec)


def change(play: Play, drawn: dict[str, Any]) -> None:
    changed = body(**{"externalTrafficPolicy": "Cluster", **spec_of(drawn)})
    spec: Json = changed["parent"]["spec"]
    play.body["parent"]["spec"].update(spec)


@slowly
@given(tiers(), specs)
def test_a_deletion_leaves_what_others_have_and_nothing_of_ours(
    model: Model, drawn: dict[str, Any]
) -> None:
    play = Play(model, spec_of({**drawn, "keepAddress": False}))
    play.settle()
    before = strangers(model)
    play.delete()
    made = play.settle()
    assert made.response.get("finalized")
    assert own(model) == []
    assert strangers(model) == before
