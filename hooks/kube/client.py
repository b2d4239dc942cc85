"""The Kubernetes API as the hooks use it: reads, and the few writes that Metacontroller cannot do.

KubeError                       catch this one; str() is fit for a status, never secret
├── KubeUnreachable             no usable answer: connection, timeout, 410, 429, 5xx, no JSON object
└── KubeRefused                 the API server said no: `code`, `text`
    ├── NotFound                404 in Kubernetes' words: the object, or its kind, is not there
    └── Conflict                409: the object changed since it was read, or is there already
"""

import json
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from math import inf
from threading import Lock
from urllib.parse import urlencode

import msgspec
from kubernetes.client import Configuration

from hooks.http.backoff import retry_after
from hooks.http.bounded_json import BadJson, Json
from hooks.http.deadline import Deadline, run_detached
from hooks.http.errors import HttpError, without_frames
from hooks.http.sockets import TooLarge
from hooks.http.texts import one_line, quote
from hooks.http.tls import file_context
from hooks.http.transport import HttpAnswer, Request, Transport
from hooks.kube.causes import read_causes
from hooks.kube.warnings import parse_warnings

MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

JSON = "application/json"
#: What to accept for an object's metadata alone, and for a list of such.
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

#: A path whose parts no name has bent: the API server reads `%2F` and `%2E` as what they stand for.
SAFE_PATH = re.compile(
    r"(/(?!\.{1,2}(/|$))([\w.~:@!$&'()*+,;=-]|%(?!2[EF]|25)[\dA-F]{2})+)+", re.ASCII | re.IGNORECASE
)

#: Objects in one page of a list.
PAGE_SIZE = 500
#: By how much a page may be larger than the one before.
PAGE_GROWTH = 5
#: Characters of what names the next page: the API server's holds the key of one object.
MAX_TOKEN = 4096
#: Characters of an answer's text that an error shows.
MAX_LINE = 300
#: What the API server's audit log shows of us.
USER_AGENT = "cloudstack-metacontroller"


Params = Mapping[str, str] | None


class KubeError(Exception):
    """Anything that went wrong with a Kubernetes API server.

    Attributes:
        code: the HTTP status of an answer in JSON; 0 for any other, which may be a proxy's.
        text: the server's own words, which str() repeats; empty where there are none.
        retry_after: seconds that it asks to be left alone; 0 where it does not.
        causes: the fields that it refuses, each with the reason, as far as both are Kubernetes' own
            words: `data: FieldValueForbidden`.
    """

    code = 0
    text = ""
    retry_after = 0.0
    causes: tuple[str, ...] = ()

    @property
    def without_text(self) -> str:
        """Return what failed without the server's words, which may repeat what was sent to it."""
        if self.code:
            causes = f" ({', '.join(self.causes)})" if self.causes else ""
            return f"refused with {self.code}{causes}"
        return "no usable answer" if self.text else str(self)


class KubeUnreachable(KubeError):
    """No usable answer came back; a write may have been done."""

    def __init__(
        self, message: str, *, code: int = 0, text: str = "", retry_after: float = 0.0
    ) -> None:
        super().__init__(message)
        self.code = code
        self.text = text
        self.retry_after = retry_after


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


@dataclass(frozen=True, slots=True)
class KubeRequest:
    """One request, of an absolute path; `warn` is called with each warning of the answer."""

    method: str
    path: str
    deadline: Deadline
    params: Params = None
    body: Json | None = field(default=None, repr=False)
    content_type: str = JSON
    accept: str = JSON
    warn: Callable[[str], object] = field(default=lambda _: None, repr=False, compare=False)


@dataclass(frozen=True)
class Pages:
    """How a list is read.

    Attributes:
        seconds: that each page may take.
        max_bytes: pages grow while their items are likely to fit into that; 0 for one size.
    """

    seconds: float = inf
    max_bytes: int = 0

    def next_limit(self, limit: int, listed: list[Json]) -> int:
        """Return how many items to ask for after a page; 0 for as many as at first."""
        if not (self.max_bytes and listed):
            return 0
        fitting = self.max_bytes * len(listed) // len(msgspec.json.encode(listed))
        return min(PAGE_SIZE, PAGE_GROWTH * limit, fitting)


#: A list whose pages all have one size.
ONE_SIZE = Pages()


class Kube(ABC):
    """A Kubernetes API. Objects are dicts."""

    @abstractmethod
    def call(self, request: KubeRequest) -> Json:
        """Send one request and return the answer's object.

        Raises:
            NotFound: the object, or its kind, is not there.
            Conflict: the object changed since it was read, or is there already.
            KubeError: anything else.
        """

    def get(
        self, path: str, *, deadline: Deadline, params: Params = None, accept: str = JSON
    ) -> Json:
        """Read one object. Raises as `call`."""
        return self.call(KubeRequest("GET", path, deadline, params, accept=accept))

    def list(
        self,
        path: str,
        *,
        deadline: Deadline,
        params: Params = None,
        accept: str = JSON,
        pages: Pages = ONE_SIZE,
    ) -> Iterator[Json]:
        """Read a collection in pages, of PAGE_SIZE or a `limit`; items carry no kind of their own.

        All pages may take as long as the deadline says. One of several that turns out too large is
        asked for again with the first limit.
        Raises as `call`, at any page; KubeUnreachable too if the list expires between pages (410).
        """
        query = {"limit": str(PAGE_SIZE), **(params or {})}
        first = query["limit"]
        while True:
            each = deadline.at_most(pages.seconds)
            try:
                page = self.call(KubeRequest("GET", path, each, query, accept=accept))
            except KubeUnreachable as error:
                if query["limit"] == first or not isinstance(error.__cause__, TooLarge):
                    raise
                query = {**query, "limit": first}
                continue
            listed, token = _page(f"GET {path}", page)
            yield from listed
            if not token:
                return
            query = {**query, "continue": token}
            query["limit"] = str(max(int(first), pages.next_limit(int(query["limit"]), listed)))
            del page, listed  # of two pages, never both are in memory

    def create(self, path: str, body: Json, *, deadline: Deadline) -> Json:
        """Create an object in the collection at `path`. Raises as `call`."""
        return self.call(KubeRequest("POST", path, deadline, body=body))

    def patch(
        self,
        path: str,
        body: Json,
        *,
        deadline: Deadline,
        content_type: str = MERGE_PATCH,
        params: Params = None,
    ) -> Json:
        """Patch an object; a resourceVersion in the body must be its present one.

        Raises as `call`.
        """
        return self.call(KubeRequest("PATCH", path, deadline, params, body, content_type))

    def delete(self, path: str, *, deadline: Deadline, options: Json | None = None) -> None:
        """Delete an object, under the preconditions in `options` (a DeleteOptions).

        Raises as `call`.
        """
        self.call(KubeRequest("DELETE", path, deadline, body=options or {}))


class ApiServer(Kube):
    """An API server over HTTP.

    Args:
        host: its URL, without a slash at its end.
        transport: sends the requests.
        authorization: gives the Authorization header of the next request, empty for none, within
            the request's deadline.
        user_agent: what the API server's audit log shows.
        secrets: what no answer and no error may show, besides the credential.
    """

    def __init__(
        self,
        host: str,
        transport: Transport,
        *,
        authorization: Callable[[Deadline], str] = lambda _: "",
        user_agent: str = USER_AGENT,
        secrets: tuple[str, ...] = (),
    ) -> None:
        self._host = host
        self._transport = transport
        self._authorization = authorization
        self._user_agent = user_agent
        self._secrets = secrets

    @classmethod
    def of(cls, configuration: Configuration) -> "ApiServer":
        """Make a client of what the `kubernetes` package read from a kubeconfig or a pod's files.

        The package renews tokens. Files of certificates are read again when they change.
        """
        certificate, key = configuration.cert_file, configuration.key_file
        trust = partial(
            file_context,
            configuration.ssl_ca_cert or "",
            verify=configuration.verify_ssl,
            certificate=(certificate, key) if certificate and key else None,
        )

        transport = Transport(trust, server_name=configuration.tls_server_name or "")
        credential = _Credential(configuration)
        return cls(configuration.host.rstrip("/"), transport, authorization=credential)

    def __repr__(self) -> str:
        return f"ApiServer({self._host})"

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._transport.close()

    def call(self, request: KubeRequest) -> Json:
        """Send one request, as Kube.call."""
        what = f"{request.method} {request.path}"
        try:
            return self._read(what, request)
        except KubeError as error:
            failed = without_frames(error)
        raise failed

    def _read(self, what: str, request: KubeRequest) -> Json:
        answer = self._exchange(what, request)
        for text in parse_warnings(answer.warning):
            request.warn(text)
        return _object(what, answer)

    def read_text(self, path: str, *, deadline: Deadline) -> tuple[int, str]:
        """Read plain text such as `/readyz`; return HTTP code and text. Raises KubeUnreachable."""
        answer = self._exchange(f"GET {path}", KubeRequest("GET", path, deadline, accept="*/*"))
        return answer.status, answer.body.decode(errors="replace")

    def _exchange(self, what: str, request: KubeRequest) -> HttpAnswer:
        if not SAFE_PATH.fullmatch(request.path):
            raise KubeError(f"{request.method}: {quote(request.path)} is no path; it is not sent")
        headers = {
            "Accept": request.accept,
            "Accept-Encoding": "gzip",
            "Content-Type": request.content_type,
            "User-Agent": self._user_agent,
        }
        try:
            credential = self._authorization(request.deadline).strip()
        except Exception as error:  # noqa: BLE001 - plugins of the library raise anything
            why = f"the credential cannot be read ({type(error).__name__})"
            raise KubeUnreachable(f"{what}: {why}") from None
        if credential:
            headers["Authorization"] = credential
        query = f"?{urlencode(request.params)}" if request.params else ""
        body = None if request.body is None else json.dumps(request.body).encode()
        url = f"{self._host}{request.path}{query}"
        sent = Request(request.method, url, headers, body, self._secrets)
        try:
            return self._transport.send(sent, request.deadline.remaining())
        except HttpError as error:
            raise KubeUnreachable(f"{what}: {error}") from error


class _Credential:
    """The Authorization header, for which a kubeconfig's `exec` runs a program at its own pace.

    Callers at the same time share one thread that asks for it.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._lock = Lock()
        self._reading: Future[str] | None = None

    def __call__(self, deadline: Deadline) -> str:
        with self._lock:
            if self._reading is None or self._reading.done():
                self._reading = run_detached("credential", self._read)
            reading = self._reading
        return reading.result(deadline.remaining())

    def _read(self) -> str:
        return self._configuration.auth_settings().get("BearerToken", {}).get("value") or ""


def _object(what: str, answer: HttpAnswer) -> Json:
    """Read an answer's JSON object, or raise what it stands for."""
    code = answer.status
    wait = retry_after(answer.retry_after, time.time()) or 0.0
    is_transient = code >= 500 or code in (410, 429)  # 410: the rest of a list has expired
    problem = f"HTTP {code} without a JSON object"
    try:
        content = answer.json()
    except BadJson as error:
        content = None
        problem = f"{problem}: the answer {error}"
    if code == 404 and isinstance(content, dict) and content.get("kind") != "Status":
        # A gateway without a route says so in JSON too, and nothing of the object.
        raise KubeRefused(what, code, "an answer without a Status of Kubernetes")
    if not isinstance(content, dict):
        line = one_line(answer.body.split(b"\n")[0].decode(errors="replace"), MAX_LINE)
        text = line if is_transient else ""
        problem = f"{text} ({code})" if text else problem
        raise KubeUnreachable(f"{what}: {problem}", text=text, retry_after=wait)
    if code < 300:
        return content
    text = str(content.get("message") or content.get("reason") or "no reason given")
    if is_transient:
        message = f"{what}: {text} ({code})"
        raise KubeUnreachable(message, code=code, text=text, retry_after=wait)
    refused = {404: NotFound, 409: Conflict}.get(code, KubeRefused)(what, code, text)
    refused.causes = tuple(dict.fromkeys(read_causes(content)))
    raise refused


def _page(what: str, answer: Json) -> tuple[list[Json], str]:
    """Read a page of a list; return its objects, and the token of the next page."""
    listed = answer.get("items") or []
    metadata = answer.get("metadata") or {}
    if "items" not in answer and not str(answer.get("kind", "")).endswith("List"):
        raise KubeUnreachable(f"{what}: the answer is no list")
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise KubeUnreachable(f"{what}: the answer's items are not a list of objects")
    if not isinstance(metadata, dict):
        raise KubeUnreachable(f"{what}: the answer's metadata is not an object")
    token = metadata.get("continue") or ""
    if not isinstance(token, str) or len(token) > MAX_TOKEN:
        raise KubeUnreachable(f"{what}: the answer's metadata.continue is no token")
    return listed, token
