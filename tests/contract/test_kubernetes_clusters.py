"""Clusters of the CloudStack Kubernetes Service that it records, and none that it manages."""

from collections.abc import Iterator

import pytest

from tests.contract.cloud import Cloud, Json
from tests.contract.conftest import unique

NOBODY = "00000000-0000-0000-0000-000000000000"
LIST = "listKubernetesClusters"


@pytest.fixture(scope="module", autouse=True)
def _service(capability: Json, version: tuple[int, int]) -> None:
    if version < (4, 19):
        pytest.skip("createKubernetesCluster takes no clustertype before 4.19")
    if not capability.get("kubernetesserviceenabled"):
        pytest.skip("cloud.kubernetes.service.enabled is false")


@pytest.fixture
def cluster(cloud: Cloud, network: Json, zone: Json) -> Iterator[Json]:
    """A record of a cluster, without VMs."""
    made = cloud.done(
        "createKubernetesCluster",
        name=unique("cks"),
        description="contract test",
        zoneid=zone["id"],
        networkid=network["id"],
        clustertype="ExternalManaged",
    )["kubernetescluster"]
    yield made
    cloud.job("deleteKubernetesCluster", id=made["id"], cleanup=False)


def shown(cloud: Cloud, cluster: Json) -> Json:
    [found] = cloud.list(LIST, "kubernetescluster", id=cluster["id"])
    return found


def test_a_recorded_cluster_runs_at_once(cloud: Cloud, network: Json, cluster: Json) -> None:
    assert shown(cloud, cluster) == cluster
    assert (cluster["state"], cluster["clustertype"]) == ("Running", "ExternalManaged")
    assert (cluster["size"], cluster["controlnodes"], cluster["virtualmachines"]) == (0, 1, [])
    assert (cluster["networkid"], cluster["autoscalingenabled"]) == (network["id"], False)


def test_a_cluster_of_an_unknown_kind_or_zone_is_refused(
    cloud: Cloud, network: Json, zone: Json
) -> None:
    wanted = {"name": unique("cks"), "networkid": network["id"], "clustertype": "ExternalManaged"}
    cloud.refused("createKubernetesCluster", 431, **wanted, zoneid=NOBODY)
    cloud.refused("createKubernetesCluster", 431, zoneid=zone["id"])


def test_clusters_are_found_by_name_and_keyword(cloud: Cloud, cluster: Json) -> None:
    for where in ({"name": cluster["name"]}, {"keyword": cluster["name"][3:]}):
        found = cloud.list(LIST, "kubernetescluster", listall=True, **where)
        assert [one["id"] for one in found] == [cluster["id"]]
    assert cloud.ok(LIST, name="none") == {}


def test_the_vms_of_a_cluster_are_its_workers_and_its_control_plane(
    cloud: Cloud, cluster: Json, vms: list[Json]
) -> None:
    worker, control = vms
    add = {"id": cluster["id"], "virtualmachineids": worker["id"]}
    for _ in range(2):
        assert cloud.ok("addVirtualMachinesToKubernetesCluster", **add) == {"success": True}
    add["virtualmachineids"] = control["id"]
    cloud.ok("addVirtualMachinesToKubernetesCluster", **add, iscontrolnode=True)
    found = shown(cloud, cluster)
    assert (found["size"], found["controlnodes"]) == (1, 1)
    assert [vm["id"] for vm in found["virtualmachines"]] == [worker["id"], control["id"]]
    node = found["virtualmachines"][0]
    assert (node["state"], node["isexternalnode"], node["account"]) == (
        "Running",
        False,
        worker["account"],
    )
    assert node["nic"][0]["ipaddress"] == worker["nic"][0]["ipaddress"]
    assert not {"domainpath", "serviceofferingname", "templatename"} & set(node)
    removed = cloud.ok(
        "removeVirtualMachinesFromKubernetesCluster",
        id=cluster["id"],
        virtualmachineids=worker["id"],
    )
    assert removed["removevirtualmachinesfromkubernetesclusterresponse"] == [
        {"id": worker["id"], "success": True}
    ]
    assert shown(cloud, cluster)["size"] == 0


@pytest.mark.parametrize(
    ("command", "what", "fields"),
    [
        ("startKubernetesCluster", "Start", {}),
        ("stopKubernetesCluster", "Stop", {}),
        ("scaleKubernetesCluster", "Scale", {"size": 2}),
    ],
)
def test_a_recorded_cluster_is_not_started_stopped_or_scaled(
    cloud: Cloud, cluster: Json, command: str, what: str, fields: Json
) -> None:
    job = cloud.job(command, id=cluster["id"], **fields)
    assert job["jobresult"] == {
        "errorcode": 530,
        "errortext": (
            f"{what} kubernetes cluster is not supported for an externally managed cluster "
            f"({cluster['name']})"
        ),
    }
    assert "jobinstanceid" not in job
    assert shown(cloud, cluster)["state"] == "Running"


@pytest.mark.parametrize(
    "command",
    [
        "listKubernetesClusters",
        "startKubernetesCluster",
        "stopKubernetesCluster",
        "scaleKubernetesCluster",
        "deleteKubernetesCluster",
    ],
)
def test_an_unknown_cluster_is_refused_at_once(cloud: Cloud, command: str) -> None:
    for value in (NOBODY, "abc"):
        text = cloud.refused(command, 431, id=value)
        assert text.startswith(
            f"Unable to execute API command {command.lower()} due to invalid value. "
            f"Invalid parameter id value={value} due to incorrect long value format"
        )
    if command != LIST:
        text = cloud.refused(command, 431)
        assert text.endswith(" due to missing parameter id")


def test_anothers_cluster_is_not_listed_and_not_to_be_touched(other: Cloud, cluster: Json) -> None:
    assert other.ok(LIST, id=cluster["id"]) == {}
    for command in ("startKubernetesCluster", "scaleKubernetesCluster", "deleteKubernetesCluster"):
        other.refused(command, 531, id=cluster["id"], size=2 if "scale" in command else None)


def test_a_deleted_cluster_is_not_there(cloud: Cloud, cluster: Json, vms: list[Json]) -> None:
    add = {"id": cluster["id"], "virtualmachineids": vms[0]["id"]}
    cloud.ok("addVirtualMachinesToKubernetesCluster", **add)
    assert cloud.done("deleteKubernetesCluster", id=cluster["id"])["success"] is True
    assert cloud.ok(LIST, id=cluster["id"]) == {}
    text = cloud.failed("deleteKubernetesCluster", 530, id=cluster["id"])
    assert text == "Invalid cluster id specified"
    [vm] = cloud.list("listVirtualMachines", "virtualmachine", id=vms[0]["id"])
    assert vm["state"] == "Running"
