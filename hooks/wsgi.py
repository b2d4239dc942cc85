"""Puts the process together: settings, clients, hooks, and which app answers at which port."""

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from functools import lru_cache
from logging.config import dictConfig
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from prometheus_client import disable_created_metrics

from hooks.cloudstack import Cloud, CloudConfig, open_cloud
from hooks.cloudstack.errors import Unreachable
from hooks.kube.client import ApiServer
from hooks.kube.events import Event
from hooks.kube.recorder import EventRecorder
from hooks.server.app import create_app
from hooks.server.auth import Authenticator
from hooks.server.logs import logging_config
from hooks.server.metrics import Metrics, create_metrics_app, process_registry
from hooks.server.tls import PortContext
from hooks.settings.config import Config, from_environ
from hooks.settings.parsing import SettingsError
from hooks.webhook.hook import Dependencies, Hook

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

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
        self._tls: PortContext | None = None
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

    def application(self) -> "WSGIApplication":
        """Build the clients, the hooks and the apps, for one worker."""
        config = self._config or self.boot(os.environ)
        logging.captureWarnings(True)
        disable_created_metrics()  # type: ignore[no-untyped-call]
        threading.excepthook = _log_thread_death
        metrics = Metrics(process_registry())
        metrics.watch(config.cloud, config.tokens, config.certificates)
        if config.certificates is not None:
            self._tls = PortContext(config.certificates.current, plain_port=config.metrics_port)
        certificates = bool(config.tls_client_ca_file)
        app = create_app(
            self._hooks(config, metrics),
            authenticator=Authenticator(config.tokens, client_certificates=certificates),
            metrics=metrics,
            deadline_seconds=config.hook_deadline,
        )
        metrics_app = create_metrics_app(metrics.registry)
        return _by_port({config.metrics_port: metrics_app}, otherwise=app)

    def close(self) -> None:
        """End what runs in the background, when a worker ends."""
        self._background.close()

    def tls(self) -> PortContext:
        """Return the TLS context for gunicorn; there are certificates."""
        if self._tls is None:
            raise RuntimeError("no application with certificates has been built")
        return self._tls

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


def application() -> "WSGIApplication":
    """Build what gunicorn serves."""
    return process.application()


def _cloud(config: Config, metrics: Metrics) -> Callable[[], Cloud]:
    """Return a function that returns the CloudStack of the newest cloud-config."""
    file = config.cloud
    if file is None:
        return _no_cloud

    @lru_cache(maxsize=1)  # an equal content, such as another comment, keeps the cloud
    def make(cloud: CloudConfig) -> Cloud:
        return open_cloud(
            cloud,
            observer=metrics.cloudstack_call,
            cache_observer=metrics.cache_request,
            vm_cache_ttl=config.vm_cache_ttl,
        )

    make(file.current())  # before calls at once would each make one
    return lambda: make(file.current())


def _no_cloud() -> Cloud:
    raise Unreachable("CloudStack", "CLOUD_CONFIG names no cloud-config", sent=False)


def _by_port(
    apps: Mapping[int, "WSGIApplication"], *, otherwise: "WSGIApplication"
) -> "WSGIApplication":
    """Make an app that passes a call on by the port of its connection."""

    def dispatch(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        return apps.get(int(environ["SERVER_PORT"]), otherwise)(environ, start)

    return dispatch


def _log_thread_death(death: threading.ExceptHookArgs) -> None:
    """Log the error that ended a thread, in the form of all other lines."""
    name = death.thread.name if death.thread else "?"
    info = (death.exc_type, death.exc_value or death.exc_type(), death.exc_traceback)
    _log.error("thread ended by an error", extra={"thread_name": name}, exc_info=info)
