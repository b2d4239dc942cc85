"""Puts the process together: settings, clients, hooks, and which app answers at which port."""

import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from logging.config import dictConfig
from pkgutil import resolve_name

from prometheus_client import disable_created_metrics

from hooks.cloudstack import Cloud, CloudConfig
from hooks.cloudstack.cache import LONGEST_FETCH
from hooks.cloudstack.errors import Unreachable
from hooks.kube.client import ApiServer
from hooks.kube.counted import CountedKube
from hooks.kube.events import Event
from hooks.kube.recorder import EventRecorder
from hooks.server.app import create_app
from hooks.server.apps import Apps
from hooks.server.auth import Authenticator
from hooks.server.logs import logging_config
from hooks.server.metrics import Metrics, create_metrics_app, process_registry
from hooks.settings.config import Config, HookEntry, from_environ
from hooks.settings.parsing import SettingsError
from hooks.webhook.hook import Dependencies, Hook

#: The exit code of a process whose settings cannot work.
BAD_SETTINGS = 2
#: The part of HOOK_DEADLINE for which a body may wait for memory; the call has the rest.
HELD_PART = 0.5
#: The hooks by the names that HOOKS may hold; no other hook's module is imported.
HOOKS = {
    "nodes": HookEntry("hooks.nodes.hook:NodesHook", needs_cloudstack=True),
    "services": HookEntry("hooks.services.hook:ServicesHook"),
    "loadbalancers": HookEntry("hooks.loadbalancers.hook:LoadBalancersHook", needs_cloudstack=True),
    "targetclusters": HookEntry("hooks.targetclusters.hook:TargetClustersHook"),
    "status": HookEntry("hooks.status.hook:StatusHook"),
}

_log = logging.getLogger("hooks.process")


class Process:
    """One gunicorn process: the settings in use, and what its worker makes of them.

    Gunicorn runs its configuration file again on SIGHUP, so the settings in use are kept here.
    """

    def __init__(self) -> None:
        self._config: Config | None = None
        self._background = ExitStack()

    def boot(self, environ: Mapping[str, str]) -> Config:
        """Read the settings; if they cannot work, name every problem and end the process.

        A running process keeps the settings that it has.
        """
        if self._config is None:
            dictConfig(logging_config("info"))
        try:
            self._config = from_environ(environ, known_hooks=HOOKS, warn=_log.warning)
        except SettingsError as error:
            for problem in error.problems:
                _log.error("setting refused", extra={"problem": problem})
            if self._config is None:
                sys.exit(BAD_SETTINGS)
            _log.error("the former settings stay in use")
        return self._config

    def application(self) -> Apps:
        """Build the clients, the hooks and the apps, for one worker."""
        config = self._config or self.boot(os.environ)
        logging.captureWarnings(True)
        disable_created_metrics()  # type: ignore[no-untyped-call]
        threading.excepthook = _log_thread_death
        metrics = Metrics(process_registry())
        metrics.watch(config.cloud_config, config.tokens, config.certificates)
        certificates = bool(config.tls_client_ca_file)
        authenticator = Authenticator(config.tokens, client_certificates=certificates)
        hooks = self._hooks(config, metrics)
        app = create_app(
            hooks,
            authenticator=authenticator,
            metrics=metrics,
            deadline_seconds=config.hook_deadline,
        )
        metrics_app = create_metrics_app(metrics.registry)
        context = config.certificates.current if config.certificates else None
        return Apps(
            app,
            metrics_app,
            config.metrics_port,
            authenticator,
            paths=frozenset(path for hook in hooks.values() for path in hook.routes),
            on_drop=metrics.connection_dropped,
            held_seconds=config.hook_deadline * HELD_PART,
            context=context,
            pages=frozenset(path for hook in hooks.values() for path in hook.pages),
        )

    def close(self) -> None:
        """End what runs in the background, when a worker ends."""
        self._background.close()

    def _hooks(self, config: Config, metrics: Metrics) -> dict[str, Hook]:
        """Build the hooks that are served, on one connection to the API server."""
        kube = CountedKube(ApiServer.of(config.api_server), metrics.kube_call)
        source = config.operator_name, config.pod_name
        recorder = EventRecorder(kube, source=source, on_drop=metrics.event_dropped)
        self._background.callback(recorder.close)

        def record(event: Event) -> None:
            metrics.event(event)
            recorder(event)

        cloud = _cloud(config, metrics)
        dependencies = Dependencies(config, cloud, kube, record, metrics.registry)
        hooks = {name: resolve_name(HOOKS[name].path)(dependencies) for name in config.hooks}
        for hook in hooks.values():
            self._background.callback(hook.close)
        return hooks


def newest_cloud(
    read: Callable[[], CloudConfig], make: Callable[[CloudConfig], Cloud], *, closing_delay: float
) -> Callable[[], Cloud]:
    """Return a function that returns the CloudStack of the newest cloud-config.

    It closes a replaced one `closing_delay` seconds later, when no call uses it any more. An equal
    cloud-config, as after a change of a comment, replaces none.
    """
    lock, cloud = threading.Lock(), make(read())

    def newest() -> Cloud:
        nonlocal cloud
        with lock:
            config = read()
            if config != cloud.config:
                timer = threading.Timer(closing_delay, cloud.close)
                timer.daemon = True
                timer.start()
                cloud = make(config)
            return cloud

    return newest


process = Process()
#: What gunicorn calls for what it serves.
application = process.application


def _cloud(config: Config, metrics: Metrics) -> Callable[[], Cloud]:
    """Return a function that returns the CloudStack of the newest cloud-config."""
    file = config.cloud_config
    if file is None:
        return _no_cloud

    make = partial(
        Cloud,
        observer=metrics.cloudstack_call,
        cache_observer=metrics.cache_request,
        vm_cache_ttl=config.vm_cache_ttl,
    )
    return newest_cloud(file.current, make, closing_delay=config.hook_deadline + LONGEST_FETCH)


def _no_cloud() -> Cloud:
    """Guard against a hook that uses it without saying so in HOOKS."""
    raise Unreachable("CloudStack", "CLOUD_CONFIG names no cloud-config", sent=False)


def _log_thread_death(death: threading.ExceptHookArgs) -> None:
    """Log the error that ended a thread, in the form of all other lines."""
    name = death.thread.name if death.thread else "?"
    info = (death.exc_type, death.exc_value or death.exc_type(), death.exc_traceback)
    _log.error("thread ended by an error", extra={"thread_name": name}, exc_info=info)
