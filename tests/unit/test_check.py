"""What `helm test` finds: pods that are not ready, and what the status page says is wrong."""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from hooks.check import NOT_WORKING, report, troubles
from hooks.kube.client import KubeUnreachable
from hooks.settings.config import Config
from hooks.status.model import Severity, Trouble
from hooks.wsgi import BAD_SETTINGS
from tests.memory_kube import MemoryKube
from tests.status_stage import NOW, TROUBLES, Json, well

PROJECT = Path(__file__).resolve().parents[2]
CONFIG = Config(hooks=("status",))


def deployment(name: str, *, wanted: int = 1, ready: int | None = 1, part_of: str = "") -> Json:
    labels = {"app.kubernetes.io/part-of": part_of or "cloudstack-metacontroller"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "kube-system", "labels": labels},
        "spec": {"replicas": wanted},
        "status": {} if ready is None else {"readyReplicas": ready, "updatedReplicas": ready},
    }


CLOUD = deployment("cloudstack-cloud-controller")


def found(objects: Iterable[Json]) -> list[Trouble]:
    kube = MemoryKube()
    for obj in objects:
        kube.store.put(obj)
    return troubles(kube, CONFIG, lambda: NOW)


def test_of_a_cluster_in_which_all_is_well_nothing_is_told() -> None:
    assert found([*well(), CLOUD]) == []
    assert report([]) == 0


@pytest.mark.parametrize(
    ("deployments", "said"),
    [
        pytest.param([], "no Deployment of ours is installed", id="nothing is installed"),
        pytest.param(
            [deployment("other", ready=None, part_of="other")],
            "no Deployment of ours is installed",
            id="somebody else's",
        ),
        pytest.param([deployment("a", ready=None)], "0 of 1 pods are ready", id="none ready"),
        pytest.param([CLOUD, deployment("b", wanted=2)], "1 of 2 pods are ready", id="one of two"),
    ],
)
def test_pods_that_are_not_ready_fail(deployments: list[Json], said: str) -> None:
    [trouble] = found([*well(), *deployments])
    assert (trouble.kind, trouble.message) == ("Deployment", said)
    assert report([trouble]) == NOT_WORKING


def test_a_deployment_that_is_stopped_is_told_and_does_not_fail() -> None:
    [trouble] = found([*well(), deployment("a", wanted=0, ready=None)])
    assert (trouble.severity, trouble.reason) == (Severity.WAITS, "Stopped")
    assert report([trouble]) == 0


@pytest.mark.parametrize(
    ("status", "said"),
    [
        pytest.param(
            {"replicas": 2, "updatedReplicas": 1, "readyReplicas": 1, "unavailableReplicas": 1},
            "1 of 1 pods are of its new version (ProgressDeadlineExceeded)",
            id="the new pod does not start, and the old one stays",
        ),
        pytest.param(
            {"readyReplicas": 1, "updatedReplicas": 0},
            "0 of 1 pods are of its new version (ProgressDeadlineExceeded)",
            id="none is new",
        ),
        pytest.param(
            {"observedGeneration": 1, "readyReplicas": 1, "updatedReplicas": 1},
            "its new version is not rolled out yet",
            id="the controller has not seen it",
        ),
    ],
)
def test_a_rollout_that_has_not_ended_fails(status: Json, said: str) -> None:
    stuck = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    rolled = deployment("a")
    rolled["metadata"]["generation"] = 2
    rolled["status"] = {"observedGeneration": 2, "conditions": [stuck], **status}
    [trouble] = found([*well(), rolled])
    assert (trouble.reason, trouble.message) == ("PodsNotReady", said)
    assert report([trouble]) == NOT_WORKING


@pytest.mark.parametrize("name", TROUBLES)
def test_what_the_page_says_is_wrong_is_told_and_fails_if_it_does_not_work(name: str) -> None:
    staged = TROUBLES[name]()
    names = {obj["metadata"]["name"] for obj in staged.objects}
    others = [obj for obj in well() if obj["metadata"]["name"] not in names]
    [trouble] = found([*others, *staged.objects, CLOUD])
    assert report([trouble]) == (NOT_WORKING if trouble.severity is Severity.FAILS else 0)


def test_an_api_server_that_does_not_answer_fails() -> None:
    kube = MemoryKube(failure=KubeUnreachable("no route"))
    told = troubles(kube, CONFIG, lambda: NOW)
    assert {trouble.reason for trouble in told} == {"ListFailed"}
    assert report(told) == NOT_WORKING


def test_settings_that_cannot_work_are_named() -> None:
    command = [sys.executable, "-m", "hooks.check"]
    environ = {"HOOKS": "status", "BIND": "x"}
    ended = subprocess.run(
        command, check=False, env=environ, cwd=PROJECT, capture_output=True, text=True
    )
    lines: list[dict[str, Any]] = [json.loads(line) for line in ended.stderr.splitlines()]
    assert ended.returncode == BAD_SETTINGS
    assert any(line.get("problem", "").startswith("BIND: ") for line in lines)
