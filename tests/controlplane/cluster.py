"""Runs etcd, kube-apiserver and kube-controller-manager as plain processes on loopback."""

import json
import secrets
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from tests.controlplane import manifests, metacontroller, polling
from tests.controlplane.api import Api, Object
from tests.controlplane.kubeconfig import kubeconfig, signing_key, write_private
from tests.controlplane.manifests import Hooks
from tests.controlplane.ports import free_port
from tests.controlplane.processes import Process
from tools import binaries
from tools.binaries import COLLECT_LESS, COLLECT_NEVER, Binaries

CONTROLLERS = (
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
    "root-ca-certificate-publisher-controller",
    "clusterrole-aggregation-controller",
)
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "Metadata", "verbs": ["create", "update", "patch", "delete"]},
        {"level": "None"},
    ],
}


class KubectlError(Exception):
    """kubectl ended with an error; the message is what it printed."""


@dataclass
class Cluster:
    """One API server with its administrator, and the controllers that tests need."""

    folder: Path
    programs: Binaries
    etcd_url: str
    etcd_prefix: str
    audit: bool = False
    flags: tuple[str, ...] = ()  # of the API server; the last one of a name counts
    token: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    _port: int = field(default_factory=free_port, repr=False)

    @contextmanager
    def running(self) -> Iterator["Cluster"]:
        """Start the API server, wait until it is ready, and stop all at the end."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_private(self.folder / "tokens.csv", f'{self.token},admin,admin,"system:masters"\n')
        write_private(self.folder / "service-accounts.pem", signing_key())
        (self.folder / "audit-policy.json").write_text(json.dumps(AUDIT_POLICY))
        try:
            self.start_api_server()
            write_private(self.kubeconfig, kubeconfig(self.url, self.ca, self.token))
            yield self
        finally:
            self.controller_manager.stop()
            self.api.close()
            self.api_server.stop()

    @property
    def url(self) -> str:
        """Return where the API server listens."""
        return f"https://127.0.0.1:{self._port}"

    @property
    def ca(self) -> Path:
        """Return the file that vouches for the API server's certificate, which made it itself."""
        return self.folder / "certificates" / "apiserver.crt"

    @property
    def kubeconfig(self) -> Path:
        """Return the administrator's kubeconfig."""
        return self.folder / "kubeconfig"

    @cached_property
    def api(self) -> Api:
        """Return the administrator's client."""
        return Api(self.url, token=self.token, ca=self.ca)

    @cached_property
    def api_server(self) -> Process:
        """Return the API server's process; it may be killed, and started again in place."""
        log = self.folder / "kube-apiserver.log"
        return Process("kube-apiserver", self._api_server(), log, COLLECT_LESS)

    @cached_property
    def controller_manager(self) -> Process:
        """Return kube-controller-manager's process; `start_controllers` starts it."""
        command: list[str | Path] = [
            self.programs.kube_controller_manager,
            f"--kubeconfig={self.kubeconfig}",
            f"--controllers={','.join(CONTROLLERS)}",
            f"--root-ca-file={self.ca}",
            f"--cert-dir={self.folder / 'controller-manager-certificates'}",
            "--leader-elect=false",
            "--use-service-account-credentials",  # as kubeadm has it: admission tells them apart
            "--kube-api-qps=200",  # by default 20: a namespace's end alone asks for 70
            "--kube-api-burst=400",
            "--bind-address=127.0.0.1",
            f"--secure-port={free_port()}",
        ]
        log = self.folder / "kube-controller-manager.log"
        return Process("kube-controller-manager", command, log, COLLECT_LESS)

    def start_api_server(self) -> None:
        """Start the API server, again on the same port and data, and wait until it is ready."""
        self.api_server.start()

        def ready() -> bool:
            self.api_server.check()
            return self.api.ready()

        polling.until(ready, f"{self.url}/readyz answers ok")

    def restart_api_server(self, *, killed: bool = False) -> None:
        """Stop the API server, or kill it as a crash would, and start it again."""
        if killed:
            self.api_server.kill()
        else:
            self.api_server.stop()
        self.start_api_server()

    def start_controllers(self) -> None:
        """Start kube-controller-manager, or start it again.

        Its garbage collector learns of kinds when it starts and then every 30 s only: called
        after CRDs were applied, owned objects of those kinds go as soon as their owners do.
        """
        self.controller_manager.restart()

    def apply(self, source: str | Path) -> None:
        """Apply YAML: a text, a file, a folder of files, or a folder with a kustomization.

        CRDs are served when this returns.
        """
        if isinstance(source, str):
            self.kubectl("apply", "-f", "-", stdin=source)
        elif (source / "kustomization.yaml").exists():
            self.kubectl("apply", "-k", source)
        else:
            self.kubectl("apply", "-f", source)
        crds = self.api.resource("apiextensions.k8s.io/v1", "customresourcedefinitions")
        polling.until(lambda: all(map(_established, crds.list())), "CRDs are established")

    def apply_crds(self) -> None:
        """Apply Metacontroller's CRDs and the project's, and collect what their objects own."""
        for folder in manifests.CRDS:
            self.apply(folder)
        self.start_controllers()

    def kubectl(self, *arguments: str | Path, stdin: str = "") -> str:
        """Run kubectl as administrator and return what it printed; KubectlError when it fails."""
        command = [self.programs.kubectl, "--cache-dir", self.folder / "kubectl-cache", *arguments]
        done = subprocess.run(
            command,
            env={"KUBECONFIG": str(self.kubeconfig), "HOME": str(self.folder), **COLLECT_NEVER},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = " ".join(map(str, arguments))
            raise KubectlError(f"kubectl {said} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    @contextmanager
    def metacontroller(
        self, controllers: Path | Iterable[Object], hooks: Hooks
    ) -> Iterator[Process]:
        """Run Metacontroller, real or stand-in, with these controllers calling these hooks.

        `controllers` is a folder or file of manifests, or objects; wherever they say their hooks
        are, the same paths are called on `hooks` instead. The process may be killed and restarted
        meanwhile. Finalizers that it has put on objects stay there when it ends.
        """
        found = manifests.load(controllers) if isinstance(controllers, Path) else controllers
        log = self.folder / "metacontroller.log"
        with (
            manifests.applied(self.api, found, hooks),
            metacontroller.running(self.kubeconfig, log) as process,
        ):
            yield process

    def service_account_token(self, name: str, namespace: str) -> str:
        """Return a new token of a service account, which must exist."""
        path = self.api.resource("v1", "serviceaccounts").path(namespace, name, "token")
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        return str(self.api.call("POST", path, request)["status"]["token"])

    def api_as(self, token: str) -> Api:
        """Return a client for another user's token; whoever asks closes it."""
        return Api(self.url, token=token, ca=self.ca)

    def kubeconfig_as(self, token: str) -> str:
        """Return the text of another user's kubeconfig."""
        return kubeconfig(self.url, self.ca, token)

    def audited(self) -> list[Object]:
        """Return every write the API server has seen, in order; for clusters with `audit`."""
        with (self.folder / "audit.jsonl").open() as lines:
            return [json.loads(line) for line in lines if line.endswith("\n")]

    def _api_server(self) -> list[str | Path]:
        key = self.folder / "service-accounts.pem"
        audit = [
            f"--audit-policy-file={self.folder / 'audit-policy.json'}",
            f"--audit-log-path={self.folder / 'audit.jsonl'}",
        ]
        return [
            self.programs.kube_apiserver,
            f"--etcd-servers={self.etcd_url}",
            f"--etcd-prefix={self.etcd_prefix}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self._port}",
            f"--cert-dir={self.folder / 'certificates'}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            f"--service-account-issuer={self.url}",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--disable-admission-plugins=ServiceAccount",  # pods without one are fine: none runs
            "--endpoint-reconciler-type=none",
            *(audit if self.audit else []),
            *self.flags,
        ]


class ControlPlane(Cluster):
    """A cluster with the etcd that it and any target clusters keep their data in."""

    @classmethod
    @contextmanager
    def start(
        cls, folder: Path, *, audit: bool = False, flags: tuple[str, ...] = ()
    ) -> Iterator["ControlPlane"]:
        """Start etcd and the API server in `folder`, 3 to 5 s; stop everything at the end.

        The data goes when it ends; logs stay. `start_controllers` is the caller's, once
        the CRDs are there.
        """
        programs = binaries.ensure()
        folder.mkdir(parents=True, exist_ok=True)
        client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        command = _etcd(programs, folder, client, peer)
        etcd = Process("etcd", command, folder / "etcd.log", COLLECT_LESS)
        try:
            etcd.start()
            plane = cls(folder / "main", programs, client, "/registry", audit, flags)
            with plane.running():
                yield plane
        finally:
            etcd.stop()
            shutil.rmtree(folder / "etcd", ignore_errors=True)

    @contextmanager
    def target_cluster(
        self, name: str, *, audit: bool = False, flags: tuple[str, ...] = ()
    ) -> Iterator[Cluster]:
        """Start a second API server, which shares nothing with this one but the etcd process."""
        folder = self.folder.parent / name
        target = Cluster(folder, self.programs, self.etcd_url, f"/{name}", audit, flags)
        with ExitStack() as stack:
            yield stack.enter_context(target.running())


def _etcd(programs: Binaries, folder: Path, client: str, peer: str) -> list[str | Path]:
    return [
        programs.etcd,
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",  # a crash of the machine may lose test data
        "--log-level=warn",
    ]


def _established(crd: Object) -> bool:
    conditions = crd.get("status", {}).get("conditions") or []  # null at first
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)
