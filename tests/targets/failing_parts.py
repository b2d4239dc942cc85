"""Makes parts of a real target fail, as its own administrators do without knowing."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from hooks.http.bounded_json import Json
from tests.controlplane.api import ApiError
from tests.controlplane.cluster import Cluster
from tests.controlplane.polling import until
from tests.targets.servers import black_hole, serving

#: The group of an API that the target aggregates.
DOWN = "down.example.org"
#: What a policy says, and the webhook's name.
REFUSED = "refused by the platform team"
HANGS = "hangs.example.org"
_ADMISSION = "admissionregistration.k8s.io/v1"


def of_api_down(kind: str) -> Json:
    """Write an object of the aggregated API."""
    return {"apiVersion": f"{DOWN}/v1", "kind": kind, "metadata": {"name": kind.lower()}}


@contextmanager
def api_down(target: Cluster, namespace: str) -> Iterator[None]:
    """Let a target aggregate an API behind which nothing runs."""
    services = target.api.resource("apiregistration.k8s.io/v1", "apiservices")
    spec = {
        "group": DOWN,
        "version": "v1",
        "groupPriorityMinimum": 100,
        "versionPriority": 10,
        "insecureSkipTLSVerify": True,
        "service": {"name": "none", "namespace": namespace},
    }
    name = f"v1.{DOWN}"
    services.create(
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": name},
            "spec": spec,
        }
    )
    try:
        yield
    finally:
        services.delete(name)


@contextmanager
def hanging_accounts(target: Cluster, namespace: str) -> Iterator[None]:
    """Let a webhook that never answers decide about the service accounts of a namespace."""
    configurations = target.api.resource(_ADMISSION, "validatingwebhookconfigurations")
    rules = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["serviceaccounts"]}
    with serving(black_hole) as server:
        webhook = {
            "name": HANGS,
            "clientConfig": {"url": server.url.replace("http:", "https:")},
            "rules": [{**rules, "operations": ["*"]}],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "timeoutSeconds": 4,
        }
        configurations.create(
            {
                "apiVersion": _ADMISSION,
                "kind": "ValidatingWebhookConfiguration",
                "metadata": {"name": namespace},
                "webhooks": [webhook],
            }
        )
        try:
            time.sleep(1.0)  # until the API server has seen it
            yield
        finally:
            configurations.delete(namespace)


@contextmanager
def refusing_policy(target: Cluster, namespace: str) -> Iterator[None]:
    """Let an admission policy refuse the ConfigMap `refused` of a namespace."""
    rules = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}
    spec = {
        "matchConstraints": {
            "resourceRules": [{**rules, "operations": ["CREATE", "UPDATE"]}],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        },
        "validations": [{"expression": "object.metadata.name != 'refused'", "message": REFUSED}],
    }
    bound = {"policyName": namespace, "validationActions": ["Deny"]}
    made = {"Policy": ("policies", spec), "PolicyBinding": ("policybindings", bound)}
    for kind, (plural, what) in made.items():
        target.api.resource(_ADMISSION, f"validatingadmission{plural}").create(
            {
                "apiVersion": _ADMISSION,
                "kind": f"ValidatingAdmission{kind}",
                "metadata": {"name": namespace},
                "spec": what,
            }
        )
    try:
        until(lambda: _is_refused(target, namespace), "the policy is in force")
        yield
    finally:
        for plural, _ in made.values():
            target.api.resource(_ADMISSION, f"validatingadmission{plural}").delete(namespace)


def _is_refused(target: Cluster, namespace: str) -> bool:
    """Tell whether the policy refuses what it should, without making it."""
    path = f"/api/v1/namespaces/{namespace}/configmaps?dryRun=All"
    try:
        target.api.call("POST", path, {"metadata": {"name": "refused"}})
    except ApiError as error:
        return REFUSED in str(error)
    return False
