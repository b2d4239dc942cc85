"""The Kubernetes API as the hooks use it: reads, and the few writes that Metacontroller cannot do.

KubeError                       catch this one; str() is fit for a status, never secret
├── KubeUnreachable             no usable answer: connection, timeout, 5xx, too large, no JSON
├── NotFound                    404
├── Conflict                    409: the object changed since it was read, or is there already
└── KubeRefused                 any other refusal: `code`, `text`
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, Required, TypedDict, Unpack

import kubernetes
import requests
from kubernetes.client import Configuration
from requests.adapters import HTTPAdapter

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline

MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

JSON = "application/json"
#: What to accept for an object's metadata alone, and for a list of such.
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

#: Objects asked for in one page of a list.
PAGE_SIZE = 500
#: The largest answer read, in bytes; an API server's own limit on an object is 1.5 MiB.
MAX_ANSWER_BYTES = 64 * 1024 * 1024
#: Bytes of the largest answer for each value in one: `[]` takes thirty times its text in memory.
BYTES_PER_VALUE = 16
_CHUNK = 64 * 1024


class KubeError(Exception):
    """Anything that went wrong with a Kubernetes API server."""


class KubeUnreachable(KubeError):
    """No usable answer came back; whether a write was done is unknown.

    Attributes:
        code: the HTTP status of an answer in the API server's own words; 0 without one.
    """

    def __init__(self, message: str, *, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


class KubeRefused(KubeError):
    """The API server said no."""

    def __init__(self, what: str, code: int, text: str) -> None:
        super().__init__(f"{what}: {text} ({code})")
        self.code = code
        self.text = text


class NotFound(KubeRefused):
    """404: the object, or its kind, is not there."""


class Conflict(KubeRefused):
    """409: the object changed since it was read, or is there already."""


class Kube(Protocol):
    """An API server. Paths are absolute, such as `/api/v1/nodes/node-1`; bodies are dicts."""

    def get(
        self,
        path: str,
        *,
        deadline: Deadline,
        params: Mapping[str, str] | None = None,
        accept: str = JSON,
    ) -> Json:
        """Read one object. Raises NotFound, KubeError."""

    def list(
        self,
        path: str,
        *,
        deadline: Deadline,
        params: Mapping[str, str] | None = None,
        accept: str = JSON,
    ) -> Iterator[Json]:
        """Read all objects of a collection, page by page; items carry no kind of their own."""

    def create(self, path: str, body: Json, *, deadline: Deadline) -> Json:
        """Create an object. Raises Conflict."""

    def patch(
        self,
        path: str,
        body: Json,
        *,
        deadline: Deadline,
        content_type: str = MERGE_PATCH,
        params: Mapping[str, str] | None = None,
    ) -> Json:
        """Patch an object. Raises Conflict, NotFound."""

    def delete(self, path: str, *, deadline: Deadline, options: Json | None = None) -> None:
        """Delete an object, under the preconditions in `options` (a DeleteOptions)."""


class _Options(TypedDict, total=False):
    deadline: Required[Deadline]
    params: Mapping[str, str] | None
    body: Json | None
    content_type: str
    accept: str


class ApiServer:
    """An API server over HTTPS; implements Kube.

    Args:
        configuration: of the `kubernetes` package, which knows kubeconfigs, in-cluster
            files and the renewal of their tokens.
        max_answer_bytes: a larger answer is refused unread, and so is one of too many values.
        user_agent: what the API server's audit log shows.
        adapter: speaks HTTP, where requests' own trusts the server too much.
        hide: texts that are taken out of every answer: credentials, which a server that is not
            trusted could send back for us to show.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        user_agent: str = "cloudstack-metacontroller",
        adapter: HTTPAdapter | None = None,
        hide: Sequence[str] = (),
    ) -> None:
        self._configuration = configuration
        self._hidden = tuple(text.encode() for text in hide if text)
        self._max_answer_bytes = max_answer_bytes
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["User-Agent"] = user_agent
        self._session.verify = (
            (configuration.ssl_ca_cert or True) if configuration.verify_ssl else False
        )
        if configuration.cert_file and configuration.key_file:
            self._session.cert = (configuration.cert_file, configuration.key_file)
        adapter = adapter or HTTPAdapter(pool_maxsize=64)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def __repr__(self) -> str:
        return f"ApiServer({self._configuration.host})"

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def read_text(self, path: str, *, deadline: Deadline) -> tuple[int, str]:
        """Read plain text such as `/readyz`; answer HTTP code and text. Raises KubeUnreachable."""
        code, body = self._exchange("GET", path, deadline=deadline, accept="*/*")
        return code, body.decode(errors="replace")

    def get(
        self,
        path: str,
        *,
        deadline: Deadline,
        params: Mapping[str, str] | None = None,
        accept: str = JSON,
    ) -> Json:
        """Read one object. Raises NotFound, KubeError."""
        return self._call("GET", path, deadline=deadline, params=params, accept=accept)

    def list(
        self,
        path: str,
        *,
        deadline: Deadline,
        params: Mapping[str, str] | None = None,
        accept: str = JSON,
    ) -> Iterator[Json]:
        """Read a collection in pages of PAGE_SIZE. Raises KubeError at any page."""
        query = {"limit": str(PAGE_SIZE), **(params or {})}
        while True:
            page = self._call("GET", path, deadline=deadline, params=query, accept=accept)
            items, token = _page(f"GET {path}", page)
            yield from items
            if not token:
                return
            query["continue"] = token

    def create(self, path: str, body: Json, *, deadline: Deadline) -> Json:
        """Create an object. Raises Conflict where it is there already, KubeError."""
        return self._call("POST", path, deadline=deadline, body=body)

    def patch(
        self,
        path: str,
        body: Json,
        *,
        deadline: Deadline,
        content_type: str = MERGE_PATCH,
        params: Mapping[str, str] | None = None,
    ) -> Json:
        """Patch an object; a resourceVersion in the body makes it fail where it is older."""
        return self._call(
            "PATCH", path, deadline=deadline, body=body, content_type=content_type, params=params
        )

    def delete(self, path: str, *, deadline: Deadline, options: Json | None = None) -> None:
        """Delete an object. Raises NotFound, Conflict where a precondition fails."""
        self._call("DELETE", path, deadline=deadline, body=options or {})

    def _call(self, method: str, path: str, **options: Unpack[_Options]) -> Json:
        return _object(f"{method} {path}", *self._exchange(method, path, **options))

    def _exchange(  # noqa: PLR0913 - one place for every kind of request
        self,
        method: str,
        path: str,
        *,
        deadline: Deadline,
        params: Mapping[str, str] | None = None,
        body: Json | None = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> tuple[int, bytes]:
        """Send one request; answer the HTTP code and the body. Raises KubeUnreachable."""
        what = f"{method} {path}"
        remaining = deadline.remaining()
        if remaining <= 0:
            raise KubeUnreachable(f"{what}: no time left")
        headers = {"Content-Type": content_type, "Accept": accept}
        bearer = self._configuration.auth_settings().get("BearerToken")
        if bearer and bearer["value"]:  # a token file of the pod is read again when it is due
            headers["Authorization"] = bearer["value"]
        try:
            with self._session.request(
                method,
                self._configuration.host.rstrip("/") + path,
                params=params,
                data=None if body is None else json.dumps(body),
                headers=headers,
                timeout=(min(remaining, 5.0), remaining),
                allow_redirects=False,
                stream=True,
            ) as response:
                return response.status_code, self._read(what, response, deadline)
        except (requests.RequestException, ValueError) as error:
            # ValueError: what urllib3 and http.client make of impossible hosts and chunks.
            raise KubeUnreachable(f"{what}: {_reason(error)}") from error

    def _read(self, what: str, response: requests.Response, deadline: Deadline) -> bytes:
        """Read the answer, which may be neither larger nor slower than allowed."""
        chunks = []
        size = 0
        for chunk in response.iter_content(_CHUNK):
            chunks.append(chunk)
            size += len(chunk)
            if size > self._max_answer_bytes:
                raise KubeUnreachable(f"{what}: answer over {self._max_answer_bytes} bytes")
            if deadline.passed():
                raise KubeUnreachable(f"{what}: answer not complete in time")
        body = b"".join(chunks)
        if sum(map(body.count, (b",", b"[", b"{"))) * BYTES_PER_VALUE > self._max_answer_bytes:
            raise KubeUnreachable(f"{what}: answer of too many values")
        for hidden in self._hidden:
            body = body.replace(hidden, b"***")
        return body


def _object(what: str, code: int, body: bytes) -> Json:
    """Read an answer's JSON object, or raise what it stands for."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise KubeUnreachable(f"{what}: HTTP {code} without a JSON object")
    if code < 300:
        return answer
    text = str(answer.get("message") or answer.get("reason") or "no reason given")
    if code == 404:
        raise NotFound(what, code, text)
    if code == 409:
        raise Conflict(what, code, text)
    if code >= 500 or code == 429:
        raise KubeUnreachable(f"{what}: {text} ({code})", code=code)
    raise KubeRefused(what, code, text)


def _page(what: str, answer: Json) -> tuple[list[Json], str]:
    """Read a list's page; answer its objects, and what to ask for the next one with."""
    items = answer.get("items") or []
    metadata = answer.get("metadata") or {}
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise KubeUnreachable(f"{what}: the answer's items are no list of objects")
    if not isinstance(metadata, dict):
        raise KubeUnreachable(f"{what}: the answer's metadata is no object")
    return items, str(metadata.get("continue") or "")


def _reason(error: Exception) -> str:
    """Say what went wrong without the URL's query or the connection pool's words."""
    cause: BaseException = error
    while cause.__cause__ or cause.__context__:
        cause = cause.__cause__ or cause.__context__ or cause
    return f"{type(error).__name__}: {cause}"


def connect(kubeconfig_file: str) -> ApiServer:
    """Connect to the API server that is configured, never to one found by chance.

    Args:
        kubeconfig_file: an explicit kubeconfig; empty for the service account of the pod.

    Raises:
        kubernetes.config.ConfigException: the kubeconfig or the pod's files are unusable.
    """
    configuration = Configuration()
    if kubeconfig_file:
        kubernetes.config.load_kube_config(  # type: ignore[no-untyped-call]
            kubeconfig_file, client_configuration=configuration
        )
    else:
        kubernetes.config.load_incluster_config(  # type: ignore[no-untyped-call]
            client_configuration=configuration
        )
    return ApiServer(configuration)
