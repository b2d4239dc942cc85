import dataclasses
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

import pytest

from hooks.loadbalancers.context import MAX_JOB_AGE
from hooks.loadbalancers.handover import JOB_SECONDS
from hooks.loadbalancers.recorded import LONGEST_CALL
from hooks.names import TERMINATION_TAINTS
from hooks.settings.config import Config, from_environ, settings
from hooks.settings.parsing import ListenAddress, SettingsError
from hooks.wsgi import HOOKS
from tests.certificates import Certificates, make_certificates

GOOD_CLOUD = "[Global]\napi-url = https://x/client/api\napi-key = KEY-1\nsecret-key = SECRET-1\n"
KUBECONFIG = """
apiVersion: v1
kind: Config
clusters: [{name: a, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: a, user: {token: SECRET-1}}]
contexts: [{name: a, context: {cluster: a, user: a}}]
current-context: a
"""

Read = Callable[..., Config]


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def cloud_config(tmp_path: Path) -> str:
    path = tmp_path / "cloud-config"
    path.write_text(GOOD_CLOUD)
    return str(path)


@pytest.fixture
def kubeconfig(tmp_path: Path) -> str:
    path = tmp_path / "a-kubeconfig"
    path.write_text(KUBECONFIG)
    return str(path)


@pytest.fixture
def read(cloud_config: str, kubeconfig: str, tmp_path: Path) -> Read:
    """Read settings outside of a pod; the needed files are given unless a test overrides them."""

    def read(environ: dict[str, str] | None = None, service_account: str = "none") -> Config:
        return from_environ(
            {"CLOUD_CONFIG": cloud_config, "KUBECONFIG_FILE": kubeconfig, **(environ or {})},
            known_hooks=HOOKS,
            warn=pytest.fail,
            service_account=tmp_path / service_account,
        )

    return read


@pytest.fixture
def problems(read: Read) -> Callable[[dict[str, str]], list[str]]:
    """Name the problems of settings that cannot work."""

    def problems(environ: dict[str, str]) -> list[str]:
        with pytest.raises(SettingsError) as refusal:
            read(environ)
        assert "SECRET-1" not in str(refusal.value)
        return list(refusal.value.problems)

    return problems


def test_what_is_not_set_has_its_documented_default(read: Read, kubeconfig: str) -> None:
    config = read()
    assert config.hooks == ("nodes", "services", "loadbalancers")
    assert config.bind == ListenAddress("127.0.0.1", 8080)
    assert (config.metrics_host, config.metrics_port) == ("0.0.0.0", 8383)
    assert config.hook_deadline == 8.0
    assert config.log_level == "info"
    assert config.vm_cache_ttl == 15.0
    assert config.node_missing_grace == 60.0
    assert config.node_guard_hold == 600.0
    assert config.node_termination_taints == TERMINATION_TAINTS
    assert config.legacy_node_labels == "auto"
    assert config.drift_resync == 300.0
    assert config.drift_share == 0.05
    assert config.default_load_balancer_class is True
    assert config.load_balancer_certificates is False
    assert config.operator_name == "cloudstack-cloud-controller"
    assert config.default_kubeconfig_secret == "target-cluster-kubeconfig"
    assert config.cluster_id == ""
    assert config.kubeconfig_file == kubeconfig
    assert config.tokens is None
    assert config.pod_name


@pytest.mark.parametrize(
    ("hooks", "name"),
    [
        ("targetclusters", "target-cluster-operator"),
        ("nodes,services,loadbalancers", "cloudstack-cloud-controller"),
        ("services", "cloudstack-cloud-controller"),
        ("targetclusters,services", "cloudstack-cloud-controller"),
    ],
)
def test_the_operator_is_named_after_what_it_does(read: Read, hooks: str, name: str) -> None:
    assert read({"HOOKS": hooks}).operator_name == name


def test_an_empty_variable_counts_as_not_set(read: Read) -> None:
    everything = {setting.variable: " " for setting in settings().values()}
    del everything["CLOUD_CONFIG"], everything["KUBECONFIG_FILE"]
    assert read(everything) == read({"WATCH_NAMESPACE": ""})


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("HOOKS", "targetclusters", "hooks", ("targetclusters",)),
        ("HOOKS", " nodes , services ", "hooks", ("nodes", "services")),
        ("BIND", "[::1]:9000", "bind", ListenAddress("::1", 9000)),
        ("METRICS_BIND", "127.0.0.1", "metrics_host", "127.0.0.1"),
        ("METRICS_PORT", "9383", "metrics_port", 9383),
        ("HOOK_DEADLINE", "5s", "hook_deadline", 5.0),
        ("LOG_LEVEL", "WARN", "log_level", "warn"),
        ("VM_CACHE_TTL", "0s", "vm_cache_ttl", 0.0),
        ("NODE_MISSING_GRACE", "2m", "node_missing_grace", 120.0),
        ("NODE_GUARD_HOLD", "1h", "node_guard_hold", 3600.0),
        ("NODE_TERMINATION_TAINTS", "a/b, c", "node_termination_taints", ("a/b", "c")),
        ("LEGACY_NODE_LABELS", "false", "legacy_node_labels", "false"),
        ("CLUSTER_ID", "c-1", "cluster_id", "c-1"),
        ("DRIFT_RESYNC", "1m", "drift_resync", 60.0),
        ("DRIFT_SHARE", "2.5%", "drift_share", 0.025),
        ("DEFAULT_LOAD_BALANCER_CLASS", "false", "default_load_balancer_class", False),
        ("LOAD_BALANCER_CERTIFICATES", "true", "load_balancer_certificates", True),
        ("DEFAULT_LOAD_BALANCER_NETWORK", "n-1", "default_load_balancer_network", "n-1"),
        ("POD_NAME", "pod-1", "pod_name", "pod-1"),
        ("POD_NAMESPACE", "kube-system", "pod_namespace", "kube-system"),
        ("OPERATOR_NAME", "op", "operator_name", "op"),
        ("TARGET_CLUSTER_DEFAULT_KUBECONFIG_SECRET", "s", "default_kubeconfig_secret", "s"),
        (
            "TARGET_CLUSTER_ALLOWED_NETWORKS",
            "127.0.0.0/8, ::1",
            "allowed_networks",
            (IPv4Network("127.0.0.0/8"), IPv6Network("::1")),
        ),
        (
            "TARGET_CLUSTER_ALLOWED_PROXIES",
            "a.example:80, ::1",
            "allowed_proxies",
            "a.example:80, ::1",
        ),
        ("TARGET_CLUSTER_ALLOW_HTTP_CREDENTIALS", "true", "http_credentials", True),
        ("TARGET_CLUSTER_HUB_ID", "dc-1.Main_2", "hub_id", "dc-1.Main_2"),
        ("TARGET_CLUSTER_ACCOUNT_NAMESPACES", "a, b", "account_namespaces", ("a", "b")),
    ],
)
def test_a_variable_sets_its_field(
    read: Read, variable: str, text: str, field: str, value: object
) -> None:
    assert getattr(read({variable: text}), field) == value


@pytest.mark.parametrize(
    ("environ", "start"),
    [
        ({"HOOKS": "nodes,pods"}, "HOOKS: 'pods' is not one of loadbalancers, nodes, services"),
        ({"HOOKS": ","}, "HOOKS: names no hook"),
        ({"BIND": "8080"}, "BIND: '8080' is not an address with a port"),
        ({"BIND": "0.0.0.0:8080"}, "BIND: '0.0.0.0:8080' can be reached from other machines"),
        ({"METRICS_BIND": "a b"}, "METRICS_BIND: 'a b' is not an address"),
        ({"METRICS_PORT": "http"}, "METRICS_PORT: 'http' is not a port"),
        ({"METRICS_PORT": "8080"}, "METRICS_PORT: 8080 is the port of BIND"),
        ({"HOOK_DEADLINE": "8"}, "HOOK_DEADLINE: '8' is not a duration"),
        ({"HOOK_DEADLINE": "0s"}, "HOOK_DEADLINE: '0s' is not from 1s to 300s"),
        ({"BIND": "hunter2-is-the-secret:1"}, "BIND: 'hunt…' (23 characters) can be reached"),
        ({"DRIFT_SHARE": "0%"}, "DRIFT_SHARE: '0%' is not from 0.1% to 100%"),
        ({"DRIFT_SHARE": "101%"}, "DRIFT_SHARE: '101%' is not from 0.1% to 100%"),
        ({"DRIFT_SHARE": "0.05"}, "DRIFT_SHARE: '0.05' is not from 0.1% to 100%; write"),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL: 'loud' is not one of debug, info, warn, error"),
        ({"LEGACY_NODE_LABELS": "x"}, "LEGACY_NODE_LABELS: 'x' is not one of auto"),
        ({"DEFAULT_LOAD_BALANCER_CLASS": "x"}, "DEFAULT_LOAD_BALANCER_CLASS: 'x' is not one"),
        ({"WATCH_NAMESPACE": "a,B"}, "WATCH_NAMESPACE: 'a,B' cannot name a Kubernetes object"),
        ({"OPERATOR_NAME": "a b"}, "OPERATOR_NAME: 'a b' cannot name a Kubernetes object"),
        (
            {"DEFAULT_LOAD_BALANCER_NETWORK": "net 1"},
            "DEFAULT_LOAD_BALANCER_NETWORK: 'net 1' is not an id of CloudStack",
        ),
        ({"POD_NAME": "a b"}, "POD_NAME: 'a b' cannot name a Kubernetes object"),
        ({"POD_NAME": "SECRET-1" * 3}, "POD_NAME: 'SECR…' (24 characters) cannot name"),
        ({"HOOKS": "nodes," + "SECRET-1" * 3}, "HOOKS: 'SECR…' (24 characters) is not one of"),
        ({"POD_NAMESPACE": "a/b"}, "POD_NAMESPACE: 'a/b' cannot name a Kubernetes object"),
        (
            {"TARGET_CLUSTER_DEFAULT_KUBECONFIG_SECRET": "a/b"},
            "TARGET_CLUSTER_DEFAULT_KUBECONFIG_SECRET: 'a/b' cannot name a Kubernetes object",
        ),
        (
            {"TARGET_CLUSTER_ALLOWED_NETWORKS": "10.0.0.1/8"},
            "TARGET_CLUSTER_ALLOWED_NETWORKS: '10.0.0.1/8' is not a list of networks",
        ),
        (
            {"TARGET_CLUSTER_ALLOWED_PROXIES": "a, http://b"},
            "TARGET_CLUSTER_ALLOWED_PROXIES: 'a, http://b' names 'http://b'; must be a host,",
        ),
        (
            {"TARGET_CLUSTER_ALLOW_HTTP_CREDENTIALS": "yes"},
            "TARGET_CLUSTER_ALLOW_HTTP_CREDENTIALS: 'yes' is not one of true, false",
        ),
        (
            {"TARGET_CLUSTER_ACCOUNT_NAMESPACES": "a,*"},
            "TARGET_CLUSTER_ACCOUNT_NAMESPACES: 'a,*' cannot name a Kubernetes object",
        ),
        (
            {"TARGET_CLUSTER_ACCOUNT_NAMESPACES": "a", "CLOUD_CONFIG": ""},
            "TARGET_CLUSTER_ACCOUNT_NAMESPACES: needs the account of CLOUD_CONFIG",
        ),
        ({"CLOUD_CONFIG": ""}, "CLOUD_CONFIG: is needed by nodes, loadbalancers"),
        ({"CLOUD_CONFIG": "/no/file"}, "CLOUD_CONFIG: /no/file: No such file"),
        ({"CLOUD_CONFIG": "/"}, "CLOUD_CONFIG: /: Is a directory"),
        ({"HOOKS_TOKEN_FILE": "/no/file"}, "HOOKS_TOKEN_FILE: /no/file: No such file"),
        ({"HOOKS_TOKEN_FILE": "SECRET-1"}, "HOOKS_TOKEN_FILE: the file: No such file"),
        ({"KUBECONFIG_FILE": ""}, "KUBECONFIG_FILE: is needed outside of a pod"),
        ({"KUBECONFIG_FILE": "/no/file"}, "KUBECONFIG_FILE: /no/file: No such file"),
        ({"TLS_CERT_FILE": "/c"}, "TLS_CERT_FILE, TLS_KEY_FILE: one is set without"),
        ({"TLS_KEY_FILE": "/k"}, "TLS_CERT_FILE, TLS_KEY_FILE: one is set without"),
        ({"TLS_CLIENT_CA_FILE": "/etc/passwd"}, "TLS_CLIENT_CA_FILE: needs TLS_CERT_FILE"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_a_bad_setting_is_named_with_its_value_and_what_would_be_right(
    problems: Callable[[dict[str, str]], list[str]], environ: dict[str, str], start: str
) -> None:
    assert any(problem.startswith(start) for problem in problems(environ))


def test_every_problem_is_named_at_once(
    problems: Callable[[dict[str, str]], list[str]], tmp_path: Path
) -> None:
    cloud = tmp_path / "bad-cloud-config"
    cloud.write_text("[Global]\napi-url = nowhere\nsecret-key = SECRET-1\n")
    named = problems(
        {
            "HOOKS": "pods",
            "METRICS_PORT": "many",
            "CLOUD_CONFIG": str(cloud),
            "HOOKS_TOKEN_FILE": "/no/file",
            "KUBECONFIG_FILE": str(cloud),
            "TLS_CERT_FILE": str(cloud),
            "TLS_KEY_FILE": str(cloud),
            "TLS_CLIENT_CA_FILE": str(cloud),
        }
    )
    assert [problem.partition(":")[0] for problem in named] == [
        "METRICS_PORT",
        "CLOUD_CONFIG",
        "CLOUD_CONFIG",
        "HOOKS_TOKEN_FILE",
        "TLS_CERT_FILE, TLS_KEY_FILE",
        "KUBECONFIG_FILE",
        "HOOKS",
    ]


@pytest.mark.parametrize(
    "content",
    ["", "just words", "[1, 2]", "a: [", "clusters: 1\ncurrent-context: a", "\x00", "- a: {b"],
    ids=["empty", "words", "list", "broken", "wrong types", "binary", "broken list"],
)
def test_what_is_no_kubeconfig_is_refused(
    problems: Callable[[dict[str, str]], list[str]], tmp_path: Path, content: str
) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(content)
    assert problems({"KUBECONFIG_FILE": str(path)}) == [
        f"KUBECONFIG_FILE: {path}: is not a kubeconfig"
    ]


def test_good_files_are_taken(read: Read, tmp_path: Path, certificates: Certificates) -> None:
    tokens, kubeconfig = tmp_path / "tokens", tmp_path / "kubeconfig"
    tokens.write_text("SECRET-1\n")
    kubeconfig.write_text(KUBECONFIG)
    config = read(
        {
            "BIND": "0.0.0.0:8443",
            "HOOKS_TOKEN_FILE": str(tokens),
            "KUBECONFIG_FILE": str(kubeconfig),
            "TLS_CERT_FILE": str(certificates.server_cert),
            "TLS_KEY_FILE": str(certificates.server_key),
            "TLS_CLIENT_CA_FILE": str(certificates.authority),
        }
    )
    assert config.tokens is not None
    assert config.tokens.current().admit("SECRET-1")
    assert config.cloud_config is not None
    assert config.cloud_config.current().secret_key == "SECRET-1"
    assert "SECRET-1" not in repr(config)
    assert "KEY-1" not in repr(config)


def test_a_key_that_is_not_the_certificates_is_refused(
    problems: Callable[[dict[str, str]], list[str]], certificates: Certificates
) -> None:
    named = problems(
        {
            "TLS_CERT_FILE": str(certificates.server_cert),
            "TLS_KEY_FILE": str(certificates.client_key),
        }
    )
    assert len(named) == 1
    assert "MISMATCH" in named[0]


def test_what_is_no_certificate_authority_is_refused(
    problems: Callable[[dict[str, str]], list[str]], certificates: Certificates
) -> None:
    named = problems(
        {
            "TLS_CERT_FILE": str(certificates.server_cert),
            "TLS_KEY_FILE": str(certificates.server_key),
            "TLS_CLIENT_CA_FILE": str(certificates.server_key),
        }
    )
    assert len(named) == 1
    assert named[0].startswith(f"TLS_CLIENT_CA_FILE: {certificates.server_key}: ")


def test_without_a_hook_that_needs_it_no_cloud_config_is_asked_for(read: Read) -> None:
    assert read({"HOOKS": "targetclusters,services", "CLOUD_CONFIG": ""}).cloud_config is None


@pytest.mark.parametrize(
    ("environ", "namespace_file", "watched"),
    [
        pytest.param({}, "", (), id="nowhere in Kubernetes: all"),
        pytest.param({}, "from-file\n", ("from-file",), id="the service account's"),
        pytest.param({"POD_NAMESPACE": "mine"}, "from-file", ("mine",), id="the pod's"),
        pytest.param(
            {"POD_NAMESPACE": "mine", "WATCH_NAMESPACE": "a"}, "", ("a",), id="another one"
        ),
        pytest.param({"WATCH_NAMESPACE": "a, b"}, "from-file", ("a", "b"), id="several"),
        pytest.param({"WATCH_NAMESPACE": ""}, "from-file", (), id="set but empty: all"),
    ],
)
def test_the_watched_namespaces_default_to_the_own(
    read: Read,
    tmp_path: Path,
    environ: dict[str, str],
    namespace_file: str,
    watched: tuple[str, ...],
) -> None:
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    if namespace_file:
        (folder / "namespace").write_text(namespace_file)
    assert read(environ, "serviceaccount").watch_namespaces == watched


@pytest.mark.parametrize(
    ("host", "files", "is_pod"),
    [
        pytest.param("10.0.0.1", ("token", "ca.crt"), True, id="both"),
        pytest.param("10.0.0.1", ("ca.crt",), False, id="no token"),
        pytest.param("", ("token", "ca.crt"), False, id="no API server"),
    ],
)
def test_a_pod_needs_no_kubeconfig(
    read: Read, tmp_path: Path, host: str, files: tuple[str, ...], is_pod: bool
) -> None:
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    for file in files:
        (folder / file).write_text("x")
    environ = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": "443"}
    environ["KUBECONFIG_FILE"] = ""
    if is_pod:
        assert read(environ, "serviceaccount").api_server.host == "https://10.0.0.1:443"
    else:
        with pytest.raises(SettingsError, match="KUBECONFIG_FILE: is needed outside of a pod"):
            read(environ, "serviceaccount")


def test_an_ambient_kubeconfig_changes_nothing(read: Read, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(KUBECONFIG)
    assert read({"KUBECONFIG": str(path), "HOME": str(tmp_path)}) == read()


def test_every_setting_has_a_variable_of_its_own_and_a_default_that_works() -> None:
    variables = [setting.variable for setting in settings().values()]
    assert len(set(variables)) == len(variables)
    for setting in settings().values():
        setting.parse(setting.default)


def test_settings_cannot_be_changed(read: Read) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        read().log_level = "debug"  # type: ignore[misc]


def test_no_call_outlives_what_its_leases_and_records_count_for(read: Read) -> None:
    """A longer call would lose its lease, and its record of an address, while it works."""
    longest = LONGEST_CALL - JOB_SECONDS
    assert read({"HOOK_DEADLINE": f"{longest:g}s"}).hook_deadline == longest
    with pytest.raises(SettingsError, match=f"HOOK_DEADLINE: .* is not from 1s to {longest:g}s"):
        read({"HOOK_DEADLINE": f"{longest + 1:g}s"})
    assert MAX_JOB_AGE == JOB_SECONDS
