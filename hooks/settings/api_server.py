"""How to reach the API server: by a kubeconfig, or by the service account of a pod."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from kubernetes.client import Configuration
from kubernetes.config import ConfigException, load_kube_config
from kubernetes.config.incluster_config import InClusterConfigLoader

from hooks.http.tls import BadTrust, file_context
from hooks.kube.kubeconfigs import NAMED_LISTS, repeated_name
from hooks.settings.reloading import ReloadingFile

#: The folder of a pod's service account: its namespace, its token, the CA of the API server.
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
#: What the libraries raise for a file of another shape.
_MALFORMED = (ConfigException, ValueError, TypeError, LookupError, AttributeError, yaml.YAMLError)


def read_own_kubeconfig(path: str) -> Configuration:
    """Read a kubeconfig, and the files that it names; its server is not called.

    Raises:
        ValueError: with the problem, and no value of the file but names.
        OSError: the kubeconfig cannot be read.
    """
    # The library calls a file that it cannot read an empty one.
    text = Path(path).read_bytes()
    configuration = Configuration()
    try:
        load_kube_config(path, client_configuration=configuration)  # type: ignore[no-untyped-call]
        url = urlsplit(configuration.host)
        content = yaml.safe_load(text)
        found = {
            plural: repeated_name(each["name"] for each in content.get(plural) or ())
            for plural in NAMED_LISTS
        }
        context = _named(content, "context", content["current-context"])
        cluster = context["cluster"]
        has_proxy = bool(_named(content, "cluster", cluster).get("proxy-url"))
        if token_file := _named(content, "user", context.get("user")).get("tokenFile"):
            _follow_token(configuration, str(Path(path).parent / token_file))
    except OSError as error:
        raise ValueError(f"names a file that cannot be read: {error.filename}") from None
    except _MALFORMED as error:
        missing = f": {error}" if "File does not exist" in str(error) else ""
        raise ValueError(f"is not a kubeconfig{missing}") from None
    for plural, problem in found.items():
        if problem:
            raise ValueError(f"{plural}: {problem}")
    if has_proxy:
        raise ValueError(f"clusters[{cluster}].cluster.proxy-url: a proxy is not supported")
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise ValueError("the server of its current context is not an http or https URL")
    _check_certificates(configuration)
    return configuration


def _check_certificates(configuration: Configuration) -> None:
    cert, key = configuration.cert_file, configuration.key_file
    try:
        own = (cert, key) if cert and key else None
        file_context(configuration.ssl_ca_cert or "", certificate=own)
    except BadTrust as error:
        raise ValueError(f"its certificates cannot be used: {error}") from None


def _named(content: Any, kind: str, name: object) -> Any:  # noqa: ANN401 - a part of a kubeconfig
    """Return the context, cluster or user of a name; an empty one if there is none."""
    return next((each[kind] for each in content.get(f"{kind}s") or () if each["name"] == name), {})


def _follow_token(configuration: Configuration, path: str) -> None:
    """Use the token in a file, read again when the file changes; a bad one keeps the last token.

    Raises:
        OSError, ValueError: the first one is bad.
    """

    def read() -> str:
        if token := Path(path).read_text(encoding="ascii").strip():
            return f"Bearer {token}"
        raise ValueError(f"{path}: holds no token")

    token = ReloadingFile("token", (path,), read)

    def refresh(configuration: Configuration) -> None:
        configuration.api_key["BearerToken"] = token.current()

    configuration.refresh_api_key_hook = refresh  # type: ignore[assignment]
    refresh(configuration)


def is_pod(environ: Mapping[str, str], service_account: Path) -> bool:
    """Return whether the process runs in a pod with a service account."""
    return bool(environ.get("KUBERNETES_SERVICE_HOST")) and (service_account / "token").is_file()


def read_service_account(environ: Mapping[str, str], folder: str) -> Configuration:
    """Read a pod's service account, whose token is read again when it is due.

    Raises:
        ValueError: with the problem.
    """
    configuration = Configuration()
    loader = InClusterConfigLoader(  # type: ignore[no-untyped-call]
        f"{folder}/token", f"{folder}/ca.crt", environ=environ
    )
    try:
        loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
        _follow_token(configuration, f"{folder}/token")
    except (ConfigException, OSError) as error:
        raise ValueError(str(error)) from None
    return configuration


def own_servers(
    configuration: Configuration, environ: Mapping[str, str]
) -> tuple[tuple[str, int], ...]:
    """Return the hosts and ports of the API server: of its URL, and of the pod's variables."""
    url = urlsplit(configuration.host)
    port = url.port or (443 if url.scheme == "https" else 80)
    found = [(url.hostname or "", port)]
    service_port = environ.get("KUBERNETES_SERVICE_PORT", "")
    if host := environ.get("KUBERNETES_SERVICE_HOST"):
        found.append((host, int(service_port) if service_port.isdecimal() else 443))
    return tuple(dict.fromkeys(found))
