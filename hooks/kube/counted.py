"""A Kubernetes API whose calls are counted."""

from collections.abc import Callable

from hooks.http.bounded_json import Json
from hooks.kube.client import Kube, KubeError, KubeRequest

_VERBS = {"GET": "get", "POST": "create", "PATCH": "patch", "DELETE": "delete"}


class CountedKube(Kube):
    """Passes calls on, and tells what came of each.

    Args:
        kube: what answers.
        observer: called after each call with its verb, as RBAC has it, and its outcome: `ok`, the
            HTTP status, or `unreachable`.
    """

    def __init__(self, kube: Kube, observer: Callable[[str, str], None]) -> None:
        self._kube = kube
        self._observer = observer

    def call(self, request: KubeRequest) -> Json:
        """Send one request, as Kube.call."""
        outcome = "ok"
        try:
            return self._kube.call(request)
        except KubeError as error:
            outcome = str(error.code or "unreachable")
            raise
        finally:
            is_list = request.method == "GET" and "limit" in (request.params or {})
            self._observer("list" if is_list else _VERBS[request.method], outcome)
