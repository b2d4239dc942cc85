"""The time of a real server: the model against the figures that were measured."""

import heapq
import math
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from simulator.server import Simulator
from simulator.timing import BALANCER_START, BALANCER_STOP, Load, Plan, Timing, alone, read_seconds
from tests.unit.simulator.conftest import Connect

Start = Callable[[int, float], Plan]


def run(start: Start, count: int, together: int) -> float:
    """Return the seconds that so many writes take, so many at once, each when one has ended."""
    slots = [0.0] * together
    for index in range(count):
        slot = slots.index(min(slots))
        plan = start(index, slots[slot])
        slots[slot] = max(plan.due, slots[slot] + plan.answer_after)
    return max(slots)


def rules(timing: Timing) -> Start:
    return lambda _index, now: timing.plan(Load("rule", "net", "address"), now)


def firewall(timing: Timing) -> Start:
    return lambda _index, now: timing.plan(Load("firewall", "net", "address"), now)


def members(each: int) -> Callable[[Timing], Start]:
    """Assign so many members to one rule after the other of one network."""

    def start(timing: Timing) -> Start:
        def assign(index: int, now: float) -> Plan:
            present = each * (index + 1)
            return timing.plan(
                Load("assignment", "net", "address", members=present, added=each), now
            )

        return assign

    return start


def group_rules(timing: Timing) -> Start:
    return lambda _index, now: timing.plan(Load("group", "a group"), now)


@pytest.mark.parametrize(
    ("start", "count", "together", "measured"),
    [
        pytest.param(group_rules, 1, 1, 0.09, id="a rule of a security group"),
        pytest.param(rules, 10, 1, 1.2, id="10 rules in turn"),
        pytest.param(rules, 10, 2, 5.2, id="10 rules, two at once"),
        pytest.param(rules, 10, 4, 15.2, id="10 rules, four at once"),
        pytest.param(rules, 8, 2, 5.3, id="8 rules of a VPC's address, two at once"),
        pytest.param(rules, 8, 4, 10.4, id="8 rules of a VPC's address, four at once"),
        pytest.param(firewall, 1, 1, 0.11, id="a firewall rule"),
        pytest.param(firewall, 10, 2, 5.2, id="10 firewall rules, two at once"),
        pytest.param(firewall, 10, 4, 15.3, id="10 firewall rules, four at once"),
        pytest.param(members(5), 1, 1, 0.15, id="5 members of one rule"),
        pytest.param(members(100), 1, 1, 0.67, id="100 members of one rule"),
        pytest.param(members(105), 10, 1, 12.8, id="105 members of 10 rules in turn"),
        pytest.param(members(105), 10, 4, 11.7, id="105 members of 10 rules, four at once"),
        pytest.param(members(105), 10, 10, 15.0, id="105 members of 10 rules, ten at once"),
    ],
)
def test_the_model_is_within_a_quarter_of_what_was_measured(
    start: Callable[[Timing], Start], count: int, together: int, measured: float
) -> None:
    assert run(start(Timing()), count, together) == pytest.approx(measured, rel=0.25)


@pytest.mark.parametrize(("together", "measured"), [(2, 3.1 / 3.9), (4, 2.6 / 3.9)])
def test_few_members_are_assigned_sooner_side_by_side(together: int, measured: float) -> None:
    alone_, beside = (run(members(5)(Timing()), 10, many) for many in (1, together))
    assert beside / alone_ == pytest.approx(measured, rel=0.25)


#: Seconds between two polls of the client that measured.
POLL = 0.05


def eight_services(together: int) -> float:
    """Return the seconds that eight load balancers of one port take, so many at once."""
    timing, left, end, changed = Timing(), list(range(8)), 0.0, 0
    workers = [(0.0, number, left.pop(0), 0) for number in range(together)]
    steps: tuple[Load, ...] = (
        Load("address", "net"),
        Load("tags"),
        Load("rule", "net"),
        Load("tags"),
        Load("assignment", "net", added=5),
        Load("firewall", "net"),
        Load("tags"),
    )
    while workers:
        now, number, service, step = heapq.heappop(workers)
        changed += steps[step].added
        load = replace(steps[step], address=str(service), members=changed)
        plan = timing.plan(load, now)
        due = now + math.ceil((plan.due - now) / POLL) * POLL
        end = max(end, due)
        if step < len(steps) - 1:
            heapq.heappush(workers, (due, number, service, step + 1))
        elif left:
            heapq.heappush(workers, (due, number, left.pop(0), 0))
    return end


@pytest.mark.parametrize(("together", "measured"), [(1, 6.7), (4, 11.0), (8, 20.9)])
def test_load_balancers_of_one_network_are_slower_side_by_side(
    together: int, measured: float
) -> None:
    assert eight_services(together) == pytest.approx(measured, rel=0.35)


@pytest.mark.parametrize(
    ("load", "measured"),
    [
        pytest.param(Load("tags"), 0.027, id="tags"),
        pytest.param(Load("address"), 0.13, id="an address"),
        pytest.param(Load("removal", members=100), 0.35, id="one of 100 members"),
        pytest.param(Load("deletion"), 0.18, id="a rule without its address"),
        pytest.param(Load("release", rules=1, members=5), 0.3, id="a rule"),
        pytest.param(Load("release", rules=4), 0.98, id="four rules"),
        pytest.param(Load("release", rules=1, members=100), 0.45, id="a rule, 100 members"),
        pytest.param(Load("release", rules=10, members=50), 2.4, id="ten rules"),
        pytest.param(Load("release", rules=10, members=1050), 10.0, id="ten, 105 members each"),
        pytest.param(
            Load("assignment", added=1, members=1, more=BALANCER_START),
            1.68,
            id="the first member at an internal address",
        ),
        pytest.param(
            Load("deletion", more=BALANCER_STOP), 1.7, id="the last one at an internal address"
        ),
    ],
)
def test_what_is_alone_takes_its_own_time(load: Load, measured: float) -> None:
    assert alone(load) == pytest.approx(measured, rel=0.25)


@pytest.mark.parametrize("rules", [1, 2, 10])
def test_rules_that_are_deleted_one_by_one_take_no_less_than_with_their_address(rules: int) -> None:
    with_it = alone(Load("release", rules=rules, members=5 * rules))
    left = [5 * number for number in range(rules)]
    one_by_one = sum(alone(Load("deletion", members=members)) for members in left)
    assert one_by_one + alone(Load("release")) == pytest.approx(with_it, rel=0.05)


@pytest.mark.parametrize(
    ("command", "details", "shown", "measured"),
    [
        ("listLoadBalancerRuleInstances", "", 5, 0.04),
        ("listLoadBalancerRuleInstances", "", 100, 0.42),
        ("listPublicIpAddresses", "", 10, 0.05),
        ("listPublicIpAddresses", "", 189, 0.816),
        ("listVirtualMachines", "min", 105, 0.26),
        ("listLoadBalancerRules", "", 10, 0.006),
        ("queryAsyncJobResult", "", 0, 0.005),
    ],
)
def test_reads_cost_what_they_return(
    command: str, details: str, shown: int, measured: float
) -> None:
    assert read_seconds(command, details, shown) == pytest.approx(measured, rel=0.25)


def test_four_lists_of_members_at_once_take_less_in_all_and_more_each() -> None:
    timing = Timing()
    ends = [timing.read("listLoadBalancerRuleInstances", "", 100, 0.0) for _ in range(4)]
    in_turn = 4 * read_seconds("listLoadBalancerRuleInstances", "", 100)
    assert in_turn / max(ends) == pytest.approx(1.7, rel=0.05)
    assert timing.read("listLoadBalancerRules", "", 100, 0.0) == pytest.approx(0.006)


def test_an_owner_waits_for_addresses_of_two_networks_and_two_owners_do_not() -> None:
    timing = Timing()
    timing.plan(Load("address", "one", "a", "user"), 0.0)
    assert timing.plan(Load("address", "two", "b", "other"), 0.0).due < 1
    assert 5 < timing.plan(Load("address", "three", "c", "user"), 0.0).due < 6


@pytest.mark.parametrize(("count", "least", "most"), [(2, 5, 6), (4, 10, 16)])
def test_an_owner_waits_for_each_address_that_is_acquired_elsewhere(
    count: int, least: int, most: int
) -> None:
    timing = Timing()
    plans = [timing.plan(Load("address", f"net-{n}", f"a-{n}", "user"), 0.0) for n in range(count)]
    assert least < max(plan.due for plan in plans) < most


def test_acl_items_lock_nothing() -> None:
    timing = Timing()
    items = [timing.plan(Load("acl"), 0.0) for _ in range(8)]
    assert [plan.due for plan in items] == pytest.approx([0.09] * 8)
    assert timing.plan(Load("rule", "tier", "address"), 0.0).due == pytest.approx(0.12)


def test_networks_do_not_wait_for_one_another() -> None:
    timing = Timing()
    assert timing.plan(Load("rule", "one", "a"), 0.0) == timing.plan(Load("rule", "two", "b"), 0.0)


def test_addresses_of_one_network_disturb_one_another_less_than_rules_of_one_address() -> None:
    same, other = Timing(), Timing()
    for timing, address in ((same, "a"), (other, "b")):
        timing.plan(Load("rule", "net", "a"), 0.0)
        timing.plan(Load("rule", "net", address), 0.0)
    again = Load("rule", "net", "c")
    assert other.plan(again, 0.0).due < same.plan(again, 0.0).due


def test_a_write_that_has_ended_disturbs_nobody() -> None:
    timing = Timing()
    first = timing.plan(Load("rule", "net", "a"), 0.0)
    second = timing.plan(Load("rule", "net", "a"), first.due)
    assert second.answer_after == 0.0
    assert second.due - first.due == pytest.approx(first.due)


def test_listing_vms_costs_by_how_much_is_asked_for() -> None:
    seconds = [
        read_seconds("listVirtualMachines", details, 500) for details in ("min", "nics,servoff", "")
    ]
    assert seconds == sorted(seconds)
    assert seconds[1] == pytest.approx(2.0, rel=0.1)
    assert read_seconds("listZones", "", 1) < 0.1


def test_a_simulator_with_real_timing_is_as_slow(connect: Connect) -> None:
    with Simulator(timing="real") as simulator:
        cloud = connect(simulator, simulator.user)
        network = cloud.list("listNetworks", "network", keyword="net-1")[0]
        began = time.monotonic()
        cloud.done("associateIpAddress", networkid=network["id"])
        assert time.monotonic() - began > 0.12
        began = time.monotonic()
        for _ in range(2):
            cloud.ok("associateIpAddress", networkid=network["id"])
        assert time.monotonic() - began > 0.12
