"""Puts the process together: settings, clients, hooks, and which app answers at which port."""

import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import lru_cache
from logging.config import dictConfig
from pkgutil import resolve_name

from prometheus_client import disable_created_metrics

from hooks.cloudstack import Cloud, CloudConfig
from hooks.cloudstack.errors import Unreachable
from hooks.kube.client import ApiServer
from hooks.kube.events import Event
from hooks.kube.recorder import EventRecorder
from hooks.server.app import create_app
from hooks.server.auth import Authenticator
from hooks.server.logs import logging_config
from hooks.server.metrics import Metrics, create_metrics_app, process_registry
from hooks.server.service import Service
from hooks.settings.config import Config, from_environ
from hooks.settings.parsing import SettingsError
from hooks.webhook.hook import Dependencies, Hook

#: The exit code of a process whose settings cannot work.
BAD_SETTINGS = 2
#: The names that HOOKS may hold, and the class of each; no other hook's module is imported.
HOOKS = {
    "nodes": "hooks.nodes.hook:NodesHook",
    "services": "hooks.services.hook:ServicesHook",
    "loadbalancers": "hooks.loadbalancers.hook:LoadBalancersHook",
    "targetclusters": "hooks.targetclusters.hook:TargetClustersHook",
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

    def application(self) -> Service:
        """Build the clients, the hooks and the apps, for one worker."""
        config = self._config or self.boot(os.environ)
        logging.captureWarnings(True)
        disable_created_metrics()  # type: ignore[no-untyped-call]
        threading.excepthook = _log_thread_death
        metrics = Metrics(process_registry())
        metrics.watch(config.cloud, config.tokens, config.certificates)
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
        return Service(
            app,
            metrics_app,
            config.metrics_port,
            authenticator,
            paths=frozenset(path for hook in hooks.values() for path in hook.routes),
            on_drop=metrics.connection_dropped,
            context=context,
        )

    def close(self) -> None:
        """End what runs in the background, when a worker ends."""
        self._background.close()

    def _hooks(self, config: Config, metrics: Metrics) -> dict[str, Hook]:
        """Build the hooks that are served, on one connection to the API server."""
        kube = ApiServer.of(config.api_server)
        source = config.operator_name, config.pod_name
        recorder = EventRecorder(kube, source=source, on_drop=metrics.event_dropped)
        self._background.callback(recorder.close)

        def record(event: Event) -> None:
            metrics.event(event)
            recorder(event)

        cloud = _cloud(config, metrics)
        dependencies = Dependencies(config, cloud, kube, record, metrics.registry)
        hooks = {name: resolve_name(HOOKS[name])(dependencies) for name in config.hooks}
        for hook in hooks.values():
            if close := getattr(hook, "close", None):
                self._background.callback(close)
        return hooks


process = Process()
#: What gunicorn calls for what it serves.
application = process.application


def _cloud(config: Config, metrics: Metrics) -> Callable[[], Cloud]:
    """Return a function that returns the CloudStack of the newest cloud-config."""
    file = config.cloud
    if file is None:
        return _no_cloud

    @lru_cache(maxsize=1)  # an equal content, such as another comment, keeps the cloud
    def make(cloud: CloudConfig) -> Cloud:
        return Cloud(
            cloud,
            observer=metrics.cloudstack_call,
            cache_observer=metrics.cache_request,
            vm_cache_ttl=config.vm_cache_ttl,
        )

    make(file.current())  # before calls at once would each make one
    return lambda: make(file.current())


def _no_cloud() -> Cloud:
    """Guard against a hook outside of NEED_CLOUDSTACK that uses it all the same."""
    raise Unreachable("CloudStack", "CLOUD_CONFIG names no cloud-config", sent=False)


def _log_thread_death(death: threading.ExceptHookArgs) -> None:
    """Log the error that ended a thread, in the form of all other lines."""
    name = death.thread.name if death.thread else "?"
    info = (death.exc_type, death.exc_value or death.exc_type(), death.exc_traceback)
    _log.error("thread ended by an error", extra={"thread_name": name}, exc_info=info)
