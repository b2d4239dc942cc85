"""Puts the process together: settings, clients, hooks, and which app answers at which port."""

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from importlib import import_module
from logging.config import dictConfig
from typing import TYPE_CHECKING

from prometheus_client import disable_created_metrics

from hooks.cloudstack import Cloud, CloudConfig, open_cloud
from hooks.cloudstack.errors import Unreachable
from hooks.kube.client import ApiServer
from hooks.kube.events import Event
from hooks.kube.recorder import EventRecorder, Source
from hooks.server.app import create_app
from hooks.server.auth import Authenticator
from hooks.server.logs import logging_config
from hooks.server.metrics import Metrics, create_metrics_app, process_registry
from hooks.server.tls import PortContext
from hooks.settings.certificates import server_context
from hooks.settings.cloud_config import follow_cloud_config
from hooks.settings.config import Config, SettingsError, from_environ
from hooks.settings.reloading import OnReload, ReloadingFile
from hooks.settings.tokens import read_tokens
from hooks.webhook.hook import Dependencies, Hook

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: The exit code of a process whose settings cannot work.
BAD_SETTINGS = 2
#: The names that HOOKS may hold, and the module whose `build` makes each; no other is imported.
HOOKS = {
    "nodes": "hooks.nodes.hook",
    "services": "hooks.services.hook",
    "loadbalancers": "hooks.loadbalancers.hook",
    "targetclusters": "hooks.targetclusters.hook",
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
        on_reload = partial(_on_reload, metrics)
        self._tls = _tls(config, on_reload)
        app = create_app(
            self._hooks(config, metrics, on_reload),
            authenticator=_authenticator(config, on_reload),
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

    def _hooks(self, config: Config, metrics: Metrics, on_reload: OnReload) -> dict[str, Hook]:
        """Build the hooks that are served, on one connection to the API server."""
        kube = ApiServer.of(config.api_server)
        source = Source(config.operator_name, config.pod_name)
        recorder = EventRecorder(kube, source=source, on_drop=metrics.event_dropped)
        self._background.callback(recorder.close)

        def record(event: Event) -> None:
            metrics.event(event)
            recorder(event)

        cloud = _cloud(config, metrics, on_reload)
        dependencies = Dependencies(config, cloud, kube, record, metrics.registry)
        hooks = {name: import_module(HOOKS[name]).build(dependencies) for name in config.hooks}
        for hook in hooks.values():
            if close := getattr(hook, "close", None):
                self._background.callback(close)
        return hooks


process = Process()


def application() -> "WSGIApplication":
    """Build what gunicorn serves."""
    return process.application()


def _cloud(config: Config, metrics: Metrics, on_reload: OnReload) -> Callable[[], Cloud]:
    """Return a function that returns the CloudStack of the newest cloud-config."""
    if config.cloud is None:
        return _no_cloud

    def make(cloud: CloudConfig) -> Cloud:
        return open_cloud(
            cloud,
            observer=metrics.cloudstack_call,
            cache_observer=metrics.cache_request,
            vm_cache_ttl=config.vm_cache_ttl,
        )

    path = config.cloud_config_file
    file = follow_cloud_config(path, config.cloud, make, on_reload=on_reload, warn=_log.warning)
    return file.current


def _no_cloud() -> Cloud:
    raise Unreachable("CloudStack", "CLOUD_CONFIG names no cloud-config", sent=False)


def _tls(config: Config, on_reload: OnReload) -> PortContext | None:
    """Make the TLS context of the hooks' port, which follows the certificate files."""
    if config.certificates is None:
        return None
    paths = config.tls_cert_file, config.tls_key_file, config.tls_client_ca_file
    certificates = ReloadingFile(
        "certificates",
        tuple(filter(None, paths)),
        lambda: server_context(*paths),
        first=config.certificates,
        on_reload=on_reload,
    )
    return PortContext(certificates.current, plain_port=config.metrics_port)


def _authenticator(config: Config, on_reload: OnReload) -> Authenticator:
    """Make what admits callers; a rotated token counts at the next call."""
    tokens = None
    if config.tokens is not None:
        path = config.token_file
        tokens = ReloadingFile(
            "tokens",
            (path,),
            lambda: read_tokens(path),
            first=config.tokens,
            on_reload=on_reload,
        )
    return Authenticator(tokens, client_certificates=bool(config.tls_client_ca_file))


def _on_reload(metrics: Metrics, file: str, problem: str | None) -> None:
    """Log and count that a file was read again."""
    metrics.config_file(file, good=problem is None)
    if problem is None:
        _log.info("file read", extra={"file": file})
    else:
        extra = {"file": file, "problem": problem}
        _log.error("file refused, its former content stays in use", extra=extra)


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
