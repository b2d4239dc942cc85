"""The API server in memory, called by the client that the hooks have."""

from collections.abc import Iterator

import pytest
from kubernetes.client import Configuration

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import (
    APPLY_PATCH,
    METADATA,
    ApiServer,
    Conflict,
    Kube,
    KubeRefused,
    NotFound,
)
from tools import api_server

NODE: Json = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "n", "uid": "u", "resourceVersion": "7", "labels": {"a": "b"}},
    "spec": {"taints": [1]},
    "status": {"phase": "x"},
}
NODES = "/api/v1/nodes"
EVENTS = "/api/v1/namespaces/default/events"


@pytest.fixture
def kube() -> Iterator[Kube]:
    with api_server.ApiServer([NODE]) as running:
        client = ApiServer.of(Configuration(host=running.url))
        yield client
        client.close()


def soon() -> Deadline:
    return Deadline(5)


def test_what_is_created_is_read_and_listed_and_not_created_again(kube: Kube) -> None:
    made = kube.create(EVENTS, {"metadata": {"name": "e", "labels": {"x": "y"}}}, deadline=soon())
    assert made["metadata"]["uid"]
    assert kube.get(f"{EVENTS}/e", deadline=soon()) == made
    assert list(kube.list("/api/v1/events", deadline=soon())) == [made]
    assert list(kube.list(EVENTS, deadline=soon(), params={"labelSelector": "x=z"})) == []
    assert kube.get(f"{EVENTS}/e", deadline=soon(), accept=METADATA)["metadata"]["name"] == "e"
    with pytest.raises(Conflict, match='events "e" already exists'):
        kube.create(EVENTS, {"metadata": {"name": "e"}}, deadline=soon())


def test_a_patch_holds_to_uid_and_version_and_gives_a_new_one(kube: Kube) -> None:
    for stale in ({"uid": "another"}, {"resourceVersion": "6"}):
        with pytest.raises(Conflict):
            kube.patch(f"{NODES}/n", {"metadata": stale}, deadline=soon())
    body = {"metadata": {"resourceVersion": "7", "labels": {"a": None}}, "spec": {"taints": None}}
    patched = kube.patch(f"{NODES}/n", body, deadline=soon())
    assert patched["spec"] == {}
    assert patched["metadata"]["labels"] == {}
    assert patched["metadata"]["resourceVersion"] != "7"
    with pytest.raises(Conflict):
        kube.patch(f"{NODES}/n", body, deadline=soon())


def test_a_status_is_changed_by_its_own_path_alone(kube: Kube) -> None:
    body = {"spec": {"taints": []}, "status": {"phase": "y"}}
    assert kube.patch(f"{NODES}/n", body, deadline=soon())["status"] == {"phase": "x"}
    shown = kube.patch(f"{NODES}/n/status", {**body, "spec": None}, deadline=soon())
    assert (shown["spec"], shown["status"]) == ({"taints": []}, {"phase": "y"})


def test_applying_creates_what_is_not_there(kube: Kube) -> None:
    path = "/apis/example.com/v1/things/t"
    for color in ("red", "blue"):
        body = {"metadata": {"name": "t"}, "spec": {"color": color}}
        applied = kube.patch(path, body, deadline=soon(), content_type=APPLY_PATCH)
        assert applied["spec"] == {"color": color}


def test_a_deletion_waits_for_finalizers(kube: Kube) -> None:
    kube.patch(f"{NODES}/n", {"metadata": {"finalizers": ["f"]}}, deadline=soon())
    with pytest.raises(Conflict):
        kube.delete(f"{NODES}/n", deadline=soon(), options={"preconditions": {"uid": "v"}})
    kube.delete(f"{NODES}/n", deadline=soon(), options={"preconditions": {"uid": "u"}})
    assert "deletionTimestamp" in kube.get(f"{NODES}/n", deadline=soon())["metadata"]
    kube.patch(f"{NODES}/n", {"metadata": {"finalizers": None}}, deadline=soon())
    with pytest.raises(NotFound, match='nodes "n" not found'):
        kube.get(f"{NODES}/n", deadline=soon())


def test_what_it_cannot_do_it_refuses(kube: Kube) -> None:
    with pytest.raises(NotFound):
        kube.get("/healthz", deadline=soon())
    with pytest.raises(KubeRefused, match="415"):
        kube.patch(f"{NODES}/n", {}, deadline=soon(), content_type="application/json-patch+json")
    with pytest.raises(KubeRefused, match="405"):
        kube.create(f"{NODES}/n", {}, deadline=soon())
    with pytest.raises(KubeRefused, match="400"):
        kube.create(NODES, {"metadata": {}}, deadline=soon())
