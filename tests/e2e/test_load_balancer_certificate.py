"""TLS at the load balancer, on a real API server with the real Metacontroller."""

import re
import sys
import time
from base64 import b64encode
from functools import partial
from pathlib import Path

import pytest
import yaml

from tests.controlplane import ControlPlane
from tests.controlplane.api import Object
from tests.e2e import live_objects
from tests.e2e.platform import PROJECT
from tests.e2e.site import Site, site
from tests.e2e.watching import Namespace, namespace, prefixed
from tests.integration.loadbalancers.certificates import make_certificate, pem_of, rsa_key, secret

#: In which of the simulator's worlds, with which VMs as nodes, and on which tier of a VPC.
PLACES = {
    "isolated network": ("small", ("node-1", "node-3"), ""),
    "tier of a VPC": ("vpc", ("node-1", "node-2"), "tier-1"),
}
#: The Service of the example, with the names of its annotations as they are.
EXAMPLE = yaml.safe_load((PROJECT / "examples/24-certificate/service.yaml").read_text())
NAME, SPEC, NOTES = EXAMPLE["metadata"]["name"], EXAMPLE["spec"], EXAMPLE["metadata"]["annotations"]
SECRET = "tickets-tls"
#: Characters of a piece of a key that nothing else has by chance.
LONG_PIECE = 12


SETTINGS = {"DRIFT_RESYNC": "10s", "LOAD_BALANCER_CERTIFICATES": "true"}


@pytest.mark.parametrize(("world", "nodes", "tier"), PLACES.values(), ids=PLACES)
def test_a_service_is_planned_served_rotated_repaired_and_removed(
    control_plane: ControlPlane, tmp_path: Path, world: str, nodes: tuple[str, str], tier: str
) -> None:
    with (
        site(control_plane, tmp_path, nodes, world=world, **SETTINGS) as place,
        namespace(place.cluster) as shop,
    ):
        only_planned(shop, place, {"network": place.network(tier)} if tier else {})
        served(shop, place, nodes)
        rotated(shop, place)
        changed(shop, place, nodes)
        repaired(shop, place)
        gone_secret_changes_nothing(shop, place)
        shop.services.delete(NAME, shop.name)
        shop.await_no_load_balancer(NAME)
        assert (certificates(place), place.rules()) == ([], [])
        assert [one for one in place.addresses() if one["tags"]] == []
        assert place.simulator.control.ignored_parameters() == []


@pytest.mark.skipif(sys.platform != "linux", reason="finds gunicorn's worker in /proc")
def test_no_key_stays_in_memory_when_the_calls_have_ended(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    """Look into the hooks' own process after uploads, a refused one, and keys that do not fit."""
    folder = tmp_path / "live"
    settings = {**SETTINGS, **live_objects.prepare(folder, PROJECT)}
    with (
        site(control_plane, tmp_path, PLACES["isolated network"][1], **settings) as place,
        namespace(place.cluster) as shop,
    ):
        served_with_keys(shop, place)
        place.metacontroller.stop()
        place.await_quiet()
        account = place.simulator.user.secret_key
        worker = live_objects.child_of(place.hooks.process.pid)
        asked = {account, *pieces(0), *pieces(1)}
        assert len(asked) > 40
        # The account's own key shows that a text which is there is found.
        assert live_objects.found_in(worker, folder, asked) == {account}
        place.metacontroller.start()
        shop.services.delete(NAME, shop.name)
        shop.await_no_load_balancer(NAME)


def served_with_keys(shop: Namespace, place: Site) -> None:
    """Serve, rotate, be refused an upload, and read a Secret whose key is that of another."""
    await_uploads = partial(await_count, place, "uploadSslCert")
    write(shop, 0)
    shop.create(NAME, {"certificate": SECRET}, ports=[{"port": 443}])
    shop.await_ready(NAME)
    await_shown(place, write(shop, 1))
    place.simulator.control.fault("uploadSslCert", "error", text="no room")
    before = place.simulator.control.counts()["uploadSslCert"]
    wanted = write(shop, 0)
    await_uploads(before + 1)
    await_shown(place, wanted)
    key = pem_of(rsa_key(1))
    data = secret(make_certificate(time.time(), key=rsa_key(0)), key)["data"]
    shop.cluster.api.resource("v1", "secrets").patch(SECRET, {"data": data}, shop.name)
    shop.await_event(NAME, "CertificateProblem")


def await_count(place: Site, command: str, wanted: int) -> None:
    place.awaited(
        lambda: place.simulator.control.counts()[command] >= wanted, f"{command} is called"
    )


def pieces(number: int) -> set[str]:
    """Return texts that show a key: as PEM has it, also in a URL, and as the Secret has it."""
    pem = pem_of(rsa_key(number))
    encoded = b64encode(pem.encode()).decode()
    lines = [*pem.splitlines()[1:-1], *(encoded[at : at + 64] for at in range(64, 1024, 64))]
    longest = (max(re.findall(r"[A-Za-z0-9]+", line), key=len) for line in lines)
    return {piece for piece in longest if len(piece) >= LONG_PIECE}


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


def only_planned(shop: Namespace, place: Site, where: dict[str, str]) -> None:
    write(shop, 0)
    made = shop.services.create(
        {
            **EXAMPLE,
            "metadata": {
                "name": NAME,
                "namespace": shop.name,
                "annotations": {**NOTES, **prefixed({"mode": "plan", **where})},
            },
        }
    )
    assert made["spec"]["ports"][0]["port"] == SPEC["ports"][0]["port"]
    planned = shop.await_load_balancer(
        NAME, lambda one: bool(one.get("status", {}).get("plan")), "plans"
    )["status"]["plan"]
    assert any(each.startswith("upload certificate") for each in planned), planned
    assert (certificates(place), place.rules()) == ([], [])


def served(shop: Namespace, place: Site, nodes: tuple[str, str]) -> None:
    """Apply the plan."""
    wanted = write(shop, 1)
    shop.change(NAME, {"mode": None})
    shop.await_ready(NAME)
    assert shown(place) == {443: wanted, 80: ""}
    assert all(set(one["members"]) == set(nodes) for one in place.rules())


def rotated(shop: Namespace, place: Site) -> None:
    """Write other certificates; no look at CloudStack finds the rule without one."""
    (secured,) = (one for one in place.rules() if one["publicport"] == 443)
    with place.watched() as watch:
        for number in (0, 1, 0):
            await_shown(place, write(shop, number))
    assert watch.always_there(secured["id"])
    assert all(look.rules[secured["id"]]["certificate"] for look in watch.looks)
    place.awaited(lambda: len(certificates(place)) == 1, "the old ones are gone")


def changed(shop: Namespace, place: Site, nodes: tuple[str, str]) -> None:
    """A node leaves and comes back, and port 80 gets the certificate, too."""
    place.nodes.delete(nodes[1])
    await_members(place, nodes[0])
    place.join(nodes[1])
    await_members(place, *nodes)
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
