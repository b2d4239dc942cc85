import base64
import hashlib
import hmac
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hooks.cloudstack.errors import Unreachable
from hooks.cloudstack.wire import signature
from tests.controlplane.polling import PATIENCE, SLACK
from tests.serving import PROJECT
from tests.unit.cloudstack.http_api import HANG_UP, Call, Reply, ok, serving
from tests.unit.cloudstack.wires import error_of, wire_to


def test_a_call_is_one_signed_post_with_nothing_in_the_address() -> None:
    with serving(lambda call: ok(call, {"count": 0})) as api:
        assert wire_to(api.url).send("listZones", {"name": "west"}, 5) == {"count": 0}
    [call] = api.calls
    assert (call.method, call.path) == ("POST", "/client/api")
    assert call.params["command"] == "listZones"
    assert call.params["response"] == "json"
    assert call.params["name"] == "west"
    assert call.params["apiKey"] == "the-key"
    assert call.params["signatureVersion"] == "3"
    assert "the-secret" not in str(call)


@pytest.mark.parametrize(
    ("value", "signed"),
    [
        pytest.param("a~b", "a%7eb", id="tilde"),
        pytest.param("a*b", "a*b", id="star"),
        pytest.param("a b", "a%20b", id="space"),
        pytest.param("a+b", "a%2bb", id="plus"),
        pytest.param("A/B:C", "a%2fb%3ac", id="capitals, slash, colon"),
        pytest.param("é日", "%c3%a9%e6%97%a5", id="beyond ASCII"),
        pytest.param("a'b(c)!", "a%27b%28c%29%21", id="quotes and brackets"),
        pytest.param("a-b_c.d", "a-b_c.d", id="what is never encoded"),
    ],
)
def test_values_are_signed_as_java_encodes_them(value: str, signed: str) -> None:
    with serving(lambda call: ok(call, {})) as api:
        wire_to(api.url).send("listZones", {"name": value}, 5)
    params = dict(api.calls[0].params)
    assert params["name"] == value
    sent = params.pop("signature")
    expires = params.pop("expires").lower().replace(":", "%3a").replace("+", "%2b")
    text = (
        f"apikey=the-key&command=listzones&expires={expires}&name={signed}"
        "&response=json&signatureversion=3"
    )
    digest = hmac.new(b"the-secret", text.encode(), hashlib.sha1).digest()
    assert sent == base64.b64encode(digest).decode()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param("plain", "plain", id="plain"),
        pytest.param("a b", "a%20b", id="space"),
        pytest.param("a+b", "a%2bb", id="plus"),
        pytest.param("a~b", "a%7eb", id="tilde"),
        pytest.param("a*b", "a*b", id="star"),
        pytest.param("a/b", "a%2fb", id="slash"),
        pytest.param("a:b", "a%3ab", id="colon"),
        pytest.param("é", "%c3%a9", id="Latin"),
        pytest.param("日本", "%e6%97%a5%e6%9c%ac", id="Japanese"),
        pytest.param("[x]", "%5bx%5d", id="square brackets"),
        pytest.param("a'b(c)!", "a%27b%28c%29%21", id="quotes and brackets"),
        pytest.param("a&b=c", "a%26b%3dc", id="what separates"),
        pytest.param("a%b", "a%25b", id="percent"),
        pytest.param("A_B.c-d", "a_b.c-d", id="what is never encoded"),
        pytest.param("", "", id="empty"),
    ],
)
def test_a_signature_is_of_the_text_that_cloudstack_4_22_was_seen_to_accept(
    value: str, text: str
) -> None:
    form = {"response": "json", "name": value, "command": "listZones", "apikey": "APIKEY"}
    signed = f"apikey=apikey&command=listzones&name={text}&response=json"
    digest = hmac.new(b"SECRET", signed.encode(), hashlib.sha1).digest()
    assert signature(form, "SECRET") == base64.b64encode(digest).decode()


def test_names_are_sorted_as_they_are_written_capitals_first() -> None:
    texts = [signature({"b": "1", "B": "2", "a": "3"}, "S"), signature({"a": "3"}, "S")]
    expected = [
        base64.b64encode(hmac.new(b"S", text, hashlib.sha1).digest()).decode()
        for text in (b"b=2&a=3&b=1", b"a=3")
    ]
    assert texts == expected


def test_lists_and_pairs_are_written_as_cloudstack_reads_them() -> None:
    params = {
        "virtualmachineids": ("a", "b"),
        "tags": [{"key": "k", "value": "v"}, {"key": "l", "value": "w"}],
        "openfirewall": False,
        "publicport": 80,
        "left": None,
    }
    with serving(lambda call: ok(call, {"jobid": "j"})) as api:
        wire_to(api.url).send("createTags", params, 5)
    sent = api.calls[0].params
    assert sent["virtualmachineids"] == "a,b"
    assert (sent["tags[0].key"], sent["tags[0].value"]) == ("k", "v")
    assert (sent["tags[1].key"], sent["tags[1].value"]) == ("l", "w")
    assert (sent["openfirewall"], sent["publicport"]) == ("false", "80")
    assert "left" not in sent


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with serving(lambda call: ok(call, {})) as elsewhere:
        headers = {"Location": elsewhere.url}
        error = error_of(lambda _: Reply(status, headers=headers))
        assert elsewhere.calls == []
    assert isinstance(error, Unreachable)
    assert str(error) == (
        f"createTags: redirected ({status}), which is not followed: is api-url right?"
    )


def test_a_write_whose_connection_breaks_is_not_sent_again() -> None:
    error = error_of(lambda _: HANG_UP)
    assert isinstance(error, Unreachable)
    assert (error.sent, error.transient) == (True, True)
    assert str(error) == (
        "createTags: the connection to 127.0.0.1 broke before the answer was whole"
    )


def test_an_answer_cut_off_in_the_middle_is_no_answer() -> None:
    short = Reply(body=iter([b'{"createtagsresponse"']), headers={"Content-Length": "400"})
    error = error_of(lambda _: short)
    assert "broke before the answer was whole" in str(error)


def test_a_silent_server_is_waited_for_as_long_as_the_call_may_take() -> None:
    over = threading.Event()

    def silent(_: Call) -> None:
        over.wait(PATIENCE)

    started = time.monotonic()
    error = error_of(silent, seconds=0.2)
    over.set()
    assert 0.2 <= time.monotonic() - started < SLACK
    assert isinstance(error, Unreachable)
    assert (error.sent, error.transient) == (True, True)
    assert str(error) == "createTags: 127.0.0.1 took too long to answer"


def test_an_answer_that_trickles_in_is_cut_at_the_end_of_the_calls_time() -> None:
    over = threading.Event()

    def trickle() -> Iterator[bytes]:
        for _ in range(4000):
            yield b" "
            if over.wait(0.02):
                return

    started = time.monotonic()
    error = error_of(lambda _: Reply(body=trickle()), seconds=0.3)
    over.set()
    assert time.monotonic() - started < SLACK
    assert isinstance(error, Unreachable)


def test_nobody_listening_is_a_call_that_was_not_sent() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound but not listening: the kernel refuses
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/client/api"
        with pytest.raises(Unreachable) as caught:
            wire_to(url).send("createTags", {}, 5)
    assert (caught.value.sent, caught.value.transient) == (False, True)
    assert str(caught.value) == "createTags: no connection to 127.0.0.1: Connection refused"


def test_a_name_that_nobody_knows_is_a_call_that_was_not_sent() -> None:
    with pytest.raises(Unreachable, match=r"no connection to cloud\.invalid: ") as caught:
        wire_to("http://cloud.invalid/client/api").send("createTags", {}, 5)
    assert not caught.value.sent


@pytest.mark.parametrize("url", ["cloud/client/api", "http://", "ftp://cloud/client/api"])
def test_what_is_no_address_is_told(url: str) -> None:
    with pytest.raises(Unreachable, match="cannot be sent to ") as caught:
        wire_to(url).send("createTags", {}, 5)
    assert (caught.value.sent, caught.value.transient) == (False, False)


def test_connections_are_kept_open() -> None:
    with serving(lambda call: ok(call, {})) as api:
        wire = wire_to(api.url)
        for _ in range(3):
            wire.send("listZones", {}, 5)
        assert len({call.source for call in api.calls}) == 1


def test_cookies_are_not_kept() -> None:
    cookie = {"Set-Cookie": "JSESSIONID=1; Path=/"}
    with serving(lambda call: Reply(body=ok(call, {}).body, headers=cookie)) as api:
        wire = wire_to(api.url)
        for _ in range(2):
            wire.send("listZones", {}, 5)
        assert [call.headers.get("Cookie") for call in api.calls] == [None, None]


SEND = """
import sys
from tests.unit.cloudstack.wires import wire_to
assert wire_to(sys.argv[1]).send("listZones", {}, 5) == {}
"""


def test_nothing_in_the_environment_is_used(tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password word\n")
    environ = dict.fromkeys(("http_proxy", "HTTP_PROXY"), "http://127.0.0.1:9")
    environ["NETRC"] = str(tmp_path / "netrc")
    with serving(lambda call: ok(call, {})) as api:
        command = [sys.executable, "-c", SEND, api.url]
        subprocess.run(command, cwd=PROJECT, env=environ, check=True, timeout=60)
    assert "Authorization" not in api.calls[0].headers
