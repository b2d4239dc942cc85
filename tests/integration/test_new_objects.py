"""What a real API server shows of our objects before a hook has looked at them."""

import pytest

from hooks.http.bounded_json import Json
from hooks.names import CLOUDSTACK_API, LOAD_BALANCER_KIND
from tests.controlplane import ControlPlane
from tests.kstatus import kstatus
from tests.targets.driving import target_cluster

LOAD_BALANCER: Json = {
    "apiVersion": CLOUDSTACK_API,
    "kind": LOAD_BALANCER_KIND,
    "metadata": {"name": "a1", "namespace": "default"},
    "spec": {"service": {"name": "web", "uid": "1"}, "loadBalancerName": "a1"},
}


def new_cluster() -> Json:
    cluster = target_cluster(namespace="default")
    name = {"name": "new", "namespace": "default"}
    return {**cluster, "metadata": name}


@pytest.mark.parametrize(
    ("plural", "body"),
    [
        pytest.param("cloudstackloadbalancers", LOAD_BALANCER, id="load balancer"),
        pytest.param("targetclusters", new_cluster(), id="target cluster"),
    ],
)
def test_a_new_object_is_in_progress(control_plane: ControlPlane, plural: str, body: Json) -> None:
    resource = control_plane.api.resource(body["apiVersion"], plural)
    resource.create(body)
    try:
        found = resource.get(body["metadata"]["name"], "default")
        assert found["status"] == {"observedGeneration": -1}
        assert kstatus(found) == "InProgress"
    finally:
        resource.delete(body["metadata"]["name"], "default")
