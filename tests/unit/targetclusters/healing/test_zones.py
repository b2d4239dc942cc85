"""A zone whose nodes are all down while others serve has a fault, rather than each of them."""

from dataclasses import replace

from hooks.targetclusters.healing.plan import bounds, decide
from hooks.targetclusters.healing.plan.model import Evidence, Fault, Journal, NodeState, Policy
from hooks.targetclusters.request import IntOrPercent
from tests.unit.targetclusters.healing.looks import MINUTE, NOW, POLICY, knowing, node


def zone(name: str, *, ready: bool, of: int) -> list[NodeState]:
    return [node(f"{name}-{number}", ready=ready, zone=name) for number in range(of)]


def held(evidence: Evidence, policy: Policy = POLICY) -> tuple[Fault, ...]:
    found = decide.find_faults(evidence)
    return bounds.hold_back(found, evidence, policy, Journal(), now=NOW)


def test_a_zone_that_is_down_as_a_whole_is_left_alone() -> None:
    dark = Evidence((*zone("a", ready=False, of=3), *zone("b", ready=True, of=6)))
    assert {fault.why_not for fault in decide.find_faults(dark)} == {""}
    assert {"all 3 nodes of the zone a" in fault.why_not for fault in held(dark)} == {True}
    one = Evidence((*zone("a", ready=False, of=1), *zone("b", ready=True, of=6)))
    alone = Evidence(tuple(zone("a", ready=False, of=3)))
    nowhere = Evidence((*zone("", ready=False, of=3), *zone("b", ready=True, of=6)))
    for evidence in (one, alone, nowhere):
        policy = replace(POLICY, unhealthy=IntOrPercent("100%"))
        assert {fault.why_not for fault in held(evidence, policy)} == {""}


def test_a_whole_cluster_that_is_down_is_no_zones_fault() -> None:
    nodes = [node(f"{zone}-{each}", zone=zone) for zone in "ab" for each in range(2)]
    evidence, policy = Evidence(tuple(nodes)), replace(POLICY, unhealthy=IntOrPercent("100%"))
    assert {fault.why_not for fault in held(evidence, policy)} == {""}
    one_without = Evidence((*nodes[:2], node("x", ready=True)))
    assert {fault.why_not for fault in held(one_without, policy)} == {""}


def test_one_node_of_a_zone_that_stays_down_is_repaired_the_one_that_fell_last() -> None:
    """Also where another one is a leftover, or is held, or has come to an end with its attempts."""
    fell = {"a-0": NOW + 5, "a-1": NOW + 1, "a-2": NOW + 2, "a-3": NOW + 9}
    nodes = [replace(each, changed=fell[each.name]) for each in zone("a", ready=False, of=4)]
    nodes[3] = replace(nodes[3], cordoned=True)
    dark = Evidence((*nodes, *zone("b", ready=True, of=12)))
    journal = knowing(Evidence((*nodes[1:], *zone("b", ready=True, of=12))))
    due_at, due = dict[str, float](), decide.Due((), {}, ())
    for now in (NOW + MINUTE * each for each in range(12 * 60)):
        found = decide.find_faults(dark)
        faults = bounds.hold_back(found, dark, POLICY, journal, now=now)
        journal = decide.remember(journal, dark, faults, decide.Look(now, 10 * MINUTE))
        due = decide.due_repairs(journal, faults, POLICY, now=now)
        assert {each.object for each in due.records} <= {"a-2"}
        for record in due.records:
            due_at.setdefault(record.object, now)
            begun = decide.begin(record, "RebootVM", POLICY, now=now)
            journal = journal.with_record(
                decide.with_outcome(begun, "", POLICY, sent=True, now=now)
            )
    assert due_at == {"a-2": NOW + POLICY.longest + POLICY.node_timeout}
    assert due.given_up == ("NodeNotReady/a-2",)
    assert "a-2 is repaired first" in due.waits["NodeNotReady/a-1"]


def test_a_person_has_other_nodes_of_a_dark_zone_repaired() -> None:
    one, other = zone("a", ready=False, of=2)
    dark = Evidence((replace(one, allowed=True), other, *zone("b", ready=True, of=4)))
    assert [bool(fault.why_not) for fault in held(dark)] == [False, True]
