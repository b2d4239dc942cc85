"""What is remembered between calls, and when it is not used."""

from hooks.loadbalancers.memory import (
    CHOICE_SECONDS,
    REMEMBERED,
    Choices,
    LeastRecent,
    MemberLists,
    RememberedMembers,
)

ONE = {"vm-1": "n1"}


def lists(**members: dict[str, str]) -> MemberLists:
    made = MemberLists()
    for rule_id, each in members.items():
        made.keep(rule_id, each)
    return made


def begun(remembered: RememberedMembers, recorded: str, *, is_check: bool = False) -> bool:
    """Tell whether a call that begins may use what was remembered of the rule."""
    known = remembered.begin("uid", recorded, is_check=is_check)
    return known.get("rule") is not None


def test_a_call_uses_what_the_call_before_it_knew() -> None:
    remembered = RememberedMembers()
    remembered.end("uid", lists(rule=ONE), "f1")
    assert remembered.begin("uid", "f1", is_check=False).get("rule") == ONE


def test_a_drift_check_reads() -> None:
    remembered = RememberedMembers()
    remembered.end("uid", lists(rule=ONE), "f1")
    assert not begun(remembered, "f1", is_check=True)


def test_after_another_replica_has_answered_members_are_read() -> None:
    remembered = RememberedMembers()
    remembered.end("uid", lists(rule=ONE), "f1")
    assert not begun(remembered, "f2")


def test_the_status_before_the_last_one_is_ours_too_and_no_older_one() -> None:
    for recorded, is_used in (("f3", True), ("f2", True), ("f1", False)):
        remembered, known = RememberedMembers(), lists(rule=ONE)
        for answered in ("f1", "f2", "f3"):
            remembered.end("uid", known, answered)
        assert begun(remembered, recorded) is is_used


def test_a_call_that_never_ends_leaves_nothing_remembered() -> None:
    remembered = RememberedMembers()
    remembered.end("uid", lists(rule=ONE), "f1")
    assert begun(remembered, "f1")
    assert not begun(remembered, "f1")


def test_rules_with_the_same_members_share_them() -> None:
    known = lists(a=dict(ONE), b=dict(ONE), c={"vm-2": "n2"})
    assert known.get("a") is known.get("b")
    assert known.get("c") == {"vm-2": "n2"}
    known.forget("a")
    assert (known.get("a"), known.get("b")) == (None, ONE)


def test_only_so_many_load_balancers_are_remembered() -> None:
    values: LeastRecent[int] = LeastRecent()
    for number in range(REMEMBERED + 1):
        values.put(str(number), number)
    assert values.get("0") is None
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
