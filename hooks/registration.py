"""`python -m hooks.registration`: tells Metacontroller which controllers call this pod's hooks.

kubectl looks up the kinds of all objects in a file before it applies the first. So no file can hold
CompositeControllers and DecoratorControllers together with the CRDs of these kinds and be applied
in one go; an init container that runs this applies them instead, once their kinds are served.
"""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from logging.config import dictConfig
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import APPLY_PATCH, ApiServer, Kube, KubeError, KubeUnreachable, NotFound
from hooks.server.logs import logging_config
from hooks.settings.config import Config, SettingsError, from_environ
from hooks.wsgi import BAD_SETTINGS, HOOKS

#: The controllers as they are in the image, aimed at nowhere in particular.
CONTROLLERS = Path(__file__).resolve().parent.parent / "metacontroller"
PLURALS = {
    "CompositeController": "compositecontrollers",
    "DecoratorController": "decoratorcontrollers",
}
#: By this label a Metacontroller is told which controllers are its own.
LABEL_OWNER = "app.kubernetes.io/name"
#: What a process exits with that could not do it.
NOT_REGISTERED = 1
#: Seconds until it gives up, for kubelet to start it again.
REGISTRATION_TIMEOUT = 60.0
#: Seconds between looks for kinds that are not served yet.
RETRY_PAUSE = 0.5

_log = logging.getLogger("hooks.registration")


def controllers(config: Config, folder: Path = CONTROLLERS) -> Iterator[Json]:
    """Yield the controllers of the hooks that the settings name, aimed at where these listen."""
    for file in sorted(folder.glob("*.yaml")):
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
        if found.get("kind") in PLURALS and _hooks_of(found) <= set(config.hooks):
            yield _aimed(found, str(config.bind), config.operator_name)


def _webhooks(controller: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [hook["webhook"] for hook in controller["spec"]["hooks"].values()]


def _hooks_of(controller: Mapping[str, Any]) -> set[str]:
    """Name the hooks that a controller calls, by the first part of their paths."""
    return {urlsplit(hook["url"]).path.split("/")[1] for hook in _webhooks(controller)}


def _aimed(controller: dict[str, Any], address: str, owner: str) -> Json:
    """Answer a controller that has just been read, changed to call an address."""
    for hook in _webhooks(controller):
        hook["url"] = urlsplit(hook["url"])._replace(scheme="http", netloc=address).geturl()
    controller["metadata"]["labels"][LABEL_OWNER] = owner
    return controller


def register(
    kube: Kube,
    controller: Json,
    *,
    owner: str,
    deadline: Deadline,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Apply one controller, and wait while its kind is not served or nobody answers.

    Raises KubeRefused where it is refused, NotFound or KubeUnreachable when time is up.
    """
    api = f"/apis/{controller['apiVersion']}/{PLURALS[controller['kind']]}"
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


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Register the controllers of the hooks that the environment names; return the exit code."""
    try:
        config = from_environ(environ, known_hooks=HOOKS, warn=_log.warning)
    except SettingsError as error:
        sys.stderr.writelines(f"{problem}\n" for problem in error.problems)
        return BAD_SETTINGS
    if not config.bind.is_loopback():
        told = "a Metacontroller outside of the pod is told of its controllers by manifests"
        sys.stderr.write(f"BIND: {str(config.bind)!r} is not 127.0.0.1; {told}\n")
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
