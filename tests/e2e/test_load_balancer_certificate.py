"""TLS at the load balancer, on a real API server with the real Metacontroller."""

import time
from pathlib import Path

import yaml

from tests.controlplane import ControlPlane
from tests.controlplane.api import Object
from tests.e2e.platform import PROJECT
from tests.e2e.site import Site, site
from tests.e2e.watching import Namespace, namespace, prefixed
from tests.integration.loadbalancers.certificates import make_certificate, pem_of, rsa_key, secret

NODES = ("node-1", "node-3")
#: The Service of the example, with the names of its annotations as they are.
EXAMPLE = yaml.safe_load((PROJECT / "examples/24-certificate/service.yaml").read_text())
NAME, SPEC, NOTES = EXAMPLE["metadata"]["name"], EXAMPLE["spec"], EXAMPLE["metadata"]["annotations"]
SECRET = "tickets-tls"


def test_a_service_is_planned_served_rotated_repaired_and_removed(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    settings = {"DRIFT_RESYNC": "10s", "LOAD_BALANCER_CERTIFICATES": "true"}
    with (
        site(control_plane, tmp_path, NODES, **settings) as place,
        namespace(place.cluster) as shop,
    ):
        only_planned(shop, place)
        served(shop, place)
        rotated(shop, place)
        changed(shop, place)
        repaired(shop, place)
        gone_secret_changes_nothing(shop, place)
        shop.services.delete(NAME, shop.name)
        shop.await_no_load_balancer(NAME)
        assert (certificates(place), place.rules(), place.addresses()) == ([], [], [])
        assert place.simulator.control.ignored_parameters() == []


def certificates(place: Site) -> list[Object]:
    """List the certificates that CloudStack has."""
    return list(place.simulator.control.state()["certificates"])


def shown(place: Site) -> dict[int, str]:
    """Return the certificate of each rule, in PEM, by port; empty where it has none."""
    pems = {one["id"]: one["certificate"] for one in certificates(place)}
    return {one["publicport"]: pems.get(one["certificate"], "") for one in place.rules()}


def write(shop: Namespace, number: int) -> str:
    """Write a certificate into the Secret; return it in PEM."""
    secrets = shop.cluster.api.resource("v1", "secrets")
    key = rsa_key(number)
    certificate = make_certificate(time.time() - 3600, key=key)
    made = secret(certificate, pem_of(key))
    if any(one["metadata"]["name"] == SECRET for one in secrets.list(shop.name)):
        secrets.patch(SECRET, {"data": made["data"]}, shop.name)
    else:
        secrets.create({**made, "metadata": {"name": SECRET, "namespace": shop.name}})
    return certificate


def only_planned(shop: Namespace, place: Site) -> None:
    write(shop, 0)
    made = shop.services.create(
        {
            **EXAMPLE,
            "metadata": {
                "name": NAME,
                "namespace": shop.name,
                "annotations": {**NOTES, **prefixed({"mode": "plan"})},
            },
        }
    )
    assert made["spec"]["ports"][0]["port"] == SPEC["ports"][0]["port"]
    planned = shop.await_load_balancer(
        NAME, lambda one: bool(one.get("status", {}).get("plan")), "plans"
    )["status"]["plan"]
    assert any(each.startswith("upload certificate") for each in planned), planned
    assert (certificates(place), place.rules()) == ([], [])


def served(shop: Namespace, place: Site) -> None:
    """Apply the plan."""
    wanted = write(shop, 1)
    shop.change(NAME, {"mode": None})
    shop.await_ready(NAME)
    assert shown(place) == {443: wanted, 80: ""}
    assert all(set(one["members"]) == set(NODES) for one in place.rules())


def rotated(shop: Namespace, place: Site) -> None:
    """Write other certificates; no look at CloudStack finds the rule without one."""
    (secured,) = (one for one in place.rules() if one["publicport"] == 443)
    with place.watched() as watch:
        for number in (0, 1, 0):
            await_shown(place, write(shop, number))
    assert watch.always_there(secured["id"])
    assert all(look.rules[secured["id"]]["certificate"] for look in watch.looks)
    place.awaited(lambda: len(certificates(place)) == 1, "the old ones are gone")


def changed(shop: Namespace, place: Site) -> None:
    """A node leaves and comes back, and port 80 gets the certificate, too."""
    place.nodes.delete(NODES[1])
    await_members(place, NODES[0])
    place.join(NODES[1])
    await_members(place, *NODES)
    shop.change(NAME, {"certificate": SECRET})
    place.awaited(lambda: all(shown(place).values()), "both ports have it")
    shop.change(NAME, {"certificate": f"{SECRET} ports=443"})
    place.awaited(lambda: not shown(place)[80], "port 80 has none")


def repaired(shop: Namespace, place: Site) -> None:
    shop.await_ready(NAME)
    (secured,) = (one for one in place.rules() if one["publicport"] == 443)
    place.job("removeCertFromLoadBalancer", lbruleid=secured["id"])
    place.awaited(lambda: shown(place)[443], "it is there again")
    shop.await_event(NAME, "RepairedLoadBalancer")


def gone_secret_changes_nothing(shop: Namespace, place: Site) -> None:
    before = shown(place)
    shop.cluster.api.resource("v1", "secrets").delete(SECRET, shop.name)
    shop.await_event(NAME, "CertificateProblem")
    assert shown(place) == before


def await_shown(place: Site, wanted: str) -> None:
    place.awaited(lambda: shown(place)[443] == wanted, "port 443 shows the Secret's certificate")


def await_members(place: Site, *names: str) -> None:
    place.awaited(
        lambda: all(set(one["members"]) == set(names) for one in place.rules()),
        f"members are {', '.join(names)}",
    )
