"""The command functions on a VPC: a load balancer on a tier, and the ACL items that let it in."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest

from hooks.cloudstack import Cloud, CloudConfig
from hooks.cloudstack.commands import firewall, loadbalancing, network, tags
from hooks.cloudstack.commands.parameters import Command
from hooks.cloudstack.errors import InvalidParameter, Refused
from hooks.cloudstack.models.compute import VirtualMachine
from hooks.cloudstack.models.firewall import NetworkAcl, NetworkAclList, PortRange
from hooks.cloudstack.models.loadbalancing import (
    LoadBalancerRule,
    LoadBalancerRuleChange,
    NewLoadBalancerRule,
    RulePolicies,
)
from hooks.cloudstack.models.network import Network, PublicIpAddress
from hooks.http.deadline import Deadline
from simulator.server import Simulator

SOURCES = ("10.0.0.0/8", "192.168.0.0/16")
PORTS = PortRange("tcp", 30080, 30089, SOURCES)
ITEM = tags.ResourceType.NETWORK_ACL


@dataclass(frozen=True)
class Place:
    """Where a load balancer is made: a tier of a VPC of the account or the project."""

    cloud: Cloud
    tier: Network

    def done(self, command: Command) -> str:
        """Call a command and wait for its job; return the id of what it made."""
        job = self.cloud.client.start(command, Deadline(8))
        self.cloud.client.wait_for(job, Deadline(8))
        return job.resource_id

    def address(self) -> PublicIpAddress:
        address_id = self.done(network.associate_ip_address(vpc_id=self.tier.vpc_id))
        return self.listed_address(address_id)

    def listed_address(self, address_id: str) -> PublicIpAddress:
        [found] = self.cloud.client.list_all(PublicIpAddress, Deadline(8), id=address_id)
        return found

    def rule(self, address: PublicIpAddress, port: int = 80) -> LoadBalancerRule:
        new = NewLoadBalancerRule(
            f"web-tcp-{port}", address.id, self.tier.id, port, 30080, cidrs=SOURCES
        )
        return self.listed_rule(self.done(loadbalancing.create_load_balancer_rule(new)))

    def listed_rule(self, rule_id: str) -> LoadBalancerRule:
        [found] = self.cloud.client.list_all(LoadBalancerRule, Deadline(8), id=rule_id)
        return found

    def items(self, **where: object) -> tuple[NetworkAcl, ...]:
        return self.cloud.client.list_all(NetworkAcl, Deadline(8), **where)


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(world="vpc", job_delay=0.01) as simulator:
        yield simulator
        assert simulator.control.ignored_parameters() == []


@pytest.fixture(params=["tier-1", "project-tier"])
def place(request: pytest.FixtureRequest, simulator: Simulator) -> Iterator[Place]:
    tier = simulator.world.networks.named(request.param)
    assert tier is not None
    project = tier.account.project
    user = simulator.user
    project_id = project.id if project is not None else ""
    config = CloudConfig(simulator.url, user.api_key, user.secret_key, project_id=project_id)
    with closing(Cloud(config)) as cloud:
        found = cloud.network(tier.id, Deadline(8))
        assert found is not None
        yield Place(cloud, found)


def test_a_tier_names_its_vpc_and_its_list_which_is_of_that_vpc(place: Place) -> None:
    tier = place.tier
    assert tier.has("NetworkACL")
    assert not tier.has("Firewall")
    [own] = place.cloud.client.list_all(NetworkAclList, Deadline(8), id=tier.acl_id)
    assert (own.name, own.vpc_id) == (tier.acl_name, tier.vpc_id)
    lists = place.cloud.client.list_all(NetworkAclList, Deadline(8))
    assert {each.name for each in lists if not each.vpc_id} == {"default_allow", "default_deny"}


def test_an_address_of_a_vpc_serves_a_tier_while_it_has_rules(place: Place) -> None:
    address = place.address()
    assert (address.vpc_id, address.network_id) == (place.tier.vpc_id, "")
    rule = place.rule(address)
    assert (rule.network_id, rule.cidrs) == (place.tier.id, SOURCES)
    assert place.listed_address(address.id).network_id == place.tier.id
    for where in ({"vpc_id": place.tier.vpc_id}, {"associated_network_id": place.tier.id}):
        found = place.cloud.client.list_all(PublicIpAddress, Deadline(8), **where)
        assert address.id in [each.id for each in found]
    place.done(loadbalancing.delete_load_balancer_rule(rule.id))
    assert place.listed_address(address.id).network_id == ""


def test_a_rule_of_a_tier_changes_its_sources_in_place_and_takes_members(place: Place) -> None:
    rule = place.rule(place.address())
    for cidrs in (("172.16.0.0/12",), SOURCES, ("0.0.0.0/0",)):
        change = LoadBalancerRuleChange(cidrs=cidrs)
        place.done(loadbalancing.update_load_balancer_rule(rule.id, change))
        assert place.listed_rule(rule.id).cidrs == cidrs
    client = place.cloud.client
    vms = client.list_all(VirtualMachine, Deadline(8), network_id=place.tier.id)
    place.done(loadbalancing.assign_to_load_balancer_rule(rule.id, [vm.id for vm in vms]))
    assert place.listed_rule(rule.id).state == "Active"


def test_a_second_policy_of_a_rule_takes_the_place_of_the_first(place: Place) -> None:
    rule = place.rule(place.address())
    for method, params in (("SourceBased", {"expire": "10800s"}), ("LbCookie", {})):
        place.done(loadbalancing.create_lb_stickiness_policy(rule.id, "sticky", method, params))
        where = {"lb_rule_id": rule.id}
        [listed] = place.cloud.client.list_all(RulePolicies, Deadline(8), **where)
        [policy] = listed.policies
        assert (policy.method, policy.params) == (method, tuple(params.items()))
    with pytest.raises(InvalidParameter, match="not in timeformat"):
        place.done(
            loadbalancing.create_lb_stickiness_policy(
                rule.id, "sticky", "SourceBased", {"expire": "10800"}
            )
        )


def test_an_item_is_made_tagged_found_changed_and_deleted(place: Place) -> None:
    acl_id = place.tier.acl_id
    item_id = place.done(firewall.create_network_acl(acl_id, 200, PORTS, "default/web"))
    mark = {"service": "default/web"}
    place.done(tags.create_tags(ITEM, [item_id], mark))
    [item] = place.items(acl_id=acl_id, tags=mark)
    assert (item.id, item.number, item.reason) == (item_id, 200, "default/web")
    assert (item.action, item.traffic_type, item.state) == ("Allow", "Ingress", "Active")
    assert opened_by(item) == PORTS
    narrower = PortRange("udp", 30090, 30090, ("10.0.0.0/9",))
    place.done(firewall.update_network_acl_item(item_id, ports=narrower))
    place.done(firewall.update_network_acl_item(item_id, number=201))
    [item] = place.items(network_id=place.tier.id, tags=mark)
    assert (item.id, item.number, item.reason) == (item_id, 201, "default/web")
    assert opened_by(item) == narrower
    place.done(firewall.delete_network_acl(item_id))
    assert place.items(tags=mark) == ()
    with pytest.raises(InvalidParameter) as caught:
        place.items(id=item_id)
    assert caught.value.says_unknown(item_id)


def opened_by(item: NetworkAcl) -> PortRange:
    return PortRange(item.protocol, item.start_port or 0, item.end_port or 0, item.cidrs)


def test_a_number_that_is_taken_is_refused_and_an_update_to_it_fails_in_its_job(
    place: Place,
) -> None:
    acl_id = place.tier.acl_id
    place.done(firewall.create_network_acl(acl_id, 200, PORTS))
    other = place.done(firewall.create_network_acl(acl_id, 201, PORTS))
    with pytest.raises(InvalidParameter, match="number 200 already exists") as refused:
        place.done(firewall.create_network_acl(acl_id, 200, PORTS))
    assert not refused.value.failed_job
    with pytest.raises(InvalidParameter, match="number 200 already exists") as failed:
        place.done(firewall.update_network_acl_item(other, number=200))
    assert failed.value.failed_job


@pytest.mark.parametrize("name", ["default_allow", "default_deny"])
def test_nothing_is_added_to_a_default_list(place: Place, name: str) -> None:
    lists = place.cloud.client.list_all(NetworkAclList, Deadline(8))
    [acl_id] = [each.id for each in lists if each.name == name]
    with pytest.raises(InvalidParameter, match="Default ACL cannot be modified"):
        place.done(firewall.create_network_acl(acl_id, 200, PORTS))


def test_a_release_takes_the_rules_along_and_leaves_items_and_the_tags_of_rules(
    place: Place,
) -> None:
    address = place.address()
    rule = place.rule(address)
    mark = {"service": "default/web"}
    place.done(tags.create_tags(tags.ResourceType.LOAD_BALANCER_RULE, [rule.id], mark))
    item_id = place.done(firewall.create_network_acl(place.tier.acl_id, 200, PORTS))
    place.done(network.disassociate_ip_address(address.id))
    client = place.cloud.client
    assert client.list_all(LoadBalancerRule, Deadline(8), network_id=place.tier.id) == ()
    assert [each.id for each in place.items(id=item_id)] == [item_id]
    place.done(tags.delete_tags(tags.ResourceType.LOAD_BALANCER_RULE, [rule.id], {"service": None}))


def test_an_address_for_a_tier_alone_fails_in_its_job_and_leaves_nothing(place: Place) -> None:
    client = place.cloud.client
    before = client.list_all(PublicIpAddress, Deadline(8))
    with pytest.raises(Refused, match="Specify vpcId") as caught:
        place.done(network.associate_ip_address(network_id=place.tier.id))
    assert caught.value.failed_job
    assert client.list_all(PublicIpAddress, Deadline(8)) == before
