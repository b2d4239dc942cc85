"""From the Service to CloudStack through both plans, one Service after another."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hooks.http.bounded_json import Json
from hooks.loadbalancers.request import read
from hooks.services.plan.spec import wanted_spec
from tests.unit.loadbalancers.builders import IP, NAME, UID
from tests.unit.loadbalancers.generated import (
    PORTS,
    Play,
    check_firewall,
    check_rules,
    humans,
    our_addresses,
    refused,
    slowly,
    worlds,
)
from tests.unit.loadbalancers.model import Model
from tests.unit.services import objects

ports = st.lists(
    st.builds(
        objects.port,
        st.sampled_from(PORTS),
        st.sampled_from((30080, 30081)),
        protocol=st.sampled_from(("TCP", "TCP", "TCP", "UDP")),
    ),
    unique_by=lambda each: each["port"],
    min_size=1,
    max_size=4,
)
annotations = st.fixed_dictionaries(
    {},
    optional={
        "proxy-protocol": st.sampled_from(("true", "false", "True")),
        "keep-ip": st.sampled_from(("true", "false")),
        "source-cidrs": st.sampled_from(("", "10.0.0.0/8", "10.0.0.0/8, 192.0.2.0/24")),
        "address": st.just(IP),
        "hostname": st.just("shop.example.com"),
    },
)
spec_fields = st.fixed_dictionaries(
    {"ports": ports}, optional={"sessionAffinity": st.sampled_from(("None", "ClientIP"))}
)


def asked(notes: dict[str, str], fields: dict[str, Any], before: Json | None) -> Json:
    """Write the spec that a Service asks for, as a new one or in place of an existing one."""
    observed = objects.service(notes, metadata={"uid": UID}, **fields)
    balancer = objects.load_balancer(before) if before else None
    spec = wanted_spec(objects.facts(observed, balancer))
    assert spec["loadBalancerName"] == NAME
    assert spec["invalid"] == []
    return spec


@slowly
@given(worlds(), st.lists(st.tuples(annotations, spec_fields), min_size=1, max_size=3))
def test_the_plan_after_apply_is_empty_whatever_services_ask_for_in_turn(
    model: Model, wishes: list[tuple[dict[str, str], dict[str, Any]]]
) -> None:
    first = wishes[0][0].get("address", "")
    before, play = None, Play(model, {})
    theirs = humans(model)
    for notes, fields in wishes:
        others = {key: note for key, note in notes.items() if key != "address"}
        before = asked({**others, **({"address": first} if first else {})}, fields, before)
        play.body["parent"]["spec"] = before
        play.settle()
        assert [each for each in play.plan().actions if each not in refused(play)] == []
        assert humans(model) == theirs
        if our_addresses(model):
            request = read(play.body)
            check_firewall(model, request.spec, check_rules(model, request))
