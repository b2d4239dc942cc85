"""One site for all tests of this folder: its teardown sees that they left nothing behind."""

from collections.abc import Iterator

import pytest

from tests.controlplane import ControlPlane
from tests.e2e.site import Site, site
from tests.e2e.watching import LOAD_BALANCERS, Namespace, namespace, until_none

#: Machines of the simulator's small world on the network net-1.
NODES = ("node-1", "node-2", "node-3")
#: What examples/05-static-address asks for; held until its test, so that nobody else chooses it.
STATIC_ADDRESS = "198.51.100.20"
#: How often a load balancer is looked at again; the least that the setting takes.
DRIFT_RESYNC = 10


@pytest.fixture(scope="package")
def place(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Run the site; at the end nothing is left in CloudStack of any Service of any test."""
    folder = tmp_path_factory.mktemp("load-balancers")
    with site(control_plane, folder, NODES, DRIFT_RESYNC=f"{DRIFT_RESYNC}s") as made:
        net = made.network("net-2")
        made.job("associateIpAddress", networkid=net, ipaddress=STATIC_ADDRESS)
        yield made
        balancers = control_plane.api.resource(*LOAD_BALANCERS)
        until_none(balancers.list, "every load balancer is gone")
        assert made.rules() == []
        assert [one["ipaddress"] for one in made.addresses() if one["tags"]] == []
        assert made.simulator.control.ignored_parameters() == []


@pytest.fixture
def shop(place: Site) -> Iterator[Namespace]:
    """Make a namespace for one test; it is deleted as it is, and goes while others run."""
    with namespace(place.cluster) as made:
        yield made
