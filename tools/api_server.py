"""A Kubernetes API server in memory, on loopback: what `make run` and the tests write to.

It keeps any object below the path that its kind has, with uid, resourceVersion and preconditions
as on a real one. It knows no schemas, users, watches or other patches than those of the hooks.
"""

import json
import re
import threading
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

Json = dict[str, Any]

LOOPBACK = "127.0.0.1"
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

#: The path of a collection, of an object, or of its status.
_PATH = re.compile(
    r"(?P<api>/api/v1|/apis/[^/]+/[^/]+)(?:/namespaces/(?P<namespace>[^/]+))?"
    r"/(?P<plural>[a-z]+)(?:/(?P<name>[^/]+)(?P<status>/status)?)?"
)


class RefusedError(Exception):
    """The request is refused with an HTTP status, a reason and a sentence."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code,
        }


@dataclass(frozen=True)
class Request:
    """One request, its path without the query."""

    method: str
    path: str
    body: Json = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    content_type: str = MERGE_PATCH
    accept: str = ""


class Store:
    """Objects by path, such as `/api/v1/nodes/node-1`.

    Attributes:
        objects: may be changed between requests.
    """

    def __init__(self, objects: Iterable[Json] = ()) -> None:
        self.objects: dict[str, Json] = {}
        self._versions = count(1_000_000)
        for obj in objects:
            self.put(obj)

    def put(self, obj: Json) -> str:
        """Add an object with its uid and version, or else new ones; return its path."""
        metadata = obj["metadata"]
        version = obj["apiVersion"]
        path = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if "namespace" in metadata:
            path += f"/namespaces/{metadata['namespace']}"
        path += f"/{obj['kind'].lower()}s/{metadata['name']}"
        given = {"uid": str(uuid4()), "resourceVersion": str(next(self._versions))}
        self.objects[path] = {**deepcopy(obj), "metadata": {**given, **deepcopy(metadata)}}
        return path

    def answer(self, request: "Request") -> tuple[int, Json]:
        """Carry out a request; return the HTTP status and the answer.

        Raises:
            RefusedError: the answer is a Status instead.
        """
        target = _PATH.fullmatch(request.path)
        if not target:
            raise RefusedError(404, "NotFound", "the server could not find the requested resource")
        path = request.path.removesuffix(target["status"] or "")
        match (request.method, target["name"]):
            case "GET", None:
                found = self._list(path, request.query.get("labelSelector", ""))
                items = [_shown(obj, request.accept) for obj in found]
                return 200, {"kind": "List", "apiVersion": "v1", "items": items}
            case "POST", None:
                return 201, deepcopy(self._create(f"{path}/{_name(request.body)}", request.body))
            case "GET", _:
                return 200, _shown(self._find(path), request.accept)
            case "PATCH", str():
                return 200, deepcopy(self._patch(path, request, in_status=bool(target["status"])))
            case "DELETE", str():
                return 200, deepcopy(self._delete(path, request.body.get("preconditions") or {}))
        message = f"{request.method} is not supported at {request.path}"
        raise RefusedError(405, "MethodNotAllowed", message)

    def _patch(self, path: str, request: "Request", *, in_status: bool) -> Json:
        """Merge, or apply, which creates what is not there; a status changes by its own path."""
        body = {key: value for key, value in request.body.items() if key != "status"}
        if in_status:
            body = {key: request.body[key] for key in ("metadata", "status") if key in request.body}
        if request.content_type == APPLY_PATCH and path not in self.objects:
            return self._create(path, body)
        if request.content_type not in {MERGE_PATCH, APPLY_PATCH}:
            message = f"the body of the request was in an unknown format: {request.content_type}"
            raise RefusedError(415, "UnsupportedMediaType", message)
        return self._merge(path, body)

    def _find(self, path: str) -> Json:
        if path not in self.objects:
            plural, name = path.split("/")[-2:]
            raise RefusedError(404, "NotFound", f'{plural} "{name}" not found')
        return self.objects[path]

    def _list(self, path: str, selector: str) -> list[Json]:
        """Return the objects of a collection; without a namespace, those of all namespaces."""
        api, _, plural = path.rpartition("/")
        inside = re.compile(rf"{re.escape(api)}(/namespaces/[^/]+)?/{plural}/[^/]+")
        wanted = dict(term.split("=", 1) for term in selector.split(",") if term)
        return [
            obj
            for path, obj in sorted(self.objects.items())
            if inside.fullmatch(path)
            and wanted.items() <= (obj["metadata"].get("labels") or {}).items()
        ]

    def _create(self, path: str, body: Json) -> Json:
        if path in self.objects:
            plural, name = path.split("/")[-2:]
            raise RefusedError(409, "AlreadyExists", f'{plural} "{name}" already exists')
        made = {"uid": str(uuid4()), "resourceVersion": str(next(self._versions))}
        self.objects[path] = {**deepcopy(body), "metadata": {**deepcopy(body["metadata"]), **made}}
        return self.objects[path]

    def _merge(self, path: str, patch: Json) -> Json:
        """Apply a merge patch; uid and resourceVersion in it are preconditions."""
        found = self._find(path)
        given = patch.get("metadata") or {}
        self._hold(found, {key: given[key] for key in ("uid", "resourceVersion") if key in given})
        merged: Json = merge_patch(found, {**patch, "metadata": given})
        merged["metadata"]["resourceVersion"] = str(next(self._versions))
        self.objects[path] = merged
        if "deletionTimestamp" in merged["metadata"] and not merged["metadata"].get("finalizers"):
            del self.objects[path]
        return merged

    def _delete(self, path: str, preconditions: Mapping[str, str]) -> Json:
        """Delete an object; one with finalizers is only marked."""
        found = self._find(path)
        self._hold(found, preconditions)
        if not found["metadata"].get("finalizers"):
            return self.objects.pop(path)
        return self._merge(path, {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}})

    @staticmethod
    def _hold(found: Json, preconditions: Mapping[str, str]) -> None:
        for key, value in preconditions.items():
            if found["metadata"].get(key) != value:
                message = f"the {key} is {found['metadata'].get(key)}, not {value}"
                raise RefusedError(409, "Conflict", message)


def _shown(obj: Json, accept: str) -> Json:
    """Return an object, or its metadata alone where nothing else is accepted."""
    if accept.startswith("application/json;as=PartialObjectMetadata"):
        obj = {"kind": "PartialObjectMetadata", "metadata": obj["metadata"]}
    return deepcopy(obj)


def _name(body: Json) -> str:
    name = body["metadata"]["name"]
    if not isinstance(name, str):
        raise TypeError(f"metadata.name is {name!r}")
    return name


def merge_patch(target: Any, patch: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Apply a JSON merge patch (RFC 7396); return what comes of it."""
    if not isinstance(patch, dict):
        return deepcopy(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


class ApiServer:
    """A store that is served over HTTP while the context is open.

    Args:
        port: where to listen on 127.0.0.1; 0 for any free port.
    """

    def __init__(self, objects: Iterable[Json] = (), *, port: int = 0) -> None:
        self.store = Store(objects)
        self.port = port

    def __enter__(self) -> "ApiServer":
        self._http = _Server((LOOPBACK, self.port), self.store)
        self.port = self._http.server_address[1]
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    @property
    def url(self) -> str:
        """Return where it listens."""
        return f"http://{LOOPBACK}:{self.port}"

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


def kubeconfig(url: str) -> Json:
    """Make a kubeconfig of a server that knows no users."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "memory", "cluster": {"server": url}}],
        "users": [{"name": "anybody", "user": {}}],
        "contexts": [{"name": "memory", "context": {"cluster": "memory", "user": "anybody"}}],
        "current-context": "memory",
    }


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], store: Store) -> None:
        super().__init__(address, _Handler)
        self.store = store
        self.lock = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    """Reads a request as JSON, and writes the answer."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def _serve(self) -> None:
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        kinds = (self.headers.get("Content-Type") or "", self.headers.get("Accept") or "")
        try:
            body = json.loads(text) if text else {}
            request = Request(self.command, url.path, body, dict(parse_qsl(url.query)), *kinds)
            with self.server.lock:
                code, answer = self.server.store.answer(request)
        except RefusedError as error:
            code, answer = error.status["code"], error.status
        except (ValueError, KeyError, TypeError) as error:
            refusal = RefusedError(400, "BadRequest", f"this is no request: {error!r}")
            code, answer = 400, refusal.status
        data = json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _serve  # noqa: N815 - names looked for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Log nothing: what was written can be read."""
