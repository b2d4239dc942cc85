"""The settings: environment variables and the files that they name, read and checked once.

The reference page is made from this module: the text after `#:` above a field is its entry.
Below this module nothing reads the environment.
"""

import platform
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from kubernetes.client import Configuration

from hooks.cloudstack.config import CloudConfig
from hooks.names import CLOUD_CONTROLLER, TARGET_CLUSTER_OPERATOR, TERMINATION_TAINTS
from hooks.settings import api_server, parsing
from hooks.settings.certificates import server_context
from hooks.settings.cloud_config import read_cloud_config
from hooks.settings.parsing import LOG_LEVELS, ListenAddress, SettingsError
from hooks.settings.reloading import ReloadingFile
from hooks.settings.tokens import Tokens, read_tokens

T = TypeVar("T")

#: The longest value that an error shows whole; a secret in the wrong place is longer.
MAX_SHOWN = 16


@dataclass(frozen=True)
class HookEntry:
    """Where the class of a hook is, and whether the hook needs a cloud-config."""

    path: str
    needs_cloudstack: bool = False


@dataclass(frozen=True)
class Setting:
    """The variable of a field, its default, and the function that parses its text."""

    variable: str
    default: str
    parse: Callable[[str], object]


def _setting(variable: str, default: str, parse: Callable[[str], object]) -> Any:  # noqa: ANN401 - as dataclasses.field, which the type checker takes for the value
    setting = Setting(variable, default, parse)
    return field(default=parse(default), metadata={"setting": setting})


@dataclass(frozen=True)
class Config:
    """Everything that can be set. Durations are in seconds, missing texts empty.

    Attributes:
        cloud_config: the cloud-config; None without one.
        tokens: the token file; None admits every caller on loopback.
        certificates: those of the hooks' port; None for plain HTTP.
        api_server: how to reach the API server.
        own_servers: its hosts and ports, as the API server's URL and the pod's variables name them.
    """

    #: Which hooks this process serves, with commas between them.
    hooks: tuple[str, ...] = _setting("HOOKS", "nodes,services,loadbalancers", parsing.names)
    #: Where the hooks listen. Any address but loopback needs HOOKS_TOKEN_FILE.
    bind: ListenAddress = _setting("BIND", "127.0.0.1:8080", parsing.address)
    #: The address at which `/metrics` is served.
    metrics_host: str = _setting("METRICS_BIND", "0.0.0.0", parsing.host)
    #: The port at which `/metrics` is served.
    metrics_port: int = _setting("METRICS_PORT", "8383", parsing.port)
    #: A file with the bearer token that callers must send, or two (one a line) while one replaces
    #: the other. Read again when it changes.
    token_file: str = _setting("HOOKS_TOKEN_FILE", "", str)
    #: The certificate chain (PEM) of the hooks' port, which then speaks TLS. Read again when it
    #: changes.
    tls_cert_file: str = _setting("TLS_CERT_FILE", "", str)
    #: The private key (PEM) of TLS_CERT_FILE, without a passphrase.
    tls_key_file: str = _setting("TLS_KEY_FILE", "", str)
    #: Certificate authorities (PEM); one of them must have signed the caller's certificate.
    #: `/healthz` and `/readyz` answer without one.
    tls_client_ca_file: str = _setting("TLS_CLIENT_CA_FILE", "", str)
    #: The file with the address and keys of CloudStack (`cloud-config`). Needed by the hooks nodes
    #: and loadbalancers, and for TARGET_CLUSTER_ACCOUNT_NAMESPACES. Read again when it changes.
    cloud_config_file: str = _setting("CLOUD_CONFIG", "", str)
    #: The kubeconfig of the API server to write to. Needed outside of a pod; in a pod, its service
    #: account is the default. `KUBECONFIG` and `~/.kube` are never read.
    kubeconfig_file: str = _setting("KUBECONFIG_FILE", "", str)
    #: How long a call may take. Keep it well below the `timeout` of Metacontroller's webhooks.
    hook_deadline: float = _setting("HOOK_DEADLINE", "8s", parsing.seconds(1, 300))
    #: The least important lines that are logged: `debug`, `info`, `warn` or `error`.
    log_level: str = _setting("LOG_LEVEL", "info", parsing.choice(*LOG_LEVELS))
    #: How long a list of all VMs stays in use.
    vm_cache_ttl: float = _setting("VM_CACHE_TTL", "15s", parsing.seconds(0, 600))
    #: How long the VM of a node that is not ready must be gone before the Node is deleted.
    node_missing_grace: float = _setting("NODE_MISSING_GRACE", "60s", parsing.seconds(0, 86400))
    #: How long nodes are kept when many VMs disappear at once.
    node_guard_hold: float = _setting("NODE_GUARD_HOLD", "10m", parsing.seconds(0, 604800))
    #: The keys of the taints that announce a node's end, with commas between them: a node that has
    #: one leaves the load balancers. The value replaces the default.
    node_termination_taints: tuple[str, ...] = _setting(
        "NODE_TERMINATION_TAINTS", ",".join(TERMINATION_TAINTS), parsing.names
    )
    #: Whether nodes get the labels of Kubernetes before 1.17 too; `auto`: those whose kubelet is
    #: that old.
    legacy_node_labels: str = _setting(
        "LEGACY_NODE_LABELS", "auto", parsing.choice("auto", "true", "false")
    )
    #: Marks what belongs to this cluster in CloudStack. With another value, load balancers that
    #: exist count as another cluster's. Default: the UID of the namespace kube-system.
    cluster_id: str = _setting("CLUSTER_ID", "", str)
    #: How often a load balancer that needs no change is compared with CloudStack.
    drift_resync: float = _setting("DRIFT_RESYNC", "5m", parsing.seconds(10, 86400))
    #: How much of CloudStack's time lists of load balancers' members may take, which cost it most:
    #: drift checks read them one load balancer after the other, the rest at every check.
    drift_share: float = _setting("DRIFT_SHARE", "5%", parsing.share)
    #: Whether Services without a `loadBalancerClass` are served. Those that have a load balancer of
    #: ours keep it.
    default_load_balancer_class: bool = _setting(
        "DEFAULT_LOAD_BALANCER_CLASS", "true", parsing.boolean
    )
    #: The id of the network of load balancers whose Services name none (annotation `…-network`).
    #: Default: of the networks that can balance, the one that most nodes are on.
    default_load_balancer_network: str = _setting(
        "DEFAULT_LOAD_BALANCER_NETWORK", "", parsing.resource_id
    )
    #: Whether the Secrets may be read that Services name for TLS at the load balancer. It needs the
    #: right to, which the component `cloud-controller-certificates` gives.
    load_balancer_certificates: bool = _setting(
        "LOAD_BALANCER_CERTIFICATES", "false", parsing.boolean
    )
    #: The `--cluster-name` of the former cloud controller manager. Leaseweb's writes it into the
    #: names of rules, by which they are taken over.
    former_cluster_name: str = _setting("FORMER_CLUSTER_NAME", "kubernetes", str)
    #: The namespaces whose TargetClusters are watched, with commas between them; set but empty: all
    #: of them. Default: the namespace of the process.
    watch_namespaces: tuple[str, ...] = _setting("WATCH_NAMESPACE", "", parsing.object_names)
    #: The name of the pod, shown in Events, and in Leases for TargetClusters. Default: the name of
    #: the host.
    pod_name: str = _setting("POD_NAME", "", parsing.object_name)
    #: The namespace of the process, which holds Leases for TargetClusters; without one there are no
    #: Leases. Default: that of the pod's service account.
    pod_namespace: str = _setting("POD_NAMESPACE", "", parsing.object_name)
    #: The name that Events and the audit logs of target clusters show. Default:
    #: `target-cluster-operator` if HOOKS is `targetclusters` alone, else
    #: `cloudstack-cloud-controller`.
    operator_name: str = _setting("OPERATOR_NAME", "", parsing.object_name)
    #: The Secret with the kubeconfig of TargetClusters that name none.
    default_kubeconfig_secret: str = _setting(
        "TARGET_CLUSTER_DEFAULT_KUBECONFIG_SECRET", "target-cluster-kubeconfig", parsing.object_name
    )
    #: The networks in which TargetClusters may be though they are loopback or link-local addresses,
    #: or the operator's own API server, with commas between them, such as `127.0.0.0/8`.
    allowed_networks: tuple[parsing.Network, ...] = _setting(
        "TARGET_CLUSTER_ALLOWED_NETWORKS", "", parsing.networks
    )
    #: The proxies that kubeconfigs of TargetClusters may name (`proxy-url`), with commas between
    #: them: hosts, which stand for all below them too, addresses or networks, hosts and addresses
    #: with or without a port, such as `proxy.example.com:3128`; `*` is any. Default: none.
    allowed_proxies: str = _setting("TARGET_CLUSTER_ALLOWED_PROXIES", "", parsing.hosts)
    #: Whether the token or password in a TargetCluster's kubeconfig may go to an `http` server:
    #: everybody on the way can read it. A kubeconfig without them may always name one.
    http_credentials: bool = _setting(
        "TARGET_CLUSTER_ALLOW_HTTP_CREDENTIALS", "false", parsing.boolean
    )
    #: What target clusters call the cluster with the TargetClusters, in the marks of objects: up to
    #: 63 letters, digits, `-`, `_` and `.`. A cluster that is rebuilt goes on as the former one if
    #: it has its id. Default: the UID of the namespace kube-system.
    hub_id: str = _setting("TARGET_CLUSTER_HUB_ID", "", parsing.hub_id)
    #: The namespaces whose TargetClusters may be repaired with the account of CLOUD_CONFIG, with
    #: commas between them, where they name no account. Which VM is a node's is said by the target
    #: cluster: whoever may write TargetClusters there can have any VM of that account started,
    #: stopped and rebooted. Default: none.
    account_namespaces: tuple[str, ...] = _setting(
        "TARGET_CLUSTER_ACCOUNT_NAMESPACES", "", parsing.object_names
    )
    cloud_config: ReloadingFile[CloudConfig] | None = field(default=None, compare=False)
    tokens: ReloadingFile[Tokens] | None = field(default=None, compare=False)
    certificates: ReloadingFile[ssl.SSLContext] | None = field(default=None, compare=False)
    api_server: Configuration = field(default_factory=Configuration, repr=False, compare=False)
    own_servers: tuple[tuple[str, int], ...] = field(default=(), compare=False)


def settings() -> dict[str, Setting]:
    """Return the settings by the names of their fields, in the order of the reference page."""
    return {each.name: each.metadata["setting"] for each in fields(Config) if each.metadata}


def from_environ(
    environ: Mapping[str, str],
    *,
    known_hooks: Mapping[str, HookEntry],
    warn: Callable[[str], None],
    service_account: Path = api_server.SERVICE_ACCOUNT,
) -> Config:
    """Read and check every setting, and the files that they name.

    Args:
        environ: an empty variable counts as not set, except WATCH_NAMESPACE.
        known_hooks: by the names that HOOKS may hold.
        warn: called for each line of the cloud-config without a meaning, and for each entry of
            NO_PROXY that excludes nothing.
        service_account: the folder of a pod's service account.

    Raises:
        SettingsError: naming every problem at once.
    """
    problems: list[str] = []
    values = _read_variables(environ, problems)
    read_cloud = partial(read_cloud_config, environ=environ, warn=warn)
    values |= _read_files(values, problems, read_cloud)
    values["api_server"] = _read_api_server(
        values["kubeconfig_file"], problems, environ, service_account
    )
    problems += _contradictions(values, known_hooks)
    if problems:
        raise SettingsError(*problems)
    values["own_servers"] = api_server.own_servers(values["api_server"], environ)
    values["operator_name"] = values["operator_name"] or _own_name(values["hooks"])
    values["pod_name"] = values["pod_name"] or platform.node()
    values["pod_namespace"] = values["pod_namespace"] or _own_namespace(service_account)
    if "WATCH_NAMESPACE" not in environ and values["pod_namespace"]:
        values["watch_namespaces"] = (values["pod_namespace"],)
    return Config(**values)


def _read_api_server(
    kubeconfig: str, problems: list[str], environ: Mapping[str, str], service_account: Path
) -> Configuration | None:
    """Read where our API server is, from a kubeconfig or in a pod; None with a problem."""
    read = api_server.read_own_kubeconfig
    if not kubeconfig and api_server.is_pod(environ, service_account):
        kubeconfig, read = str(service_account), partial(api_server.read_service_account, environ)
    if not kubeconfig:
        problems.append("KUBECONFIG_FILE: is needed outside of a pod; name a kubeconfig")
        return None
    return _attempt(problems, "KUBECONFIG_FILE", kubeconfig, partial(read, kubeconfig))


def _read_variables(environ: Mapping[str, str], problems: list[str]) -> dict[str, Any]:
    """Parse the variables; a bad one is left out and added to the problems."""
    values = {}
    for name, setting in settings().items():
        text = environ.get(setting.variable, "").strip() or setting.default
        try:
            values[name] = setting.parse(text)
        except ValueError as error:
            problems.append(f"{setting.variable}: {_shown(text)} {error}")
    return values


def _read_files(
    values: Mapping[str, Any], problems: list[str], read_cloud: Callable[[str], CloudConfig]
) -> dict[str, Any]:
    """Read the files that are set; a bad one is left out and added to the problems."""
    follow = partial(_follow, problems)
    cloud_config = follow("CLOUD_CONFIG", "cloud-config", read_cloud, values["cloud_config_file"])
    tokens = follow("HOOKS_TOKEN_FILE", "tokens", read_tokens, values["token_file"])
    cert, key, ca = (values[f"tls_{name}_file"] for name in ("cert", "key", "client_ca"))
    if bool(cert) != bool(key):
        problems.append("TLS_CERT_FILE, TLS_KEY_FILE: one is set without the other")
    if ca and not cert:
        problems.append("TLS_CLIENT_CA_FILE: needs TLS_CERT_FILE and TLS_KEY_FILE")
    certificates = follow(
        "TLS_CERT_FILE, TLS_KEY_FILE", "certificates", partial(server_context, ""), cert, key
    )
    if certificates and ca:
        certificates = follow("TLS_CLIENT_CA_FILE", "certificates", server_context, ca, cert, key)
    return {"cloud_config": cloud_config, "tokens": tokens, "certificates": certificates}


def _follow(
    problems: list[str], variable: str, name: str, read: Callable[..., T], *paths: str
) -> ReloadingFile[T] | None:
    """Follow files that settings name; None if one is not set, or bad and added to the problems."""
    if not all(paths):
        return None
    follow = partial(ReloadingFile, name, paths, partial(read, *paths))
    return _attempt(problems, variable, paths[0], follow)


def _attempt(problems: list[str], variable: str, path: str, read: Callable[[], T]) -> T | None:
    """Read a file that a setting names; None if it is bad and added to the problems.

    The path is shown only if it looks like one: it may be a token instead of its file.
    """
    try:
        return read()
    except SettingsError as error:
        reasons = error.problems
    except OSError as error:
        reasons = (error.strerror or "cannot be read",)
    except ValueError as error:
        reasons = (str(error),)
    shown = path if path.startswith(("/", "./", "../")) else "the file"
    problems += [f"{variable}: {shown}: {reason}" for reason in reasons]
    return None


def _contradictions(values: Mapping[str, Any], known_hooks: Mapping[str, HookEntry]) -> list[str]:
    """Name settings that contradict each other; values that could not be read are missing."""
    known = ", ".join(sorted(known_hooks))
    hooks = values["hooks"]
    problems = [
        f"HOOKS: {_shown(hook)} is not one of {known}" for hook in hooks if hook not in known_hooks
    ]
    if not hooks:
        problems.append(f"HOOKS: names no hook; known are {known}")
    lacking = [hook for hook in hooks if hook in known_hooks and known_hooks[hook].needs_cloudstack]
    if lacking and not values["cloud_config_file"]:
        problems.append(f"CLOUD_CONFIG: is needed by {', '.join(lacking)}; name the file")
    if values.get("account_namespaces") and not values["cloud_config_file"]:
        problems.append("TARGET_CLUSTER_ACCOUNT_NAMESPACES: needs the account of CLOUD_CONFIG")
    bind = values.get("bind")
    if bind and bind.port == values.get("metrics_port"):
        problems.append(f"METRICS_PORT: {bind.port} is the port of BIND; choose another")
    if bind and not bind.is_loopback() and not values["token_file"]:
        problems.append(
            f"BIND: {_shown(str(bind))} can be reached from other machines, which needs "
            "HOOKS_TOKEN_FILE; set it, or listen on 127.0.0.1"
        )
    return problems


def _shown(text: str) -> str:
    """Quote a value; of a long one, which could be a secret in the wrong place, the beginning."""
    if len(text) <= MAX_SHOWN:
        return repr(text)
    return f"{text[:4] + '…'!r} ({len(text)} characters)"


def _own_name(hooks: tuple[str, ...]) -> str:
    return TARGET_CLUSTER_OPERATOR if hooks == ("targetclusters",) else CLOUD_CONTROLLER


def _own_namespace(service_account: Path) -> str:
    try:
        return (service_account / "namespace").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
