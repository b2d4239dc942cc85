"""What one process serves, by the port that a caller came to."""

import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client.exposition import choose_encoder

from hooks.server.app import HEALTH_PATHS
from hooks.server.auth import Authenticator
from hooks.server.environ import PEER_CERTIFICATE, REFUSAL

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


@dataclass(frozen=True)
class Apps:
    """The hooks at one port, the metrics at another.

    Attributes:
        hooks: the app of the hooks and of the probes.
        metrics: the app of `/metrics`.
        metrics_port: where the latter answers, in plain HTTP.
        authenticator: who may call the hooks.
        paths: those of the hooks.
        pages: the paths of pages for people.
        on_drop: is called with the cause when a connection is dropped for others.
        held_seconds: for which a body waits at most until there is memory for it.
        context: returns how the hooks' port speaks TLS; None for plain HTTP.
    """

    hooks: "WSGIApplication"
    metrics: "WSGIApplication"
    metrics_port: int
    authenticator: Authenticator
    paths: frozenset[str]
    on_drop: Callable[[str], None]
    held_seconds: float
    context: Callable[[], ssl.SSLContext] | None = None
    pages: frozenset[str] = frozenset()

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer by the app of the port; what could not be read is the hooks' app's to refuse."""
        is_for_metrics = REFUSAL not in environ and self._is_metrics(environ)
        return (self.metrics if is_for_metrics else self.hooks)(environ, start_response)

    def context_at(self, port: int) -> ssl.SSLContext | None:
        """Return how a port speaks TLS; None for plain HTTP."""
        return None if port == self.metrics_port or self.context is None else self.context()

    def needs_credentials(self, port: int) -> bool:
        """Tell whether a caller of this port has to show who it is."""
        return port != self.metrics_port and self.authenticator.refusal("", None) is not None

    def pool(self, environ: "WSGIEnvironment") -> str:
        """Name the threads that answer: `hooks`, `probes`, `metrics` or `side`, for all others.

        Only in the first does the app read a body.
        """
        if REFUSAL in environ:
            return "side"
        if self._is_metrics(environ):
            return "metrics" if environ["PATH_INFO"] == "/metrics" else "side"
        if environ["PATH_INFO"] in HEALTH_PATHS:
            return "probes"
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        is_page = method in ("GET", "HEAD") and path in self.pages
        is_call = method == "POST" and path in self.paths
        if not (is_call or is_page) or self.authenticator.refusal(
            environ.get("HTTP_AUTHORIZATION", ""), environ.get(PEER_CERTIFICATE)
        ):
            return "side"
        return "hooks"

    def kind_of_answer(self, pool: str, environ: "WSGIEnvironment") -> str:
        """Name an answer that all callers get alike; empty for what has to be computed."""
        if environ["REQUEST_METHOD"] != "GET" or pool not in ("probes", "metrics"):
            return ""
        return pool if pool == "probes" else choose_encoder(environ.get("HTTP_ACCEPT", ""))[1]

    def _is_metrics(self, environ: "WSGIEnvironment") -> bool:
        return int(environ["SERVER_PORT"]) == self.metrics_port
