"""The HTTP session to CloudStack: pooled, never redirected, never retrying, bounded in time.

A signed POST carries the API key and may create something. So it is sent once, to the configured
address, past no proxy of the environment; sending it again is for the client to decide, which
knows what it was.
"""

import re
import time
import warnings
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse, Timeout
from urllib3.exceptions import InsecureRequestWarning, ProtocolError

#: Connections kept open: as many as hooks may call at once.
POOL_SIZE = 32
#: Seconds for a connection to be made: a host that is there answers much sooner.
CONNECT_SECONDS = 3.0
#: An answer may not be larger than this; a page of 500 machines has about 2 MB.
MAX_ANSWER_BYTES = 64 * 1024 * 1024

_CHUNK_BYTES = 64 * 1024


class Session(requests.Session):
    """Sends each request once, follows no redirect, takes nothing from the environment."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        adapter = _Adapter(pool_connections=1, pool_maxsize=POOL_SIZE, max_retries=0)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def send(
        self,
        request: requests.PreparedRequest,
        **kwargs: Any,  # noqa: ANN401  # whatever requests takes
    ) -> requests.Response:
        """Send without following redirects: they would take the key along."""
        kwargs["allow_redirects"] = False
        return super().send(request, **kwargs)


def time_limit(seconds: float) -> Timeout:
    """Make the timeout of one request: connecting, and then waiting for the answer."""
    return Timeout(connect=min(CONNECT_SECONDS, seconds), total=seconds)


def trusted_authorities(environ: Mapping[str, str]) -> str | bool:
    """Tell where the trusted certificate authorities are, as requests and OpenSSL are told.

    A path; or True for those that come with requests.
    """
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        if environ.get(name):
            return environ[name]
    return True


def expect_unverified(url: str) -> None:
    """Keep urllib3 from warning about each request to a host whose certificate is not checked."""
    host = re.escape(str(urlsplit(url).hostname))
    warnings.filterwarnings("ignore", f".* host '{host}'", InsecureRequestWarning)


class _Adapter(HTTPAdapter):
    """Bounds the reading of an answer as a whole; a timeout alone bounds each piece of it."""

    def send(
        self,
        request: requests.PreparedRequest,
        *args: Any,  # noqa: ANN401  # whatever requests takes
        **kwargs: Any,  # noqa: ANN401
    ) -> requests.Response:
        timeout = kwargs.get("timeout")
        total = timeout.total if isinstance(timeout, Timeout) else None
        end = time.monotonic() + total if isinstance(total, int | float) else None
        response = super().send(request, *args, **kwargs)
        response.encoding = "utf-8"  # which JSON is; requests would guess, slowly, from the bytes
        response.raw = _Bounded(response.raw, end)
        return response


class _Bounded:
    """A response's body that ends in an error when it takes too long or gets too large."""

    def __init__(self, raw: HTTPResponse, end: float | None) -> None:
        self._raw = raw
        self._end = end

    def stream(self, _amount: int, *, decode_content: bool) -> Iterator[bytes]:
        """Yield what has arrived, piece by piece."""
        size = 0
        while chunk := self._raw.read1(_CHUNK_BYTES, decode_content=decode_content):
            size += len(chunk)
            if size > MAX_ANSWER_BYTES:
                self._raw.close()
                raise ProtocolError(f"the answer is larger than {MAX_ANSWER_BYTES} bytes")
            if self._end is not None and time.monotonic() > self._end:
                self._raw.close()
                raise ProtocolError("the answer took too long")
            yield chunk

    def close(self) -> None:
        """Drop the connection."""
        self._raw.close()

    def release_conn(self) -> None:
        """Give the connection back to the pool."""
        self._raw.release_conn()
