"""The command functions on the simulator: a load balancer from address to release, in and out."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest

from hooks.cloudstack import Cloud, CloudConfig
from hooks.cloudstack.client import IN_PROJECT
from hooks.cloudstack.commands import firewall, loadbalancing, network, tags
from hooks.cloudstack.errors import (
    ADDRESS_TAKEN,
    CloudStackError,
    Forbidden,
    InvalidParameter,
    JobRunning,
    Refused,
    Throttled,
    Unauthorized,
    Unreachable,
)
from hooks.cloudstack.models.firewall import FirewallRule, PortRange
from hooks.cloudstack.models.jobs import Job
from hooks.cloudstack.models.loadbalancing import (
    LoadBalancerRule,
    LoadBalancerRuleChange,
    Member,
    NewLoadBalancerRule,
    RulePolicies,
    StickinessPolicy,
)
from hooks.cloudstack.models.network import Network, PublicIpAddress
from hooks.http.deadline import Deadline
from simulator.registry import REGISTRY
from simulator.server import Simulator
from tests.controlplane.polling import SLACK
from tests.unit.cloudstack.commands.command_rows import ROWS

ADDRESS = tags.ResourceType.ADDRESS
ANYONE = ("0.0.0.0/0",)


@dataclass(frozen=True)
class Place:
    """Where a load balancer is made: the cloud, a network of its account or project, its VMs."""

    cloud: Cloud
    network_id: str
    zone_id: str
    vm_ids: tuple[str, ...]

    def done(self, job: Job) -> str:
        """Wait for a job; return the id of what it made."""
        self.cloud.client.wait_for(job, Deadline(8))
        return job.resource_id

    def associate(self, **wanted: str) -> PublicIpAddress:
        client = self.cloud.client
        job = client.start(
            network.associate_ip_address(network_id=self.network_id, **wanted), Deadline(8)
        )
        [address] = client.list_all(PublicIpAddress, Deadline(8), id=self.done(job))
        return address


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(world="small", job_delay=0.01) as simulator:
        yield simulator
        assert simulator.control.ignored_parameters() == []


def place_of(cloud: Cloud) -> Place:
    machines = cloud.snapshot(Deadline(8)).vms
    network_id = machines[0].nics[0].network_id
    ids = tuple(each.id for each in machines if each.nics[0].network_id == network_id)
    return Place(cloud, network_id, machines[0].zone_id, ids)


def project_of(simulator: Simulator) -> str:
    project = simulator.world.projects.named("project-1")
    assert project is not None
    return project.id


def cloud_of(simulator: Simulator, project_id: str) -> Cloud:
    user = simulator.user
    return Cloud(CloudConfig(simulator.url, user.api_key, user.secret_key, project_id=project_id))


@pytest.fixture(params=["account", "project"])
def place(request: pytest.FixtureRequest, simulator: Simulator) -> Iterator[Place]:
    project_id = project_of(simulator) if request.param == "project" else ""
    with closing(cloud_of(simulator, project_id)) as cloud:
        yield place_of(cloud)


def test_a_load_balancer_is_made_and_released_in_an_account_and_in_a_project(place: Place) -> None:
    client = place.cloud.client
    address = chosen_address(place)
    rule_id = rule_with_members(place, address.id)
    opened_firewall(place, address.id)
    stickiness(place, rule_id)
    change = LoadBalancerRuleChange(name="web-tcp-proxy-80", protocol="tcp-proxy")
    place.done(client.start(loadbalancing.update_load_balancer_rule(rule_id, change), Deadline(8)))
    [rule] = client.list_all(LoadBalancerRule, Deadline(8), id=rule_id)
    assert (rule.name, rule.protocol, rule.state) == ("web-tcp-proxy-80", "tcp-proxy", "Active")
    place.done(client.start(network.disassociate_ip_address(address.id), Deadline(8)))
    found = client.list_all(PublicIpAddress, Deadline(8), id=address.id)
    assert found == ()
    with pytest.raises(InvalidParameter) as caught:
        client.list_all(LoadBalancerRule, Deadline(8), id=rule_id)
    assert "entity does not exist" in caught.value.text


def chosen_address(place: Place) -> PublicIpAddress:
    """Choose a free address, associate it, tag it before the job ends, find it by its tag."""
    client = place.cloud.client
    where = {"zone_id": place.zone_id, "state": "Free", "for_virtual_network": True}
    free, _ = client.page(PublicIpAddress, 1, 10, Deadline(8), **where)
    job = client.start(
        network.associate_ip_address(
            network_id=place.network_id,
            ip_address=free[3].ip_address,
        ),
        Deadline(8),
    )
    assert job.resource_id == free[3].id
    owner = {"cluster": "c1", "service": "default/web~1"}
    tagged = client.start(tags.create_tags(ADDRESS, [job.resource_id], owner), Deadline(8))
    place.done(tagged)
    place.done(job)
    [address] = client.list_all(PublicIpAddress, Deadline(8), tags={"service": "default/web~1"})
    assert (address.id, address.ip_address) == (free[3].id, free[3].ip_address)
    assert (address.state, address.network_id) == ("Allocated", place.network_id)
    assert {tag.key: tag.value for tag in address.tags} == owner
    assert address.allocated_at is not None
    return address


def rule_with_members(place: Place, address_id: str) -> str:
    """Create a rule and assign members before the job ends."""
    client = place.cloud.client
    new = NewLoadBalancerRule("web-tcp-80", address_id, place.network_id, 80, 30080, cidrs=ANYONE)
    created = client.start(loadbalancing.create_load_balancer_rule(new), Deadline(8))
    rule_id = created.resource_id
    job = client.start(
        loadbalancing.assign_to_load_balancer_rule(rule_id, place.vm_ids), Deadline(8)
    )
    place.done(created)
    place.done(job)
    members = client.list_all(Member, Deadline(8), id=rule_id)
    assert {member.virtual_machine_id for member in members} == set(place.vm_ids)
    assert all(member.addresses for member in members)
    if len(place.vm_ids) > 1:
        leaving = place.vm_ids[:1]
        place.done(
            client.start(
                loadbalancing.remove_from_load_balancer_rule(rule_id, leaving), Deadline(8)
            )
        )
    [rule] = client.list_all(LoadBalancerRule, Deadline(8), public_ip_id=address_id)
    assert (rule.id, rule.public_port, rule.private_port) == (rule_id, 80, 30080)
    assert (rule.cidrs, rule.protocol, rule.algorithm) == (ANYONE, "tcp", "roundrobin")
    return rule_id


def opened_firewall(place: Place, address_id: str) -> None:
    client = place.cloud.client
    ports = PortRange("tcp", 80, 89, ("10.0.0.0/8", "192.168.0.0/16"))
    rule_id = place.done(
        client.start(firewall.create_firewall_rule(address_id, ports), Deadline(8))
    )
    [rule] = client.list_all(FirewallRule, Deadline(8), ip_address_id=address_id)
    assert rule.id == rule_id
    assert PortRange(rule.protocol, rule.start_port or 0, rule.end_port or 0, rule.cidrs) == ports
    place.done(client.start(firewall.delete_firewall_rule(rule_id), Deadline(8)))
    listed = client.list_all(FirewallRule, Deadline(8), ip_address_id=address_id)
    assert listed == ()


def stickiness(place: Place, rule_id: str) -> None:
    client = place.cloud.client
    policy = loadbalancing.create_lb_stickiness_policy(
        rule_id, "sticky", "SourceBased", {"expire": "3h"}
    )
    policy_id = place.done(client.start(policy, Deadline(8)))
    [found] = policies_of(place, rule_id)
    assert (found.id, found.method) == (policy_id, "SourceBased")
    assert found.params == (("expire", "3h"),)
    gone = loadbalancing.delete_lb_stickiness_policy(policy_id)
    place.done(client.start(gone, Deadline(8)))
    assert policies_of(place, rule_id) == []


def policies_of(place: Place, rule_id: str) -> list[StickinessPolicy]:
    listed = place.cloud.client.list_all(RulePolicies, Deadline(8), lb_rule_id=rule_id)
    return [policy for of_rule in listed for policy in of_rule.policies]


def test_what_is_in_a_project_is_not_there_without_it(simulator: Simulator) -> None:
    inside = place_of(cloud_of(simulator, project_of(simulator)))
    with closing(inside.cloud), closing(cloud_of(simulator, "")) as outside:
        address = inside.associate()
        new = NewLoadBalancerRule("web-tcp-80", address.id, inside.network_id, 80, 30080)
        client = inside.cloud.client
        inside.done(client.start(loadbalancing.create_load_balancer_rule(new), Deadline(8)))
        ports = PortRange("tcp", 80, 80, ANYONE)
        inside.done(client.start(firewall.create_firewall_rule(address.id, ports), Deadline(8)))
        assert seen_by(inside.cloud, address.id, inside.network_id) == (1, 1, 1, 1)
        assert seen_by(outside, address.id, inside.network_id) == (0, 0, 0, 0)


def seen_by(cloud: Cloud, address_id: str, network_id: str) -> tuple[int, ...]:
    """Count the address, its rules, its firewall rules and the network that a cloud shows."""
    client, deadline = cloud.client, Deadline(8)
    return (
        len(client.list_all(PublicIpAddress, deadline, id=address_id)),
        len(client.list_all(LoadBalancerRule, deadline, public_ip_id=address_id)),
        len(client.list_all(FirewallRule, deadline, ip_address_id=address_id)),
        len(client.list_all(Network, deadline, id=network_id)),
    )


def test_what_the_server_takes_is_what_is_sent_and_the_project_where_it_is_taken() -> None:
    for row in ROWS:
        known = REGISTRY.get(row.command)
        if known is None:
            continue
        taken = set(known.parameters)
        assert set(row.run(project_id="p")) <= taken, row.command
        assert (row.command in IN_PROJECT) == ("projectid" in taken), row.command


def test_the_limit_of_addresses_goes_with_their_use(place: Place) -> None:
    before = place.cloud.address_limit(Deadline(8))
    place.associate()
    after = place.cloud.address_limit(Deadline(8))
    assert before is not None
    assert after is not None
    assert after.used == before.used + 1
    assert after.limit == before.limit


def test_an_address_that_is_taken_and_a_port_that_is_taken_are_told_apart(place: Place) -> None:
    address = place.associate()
    with pytest.raises(Refused) as taken:
        place.associate(ip_address=address.ip_address)
    assert taken.value.code == ADDRESS_TAKEN
    client = place.cloud.client
    first, second = (
        loadbalancing.create_load_balancer_rule(
            NewLoadBalancerRule(name, address.id, place.network_id, 80, 30080)
        )
        for name in ("first", "second")
    )
    client.start(first, Deadline(8))
    with pytest.raises(Refused) as conflict:
        client.start(second, Deadline(8))
    assert conflict.value.code == 537


def test_a_key_that_is_on_an_address_already_fails_the_whole_tagging(place: Place) -> None:
    address, client = place.associate(), place.cloud.client
    mine = client.start(tags.create_tags(ADDRESS, [address.id], {"lock": "a"}), Deadline(8))
    place.done(mine)
    yours = {"lock": "b", "more": "b"}
    with pytest.raises(Refused) as caught:
        place.done(client.start(tags.create_tags(ADDRESS, [address.id], yours), Deadline(8)))
    assert caught.value.failed_job
    place.done(client.start(tags.delete_tags(ADDRESS, [address.id], {"lock": None}), Deadline(8)))
    place.done(client.start(tags.create_tags(ADDRESS, [address.id], yours), Deadline(8)))


FAULTS = [
    pytest.param({"kind": "error", "code": 401, "text": "no"}, Unauthorized, id="401"),
    pytest.param({"kind": "error", "code": 431, "text": "no"}, InvalidParameter, id="431"),
    pytest.param({"kind": "error", "code": 432, "text": "no"}, Forbidden, id="432"),
    pytest.param({"kind": "error", "code": 530, "text": "no"}, Refused, id="530"),
    pytest.param({"kind": "error", "code": 531, "text": "no"}, Forbidden, id="531"),
    pytest.param({"kind": "error", "code": 533, "text": "no"}, Refused, id="533"),
    pytest.param({"kind": "error", "code": 537, "text": "no"}, Refused, id="537"),
    pytest.param({"kind": "job-failed", "code": 533}, Refused, id="a failed job"),
    pytest.param({"kind": "job-never-ends"}, JobRunning, id="a job that never ends"),
    pytest.param({"kind": "timeout", "seconds": 60.0}, Unreachable, id="a timeout"),
    pytest.param({"kind": "timeout", "seconds": 0.0}, Unreachable, id="a cut connection"),
    pytest.param({"kind": "html"}, Unreachable, id="HTML"),
    pytest.param({"kind": "empty"}, Unreachable, id="nothing"),
    pytest.param({"kind": "throttled", "seconds": 30.0}, Throttled, id="throttled"),
]


@pytest.mark.parametrize(("fault", "kind"), FAULTS)
@pytest.mark.parametrize("executed", [False, True], ids=["not carried out", "carried out"])
def test_a_write_that_goes_wrong_is_told_in_time_and_was_sent_once(
    simulator: Simulator, fault: dict[str, Any], kind: type[CloudStackError], executed: bool
) -> None:
    with closing(cloud_of(simulator, "")) as cloud:
        place = place_of(cloud)
        simulator.control.fault("associateIpAddress", executed=executed, **fault)
        started = time.monotonic()
        client, deadline = cloud.client, Deadline(1)
        with pytest.raises(CloudStackError) as caught:
            client.wait_for(
                client.start(network.associate_ip_address(network_id=place.network_id), deadline),
                deadline,
            )
        assert time.monotonic() - started < 1 + SLACK
        assert type(caught.value) is kind
        assert caught.value.command == "associateIpAddress"
        assert simulator.control.counts()["associateIpAddress"] == 1


@pytest.mark.parametrize(("fault", "kind"), FAULTS[:7] + FAULTS[9:])
def test_a_read_that_goes_wrong_for_good_is_told_in_time(
    simulator: Simulator, fault: dict[str, Any], kind: type[CloudStackError]
) -> None:
    simulator.control.fault("listVirtualMachines", times=None, **fault)
    with closing(cloud_of(simulator, "")) as cloud, pytest.raises(CloudStackError) as caught:
        cloud.snapshot(Deadline(0.8))
    assert type(caught.value) is kind
