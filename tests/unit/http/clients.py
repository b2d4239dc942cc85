"""The three clients that are built on the transport, each as the hooks make it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path

from kubernetes.client import Configuration

from hooks.cloudstack import Cloud, CloudConfig
from hooks.cloudstack.errors import CloudStackError
from hooks.cloudstack.models.account import Capabilities
from hooks.http.answer_memory import AnswerBounds
from hooks.http.deadline import Deadline
from hooks.kube.client import ApiServer, KubeError
from hooks.targetclusters.access import connector
from hooks.targetclusters.access.kubeconfig import Kubeconfig
from tests.targets.certificates import Authority
from tests.targets.objects import ON_LOOPBACK

AUTHORITY = Authority()
SERVER = AUTHORITY.issue(host="127.0.0.1")
#: What a client raises when a server does not answer as it should.
ERRORS = (CloudStackError, KubeError)

#: Asks a server at a URL for something within so many seconds, trusting the authorities in a file.
Ask = Callable[[str, float, Path], object]


def ask_cloudstack(url: str, seconds: float, ca: Path) -> object:
    config = CloudConfig(f"{url}/client/api", "key-of-the-account", "secret-key", ca_file=str(ca))
    with closing(Cloud(config)) as cloud:
        return cloud.client.one(Capabilities, Deadline(seconds))


def ask_own_api_server(url: str, seconds: float, ca: Path) -> object:
    configuration = Configuration(host=url)
    configuration.ssl_ca_cert = str(ca)
    with closing(ApiServer.of(configuration)) as api:
        return api.get("/version", deadline=Deadline(seconds))


def connect(config: Kubeconfig, max_answer_bytes: int) -> AbstractContextManager[ApiServer]:
    context = connector.tls_context(config)
    return connector.connect(
        config,
        context,
        user_agent="tests",
        bounds=AnswerBounds(max_answer_bytes),
        destinations=ON_LOOPBACK,
    )


def ask_target(url: str, seconds: float, ca: Path) -> object:
    with connect(Kubeconfig(url, ca=ca.read_text()), 4 * 1024 * 1024) as api:
        return api.get("/version", deadline=Deadline(seconds))


CLIENTS = {
    "CloudStack": ask_cloudstack,
    "own API server": ask_own_api_server,
    "target cluster": ask_target,
}
