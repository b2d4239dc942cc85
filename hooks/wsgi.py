"""Puts the process together: settings, clients, hooks, and which app answers at which port."""

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from logging.config import dictConfig
from typing import TYPE_CHECKING

from prometheus_client import disable_created_metrics

from hooks.cloudstack import Cloud, CloudConfig, open_cloud
from hooks.cloudstack.errors import Unreachable
from hooks.kube.client import connect
from hooks.kube.events import Event
from hooks.kube.recorder import EventRecorder
from hooks.server.app import create_app
from hooks.server.auth import Authenticator, reloading_tokens
from hooks.server.logs import logging_config
from hooks.server.metrics import Metrics, create_metrics_app, process_registry
from hooks.server.tls import PortContext, reloading_certificates
from hooks.settings.certificates import CertificateFiles
from hooks.settings.cloud_config import CloudSource
from hooks.settings.config import Config, SettingsError, from_environ
from hooks.settings.reloading import OnReload
from hooks.webhook.hook import Dependencies, Hook

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: What a process exits with whose settings cannot work.
BAD_SETTINGS = 2

_log = logging.getLogger("hooks.process")


#: What HOOKS may name, and the module whose `build` makes it; only the modules named are loaded.
HOOKS = {
    "nodes": "hooks.nodes.hook",
    "services": "hooks.services.hook",
    "loadbalancers": "hooks.loadbalancers.hook",
    "targetclusters": "hooks.targetclusters.hook",
}


class Process:
    """One gunicorn process: the settings in use, and what its workers make of them.

    Gunicorn runs its configuration file again on SIGHUP, so the settings in use are kept here.
    """

    def __init__(self) -> None:
        self._config: Config | None = None
        self._tls: PortContext | None = None
        self._hooks: Mapping[str, Hook] = {}

    def boot(self, environ: Mapping[str, str]) -> Config:
        """Read the settings; where they cannot work, name every problem and end the process.

        A process that runs already goes on with the settings it has.
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
        on_reload = _on_reload(metrics)
        if config.certificates is not None:
            certificates = reloading_certificates(
                _files(config), config.certificates, on_reload=on_reload
            )
            self._tls = PortContext(certificates.current, plain_port=config.metrics_port)
        self._hooks = _hooks(config, metrics, on_reload)
        app = create_app(
            self._hooks,
            authenticator=_authenticator(config, on_reload),
            metrics=metrics,
            deadline_seconds=config.hook_deadline,
        )
        metrics_app = create_metrics_app(metrics.registry)
        return _by_port({config.metrics_port: metrics_app}, otherwise=app)

    def close(self) -> None:
        """End what hooks do in the background, when a worker ends."""
        for hook in self._hooks.values():
            end = getattr(hook, "close", None)
            if end is not None:
                end()

    def tls(self) -> PortContext:
        """Answer what gunicorn wraps connections with, where there are certificates."""
        if self._tls is None:
            raise RuntimeError("no application with certificates has been built")
        return self._tls


process = Process()


def application() -> "WSGIApplication":
    """Build what gunicorn serves."""
    return process.application()


def _hooks(config: Config, metrics: Metrics, on_reload: OnReload) -> dict[str, Hook]:
    """Build the hooks that are asked for, on one connection to the API server."""
    kube = connect(config.kubeconfig_file)
    record = EventRecorder(
        kube,
        component=config.operator_name,
        instance=config.pod_name,
        log=logging.getLogger("hooks.events"),
    )

    def record_and_count(event: Event) -> None:
        metrics.event(event)
        record(event)

    dependencies = Dependencies(
        config, _cloud(config, metrics, on_reload), kube, record_and_count, metrics.registry
    )
    return {name: import_module(HOOKS[name]).build(dependencies) for name in config.hooks}


def _cloud(config: Config, metrics: Metrics, on_reload: OnReload) -> Callable[[], Cloud]:
    """Make what gives the CloudStack that the cloud-config describes now."""
    if config.cloud is None:
        return _no_cloud

    def make(cloud: CloudConfig) -> Cloud:
        return open_cloud(
            cloud,
            observer=metrics.cloudstack_call,
            cache_observer=metrics.cache_request,
            vm_cache_ttl=config.vm_cache_ttl,
        )

    source = CloudSource(
        config.cloud_config_file, config.cloud, make, on_reload=on_reload, warn=_log.warning
    )
    return source.current


def _no_cloud() -> Cloud:
    raise Unreachable("CloudStack", "CLOUD_CONFIG names no cloud-config", sent=False)


def _files(config: Config) -> CertificateFiles:
    return CertificateFiles(config.tls_cert_file, config.tls_key_file, config.tls_client_ca_file)


def _authenticator(config: Config, on_reload: OnReload) -> Authenticator:
    tokens = None
    if config.tokens is not None:
        tokens = reloading_tokens(config.token_file, config.tokens, on_reload=on_reload)
    return Authenticator(tokens, client_certificates=bool(config.tls_client_ca_file))


def _on_reload(metrics: Metrics) -> OnReload:
    """Make what logs and counts how files are taken up."""

    def on_reload(file: str, problem: str | None) -> None:
        metrics.config_file(file, good=problem is None)
        if problem is None:
            _log.info("file taken up", extra={"file": file})
        else:
            extra = {"file": file, "problem": problem}
            _log.error("file refused, what it said before stays in use", extra=extra)

    return on_reload


def _by_port(
    apps: Mapping[int, "WSGIApplication"], *, otherwise: "WSGIApplication"
) -> "WSGIApplication":
    """Make an app that hands calls on by the port that they came in at."""

    def dispatch(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        return apps.get(int(environ["SERVER_PORT"]), otherwise)(environ, start)

    return dispatch


def _log_thread_death(death: threading.ExceptHookArgs) -> None:
    """Log what ended a thread, in the form of all other lines."""
    name = death.thread.name if death.thread else "?"
    info = (death.exc_type, death.exc_value or death.exc_type(), death.exc_traceback)
    _log.error("thread ended by an error", extra={"thread_name": name}, exc_info=info)
