"""The image's recipe: what it copies is enough to run, and what it installs is what is imported."""

import ast
import json
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from simulator.server import Simulator
from tests.controlplane.polling import until
from tests.controlplane.ports import free_port
from tests.controlplane.processes import Process
from tests.serving import LOOPBACK, PROJECT, Hooks, write_cloud_config
from tools.api_server import ApiServer, kubeconfig

LINES = (PROJECT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
INSTRUCTIONS = [line.split(maxsplit=1) for line in LINES if line and not line.startswith("#")]


def arguments(instruction: str) -> list[str]:
    return [rest for name, rest in INSTRUCTIONS if name == instruction]


def copied_to_app() -> list[str]:
    """Name what the image holds of the project, by COPY's own words."""
    pairs = (argument.split() for argument in arguments("COPY") if "--from" not in argument)
    return [source for source, target in (pair[-2:] for pair in pairs) if "/app" in target]


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Path]:
    """Lay out /app as the image has it: nothing else, and nothing of it can be written."""
    folder = tmp_path / "app"
    folder.mkdir()
    for name in copied_to_app():
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder)
    paths = [folder, *folder.rglob("*")]
    for path in paths:
        path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    yield folder
    for path in paths:
        path.chmod(path.stat().st_mode | stat.S_IWUSR)


def test_the_base_is_pinned_and_can_be_replaced() -> None:
    [base] = arguments("ARG")
    assert re.fullmatch(r"BASE=docker\.io/library/python:\d+\.\d+\.\d+-slim-\w+", base)
    assert [image.split()[0] for image in arguments("FROM")] == ["${BASE}", "${BASE}"]


def test_it_runs_gunicorn_as_a_user_by_number_and_any_other_command_if_asked() -> None:
    assert arguments("USER") == ["65532:65532"]
    assert arguments("CMD") == ['["gunicorn"]']
    assert arguments("ENTRYPOINT") == []


def test_everything_that_is_copied_is_there_and_sent_to_the_build() -> None:
    ignored = (PROJECT / ".dockerignore").read_text().splitlines()
    sources = [
        source
        for argument in arguments("COPY")
        if "--from" not in argument
        for source in argument.split()[:-1]
    ]
    assert sources
    for source in sources:
        assert (PROJECT / source).exists()
        assert f"!{source}" in ignored


def test_what_is_copied_is_enough_to_serve(app: Path, tmp_path: Path) -> None:
    with Simulator() as simulator:
        cloud_config = write_cloud_config(tmp_path / "cloud-config", simulator)
        hooks = Hooks(tmp_path, {"CLOUD_CONFIG": str(cloud_config), "PYTHONDONTWRITEBYTECODE": "1"})
        hooks.process.command = [sys.executable, "-P", "-m", "gunicorn", "--chdir", str(app)]
        hooks.process.command += ["--config", str(app / "gunicorn.conf.py")]
        with hooks:
            assert hooks.get("/readyz").code == 200
            assert hooks.scrape().code == 200
            open_files = Path(f"/proc/{hooks.process.pid}/fd")
            heartbeat = [str(entry.readlink()) for entry in open_files.iterdir()]
            assert any(name.startswith("/dev/shm/") for name in heartbeat)  # noqa: S108


def test_what_is_copied_is_enough_to_simulate(app: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "simulator", "--port", str(free_port())]
    code = f"import os, sys; os.chdir({str(app)!r}); os.execv({sys.executable!r}, {command!r})"
    process = Process("simulator", [sys.executable, "-c", code], tmp_path / "simulator.log")
    process.start()
    try:
        until(lambda: f"http://{LOOPBACK}" in process.tail(), "the simulator answers", within=30)
        process.check()
    finally:
        process.stop()


def test_what_is_copied_is_enough_to_register_the_controllers(app: Path, tmp_path: Path) -> None:
    kubeconfig_file = tmp_path / "kubeconfig"
    with Simulator() as simulator, ApiServer() as api_server:
        kubeconfig_file.write_text(json.dumps(kubeconfig(api_server.url)))
        cloud_config = write_cloud_config(tmp_path / "cloud-config", simulator)
        code = "import sys; from hooks.registration import main; sys.exit(main())"
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=app,
            env={
                "CLOUD_CONFIG": str(cloud_config),
                "KUBECONFIG_FILE": str(kubeconfig_file),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 0, done.stderr
    written = [path.rpartition("/")[2] for path in sorted(api_server.store.objects)]
    assert written == ["cloudstack-loadbalancers", "cloudstack-nodes", "cloudstack-services"]


def test_what_is_imported_is_installed_in_the_image() -> None:
    pinned = {
        line.partition("==")[0].lower().replace("_", "-")
        for line in (PROJECT / "requirements.txt").read_text().splitlines()
        if "==" in line
    }
    brought = {"prometheus-client": "prometheus-flask-exporter", "urllib3": "requests"}
    brought |= {"werkzeug": "flask"}
    distributions = packages_distributions()
    for name in third_party_imports():
        [distribution] = {each.lower().replace("_", "-") for each in distributions[name]}
        assert brought.get(distribution, distribution) in pinned, name


def third_party_imports() -> set[str]:
    """Name the packages that hooks and simulator import, ours and Python's left out."""
    files = [*PROJECT.glob("hooks/**/*.py"), *PROJECT.glob("simulator/**/*.py")]
    names = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module)
    tops = {name.partition(".")[0] for name in names}
    return tops - sys.stdlib_module_names - {"hooks", "simulator", "_typeshed"}


@pytest.mark.parametrize(
    ("path", "message"),
    [("", "no container engine answers here"), ("engine", "docker build")],
    ids=["no engine", "an engine"],
)
def test_make_image_builds_or_names_what_is_missing(
    tmp_path: Path, path: str, message: str
) -> None:
    engine = tmp_path / "engine" / "docker"
    engine.parent.mkdir()
    engine.write_text('#!/bin/sh\n[ "$1" = info ] || echo "docker $*"\n')
    engine.chmod(0o755)
    (tmp_path / "tools").mkdir()
    for tool in ("sh", "bash", "make"):
        found = shutil.which(tool)
        if found:
            (tmp_path / "tools" / tool).symlink_to(found)
    done = subprocess.run(
        ["make", "image", "IMAGE=x:1", "BASE=mirror/python:3"],
        cwd=PROJECT,
        env={"PATH": f"{tmp_path / 'tools'}:{tmp_path / path if path else tmp_path / 'none'}"},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert message in done.stdout + done.stderr
    assert (done.returncode == 0) == bool(path)
    if path:
        assert "build --build-arg BASE=mirror/python:3 --tag x:1 ." in done.stdout
