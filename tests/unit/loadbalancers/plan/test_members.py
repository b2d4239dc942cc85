from typing import Any

import pytest

from hooks.http.bounded_json import Json
from hooks.loadbalancers.plan.actions import Assign, MembersTogether
from hooks.loadbalancers.plan.facts import CloudState, Refusal
from hooks.loadbalancers.plan.fingerprint import fingerprint
from hooks.loadbalancers.plan.members import (
    UNLISTED_LOOK,
    RecordedMembers,
    plan_members,
    recorded_members,
)
from hooks.loadbalancers.request import LoadBalancerRequest
from tests.unit.loadbalancers.builders import (
    NODES,
    READY,
    UNREADY,
    endpoint,
    endpoint_slice,
    facts,
    instance,
    recorded,
    request,
    rule,
    rules_plan,
    texts,
)

ALL = frozenset({"vm-n1", "vm-n2", "vm-n3"})


def test_members_are_the_nodes_that_serve_on_the_network_and_have_a_vm() -> None:
    nodes = {
        "in": instance("in"),
        "missing": instance("missing", missing={}),
        "excluded": instance("excluded", servesLoadBalancers=False),
        "elsewhere": instance("elsewhere", "other"),
    }
    asked = request(nodes=nodes, status=recorded())
    planned = plan_members(facts(asked), rules_plan(rule(80, "r")))
    assert texts(planned.actions) == ["assign in to rule r"]
    assert planned.wanted == 3
    assert planned.condition.message == (
        "0 of 3 members are assigned; not on the members' network: elsewhere; "
        "without a VM in CloudStack: missing"
    )


@pytest.mark.parametrize(
    ("existing", "actions"),
    [
        pytest.param(ALL, [], id="all in"),
        pytest.param(set(), ["assign n1, n2, n3 to rule r"], id="none in"),
        pytest.param({"vm-n1"}, ["assign n2, n3 to rule r"], id="one in"),
        pytest.param({*ALL, "vm-old"}, ["remove old-node from rule r"], id="one too many"),
        pytest.param(
            {"vm-old", "vm-older"},
            ["assign n1, n2, n3 to rule r", "remove old-node, vm-older from rule r"],
            id="in before out",
        ),
    ],
)
def test_members_change_by_difference(existing: set[str], actions: list[str]) -> None:
    state = CloudState(
        members={"rule-tcp-80": {vm: "old-node" if vm == "vm-old" else "" for vm in existing}}
    )
    planned = plan_members(facts(request(), state=state), rules_plan(rule(80, "r")))
    assert texts(planned.actions) == actions


def test_a_member_whose_node_is_there_stays_without_its_instance_and_is_named() -> None:
    state = CloudState(
        members={"rule-tcp-80": dict.fromkeys({*ALL, "vm-kept", "vm-old"}, "")},
        unlisted={"vm-kept": "kept"},
    )
    planned = plan_members(facts(request(), state=state), rules_plan(rule(80, "r")))
    assert texts(planned.actions) == ["remove vm-old from rule r"]
    assert planned.condition.reason == "InstancesGone"
    assert planned.condition.message == (
        "3 of 3 members are assigned; members stay whose Nodes have lost their Instance: kept"
    )
    assert planned.due == UNLISTED_LOOK


def test_members_of_several_rules_are_assigned_together() -> None:
    planned = plan_members(facts(request()), rules_plan(rule(80), rule(81)))
    [together] = planned.actions
    assert isinstance(together, MembersTogether)
    assert [each.rule_id for each in together.changes] == ["rule-tcp-80", "rule-tcp-81"]


def test_without_any_instance_nothing_is_removed() -> None:
    state = CloudState(members={"rule-tcp-80": dict.fromkeys(ALL, "")})
    planned = plan_members(facts(request(nodes={}), state=state), rules_plan(rule(80)))
    assert planned.actions == ()
    assert planned.condition.reason == "NoInstances"


def test_a_missing_vm_is_neither_added_nor_removed() -> None:
    nodes = {**NODES, "n3": instance("n3", missing={"since": "x"})}
    for existing in (frozenset({"vm-n1", "vm-n2"}), ALL):
        state = CloudState(members={"rule-tcp-80": dict.fromkeys(existing, "")})
        planned = plan_members(facts(request(nodes=nodes), state=state), rules_plan(rule(80)))
        assert planned.actions == ()
        assert planned.condition.status == "True"
        assert "without a VM in CloudStack: n3" in planned.condition.message


@pytest.mark.parametrize(
    ("nodes", "reason", "said"),
    [
        pytest.param(
            {"n3": instance("n3", state="Stopped")},
            "AllAssigned",
            "3 of 3 members are assigned; with a stopped VM: n3",
            id="one",
        ),
        pytest.param(
            {name: instance(name, state="Stopped") for name in NODES},
            "NoRunningMembers",
            "None runs: 3 of 3 members are assigned; with a stopped VM: n1, n2, n3",
            id="all",
        ),
        pytest.param(
            {name: instance(name, state="Stopped") for name in ("n1", "n2")}
            | {"n3": instance("n3", state="Missing", missing={"since": "x"})},
            "NoRunningMembers",
            "None runs: 3 of 3 members are assigned; without a VM in CloudStack: n3; "
            "with a stopped VM: n1, n2",
            id="all others are missing",
        ),
        pytest.param(
            {name: instance(name, state="Stopped") for name in ("n1", "n2")}
            | {"n3": instance("n3", state="Migrating")},
            "AllAssigned",
            "3 of 3 members are assigned; with a stopped VM: n1, n2",
            id="but one that migrates",
        ),
    ],
)
def test_a_stopped_vm_stays_a_member_and_is_named(
    nodes: dict[str, Json], reason: str, said: str
) -> None:
    state = CloudState(members={"rule-tcp-80": dict.fromkeys(ALL, "")})
    planned = plan_members(facts(request(nodes=NODES | nodes), state=state), rules_plan(rule(80)))
    assert planned.actions == ()
    assert (planned.condition.reason, planned.condition.message) == (reason, said)
    assert (planned.condition.status == "True") is (reason == "AllAssigned")
    assert (planned.assigned, planned.wanted) == (3, 3)


def test_after_a_refusal_only_vms_that_cloudstack_has_are_tried() -> None:
    ids, names = tuple(sorted(ALL)), ("n1", "n2", "n3")
    refusal = Refusal(Assign("rule-tcp-80", "r", ids, names), 530, "Failed to assign")
    state = CloudState(vms=frozenset({"vm-n1", "vm-n2"}))
    again = facts(request(), state=state, refusals=(refusal,))
    planned = plan_members(again, rules_plan(rule(80, "r")))
    assert texts(planned.actions) == ["assign n1, n2 to rule r"]


def test_a_refusal_that_nothing_explains_is_reported_in_cloudstacks_words() -> None:
    ids, names = tuple(sorted(ALL)), ("n1", "n2", "n3")
    refusal = Refusal(Assign("rule-tcp-80", "r", ids, names), 530, "the router is busy")
    again = facts(request(), state=CloudState(vms=ALL), refusals=(refusal,))
    planned = plan_members(again, rules_plan(rule(80, "r")))
    assert planned.actions == ()
    assert planned.condition.reason == "MembersRefused"
    assert "the router is busy" in planned.condition.message


@pytest.mark.parametrize(
    ("members", "ports", "assigned", "status"),
    [
        pytest.param({80: ALL, 81: ALL}, 2, 3, "True", id="all in both"),
        pytest.param({80: ALL, 81: {"vm-n1"}}, 2, 1, "False", id="one in both"),
        pytest.param({80: ALL}, 2, 0, "False", id="a rule is missing"),
        pytest.param({}, 0, 0, "False", id="no rules"),
    ],
)
def test_a_member_counts_that_is_in_every_rule(
    members: dict[int, set[str]], ports: int, assigned: int, status: str
) -> None:
    state = CloudState(
        members={f"rule-tcp-{p}": dict.fromkeys(ids, "") for p, ids in members.items()}
    )
    rules = [rule(p) for p in members]
    planned = plan_members(
        facts(request(), state=state), rules_plan(*rules, missing=ports - len(rules))
    )
    assert (planned.assigned, planned.wanted) == (assigned, 3)
    assert planned.condition.status == status


def test_no_member_is_reported_with_the_nodes_on_another_network() -> None:
    nodes = {"a": instance("a", "other")}
    planned = plan_members(facts(request(nodes=nodes, status=recorded())), rules_plan(rule(80)))
    assert planned.condition.reason == "NoMembers"
    assert "not on the members' network: a" in planned.condition.message


def test_many_nodes_are_counted_and_not_listed() -> None:
    nodes = {f"n{i:02}": instance(f"n{i:02}", "other") for i in range(20)} | {"in": instance("in")}
    planned = plan_members(facts(request(nodes=nodes, status=recorded())), rules_plan(rule(80)))
    assert "n00, n01, n02, n03, n04 and 15 more" in planned.condition.message


@pytest.mark.parametrize(
    ("elsewhere", "status", "reason"),
    [
        pytest.param(0, "True", "AllAssigned", id="none"),
        pytest.param(2, "True", "AllAssigned", id="as many"),
        pytest.param(3, "False", "MembersElsewhere", id="most"),
    ],
)
def test_nodes_on_other_networks_are_missed(elsewhere: int, status: str, reason: str) -> None:
    nodes = {name: instance(name) for name in ("n1", "n2")}
    nodes |= {name: instance(name, "other") for name in [f"o{n}" for n in range(elsewhere)]}
    state = CloudState(members={"r": {"vm-n1": "n1", "vm-n2": "n2"}})
    asked = request(nodes=nodes, status=recorded())
    planned = plan_members(facts(asked, state=state), rules_plan(rule(80, id="r")))
    assert (planned.assigned, planned.wanted) == (2, 2 + elsewhere)
    assert (planned.condition.status, planned.condition.reason) == (status, reason)
    assert planned.condition.message.startswith(f"2 of {2 + elsewhere} members are assigned")
    assert ("o2" in planned.condition.message) is (elsewhere > 2)


@pytest.mark.parametrize(
    ("existing", "actions"),
    [
        pytest.param(set(), ["assign n1 to rule r"], id="none in"),
        pytest.param({"vm-n1"}, [], id="all in"),
        pytest.param(ALL, ["remove n2, n3 from rule r"], id="two without an endpoint"),
        pytest.param(
            {"vm-n2"}, ["assign n1 to rule r", "remove n2 from rule r"], id="in before out"
        ),
    ],
)
def test_with_local_traffic_only_nodes_with_an_endpoint_are_members(
    existing: set[str], actions: list[str]
) -> None:
    asked = local(endpoint("n1", **READY), endpoint("n2", **UNREADY))
    state = CloudState(members={"rule-tcp-80": dict.fromkeys(existing, "")})
    planned = plan_members(facts(asked, state=state), rules_plan(rule(80, "r")))
    assert texts(planned.actions) == actions
    assert (planned.assigned, planned.wanted) == (int("vm-n1" in existing), 1)


@pytest.mark.parametrize(
    ("members", "actions", "counts", "said"),
    [
        pytest.param({}, [], (0, None), "there is no member until then", id="nobody"),
        pytest.param({80: ALL, 81: ALL}, [], (3, 3), "members stay until one has: 3", id="all"),
        pytest.param(
            {80: {"vm-n2"}, 81: {"vm-n2"}}, [], (1, 1), "members stay until one has: 1", id="one"
        ),
        pytest.param(
            {80: {"vm-n2"}, 81: set()},
            ["assign n2 to rule s"],
            (0, 1),
            "members stay until one has: 1",
            id="a new rule gets those of the others",
        ),
        pytest.param(
            {80: {"vm-n2", "vm-gone"}, 81: {"vm-n2"}},
            ["remove vm-gone from rule r"],
            (1, 1),
            "members stay until one has: 1",
            id="a node that is gone leaves",
        ),
    ],
)
def test_without_any_endpoint_members_stay(
    members: dict[int, set[str]],
    actions: list[str],
    counts: tuple[int, int | None],
    said: str,
) -> None:
    """A control plane that loses its nodes calls all endpoints unready, and the nodes serve on."""
    state = CloudState(
        members={f"rule-tcp-{p}": dict.fromkeys(ids, "") for p, ids in members.items()}
    )
    asked = local(endpoint("n1", **UNREADY))
    rules = rules_plan(rule(80, "r"), rule(81, "s"))
    planned = plan_members(facts(asked, state=state), rules)
    assert texts(planned.actions) == actions
    assert (planned.assigned, planned.wanted) == counts
    assert (planned.condition.status, planned.condition.reason) == ("False", "NoReadyEndpoints")
    assert said in planned.condition.message


def shown(asked: LoadBalancerRequest, *, ready: str = "True", reason: str = "AllAssigned") -> Json:
    """Write the status after a check that found everything as this request asked for."""
    return {
        **recorded(),
        "rules": [{"id": "r-1"}, {"id": "r-2"}, {"name": "not there"}],
        "conditions": [
            {"type": "MembersReady", "status": "True", "reason": reason},
            {"type": "Ready", "status": ready},
        ],
        "checkedFor": fingerprint(asked),
    }


RULES = frozenset({"r-1", "r-2"})
BOTH = {"vm-n1": "n1", "vm-n2": "n2"}


def test_without_an_endpoint_a_status_tells_no_members() -> None:
    status = shown(local(endpoint("n1", **READY), status=recorded()))
    told = recorded_members(local(endpoint("n1", **READY), status=status))
    assert told.lists == {"r-1": {"vm-n1": "n1"}, "r-2": {"vm-n1": "n1"}}
    told = recorded_members(local(endpoint("n1", **UNREADY), status=status))
    assert told == RecordedMembers(alike=RULES)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        pytest.param([], None, id="nothing is known"),
        pytest.param([{"vm-n1": "n1"}], None, id="others"),
        pytest.param([{"vm-n1": "n1"}, BOTH], BOTH, id="those of then"),
        pytest.param([{**BOTH, "vm-n3": "n3"}], None, id="those of then and another"),
    ],
)
@pytest.mark.parametrize("leaves", [True, False])
def test_members_that_are_known_are_those_of_a_status_whose_fingerprint_is_of_them(
    known: list[dict[str, str]], expected: dict[str, str] | None, *, leaves: bool
) -> None:
    def asked(*names: str, **status: Any) -> LoadBalancerRequest:
        return request(nodes={name: instance(name) for name in names}, **status)

    now = ("n1",) if leaves else ("n1", "n2", "n4")
    status = shown(asked("n1", "n2", status=recorded()))
    told = recorded_members(asked(*now, status=status), known)
    assert told.alike == RULES
    assert told.lists == ({} if expected is None else dict.fromkeys(RULES, expected))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"reason": "RemovingMembers"}, id="some were to be removed"),
        pytest.param({"status": "False"}, id="members were missing"),
        pytest.param({"checkedFor": ""}, id="work went on"),
        pytest.param({"ready": "Unknown"}, id="CloudStack did not answer"),
        pytest.param({"ready": "False"}, id="something failed"),
    ],
)
def test_a_status_that_leaves_a_doubt_tells_nothing_of_members(change: Json) -> None:
    """A check that failed keeps the conditions of an earlier one, which was of other members."""
    status = shown(request(status=recorded()), ready=change.pop("ready", "True"))
    members = {**status["conditions"][0], **change}
    status |= {"conditions": [members, status["conditions"][1]]}
    status |= {key: value for key, value in change.items() if key == "checkedFor"}
    assert recorded_members(request(status=status), [BOTH]) == RecordedMembers()


def local(*endpoints: Json, **asked: Any) -> LoadBalancerRequest:
    return request(externalTrafficPolicy="Local", slices=[endpoint_slice(*endpoints)], **asked)
