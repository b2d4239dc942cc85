"""What the tests of healing share: a simulated CloudStack, and a TargetCluster with its keys."""

from collections import Counter
from itertools import accumulate

from simulator.server import Simulator
from tests.controlplane.api import Object
from tests.e2e.targets import NAMESPACE, TargetPlatform

NODES = ["cks-control-1", "cks-node-1", "cks-node-2"]
REPAIRS = (
    "startVirtualMachine",
    "stopVirtualMachine",
    "rebootVirtualMachine",
    "startKubernetesCluster",
    "scaleKubernetesCluster",
)
QUICK = {
    "enabled": True,
    "nodeTimeout": "1s",
    "startupTimeout": "1s",
    "maxRetry": 2,
    "maxUnhealthy": "100%",
    "backoff": {"first": "2s", "longest": "4s"},
}


def put_keys(platform: TargetPlatform, cloud: Simulator) -> None:
    """Write the account's keys to the Secret `cloudstack`."""
    user = cloud.user
    text = (
        f"[Global]\napi-url = {cloud.url}\napi-key = {user.api_key}\n"
        f"secret-key = {user.secret_key}\n"
    )
    secrets = platform.plane.api.resource("v1", "secrets")
    if secrets.find("cloudstack", NAMESPACE):
        secrets.patch("cloudstack", {"stringData": {"cloud-config": text}}, NAMESPACE)
    else:
        metadata = {"name": "cloudstack", "namespace": NAMESPACE}
        secrets.create({"metadata": metadata, "stringData": {"cloud-config": text}})


def make(platform: TargetPlatform, name: str, cluster_id: str = "", **healing: object) -> None:
    """Create a TargetCluster that heals, and wait until it is well and a round has seen that."""
    service = {"kubernetesClusterID": cluster_id} if cluster_id else {}
    platform.make(
        name,
        autoHealing={**QUICK, **healing},
        cloudStack={"configSecret": "cloudstack", **service},
    )
    platform.until_says(name, "Ready", "True Healthy")
    platform.until(name, lambda cluster: "lastTime" in cluster["status"].get("healing", {}))


def repairs(cloud: Simulator) -> Counter[str]:
    """Count the commands that repair, by command and name of the VM or cluster."""
    state = cloud.control.state()
    found = (*state["virtualmachines"], *state["kubernetesclusters"])
    names = {one["id"]: one["name"] for one in found}
    return Counter(
        f"{call['command']} {names.get(call['params']['id'])}"
        for call in cloud.control.calls()
        if call["command"] in REPAIRS
    )


def faults(cluster: Object) -> list[Object]:
    """Return the faults that a status names."""
    return list(cluster["status"].get("healing", {}).get("faults", []))


def fault(cluster: Object, name: str) -> Object:
    """Return the fault of an object; empty where there is none."""
    return next((one for one in faults(cluster) if one["object"] == name), {})


def until_healed(platform: TargetPlatform, name: str) -> None:
    """Wait until a fault was seen, and none is there any more."""
    platform.until(name, lambda cluster: cluster["status"].get("healing", {}).get("open", 0) > 0)
    platform.until(name, lambda cluster: cluster["status"]["healing"]["open"] == 0)
    platform.until_says(name, "Ready", "True Healthy")


def cluster_id(cloud: Simulator, name: str) -> str:
    """Return the id of a cluster of the Kubernetes Service."""
    found = cloud.control.state()["kubernetesclusters"]
    return str(next(one["id"] for one in found if one["name"] == name))


def most_at_once(cloud: Simulator) -> int:
    """Return how many VMs or clusters were worked on at once, at most."""
    changes = []
    for call in cloud.control.calls():
        if call["command"] in REPAIRS and call.get("due") is not None:
            changes += [(call["due"], -1), (call["time"], 1)]
    return max(accumulate(change for _, change in sorted(changes)), default=0)
