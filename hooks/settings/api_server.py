"""How to reach the API server: by a kubeconfig, or by the service account of a pod."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from kubernetes.client import Configuration
from kubernetes.config import ConfigException, load_kube_config
from kubernetes.config.incluster_config import InClusterConfigLoader

from hooks.http.tls import BadTrust, file_context

#: The folder of a pod's service account: its namespace, its token, the CA of the API server.
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def read_kubeconfig(path: str) -> Configuration:
    """Read a kubeconfig, and the files that it names; its server is not called.

    Raises:
        ValueError: with the problem, and no value of the file but names of files.
        OSError: the kubeconfig cannot be read.
    """
    Path(path).read_bytes()  # the library calls a file that it cannot read an empty one
    configuration = Configuration()
    try:
        load_kube_config(path, client_configuration=configuration)  # type: ignore[no-untyped-call]
        url = urlsplit(configuration.host)
    except OSError as error:
        raise ValueError(f"names a file that cannot be read: {error.filename}") from None
    except (ConfigException, ValueError, TypeError, AttributeError, yaml.YAMLError) as error:
        missing = f": {error}" if "File does not exist" in str(error) else ""
        raise ValueError(f"is not a kubeconfig{missing}") from None
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise ValueError("the server of its current context is not an http or https URL")
    cert, key = configuration.cert_file, configuration.key_file
    try:
        own = (cert, key) if cert and key else None
        file_context(configuration.ssl_ca_cert or "", certificate=own)
    except BadTrust as error:
        raise ValueError(f"its certificates cannot be used: {error}") from None
    return configuration


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
    except ConfigException as error:
        raise ValueError(str(error)) from None
    return configuration
