"""Talks JSON to one API server: the few verbs that the tests and the stand-in need."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

Object = dict[str, Any]
Objects = list[Object]

MERGE_PATCH = "application/merge-patch+json"


class ApiError(Exception):
    """The API server refused; `code` and `reason` are those of its Status object."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(f"{code} {reason}: {message}")
        self.code = code
        self.reason = reason
        self.message = message

    @property
    def not_found(self) -> bool:
        """Tell whether the object, or its kind, is not there."""
        return self.code == 404

    @property
    def conflict(self) -> bool:
        """Tell whether somebody else wrote in between."""
        return self.code == 409 and self.reason == "Conflict"

    @property
    def already_exists(self) -> bool:
        """Tell whether the name is taken."""
        return self.code == 409 and self.reason == "AlreadyExists"


@dataclass(frozen=True)
class WatchEvent:
    """One line of a watch: ADDED, MODIFIED, DELETED or BOOKMARK."""

    type: str
    object: Object


class Api:
    """One API server, seen by one user. Threads may share it."""

    def __init__(self, url: str, *, token: str, ca: Path, user_agent: str = "tests") -> None:
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy of the environment must not see loopback
        self._session.verify = str(ca)
        self._session.headers["Authorization"] = f"Bearer {token}"
        self._session.headers["User-Agent"] = user_agent
        self._session.mount("https://", requests.adapters.HTTPAdapter(pool_maxsize=64))

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def resource(self, api_version: str, plural: str, *, namespaced: bool = True) -> "Resource":
        """Return one kind's endpoint: `resource("v1", "nodes")`.

        Without `namespaced`, the namespace that an object names is ignored.
        """
        return Resource(self, api_version, plural, namespaced)

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Object:
        """Send one request and return the answer's JSON; anything but success raises ApiError."""
        answer = self._session.request(
            method,
            f"{self.url}{path}",
            data=None if body is None else json.dumps(body),
            params=params,
            headers={"Content-Type": "application/json", **(headers or {})},
            timeout=30,
        )
        if not answer.ok:
            raise _error(answer)
        return _mapping(answer.json())

    def ready(self) -> bool:
        """Tell whether /readyz says ok; False too when nobody answers yet."""
        try:
            return self._session.get(f"{self.url}/readyz", timeout=2).ok
        except (requests.RequestException, OSError):  # OSError: the CA file is not written yet
            return False

    @contextmanager
    def stream(self, path: str, params: Mapping[str, str]) -> Iterator[Iterator[WatchEvent]]:
        """Open a watch; its events end when the server's timeout ends it."""
        with self._session.get(
            f"{self.url}{path}",
            params={**params, "watch": "true"},
            headers={"Accept-Encoding": "identity"},
            stream=True,
            timeout=(5, None),
        ) as answer:
            if not answer.ok:
                raise _error(answer)
            yield _events(answer)


@dataclass(frozen=True)
class Resource:
    """One kind of object on one API server; `namespace=""` is for cluster-scoped kinds."""

    api: Api
    api_version: str
    plural: str
    namespaced: bool = True

    def get(self, name: str, namespace: str = "") -> Object:
        """Read one object."""
        return self.api.call("GET", self.path(namespace, name))

    def find(self, name: str, namespace: str = "") -> Object | None:
        """Read one object; None when there is none."""
        try:
            return self.get(name, namespace)
        except ApiError as error:
            if error.not_found:
                return None
            raise

    def list(self, namespace: str = "", *, labels: str = "") -> Objects:
        """Read all objects, of one namespace or of all, that the label selector takes."""
        return list(self.page(namespace, labels=labels)["items"])

    def page(self, namespace: str = "", *, labels: str = "") -> Object:
        """Read the list object itself, whose metadata holds the version to watch from."""
        params = {"labelSelector": labels} if labels else {}
        return self.api.call("GET", self.path(namespace), params=params)

    def create(self, body: Object) -> Object:
        """Create an object in the namespace that it names."""
        return self.api.call("POST", self.path(_namespace(body)), body)

    def update(self, body: Object, subresource: str = "") -> Object:
        """Replace an object; a stale resourceVersion is a conflict."""
        name = str(body["metadata"]["name"])
        return self.api.call("PUT", self.path(_namespace(body), name, subresource), body)

    def patch(
        self, name: str, patch: Object, namespace: str = "", *, subresource: str = ""
    ) -> Object:
        """Merge a patch into an object (RFC 7396: lists are replaced, null deletes)."""
        path = self.path(namespace, name, subresource)
        return self.api.call("PATCH", path, patch, headers={"Content-Type": MERGE_PATCH})

    def delete(self, name: str, namespace: str = "", *, uid: str = "") -> None:
        """Delete an object, in the background for what it owns; with `uid`, only that one."""
        body: Object = {"propagationPolicy": "Background"}
        if uid:
            body["preconditions"] = {"uid": uid}
        self.api.call("DELETE", self.path(namespace, name), body)

    @contextmanager
    def watch(
        self, namespace: str = "", *, since: str = "", seconds: int = 300
    ) -> Iterator[Iterator[WatchEvent]]:
        """Follow changes since a resourceVersion; without one, existing objects come first."""
        params = {"timeoutSeconds": str(seconds), "allowWatchBookmarks": "true"}
        if since:
            params["resourceVersion"] = since
        with self.api.stream(self.path(namespace), params) as events:
            yield events

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Return the URL path of the kind, of an object, or of its subresource."""
        root = "/api/v1" if self.api_version == "v1" else f"/apis/{self.api_version}"
        parts = [root]
        if namespace and self.namespaced:
            parts += ["namespaces", namespace]
        return "/".join(part for part in [*parts, self.plural, name, subresource] if part)


def _namespace(body: Object) -> str:
    return str(body["metadata"].get("namespace", ""))


def _events(answer: requests.Response) -> Iterator[WatchEvent]:
    for line in answer.iter_lines(chunk_size=None):
        if not line:
            continue
        event = _mapping(json.loads(line))
        if event["type"] == "ERROR":
            status = event["object"]
            raise ApiError(int(status.get("code", 500)), str(status.get("reason")), str(status))
        yield WatchEvent(str(event["type"]), _mapping(event["object"]))


def _error(answer: requests.Response) -> ApiError:
    try:
        status = _mapping(answer.json())
    except ValueError:
        return ApiError(answer.status_code, answer.reason, answer.text)
    reason = str(status.get("reason", answer.reason))
    return ApiError(answer.status_code, reason, str(status.get("message", "")))


def _mapping(value: object) -> Object:
    if not isinstance(value, dict):
        raise ValueError(f"the API server answered {type(value).__name__}, not an object")
    return value
