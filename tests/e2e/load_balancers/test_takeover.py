"""What other providers left is taken over in place: address, rules, Service."""

import time
from collections.abc import Sequence

import pytest

from tests.controlplane.api import Object
from tests.e2e.former import OLD_FINALIZER, Naming, existing, fork, hand_over, in_tree
from tests.e2e.load_balancers.conftest import NODES
from tests.e2e.site import Site
from tests.e2e.watching import Namespace, ingress, own_condition

#: A machine on net-1 that is no node of the cluster.
STRANGER = "node-4"


def left_behind(
    place: Site, service: Object, naming: Naming, machines: Sequence[str] = NODES[:2]
) -> Object:
    """Make in CloudStack what another provider made for a Service; answer its address."""
    network = place.network("net-1")
    address: Object = place.job("associateIpAddress", networkid=network)["ipaddress"]
    members = ",".join(map(place.machine, machines))
    for port in service["spec"]["ports"]:
        rule = place.job(
            "createLoadBalancerRule",
            publicipid=address["id"],
            networkid=network,
            name=naming(service, port["port"]),
            algorithm="roundrobin",
            publicport=port["port"],
            privateport=port["nodePort"],
            openfirewall="false",
        )["loadbalancer"]
        place.job("assignToLoadBalancerRule", id=rule["id"], virtualmachineids=members)
        place.job(
            "createFirewallRule",
            ipaddressid=address["id"],
            protocol="tcp",
            startport=port["port"],
            endport=port["port"],
            cidrlist="0.0.0.0/0",
        )
    return address


@pytest.mark.parametrize(
    ("naming", "noted"),
    [
        pytest.param(existing, False, id="existing"),
        pytest.param(fork, True, id="fork"),
        pytest.param(in_tree, False, id="in-tree"),
    ],
)
def test_a_service_of_another_provider_is_taken_over_in_place(
    shop: Namespace, place: Site, naming: Naming, *, noted: bool
) -> None:
    ports = (80, 443)
    service = shop.create(
        "web",
        {"disabled": "true"},
        ports=[{"name": f"port-{number}", "port": number} for number in ports],
    )
    address = left_behind(place, service, naming)
    before = {rule["id"]: rule for rule in place.rules() if rule["addressid"] == address["id"]}
    assert len(before) == 2
    notes = {"id": address["id"], "address": address["ipaddress"]} if noted else {}

    with place.watched() as watch:
        hand_over(shop, service, address, notes)
        taken = shop.await_service(
            "web", lambda one: "finalizers" not in one["metadata"], "is handed over"
        )
        shop.await_ready("web")
    assert [one["ip"] for one in ingress(taken)] == [address["ipaddress"]]
    after = {rule["id"]: rule for rule in place.rules() if rule["addressid"] == address["id"]}
    assert set(after) == set(before)
    assert all(watch.always_there(rule) for rule in before)
    assert {rule["name"] for rule in after.values()} == {existing(service, port) for port in ports}
    assert all(set(rule["members"]) == set(NODES) for rule in after.values())
    assert all(service["metadata"]["uid"] in rule["tags"].values() for rule in after.values())
    assert [rule[:3] for rule in place.firewall(address["ipaddress"])] == [
        ("tcp", 80, 80),
        ("tcp", 443, 443),
    ]

    shop.services.delete("web", shop.name)
    place.awaited(lambda: place.address(address["ipaddress"]) is None, "the address is released")


@pytest.mark.parametrize("naming", [existing, fork], ids=["existing", "fork"])
def test_what_another_cluster_serves_under_the_same_names_is_left_to_it(
    shop: Namespace, place: Site, naming: Naming
) -> None:
    service = shop.create("web", {"disabled": "true"})
    address = left_behind(place, service, naming, [NODES[0], STRANGER])
    [before] = [rule for rule in place.rules() if rule["addressid"] == address["id"]]
    hand_over(shop, service, address, {})
    told = shop.await_service(
        "web", lambda one: own_condition(one).get("reason") == "AdoptionUnproven", "waits"
    )
    assert STRANGER in own_condition(told)["message"]
    place.await_quiet()
    assert before in place.rules()
    assert [one["ip"] for one in ingress(told)] == [address["ipaddress"]]

    stranger = {"id": before["id"], "virtualmachineids": place.machine(STRANGER)}
    place.job("removeFromLoadBalancerRule", **stranger)
    shop.await_ready("web")
    [after] = [rule for rule in place.rules() if rule["addressid"] == address["id"]]
    assert after["id"] == before["id"]
    assert set(after["members"]) == set(NODES)


def test_a_provider_that_is_not_stopped_is_noticed_by_its_finalizer(
    shop: Namespace, place: Site
) -> None:
    shop.create("web")
    shop.await_ready("web")
    rules = place.rules_of(shop, "web")
    time.sleep(1.1)  # the API server notes whole seconds
    shop.services.patch("web", {"metadata": {"finalizers": [OLD_FINALIZER]}}, shop.name)
    told = shop.await_service(
        "web", lambda one: own_condition(one)["reason"] == "InvalidService", "is refused"
    )
    assert f"{OLD_FINALIZER} was added again by " in own_condition(told)["message"]
    assert told["metadata"]["finalizers"] == [OLD_FINALIZER]
    shop.await_event("web", "SyncLoadBalancerFailed")
    shop.change("web", {"algorithm": "source"})
    place.await_quiet()
    assert place.rules_of(shop, "web") == rules

    shop.services.patch("web", {"metadata": {"finalizers": []}}, shop.name)
    shop.await_ready("web")
    place.awaited(
        lambda: place.rules_of(shop, "web")[0]["algorithm"] == "source",
        "what was asked for meanwhile is done",
    )
