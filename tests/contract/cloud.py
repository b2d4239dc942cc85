"""A client of the CloudStack API that signs for itself, and shows everything that comes back."""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests

Json = dict[str, Any]
POLL = 0.02
JOB_TIMEOUT = 300.0


def java_encode(value: str) -> str:
    """Encode as Java's URLEncoder does, but for blanks: `~` is encoded, `*` is not."""
    return quote(value, safe="*").replace("~", "%7E")


@dataclass(frozen=True)
class Outcome:
    """An answer: the HTTP status, the only key of the body, what is under it, the headers."""

    status: int
    envelope: str
    body: Json
    headers: Mapping[str, str]
    text: str

    @property
    def error(self) -> str:
        """Return the text of a refusal."""
        return str(self.body.get("errortext", ""))


@dataclass(frozen=True)
class Credentials:
    """A user's keys."""

    api_key: str
    secret_key: str

    def __repr__(self) -> str:
        return "Credentials(hidden)"


class Cloud:
    """One user's way to one CloudStack."""

    def __init__(self, url: str, credentials: Credentials, poll: float = POLL) -> None:
        self.url = url
        self.credentials = credentials
        self.session = requests.Session()
        self._poll = poll

    def close(self) -> None:
        self.session.close()

    def sign(
        self, params: Mapping[str, str], encode: Callable[[str], str] = java_encode
    ) -> dict[str, str]:
        """Return the parameters with the key and the signature."""
        signed = {**params, "apiKey": self.credentials.api_key}
        text = "&".join(f"{name}={encode(signed[name])}" for name in sorted(signed))
        secret = self.credentials.secret_key.encode()
        digest = hmac.new(secret, text.lower().encode(), hashlib.sha1).digest()
        return {**signed, "signature": base64.b64encode(digest).decode()}

    def send(self, params: Mapping[str, str], method: str = "POST") -> Outcome:
        """Send parameters as they are."""
        if method == "GET":
            response = self.session.get(self.url, params=dict(params), timeout=60)
        else:
            response = self.session.post(self.url, data=dict(params), timeout=60)
        envelope, body = "", {}
        if response.headers.get("Content-Type", "").startswith("application/json"):
            [(envelope, body)] = response.json().items()
        return Outcome(response.status_code, envelope, body, response.headers, response.text)

    def call(self, command: str, **params: object) -> Outcome:
        """Make a signed call; mappings become `name[0].key` and `name[0].value`."""
        return self.send(self.sign(written(command, params)))

    def ok(self, command: str, **params: object) -> Json:
        """Make a call that must succeed; return what is in its envelope."""
        outcome = self.call(command, **params)
        assert outcome.status == 200, f"{command}: {outcome.status} {outcome.error}"
        return outcome.body

    def refused(self, command: str, status: int, **params: object) -> str:
        """Make a call that must be refused with this status; return the text."""
        outcome = self.call(command, **params)
        assert outcome.status == status, f"{command}: {outcome.status} {outcome.text}"
        assert outcome.body["errorcode"] == status
        return outcome.error

    def job(self, command: str, **params: object) -> Json:
        """Make an asynchronous call and wait for its job, which is returned as it ended."""
        job_id = self.ok(command, **params)["jobid"]
        deadline = time.monotonic() + JOB_TIMEOUT
        while time.monotonic() < deadline:
            job = self.ok("queryAsyncJobResult", jobid=job_id)
            if job["jobstatus"] != 0:
                return job
            time.sleep(self._poll)
        raise AssertionError(f"{command}: its job did not end in {JOB_TIMEOUT} s")

    def done(self, command: str, **params: object) -> Json:
        """Make an asynchronous call whose job must succeed; return the job's result."""
        job = self.job(command, **params)
        assert job["jobstatus"] == 1, f"{command}: {job['jobresult']}"
        return dict(job["jobresult"])

    def failed(self, command: str, code: int, **params: object) -> str:
        """Make an asynchronous call whose job must fail with this code; return the text."""
        job = self.job(command, **params)
        assert job["jobstatus"] == 2, f"{command}: {job['jobresult']}"
        assert job["jobresultcode"] == job["jobresult"]["errorcode"] == code, job["jobresult"]
        return str(job["jobresult"]["errortext"])

    def list(self, command: str, key: str, **params: object) -> list[Json]:
        """Make a list call; return what it lists."""
        return list(self.ok(command, **params).get(key, []))


def written(command: str, params: Mapping[str, object]) -> dict[str, str]:
    """Write a call's parameters as the API takes them."""
    texts = {"command": command, "response": "json"}
    for name, value in params.items():
        if isinstance(value, Mapping):
            for index, (key, text) in enumerate(value.items()):
                texts[f"{name}[{index}].key"] = str(key)
                texts[f"{name}[{index}].value"] = str(text)
        elif isinstance(value, bool):
            texts[name] = str(value).lower()
        elif isinstance(value, (list, tuple)):
            texts[name] = ",".join(map(str, value))
        elif value is not None:
            texts[name] = str(value)
    return texts
