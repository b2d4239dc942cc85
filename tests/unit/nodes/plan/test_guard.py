import pytest

from hooks.nodes.plan.guard import Survey, SurveyedNode, reason_to_keep
from tests.unit.nodes.objects import seen_missing

SEEN = seen_missing(60, snapshots=3)
HOLD = 600.0
OURS, THEIRS = "account d/user", "account d/other"


def survey(
    missing: int,
    *,
    of: int,
    ready: int = 0,
    rebuilt: int = 0,
    owner: str = OURS,
    owners: tuple[str, ...] = (OURS,),
    more: tuple[SurveyedNode, ...] = (),
) -> Survey:
    """Count nodes of one owner: the last ones are missing, of these the first are Ready."""
    nodes = tuple(
        SurveyedNode(
            f"node-{n}",
            owner,
            is_missing=n < missing,
            is_ready=n < ready,
            is_rebuilt=n < rebuilt,
        )
        for n in range(of)
    )
    return Survey(owner, frozenset(owners), (*nodes, *more))


def bogus(count: int, owner: str = "") -> tuple[SurveyedNode, ...]:
    """Return Ready nodes whose VMs are missing."""
    return tuple(
        SurveyedNode(f"bogus-{n}", owner, is_missing=True, is_ready=True) for n in range(count)
    )


@pytest.mark.parametrize(
    ("surveyed", "kept"),
    [
        pytest.param(survey(1, of=10), False, id="one of ten"),
        pytest.param(survey(2, of=3), False, id="two of three: two are never too many"),
        pytest.param(survey(3, of=12), False, id="a quarter"),
        pytest.param(survey(3, of=10), True, id="the autoscaler removes three of ten"),
        pytest.param(survey(10, of=10), True, id="all at once"),
        pytest.param(survey(2, of=3, ready=1), True, id="a third of three is Ready"),
        pytest.param(survey(2, of=10, ready=1), False, id="one of ten is Ready: its own fault"),
        pytest.param(survey(4, of=10, ready=3, owners=(OURS,)), True, id="three of ten are Ready"),
        pytest.param(survey(2, of=2, ready=1, rebuilt=1), False, id="the Ready one was rebuilt"),
        pytest.param(survey(1, of=4, owners=(THEIRS,)), True, id="no VM of its owner is listed"),
        pytest.param(survey(1, of=4, owners=()), True, id="no VM at all is listed"),
        pytest.param(survey(1, of=4, owner=""), True, id="its VM was never seen"),
        pytest.param(
            survey(1, of=13, more=bogus(3, THEIRS)), False, id="others' contradictions are theirs"
        ),
        pytest.param(survey(1, of=6, more=bogus(3)), True, id="those of unknown owners count"),
    ],
)
def test_the_guard_keeps_what_looks_wrong(surveyed: Survey, kept: bool) -> None:
    reason = reason_to_keep(surveyed, SEEN, hold=HOLD, confirmed=False)
    assert bool(reason) is kept


@pytest.mark.parametrize("nodes", [1, 2, 3, 60])
@pytest.mark.parametrize("ready", [0, 1])
@pytest.mark.parametrize("owners", [(), (THEIRS,)])
def test_a_wrong_key_or_project_deletes_nothing_however_long_it_lasts(
    nodes: int, ready: int, owners: tuple[str, ...]
) -> None:
    surveyed = survey(nodes, of=nodes, ready=ready, owners=owners)
    reason = reason_to_keep(surveyed, seen_missing(1_000_000), hold=HOLD, confirmed=False)
    assert reason.startswith(
        f"the list of VMs is not trusted: it has no VM of {OURS} any more, whose this one was"
    )


@pytest.mark.parametrize("nodes", [1, 2, 3, 60])
@pytest.mark.parametrize("ready", [0, 1])
@pytest.mark.parametrize("owners", [(), (THEIRS,)])
def test_a_key_that_was_wrong_from_the_start_deletes_nothing_however_long_it_lasts(
    nodes: int, ready: int, owners: tuple[str, ...]
) -> None:
    surveyed = survey(nodes, of=nodes, ready=ready, owner="", owners=owners)
    reason = reason_to_keep(surveyed, seen_missing(1_000_000), hold=HOLD, confirmed=False)
    assert reason.startswith("the list of VMs is not trusted: it never had this VM")


def test_many_are_held_for_a_while_only() -> None:
    many = survey(3, of=10)
    assert reason_to_keep(many, seen_missing(599), hold=HOLD, confirmed=False)
    assert not reason_to_keep(many, seen_missing(600), hold=HOLD, confirmed=False)


@pytest.mark.parametrize(
    "held",
    [
        pytest.param(survey(10, of=10), id="many"),
        pytest.param(survey(2, of=3, ready=1), id="a Ready node without a VM"),
        pytest.param(survey(3, of=3, ready=2, owners=()), id="a list without its owner"),
        pytest.param(survey(1, of=10, owner=""), id="a VM that was never seen"),
    ],
)
def test_the_confirmation_works_wherever_the_reason_asks_for_it(held: Survey) -> None:
    reason = reason_to_keep(held, SEEN, hold=HOLD, confirmed=False)
    assert "confirm-deletion=true on this node deletes it" in reason
    assert reason_to_keep(held, SEEN, hold=HOLD, confirmed=True) == ""


@pytest.mark.parametrize(
    ("surveyed", "decide"),
    [
        pytest.param(survey(1, of=4), True, id="its owner's VMs are listed"),
        pytest.param(survey(1, of=4, owners=(THEIRS,)), False, id="only others' VMs are listed"),
        pytest.param(survey(1, of=4, owner="", owners=(OURS, "")), False, id="never seen"),
    ],
)
def test_the_other_nodes_decide_only_where_the_list_has_vms_of_the_owner(
    surveyed: Survey, decide: bool
) -> None:
    assert surveyed.has_owner is decide
    if not decide:
        alone = Survey(surveyed.owner, surveyed.owners)
        reasons = [
            reason_to_keep(each, SEEN, hold=HOLD, confirmed=False) for each in (surveyed, alone)
        ]
        assert reasons[0] == reasons[1] != ""


def test_a_long_list_of_names_is_cut() -> None:
    reason = reason_to_keep(survey(9, of=10), SEEN, hold=HOLD, confirmed=False)
    assert "9 of 10" in reason
    assert "and 4 more" in reason
