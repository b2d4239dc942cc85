"""What comes back over the wire: refusals, throttling, and what is no answer of CloudStack."""

from itertools import repeat

import pytest

from hooks.cloudstack.errors import (
    Forbidden,
    InvalidParameter,
    Refused,
    Throttled,
    Unauthorized,
    Unreachable,
)
from tests.unit.cloudstack.http_api import HTML, Reply, refused, serving
from tests.unit.cloudstack.wires import error_of, wire_to


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (401, Unauthorized),
        (431, InvalidParameter),
        (432, Forbidden),
        (530, Refused),
        (531, Forbidden),
        (533, Refused),
        (537, Refused),
        (534, Refused),
    ],
)
def test_a_refusal_is_the_error_of_its_code_with_cloudstacks_words(
    code: int, kind: type[Refused]
) -> None:
    error = error_of(lambda call: refused(call, code, "the reason"))
    assert type(error) is kind
    assert str(error).partition("; either ")[0] == f"createTags: the reason ({code})"
    assert isinstance(error, Refused)
    assert error.code == code
    assert not error.failed_job


@pytest.mark.parametrize("name", ["errorresponse", "null", "listzonesresponse"])
def test_a_refusal_counts_in_whatever_envelope_it_comes(name: str) -> None:
    body = f'{{"{name}": {{"errorcode": 432, "errortext": "not for you"}}}}'.encode()
    error = error_of(lambda _: Reply(432, body))
    assert type(error) is Forbidden


def test_an_unknown_id_is_told_apart_from_a_bad_parameter() -> None:
    text = (
        "Invalid parameter id value=1 due to incorrect long value format, or entity does not exist"
    )
    unknown = error_of(lambda call: refused(call, 431, text))
    assert isinstance(unknown, InvalidParameter)
    assert "entity does not exist" in unknown.text
    bad = error_of(lambda call: refused(call, 431, "Invalid algorithm"))
    assert isinstance(bad, InvalidParameter)
    assert "entity does not exist" not in bad.text


THROTTLED = "The given user has reached his/her account api limit, please retry after 2500 ms."


@pytest.mark.parametrize(
    ("reply", "seconds"),
    [
        pytest.param(Reply(429, headers={"Retry-After": "7"}), 7.0, id="a proxy's, in seconds"),
        pytest.param(
            Reply(429, b"<html/>", HTML, {"Retry-After": "Sat, 01 Jan 2000 00:00:00 GMT"}),
            0.1,
            id="a proxy's, a date that has passed",
        ),
        pytest.param(Reply(429, headers={"Retry-After": "soon"}), 1.0, id="a word"),
        pytest.param(Reply(429, headers={"Retry-After": "9" * 400}), 1.0, id="no sane number"),
        pytest.param(
            Reply(429, headers={"Retry-After": "99999"}), 600.0, id="longer than believed"
        ),
        pytest.param(Reply(429, b"slow down", "text/plain"), 1.0, id="nothing told"),
        pytest.param(
            Reply(
                429,
                f'{{"errorresponse": {{"errorcode": 429, "errortext": "{THROTTLED}"}}}}'.encode(),
            ),
            2.5,
            id="CloudStack's own",
        ),
        pytest.param(
            Reply(
                200,
                f'{{"errorresponse": {{"errorcode": 429, "errortext": "{THROTTLED}"}}}}'.encode(),
            ),
            2.5,
            id="CloudStack's own, as a success",
        ),
    ],
)
def test_throttling_tells_how_long_to_wait(reply: Reply, seconds: float) -> None:
    error = error_of(lambda _: reply)
    assert isinstance(error, Throttled)
    assert error.retry_after == pytest.approx(seconds)


EXPECTED = "createTags: JSON with the key 'createtagsresponse' was expected, "


@pytest.mark.parametrize(
    ("reply", "words", "transient"),
    [
        pytest.param(Reply(), "got nothing (HTTP 200)", False, id="nothing"),
        pytest.param(
            Reply(200, b"<html>Sign in</html>", HTML),
            "got text/html (HTTP 200)",
            False,
            id="HTML, 200",
        ),
        pytest.param(
            Reply(404, b"<html>Not here</html>", HTML),
            "got text/html (HTTP 404)",
            False,
            id="HTML, 404",
        ),
        pytest.param(
            Reply(503, b"<html>Busy</html>", HTML), "got text/html (HTTP 503)", True, id="HTML, 503"
        ),
        pytest.param(Reply(502), "got nothing (HTTP 502)", True, id="nothing, 502"),
        pytest.param(
            Reply(200, b'{"createtagsresponse": {'),
            "got something that is not JSON: Input data was truncated (HTTP 200)",
            False,
            id="half of it",
        ),
        pytest.param(
            Reply(200, b'{"a":' * 100_000),
            "got something that is nested deeper than 128 levels (HTTP 200)",
            False,
            id="too deep",
        ),
        pytest.param(
            Reply(200, b"\xff\xfe\x00"),
            "got something that is not UTF-8 at byte 0 (HTTP 200)",
            False,
            id="no text",
        ),
        pytest.param(Reply(200, b"[]"), "got JSON of another form (HTTP 200)", False, id="a list"),
        pytest.param(
            Reply(200, b'{"createtagsresponse": {}, "count": 1}'),
            "got JSON of another form (HTTP 200)",
            False,
            id="two keys",
        ),
        pytest.param(
            Reply(200, b'{"createtagsresponse": null}'),
            "got 'createtagsresponse' without an object in it (HTTP 200)",
            False,
            id="null in it",
        ),
        pytest.param(
            Reply(200, b'{"listzonesresponse": {"jobid": "j"}}'),
            "got 'listzonesresponse' (HTTP 200)",
            False,
            id="another command's answer",
        ),
        *(
            pytest.param(
                Reply(200, b'{"createtagsresponse": ' + body + b"}"),
                "got an error without a whole number as its code (HTTP 200)",
                False,
                id=f"an error: {body.decode()}",
            )
            for body in (b'{"errorcode": "530"}', b'{"errorcode": 530.0}', b'{"cserrorcode": 4250}')
        ),
        pytest.param(
            Reply(500, b'{"createtagsresponse": {"jobid": "j"}}'),
            "got 'createtagsresponse' (HTTP 500)",
            True,
            id="an answer that is a failure",
        ),
    ],
)
def test_what_is_no_answer_of_cloudstack_is_unreachable_and_says_what_was_expected(
    reply: Reply, words: str, transient: bool
) -> None:
    error = error_of(lambda _: reply)
    assert isinstance(error, Unreachable)
    assert str(error) == EXPECTED + words
    assert (error.sent, error.transient) == (True, transient)


@pytest.mark.parametrize(
    ("command", "envelope"),
    [
        ("updateNetworkACLItem", "createnetworkaclresponse"),
        ("updateNetworkACLItem", "updatenetworkaclitemresponse"),
        ("deleteLBStickinessPolicy", "deleteLBstickinessrruleresponse"),
        ("createLBStickinessPolicy", "createLBStickinessPolicy"),
        ("createLBStickinessPolicy", "createlbstickinesspolicyresponse"),
    ],
)
def test_the_odd_envelopes_are_known(command: str, envelope: str) -> None:
    body = f'{{"{envelope}": {{"jobid": "j"}}}}'.encode()
    with serving(lambda _: Reply(body=body)) as api:
        assert wire_to(api.url).send(command, {}, 5) == {"jobid": "j"}


@pytest.mark.parametrize("content_type", ["text/javascript", "text/plain", "application/json"])
def test_names_are_read_as_utf8_whatever_the_server_calls_its_answer(content_type: str) -> None:
    body = '{"listzonesresponse": {"zone": [{"name": "zürich 日"}]}}'.encode()
    with serving(lambda _: Reply(body=body, content_type=content_type)) as api:
        answer = wire_to(api.url).send("listZones", {}, 5)
    assert answer == {"zone": [{"name": "zürich 日"}]}


def test_an_answer_without_end_is_cut_when_it_gets_too_large() -> None:
    pieces = repeat(b" " * 1024 * 1024)
    error = error_of(lambda _: Reply(body=pieces), seconds=60)
    assert isinstance(error, Unreachable)
    assert str(error) == "createTags: the answer of 127.0.0.1 is larger than 67108864 bytes"
