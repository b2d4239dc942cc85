"""What one process serves, by the port that a caller came to."""

import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
        context: returns how the hooks' port speaks TLS; None for plain HTTP.
    """

    hooks: "WSGIApplication"
    metrics: "WSGIApplication"
    metrics_port: int
    authenticator: Authenticator
    context: Callable[[], ssl.SSLContext] | None = None

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer by the app of the port; what could not be read is the hooks' app's to refuse."""
        is_for_hooks = REFUSAL in environ or self.pool(environ) != "metrics"
        return (self.hooks if is_for_hooks else self.metrics)(environ, start_response)

    def context_at(self, port: int) -> ssl.SSLContext | None:
        """Return how a port speaks TLS; None for plain HTTP."""
        return None if port == self.metrics_port or self.context is None else self.context()

    def wants_body(self, environ: "WSGIEnvironment") -> bool:
        """Tell whether the app would read the body: a caller that is refused sends it in vain."""
        return self.pool(environ) == "hooks" and not self.authenticator.refusal(
            environ.get("HTTP_AUTHORIZATION", ""), environ.get(PEER_CERTIFICATE)
        )

    def pool(self, environ: "WSGIEnvironment") -> str:
        """Name the threads that answer: `hooks`, `probes` or `metrics`."""
        if int(environ["SERVER_PORT"]) == self.metrics_port:
            return "metrics"
        return "probes" if environ["PATH_INFO"] in HEALTH_PATHS else "hooks"
