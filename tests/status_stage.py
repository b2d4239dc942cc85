"""Ten and more troubles, as objects of an API server that have them, for the tests of the page.

Statuses of load balancers and Services are those of the golden folders, which the hooks wrote.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hooks.kube.times import epoch, timestamp
from hooks.names import (
    CLOUD_CONTROLLER,
    CLOUDSTACK_API,
    LOAD_BALANCER_READY,
    TAINT_UNINITIALIZED,
    TARGET_CLUSTER_OPERATOR,
)

Json = dict[str, Any]

GOLDEN = Path(__file__).parent / "golden"
#: When the objects were made, and since when they are in trouble; the page is looked at later.
MADE = "2026-03-01T08:00:00Z"
SINCE = "2026-03-01T09:00:00Z"
NOW = epoch("2026-03-01T10:20:00Z")
#: When a target cluster that is well was last looked at.
LOOKED = timestamp(NOW - 30)


@dataclass(frozen=True)
class Staged:
    """A trouble: the objects that have it, and what the page must say of it.

    Attributes:
        told: texts of its entry.
        helped: whether the page says what helps.
    """

    objects: tuple[Json, ...]
    told: tuple[str, ...]
    helped: bool = True


def condition(kind: str, status: str, reason: str, message: str) -> Json:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": SINCE,
    }


def service(name: str, *conditions: Json, **more: Any) -> Json:
    """Make a Service of type LoadBalancer; without conditions nobody has answered for it."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "shop", "creationTimestamp": MADE},
        "spec": {"type": "LoadBalancer"},
        "status": {"loadBalancer": {}, "conditions": list(conditions)},
        **more,
    }


def load_balancer(name: str, *conditions: Json, **status: Any) -> Json:
    return {
        "apiVersion": CLOUDSTACK_API,
        "kind": "CloudStackLoadBalancer",
        "metadata": {"name": name, "namespace": "shop", "creationTimestamp": MADE},
        "spec": {"service": {"name": name, "uid": f"uid-{name}"}},
        "status": {"conditions": list(conditions), **status},
    }


def serving(name: str, **status: Any) -> tuple[Json, Json]:
    """Make a Service and its load balancer, between which all is well."""
    ready = condition("Ready", "True", "Serving", "203.0.113.10 serves")
    shown = {"address": {"ip": "203.0.113.10"}, "ruleSummary": "1/1", "memberSummary": "3/3"}
    published = condition(LOAD_BALANCER_READY, "True", "AsWanted", "203.0.113.10: rules 1/1")
    return service(name, published), load_balancer(name, ready, **(shown | status))


def node(name: str, *, ready: bool = True, tainted: bool = False) -> Json:
    taint = {"key": TAINT_UNINITIALIZED, "value": "true", "effect": "NoSchedule"}
    said = condition("Ready", "True" if ready else "Unknown", "NodeStatus", "kubelet says so")
    spec: Json = {"taints": [taint]} if tainted else {"providerID": f"external-cloudstack://{name}"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "creationTimestamp": MADE},
        "spec": spec,
        "status": {"conditions": [said]},
    }


def instance(name: str, *conditions: Json, state: str = "Running", **observed: Any) -> Json:
    return {
        "apiVersion": CLOUDSTACK_API,
        "kind": "CloudStackInstance",
        "metadata": {"name": name, "creationTimestamp": MADE},
        "spec": {"nodeName": name},
        "observed": {
            "state": state,
            "address": "10.1.1.5",
            "offering": "large",
            "zone": "zone-1",
            "conditions": list(conditions),
            **observed,
        },
    }


def event(about: Json, reason: str, message: str, *, source: str = CLOUD_CONTROLLER) -> Json:
    metadata = about["metadata"]
    namespace = metadata.get("namespace", "default")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{metadata['name']}.{reason.lower()}", "namespace": namespace},
        "involvedObject": {
            "kind": about["kind"],
            "name": metadata["name"],
            "namespace": metadata.get("namespace", ""),
        },
        "type": "Warning",
        "reason": reason,
        "message": message,
        "source": {"component": source},
        "count": 1,
        "lastTimestamp": SINCE,
    }


def target_cluster(name: str, *conditions: Json, **status: Any) -> Json:
    return {
        "apiVersion": "targetcluster.example.com/v1alpha1",
        "kind": "TargetCluster",
        "metadata": {"name": name, "namespace": "clusters", "creationTimestamp": MADE},
        "spec": {"kubeconfigSecret": f"{name}-kubeconfig"},
        "status": {"conditions": list(conditions), **status},
    }


def healthy(name: str, **status: Any) -> Json:
    return target_cluster(
        name,
        condition("Ready", "True", "Healthy", "v1.36.1, 3 of 3 nodes ready"),
        condition("ResourcesSynced", "True", "Synced", "12 objects"),
        condition("Healing", "False", "Disabled", "autoHealing.enabled is false"),
        version="v1.36.1",
        nodes={"ready": 3, "total": 3, "summary": "3/3"},
        lastContactTime=LOOKED,
        **status,
    )


def _golden_service(name: str) -> Json:
    """Return a Service of a golden folder with the status that the hook answered."""
    folder = GOLDEN / "services" / name
    request = json.loads((folder / "request.json").read_text())
    answer = json.loads((folder / "response.json").read_text())
    return {**request["object"], "status": answer["status"]}


def _golden_load_balancer(name: str) -> Json:
    """Return a load balancer of a golden folder with the status that the hook answered."""
    folder = GOLDEN / "loadbalancers" / name
    request = json.loads((folder / "request.json").read_text())
    answer = json.loads((folder / "plan.json").read_text())
    return {**request["parent"], "status": answer["response"]["status"]}


def _quota() -> Staged:
    words = "Maximum number of resources of type 'public_ip' for account shop has been exceeded"
    return Staged((_golden_service("08-quota-used-up"),), ("AddressRefused", words, "larger quota"))


def _invalid() -> Staged:
    words = "'fastest' is not known; write roundrobin, leastconn or source"
    return Staged((_golden_service("07-cannot-be-served"),), ("InvalidService", words))


def _planned() -> Staged:
    found = _golden_load_balancer("09-plan-mode")
    owner = service(found["spec"]["service"]["name"])
    owner["metadata"]["namespace"] = found["metadata"]["namespace"]
    return Staged(
        (found, owner), ("Planned", "PlanOnly", "5 changes would be made", "mode=apply --overwrite")
    )


def _no_endpoints() -> Staged:
    found = _golden_load_balancer("31-local-traffic-without-an-endpoint-keeps-its-members")
    return Staged((found,), ("NoReadyEndpoints", "kubectl get endpointslices"))


def _denied() -> Staged:
    found = _golden_load_balancer("52-on-a-vpc-tier-the-list-takes-no-items")
    return Staged((found,), ("DeniedByList", "takes no items", "a list of its own"))


def _unreachable() -> Staged:
    words = "listVirtualMachines: no answer from https://cloud.example.com within 5 s"
    said = condition("Ready", "False", "CloudStackUnreachable", words)
    many = tuple(load_balancer(f"web-{number}", said) for number in range(12))
    return Staged(many, ("CloudStackUnreachable", words, "shop/web-0", "and 4 more"))


def _contested() -> Staged:
    words = "somebody replaces the status of the Service again and again"
    published = condition(LOAD_BALANCER_READY, "False", "Contested", words)
    _, served = serving("web")
    return Staged((service("web", published), served), ("Contested", words, "other controller"))


def _certificate_ends() -> Staged:
    words = "The certificate of Secret web-tls holds until 2026-03-05T10:00:00Z"
    found, balancer = serving("web")
    balancer["status"]["conditions"].append(
        condition("CertificateReady", "True", "ExpiresSoon", words)
    )
    return Staged((found, balancer), ("Impaired", "ExpiresSoon", words, "to its Secret"))


def _few_members() -> Staged:
    words = "worker-3: its VM is Stopped"
    pair = serving("web", members={"assigned": 2, "wanted": 3, "missing": [words]})
    return Staged(pair, ("Impaired", words), helped=True)


def _unanswered() -> Staged:
    return Staged((service("web"),), ("NotAnswered", "the hooks are not called"))


def _abandoned() -> Staged:
    cluster = healthy("prod")
    cluster["status"]["lastContactTime"] = SINCE
    return Staged((cluster,), ("NotAnswered", "was not looked at since"))


def _outdated() -> Staged:
    pair = serving("web", observedGeneration=1)
    pair[1]["metadata"]["generation"] = 2
    return Staged(pair, ("NotAnswered", "Its spec has changed"))


def _held_deletion() -> Staged:
    pair = serving("web")
    for obj in pair:
        obj["metadata"]["deletionTimestamp"] = SINCE
        obj["metadata"]["finalizers"] = ["example.com/keep"]
    return Staged(pair, ("BeingDeleted", "held by example.com/keep"))


def _without_instance() -> Staged:
    return Staged((node("worker-1"),), ("NotAnswered", "no CloudStackInstance"))


def _tainted() -> Staged:
    words = "no VM named worker-9 in project 4cd5; rename the VM or the Node"
    tainted = node("worker-9", tainted=True)
    return Staged((tainted, event(tainted, "NodeNotInitialised", words)), (words, "rename one"))


def _stopped() -> Staged:
    found = (node("worker-1", ready=False), instance("worker-1", state="Stopped"))
    return Staged(found, ("VMNotRunning", "CloudStack says that its VM is Stopped"))


def _held() -> Staged:
    words = "8 of 10 VMs are missing at once; the Nodes are kept until 09:10"
    said = condition("VMFound", "False", "Missing", "CloudStack no longer has VM worker-1")
    gone = node("worker-1", ready=False)
    missing = {"since": SINCE, "snapshots": 3}
    vm = instance("worker-1", said, state="Missing", missing=missing)
    told = ("NodeDeletionHeld", words, "confirm-deletion=true")
    return Staged((gone, vm, event(gone, "NodeDeletionHeld", words)), told)


def _credentials() -> Staged:
    words = "the kubeconfig's token has expired on 2026-02-27"
    said = condition("Ready", "False", "Expired", words)
    cause = condition("CredentialsValid", "False", "Expired", words)
    return Staged((target_cluster("prod", said, cause),), ("Expired", words, "renew"))


def _out_of_reach() -> Staged:
    words = "https://203.0.113.77:6443 does not answer: connection timed out"
    said = condition("Ready", "False", "Unreachable", words)
    cause = condition("Reachable", "False", "Unreachable", words)
    return Staged((target_cluster("prod", said, cause),), ("Unreachable", words, "a firewall"))


def _pods_not_ready() -> Staged:
    words = "1 of 9 pods is not ready: kube-system/coredns-1"
    said = condition("Ready", "False", "NotReady", words)
    cause = condition("SystemPodsReady", "False", "NotReady", words)
    return Staged((target_cluster("prod", said, cause),), (words, "loosen spec.healthChecks"))


def _target_contested() -> Staged:
    found = healthy("prod")
    words = "another writer sets a field of 1 object otherwise"
    found["status"]["conditions"][1] = condition("ResourcesSynced", "False", "Contested", words)
    return Staged((found,), ("Impaired", words, "ignoreDifferences"))


def _not_synced() -> Staged:
    words = "1 of 12 objects failed"
    result = {"outcome": "Failed", "object": "ConfigMap shop/web", "message": "data is immutable"}
    found = healthy("prod", sync={"results": [result]})
    found["status"]["conditions"][1] = condition("ResourcesSynced", "False", "Failed", words)
    return Staged((found,), ("Impaired", words, "Failed: ConfigMap shop/web: data is immutable"))


TROUBLES: dict[str, Callable[[], Staged]] = {
    "a quota is used up": _quota,
    "a Service asks for what there is not": _invalid,
    "changes wait in plan mode": _planned,
    "no node has a ready endpoint": _no_endpoints,
    "the list of a VPC tier takes no items": _denied,
    "CloudStack does not answer": _unreachable,
    "another controller fights over the Service": _contested,
    "a certificate ends soon": _certificate_ends,
    "a member's VM is stopped": _few_members,
    "nobody calls the hooks": _unanswered,
    "nobody looks after a target cluster any more": _abandoned,
    "a changed load balancer has no answer": _outdated,
    "a deletion does not end": _held_deletion,
    "a Node has no VM": _tainted,
    "nobody looks after a Node any more": _without_instance,
    "a Node's VM is stopped": _stopped,
    "deletions of Nodes are held": _held,
    "a target cluster's token has expired": _credentials,
    "a target cluster is out of reach": _out_of_reach,
    "pods of a target cluster are not ready": _pods_not_ready,
    "a target cluster is not in sync": _not_synced,
    "another writer contests an object of a target cluster": _target_contested,
}


def well() -> list[Json]:
    """Return objects of each kind, all of them well."""
    return [
        *serving("web"),
        node("worker-1"),
        instance("worker-1", condition("VMFound", "True", "Found", "CloudStack has VM worker-1")),
        healthy("prod"),
        {
            **event(healthy("prod"), "ClusterReady", "it is well", source=TARGET_CLUSTER_OPERATOR),
            "type": "Normal",
        },
    ]


def everything() -> list[Json]:
    """Return the objects of all troubles, each trouble with a namespace and Nodes of its own."""
    found = []
    for number, stage in enumerate(TROUBLES.values()):
        for obj in stage().objects:
            text = json.dumps(obj)
            for name in ("shop", "clusters", "worker-1", "worker-9"):
                text = text.replace(f'"{name}"', f'"{name}-{number}"')
            found.append(json.loads(text))
    return [*found, *well()]
