"""What others do to the status of a Service: another controller fights, an old API server drops."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simulator.server import Simulator
from tests.controlplane import ControlPlane, manifests, metacontroller
from tests.controlplane.api import Object
from tests.controlplane.polling import until
from tests.e2e.answering import answer, hold, made
from tests.e2e.older import older
from tests.e2e.platform import PROJECT, Hooks
from tests.e2e.site import calling
from tests.e2e.watching import Namespace, ingress, namespace, own_condition

OLD_FINALIZER = "service.kubernetes.io/load-balancer-cleanup"
OWN_FINALIZER = "metacontroller.io/compositecontroller-cloudstack-loadbalancers"
THEIRS = "192.0.2.200"


class Fighter:
    """A second controller: it writes its part of the status wherever it sees another one."""

    def __init__(self, shop: Namespace, service: str, theirs: Object) -> None:
        self.writes = 0
        self._path = f"{shop.services.path(shop.name, service)}/status"
        self._shop = shop
        self._service = service
        self._theirs = theirs
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    @contextmanager
    def fighting(self) -> Iterator["Fighter"]:
        self._thread.start()
        try:
            yield self
        finally:
            self._end.set()
            self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(0.005):
            status = self._shop.service(self._service)["status"]
            if all(status.get(key) == value for key, value in self._theirs.items()):
                continue
            self._shop.cluster.api.call(
                "PATCH",
                self._path,
                {"status": self._theirs},
                headers={"Content-Type": "application/merge-patch+json"},
                params={"fieldManager": "second-balancer"},
            )
            self.writes += 1


@contextmanager
def serving(control_plane: ControlPlane, folder: Path) -> Iterator[Namespace]:
    """Run the services hook alone, with a Service `web` that is ready."""
    with (
        Simulator() as simulator,
        calling(
            control_plane,
            Hooks(control_plane, simulator, folder, {"HOOKS": "services"}),
            ["services"],
        ),
        namespace(control_plane) as shop,
    ):
        shop.create("web")
        answer(shop, made(shop, "web"))
        shop.await_ready("web")
        yield shop


def test_a_fight_over_the_status_ends_after_a_few_rounds_and_names_the_other(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    with serving(control_plane, tmp_path) as shop:
        theirs = {"loadBalancer": {"ingress": [{"ip": THEIRS, "ipMode": "VIP"}]}}
        with Fighter(shop, "web", theirs).fighting() as fighter:
            told = shop.await_service(
                "web", lambda one: own_condition(one)["reason"] == "Contested", "is contested"
            )
            assert own_condition(told)["message"].startswith("second-balancer replaces 203.0.113.7")
            until(lambda: "LoadBalancerContested" in shop.events("web"), "it is told")
            calm = shop.service("web")["metadata"]["resourceVersion"], fighter.writes
            time.sleep(3)
            after = shop.service("web")
            assert (after["metadata"]["resourceVersion"], fighter.writes) == calm
            assert fighter.writes < 20
        assert [one["ip"] for one in ingress(after)] == [THEIRS]
        assert len(shop.messages("web", "LoadBalancerContested")) == 1

        emptied = {"status": {"loadBalancer": {"ingress": None}}}
        shop.services.patch("web", emptied, shop.name, subresource="status")
        shop.await_ready("web")


def test_a_fight_over_the_conditions_ends_after_a_few_rounds_and_names_the_other(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    condition = {
        "type": "example.com/Satisfied",
        "status": "False",
        "reason": "NoPool",
        "message": "",
        "lastTransitionTime": "2026-03-01T10:00:00Z",
    }
    with serving(control_plane, tmp_path) as shop:
        with Fighter(shop, "web", {"conditions": [condition]}).fighting() as fighter:
            until(lambda: "LoadBalancerContested" in shop.events("web"), "it is told")
            [message] = shop.messages("web", "LoadBalancerContested")
            assert "most likely second-balancer, replaces the conditions" in message
            until(lambda: not own_condition(shop.service("web")), "ours is removed at last")
            calm = shop.service("web")["metadata"]["resourceVersion"], fighter.writes
            time.sleep(3)
            after = shop.service("web")
            assert (after["metadata"]["resourceVersion"], fighter.writes) == calm
        assert [one["ip"] for one in ingress(after)] == ["203.0.113.7"]
        assert after["status"]["conditions"] == [condition]


def test_an_api_server_that_drops_ip_mode_is_written_to_once(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    hooks = Hooks(control_plane, Simulator(), tmp_path, {"HOOKS": "services"})
    controllers = manifests.load(PROJECT / "metacontroller/services.yaml")
    aimed = manifests.Hooks(hooks.url)
    with (
        hooks.simulator,
        older(control_plane, tmp_path) as kubeconfig,
        namespace(control_plane) as shop,
    ):
        try:
            hooks.start()
            with (
                manifests.applied(control_plane.api, controllers, aimed),
                metacontroller.running(kubeconfig, tmp_path / "metacontroller.log"),
            ):
                _serve_and_hand_over(shop)
        finally:
            hooks.process.stop()


def _serve_and_hand_over(shop: Namespace) -> None:
    """Take a Service over with the PROXY protocol on, and check that it comes to rest."""
    created = shop.create("web", {"proxy-protocol": "true"}, type="ClusterIP")
    created["metadata"]["finalizers"] = [OLD_FINALIZER]
    created["spec"]["type"] = "LoadBalancer"
    shop.services.update(created)
    balancer = made(shop, "web")
    answer(shop, balancer)
    shop.await_ready("web")
    hold(shop, balancer, OWN_FINALIZER)
    shop.await_service("web", lambda one: "finalizers" not in one["metadata"], "is handed over")
    before = len(_writes(shop))
    shop.change("web", {"algorithm": "source"})
    changed = shop.await_load_balancer(
        "web", lambda one: one["spec"]["algorithm"] == "source", "is changed"
    )
    answer(shop, changed)
    shop.await_ready("web")
    time.sleep(3)
    assert len(_writes(shop)) - before <= 2
    hold(shop, balancer)


def _writes(shop: Namespace) -> list[str]:
    """List the writes of Services' statuses in a namespace."""
    return [
        entry["requestURI"]
        for entry in shop.cluster.audited()
        if f"/namespaces/{shop.name}/services/" in entry["requestURI"]
        and entry["requestURI"].endswith("/status")
    ]
