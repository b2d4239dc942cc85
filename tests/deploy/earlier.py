"""Manifests of an earlier version, made from today's, since none has been released yet.

What a version may change is undone here, a change of each sort: a field and a column that the CRDs
have not yet, an older image, a label of another name, a right more, a setting less, another period,
and controllers that are manifests, not registered by the pod. What cannot be undone is the code:
earlier pods run today's hooks. Once there is a release, its own manifests take the place of this.
"""

import copy
from collections.abc import Mapping

import yaml

from tests.controlplane.api import Object
from tests.deploy.rendering import Rendered

#: Fields that came later, by kind: what the path of one leads to, below the schema.
LATER = {
    "CloudStackInstance": [("observed", "offering")],
    "CloudStackLoadBalancer": [("status", "memberSummary")],
    "TargetCluster": [("status", "server"), ("spec", "finalizeTimeout")],
}
VERSION = "0.0.9"
PART_OF = "app.kubernetes.io/part-of"


def earlier(rendered: Rendered) -> str:
    """Return the manifests of the version before."""
    return yaml.safe_dump_all([_earlier(copy.deepcopy(obj)) for obj in rendered.objects])


def _earlier(obj: Object) -> Object:
    labels = obj["metadata"].get("labels", {})
    if PART_OF in labels:
        labels["part-of"] = labels.pop(PART_OF)
    match obj["kind"]:
        case "CustomResourceDefinition":
            _without_later_fields(obj)
        case "Deployment":
            _with_older_image(obj)
        case "ClusterRole":
            obj["rules"].append({"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]})
        case "CompositeController" | "DecoratorController":
            obj["spec"]["resyncPeriodSeconds"] = 90
    return obj


def _without_later_fields(crd: Object) -> None:
    kind = crd["spec"]["names"]["kind"]
    for version in crd["spec"]["versions"]:
        for parent, field in LATER.get(kind, []):
            schema = version["schema"]["openAPIV3Schema"]["properties"][parent]
            del schema["properties"][field]
        columns = version.get("additionalPrinterColumns", [])
        paths = [f".{parent}.{field}" for parent, field in LATER.get(kind, [])]
        version["additionalPrinterColumns"] = [
            column for column in columns if column["jsonPath"] not in paths
        ]


def _with_older_image(deployment: Object) -> None:
    for container in deployment["spec"]["template"]["spec"]["containers"]:
        name, _, _ = container["image"].rpartition(":")
        if name == "cloudstack-metacontroller":
            container["image"] = f"{name}:{VERSION}"
            container["env"] = [one for one in container["env"] if one["name"] != "POD_NAME"]


def has_later_fields(obj: Mapping[str, Object], kind: str) -> bool:
    """Tell whether an object has what came later; one that has some of it is wrong."""
    found = {field in obj.get(parent, {}) for parent, field in LATER[kind]}
    assert len(found) == 1, obj
    return found.pop()
