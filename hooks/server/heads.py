"""Checks the head of a request as bytes: what is refused here is never parsed."""

import re
from collections.abc import Mapping

#: Bytes of a request line with its headers, and how many headers.
MAX_HEAD_BYTES = 32 * 1024
MAX_HEADERS = 100
#: Fixed reasons by status: a parser's own text quotes the request, which may hold a token.
_REASONS: Mapping[int, str] = {
    411: "a body needs the header Content-Length",
    431: f"its head has more than {MAX_HEAD_BYTES} bytes or {MAX_HEADERS} headers",
    501: "the only transfer encoding is chunked",
}
_FRAMING = re.compile(rb"(?i)\n(content-length|transfer-encoding)[ \t]*:([^\r\n]*)")


class Unreadable(Exception):
    """A request that cannot be read.

    Attributes:
        status: the HTTP status of the answer.
        reason: why, in words that quote nothing of the request.
    """

    def __init__(self, status: int, reason: str = "") -> None:
        self.status = status
        self.reason = reason or _REASONS.get(status, "it is not HTTP/1.1")
        super().__init__(self.reason)


def head_length(data: bytearray) -> int:
    """Return the length of the head at the start of what was received; 0 if more has to come.

    Raises:
        Unreadable: it is too large, or its lines or its length can be read in two ways.
    """
    if data and data[0] <= 0x20:
        raise Unreadable(400)
    end = data.find(b"\r\n\r\n", 0, MAX_HEAD_BYTES)
    length = end + 4 if end >= 0 else 0
    received = length or len(data)
    lines = data.count(b"\n", 0, received)
    if received > MAX_HEAD_BYTES or lines > MAX_HEADERS + 2:
        raise Unreadable(431)
    if lines != data.count(b"\r\n", 0, received):
        raise Unreadable(400, "a line of its head does not end with CR LF")
    if length:
        _check_lines(bytes(data[:length]))
    return length


def _check_lines(head: bytes) -> None:
    if b"\n " in head or b"\n\t" in head:
        raise Unreadable(400, "a header goes on in the next line")
    framing = _FRAMING.findall(head)
    if len(framing) > 1 or any(b"," in value for name, value in framing if name[:1] in b"cC"):
        raise Unreadable(400, "its length is given twice")
