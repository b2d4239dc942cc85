"""What servers write for terminals and readers to obey is shown as marks, wherever it is shown."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.controlplane.polling import until
from tests.serving import PROJECT, Hooks
from tests.targets import fake_cluster
from tests.targets.driving import target_cluster
from tests.targets.fake_cluster import FakeCluster, node
from tests.targets.objects import ON_LOOPBACK_SETTINGS, kubeconfig, secret
from tests.unit.cloudstack import http_api

#: Colours and a title of a terminal, ends of lines, turned text, what has no width.
HOSTILE = "s\x1b[31m\x1b]0;t\x07\x9b2J\r\nReady\u2028\u202eeurt\u202c\u2066\u200b\x7f\ufeffe"


def strings(value: Any) -> Iterator[str]:
    """Yield every text within JSON, keys too."""
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for each in value:
            yield from strings(each)
    elif isinstance(value, str):
        yield value


def assert_printable(*values: object) -> None:
    assert [text for value in values for text in strings(value) if not text.isprintable()] == []


def events(hooks: Hooks) -> list[Any]:
    objects = hooks.api_server.store.objects.copy()
    return [obj for obj in objects.values() if obj["kind"] == "Event"]


def log(hooks: Hooks) -> str:
    """Return the lines of the log as one."""
    return hooks.process.log.read_text().replace("\n", "")


HOSTILE_CLUSTERS = {
    "everything that a probe reads": FakeCluster(
        version=HOSTILE, user=HOSTILE, nodes=[node(HOSTILE, ready=False)]
    ),
    "a failed check": FakeCluster(readyz=(500, f"[-]{HOSTILE} failed\n")),
    "a refusal": FakeCluster(answers={"/api/v1/nodes": (500, {"message": HOSTILE})}),
    "a refused user": FakeCluster(
        answers={fake_cluster.REVIEWS: (403, {"message": f'User "{HOSTILE}" cannot create'})}
    ),
}


@pytest.mark.parametrize("cluster", HOSTILE_CLUSTERS.values(), ids=HOSTILE_CLUSTERS)
def test_a_target_clusters_texts_are_shown_with_marks(tmp_path: Path, cluster: FakeCluster) -> None:
    with (
        fake_cluster.running(cluster),
        Hooks(
            tmp_path,
            {
                "HOOKS": "targetclusters",
                "WATCH_NAMESPACE": "",
                "LOG_LEVEL": "debug",
                **ON_LOOPBACK_SETTINGS,
            },
        ) as hooks,
    ):
        hooks.api_server.store.put(secret(kubeconfig(cluster.url), name="target"))
        body = {
            "parent": target_cluster("shown", kubeconfigSecret="target", failureThreshold=1),
            "children": {},
        }

        def probed() -> Any:
            answered = hooks.post("/targetclusters/sync", body).json
            return answered if answered["status"].get("probe") else None

        answered = until(probed, "the cluster is probed", every=0.02)
        assert "\ufffd" in json.dumps(answered, ensure_ascii=False)
        body["parent"] = {**body["parent"], "status": answered["status"]}
        hooks.post("/targetclusters/sync", body)
        assert_printable(answered, events(hooks), log(hooks))


HOSTILE_VM = {
    "id": "3f0f1d6e-0c1c-4a0e-8b1c-2d5c1f0e9a11",
    "name": "node-1",
    "state": HOSTILE,
    "zonename": HOSTILE,
    "zoneid": HOSTILE,
    "serviceofferingname": HOSTILE,
    "account": HOSTILE,
    "domainid": HOSTILE,
    "nic": [{"id": "1", "networkid": HOSTILE, "ipaddress": "10.0.0.1", "isdefault": True}],
}


@pytest.mark.parametrize("refuses", [False, True], ids=["a VM", "a refusal"])
def test_cloudstacks_texts_are_shown_with_marks(tmp_path: Path, refuses: bool) -> None:
    def answer(call: http_api.Call) -> http_api.Reply:
        if refuses:
            return http_api.Reply(
                530,
                json.dumps(
                    {f"{call.command.lower()}response": {"errorcode": 530, "errortext": HOSTILE}}
                ).encode(),
            )
        if call.command == "listVirtualMachines":
            return http_api.ok(call, {"count": 1, "virtualmachine": [HOSTILE_VM]})
        return http_api.ok(call, {})

    with ExitStack() as stack:
        api = stack.enter_context(http_api.serving(answer))
        config = tmp_path / "cloud-config"
        config.write_text(f"[Global]\napi-url = {api.url}\napi-key = key\nsecret-key = secret\n")
        environ = {"CLOUD_CONFIG": str(config), "LOG_LEVEL": "debug"}
        hooks = stack.enter_context(Hooks(tmp_path, environ))
        body = json.loads((PROJECT / "examples/01-node/request.json").read_text())
        answered = hooks.post("/nodes/sync", body).json
        assert api.commands()[:1] == ["listVirtualMachines"]
        assert "\ufffd" in json.dumps(answered, ensure_ascii=False)
        assert_printable(answered, events(hooks), log(hooks))
