"""Services of type LoadBalancer, from `kubectl apply` to CloudStack and back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane.cluster import Cluster
from tests.e2e.site import Site, site
from tests.e2e.watching import Namespace, ingress, namespace, own_condition

NODES = ("node-1", "node-2", "node-3")
EVERYBODY = ("0.0.0.0/0",)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("load-balancers")


@pytest.fixture(scope="module")
def small(control_plane: Cluster, folder: Path) -> Iterator[Site]:
    with site(control_plane, folder, NODES, DRIFT_RESYNC="10s") as made:
        yield made


@pytest.fixture
def shop(small: Site, request: pytest.FixtureRequest) -> Iterator[Namespace]:
    name = "shop-" + str(abs(hash(request.node.nodeid)))[:8]
    with namespace(small.cluster, name) as made:
        yield made


def test_plain(shop: Namespace, small: Site) -> None:
    shop.create("web")
    ready = shop.await_ready("web")
    (address,) = [one["ip"] for one in ingress(ready)]
    balancer = shop.load_balancer("web")
    assert balancer
    (rule,) = small.rules(balancer["metadata"]["name"])
    assert rule["address"] == address
    assert set(rule["members"]) == set(NODES)
    assert small.firewall(address) == [("tcp", 80, 80, EVERYBODY)]
    print(own_condition(ready), balancer["status"], shop.events("web"))
    print(small.simulator.control.counts())
