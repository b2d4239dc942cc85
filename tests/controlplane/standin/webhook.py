"""Calls a hook and tells a good answer from a bad one."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from math import ceil

import requests

from tests.controlplane.api import Object
from tests.controlplane.standin import objects
from tests.controlplane.standin.errors import SyncError, ThrottledError
from tests.controlplane.standin.strict import Shape, ShapeError, parse


@dataclass(frozen=True)
class Hook:
    """One hook of one controller: where it is and what shape its answers have."""

    purpose: str
    url: str
    timeout: float
    shape: Shape
    authorization: str = field(default="", repr=False)

    def call(
        self,
        session: requests.Session,
        request: Object,
        wall_clock: Callable[[], float] = time.time,
    ) -> Object:
        """Post a request and return the checked answer; SyncError or ThrottledError."""
        headers = {"Content-Type": "application/json"}
        if self.authorization:
            headers["Authorization"] = self.authorization
        started = time.monotonic()
        try:
            answer = session.post(
                self.url,
                data=objects.dumped(request).encode(),
                headers=headers,
                timeout=self.timeout,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise SyncError(f"{self.purpose} hook: {error}") from error
        if time.monotonic() - started > self.timeout:
            raise SyncError(f"{self.purpose} hook: no whole answer in {self.timeout:g} s")
        if answer.status_code == requests.codes.too_many_requests:
            raise ThrottledError(retry_after(answer.headers.get("Retry-After"), wall_clock()))
        if answer.status_code != requests.codes.ok:
            raise SyncError(
                f"{self.purpose} hook: unsupported status code {answer.status_code}: {answer.text}"
            )
        try:
            return parse(answer.content, self.shape)
        except ShapeError as error:
            raise SyncError(f"{self.purpose} hook's answer: {error}") from error


def retry_after(header: str | None, now: float) -> float:
    """Return the seconds that a Retry-After header asks for; 0 for one that says nothing."""
    if not header:
        return 0
    try:
        return int(header)
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(header)
    except ValueError:
        return 0
    return ceil(when.replace(tzinfo=when.tzinfo or UTC).timestamp() - now)
