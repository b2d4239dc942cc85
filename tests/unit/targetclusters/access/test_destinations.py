"""Where a kubeconfig may lead: checked on real sockets, when they connect."""

from ipaddress import ip_network
from urllib.parse import urlsplit

import pytest

from hooks.http.answer_memory import AnswerBounds
from hooks.http.deadline import Deadline
from hooks.http.sockets import Budget, spending
from hooks.kube.client import KubeUnreachable
from hooks.targetclusters.access import connector
from hooks.targetclusters.access.destinations import Destinations
from hooks.targetclusters.access.kubeconfig import Kubeconfig
from tests.targets import fake_cluster, servers
from tests.targets.driving import operating
from tests.targets.objects import LOOPBACK
from tests.unit.targetclusters.watching import driven, own_cluster

NOWHERE = Destinations()
ADVICE = "which is refused; TARGET_CLUSTER_ALLOWED_NETWORKS can allow it"


def refusal(host: str, destinations: Destinations, port: int = 6443) -> str:
    """Connect; return why nothing is sent."""
    with (
        connector.connect(
            Kubeconfig(f"http://{host}:{port}", authorization="Bearer hunter2-of-some-length"),
            connector.tls_context(Kubeconfig("http://h")),
            user_agent="tests",
            bounds=AnswerBounds(1_000_000),
            destinations=destinations,
        ) as api,
        pytest.raises(KubeUnreachable) as refused,
    ):
        api.get("/version", deadline=Deadline(1))
    return str(refused.value)


@pytest.mark.parametrize(
    ("host", "what"),
    [
        ("127.0.0.1", "127.0.0.1 is a loopback address"),
        ("127.1.2.3", "127.1.2.3 is a loopback address"),
        ("127.1", "127.0.0.1 is a loopback address"),
        ("2130706433", "127.0.0.1 is a loopback address"),
        ("0x7f000001", "127.0.0.1 is a loopback address"),
        ("localhost", " is a loopback address"),
        ("[::1]", "::1 is a loopback address"),
        ("[::ffff:127.0.0.1]", "::ffff:127.0.0.1 is a loopback address"),
        ("[64:ff9b::7f00:1]", "64:ff9b::7f00:1 is a loopback address"),
        ("[2002:7f00:1::1]", "2002:7f00:1::1 is a loopback address"),
        ("169.254.169.254", "169.254.169.254 is a link-local address"),
        ("[::ffff:a9fe:a9fe]", "::ffff:169.254.169.254 is a link-local address"),
        ("[fe80::1]", "fe80::1 is a link-local address"),
        ("0.0.0.0", "0.0.0.0 is no address of a machine"),
        ("0", "0.0.0.0 is no address of a machine"),
        ("[::]", ":: is no address of a machine"),
        ("224.0.0.1", "224.0.0.1 is an address of many machines"),
        ("255.255.255.255", "255.255.255.255 is an address of many machines"),
        ("[ff02::1]", "ff02::1 is an address of many machines"),
    ],
)
def test_what_is_no_other_machine_is_refused(host: str, what: str) -> None:
    shown = refusal(host, NOWHERE)
    assert f"{what}, {ADVICE}" in shown
    assert "no connection to " in shown


def test_nothing_is_sent_and_no_connection_is_made() -> None:
    with servers.serving(servers.answering(b"{}")) as server:
        port = urlsplit(server.url).port or 0
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"):
            refusal(host, NOWHERE, port)
        assert server.connections == 0


def test_other_addresses_are_connected_to() -> None:
    for host in ("10.0.0.1", "192.168.1.1", "203.0.113.1", "fd00::1", "2001:db8::1"):
        assert NOWHERE.refusal(host, 443) == ""


@pytest.mark.parametrize(
    ("own", "port", "refused"),
    [
        pytest.param("10.96.0.1", 443, True, id="its address"),
        pytest.param("10.96.0.1", 6443, False, id="another port of its machine"),
        pytest.param("10.96.0.2", 443, False, id="another machine"),
        pytest.param("::ffff:10.96.0.1", 443, True, id="written as IPv6"),
        pytest.param("nowhere.invalid", 443, True, id="a name that is not resolved"),
    ],
)
def test_the_operators_own_api_server_is_refused(own: str, port: int, refused: bool) -> None:
    destinations = Destinations(own=((own, 443),))
    if refused:
        assert "the operator's own API server" in refusal("10.96.0.1", destinations, port)
    else:
        budget = Budget(1, max_bytes=1, idle_seconds=1, refusal=NOWHERE.refusal)
        with spending(budget):
            assert destinations.refusal("10.96.0.1", port) == ""


@pytest.mark.parametrize("networks", [(), ("10.0.0.0/8",), ("127.0.0.2/32",)])
def test_another_network_allows_nothing(networks: tuple[str, ...]) -> None:
    allowed = Destinations(tuple(map(ip_network, networks)))
    assert ADVICE in refusal("127.0.0.1", allowed)


def test_what_is_allowed_is_connected_to() -> None:
    with servers.refusing() as url:
        port = urlsplit(url).port or 0
        allowed = Destinations((ip_network(LOOPBACK),), (("127.0.0.1", port),))
        for host in ("127.0.0.1", "[::ffff:127.0.0.1]"):
            assert "refused" in refusal(host, allowed, port)
            assert ADVICE not in refusal(host, allowed, port)


def test_a_target_cluster_on_the_operators_machine_says_why_it_is_not_probed() -> None:
    with (
        fake_cluster.running() as cluster,
        operating(own_cluster(cluster.url), allowed_networks=()) as operator,
    ):
        watched = driven(operator, failureThreshold=1)
        watched.probe()
        assert watched.says("Reachable") == "False Unreachable"
        assert ADVICE in watched.condition("Reachable")["message"]
        assert cluster.probes == 0
