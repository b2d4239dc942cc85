"""The image of the hooks, built by the recipe's own lines, serves as its user on a read-only root.

The root is a folder in a mount namespace. System folders and Python come from this machine, as the
recipe's base would bring them; `/app` and `/opt/venv` come from the recipe alone.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from simulator.server import Simulator
from tests.controlplane.polling import until
from tests.serving import PROJECT, Hooks, write_cloud_config
from tests.test_image import arguments, copies, stages

#: What a base image has besides Python. /dev and /proc come from the container runtime.
SYSTEM = ("/usr", "/bin", "/lib", "/lib64", "/etc")
#: Of the runtime, and writable as in a container: gunicorn's heartbeat is in /dev/shm.
RUNTIME = ("/dev", "/proc")
#: Where Kubernetes mounts a Secret; of the test.
CONFIG = "/config"
#: Seconds for one line of the recipe, which downloads and may wait for others on this machine.
BUILD_SECONDS = 800
#: What pip says where it reaches no index.
UNREACHABLE = ("NewConnectionError", "Temporary failure in name resolution", "ProxyError")
USER = arguments("USER")[0].partition(":")[0]
AS_USER = (
    *("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs"),
    *("--inh-caps=-all", "--bounding-set=-all"),
)

pytestmark = pytest.mark.timeout(900)


@dataclass(frozen=True)
class Root:
    """A root folder, and what of this machine is mounted into it."""

    folder: Path
    brought: tuple[str, ...]

    def command(self, inside: list[str], workdir: str, *, read_only: bool) -> list[str]:
        """Return the command that runs another one on this root, with the same process id."""
        root = shlex.quote(str(self.folder))
        lines = ["set -e", f"mount --bind {root} {root}"]
        for path in self.brought:
            target = shlex.quote(f"{self.folder}{path}")
            lines.append(f"mount --rbind {shlex.quote(path)} {target}")
            if path not in RUNTIME:
                lines.append(f"mount -o remount,bind,ro {target}")
        if read_only:
            lines.append(f"mount -o remount,bind,ro {root}")
        lines.append(f'exec chroot {root} sh -c \'cd "$0" && exec "$@"\' "$0" "$@"')
        return ["unshare", "--mount", "sh", "-c", "\n".join(lines), workdir, *inside]


def why_not() -> str:
    """Return why this machine can't mount a root of its own, or nothing."""
    missing = [name for name in ("unshare", "setpriv", "chroot") if not shutil.which(name)]
    if missing:
        return f"{', '.join(missing)} is not here"
    if os.geteuid() != 0:
        return "only root may mount and become another user"
    probe = ["unshare", "--mount", "mount", "--bind", "/usr", "/usr"]
    done = subprocess.run(probe, check=False, capture_output=True, text=True, timeout=60)
    return done.stderr.strip()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Root:
    """Build the stage `build` into a root."""
    if reason := why_not():
        pytest.skip(f"no root of its own: {reason}")
    folder = tmp_path_factory.mktemp("image")
    folder.chmod(0o755)
    wheels = os.environ.get("PIP_FIND_LINKS", "")
    paths = [*SYSTEM, *RUNTIME, sys.base_prefix, wheels if wheels.startswith("/") else ""]
    brought = tuple(path for path in dict.fromkeys(paths) if path and Path(path).is_dir())
    for path in (*brought, "/base", CONFIG):
        Path(f"{folder}{path}").mkdir(parents=True, exist_ok=True)
    # The base's `python`.
    (folder / "base" / "python").symlink_to(Path(sys.base_prefix) / "bin" / python_name())
    made = Root(folder, brought)
    build(made)
    return made


def python_name() -> str:
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


def build(root: Root) -> None:
    """Do what the stage `build` says, line by line."""
    workdir = "/"
    (root.folder / "tmp").mkdir(exist_ok=True)
    for name, rest in stages()["build"].instructions:
        if name == "WORKDIR":
            workdir = rest
            Path(f"{root.folder}{workdir}").mkdir(parents=True)
        elif name == "COPY":
            *sources, target = rest.split()
            for source in sources:
                copy(PROJECT / source, root.folder, workdir, target)
        elif name == "RUN":
            execute(root, rest, workdir)
    shutil.rmtree(root.folder / "tmp")


def copy(source: Path, root: Path, workdir: str, target: str) -> None:
    """Copy as COPY does: a folder's contents, or a file into a folder."""
    place = root / Path(workdir, target).relative_to("/")
    if source.is_dir():
        shutil.copytree(source, place, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, place)


def execute(root: Root, line: str, workdir: str) -> None:
    """Run a line; skip where pip reaches no index, fail where the line fails otherwise."""
    kept = {name: value for name, value in os.environ.items() if is_of_network(name)}
    done = subprocess.run(
        root.command(["sh", "-c", line], workdir, read_only=False),
        env={"PATH": "/base:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/tmp", **kept},  # noqa: S108
        check=False,
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
    )
    said = done.stdout + done.stderr
    if done.returncode and any(word in said for word in UNREACHABLE):
        pytest.skip(f"pip reaches no index: {said[-500:]}")
    assert done.returncode == 0, f"{line}\n{said}"


def is_of_network(name: str) -> bool:
    """Return whether a variable says how this machine reaches an index of packages."""
    return name.startswith("PIP_") or name.lower().endswith("_proxy") or name == "SSL_CERT_FILE"


def test_the_final_image_holds_what_is_built_here() -> None:
    brought = {(source, target) for stage, source, target in copies("hooks") if stage == "build"}
    assert brought == {("/opt/venv", "/opt/venv"), ("/app", "/app")}


def test_the_root_is_read_only_for_the_user_and_holds_no_pip(root: Root) -> None:
    paths = ["/", "/app", "/app/hooks", "/opt/venv", CONFIG, "/usr", "/etc"]
    code = (
        "import json, os, sys, importlib.util as u;"
        f"ro = [bool(os.statvfs(p).f_flag & os.ST_RDONLY) for p in {paths!r}];"
        "caps = [l.split()[1] for l in open('/proc/self/status') if l.startswith('CapEff')];"
        "print(json.dumps([os.getuid(), os.getgid(), os.getgroups(), ro, caps,"
        " sys.prefix, bool(u.find_spec('pip')), bool(u.find_spec('pytest'))]))"
    )
    command = root.command([*AS_USER, "/opt/venv/bin/python", "-c", code], "/app", read_only=True)
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    user = int(USER)
    read_only, nothing = [True] * len(paths), ["0" * 16]
    assert json.loads(done.stdout) == [
        *(user, user, [], read_only, nothing),
        *("/opt/venv", False, False),
    ]


def test_it_serves_health_and_a_sync_call(root: Root, tmp_path: Path) -> None:
    config = root.folder / CONFIG.strip("/")
    with Simulator() as simulator:
        write_cloud_config(config / "cloud-config", simulator)
        hooks = Hooks(tmp_path, {"CLOUD_CONFIG": f"{CONFIG}/cloud-config"})
        shutil.copy(tmp_path / "hooks.kubeconfig", config / "kubeconfig")
        for file in config.iterdir():
            file.chmod(0o644)
        # The command and the PATH of the image, and no other variable than the hooks' settings.
        inside = ["env", "-i", "PATH=/opt/venv/bin:/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE=1"]
        settings = {**hooks.environ, "KUBECONFIG_FILE": f"{CONFIG}/kubeconfig"}
        inside += [f"{name}={value}" for name, value in settings.items()]
        inside += [*AS_USER, *json.loads(dict(stages()["hooks"].instructions)["CMD"])]
        hooks.process.command = root.command(inside, "/app", read_only=True)
        with hooks:
            status = Path(f"/proc/{hooks.process.pid}/status").read_text()
            assert f"Uid:\t{USER}\t{USER}\t{USER}\t{USER}" in status
            assert hooks.get("/healthz").code == 200
            body = json.loads((PROJECT / "examples" / "01-node" / "request.json").read_text())
            answers = until(lambda: synced(hooks, body), "the node's sync is answered")
            [instance] = answers["attachments"]
            assert instance["kind"] == "CloudStackInstance"


def synced(hooks: Hooks, body: object) -> dict[str, list[dict[str, object]]] | None:
    """Post a sync call; return the answer, or None while the process is busy."""
    reply = hooks.post("/nodes/sync", body)
    if reply.code == 429:
        return None
    assert reply.code == 200, reply.body
    answer: dict[str, list[dict[str, object]]] = reply.json
    return answer
