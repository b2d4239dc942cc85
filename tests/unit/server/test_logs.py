import json
import logging
import logging.config
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from hooks.cloudstack import CloudConfig
from hooks.server.logs import JsonFormatter, logging_config, redact
from hooks.settings.parsing import LOG_LEVELS


def line(record: logging.LogRecord) -> dict[str, Any]:
    """Format a record and read the line."""
    text = JsonFormatter().format(record)
    assert "\n" not in text
    value: dict[str, Any] = json.loads(text)
    return value


def record(message: str = "hello", level: int = logging.INFO, **extra: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "hooks.test", "levelno": level, "msg": message})
    made.created = 1_700_000_000.5
    for name, value in extra.items():
        setattr(made, name, value)
    return made


def test_a_line_has_time_level_logger_message_and_the_extra_fields() -> None:
    assert line(record(object="default/web", seconds=0.25, actions=["CreateRule"])) == {
        "time": "2023-11-14T22:13:20.500+00:00",
        "level": "info",
        "logger": "hooks.test",
        "message": "hello",
        "object": "default/web",
        "seconds": 0.25,
        "actions": ["CreateRule"],
    }


@pytest.mark.parametrize(
    ("level", "name"),
    [
        (logging.DEBUG, "debug"),
        (logging.INFO, "info"),
        (logging.WARNING, "warn"),
        (logging.ERROR, "error"),
        (logging.CRITICAL, "error"),
    ],
)
def test_levels_have_the_names_of_the_setting(level: int, name: str) -> None:
    assert line(record(level=level))["level"] == name


def test_what_json_does_not_know_is_written_as_text() -> None:
    config = CloudConfig("https://x", "KEY-1", "SECRET-1")
    written = line(record(error=ValueError("no"), config=config))
    assert written["error"] == "no"
    assert "SECRET-1" not in json.dumps(written)


def test_newlines_and_quotes_cannot_forge_a_line() -> None:
    assert line(record('x"\n{"level": "error"}'))["message"] == 'x"\n{"level": "error"}'


def test_an_error_brings_its_trace() -> None:
    try:
        raise RuntimeError("broken")
    except RuntimeError:
        written = line(record(exc_info=sys.exc_info()))
    assert written["trace"].endswith("RuntimeError: broken")


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("/client/api?apiKey=KEY-1&command=x", "/client/api?apiKey=***&command=x"),
        ("?command=x&signature=SIG%2B1", "?command=x&signature=***"),
        ("apikey=KEY-1 secretkey=SEC-1", "apikey=*** secretkey=***"),
        ("api-key = KEY-1\nsecret-key = SEC-1", "api-key = ***\nsecret-key = ***"),
        ("Authorization: Bearer abc.DEF-1", "Authorization: Bearer ***"),
        ("Authorization: Bearer a$b,c|d'e", "Authorization: Bearer ***"),
        ("https://me:PASS@host/path", "https://***@host/path"),
        ("listVirtualMachines: no such zone (431)", "listVirtualMachines: no such zone (431)"),
        ("mail me@example.com", "mail me@example.com"),
    ],
)
def test_credentials_are_hidden_wherever_they_stand(text: str, redacted: str) -> None:
    assert redact(text) == redacted


def test_any_character_of_a_token_is_hidden() -> None:
    token = "".join(map(chr, range(ord("!"), ord("~") + 1)))
    assert line(record(f"Bearer {token}\nafter"))["message"] == "Bearer ***\nafter"


@pytest.fixture
def own_logging() -> Iterator[None]:
    """Give the test run its logging back afterwards."""
    names = ("", "hooks", "gunicorn.error", "gunicorn.access")
    loggers = [logging.getLogger(name) for name in names]
    before = [(log.level, log.handlers[:], log.propagate) for log in loggers]
    yield
    for log, (level, handlers, propagate) in zip(loggers, before, strict=True):
        log.setLevel(level)
        log.handlers[:] = handlers
        log.propagate = propagate


@pytest.mark.usefixtures("own_logging")
@pytest.mark.parametrize("level", LOG_LEVELS)
def test_the_level_asked_for_is_the_least_that_is_logged(
    level: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logging.config.dictConfig(logging_config(level))
    for number in LOG_LEVELS.values():
        logging.getLogger("hooks.anything").log(number, "ours")
        logging.getLogger("gunicorn.error").log(number, "gunicorn's")
    levels = [json.loads(text)["level"] for text in capsys.readouterr().err.splitlines()]
    from_here = list(LOG_LEVELS)[list(LOG_LEVELS).index(level) :]
    assert levels == [name for name in from_here for _ in range(2)]


@pytest.mark.usefixtures("own_logging")
def test_libraries_are_heard_from_warnings_up_even_at_debug(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logging.config.dictConfig(logging_config("debug"))
    for number in LOG_LEVELS.values():
        logging.getLogger("kubernetes.client").log(number, "GET /?signature=SIG-1")
        logging.getLogger("urllib3.connectionpool").log(number, "Failed to parse: <a token>")
        logging.getLogger("gunicorn.access").log(number, "GET /")
    written = capsys.readouterr().err
    lines = [json.loads(text) for text in written.splitlines()]
    assert [each["level"] for each in lines] == ["warn", "error"]
    assert "SIG-1" not in written
