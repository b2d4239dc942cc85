"""The images' recipe: what is copied is enough to run, and what is installed is imported."""

import ast
import hashlib
import json
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from simulator.server import Simulator
from tests.controlplane.polling import until
from tests.controlplane.ports import free_port
from tests.controlplane.processes import Process
from tests.serving import LOOPBACK, PROJECT, Hooks, write_cloud_config
from tools import sbom
from tools.api_server import ApiServer, kubeconfig

LINES = (PROJECT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
#: What is built for people, by stage.
IMAGES = ("hooks", "simulator")
PINNED = r"docker\.io/library/python:\d+\.\d+\.\d+-slim-\w+"
INSTRUCTIONS = [line.split(maxsplit=1) for line in LINES if line and not line.startswith("#")]


def arguments(instruction: str) -> list[str]:
    return [rest for name, rest in INSTRUCTIONS if name == instruction]


@dataclass
class Stage:
    """A stage: what it begins with, and its instructions."""

    origin: str
    instructions: list[tuple[str, str]]


def stages() -> dict[str, Stage]:
    """Return each stage by its name, in the recipe's order."""
    found: dict[str, Stage] = {}
    for name, rest in INSTRUCTIONS:
        if name == "FROM":
            origin, _, stage = rest.split()
            found[stage] = Stage(origin, [])
        elif found:
            list(found.values())[-1].instructions.append((name, rest))
    return found


def copies(stage: str) -> list[tuple[str, str, str]]:
    """Return what a stage copies, also those before it: from which stage, what and where to."""
    one = stages()[stage]
    found = copies(one.origin) if one.origin in stages() else []
    for name, rest in one.instructions:
        if name == "COPY":
            *options, source, target = rest.split()
            found.append(("".join(options).removeprefix("--from="), source, target))
    return found


def copied_to_app(image: str) -> list[str]:
    """Name what an image holds of the project, by COPY's own words."""
    found: list[str] = []
    for stage, source, target in copies(image):
        if target.startswith("/app"):
            found += copied_to_app(stage) if stage else [source]
    return found


@pytest.fixture
def lay_out(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Lay out /app as an image has it: nothing else, and nothing of it can be written."""
    folder = tmp_path / "app"

    def laid_out(image: str) -> Path:
        folder.mkdir()
        for name in copied_to_app(image):
            source = PROJECT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, folder / name)
        for path in [folder, *folder.rglob("*")]:
            path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
        return folder

    yield laid_out
    for path in [folder, *folder.rglob("*")]:
        path.chmod(path.stat().st_mode | stat.S_IWUSR)


@pytest.fixture
def app(lay_out: Callable[[str], Path]) -> Path:
    """Lay out /app as the image of the hooks has it."""
    return lay_out("hooks")


def test_the_base_is_pinned_and_can_be_replaced() -> None:
    [base] = arguments("ARG")
    assert re.fullmatch(f"BASE={PINNED}(@sha256:[0-9a-f]{{64}})?", base)
    origins = {stage.origin for stage in stages().values()}
    assert origins - stages().keys() == {"${BASE}"}


def test_it_runs_as_a_user_by_number_and_any_other_command_if_asked() -> None:
    assert arguments("USER") == ["65532:65532"]
    assert arguments("ENTRYPOINT") == []
    commands = {image: dict(stages()[image].instructions)["CMD"] for image in IMAGES}
    assert commands == {"hooks": '["gunicorn"]', "simulator": '["python", "-m", "simulator"]'}
    assert {stages()[image].origin for image in IMAGES} == {"base"}  # where the user is


def test_the_image_of_the_hooks_is_the_default_and_holds_nothing_for_tests() -> None:
    assert list(stages())[-1] == "hooks"
    held = {"gunicorn.conf.py", "hooks", "metacontroller", "docs/guides/troubleshooting.md"}
    assert set(copied_to_app("hooks")) == held
    assert copied_to_app("simulator") == ["simulator"]


def test_libraries_are_installed_by_hash_of_the_lock_alone() -> None:
    commands = [rest for rest in arguments("RUN") if "pip install" in rest]
    commands += re.findall(r"^.*pip install.*$", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        assert "--require-hashes" in command
        [given] = re.findall(r"(?:-r|--requirement) (\S+)", command)
        assert given.endswith(".lock")


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
        environ = {"CLOUD_CONFIG": str(cloud_config), "PYTHONDONTWRITEBYTECODE": "1"}
        hooks = Hooks(tmp_path, {**environ, "HOOKS": "nodes,status"})
        hooks.process.command = [sys.executable, "-P", "-m", "gunicorn", "--chdir", str(app)]
        hooks.process.command += ["--config", str(app / "gunicorn.conf.py")]
        with hooks:
            assert hooks.get("/readyz").code == 200
            assert hooks.scrape().code == 200
            assert b"NoRunningMembers" in hooks.get("/troubleshooting").body
            open_files = Path(f"/proc/{hooks.process.pid}/fd")
            heartbeat = [str(entry.readlink()) for entry in open_files.iterdir()]
            assert any(name.startswith("/dev/shm/") for name in heartbeat)  # noqa: S108


def test_what_is_copied_is_enough_to_simulate(
    lay_out: Callable[[str], Path], tmp_path: Path
) -> None:
    app = lay_out("simulator")
    command = [sys.executable, "-m", "simulator", "--port", str(free_port())]
    code = f"import os, sys; os.chdir({str(app)!r}); os.execv({sys.executable!r}, {command!r})"
    process = Process("simulator", [sys.executable, "-c", code], tmp_path / "simulator.log")
    process.start()
    try:
        until(lambda: f"http://{LOOPBACK}" in process.tail(), "the simulator answers")
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
    brought |= {"jinja2": "flask", "markupsafe": "flask", "werkzeug": "flask"}
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
    make_engine(tmp_path / "engine", 'echo "docker $*"')
    done = make(tmp_path, PROJECT, path, "image", "IMAGE=x:1", "BASE=mirror/python:3")
    assert message in done.stdout + done.stderr
    assert (done.returncode == 0) == bool(path)
    if path:
        built = "build --build-arg BASE=mirror/python:3 --target hooks --tag x:1 ."
        assert built in done.stdout
        done = make(tmp_path, PROJECT, path, "image", "IMAGE=x:1", "TARGET=simulator")
        assert "build --target simulator --tag x:1 ." in done.stdout


def make_engine(folder: Path, command: str) -> None:
    """Put a container engine into a folder, which answers, and does a command for the rest."""
    folder.mkdir(exist_ok=True)
    engine = folder / "docker"
    engine.write_text(f'#!/bin/sh\n[ "$1" = info ] || {command}\n')
    engine.chmod(0o755)


def make(tmp_path: Path, project: Path, path: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run make where there are a few tools, and the engine of a folder if it is named."""
    tools = tmp_path / "tools"
    tools.mkdir(exist_ok=True)
    for tool in ("sh", "bash", "make", "sed", "rm"):
        found = shutil.which(tool)
        if found and not (tools / tool).exists():
            (tools / tool).symlink_to(found)
    return subprocess.run(
        ["make", *words],
        cwd=project,
        env={"PATH": f"{tools}:{tmp_path / path if path else tmp_path / 'none'}"},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("known", "pinned"),
    [
        pytest.param(f"python@sha256:{'a' * 64}", True, id="a digest"),
        pytest.param("<no value>", False, id="none"),
    ],
)
def test_make_pin_base_writes_the_digest_that_the_engine_knows(
    tmp_path: Path, known: str, pinned: bool
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    for name in ("Makefile", "Dockerfile"):
        shutil.copy(PROJECT / name, project)
    before = (project / "Dockerfile").read_text()
    tag = re.findall(rf"^ARG BASE=({PINNED})", before, re.MULTILINE)[0]
    make_engine(tmp_path / "engine", f"case \"$*\" in *inspect*{tag}) echo '{known}';; esac")
    if pinned:  # before, to another one
        (project / "Dockerfile").write_text(before.replace(tag, f"{tag}@sha256:{'b' * 64}"))
    done = make(tmp_path, project, "engine", "pin-base")
    assert (done.returncode == 0) == pinned, done.stderr
    after = (project / "Dockerfile").read_text()
    if pinned:
        assert f"\nARG BASE={tag}@sha256:{'a' * 64}\n" in after
    else:
        assert f"docker knows no digest of {tag}" in done.stderr
        assert after == before
    assert sorted(file.name for file in project.iterdir()) == ["Dockerfile", "Makefile"]


def test_make_sbom_lists_what_the_image_holds(app: Path, tmp_path: Path) -> None:
    file = tmp_path / "sbom.json"
    assert sbom.main([str(file)]) == 0
    found = json.loads(file.read_text())
    parts = found["components"]
    held = {str(each.relative_to(app)): each for each in app.rglob("*") if each.is_file()}
    hashes = {one["name"]: one["hashes"] for one in parts if one["type"] == "file"}
    assert hashes == {
        name: [{"alg": "SHA-256", "content": hashlib.sha256(each.read_bytes()).hexdigest()}]
        for name, each in held.items()
    }
    lock = (PROJECT / "requirements.lock").read_text()
    libraries = {f"{one['name']}=={one['version']}" for one in parts if one["type"] == "library"}
    locked = re.findall(r"^[\w.-]+==[^\s;]+", lock, re.MULTILINE)
    assert {spelt(one) for one in libraries} == {spelt(one) for one in locked}
    assert all(one["licenses"] for one in parts if one["type"] == "library")
    [base] = [one for one in parts if one["type"] == "container"]
    assert f"BASE={base['name']}:{base['version']}" in arguments("ARG")


def test_the_sbom_follows_what_needs_what() -> None:
    found = sbom.sbom()
    references = [one["bom-ref"] for one in found["components"]]
    assert len(references) == len(set(references))
    needs = {each["ref"]: each["dependsOn"] for each in found["dependencies"]}
    for others in needs.values():
        assert set(others) <= set(references)
        assert len(others) == len(set(others))
    names = {
        reference.partition("@")[0]: {other.partition("@")[0] for other in others}
        for reference, others in needs.items()
    }
    assert "pkg:pypi/werkzeug" in names["pkg:pypi/flask"]
    assert "pkg:pypi/pytest" not in names
    # A lock that lacks a library would leave the image without it.
    locked = set(sbom.locked())
    for name in locked:
        assert required_by(name) <= locked, name


def required_by(name: str) -> set[str]:
    """Return what a library needs on this Python, by canonical names."""
    wanted = map(Requirement, distribution(name).requires or [])
    return {
        canonicalize_name(each.name)
        for each in wanted
        if not each.marker or each.marker.evaluate({"extra": ""})
    }


def test_the_sbom_is_of_the_locked_versions_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sbom.main([]) == 2
    other = tmp_path / "requirements.lock"
    other.write_text("flask==0.1 \\\n    --hash=sha256:0\n")
    with pytest.raises(sbom.SbomError, match=r"Flask|flask .* is installed, not 0\.1; run"):
        sbom.locked(other)
    other.write_text("nobody-has-this==1.0\n")
    with pytest.raises(sbom.SbomError, match="nobody-has-this is not installed"):
        sbom.locked(other)
    assert "name one file" in capsys.readouterr().err


def spelt(pin: str) -> str:
    """Normalise a pin's name as package registries do."""
    name, _, version = pin.partition("==")
    return f"{canonicalize_name(name)}=={version}"
