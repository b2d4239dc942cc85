"""Runs a rendered pod's containers as processes on this machine, as kubelet would run them.

What is otherwise, since there is no kubelet and no container:

- Ports are moved to free ones, in the manifests themselves (`moved`): tests share a machine.
- A mounted volume is a folder of its own; its path is put in the place of `mountPath` wherever the
  pod names that.
- The API server's address and the service account's token come in a kubeconfig: their usual place
  in a pod is outside of what a test may write.
- There is no read-only root and no limit; `tests/test_image_runs.py` holds that the image needs no
  more.
"""

import base64
import re
import ssl
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.controlplane import Cluster, metacontroller, polling
from tests.controlplane.api import ApiError, Object
from tests.controlplane.kubeconfig import write_private
from tests.controlplane.ports import free_port
from tests.controlplane.processes import Process
from tests.deploy.rendering import PROJECT, Rendered, container, environment, read
from tests.targets.objects import LOOPBACK

#: Takes any certificate. Made once: those that are trusted by default take long to read.
_ANYBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_ANYBODY.check_hostname = False
_ANYBODY.verify_mode = ssl.CERT_NONE
#: What the image's own environment is, as far as it counts.
IMAGE = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}

#: Target clusters of the tests are on the pods' machine.
ON_ONE_MACHINE = {"TARGET_CLUSTER_ALLOWED_NETWORKS": LOOPBACK}


@dataclass(frozen=True)
class Moved:
    """Manifests whose container ports are free ones of this machine."""

    text: str
    ports: Mapping[int, int]

    @property
    def rendered(self) -> Rendered:
        """Return the objects."""
        return read(self.text)


def moved(text: str, ports: Mapping[int, int] | None = None) -> Moved:
    """Give every port of a Deployment's containers, wherever it is named, a free number.

    With the ports of other manifests, give those.
    """
    ports = ports or {
        port["containerPort"]: free_port()
        for obj in read(text).of("Deployment")
        for each in obj["spec"]["template"]["spec"]["containers"]
        for port in each["ports"]
    }
    for old, new in ports.items():
        text = re.sub(rf"\b{old}\b", str(new), text)
    return Moved(text, ports)


@dataclass
class Pod:
    """The containers of one pod.

    Attributes:
        users: whose token a container has, by its name, as (service account, namespace); left out,
            it is the pod's.
        settings: what a test sets besides, such as seconds in the place of minutes.
    """

    cluster: Cluster
    deployment: Object
    folder: Path
    users: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    processes: dict[str, Process] = field(default_factory=dict)

    @property
    def spec(self) -> Object:
        """Return the pod's spec."""
        found: Object = self.deployment["spec"]["template"]["spec"]
        return found

    @property
    def namespace(self) -> str:
        """Return where the pod is."""
        return str(self.deployment["metadata"]["namespace"])

    @contextmanager
    def running(self) -> Iterator["Pod"]:
        """Start all containers, wait until they are ready, and end them as kubelet does."""
        self.folder.mkdir(parents=True)
        for volume in self.spec["volumes"]:
            self._mount(volume)
        try:
            for each in self.spec.get("initContainers", []):
                self._run(each)
            for each in self.spec["containers"]:
                self.processes[each["name"]] = self._start(each)
            for each in self.spec["containers"]:
                self.until_ready(each["name"])
            yield self
            for process in self.processes.values():
                process.check()
        finally:
            for process in self.processes.values():
                process.stop(self.spec["terminationGracePeriodSeconds"])

    def ended(self) -> int:
        """Run the only container of a pod that is never started again; return its exit code."""
        self.folder.mkdir(parents=True)
        for volume in self.spec["volumes"]:
            self._mount(volume)
        [each] = self.spec["containers"]
        process = self._start(each)
        try:
            polling.until(lambda: not process.alive, f"{each['name']} ends")
            return int(process.code or 0)
        finally:
            process.stop()

    def until_ready(self, name: str) -> None:
        """Wait until a container's startup probe, then its readiness probe succeeds."""
        each, process = container(self.spec, name), self.processes[name]
        if name == "metacontroller" and metacontroller.real() is None:
            return  # the stand-in has nothing to be asked
        ports = {port["name"]: port["containerPort"] for port in each["ports"]}
        for probe in [probe for probe in ("startupProbe", "readinessProbe") if probe in each]:
            get = each[probe]["httpGet"]
            scheme = get.get("scheme", "HTTP").lower()
            url = f"{scheme}://127.0.0.1:{ports[get['port']]}{get['path']}"

            def good(url: str = url) -> bool:
                process.check()
                return _answers(url)

            polling.until(good, f"{probe} of {name}", every=0.1)

    def volume(self, name: str) -> Path:
        """Return the folder that stands for a volume."""
        return self.folder / "volumes" / name

    def _mount(self, volume: Object) -> None:
        folder = self.volume(volume["name"])
        folder.mkdir(parents=True)
        match volume:
            case {"secret": {"secretName": name}}:
                data = self._data("secrets", name, volume["secret"])
                every_key = [{"key": key, "path": key} for key in data]
                for item in volume["secret"].get("items", every_key):
                    text = base64.b64decode(data[item["key"]]).decode()
                    write_private(folder / item["path"], text)
            case {"configMap": {"name": name}}:
                for key, text in self._data("configmaps", name, volume["configMap"]).items():
                    (folder / key).write_text(text)
            case {"emptyDir": _}:
                pass
            case _:
                raise NotImplementedError(f"a volume of another kind: {volume}")

    def _data(self, resource: str, name: str, source: Object) -> dict[str, str]:
        """Return what a volume holds: nothing where its source is optional and not there."""
        try:
            data: dict[str, str] = self._read(resource, name)["data"]
        except ApiError as error:
            if not (error.not_found and source.get("optional")):
                raise
            return {}
        return data

    def _read(self, resource: str, name: str) -> Object:
        return self.cluster.api.resource("v1", resource).get(name, self.namespace)

    def _run(self, each: Object) -> None:
        """Wait until an init container has ended, as it must before the others start."""
        process = self._start(each)
        try:
            polling.until(lambda: not process.alive, f"{each['name']} ends")
            assert process.code == 0, process.tail()
        finally:
            process.stop()

    def _start(self, each: Object) -> Process:
        name = each["name"]
        account = self.users.get(name, (self.spec["serviceAccountName"], self.namespace))
        kubeconfig = self.folder / f"{name}.kubeconfig"
        token = self.cluster.service_account_token(*account)
        write_private(kubeconfig, self.cluster.kubeconfig_as(token))
        if name == "metacontroller":
            command = self._metacontroller(each, kubeconfig)
            exact = {"PYTHONPATH": str(PROJECT)}
        else:
            command = [str(Path(sys.executable).parent / each["command"][0])]
            command += [*each["command"][1:], *self._arguments(each)]
            exact = {**IMAGE, **self._environment(each), "KUBECONFIG_FILE": str(kubeconfig)}
        path = f"PATH={Path(sys.executable).parent}:/usr/bin:/bin"
        assignments = [f"{key}={value}" for key, value in exact.items()]
        # Nothing of the tests' own environment: a pod has none of it.
        whole = ["env", "-i", path, *assignments, *command]
        process = Process(name, whole, self.folder / f"{name}.log", folder=PROJECT)
        process.start()
        return process

    def _metacontroller(self, each: Object, kubeconfig: Path) -> list[str]:
        assert each["command"] == ["/usr/bin/metacontroller"]
        arguments = metacontroller.known(each["args"])
        return [*map(str, metacontroller.program()), *arguments, f"--kubeconfig={kubeconfig}"]

    def _arguments(self, each: Object) -> list[str]:
        parted = (argument.partition("=") for argument in each.get("args", []))
        return [f"{name}{sign}{self._on_disk(each, value)}" for name, sign, value in parted]

    def _environment(self, each: Object) -> dict[str, str]:
        of_the_pod = {
            "metadata.name": f"{self.deployment['metadata']['name']}-0",
            "metadata.namespace": self.namespace,
        }
        given = environment(each)
        for entry in each.get("env", []):
            if "valueFrom" in entry:
                given[entry["name"]] = of_the_pod[entry["valueFrom"]["fieldRef"]["fieldPath"]]
        return (
            {key: self._on_disk(each, value) for key, value in given.items()}
            | ON_ONE_MACHINE
            | self.settings
        )

    def _on_disk(self, each: Object, text: str) -> str:
        """Return where on this machine a path in a mounted volume is; other texts as they are."""
        for mount in each.get("volumeMounts", []):
            if text.startswith(f"{mount['mountPath']}/"):
                return f"{self.volume(mount['name'])}{text.removeprefix(mount['mountPath'])}"
        return text


def secret_of_files(cluster: Cluster, namespace: str, name: str, files: Sequence[Path]) -> None:
    """Make a Secret of files with the command that the guides have."""
    given = [f"--from-file={file}" for file in files]
    cluster.kubectl("-n", namespace, "create", "secret", "generic", name, *given)


def _answers(url: str) -> bool:
    """Ask as kubelet does, which takes any certificate and brings none."""
    try:
        with urllib.request.urlopen(url, timeout=2, context=_ANYBODY) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
