"""`python -m hooks.registration`: applies the controllers that call the hooks of this pod.

kubectl looks up the kinds of all objects in a file before it applies the first. So no file can
hold the CRDs of CompositeControllers and DecoratorControllers together with such objects. An init
container that runs this applies them instead, once their kinds are served.
"""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from logging.config import dictConfig
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import APPLY_PATCH, ApiServer, Kube, KubeError, KubeUnreachable, NotFound
from hooks.kube.objects import part
from hooks.names import LABEL_OWNER
from hooks.server.logs import logging_config
from hooks.settings.config import Config, from_environ
from hooks.settings.parsing import SettingsError
from hooks.wsgi import BAD_SETTINGS, HOOKS

#: The controllers in the image; their webhooks have no address of this pod yet.
CONTROLLERS = Path(__file__).resolve().parent.parent / "metacontroller"
#: The exit code of a process that could not register the controllers.
NOT_REGISTERED = 1
#: Seconds until it gives up, for kubelet to start it again, and between two attempts.
REGISTRATION_TIMEOUT = 60.0
RETRY_PAUSE = 0.5

_log = logging.getLogger("hooks.registration")


def controllers(config: Config, folder: Path = CONTROLLERS) -> Iterator[Json]:
    """Yield the controllers of the hooks that are served, with the address of these hooks."""
    for file in sorted(folder.glob("*.yaml")):
        controller = yaml.safe_load(file.read_text(encoding="utf-8"))
        webhooks = [hook["webhook"] for hook in part(controller, "spec", "hooks").values()]
        paths = [urlsplit(webhook["url"]).path for webhook in webhooks]
        if paths and {path.split("/")[1] for path in paths} <= set(config.hooks):
            for webhook, path in zip(webhooks, paths, strict=True):
                webhook["url"] = f"http://{config.bind}{path}"
            controller["metadata"]["labels"][LABEL_OWNER] = config.operator_name
            yield controller


def register(
    kube: Kube,
    controller: Json,
    *,
    owner: str,
    deadline: Deadline,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Apply one controller; wait while its kind is not served or the API server does not answer.

    Raises:
        KubeRefused: it is refused.
        NotFound, KubeUnreachable: the time is up.
    """
    api = f"/apis/{controller['apiVersion']}/{controller['kind'].lower()}s"
    path = f"{api}/{controller['metadata']['name']}"
    params = {"fieldManager": owner, "force": "true"}
    while True:
        try:
            kube.patch(path, controller, deadline=deadline, content_type=APPLY_PATCH, params=params)
        except (NotFound, KubeUnreachable):
            if deadline.passed(margin=RETRY_PAUSE):
                raise
            pause(RETRY_PAUSE)
        else:
            _log.info("registered", extra={"path": path})
            return


def _check_reachable(config: Config) -> None:
    """Check that the pod's own Metacontroller can call the hooks. Raises SettingsError."""
    if not config.bind.is_loopback():
        raise SettingsError(
            f"BIND: {str(config.bind)!r} is not 127.0.0.1; a Metacontroller outside of the pod "
            "needs its controllers from manifests"
        )
    for variable, value in (
        ("HOOKS_TOKEN_FILE", config.token_file),
        ("TLS_CERT_FILE", config.tls_cert_file),
    ):
        if value:
            raise SettingsError(
                f"{variable}: {value!r} keeps the pod's own Metacontroller out, which calls hooks "
                "on 127.0.0.1 by plain HTTP and without a token; leave it empty"
            )


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Register the controllers of the hooks that the environment names; return the exit code."""
    dictConfig(logging_config("info"))
    try:
        config = from_environ(environ, known_hooks=HOOKS, warn=_log.warning)
        _check_reachable(config)
    except SettingsError as error:
        for problem in error.problems:
            _log.error("setting refused", extra={"problem": problem})
        return BAD_SETTINGS
    dictConfig(logging_config(config.log_level))
    kube = ApiServer.of(config.api_server)
    deadline = Deadline(REGISTRATION_TIMEOUT)
    try:
        for controller in controllers(config):
            register(kube, controller, owner=config.operator_name, deadline=deadline)
    except KubeError as error:
        _log.error("not registered", extra={"problem": str(error)})
        return NOT_REGISTERED
    return 0


if __name__ == "__main__":
    sys.exit(main())
