from collections.abc import Callable, Mapping
from contextlib import nullcontext
from itertools import count
from typing import Any

import pytest

from hooks.cloudstack.client import ATTEMPTS, MAX_OBJECTS, MAX_QUIET, PAGE_SIZE
from hooks.cloudstack.commands.parameters import Command
from hooks.cloudstack.errors import (
    CloudStackError,
    Refused,
    Throttled,
    Unreachable,
)
from hooks.cloudstack.models.compute import VirtualMachine, Zone
from hooks.cloudstack.models.fields import Model
from hooks.cloudstack.models.jobs import Job
from hooks.cloudstack.models.loadbalancing import LoadBalancerRule, Member
from hooks.cloudstack.models.network import Network, PublicIpAddress
from tests.unit.cloudstack.transports import Script, Scripted

BROKEN = Unreachable("listZones", "the connection broke", transient=True)
NOT_SENT = Unreachable("createTags", "no connection", sent=False, transient=True)
MAYBE_SENT = Unreachable("createTags", "no answer", sent=True, transient=True)
WRONG_ADDRESS = Unreachable("listZones", "got text/html", transient=False)
ZONES = {"count": 1, "zone": [{"id": "z", "name": "west"}]}
JOB = {"jobid": "j", "id": "made"}


def pages_of(ids: list[str]) -> Callable[[Mapping[str, object]], dict[str, Any]]:
    """Answer listZones page by page, as CloudStack does."""

    def answer(params: Mapping[str, object]) -> dict[str, Any]:
        page, size = params["page"], params["pagesize"]
        assert isinstance(page, int)
        assert isinstance(size, int)
        rows = [{"id": id_, "name": id_} for id_ in ids[(page - 1) * size : page * size]]
        return {"count": len(ids), "zone": rows} if rows else {"count": len(ids)} if ids else {}

    return answer


def listed(script: Script, seconds: float = 8) -> list[str]:
    return [zone.id for zone in script.client().list_all(Zone, script.deadline(seconds))]


def job_of(script: Script, command: str, *, seconds: float) -> Job:
    """Start a job and wait for its end."""
    client, deadline = script.client(), script.deadline(seconds)
    job = client.start(Command(command, {}), deadline)
    client.wait_for(job, deadline)
    return job


@pytest.mark.parametrize("command", ["listZones", "queryAsyncJobResult"])
def test_a_read_that_breaks_is_asked_again_after_growing_pauses(command: str) -> None:
    fault = Unreachable(command, "the connection broke", transient=True)
    script = Script([fault, fault, ZONES])
    assert script.client().call(command, {}, script.deadline(8)) == ZONES
    assert len(script.calls) == 3
    assert script.time.pauses == [0.1, 0.2]


def test_a_read_that_goes_on_breaking_is_given_up() -> None:
    script = Script([BROKEN])
    with pytest.raises(Unreachable) as caught:
        script.client().call("listZones", {}, script.deadline(8))
    assert caught.value is BROKEN
    assert len(script.calls) == ATTEMPTS


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        pytest.param("createTags", MAYBE_SENT, id="a write that may have been carried out"),
        pytest.param("listZones", WRONG_ADDRESS, id="a wrong address"),
        pytest.param("listZones", Refused("listZones", 530, "no"), id="CloudStack said no"),
        pytest.param("createTags", Throttled("createTags", 0.5), id="a write asked to wait"),
        pytest.param("listZones", Throttled("listZones", 30), id="a read asked to wait long"),
    ],
)
def test_what_would_be_wrong_or_of_no_use_is_sent_once(
    command: str, fault: CloudStackError
) -> None:
    script = Script([fault])
    with pytest.raises(type(fault)) as caught:
        script.client().call(command, {}, script.deadline(60))
    assert caught.value is fault
    assert len(script.calls) == 1


def test_a_write_that_surely_was_not_sent_is_sent_again() -> None:
    script = Script([NOT_SENT, JOB])
    assert script.client().call("createTags", {}, script.deadline(8)) == JOB
    assert len(script.calls) == 2


def test_nothing_is_asked_again_past_the_deadline() -> None:
    script = Script([BROKEN], call_seconds=0.95)
    with pytest.raises(Unreachable):
        script.client().call("listZones", {}, script.deadline(1))
    assert len(script.calls) == 1
    assert script.time.pauses == []


def test_each_request_is_given_what_is_left_of_the_deadline() -> None:
    script = Script([BROKEN, ZONES], call_seconds=2)
    script.client().call("listZones", {}, script.deadline(8))
    assert script.limits == [8.0, pytest.approx(5.9)]


def test_nothing_is_sent_when_the_time_is_up() -> None:
    script = Script([JOB])
    with pytest.raises(Unreachable, match="not sent, no time is left") as caught:
        script.client().call("createTags", {}, script.deadline(0))
    assert not caught.value.sent
    assert script.calls == []


def test_a_read_waits_as_long_as_cloudstack_asks() -> None:
    script = Script([Throttled("listZones", 1.5), ZONES])
    assert script.client().call("listZones", {}, script.deadline(8)) == ZONES
    assert script.time.pauses == [1.5]


def test_a_read_does_not_wait_past_its_deadline() -> None:
    script = Script([Throttled("listZones", 1.5), ZONES])
    with pytest.raises(Throttled):
        script.client().call("listZones", {}, script.deadline(1))
    assert script.time.pauses == []


def test_after_throttling_nothing_is_sent_until_the_time_has_passed() -> None:
    script = Script([Throttled("createTags", 5), JOB])
    client = script.client()
    with pytest.raises(Throttled):
        client.call("createTags", {}, script.deadline(8))
    script.time.now += 2
    with pytest.raises(Throttled) as caught:
        client.call("deleteTags", {}, script.deadline(8))
    assert caught.value.retry_after == pytest.approx(3)
    assert len(script.calls) == 1
    script.time.now += 3
    assert client.call("deleteTags", {}, script.deadline(8)) == JOB


def test_a_silence_of_a_day_is_tried_again_after_a_minute() -> None:
    script = Script([Throttled("createTags", 86400), JOB])
    client = script.client()
    with pytest.raises(Throttled):
        client.call("createTags", {}, script.deadline(8))
    script.time.now += MAX_QUIET
    assert client.call("createTags", {}, script.deadline(8)) == JOB


def test_each_request_is_observed_with_its_outcome() -> None:
    observed: list[tuple[str, str]] = []
    lines: list[Scripted] = [BROKEN, ZONES, Refused("associateIpAddress", 533, "taken")]
    script = Script([*lines, Throttled("createTags", 9)])
    client = script.client(observed=observed)
    client.call("listZones", {}, script.deadline(8))
    for command in ("associateIpAddress", "createTags", "createTags"):
        with pytest.raises(CloudStackError):
            client.call(command, {}, script.deadline(8))
    assert observed == [
        ("listZones", "unreachable"),
        ("listZones", "ok"),
        ("associateIpAddress", "533"),
        ("createTags", "throttled"),
    ]


@pytest.mark.parametrize("size", [0, 1, PAGE_SIZE - 1, PAGE_SIZE, PAGE_SIZE + 1, 2 * PAGE_SIZE])
def test_a_list_is_read_page_by_page(size: int) -> None:
    ids = [str(number) for number in range(size)]
    script = Script([pages_of(ids)])
    assert listed(script) == ids
    assert len(script.calls) == max(1, -(-size // PAGE_SIZE))
    assert all(params["pagesize"] == PAGE_SIZE for _, params in script.calls)


def test_a_page_that_fails_fails_the_list() -> None:
    ids = [str(number) for number in range(600)]
    script = Script([pages_of(ids), Refused("listZones", 530, "no")])
    with pytest.raises(Refused):
        listed(script)


def test_a_page_that_breaks_is_asked_again_by_itself() -> None:
    ids = [str(number) for number in range(600)]
    script = Script([pages_of(ids), BROKEN, pages_of(ids)])
    assert listed(script) == ids
    assert [params["page"] for _, params in script.calls] == [1, 2, 2]


IDS = [f"{number:03}" for number in range(600)]
CHANGES = [
    pytest.param(pages_of(IDS[:3] + IDS[4:]), IDS[:3] + IDS[4:], id="one went away: one slips"),
    pytest.param(pages_of(["new", *IDS]), ["new", *IDS], id="one came in front: one is seen twice"),
    pytest.param(lambda _: {"count": 600}, IDS, id="the second page is empty"),
    pytest.param(lambda _: {}, IDS, id="the second page has not even a count"),
]


@pytest.mark.parametrize(("second", "now"), CHANGES)
def test_a_list_that_changes_between_pages_is_read_again(
    second: Callable[[Mapping[str, object]], dict[str, Any]], now: list[str]
) -> None:
    script = Script([pages_of(IDS), second, pages_of(now)])
    assert listed(script) == now


def test_a_list_that_changes_each_time_is_no_list() -> None:
    script = Script([pages_of(IDS), {"count": 600}] * ATTEMPTS)
    with pytest.raises(Unreachable, match="the list changed each time it was read"):
        listed(script)
    assert len(script.calls) == 2 * ATTEMPTS


def test_a_list_without_counts_ends_with_a_page_that_is_not_full() -> None:
    def uncounted(params: Mapping[str, object]) -> dict[str, Any]:
        return {"zone": pages_of(IDS)(params)["zone"]}

    assert listed(Script([uncounted])) == IDS


def test_rows_added_at_the_end_while_reading_are_part_of_the_list() -> None:
    script = Script([pages_of(IDS), pages_of([*IDS, "new"])])
    assert listed(script) == [*IDS, "new"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(
            {"zone": {"id": "z"}}, "a list of objects was expected under 'zone'", id="object"
        ),
        pytest.param({"zone": ["z"]}, "a list of objects was expected under 'zone'", id="texts"),
        pytest.param(
            {"count": 1, "zones": [{"id": "z"}]},
            "a list was expected under 'zone', there are other keys",
            id="another key",
        ),
        pytest.param(
            {"error": "backend down"},
            "a list was expected under 'zone', there are other keys",
            id="an error of another server",
        ),
        pytest.param(
            {"count": "5"}, "a whole number was expected under 'count'", id="a count in text"
        ),
        pytest.param(
            {"count": 1, "zone": [{"id": "../../x"}]},
            "an answer that cannot be used: a zone with 'id' '../../x', which is no id",
            id="an id that is a path",
        ),
        pytest.param(
            {"count": 1, "zone": [{"name": "z"}]},
            "an answer that cannot be used: a zone without 'id'",
            id="without an id",
        ),
    ],
)
def test_an_answer_that_is_no_list_of_zones_is_told_and_not_retried(
    answer: dict[str, Any], words: str
) -> None:
    script = Script([answer])
    with pytest.raises(Unreachable) as caught:
        listed(script)
    assert str(caught.value) == f"listZones: {words}"
    assert len(script.calls) == 1


ID, OTHER = "6d0f2b1e-2c43-4c36-9a51-0c8c1f6f6a10", "f3b8a9a4-58d7-4d53-9b0e-7d1f6f1b3a55"
BY_ID: dict[type[Model], dict[str, Any]] = {
    Network: {"name": "n"},
    PublicIpAddress: {"ipaddress": "203.0.113.7", "state": "Allocated"},
    VirtualMachine: {"name": "n", "state": "Running"},
    LoadBalancerRule: {"name": "n", "publicipid": "p", "publicport": "1", "privateport": "2"},
}


@pytest.mark.parametrize("model", BY_ID, ids=lambda model: model.__name__)
def test_what_was_not_asked_for_by_its_id_is_refused(model: type[Model]) -> None:
    listing = model.LISTING

    def answered(*ids: str) -> list[str]:
        rows = [{"id": each, **BY_ID[model]} for each in ids]
        script = Script([{"count": len(ids), listing.key: rows}])
        found: list[Any] = [*script.client().list_all(model, script.deadline(8), id=ID)]
        assert len(script.calls) == 1
        return [each.id for each in found]

    assert answered(ID) == [ID]
    assert answered(ID.upper()) == [ID.upper()]
    for ids in ((OTHER,), (ID, OTHER), (OTHER, ID)):
        with pytest.raises(Unreachable) as caught:
            answered(*ids)
        wanted = f"{listing.command}: asked for id {ID}, the answer is about '{OTHER}'"
        assert str(caught.value) == wanted
        assert not caught.value.transient


def test_of_several_ids_each_may_be_answered_and_no_other() -> None:
    row = {"name": "n", "state": "Running"}
    for ids, is_good in (([OTHER, ID], True), ([ID], True), ([ID, "x"], False)):
        rows = {"count": len(ids), "virtualmachine": [{"id": each, **row} for each in ids]}
        script = Script([rows])
        with (
            nullcontext() if is_good else pytest.raises(Unreachable, match=f"{ID}, {OTHER}, .*'x'")
        ):
            found = script.client().list_all(VirtualMachine, script.deadline(8), ids=[ID, OTHER])
            assert [vm.id for vm in found] == ids


def test_the_members_of_a_rule_have_ids_of_their_own() -> None:
    row = {"loadbalancerruleinstance": {"id": OTHER, "name": "n"}, "lbvmipaddresses": ["10.0.0.1"]}
    script = Script([{"count": 1, "lbrulevmidip": [row]}])
    found = script.client().list_all(Member, script.deadline(8), id=ID)
    assert [each.virtual_machine_id for each in found] == [OTHER]


def test_one_object_is_found_under_its_key() -> None:
    script = Script([{"zone": {"id": "z", "name": "west"}}])
    zone = script.client().one(Zone, script.deadline(8))
    assert zone == Zone("z", "west")


def test_one_object_that_is_not_there_is_told() -> None:
    script = Script([{}])
    with pytest.raises(Unreachable, match="an object 'zone' was expected"):
        script.client().one(Zone, script.deadline(8))


def test_pages_without_end_are_not_read_for_ever() -> None:
    numbers = count()

    def page(_: Mapping[str, object]) -> dict[str, Any]:
        return {"zone": [{"id": f"{next(numbers)}", "name": "z"} for _ in range(PAGE_SIZE)]}

    script = Script([page])
    with pytest.raises(Unreachable, match="the list has more than 100000 objects"):
        listed(script)
    assert len(script.calls) == MAX_OBJECTS // PAGE_SIZE + 1
