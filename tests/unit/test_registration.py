"""The controllers that a pod registers: whose, aimed where, and what goes wrong."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.client import Configuration

from hooks.http.deadline import Deadline
from hooks.kube.client import ApiServer, KubeRefused, NotFound
from hooks.registration import controllers, register
from hooks.settings.config import Config
from hooks.settings.parsing import address
from hooks.wsgi import BAD_SETTINGS
from tests.unit.api_server import Answer, Call, Server, serving
from tools.api_server import kubeconfig

PROJECT = Path(__file__).resolve().parents[2]
BIND = "127.0.0.1:10280"


def config(*hooks: str) -> Config:
    return Config(hooks=hooks, bind=address(BIND), operator_name="cloud")


@contextmanager
def api_server(answer: Callable[[Call], Answer]) -> Iterator[tuple[Server, ApiServer]]:
    with serving(answer) as server:
        configuration = Configuration()
        configuration.host = server.url
        kube = ApiServer.of(configuration)
        yield server, kube
        kube.close()


def urls(controller: dict[str, Any]) -> list[str]:
    return [hook["webhook"]["url"] for hook in controller["spec"]["hooks"].values()]


@pytest.mark.parametrize(
    ("hooks", "names"),
    [
        pytest.param(
            ("nodes", "services", "loadbalancers"),
            ["cloudstack-loadbalancers", "cloudstack-nodes", "cloudstack-services"],
            id="the cloud controller's",
        ),
        pytest.param(("nodes",), ["cloudstack-nodes"], id="one hook's"),
        pytest.param(("targetclusters",), ["targetclusters"], id="the other operator's"),
        pytest.param(("unheard-of",), [], id="no hook's"),
    ],
)
def test_the_controllers_are_those_of_the_hooks_that_are_served(
    hooks: tuple[str, ...], names: list[str]
) -> None:
    assert [one["metadata"]["name"] for one in controllers(config(*hooks))] == names


def test_they_call_where_the_hooks_listen_and_say_whose_they_are() -> None:
    found = list(controllers(config("nodes", "services", "loadbalancers", "targetclusters")))
    files = (PROJECT / "metacontroller").glob("*s.yaml")
    as_written = {one["metadata"]["name"]: one for one in map(read, files)}
    assert found
    for controller in found:
        written = as_written[controller["metadata"]["name"]]
        paths = [url.partition("8080")[2] for url in urls(written)]
        assert urls(controller) == [f"http://{BIND}{path}" for path in paths]
        assert controller["metadata"]["labels"] == {
            **written["metadata"]["labels"],
            "app.kubernetes.io/name": "cloud",
        }
        assert {**controller["spec"], "hooks": None} == {**written["spec"], "hooks": None}


def read(file: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(file.read_text()))


def test_a_controller_is_applied_by_its_name_once_its_kind_is_served() -> None:
    answers = iter(
        [
            (404, {"kind": "Status", "message": "no such path"}),
            (503, {"message": "starting"}),
            (200, {}),
        ]
    )
    [controller] = controllers(config("nodes"))
    waits: list[float] = []
    with api_server(lambda _: next(answers)) as (server, kube):
        register(kube, controller, owner="cloud", deadline=Deadline(60), pause=waits.append)
    assert len(waits) == 2
    call = server.calls[-1]
    path, _, query = call.path.partition("?")
    assert path == "/apis/metacontroller.k8s.io/v1alpha1/decoratorcontrollers/cloudstack-nodes"
    assert sorted(query.split("&")) == ["fieldManager=cloud", "force=true"]
    assert (call.method, call.headers["Content-Type"]) == ("PATCH", "application/apply-patch+yaml")
    assert call.body == controller


def test_a_refusal_is_not_waited_for() -> None:
    [controller] = controllers(config("nodes"))
    with (
        api_server(lambda _: (403, {"message": "may not patch"})) as (server, kube),
        pytest.raises(KubeRefused, match="may not patch"),
    ):
        register(kube, controller, owner="cloud", deadline=Deadline(60))
    assert len(server.calls) == 1


def test_a_kind_that_never_comes_is_told_when_time_is_up() -> None:
    now = [0.0]

    def wait(seconds: float) -> None:
        now[0] += seconds

    [controller] = controllers(config("nodes"))
    deadline = Deadline(5, clock=lambda: now[0])
    with (
        api_server(lambda _: (404, {"kind": "Status", "message": "no such path"})) as (_, kube),
        pytest.raises(NotFound, match="no such path"),
    ):
        register(kube, controller, owner="cloud", deadline=deadline, pause=wait)
    assert 4 <= now[0] <= 5


def refused_settings(environ: dict[str, str]) -> list[Any]:
    """Run the init container with settings that cannot work; return its lines in the log."""
    command = [sys.executable, "-m", "hooks.registration"]
    ended = subprocess.run(
        command, check=False, env=environ, cwd=PROJECT, capture_output=True, text=True
    )
    assert ended.returncode == BAD_SETTINGS
    return [json.loads(line) for line in ended.stderr.splitlines()]


def test_settings_that_cannot_work_are_named_in_the_form_of_every_other_line(
    tmp_path: Path,
) -> None:
    file = tmp_path / "cloud-config"
    file.write_text(
        "[Global]\napi-url = http://127.0.0.1:9\napi-key = k\nsecret-key = s\nregoin = x\n"
    )
    warned, *refused = refused_settings({"CLOUD_CONFIG": str(file), "BIND": "x", "HOOKS": "nodes"})
    assert "regoin" in warned["message"]
    assert {line["message"] for line in refused} == {"setting refused"}
    assert any(line["problem"].startswith("BIND: ") for line in refused)


@pytest.mark.parametrize(
    ("bind", "said"),
    [
        pytest.param("0.0.0.0:8080", "BIND: '0.0.0.0:8080' is not 127.0.0.1", id="by others"),
        pytest.param("127.0.0.1:8080", "HOOKS_TOKEN_FILE: ", id="with a token"),
    ],
)
def test_hooks_that_the_pods_own_metacontroller_cannot_call_are_not_registered(
    tmp_path: Path, bind: str, said: str
) -> None:
    (tmp_path / "token").write_text("a-token-that-is-long-enough-for-anybody\n")
    token = str(tmp_path / "token")
    (tmp_path / "kubeconfig").write_text(json.dumps(kubeconfig("http://127.0.0.1:9")))
    environ = {"HOOKS": "services", "BIND": bind, "HOOKS_TOKEN_FILE": token}
    environ["KUBECONFIG_FILE"] = str(tmp_path / "kubeconfig")
    [line] = refused_settings(environ)
    assert said in line["problem"]
