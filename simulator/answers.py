"""Writes answers as JSON or XML, in the envelopes that the server uses."""

import json
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

from simulator.errors import ApiError

JSON = "application/json;charset=utf-8"
XML = "text/xml;charset=utf-8"
HTML = "text/html;charset=iso-8859-1"


@dataclass(frozen=True)
class Reply:
    """An HTTP answer; instead of one that is `dropped` the connection is cut."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    dropped: bool = False


DROPPED = Reply(0, b"", dropped=True)


def write_answer(envelope: str, answer: dict[str, Any], form: str, api_version: str) -> Reply:
    """Write a command's answer; `form` is the call's `response` parameter."""
    if form.lower() == "json":
        return Reply(200, _json({envelope: answer}))
    head = f'{envelope} cloud-stack-version="{api_version}.0.0"'
    return Reply(200, _xml(head, envelope, answer), XML)


def write_error(envelope: str, error: ApiError, form: str) -> Reply:
    """Write a refusal: its code is the HTTP status, its text also a header, except with 401."""
    inner: dict[str, Any] = {"uuidList": [], "errorcode": error.code}
    if error.detail is not None:
        inner["cserrorcode"] = error.detail
    if error.text:
        inner["errortext"] = error.text
    headers = {} if error.code == 401 else {"X-Description": _header(error.text)}
    if form.lower() == "json":
        return Reply(error.code, _json({envelope: inner}), JSON, headers)
    return Reply(error.code, _xml(envelope, envelope, inner), XML, headers)


def not_found(path: str) -> Reply:
    """Write the page of a path that is not the API's."""
    body = (
        "<html>\n<head>\n<title>Error 404 Not Found</title>\n</head>\n"
        f"<body><h2>HTTP ERROR 404 Not Found</h2>\n<p>URI: {escape(path)}</p></body>\n</html>\n"
    )
    return Reply(404, body.encode(), HTML)


def _header(text: str) -> str:
    return text.encode("latin-1", "replace").decode("latin-1").replace("\n", " ")


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _xml(head: str, name: str, document: dict[str, Any]) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?><{head}>{_elements(document)}</{name}>'.encode()


def _elements(document: dict[str, Any]) -> str:
    return "".join(
        f"<{name}>{_text(item)}</{name}>"
        for name, value in document.items()
        for item in (value if isinstance(value, list) else [value])
    )


def _text(value: object) -> str:
    if isinstance(value, dict):
        return _elements(value) if value else "{}"
    return str(value).lower() if isinstance(value, bool) else escape(str(value))
