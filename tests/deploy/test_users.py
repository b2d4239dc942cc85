"""What people may do who have the cluster's own roles: no administrator needs to grant `*`."""

import os
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from hooks.names import CLOUDSTACK_GROUP
from tests.controlplane import ControlPlane, polling
from tests.controlplane.api import Api, ApiError, Object, Resource
from tests.deploy import installed
from tests.deploy.pods import Moved
from tests.deploy.rendering import DEPLOY, OPERATORS, render, text
from tests.documented.runs import GUIDES

TENANT = "shop"
CLOUDSTACK = f"{CLOUDSTACK_GROUP}/v1alpha1"
TARGETS = "targetcluster.example.com/v1alpha1"
ROLES = ("view", "edit", "admin")


@pytest.fixture(scope="module")
def users(cluster: ControlPlane) -> Iterator[dict[str, Api]]:
    """Install both operators; give each role to a user of a namespace, and `view` to one of all."""
    for folder in OPERATORS:
        installed.apply(cluster, Moved(text(folder), {}))
    cluster.start_controllers()
    cluster.kubectl("create", "namespace", TENANT)
    for name in (*ROLES, "everywhere"):
        cluster.kubectl("-n", TENANT, "create", "serviceaccount", name)
    for role in ROLES:
        given = (f"--clusterrole={role}", f"--serviceaccount={TENANT}:{role}")
        cluster.kubectl("-n", TENANT, "create", "rolebinding", role, *given)
    given = ("--clusterrole=view", f"--serviceaccount={TENANT}:everywhere")
    cluster.kubectl("create", "clusterrolebinding", "everywhere", *given)
    ours = cluster.service_account_token("cloudstack-cloud-controller", "kube-system")
    with closing(cluster.api_as(ours)) as api:
        api.resource(CLOUDSTACK, "cloudstackloadbalancers").create(balancer("served"))
    apis = {
        name: cluster.api_as(cluster.service_account_token(name, TENANT))
        for name in (*ROLES, "everywhere")
    }
    polling.until(lambda: may_list(apis["admin"]), "the roles are put together")
    yield apis
    for api in apis.values():
        api.close()


def may_list(api: Api) -> bool:
    try:
        clusters_of(api).list(TENANT)
    except ApiError as error:
        if error.code != 403:
            raise
        return False
    return True


def clusters_of(api: Api) -> Resource:
    return api.resource(TARGETS, "targetclusters")


def balancer(name: str) -> Object:
    """Return one that the schema takes."""
    return {
        "apiVersion": CLOUDSTACK,
        "kind": "CloudStackLoadBalancer",
        "metadata": {"name": name, "namespace": TENANT},
        "spec": {"service": {"name": name, "uid": "1"}, "loadBalancerName": "a1"},
    }


def target(name: str, namespace: str = TENANT) -> Object:
    return {
        "apiVersion": TARGETS,
        "kind": "TargetCluster",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {},
    }


@pytest.mark.parametrize("role", ROLES)
def test_load_balancers_are_read_by_every_role_and_written_by_none(
    users: dict[str, Api], role: str
) -> None:
    balancers = users[role].resource(CLOUDSTACK, "cloudstackloadbalancers")
    assert [one["metadata"]["name"] for one in balancers.list(TENANT)] == ["served"]
    found = balancers.get("served", TENANT)
    for write in (
        lambda: balancers.create(balancer("forged")),
        lambda: balancers.update(found),
        lambda: balancers.update(found, "status"),
        lambda: balancers.patch("served", {"metadata": {"finalizers": []}}, TENANT),
        lambda: balancers.delete("served", TENANT),
    ):
        with pytest.raises(ApiError, match="is forbidden: User"):
            write()


@pytest.mark.parametrize("role", ["edit", "admin"])
def test_who_may_edit_creates_changes_and_deletes_target_clusters(
    users: dict[str, Api], role: str
) -> None:
    clusters = clusters_of(users[role])
    clusters.create(target(role))
    clusters.patch(role, {"spec": {"suspend": True}}, TENANT)
    assert clusters.get(role, TENANT)["spec"]["suspend"] is True
    with pytest.raises(ApiError, match="cannot patch resource"):
        clusters.patch(role, {"status": {}}, TENANT, subresource="status")
    clusters.delete(role, TENANT)


def test_who_may_view_only_reads_target_clusters(users: dict[str, Api]) -> None:
    clusters = clusters_of(users["view"])
    assert clusters.list(TENANT) == []
    with pytest.raises(ApiError, match="is forbidden: User"):
        clusters.create(target("forged"))


def test_who_may_view_everything_reads_instances_and_nobody_of_a_namespace_does(
    users: dict[str, Api],
) -> None:
    instances = users["everywhere"].resource(CLOUDSTACK, "cloudstackinstances", namespaced=False)
    assert instances.list() == []
    assert users["everywhere"].resource(CLOUDSTACK, "cloudstackloadbalancers").list()
    for role in ROLES:
        of_role = users[role].resource(CLOUDSTACK, "cloudstackinstances", namespaced=False)
        with pytest.raises(ApiError, match="is forbidden: User"):
            of_role.list()


def test_no_role_of_another_namespace_counts(cluster: ControlPlane, users: dict[str, Api]) -> None:
    cluster.kubectl("create", "namespace", "others")
    with pytest.raises(ApiError, match="is forbidden: User"):
        clusters_of(users["edit"]).create(target("any", "others"))
    cluster.kubectl("-n", "others", "create", "serviceaccount", "nobody")
    with closing(cluster.api_as(cluster.service_account_token("nobody", "others"))) as nobody:
        assert not may_list(nobody)


def test_the_guides_overlay_takes_target_clusters_away_from_editors(tmp_path: Path) -> None:
    [example] = re.findall(r"```yaml\n(.*?)```", (GUIDES / "rights.md").read_text(), re.DOTALL)
    overlay = yaml.safe_load(example)
    [base] = overlay["resources"]
    folder = DEPLOY / base.partition("//deploy/")[2]
    overlay["resources"] = [os.path.relpath(folder, tmp_path)]
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    changed = [one for one in render(tmp_path).objects if one not in render(folder).objects]
    assert [one["metadata"]["name"] for one in changed] == ["target-cluster-operator-edit"]
    labels = changed[0]["metadata"]["labels"]
    aggregated = {key: value for key, value in labels.items() if "aggregate-to" in key}
    assert len(aggregated) == 2
    assert set(aggregated.values()) == {"false"}
