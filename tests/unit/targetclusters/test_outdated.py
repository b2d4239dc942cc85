"""What a request showed counts as long as the API server shows the same."""

from collections.abc import Callable

import pytest

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.names import LABEL_SHARD
from hooks.targetclusters.access.kubeconfig_secrets import TARGET_CLUSTER
from hooks.targetclusters.outdated import is_outdated
from hooks.targetclusters.request import read
from hooks.targetclusters.sync.plan.inventory import Inventory, InventoryEntry
from tests.memory_kube import MemoryKube
from tests.targets.driving import target_cluster

PATH = TARGET_CLUSTER.path("team", "example")
MAPS = "/api/v1/namespaces/team/configmaps"
ENTRY = InventoryEntry("v1", "ConfigMap", "team", "a")


def inventory(name: str, **metadata: object) -> Json:
    (made,) = Inventory(((ENTRY,),)).to_config_maps(name="example", namespace="team")
    return {**made, "metadata": {**made["metadata"], "name": name, **metadata}}


def change(kube: MemoryKube, **metadata: object) -> None:
    old = kube.objects[PATH]
    kube.objects[PATH] = {**old, "metadata": {**old["metadata"], **metadata}}


def owned_by(uid: str) -> Callable[[MemoryKube], object]:
    owners = [{"kind": "TargetCluster", "name": "example", "uid": uid}]
    return lambda kube: kube.store.put(inventory("example-inventory-2", ownerReferences=owners))


@pytest.mark.parametrize(
    ("happens", "outdated"),
    [
        pytest.param(lambda _: None, False, id="nothing"),
        pytest.param(lambda kube: change(kube, resourceVersion="9"), False, id="a status"),
        pytest.param(lambda kube: change(kube, generation=2), True, id="another spec"),
        pytest.param(lambda kube: change(kube, uid="other"), True, id="another of that name"),
        pytest.param(
            lambda kube: change(kube, deletionTimestamp="2027-01-15T08:00:00Z"),
            True,
            id="a deletion",
        ),
        pytest.param(
            lambda kube: change(kube, labels={LABEL_SHARD: "b"}), True, id="another shard"
        ),
        pytest.param(lambda kube: change(kube, labels={"a": "b"}), False, id="another label"),
        pytest.param(lambda kube: kube.objects.pop(PATH), True, id="gone"),
        pytest.param(
            lambda kube: kube.store.put(inventory("example-inventory")), True, id="written"
        ),
        pytest.param(
            lambda kube: kube.objects.pop(f"{MAPS}/example-inventory"), True, id="inventory gone"
        ),
        pytest.param(owned_by("uid-of-team-example"), True, id="one ConfigMap more"),
        pytest.param(owned_by("other"), False, id="somebody else's of the next name"),
    ],
)
def test_a_request_is_outdated_once_anything_of_it_is_another(
    happens: Callable[[MemoryKube], object], *, outdated: bool
) -> None:
    kube = MemoryKube()
    kube.store.put(target_cluster())
    kube.store.put(inventory("example-inventory"))
    children = {"example-inventory": kube.objects[f"{MAPS}/example-inventory"]}
    body = {"parent": kube.objects[PATH], "children": {"ConfigMap.v1": children}}
    request = read(body, default_secret="kubeconfig")
    happens(kube)
    assert is_outdated(kube, request, Deadline(5)) is outdated


def test_an_inventory_that_lists_nothing_is_the_same_too() -> None:
    kube = MemoryKube()
    kube.store.put(target_cluster())
    (empty,) = Inventory().to_config_maps(name="example", namespace="team")
    owners = [{"kind": "TargetCluster", "name": "example", "uid": "uid-of-team-example"}]
    kube.store.put({**empty, "metadata": {**empty["metadata"], "ownerReferences": owners}})
    children = {"example-inventory": kube.objects[f"{MAPS}/example-inventory"]}
    body = {"parent": kube.objects[PATH], "children": {"ConfigMap.v1": children}}
    assert not is_outdated(kube, read(body, default_secret="kubeconfig"), Deadline(5))
