"""The time of a real server: the model against the figures that were measured."""

import heapq
import time
from collections.abc import Callable

import pytest

from simulator.server import Simulator
from simulator.timing import Kind, Load, Plan, Timing, alone, read_seconds
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
        return lambda index, now: timing.plan(
            Load("members", "net", "address", members=each * (index + 1)), now
        )

    return start


@pytest.mark.parametrize(
    ("start", "count", "together", "measured"),
    [
        pytest.param(rules, 10, 1, 1.2, id="10 rules in turn"),
        pytest.param(rules, 10, 2, 5.2, id="10 rules, two at once"),
        pytest.param(rules, 10, 4, 15.2, id="10 rules, four at once"),
        pytest.param(firewall, 10, 1, 2.2, id="10 firewall rules in turn"),
        pytest.param(firewall, 10, 2, 5.2, id="10 firewall rules, two at once"),
        pytest.param(firewall, 10, 4, 15.3, id="10 firewall rules, four at once"),
        pytest.param(members(5), 10, 1, 3.9, id="members of 10 rules in turn"),
        pytest.param(members(5), 10, 2, 3.1, id="members of 10 rules, two at once"),
        pytest.param(members(5), 10, 4, 2.6, id="members of 10 rules, four at once"),
        pytest.param(members(105), 1, 1, 0.65, id="105 members of one rule"),
        pytest.param(members(105), 10, 1, 12.8, id="105 members of 10 rules in turn"),
        pytest.param(members(105), 10, 4, 11.7, id="105 members of 10 rules, four at once"),
        pytest.param(members(105), 10, 10, 15.0, id="105 members of 10 rules, ten at once"),
    ],
)
def test_the_model_is_within_a_quarter_of_what_was_measured(
    start: Callable[[Timing], Start], count: int, together: int, measured: float
) -> None:
    assert run(start(Timing()), count, together) == pytest.approx(measured, rel=0.25)


def eight_services(together: int) -> float:
    """Return the seconds that eight load balancers of one port take, so many at once."""
    timing, left, end, changed = Timing(), list(range(8)), 0.0, 0
    workers = [(0.0, number, left.pop(0), 0) for number in range(together)]
    kinds: tuple[Kind, ...] = ("address", "rule", "members", "firewall")
    while workers:
        now, number, service, step = heapq.heappop(workers)
        changed += 5 if kinds[step] == "members" else 0
        plan = timing.plan(Load(kinds[step], "net", str(service), members=changed), now)
        end = max(end, plan.due)
        if step < len(kinds) - 1:
            heapq.heappush(workers, (plan.due, number, service, step + 1))
        elif left:
            heapq.heappush(workers, (plan.due, number, left.pop(0), 0))
    return end


@pytest.mark.parametrize(("together", "measured"), [(1, 6.7), (4, 11.0), (8, 20.9)])
def test_load_balancers_of_one_network_are_slower_side_by_side(
    together: int, measured: float
) -> None:
    assert eight_services(together) == pytest.approx(measured, rel=0.25)


@pytest.mark.parametrize(
    ("load", "measured"),
    [
        (Load("release", rules=10, members=50), 2.4),
        (Load("release", rules=10, members=1050), 10.0),
        (Load("address"), 0.13),
    ],
    ids=["ten rules", "ten rules with 105 members each", "an address"],
)
def test_what_is_alone_takes_its_own_time(load: Load, measured: float) -> None:
    assert alone(load) == pytest.approx(measured, rel=0.25)


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
