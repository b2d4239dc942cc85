"""A real target where much fails at once, over the wire, and one whose answers say all twice."""

import json
import threading
from collections.abc import Iterator

import pytest

from hooks.http.bounded_json import Json
from hooks.targetclusters.sync.memory import SLOW_SECONDS
from tests.integration.targetclusters.stage import LABEL, Stage
from tests.targets import failing_parts
from tests.targets.failing_parts import HANGS, REFUSED, of_api_down
from tests.targets.proxy import Answer

#: `monitorInterval`, if a TargetCluster does not say it.
INTERVAL = 30.0
RBAC = "rbac.authorization.k8s.io"
THROTTLED = "too many requests of your flow, the platform team says"
GOOD = {"a", "b", "c", "good-map", "good-secret", "good-service", "slow"}


@pytest.fixture
def failing(stage: Stage) -> Iterator[Stage]:
    """Let parts of the target fail, and what is before it throttle, dawdle and hang."""
    release = threading.Event()

    def instead(request: str) -> Answer | None:
        method, path = request.split()
        if method == "GET" and path.endswith("/roles"):
            release.wait(SLOW_SECONDS + 0.5)
        if method == "GET" and path.endswith("/rolebindings"):
            release.wait()
        if method == "PATCH" and "/limitranges/" in path:
            status = {"kind": "Status", "code": 429, "message": THROTTLED}
            return 429, json.dumps(status).encode(), {"Retry-After": "1"}
        return None

    namespaces = stage.target.api.resource("v1", "namespaces")
    namespaces.create({"metadata": {"name": stage.namespace}})
    parts = (stage.target, stage.namespace)
    stage.line.instead = instead
    try:
        with (
            failing_parts.api_down(*parts),
            failing_parts.hanging_accounts(*parts),
            failing_parts.refusing_policy(*parts),
        ):
            yield stage
    finally:
        release.set()


def made(version: str, kind: str, name: str, **more: object) -> Json:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **more}


def wanted() -> tuple[Json, ...]:
    """Write what fails before what does not."""
    limits = {"limits": [{"type": "Pod", "max": {"cpu": "1"}}]}
    role = {"apiGroup": RBAC, "kind": "Role", "name": "slow"}
    return (
        made("v1", "ServiceAccount", "hangs"),
        *map(of_api_down, ("One", "Two")),
        made("v1", "LimitRange", "throttled", spec=limits),
        made("v1", "ConfigMap", "refused"),
        made(f"{RBAC}/v1", "RoleBinding", "unlisted", roleRef=role),
        made(f"{RBAC}/v1", "Role", "slow", rules=[]),
        made("v1", "ConfigMap", "good-map"),
        made("v1", "Secret", "good-secret", stringData={"a": "b"}),
        made("v1", "Service", "good-service", spec={"ports": [{"port": 80}]}),
    )


def there(stage: Stage) -> set[str]:
    """Return the names of what is wanted and on the target."""
    plurals = (("v1", "configmaps"), ("v1", "secrets"), ("v1", "services"), (f"{RBAC}/v1", "roles"))
    lists = (stage.target.api.resource(*one).list(stage.namespace) for one in plurals)
    return {obj["metadata"]["name"] for found in lists for obj in found} - {"kube-root-ca.crt"}


def test_all_that_does_not_fail_arrives_within_one_interval(failing: Stage) -> None:
    """What does not is named in the words of who refuses it."""
    said = {
        "hangs": f'failed calling webhook "{HANGS}"',
        "one": "503",
        "two": "503",
        "refused": REFUSED,
        "throttled": THROTTLED,
        "unlisted": "took too long to answer",
    }

    def named() -> dict[str, str]:
        results = driven.status.get("sync", {}).get("results", [])
        return {one["object"].rpartition("/")[2].split()[-1]: one["message"] for one in results}

    driven, began = failing.driven, failing.clock.now
    metadata = {"name": "bundle", "namespace": failing.namespace}
    texts = {f"{number}.json": json.dumps(body) for number, body in enumerate(wanted())}
    failing.own.put({"kind": "ConfigMap", "metadata": metadata, "data": texts})
    bundle = {"kind": "ConfigMap", "name": "bundle", "as": "Manifests"}
    labelled = {"kind": "ConfigMap", "selector": {"matchLabels": LABEL}}
    driven.change(resourceSyncPolicy={"enabled": True, "sources": [bundle, labelled]})
    driven.settle(lambda: there(failing) == GOOD, "all that does not fail is there")
    assert failing.clock.now - began <= INTERVAL
    driven.settle(lambda: named().keys() == said.keys(), "all that fails is named")
    assert failing.clock.now - began <= INTERVAL
    assert {name: text for name, text in said.items() if text not in named()[name]} == {}
    assert driven.says("ResourcesSynced") == "False Failed"
    assert driven.says("Ready") == "True Healthy"


def say_twice(value: object) -> str:
    """Write JSON in which each object says first that each of its keys is another one's."""
    if isinstance(value, list):
        return f"[{', '.join(map(say_twice, value))}]"
    if not isinstance(value, dict):
        return json.dumps(value)
    lie = {str: '"a lie"', dict: '{"name": "a lie"}', list: '["a lie"]', bool: "false", int: "7"}
    pairs = (
        f"{json.dumps(key)}: {said}"
        for key, each in value.items()
        for said in (lie.get(type(each), "null"), say_twice(each))
    )
    return f"{{{', '.join(pairs)}}}"


def test_of_a_key_that_an_answer_has_twice_the_last_one_counts_everywhere(stage: Stage) -> None:
    """As in Go: otherwise one part of the operator could take an object for another's."""

    def rewrite(body: bytes) -> bytes:
        try:
            return say_twice(json.loads(body)).encode()
        except ValueError:
            return body

    stage.line.rewrite = rewrite
    stage.driven.change(deletionPolicy="Delete")
    stage.converge()
    assert set(stage.on_target()) == {"a", "b", "c"}
    system = stage.target.api.resource("v1", "namespaces").get("kube-system")
    assert stage.driven.status["clusterUID"] == system["metadata"]["uid"]
    assert stage.driven.says("Ready") == "True Healthy"
    assert "a lie" not in str(stage.driven.answers)
    writes = len(stage.line.writes)
    stage.clock.now += 600
    stage.converge()
    assert len(stage.line.writes) == writes
    assert stage.finalize()
    assert stage.on_target() == {}
