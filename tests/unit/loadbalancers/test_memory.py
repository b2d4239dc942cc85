"""What is remembered between calls, and when it is not used."""

import random
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from hooks.loadbalancers.memory import (
    ANSWER_SECONDS,
    CHOICE_SECONDS,
    KNOWN_ANSWERS,
    KNOWN_SETS,
    LISTS_PER_CHECK,
    REMEMBERED,
    Choices,
    LastAnswers,
    Leases,
    LeastRecent,
    MemberLists,
    RememberedMembers,
    Told,
)
from hooks.loadbalancers.plan.members import RecordedMembers
from hooks.loadbalancers.plan.schedule import SPREAD
from hooks.settings.config import Config
from simulator.timing import read_seconds

ONE = {"vm-1": "n1"}


def lists(**members: dict[str, str]) -> MemberLists:
    made = MemberLists()
    for rule_id, each in members.items():
        made.keep(rule_id, each)
    return made


def remembering() -> RememberedMembers:
    return RememberedMembers(0.05, 300.0, lambda: 1000.0)


def telling(lists: dict[str, dict[str, str]] | None = None, alike: tuple[str, ...] = ()) -> Told:
    """Make a status that tells these members, whatever is known."""
    return lambda _known: RecordedMembers(lists or {}, frozenset(alike))


def begun(remembered: RememberedMembers, recorded: str, *, is_check: bool = False) -> bool:
    """Tell whether a call that begins may use what was remembered of the rule."""
    known = remembered.begin("uid", recorded, is_check=is_check)
    return known.get("rule") is not None


def test_a_call_uses_what_the_call_before_it_knew() -> None:
    remembered = remembering()
    remembered.end("uid", lists(rule=ONE), "f1")
    assert remembered.begin("uid", "f1", is_check=False).get("rule") == ONE


def test_a_drift_check_reads() -> None:
    remembered = remembering()
    remembered.end("uid", lists(rule=ONE), "f1")
    known = remembered.begin("uid", "f1", is_check=True)
    assert known.due() == {"rule"}
    known.read("rule", {})
    assert (known.due(), known.get("rule")) == (frozenset(), {})


def test_a_check_reads_only_so_many_lists_and_the_next_one_goes_on() -> None:
    remembered = remembering()
    count = LISTS_PER_CHECK + 3
    remembered.end("uid", lists(**{f"rule-{number:02}": ONE for number in range(count)}), "f1")
    for is_check, expected in ((True, LISTS_PER_CHECK), (False, 0), (True, 3), (True, 0)):
        known = remembered.begin("uid", "f1", is_check=is_check)
        due = known.due()
        assert len(due) == expected
        assert all(known.get(f"rule-{number:02}") == ONE for number in range(count))
        for rule_id in due:
            known.read(rule_id, ONE)
        remembered.end("uid", known, "f1")


def test_a_status_without_an_identity_is_no_one_answered_before() -> None:
    remembered = remembering()
    remembered.end("uid", lists(rule=ONE), "")
    assert not begun(remembered, "")


def test_after_a_start_members_are_as_the_status_tells_until_it_is_their_turn() -> None:
    now = [1000.0]
    remembered = RememberedMembers(0.05, 300.0, lambda: now[0])
    told = telling({"rule": ONE, "other": dict(ONE)})
    for uid in ("a", "b"):
        remembered.learn(uid, "f", told)
    assert remembered.knows("a")
    assert not remembered.knows("c")
    known = remembered.begin("a", "f", is_check=False)
    assert known.get("rule") is known.get("other")
    assert known.get("rule") == ONE
    remembered.end("a", known, "f2")
    due = []
    for uid in ("a", "b", "c"):
        known = remembered.begin(uid, "f2" if uid == "a" else "f", is_check=True, told=told)
        due.append(len(known.due()))
        remembered.note(known, 10.0)
        for rule_id in known.due():
            known.read(rule_id, ONE)
        remembered.end(uid, known, "f")
    assert due == [2, 0, 0], "one turn uses up the share for a while"


def test_what_a_load_balancer_read_is_offered_to_the_status_of_every_other_one() -> None:
    remembered, offered = remembering(), list[frozenset[str]]()

    def told(known: Iterable[Mapping[str, str]]) -> RecordedMembers:
        offered.extend(map(frozenset, known))
        return RecordedMembers()

    for number in range(KNOWN_SETS + 2):
        known = remembered.begin(f"u{number}", "", is_check=False)
        known.read("rule", {f"vm-{number}": "n"})
        known.keep("rule", {"vm-0": "n"})
        remembered.end(f"u{number}", known, "f")
    remembered.begin("other", "f", is_check=False, told=told)
    newest = range(KNOWN_SETS + 1, 2, -1)
    assert offered == [{"vm-0"}, *({f"vm-{number}"} for number in newest)]


def test_members_that_one_list_is_to_tell_are_read_by_turn_at_the_next_check() -> None:
    now = [1000.0]
    remembered = RememberedMembers(0.05, 300.0, lambda: now[0])
    told = telling(alike=("rule", "other"))
    known = remembered.begin("uid", "f", is_check=True, told=told)
    assert known.alike == {"rule", "other"}
    assert not known.due()
    known.read("rule", ONE)
    known.keep("other", ONE)
    known.alike = frozenset()
    remembered.end("uid", known, "f")
    now[0] += 300
    known = remembered.begin("uid", "f", is_check=True, told=told)
    assert not known.alike
    assert known.due() == {"rule", "other"}


def test_after_another_replica_has_answered_members_are_read() -> None:
    remembered = remembering()
    remembered.end("uid", lists(rule=ONE), "f1")
    assert not begun(remembered, "f2")


def test_the_status_before_the_last_one_is_ours_too_and_no_older_one() -> None:
    for recorded, is_used in (("f3", True), ("f2", True), ("f1", False)):
        remembered, known = remembering(), lists(rule=ONE)
        for answered in ("f1", "f2", "f3"):
            remembered.end("uid", known, answered)
        assert begun(remembered, recorded) is is_used


def test_a_call_that_never_ends_leaves_nothing_remembered() -> None:
    remembered = remembering()
    remembered.end("uid", lists(rule=ONE), "f1")
    assert begun(remembered, "f1")
    assert not begun(remembered, "f1")


def test_rules_with_the_same_members_share_them() -> None:
    known = lists(a=dict(ONE), b=dict(ONE), c={"vm-2": "n2"})
    assert known.get("a") is known.get("b")
    assert known.get("c") == {"vm-2": "n2"}
    known.forget("a")
    assert (known.get("a"), known.get("b")) == (None, ONE)


def test_members_of_rules_that_are_gone_are_forgotten() -> None:
    known = lists(a=ONE, b=ONE, c=ONE)
    known.retain(["c", "new"])
    assert [known.get(rule) for rule in ("a", "b", "c", "new")] == [None, None, ONE, None]


def test_threads_may_keep_and_forget_members_at_once() -> None:
    known = MemberLists()

    def work(first: int) -> None:
        for number in range(first, first + 2000):
            known.keep(str(number), {"vm": str(number)})
            known.forget(str(number - 50))

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, first) for first in range(0, 40000, 10000)]:
            done.result()


def test_only_so_many_load_balancers_are_remembered() -> None:
    values: LeastRecent[int] = LeastRecent()
    for number in range(REMEMBERED + 1):
        values.put(str(number), number)
        values.get("1")
    assert (values.get("0"), values.get("1"), values.get("2")) == (None, 1, 2)
    values.put("one more", 0)
    assert values.get("3") is None
    assert values.get(str(REMEMBERED)) == REMEMBERED


def test_choices_are_remembered_for_a_while_and_kept_from_others() -> None:
    now = [0.0]
    choices = Choices(lambda: now[0])
    choices.note("a", "192.0.2.1")
    choices.note("b", "192.0.2.2")
    assert choices.of("a") == "192.0.2.1"
    assert choices.of_others("a") == {"192.0.2.2"}
    now[0] = CHOICE_SECONDS + 1
    assert (choices.of("a"), choices.of_others("a")) == ("", frozenset())


def test_a_lease_is_as_old_as_this_process_has_seen_it() -> None:
    now = [0.0]
    leases = Leases(lambda: now[0])
    assert leases.see("ip-1", "a") == 0
    now[0] = 100.0
    assert (leases.see("ip-1", "a"), leases.see("ip-2", "a")) == (100, 0)
    assert leases.see("ip-1", "b") == 0
    now[0] = 150.0
    assert leases.see("ip-1", "a") == 0, "it was gone meanwhile"


def test_a_lease_that_a_call_leaves_is_the_next_calls_alone() -> None:
    leases = Leases(lambda: 0.0)
    leases.leave("uid", "ip-1", "a")
    assert leases.inherit("other") == ("", "")
    assert leases.inherit("uid") == ("ip-1", "a")
    assert leases.inherit("uid") == ("", "")


@dataclass
class Fleet:
    """Load balancers that are checked for drift, and what the lists of their members cost.

    Attributes:
        now: monotonic seconds.
        reads: when the members of each were read.
    """

    count: int
    list_seconds: float
    now: float = 0.0
    reads: list[list[float]] = field(default_factory=list)

    def run(self, hours: float, config: Config, seed: int) -> None:
        """Make all checks, each load balancer's at its own even pace."""
        rng = random.Random(seed)  # noqa: S311 - a test's order
        remembered = RememberedMembers(config.drift_share, config.drift_resync, lambda: self.now)
        pace = [
            config.drift_resync * rng.uniform(1 - SPREAD, 1 + SPREAD) for _ in range(self.count)
        ]
        due = [each * rng.random() for each in pace]
        self.reads = [[] for _ in range(self.count)]
        while self.now < 3600 * hours:
            number = min(range(self.count), key=due.__getitem__)
            self.now = due[number]
            known = remembered.begin(str(number), "f", is_check=True)
            if known.since == self.now:
                self.reads[number].append(self.now)
                remembered.note(known, self.list_seconds)
            remembered.end(str(number), known, "f")
            due[number] += pace[number]

    def share_after(self, start: float) -> float:
        """Return the part of the time since then that lists took."""
        lists = sum(read > start for reads in self.reads for read in reads)
        return lists * self.list_seconds / (self.now - start)

    def longest_gap(self) -> float:
        """Return the longest time for which the members of one were not read."""
        ends = [[*reads, self.now] for reads in self.reads]
        return max(b - a for reads in ends for a, b in pairwise(reads))


def longest_member_drift(list_seconds: float, config: Config) -> float:
    """Return the seconds for which members that drifted stay so, at most, after the first look.

    They are read in rounds, those of the load balancers not read for longest first, each at a check
    of its own; a small part of the share is not used while those are waited for. `list_seconds` are
    those of the lists of all members.
    """
    longest_wait = config.drift_resync * (1 + SPREAD)
    return 1.1 * list_seconds / config.drift_share + 2 * longest_wait


def test_members_of_200_load_balancers_cost_their_share_and_drift_as_long_as_said() -> None:
    config = Config()
    list_seconds = 5 * read_seconds("listLoadBalancerRuleInstances", "", 100)
    longest = longest_member_drift(200 * list_seconds, config)
    assert round(longest / 3600, 1) == 2.8
    for seed in range(3):
        fleet = Fleet(200, list_seconds)
        fleet.run(24.0, config, seed)
        assert 0.045 <= fleet.share_after(4 * 3600.0) <= 0.0505
        assert fleet.longest_gap() <= longest


def test_members_of_few_load_balancers_are_read_at_every_check() -> None:
    config = Config()
    fleet = Fleet(20, read_seconds("listLoadBalancerRuleInstances", "", 5))
    fleet.run(6.0, config, 1)
    assert fleet.longest_gap() <= config.drift_resync * (1 + SPREAD) + 0.001


def test_everything_but_members_of_200_load_balancers_costs_the_server_little_at_every_check() -> (
    None
):
    one_check = read_seconds("listPublicIpAddresses", "", 1) + sum(
        read_seconds(command, "", 5) for command in ("listLoadBalancerRules", "listFirewallRules")
    )
    assert 200 * one_check / (Config().drift_resync * (1 - SPREAD)) < 0.02


def test_what_a_first_look_reads_is_no_part_of_the_share() -> None:
    now = [0.0]
    remembered = RememberedMembers(0.05, 300.0, lambda: now[0])
    for uid in ("a", "b"):
        known = remembered.begin(uid, "f", is_check=True)
        remembered.note(known, 100.0)
        remembered.end(uid, known, "f")
    now[0] = 300.0
    known = remembered.begin("a", "f", is_check=True)
    assert known.since == 300.0
    remembered.note(known, 100.0)
    remembered.end("a", known, "f")
    assert remembered.begin("b", "f", is_check=True).since == 0.0


def a_check(remembered: RememberedMembers, uid: str, seconds: float, now: float) -> bool:
    """Check a load balancer for drift; tell whether its members were read."""
    known = remembered.begin(uid, "f", is_check=True)
    is_read = known.since == now
    if is_read:
        remembered.note(known, seconds)
    remembered.end(uid, known, "f")
    return is_read


@pytest.mark.parametrize("are_called", [False, True], ids=["gone", "always in trouble"])
def test_load_balancers_whose_members_are_never_read_again_stop_no_others(
    *, are_called: bool
) -> None:
    now = [0.0]
    remembered = RememberedMembers(0.05, 300.0, lambda: now[0])
    for number in range(100):
        a_check(remembered, f"dead-{number}", 10.0, now[0])
    now[0] = 1.0
    a_check(remembered, "living", 1.0, now[0])
    reads = 0
    for _ in range(36):
        now[0] += 300.0
        for number in range(100 * are_called):
            known = remembered.begin(f"dead-{number}", "f", is_check=False)
            remembered.end(f"dead-{number}", known, "f")
        reads += a_check(remembered, "living", 1.0, now[0])
    assert reads >= 30


def test_a_turn_that_did_not_end_goes_on_and_counts_as_its_share() -> None:
    now = [0.0]
    remembered = RememberedMembers(0.05, 300.0, lambda: now[0])
    remembered.end("a", lists(rule=ONE), "f")
    now[0] = 600.0
    known = remembered.begin("a", "f", is_check=True)
    known.keep("first", ONE)
    known.is_partial = True
    remembered.note(known, 1.0)
    remembered.end("a", known, "f")
    now[0] = 1200.0
    again = remembered.begin("a", "f", is_check=True)
    assert (again.due(), again.is_turn) == (frozenset({"rule"}), True)
    again.read("rule", ONE)
    again.is_partial = False
    remembered.end("a", again, "f")
    assert not remembered.begin("a", "f", is_check=False).is_turn


def test_the_last_answer_counts_until_it_shows_whichever_earlier_status_does() -> None:
    now = [0.0]
    answers = LastAnswers(lambda: now[0])
    first, second, third = ({"checkedFor": each} for each in "abc")
    answers.note("lb", first, second)
    answers.note("lb", first, third)
    assert answers.of("lb", first) == answers.of("lb", second) == third
    assert answers.of("lb", third) is None
    assert answers.of("lb", {"checkedFor": "somebody else's"}) is None
    assert answers.of("other", first) is None
    answers.note("lb", third, first)
    assert answers.of("lb", first) is None
    assert answers.of("lb", third) == first
    now[0] = ANSWER_SECONDS
    assert answers.of("lb", third) is None


def test_only_some_statuses_of_a_load_balancer_are_remembered() -> None:
    answers = LastAnswers(lambda: 0.0)
    for number in range(KNOWN_ANSWERS + 2):
        answers.note("lb", {"n": number}, {"n": number + 1})
    assert answers.of("lb", {"n": 1}) is None
    assert answers.of("lb", {"n": KNOWN_ANSWERS}) == {"n": KNOWN_ANSWERS + 2}


def test_what_a_job_is_to_do_counts_once_it_ended_well_unless_another_change_began() -> None:
    known = MemberLists()
    known.expect("job-1", "rule-1", {"vm-1": "node-1"})
    known.expect("job-2", "rule-2", {"vm-2": "node-2"})
    known.forget("rule-2")
    for job_id in ("job-1", "job-2", "job of something else"):
        known.note_end(job_id)
    assert (known.get("rule-1"), known.get("rule-2")) == ({"vm-1": "node-1"}, None)
