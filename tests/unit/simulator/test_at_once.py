"""What the server does when calls meet that it does not keep apart."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from simulator.server import Simulator
from tests.contract.cloud import Cloud, Json, Outcome
from tests.controlplane.polling import PATIENCE, until
from tests.unit.simulator.conftest import Connect


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator("vpc", job_delay=0.001) as simulator:
        yield simulator


def item(cloud: Cloud, acl: Json, port: int) -> Outcome:
    """Create an ACL item without a number."""
    return cloud.call("createNetworkACL", aclid=acl["id"], protocol="tcp", startport=port)


def test_two_items_without_a_number_meet_while_the_first_is_not_answered(
    simulator: Simulator, user: Cloud, connect: Connect
) -> None:
    [acl] = user.list("listNetworkACLLists", "networkacllist", name="acl-1")

    def ports() -> list[str | None]:
        found = user.list("listNetworkACLs", "networkacl", aclid=acl["id"])
        return [one.get("startport") for one in found]

    simulator.control.fault("createNetworkACL", "slow", seconds=5, when={"startport": "1"})
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(item, connect(simulator, simulator.user), acl, 1)
        until(lambda: "1" in ports(), "the first item is there")
        met = item(user, acl, 2)
        numbered = user.call(
            "createNetworkACL", aclid=acl["id"], protocol="tcp", startport=3, number=7
        )
        assert slow.result(PATIENCE).status == 200
    assert (met.status, met.error.split(",")[0]) == (530, "Internal error executing command")
    assert numbered.status == 200
    assert item(user, acl, 4).status == 200
    assert ports()[:3] == ["4", "3", "1"]


@pytest.fixture
def rule(user: Cloud) -> Json:
    """A rule on a tier."""
    [tier] = user.list("listNetworks", "network", keyword="tier-1")
    address = user.done("associateIpAddress", vpcid=tier["vpcid"])["ipaddress"]
    plain = {"name": "a", "algorithm": "roundrobin", "publicport": 80, "privateport": 80}
    wanted = {**plain, "publicipid": address["id"], "networkid": tier["id"]}
    return dict(user.done("createLoadBalancerRule", **wanted)["loadbalancer"])


def test_policies_of_a_rule_that_are_set_at_once_all_fail_and_none_is_left(
    simulator: Simulator, user: Cloud, rule: Json
) -> None:
    wanted = {"lbruleid": rule["id"], "name": "s", "methodname": "LbCookie"}
    simulator.control.settings(job_delay=600.0)
    jobs = [user.ok("createLBStickinessPolicy", **wanted)["jobid"] for _ in range(4)]
    simulator.control.settings(job_delay=0.001, advance=601)
    ended = [user.ok("queryAsyncJobResult", jobid=job) for job in jobs]
    assert {(job["jobstatus"], job["jobresultcode"]) for job in ended} == {(2, 530)}
    [of_rule] = user.list("listLBStickinessPolicies", "stickinesspolicies", lbruleid=rule["id"])
    assert of_rule["stickinesspolicy"] == []
    user.done("createLBStickinessPolicy", **wanted)


def test_a_rule_that_was_not_made_leaves_the_address_without_a_tier(
    simulator: Simulator, user: Cloud, rule: Json
) -> None:
    user.done("deleteLoadBalancerRule", id=rule["id"])
    simulator.control.fault("createLoadBalancerRule", "job-failed")
    plain = {"name": "a", "algorithm": "roundrobin", "publicport": 80, "privateport": 80}
    where = {"publicipid": rule["publicipid"], "networkid": rule["networkid"]}
    user.failed("createLoadBalancerRule", 530, **plain, **where)
    [address] = user.list("listPublicIpAddresses", "publicipaddress", id=rule["publicipid"])
    assert "associatednetworkid" not in address
    assert not address["hasrules"]
