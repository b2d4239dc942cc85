"""What is read of a load balancer's Service."""

from dataclasses import replace

import pytest

from hooks.cloudstack import Cloud
from hooks.loadbalancers.live_service import read_service
from hooks.names import ANNOTATION_ABANDON, ANNOTATION_MODE
from tests.integration.loadbalancers.contexts import make_context
from tests.integration.loadbalancers.driver import World
from tests.memory_kube import MemoryKube
from tests.unit.loadbalancers.builders import request


@pytest.mark.parametrize("is_same", [True, False], ids=["the Service", "a namesake"])
def test_annotations_count_on_the_very_service_alone(
    world: World, cloud: Cloud, is_same: bool
) -> None:
    asked = request()
    name, uid = asked.spec.service.name, asked.spec.service.uid
    namespace = f"/api/v1/namespaces/{asked.service_namespace}"
    metadata = {
        "name": name,
        "uid": uid if is_same else "another",
        "annotations": {ANNOTATION_MODE: "plan", ANNOTATION_ABANDON: "true"},
    }
    kube = MemoryKube({namespace: {}, f"{namespace}/services/{name}": {"metadata": metadata}})
    found = read_service(asked, replace(make_context(world, cloud), kube=kube))
    assert (found.is_confirmed, found.plan_only, found.is_abandoned) == (is_same,) * 3
