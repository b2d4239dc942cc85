"""Opens the CloudStack account of a TargetCluster: in the Secret that it names, or the operator's.

The author of a Secret is a tenant. So it may name neither a file of the operator nor a proxy, and
leads to no address that a kubeconfig may not lead to. The operator's account is for the namespaces
that its settings name, and for no others.
"""

import base64
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hooks.cloudstack import Cloud, CloudConfig, Guest
from hooks.cloudstack.operations import may_call
from hooks.http.answer_memory import AnswerBounds, AnswerMemory
from hooks.http.deadline import Deadline, Monotonic
from hooks.kube.client import METADATA, Kube, KubeError, NotFound
from hooks.kube.kinds import SECRET
from hooks.kube.objects import part
from hooks.settings.cloud_config import parse_cloud_config
from hooks.settings.parsing import SettingsError
from hooks.targetclusters.access.connector import MAX_VALUES
from hooks.targetclusters.access.destinations import Destinations
from hooks.targetclusters.health.model import Failure

#: The key of the Secret, as of the Secret of the CloudStack Kubernetes Provider.
KEY = "cloud-config"
MAX_CHARACTERS = 64 * 1024
#: Of an answer, and of a list. Nothing is listed that could be longer: VMs are read by id or name.
MAX_ANSWER_BYTES = 4 * 1024 * 1024
MAX_LISTED = 1000
#: Seconds for which it is known what the keys may do.
RIGHTS_TTL = 600.0
#: The setting that names who may use the operator's account.
OWN_ACCOUNT_SETTING = "TARGET_CLUSTER_ACCOUNT_NAMESPACES"
#: What the keys must be allowed to call.
NODE_COMMANDS = ("startVirtualMachine", "stopVirtualMachine", "rebootVirtualMachine")
CLUSTER_COMMANDS = ("startKubernetesCluster",)


class AccountError(Exception):
    """There is no account to repair with.

    Attributes:
        failure: why.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.failure = Failure("own", reason, message)


@dataclass(frozen=True)
class OwnAccount:
    """The account of the operator itself.

    Attributes:
        read: returns what its cloud-config says now.
        namespaces: those whose TargetClusters may be repaired with it.
    """

    read: Callable[[], CloudConfig]
    namespaces: tuple[str, ...]


@dataclass(frozen=True)
class _Opened:
    version: tuple[str, str] | CloudConfig
    cloud: Cloud


class Accounts:
    """The account of one TargetCluster; it keeps the client of the account's present version.

    Args:
        own: the API server with the Secrets.
        destinations: where a tenant's configuration may lead.
        memory: for answers, shared with those of target clusters.
        monotonic: monotonic seconds.
        operators: the account of the operator itself; None where it has none.
    """

    def __init__(
        self,
        own: Kube,
        destinations: Destinations,
        memory: AnswerMemory,
        monotonic: Monotonic,
        operators: OwnAccount | None = None,
    ) -> None:
        self._own = own
        self._operators = operators
        self._monotonic = monotonic
        self._rights: tuple[Cloud, tuple[str, ...], float, tuple[str, ...]] | None = None
        bounds = AnswerBounds(MAX_ANSWER_BYTES, MAX_VALUES, memory)
        self._guest = Guest(destinations.refusal, bounds, MAX_LISTED)
        self._lock = threading.Lock()
        self._opened: _Opened | None = None

    def open(self, namespace: str, secret: str, deadline: Deadline) -> Cloud:
        """Return the client of the account in a Secret, or of the operator's where none is named.

        Raises:
            AccountError: there is none.
        """
        return (
            self._open_secret(namespace, secret, deadline) if secret else self._open_own(namespace)
        )

    def _open_own(self, namespace: str) -> Cloud:
        if self._operators is None or namespace not in self._operators.namespaces:
            self.close()
            message = (
                "spec.cloudStack.configSecret is not set: name a Secret of this namespace with the "
                f"key {KEY}, or have the operator's setting {OWN_ACCOUNT_SETTING} name {namespace}"
            )
            raise AccountError("NoAccount", message)
        config = self._operators.read()
        with self._lock:
            if self._opened is not None and self._opened.version == config:
                return self._opened.cloud
        return self._keep(config, Cloud(config, vm_cache_ttl=0.0))

    def _open_secret(self, namespace: str, secret: str, deadline: Deadline) -> Cloud:
        path = SECRET.path(namespace, secret)
        try:
            metadata = part(self._own.get(path, deadline=deadline, accept=METADATA), "metadata")
            version = (path, f"{metadata.get('uid')}/{metadata.get('resourceVersion')}")
            with self._lock:
                if self._opened is not None and self._opened.version == version:
                    return self._opened.cloud
            found = self._own.get(path, deadline=deadline)
        except NotFound:
            self.close()
            message = f"Secret {secret} does not exist; it must hold the key {KEY}"
            raise AccountError("NoAccount", message) from None
        except KubeError as error:
            raise AccountError("NoAccount", f"Secret {secret} cannot be read: {error}") from error
        try:
            config = read_account(found)
        except SettingsError as error:
            problems = "; ".join(error.problems)
            raise AccountError("AccountInvalid", f"Secret {secret}: {problems}") from None
        metadata = part(found, "metadata")
        version = (path, f"{metadata.get('uid')}/{metadata.get('resourceVersion')}")
        return self._keep(version, Cloud(config, guest=self._guest))

    def _keep(self, version: tuple[str, str] | CloudConfig, cloud: Cloud) -> Cloud:
        self.close()
        with self._lock:
            self._opened = _Opened(version, cloud)
        return cloud

    def missing_rights(
        self, cloud: Cloud, deadline: Deadline, *, with_cluster: bool
    ) -> tuple[str, ...]:
        """Return the commands that the keys may not call, at most RIGHTS_TTL seconds old.

        Where CloudStack does not say, none is missing: the first repair shows it.

        Raises:
            CloudStackError: CloudStack gives no answer.
        """
        now, known = self._monotonic(), self._rights
        commands = (*NODE_COMMANDS, *(CLUSTER_COMMANDS if with_cluster else ()))
        if known is not None and known[0] is cloud and known[1] == commands:
            _, _, at, missing = known
            if now - at < RIGHTS_TTL:
                return missing
        missing = tuple(
            command for command in commands if may_call(cloud.client, command, deadline) is False
        )
        self._rights = cloud, commands, now, missing
        return missing

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            opened, self._opened = self._opened, None
        if opened is not None:
            opened.cloud.close()


def read_account(secret: Mapping[str, object]) -> CloudConfig:
    """Read the account in a Secret (core/v1). Raises SettingsError, which shows no value."""
    data = secret.get("data")
    encoded = data.get(KEY) if isinstance(data, dict) else None
    if not isinstance(encoded, str) or not encoded:
        raise SettingsError(f"needs the key {KEY}")
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except ValueError:
        raise SettingsError(f"key {KEY} is not a text in base64") from None
    if len(text) > MAX_CHARACTERS:
        raise SettingsError(f"key {KEY} has more than {MAX_CHARACTERS} characters")
    config = parse_cloud_config(text, warn=lambda _line: None)
    refused = [
        name for name, value in (("ca-file", config.ca_file), ("proxy", config.proxy)) if value
    ]
    if refused:
        raise SettingsError(*(f"{name} is not allowed here: leave it out" for name in refused))
    return config
