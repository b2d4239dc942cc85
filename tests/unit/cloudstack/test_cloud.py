"""The cloud on the simulator: snapshots, zones, projects, many threads."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import pytest

from hooks.cloudstack import Clocks, Cloud, CloudConfig, Scope
from hooks.cloudstack.errors import InvalidParameter, Refused, UnknownZone, Unreachable
from hooks.cloudstack.models.compute import VirtualMachine
from hooks.http.deadline import Deadline
from simulator.server import Simulator
from tests.controlplane.polling import PATIENCE
from tests.unit.cloudstack.http_api import ok, serving
from tests.unit.cloudstack.transports import Time


@contextmanager
def cloud_of(
    simulator: Simulator,
    *,
    project_id: str = "",
    zone: str = "",
    clock: Callable[[], float] = float,
) -> Iterator[Cloud]:
    user = simulator.user
    config = CloudConfig(
        simulator.url, user.api_key, user.secret_key, project_id=project_id, zone=zone
    )
    with closing(Cloud(config, clocks=Clocks(clock))) as cloud:
        yield cloud


@pytest.fixture
def small() -> Iterator[Simulator]:
    with Simulator(world="small") as simulator:
        yield simulator
        assert simulator.control.ignored_parameters() == []


@pytest.fixture(scope="module")
def large() -> Iterator[Simulator]:
    with Simulator(world="large", vms=600) as simulator:
        yield simulator


@pytest.fixture
def many(large: Simulator) -> Iterator[Simulator]:
    large.control.clear_calls()
    yield large
    large.control.clear_faults()
    assert large.control.ignored_parameters() == []


def test_six_hundred_machines_are_one_snapshot_of_two_pages(many: Simulator) -> None:
    with cloud_of(many, clock=lambda: 1234.5) as cloud:
        snapshot = cloud.snapshot(Deadline(8))
        assert cloud.snapshot(Deadline(8)) is snapshot
    assert snapshot.taken_at == 1234.5
    assert len(snapshot.vms) == len(snapshot.by_id) == 600
    [last] = snapshot.by_host["node-00600"]
    assert last.offering_name == "Small Instance"
    assert last.nics[0].ip_address
    calls = many.control.calls("listVirtualMachines")
    assert [call["params"]["page"] for call in calls] == ["1", "2"]
    assert {call["params"]["details"] for call in calls} == {"nics,servoff"}
    assert {call["params"]["listall"] for call in calls} == {"true"}


def test_a_second_page_that_fails_leaves_no_snapshot(many: Simulator) -> None:
    many.control.fault("listVirtualMachines", "error", when={"page": "2"}, times=1)
    with cloud_of(many) as cloud, pytest.raises(Refused) as caught:
        cloud.snapshot(Deadline(8))
    assert caught.value.code == 530


def test_a_second_page_that_breaks_once_is_read_again(many: Simulator) -> None:
    many.control.fault("listVirtualMachines", "html", when={"page": "2"}, times=1)
    with cloud_of(many) as cloud:
        assert len(cloud.snapshot(Deadline(8)).vms) == 600


def test_thirty_two_calls_at_once_are_one_snapshot(many: Simulator) -> None:
    start = threading.Barrier(32)
    with cloud_of(many) as cloud, ThreadPoolExecutor(32) as callers:

        def look(_: int) -> int:
            start.wait(PATIENCE)
            return id(cloud.snapshot(Deadline(8)))

        assert len(set(callers.map(look, range(32)))) == 1
    assert many.control.counts() == {"listVirtualMachines": 2}


def test_sixteen_hundred_calls_from_thirty_two_threads_are_never_mixed_up(
    many: Simulator,
) -> None:
    with cloud_of(many) as cloud, ThreadPoolExecutor(32) as callers:
        ids = list(cloud.snapshot(Deadline(8)).by_id)

        def ask(number: int) -> bool:
            wanted = ids[number * 7 % len(ids)]
            found = cloud.client.list_all(VirtualMachine, Deadline(60), id=wanted, details="min")
            return [machine.id for machine in found] == [wanted]

        assert all(callers.map(ask, range(1600)))
    assert many.control.counts()["listVirtualMachines"] == 2 + 1600


@pytest.mark.parametrize("by", ["name", "id"])
def test_a_configured_zone_is_found_once_and_does_not_narrow_the_list(
    by: str, small: Simulator
) -> None:
    with cloud_of(small) as cloud:
        [zone_id] = {machine.zone_id for machine in cloud.snapshot(Deadline(8)).vms}
    small.control.clear_calls()
    with cloud_of(small, zone="zone-1" if by == "name" else zone_id) as cloud:
        assert cloud.scope(Deadline(8)).zone_id == zone_id
        assert cloud.scope(Deadline(8)).account == "user"
        assert len(cloud.snapshot(Deadline(8)).vms) == 5
        cloud.snapshot(Deadline(8))
    counts = {"listZones": 1, "listAccounts": 1, "listVirtualMachines": 1}
    assert small.control.counts() == counts
    [call] = small.control.calls("listVirtualMachines")
    assert "zoneid" not in call["params"]


def test_a_zone_that_is_not_there_is_named_with_those_that_are(small: Simulator) -> None:
    with cloud_of(small, zone="west") as cloud, pytest.raises(UnknownZone) as caught:
        cloud.scope(Deadline(8))
    assert str(caught.value) == "listZones: no zone has the name or id 'west'; there are zone-1"
    assert small.control.calls("listVirtualMachines") == []


@pytest.mark.parametrize(
    ("config", "scope"),
    [
        pytest.param({}, "account user, domain {domain}, every zone", id="the keys' own"),
        pytest.param({"account": "a", "domain": "ROOT/b"}, "account a, domain ROOT/b, every zone",
                     id="a configured account"),
        pytest.param({"domain": "ROOT/b"}, "domain ROOT/b, every zone", id="a configured domain"),
        pytest.param({"project_id": "p"}, "project p, every zone", id="a project"),
    ],
)  # fmt: skip
def test_names_are_looked_for_in_what_is_configured_else_the_own_account(
    config: dict[str, Any], scope: str, small: Simulator
) -> None:
    [domain] = small.world.domains
    user = small.user
    given = CloudConfig(small.url, user.api_key, user.secret_key, **config)
    with closing(Cloud(given)) as cloud:
        assert str(cloud.scope(Deadline(8))) == scope.format(domain=domain.id)


@pytest.mark.parametrize("code", [401, 432])
def test_keys_that_may_not_ask_for_their_account_find_what_they_see(
    code: int, small: Simulator
) -> None:
    small.control.fault("listAccounts", code=code)
    with cloud_of(small) as cloud:
        assert cloud.scope(Deadline(8)) == Scope()
        cloud.scope(Deadline(8))
    assert small.control.counts() == {"listAccounts": 1}


def test_an_error_is_no_answer_about_the_own_account(small: Simulator) -> None:
    small.control.fault("listAccounts", code=530)
    with cloud_of(small) as cloud, pytest.raises(Refused):
        cloud.scope(Deadline(8))


def test_a_network_is_asked_for_once(small: Simulator) -> None:
    with cloud_of(small) as cloud:
        network_id = cloud.snapshot(Deadline(8)).vms[0].nics[0].network_id
        network = cloud.network(network_id, Deadline(8))
        assert cloud.network(network_id, Deadline(8)) is network
        assert small.control.counts()["listNetworks"] == 1
    assert network is not None
    assert (network.name, network.type) == ("net-1", "Isolated")
    assert network.has("Lb")


def test_a_network_of_somebody_else_is_not_there(small: Simulator) -> None:
    other = small.world.networks.named("other-net")
    assert other is not None
    with cloud_of(small) as cloud:
        assert cloud.network(other.id, Deadline(8)) is None


def test_a_network_that_is_not_visible_for_a_moment_is_found_seconds_later() -> None:
    time, answers = Time(), [{}, {"count": 1, "network": [{"id": "n-1", "name": "net-1"}]}]
    with serving(lambda call: ok(call, answers.pop(0))) as api:
        config = CloudConfig(api.url, "the-key", "the-secret")
        with closing(Cloud(config, clocks=Clocks(monotonic=time.monotonic))) as cloud:
            assert cloud.network("n-1", Deadline(8)) is None
            time.now += 10
            found = cloud.network("n-1", Deadline(8))
    assert found is not None
    assert found.name == "net-1"


def test_the_servers_version_is_asked_for_once(small: Simulator) -> None:
    with cloud_of(small) as cloud:
        assert cloud.capabilities(Deadline(8)).at_least(4, 22)
        assert cloud.capabilities(Deadline(8)).at_least(4, 22)
    assert small.control.counts() == {"listCapabilities": 1}


def test_a_project_shows_its_own_machines_and_only_them(small: Simulator) -> None:
    project_id = project_of(small)
    with cloud_of(small, project_id=project_id) as cloud:
        snapshot = cloud.snapshot(Deadline(8))
    assert [machine.name for machine in snapshot.vms] == ["project-node-1"]
    assert snapshot.vms[0].project_id == project_id


def test_without_the_project_its_machines_are_not_there_even_by_id(small: Simulator) -> None:
    with cloud_of(small, project_id=project_of(small)) as inside, cloud_of(small) as outside:
        [machine] = inside.snapshot(Deadline(8)).vms
        assert outside.client.list_all(VirtualMachine, Deadline(8), id=machine.id) == ()
        [again] = inside.client.list_all(VirtualMachine, Deadline(8), id=machine.id)
    assert again == machine


def test_a_machine_that_never_was_is_an_unknown_id(small: Simulator) -> None:
    unknown = "00000000-0000-4000-8000-000000000000"
    with cloud_of(small) as cloud, pytest.raises(InvalidParameter) as caught:
        cloud.client.list_all(VirtualMachine, Deadline(8), id=unknown)
    assert "entity does not exist" in caught.value.text


def test_a_snapshot_that_takes_longer_than_a_call_is_there_for_the_next(small: Simulator) -> None:
    small.control.fault("listVirtualMachines", "slow", seconds=0.5)
    with cloud_of(small) as cloud:
        with pytest.raises(Unreachable):
            cloud.snapshot(Deadline(0.1))
        assert len(cloud.snapshot(Deadline(8)).vms) == 5
    assert small.control.counts() == {"listVirtualMachines": 1}


def test_a_cloud_does_not_show_its_keys(small: Simulator) -> None:
    with cloud_of(small) as cloud:
        for text in (repr(cloud), str(cloud), repr(cloud.config)):
            assert small.user.api_key not in text
            assert small.user.secret_key not in text
            assert small.url in text


def project_of(simulator: Simulator) -> str:
    project = simulator.world.projects.named("project-1")
    assert project is not None
    return project.id


@pytest.mark.parametrize(
    ("project_id", "command", "key"),
    [
        pytest.param("", "listAccounts", "account", id="the account's outside of projects"),
        pytest.param("the-project", "listProjects", "project", id="the project's inside of one"),
    ],
)
def test_the_limit_of_addresses_is_of_whoever_owns_them(
    project_id: str, command: str, key: str
) -> None:
    owner = {"id": project_id or "o", "name": "o", "iplimit": "20", "iptotal": 3}
    with serving(lambda call: ok(call, {"count": 1, key: [owner]})) as api:
        config = CloudConfig(api.url, "the-key", "the-secret", project_id=project_id)
        with closing(Cloud(config)) as cloud:
            limit = cloud.address_limit(Deadline(8))
        [call] = api.calls
    assert limit is not None
    assert (limit.used, limit.limit) == (3, 20)
    assert (call.command, call.params.get("id", "")) == (command, project_id)
    assert "projectid" not in call.params


def test_a_limit_that_is_not_shown_is_not_known() -> None:
    with serving(lambda call: ok(call, {})) as api:
        config = CloudConfig(api.url, "the-key", "the-secret")
        with closing(Cloud(config)) as cloud:
            assert cloud.address_limit(Deadline(8)) is None
