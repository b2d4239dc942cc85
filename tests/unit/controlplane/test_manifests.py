from pathlib import Path

import pytest

from tests.controlplane import manifests, metacontroller
from tests.controlplane.api import Object
from tests.controlplane.manifests import Hooks

MANIFEST = """
apiVersion: metacontroller.k8s.io/v1alpha1
kind: DecoratorController
metadata: {name: nodes}
spec: {}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: other}
"""


def controller(webhook: Object) -> Object:
    return {"kind": "DecoratorController", "spec": {"hooks": {"sync": {"webhook": webhook}}}}


@pytest.mark.parametrize(
    "webhook",
    [
        pytest.param({"url": "http://hooks.ns.svc:8080/nodes/sync"}, id="a URL"),
        pytest.param(
            {"service": {"name": "hooks", "namespace": "ns"}, "path": "/nodes/sync"}, id="a Service"
        ),
    ],
)
def test_hooks_are_called_elsewhere_by_the_same_path(webhook: Object) -> None:
    written = controller({**webhook, "timeout": "15s"})
    aimed = manifests.aimed(written, Hooks("http://127.0.0.1:9"))
    assert aimed["spec"]["hooks"]["sync"]["webhook"] == {
        "url": "http://127.0.0.1:9/nodes/sync",
        "timeout": "15s",
    }
    assert written == controller({**webhook, "timeout": "15s"})


def test_a_token_is_referred_to_and_not_written_down() -> None:
    aimed = manifests.aimed(controller({"url": "http://x/y"}), Hooks("http://127.0.0.1:9", "open"))
    webhook = aimed["spec"]["hooks"]["sync"]["webhook"]
    assert webhook["authorization"] == {"secretRef": manifests.TOKEN_SECRET}
    assert "open" not in str(aimed)


def test_controllers_are_found_among_other_objects(tmp_path: Path) -> None:
    (tmp_path / "nodes.yaml").write_text(MANIFEST)
    (tmp_path / "kustomization.yaml").write_text("resources: [nodes.yaml]")
    for source in (tmp_path, tmp_path / "nodes.yaml"):
        assert [found["metadata"]["name"] for found in manifests.load(source)] == ["nodes"]


def test_the_real_one_is_taken_from_the_path(tmp_path: Path) -> None:
    binary = _program(tmp_path / "metacontroller")
    assert metacontroller.real({"PATH": str(tmp_path)}) == binary
    assert str(binary) in metacontroller.described({"PATH": str(tmp_path)})


def test_metacontroller_bin_wins_and_empty_means_the_stand_in(tmp_path: Path) -> None:
    _program(tmp_path / "metacontroller")
    other = _program(tmp_path / "other")
    path = str(tmp_path)
    assert metacontroller.real({"PATH": path, "METACONTROLLER_BIN": str(other)}) == other
    assert metacontroller.real({"PATH": path, "METACONTROLLER_BIN": ""}) is None
    assert "stand-in" in metacontroller.described({"PATH": path, "METACONTROLLER_BIN": ""})


def test_without_either_it_is_the_stand_in(tmp_path: Path) -> None:
    assert metacontroller.real({"PATH": str(tmp_path)}) is None


def test_a_metacontroller_bin_that_is_no_program_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="METACONTROLLER_BIN: /no/such is not a program"):
        metacontroller.real({"METACONTROLLER_BIN": "/no/such"})


def _program(path: Path) -> Path:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path
