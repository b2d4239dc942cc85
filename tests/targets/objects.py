"""Writes kubeconfigs, Secrets and TargetClusters as people write them."""

import base64
import json
from ipaddress import IPv4Network

from hooks.http.bounded_json import Json
from hooks.targetclusters.access.destinations import Destinations

#: Where the clusters of the tests are, as TARGET_CLUSTER_ALLOWED_NETWORKS and parsed.
LOOPBACK = "127.0.0.0/8"
ON_LOOPBACK = Destinations((IPv4Network(LOOPBACK),), http_credentials=True)
#: The same as settings of a process.
ON_LOOPBACK_SETTINGS = {
    "TARGET_CLUSTER_ALLOWED_NETWORKS": LOOPBACK,
    "TARGET_CLUSTER_ALLOW_HTTP_CREDENTIALS": "true",
}


def kubeconfig(
    server: str, *, cluster: Json | None = None, user: Json | None = None, **top: object
) -> str:
    """Write a kubeconfig with one context; the others add fields to its parts, or replace them."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": server, **(cluster or {})}}],
            "users": [{"name": "u", "user": user or {}}],
            **top,
        }
    )


def encoded(text: str) -> str:
    """Write text in base64."""
    return base64.b64encode(text.encode()).decode()


def secret(
    text: str, *, key: str = "kubeconfig", name: str = "target", namespace: str = "team"
) -> Json:
    """Write the Secret that holds a kubeconfig."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace, "resourceVersion": "1"},
        "data": {key: encoded(text)},
    }


def jwt(**claims: object) -> str:
    """Write a token of three parts; nobody checks its signature here."""
    parts = [json.dumps({"alg": "none"}), json.dumps(claims), "signature"]
    return ".".join(base64.urlsafe_b64encode(p.encode()).decode().rstrip("=") for p in parts)
