import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.controlplane import kwok, polling
from tests.controlplane.api import ApiError, Object
from tests.controlplane.cluster import Cluster, ControlPlane, KubectlError
from tests.controlplane.hookserver import HookServer
from tests.controlplane.polling import PATIENCE
from tools.binaries import Binaries


def config_map(name: str, **metadata: object) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default", **metadata},
        "data": {"colour": "red"},
    }


def test_the_api_server_is_the_pinned_one(control_plane: ControlPlane) -> None:
    assert control_plane.api.call("GET", "/version")["gitVersion"] == "v1.36.3"


def test_kubectl_and_the_client_see_the_same_objects(control_plane: ControlPlane) -> None:
    config_maps = control_plane.api.resource("v1", "configmaps")
    config_maps.create(config_map("seen-twice"))
    jsonpath = "jsonpath={.data.colour}"
    assert control_plane.kubectl("get", "configmap", "seen-twice", "-o", jsonpath) == "red"
    config_maps.patch("seen-twice", {"data": {"colour": "blue"}}, "default")
    assert control_plane.kubectl("get", "configmap", "seen-twice", "-o", jsonpath) == "blue"
    config_maps.delete("seen-twice", "default")
    assert config_maps.find("seen-twice", "default") is None


def test_kubectl_that_fails_says_why(control_plane: ControlPlane) -> None:
    with pytest.raises(KubectlError, match=r'services "absent" not found'):
        control_plane.kubectl("get", "service", "absent")


def test_a_stale_update_is_a_conflict(control_plane: ControlPlane) -> None:
    config_maps = control_plane.api.resource("v1", "configmaps")
    stale = config_maps.create(config_map("stale"))
    config_maps.patch("stale", {"data": {"colour": "blue"}}, "default")
    with pytest.raises(ApiError) as refused:
        config_maps.update(stale)
    assert refused.value.conflict


def test_a_watch_tells_what_happens(control_plane: ControlPlane) -> None:
    config_maps = control_plane.api.resource("v1", "configmaps")
    since = config_maps.page("default")["metadata"]["resourceVersion"]
    config_maps.create(config_map("watched"))
    config_maps.delete("watched", "default")
    with config_maps.watch("default", since=since, seconds=5) as events:
        assert [next(events).type, next(events).type] == ["ADDED", "DELETED"]


def test_owned_objects_go_with_their_owner(control_plane: ControlPlane) -> None:
    config_maps = control_plane.api.resource("v1", "configmaps")
    owner = config_maps.create(config_map("owner"))
    reference = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "owner",
        "uid": owner["metadata"]["uid"],
    }
    config_maps.create(config_map("owned", ownerReferences=[reference]))
    config_maps.delete("owner", "default")
    polling.until(lambda: config_maps.find("owned", "default") is None, "the owned one is gone")


def test_rbac_refuses_a_service_account_that_was_given_nothing(
    control_plane: ControlPlane,
) -> None:
    control_plane.api.resource("v1", "serviceaccounts").create(
        {"metadata": {"name": "nobody", "namespace": "default"}}
    )
    api = control_plane.api_as(control_plane.service_account_token("nobody", "default"))
    try:
        with pytest.raises(ApiError, match=r'"system:serviceaccount:default:nobody" cannot list'):
            api.resource("v1", "nodes").list()
    finally:
        api.close()


def test_the_audit_log_tells_who_wrote_what(control_plane: ControlPlane) -> None:
    control_plane.api.resource("v1", "configmaps").create(config_map("audited"))

    def written() -> Object | None:
        for entry in control_plane.audited():
            if entry["objectRef"].get("name") == "audited":
                return entry
        return None

    entry = polling.until(written, "the write is in the audit log")
    assert (entry["verb"], entry["user"]["username"]) == ("create", "admin")


def test_a_killed_api_server_comes_back_with_its_data(
    control_plane_binaries: Binaries, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert control_plane_binaries.kube_apiserver.exists()
    with ControlPlane.start(tmp_path_factory.mktemp("killed")) as plane:
        url = plane.url
        plane.api.resource("v1", "configmaps").create(config_map("kept"))
        plane.restart_api_server(killed=True)
        assert plane.url == url
        assert plane.api.resource("v1", "configmaps").get("kept", "default")


def test_a_target_cluster_is_another_cluster(control_plane: ControlPlane) -> None:
    with control_plane.target_cluster("east") as east:
        east.api.resource("v1", "configmaps").create(config_map("only-east"))
        assert "only-east" in east.kubectl("get", "configmaps", "-o", "name")
        assert "only-east" not in control_plane.kubectl("get", "configmaps", "-o", "name")
        with pytest.raises(ApiError) as refused:
            _with_token_of(control_plane, east)
        assert refused.value.code == 401


def _with_token_of(stranger: Cluster, cluster: Cluster) -> None:
    api = cluster.api_as(stranger.token)
    try:
        api.resource("v1", "nodes").list()
    finally:
        api.close()


def test_kwok_renews_a_ready_node_and_touches_nothing_else(control_plane: ControlPlane) -> None:
    nodes = control_plane.api.resource("v1", "nodes")
    for name, ready in (("alive", "True"), ("dead", "False")):
        nodes.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
        nodes.patch(name, {"status": _status(ready)}, subresource="status")
    before = {name: nodes.get(name) for name in ("alive", "dead")}
    with kwok.heartbeats(control_plane) as running:

        def newer() -> bool:
            running.check()
            return _heartbeat(nodes.get("alive")) != _heartbeat(before["alive"])

        polling.until(newer, "the heartbeat is newer")
    after = {name: nodes.get(name) for name in ("alive", "dead")}
    assert after["dead"] == before["dead"]
    assert _without_heartbeat(after["alive"]) == _without_heartbeat(before["alive"])
    for name in after:
        nodes.delete(name)


def _status(ready: str) -> Object:
    condition = {
        "type": "Ready",
        "status": ready,
        "reason": "Test",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "lastHeartbeatTime": "2026-01-01T00:00:00Z",
    }
    return {"conditions": [condition], "addresses": [{"type": "Hostname", "address": "x"}]}


def _heartbeat(node: Object) -> str:
    return str(node["status"]["conditions"][0]["lastHeartbeatTime"])


def _without_heartbeat(node: Object) -> Object:
    status = node["status"]
    conditions = [{**c, "lastHeartbeatTime": ""} for c in status["conditions"]]
    return {
        "spec": node.get("spec"),
        "labels": node["metadata"].get("labels"),
        "status": {**status, "conditions": conditions},
    }


def test_a_person_can_have_a_control_plane(
    control_plane_binaries: Binaries, tmp_path: Path, hooks: HookServer
) -> None:
    folder = tmp_path / "cluster"
    options = ["--folder", str(folder), "--hooks", hooks.url]
    command = [sys.executable, "-m", "tests.controlplane", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as person:
        try:
            assert person.stdout
            said = [person.stdout.readline() for _ in range(4)]
            assert said[0].startswith("metacontroller: the ")
            kubeconfig = said[1].removeprefix("export KUBECONFIG=").strip()
            kubectl = str(control_plane_binaries.kubectl)
            asked = ["get", "decoratorcontrollers,namespaces", "-o", "name"]
            listed = subprocess.run(
                [kubectl, "--kubeconfig", kubeconfig, *asked],
                capture_output=True,
                text=True,
                check=True,
            )
            assert "namespace/default" in listed.stdout
            assert "decoratorcontroller" in listed.stdout
            person.send_signal(signal.SIGINT)
            assert person.wait(timeout=PATIENCE) == 0
        finally:
            person.kill()
    assert not (folder / "etcd").exists()


def test_a_folder_of_something_else_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    command = [sys.executable, "-m", "tests.controlplane", "--folder", str(tmp_path)]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert f"--folder: {tmp_path} holds something else" in refused.stderr
    assert (tmp_path / "thesis.txt").exists()
