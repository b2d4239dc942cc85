"""Generates worlds and specs, plays them call by call, and checks the result."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from hooks.cloudstack.models.firewall import FirewallRule
from hooks.cloudstack.models.loadbalancing import LoadBalancerRule, StickinessPolicy
from hooks.cloudstack.models.tags import Tag
from hooks.http.bounded_json import Json
from hooks.loadbalancers.plan.actions import Action
from hooks.loadbalancers.plan.facts import LiveService, Refusal
from hooks.loadbalancers.plan.plan import plan
from hooks.loadbalancers.plan.ranges import covers
from hooks.loadbalancers.request import LoadBalancerRequest, Port, Spec, read
from hooks.names import (
    STICKINESS_POLICY,
    TAG_SERVICE_UID,
    TAG_STICKINESS,
    TAG_STICKINESS_OURS,
)
from hooks.webhook.contract import Plan
from tests.unit.loadbalancers.builders import (
    IP,
    LIVE,
    NAME,
    NET,
    NODES,
    READY,
    UID,
    address_tags,
    body,
    endpoint,
    endpoint_slice,
    facts,
    our_tags,
    port,
    request,
)
from tests.unit.loadbalancers.model import Model, with_address

#: Passes that any world may take; the longest way is address, tags, rules, tags and members.
PASSES = 12
EVERYONE = "0.0.0.0/0"
PORTS = (80, 81, 82, 443)
#: The ports at which a model is compared: those that are drawn, and some beside them.
PORT_KEYS = [
    (transport, first + number)
    for transport in ("tcp", "udp")
    for first in (79, 443, 9999)
    for number in range(8)
]
HUMAN = "human"
STICKY = Tag(TAG_STICKINESS, TAG_STICKINESS_OURS)

specs = st.fixed_dictionaries(
    {
        "ports": st.lists(
            st.builds(
                port,
                st.sampled_from(PORTS),
                st.sampled_from((30080, 30081)),
                st.sampled_from(("TCP", "TCP", "TCP", "UDP")),
            ),
            unique_by=lambda each: each["publicPort"],
            max_size=4,
        ),
        "algorithm": st.sampled_from(("roundrobin", "source")),
        "sourceRanges": st.sampled_from(
            ([EVERYONE], ["10.0.0.0/8"], ["10.0.0.0/8", "192.0.2.0/24"], [])
        ),
        "keepAddress": st.booleans(),
        "address": st.sampled_from(("", IP)),
        "proxy": st.booleans(),
        "endpoints": st.sampled_from((None, None, ("n2",), ("n1", "n3"))),
        "sticky": st.sampled_from(
            (
                None,
                {"method": "SourceBased", "parameters": {"expire": "3h"}},
                {"method": "LbCookie"},
            )
        ),
    }
)


def spec_of(drawn: dict[str, Any]) -> Json:
    """Make what `body` takes: a spec, and the EndpointSlices if its traffic is local."""
    spec = deepcopy(drawn)
    if endpoints := spec.pop("endpoints"):
        spec["externalTrafficPolicy"] = "Local"
        spec["slices"] = [endpoint_slice(*(endpoint(node, **READY) for node in endpoints))]
    proxy, sticky = spec.pop("proxy"), spec.pop("sticky")
    for each in spec["ports"]:
        each["proxyProtocol"] = proxy and each["protocol"] == "TCP"
        if sticky and each["protocol"] == "TCP":
            each["stickiness"] = sticky
    return spec


rules = st.builds(
    lambda number, public, owner, protocol, node, algorithm, cidrs, tags, state: LoadBalancerRule(
        id=f"old-{number}",
        name=HUMAN if owner == "human" else f"{NAME}-{protocol}-{public}",
        public_ip_id=f"id-{IP}",
        public_port=public,
        private_port=node,
        protocol=protocol,
        algorithm=algorithm,
        network_id=NET,
        cidrs=cidrs,
        state=state,
        tags=tags if owner == "us" else (),
    ),
    st.integers(0, 10_000),
    st.sampled_from((*PORTS, 9999)),
    st.sampled_from(("us", "us", "human")),
    st.sampled_from(("tcp", "tcp-proxy")),
    st.sampled_from((30080, 30081)),
    st.sampled_from(("roundrobin", "source", "bogus")),
    st.sampled_from(((), (EVERYONE,), ("10.0.0.0/8",))),
    st.sampled_from(((), our_tags(request()), (*our_tags(request()), STICKY))),
    st.sampled_from(("Active", "Add", "Revoke")),
)
firewall_rules = st.builds(
    lambda number, protocol, start, length, cidrs, owner: FirewallRule(
        id=f"old-firewall-{number}",
        protocol=protocol,
        public_ip_id=f"id-{IP}",
        start_port=start,
        end_port=None if start is None else start + length,
        cidrs=cidrs,
        state="Active",
        tags=our_tags(request()) if owner == "us" else (Tag("team", "network"),),
    ),
    st.integers(0, 10_000),
    st.sampled_from(("tcp", "tcp", "tcp", "all")),
    st.sampled_from((79, *PORTS, 9999, None)),
    st.integers(0, 3),
    st.sampled_from(((EVERYONE,), ("10.0.0.0/8",), ("203.0.113.0/24",))),
    st.sampled_from(("us", "human")),
)


@st.composite
def worlds(draw: st.DrawFn) -> Model:
    """Make a CloudStack in which an address may be in any state."""
    if draw(st.booleans()):
        return Model(udp=draw(st.booleans()), free={*Model().free, IP})
    model = with_address()
    model.udp = draw(st.booleans())
    tags = draw(st.sampled_from(("none", "ours", "half")))
    ours = address_tags(request(), by_controller=draw(st.booleans()))
    chosen = {"none": (), "ours": ours, "half": tuple(t for t in ours if t.key == TAG_SERVICE_UID)}
    model.addresses[f"id-{IP}"] = replace(model.addresses[f"id-{IP}"], tags=chosen[tags])
    for rule in draw(st.lists(rules, max_size=5, unique_by=lambda r: r.public_port)):
        model.rules[rule.id] = rule
        machines = st.sets(st.sampled_from(("vm-n1", "vm-n2", "vm-gone")))
        model.members[rule.id] = draw(machines)
        policies = ("", HUMAN, *((STICKINESS_POLICY,) if STICKY in rule.tags else ()))
        if name := draw(st.sampled_from(policies)):
            params = (("expire", draw(st.sampled_from(("3h", "1h")))),)
            policy = StickinessPolicy(f"policy-{rule.id}", name, "SourceBased", params)
            model.policies[rule.id] = policy
    for firewall_rule in draw(st.lists(firewall_rules, max_size=4, unique_by=lambda h: h.id)):
        model.firewall_rules[firewall_rule.id] = firewall_rule
    return model


class Play:
    """One load balancer in a model, played call by call.

    Attributes:
        body: the request, with the status that the last call answered.
        watch: is called after each action.
    """

    def __init__(self, model: Model, spec: Json) -> None:
        self.model = model
        self.body = body(**spec)
        self.done: tuple[Action, ...] = ()
        self.refusals: tuple[Refusal, ...] = ()
        self.watch: Callable[[], None] = lambda: None

    def plan(self, first_actions: tuple[Action, ...] | None = None) -> Plan[Action]:
        asked = read(json.loads(json.dumps(self.body)))
        known = facts(
            asked,
            now=self.model.now,
            network=self.model.network,
            service=LiveService(still_wants=False) if asked.is_deleting else LIVE,
            first_actions=first_actions,
            done=self.done,
            refusals=self.refusals,
        )
        return plan(replace(known, state=self.model.state(known)))

    def call(self, *, die_after: int | None = None) -> Plan[Action]:
        """Make one call: passes until nothing is left, or it dies after `die_after` actions."""
        self.done = self.refusals = ()
        planned = first = self.plan()
        for _ in range(PASSES):
            for action in planned.actions:
                if len(self.done) == die_after:
                    return planned
                self.refusals += self.model.apply(action)
                self.watch()
                self.done += (action,)
            if not planned.actions:
                self.body["parent"]["status"] = planned.response.get("status")
                return planned
            planned = self.plan(first.actions)
        raise AssertionError(f"no end: {[str(each) for each in planned.actions]}")

    def settle(self) -> Plan[Action]:
        """Call until the answer stays the same."""
        for _ in range(6):
            planned = self.call()
            self.model.now += 400
            if planned.response.get("finalized") or is_calm(planned):
                return planned
        raise AssertionError(f"never calm: {self.body['parent'].get('status')}")

    def delete(self) -> None:
        self.body["parent"]["metadata"]["deletionTimestamp"] = "2027-01-15T08:00:00Z"


def is_calm(planned: Plan[Action]) -> bool:
    status = planned.response.get("status") or {}
    return "nextCheckTime" in status


def humans(model: Model) -> Json:
    """Return what is not ours, on any address."""
    return {
        "rules": {i: (r, model.members.get(i)) for i, r in model.rules.items() if r.name == HUMAN},
        "firewall_rules": {
            i: h
            for i, h in model.firewall_rules.items()
            if any(tag.key == "team" for tag in h.tags)
        },
    }


def our_addresses(model: Model) -> set[str]:
    mark = set(our_tags(request()))
    return {each.id for each in model.addresses.values() if mark <= set(each.tags)}


def own_rules(model: Model, addresses: set[str]) -> Iterator[LoadBalancerRule]:
    return (
        rule
        for rule in model.rules.values()
        if rule.name != HUMAN and rule.public_ip_id in addresses
    )


def own_firewall_rules(model: Model, addresses: Collection[str]) -> list[FirewallRule]:
    return [
        firewall_rule
        for firewall_rule in model.firewall_rules.values()
        if any(tag.value == UID for tag in firewall_rule.tags)
        and firewall_rule.public_ip_id in addresses
    ]


def by_port(firewall_rules: Iterable[FirewallRule]) -> dict[tuple[str, int], list[str]]:
    """Return the sources that firewall rules admit to each port."""
    found: dict[tuple[str, int], list[str]] = {}
    for firewall_rule in firewall_rules:
        for port_key in filter(lambda each: firewall_rule.opens(*each), PORT_KEYS):
            found.setdefault(port_key, []).extend(firewall_rule.cidrs)
    return found


def check_rules(model: Model, asked: LoadBalancerRequest) -> set[tuple[str, int]]:
    """Check our rules against a request; return the ports that are served."""
    spec, nodes = asked.spec, asked.endpoints.ready if asked.endpoints else NODES
    [address] = our_addresses(model)
    standing = {rule.name: rule for rule in own_rules(model, {address})}
    taken = {
        rule.public_port
        for rule in model.rules.values()
        if rule.name == HUMAN and rule.public_ip_id == address
    }
    ours = {each.id for each in own_firewall_rules(model, {address})}
    opened = by_port(
        each
        for each in model.firewall_rules.values()
        if each.id not in ours and each.public_ip_id == address
    )
    served: set[tuple[str, int]] = set()
    if not spec.source_ranges and opened.keys() & {
        (p.transport, p.public_port) for p in spec.ports
    }:
        assert standing == {}  # what others open leads nowhere
        return served
    for each in spec.ports:
        if each.public_port in taken or (each.transport == "udp" and not model.udp):
            continue
        rule = standing.pop(spec.rule_name(each))
        assert (rule.public_port, rule.private_port) == (each.public_port, each.node_port)
        assert (rule.protocol, rule.algorithm) == (each.rule_protocol, spec.algorithm)
        assert any(tag.value == UID for tag in rule.tags)
        if spec.source_ranges:
            assert (set(rule.cidrs) or {EVERYONE}) == set(spec.source_ranges)
        assert model.members[rule.id] == {f"vm-{node}" for node in nodes}
        check_policy(model, each, rule)
        served.add((each.transport, each.public_port))
    assert standing == {}
    return served


def check_policy(model: Model, port: Port, rule: LoadBalancerRule) -> None:
    """Check that a rule has the stickiness policy that is asked for, and none of ours else."""
    found = model.policies.get(rule.id)
    if port.stickiness:
        wanted = (STICKINESS_POLICY, port.stickiness.method, port.stickiness.pairs)
        assert found
        assert (found.name, found.method, found.params) == wanted
    else:
        assert found is None or found.name != STICKINESS_POLICY
    assert (STICKY in rule.tags) == (port.stickiness is not None)


def check_firewall(model: Model, spec: Spec, served: set[tuple[str, int]]) -> None:
    """Check the firewall: no rule of ours admits too much, and nothing is missing."""
    wanted = served if spec.source_ranges else set()
    addresses = our_addresses(model)
    for port_key, cidrs in by_port(own_firewall_rules(model, addresses)).items():
        assert covers(spec.source_ranges if port_key in wanted else (), cidrs)
    existing = by_port(
        each for each in model.firewall_rules.values() if each.public_ip_id in addresses
    )
    assert all(covers(existing.get(port_key, ()), spec.source_ranges) for port_key in wanted)


slowly = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def refused(play: Play) -> set[Action]:
    return {refusal.action for refusal in play.refusals}
