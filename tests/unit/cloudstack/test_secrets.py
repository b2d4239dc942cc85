"""Key, secret and signature are in no error, whatever the server does, and in no log line."""

import json
import logging
import socket
import traceback
from collections.abc import Iterator
from contextlib import closing

import pytest

from hooks.cloudstack import Cloud, CloudConfig
from hooks.cloudstack.commands.firewall import delete_firewall_rule
from hooks.cloudstack.errors import CloudStackError
from hooks.cloudstack.models.compute import Zone
from hooks.http.deadline import Deadline
from tests.unit.cloudstack.http_api import HANG_UP, HTML, Answer, Call, Reply, ok, refused, serving

KEY = "KEYKEYKEY-of-the-account"
SECRET = "SECRETSECRET-of-the-account"


def echo(call: Call) -> str:
    """Return what a careless server or proxy says: all that it was sent."""
    return "&".join(f"{name}={value}" for name, value in call.params.items()) + f"&{SECRET}"


def failing_job(call: Call) -> Reply:
    if call.command != "queryAsyncJobResult":
        return ok(call, {"jobid": "j"})
    failed = {"jobstatus": 2, "jobresultcode": 530, "jobresult": {"errortext": echo(call)}}
    return ok(call, failed)


def redirect(call: Call) -> Reply:
    return Reply(307, headers={"Location": f"http://127.0.0.1:9/?{echo(call)}"})


FAULTS = [
    pytest.param(lambda call: refused(call, 401, echo(call)), id="a refusal that echoes"),
    pytest.param(lambda call: refused(call, 530, echo(call) * 50), id="a long one"),
    pytest.param(failing_job, id="a failed job that echoes"),
    pytest.param(lambda call: Reply(502, echo(call).encode(), HTML), id="a page that echoes"),
    pytest.param(lambda call: Reply(body=json.dumps({echo(call): {}}).encode()), id="a key"),
    pytest.param(lambda call: Reply(body=echo(call).encode()), id="no JSON"),
    pytest.param(lambda call: Reply(404, b"<", echo(call)), id="a content type"),
    pytest.param(
        lambda call: Reply(429, echo(call).encode(), headers={"Retry-After": echo(call)}),
        id="throttled",
    ),
    pytest.param(redirect, id="a redirect that echoes"),
    pytest.param(lambda _: Reply(), id="nothing"),
    pytest.param(lambda _: HANG_UP, id="a cut connection"),
]


def told(error: BaseException, seen: set[int] | None = None) -> Iterator[str]:
    """Yield all that an error says, and what hangs on it."""
    seen = set() if seen is None else seen
    if id(error) in seen:
        return
    seen.add(id(error))
    yield from (str(error), repr(error), repr(error.args), repr(vars(error)))
    yield "".join(traceback.format_exception(error))
    for behind in (error.__cause__, error.__context__):
        if behind is not None:
            yield from told(behind, seen)
            request = getattr(behind, "request", None)
            yield str(getattr(request, "body", ""))


def call_everything(cloud: Cloud) -> Iterator[CloudStackError]:
    """Yield the errors of a read, of a write and its job, and of a shared fetch."""
    deadline = Deadline(0.6)
    for call in (
        lambda: cloud.client.list_all(Zone, deadline),
        lambda: cloud.client.wait_for(
            cloud.client.start(delete_firewall_rule("rule"), Deadline(2)), Deadline(2)
        ),
        lambda: cloud.snapshot(Deadline(2)),
    ):
        try:
            call()
        except CloudStackError as error:
            yield error


def assert_nothing_secret(texts: Iterator[str], signatures: set[str]) -> None:
    for text in texts:
        for secret in (KEY, SECRET, *signatures):
            assert secret not in text


@pytest.mark.parametrize("fault", FAULTS)
def test_no_error_and_no_log_line_holds_a_secret(
    fault: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with serving(fault) as api, closing(Cloud(CloudConfig(api.url, KEY, SECRET))) as c:
        errors = list(call_everything(c))
        signatures = {call.params["signature"] for call in api.calls}
    assert errors
    assert signatures
    for error in errors:
        assert_nothing_secret(told(error), signatures)
    assert_nothing_secret(iter([caplog.text]), signatures)


def test_no_error_holds_a_secret_when_nobody_listens() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/client/api"
        with closing(Cloud(CloudConfig(url, KEY, SECRET))) as cloud:
            errors = list(call_everything(cloud))
    assert len(errors) == 3
    for error in errors:
        assert_nothing_secret(told(error), set())


def test_the_search_for_secrets_finds_one_behind_an_error() -> None:
    try:
        try:
            raise ValueError(f"signature of {KEY}")
        except ValueError:
            raise CloudStackError("listZones", "harmless") from None
    except CloudStackError as error:
        with pytest.raises(AssertionError):
            assert_nothing_secret(told(error), set())


def test_cloudstacks_words_are_cut_at_a_bearable_length() -> None:
    with (
        serving(lambda call: refused(call, 530, "x" * 100_000)) as api,
        closing(Cloud(CloudConfig(api.url, KEY, SECRET))) as cloud,
        pytest.raises(CloudStackError) as caught,
    ):
        cloud.snapshot(Deadline(5))
    assert len(str(caught.value)) < 1100
