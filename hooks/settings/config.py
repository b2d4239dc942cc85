"""The settings: each one once, with its variable, its default and the sentence that explains it.

Below this module nothing looks at the environment.
"""

import platform
import ssl
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml
from kubernetes.config import ConfigException

from hooks.cloudstack.config import CloudConfig
from hooks.kube.client import connect
from hooks.settings import parsing
from hooks.settings.certificates import CertificateFiles, server_context
from hooks.settings.cloud_config import CloudConfigError, read_cloud_config
from hooks.settings.parsing import LOG_LEVELS, Address
from hooks.settings.tokens import Tokens, read_tokens

#: The hooks that cannot work without CloudStack.
NEED_CLOUDSTACK = frozenset({"nodes", "loadbalancers"})
#: What a pod with a service account finds: its namespace, and the token it is known by.
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class SettingsError(ValueError):
    """Settings that cannot work; `problems` names every one of them, with no secret in it."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Setting:
    """What is known of a setting besides its value; the reference page is made from these."""

    variable: str
    default: str
    sentence: str
    parse: Callable[[str], object]


def _setting(variable: str, default: str, parse: Callable[[str], object], sentence: str) -> Any:  # noqa: ANN401 - as dataclasses.field, which the type checker takes for the value
    setting = Setting(variable, default, sentence, parse)
    return field(default=parse(default), metadata={"setting": setting})


@dataclass(frozen=True)
class Config:
    """Everything that can be set. Durations are in seconds, missing texts empty.

    Attributes:
        cloud: what the cloud-config says; None where none is given.
        tokens: what the token file says; None where everybody on loopback is let in.
        certificates: what the certificate files hold; None for plain HTTP.
    """

    hooks: tuple[str, ...] = _setting(
        "HOOKS",
        "nodes,services,loadbalancers",
        parsing.names,
        "Which hooks this process serves, with commas between them.",
    )
    bind: Address = _setting(
        "BIND",
        "127.0.0.1:8080",
        parsing.address,
        "Where the hooks listen. Any address but loopback needs HOOKS_TOKEN_FILE.",
    )
    metrics_host: str = _setting(
        "METRICS_BIND", "0.0.0.0", parsing.host, "The address at which `/metrics` is served."
    )
    metrics_port: int = _setting(
        "METRICS_PORT", "8383", parsing.port, "The port at which `/metrics` is served."
    )
    token_file: str = _setting(
        "HOOKS_TOKEN_FILE",
        "",
        str,
        "A file with the bearer token that callers must send, or two (one a line) while one "
        "replaces the other. Read again when it changes.",
    )
    tls_cert_file: str = _setting(
        "TLS_CERT_FILE",
        "",
        str,
        "The certificate chain (PEM) with which the hooks speak TLS. Read again when it changes.",
    )
    tls_key_file: str = _setting(
        "TLS_KEY_FILE", "", str, "The private key (PEM) of TLS_CERT_FILE, without a passphrase."
    )
    tls_client_ca_file: str = _setting(
        "TLS_CLIENT_CA_FILE",
        "",
        str,
        "Certificate authorities (PEM), one of which must have signed the caller's certificate. "
        "`/healthz` and `/readyz` answer without one.",
    )
    cloud_config_file: str = _setting(
        "CLOUD_CONFIG",
        "",
        str,
        "The file that says where CloudStack is and holds its keys (`cloud-config`). Needed by "
        "the hooks nodes and loadbalancers. Read again when it changes.",
    )
    kubeconfig_file: str = _setting(
        "KUBECONFIG_FILE",
        "",
        str,
        "The kubeconfig of the API server to write to. Needed outside of a pod; in a pod, its "
        "service account is the default. `KUBECONFIG` and `~/.kube` are never read.",
    )
    hook_deadline: float = _setting(
        "HOOK_DEADLINE",
        "8s",
        parsing.seconds(1, 300),
        "How long a call may take. Keep it well below the `timeout` of Metacontroller's webhooks.",
    )
    log_level: str = _setting(
        "LOG_LEVEL",
        "info",
        parsing.choice(*LOG_LEVELS),
        "The least important lines that are logged: `debug`, `info`, `warn` or `error`.",
    )
    vm_cache_ttl: float = _setting(
        "VM_CACHE_TTL", "15s", parsing.seconds(0, 600), "How long a list of all VMs is used again."
    )
    node_missing_grace: float = _setting(
        "NODE_MISSING_GRACE",
        "60s",
        parsing.seconds(0, 86400),
        "How long the VM of a node that is not ready must be gone before the Node is deleted.",
    )
    node_guard_hold: float = _setting(
        "NODE_GUARD_HOLD",
        "10m",
        parsing.seconds(0, 604800),
        "How long nothing is deleted when many VMs are gone at once.",
    )
    legacy_node_labels: str = _setting(
        "LEGACY_NODE_LABELS",
        "auto",
        parsing.choice("auto", "true", "false"),
        "Whether nodes get the labels of Kubernetes before 1.17 too; `auto`: those whose kubelet "
        "is that old.",
    )
    cluster_id: str = _setting(
        "CLUSTER_ID",
        "",
        str,
        "Marks what belongs to this cluster in CloudStack. Left out: the UID of the namespace "
        "kube-system.",
    )
    drift_resync: float = _setting(
        "DRIFT_RESYNC",
        "5m",
        parsing.seconds(10, 86400),
        "How often a load balancer that is as it should be is looked at again in CloudStack.",
    )
    default_load_balancer_class: bool = _setting(
        "DEFAULT_LOAD_BALANCER_CLASS",
        "true",
        parsing.boolean,
        "Whether Services without a `loadBalancerClass` are served. Those that have a load "
        "balancer of ours keep it.",
    )
    former_cluster_name: str = _setting(
        "FORMER_CLUSTER_NAME",
        "kubernetes",
        str,
        "The `--cluster-name` of the cloud controller manager that was here before. Leaseweb's "
        "writes it into the names of rules, which are taken over by name.",
    )
    watch_namespaces: tuple[str, ...] = _setting(
        "WATCH_NAMESPACE",
        "",
        parsing.object_names,
        "The namespaces whose TargetClusters are looked after, with commas between them; set but "
        "empty: all of them. Left out: the namespace that the process runs in.",
    )
    pod_name: str = _setting(
        "POD_NAME",
        "",
        parsing.object_name,
        "The pod's name, shown in Events. Left out: the host's name.",
    )
    pod_namespace: str = _setting(
        "POD_NAMESPACE",
        "",
        parsing.object_name,
        "The namespace that the process runs in. Left out: what the pod's service account says.",
    )
    operator_name: str = _setting(
        "OPERATOR_NAME",
        "target-cluster-operator",
        parsing.object_name,
        "The name under which Events are signed, and that the clusters' audit logs show.",
    )
    default_kubeconfig_secret: str = _setting(
        "TARGET_CLUSTER_DEFAULT_KUBECONFIG_SECRET",
        "target-cluster-kubeconfig",
        parsing.object_name,
        "The Secret with the kubeconfig of TargetClusters that name none.",
    )
    cloud: CloudConfig | None = None
    tokens: Tokens | None = None
    certificates: ssl.SSLContext | None = field(default=None, repr=False, compare=False)


def settings() -> tuple[Setting, ...]:
    """List the settings in the order of the reference page."""
    return tuple(entry.metadata["setting"] for entry in fields(Config) if entry.metadata)


def from_environ(
    environ: Mapping[str, str],
    *,
    known_hooks: Collection[str],
    warn: Callable[[str], None],
    service_account: Path = SERVICE_ACCOUNT,
) -> Config:
    """Read and check every setting, and the files that they name.

    Args:
        environ: the environment; an empty variable counts as not set.
        known_hooks: what HOOKS may name.
        warn: hears of what means nothing in the cloud-config.
        service_account: where a pod's service account is.

    Raises:
        SettingsError: naming every problem at once.
    """
    problems: list[str] = []
    values = _parsed(environ, problems)
    files = _Files(values, problems)
    values["cloud"] = files.cloud(warn)
    values["tokens"] = files.tokens()
    values["certificates"] = files.certificates()
    files.check_kubeconfig()
    in_pod = environ.get("KUBERNETES_SERVICE_HOST") and (service_account / "token").is_file()
    if not values["kubeconfig_file"] and not in_pod:
        problems.append(
            "KUBECONFIG_FILE: is needed outside of a pod; name the kubeconfig of the API server"
        )
    problems += _contradictions(values, known_hooks)
    if problems:
        raise SettingsError(problems)
    values["pod_name"] = values["pod_name"] or platform.node()
    values["pod_namespace"] = values["pod_namespace"] or _own_namespace(service_account)
    if "WATCH_NAMESPACE" not in environ and values["pod_namespace"]:
        values["watch_namespaces"] = (values["pod_namespace"],)
    return Config(**values)


def _parsed(environ: Mapping[str, str], problems: list[str]) -> dict[str, Any]:
    """Read the variables; one that cannot be read is left out and added to the problems."""
    values = {}
    for entry in fields(Config):
        if entry.metadata:
            setting: Setting = entry.metadata["setting"]
            text = environ.get(setting.variable, "").strip() or setting.default
            try:
                values[entry.name] = setting.parse(text)
            except ValueError as error:
                problems.append(f"{setting.variable}: {text!r} {error}")
    return values


def _contradictions(values: Mapping[str, Any], known_hooks: Collection[str]) -> list[str]:
    """Name what does not fit together; values that could not be read are not there."""
    problems = []
    known = ", ".join(sorted(known_hooks))
    hooks = values["hooks"]
    problems += [
        f"HOOKS: {hook!r} is not one of {known}" for hook in hooks if hook not in known_hooks
    ]
    if not hooks:
        problems.append(f"HOOKS: names no hook; known are {known}")
    lacking = [hook for hook in hooks if hook in NEED_CLOUDSTACK]
    if lacking and not values["cloud_config_file"]:
        problems.append(f"CLOUD_CONFIG: is needed by {', '.join(lacking)}; name the file")
    bind = values.get("bind")
    if bind and bind.port == values.get("metrics_port"):
        problems.append(f"METRICS_PORT: {bind.port} is the port of BIND; choose another")
    if bind and not bind.is_loopback() and not values["token_file"]:
        problems.append(
            f"BIND: {str(bind)!r} can be reached from other machines, which needs "
            "HOOKS_TOKEN_FILE; set it, or listen on 127.0.0.1"
        )
    return problems


class _Files:
    """Reads and checks the files that settings name; what is wrong is added to the problems.

    A path is shown only where it looks like one: a token may stand in the place of its file.
    """

    def __init__(self, values: Mapping[str, Any], problems: list[str]) -> None:
        self._values = values
        self._problems = problems

    def cloud(self, warn: Callable[[str], None]) -> CloudConfig | None:
        """Read the cloud-config, if there is one."""
        path = self._values["cloud_config_file"]
        try:
            return read_cloud_config(path, warn=warn) if path else None
        except CloudConfigError as error:
            self._problems += [f"CLOUD_CONFIG: {_shown(path)}: {one}" for one in error.problems]
        except OSError as error:
            self._add("CLOUD_CONFIG", path, error)
        return None

    def tokens(self) -> Tokens | None:
        """Read the token file, if there is one."""
        path = self._values["token_file"]
        try:
            return read_tokens(path) if path else None
        except (OSError, ValueError) as error:
            self._add("HOOKS_TOKEN_FILE", path, error)
        return None

    def certificates(self) -> ssl.SSLContext | None:
        """Read certificate, key and authorities, if there are some."""
        cert = self._values["tls_cert_file"]
        key = self._values["tls_key_file"]
        authorities = self._values["tls_client_ca_file"]
        if bool(cert) != bool(key):
            self._problems.append("TLS_CERT_FILE, TLS_KEY_FILE: one is set without the other")
        if authorities and not cert:
            self._problems.append("TLS_CLIENT_CA_FILE: needs TLS_CERT_FILE and TLS_KEY_FILE")
        if not cert or not key:
            return None
        variable, shown = "TLS_CERT_FILE, TLS_KEY_FILE", cert
        try:
            server_context(CertificateFiles(cert, key))
            variable, shown = "TLS_CLIENT_CA_FILE", authorities
            return server_context(CertificateFiles(cert, key, authorities))
        except OSError as error:
            self._add(variable, shown, error)
        return None

    def check_kubeconfig(self) -> None:
        """See whether the kubeconfig can be used; its server is not called."""
        path = self._values["kubeconfig_file"]
        if path:
            try:
                with Path(path).open("rb") as file:
                    file.read(1)
                connect(path)
            except OSError as error:
                self._add("KUBECONFIG_FILE", path, error)
            except (ConfigException, yaml.YAMLError, TypeError, AttributeError):
                self._problems.append(f"KUBECONFIG_FILE: {_shown(path)}: is not a kubeconfig")

    def _add(self, variable: str, path: str, error: OSError | ValueError) -> None:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        self._problems.append(f"{variable}: {_shown(path)}: {reason or 'cannot be used'}")


def _shown(path: str) -> str:
    return path if path.startswith(("/", "./", "../")) else "the file"


def _own_namespace(service_account: Path) -> str:
    try:
        return (service_account / "namespace").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
