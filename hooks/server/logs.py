"""The log: one JSON object a line, at the configured level, without secrets."""

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

from hooks.settings.parsing import LOG_LEVELS

_HIDDEN = r"\1***"
#: Credentials in texts of others, such as an URL in the error of a library.
_SECRETS = (
    re.compile(
        r"(?i)((?:api[-_ ]?key|secret[-_ ]?key|signature|session[-_ ]?key)\s*=\s*)[^&\s\"'\\)]+"
    ),
    # Any token that `hooks.settings.tokens` takes, as it is written in JSON.
    re.compile(r'(?i)((?:bearer|basic)\s+)(?:[!#-\[\]-~]|\\["\\])+'),
    re.compile(r"(://)[^/\s@\"'\\]+(?=@)"),
)

_OWN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_OFF = {"level": "CRITICAL", "handlers": [], "propagate": False}
_LEVEL_NAMES = {number: name for name, number in LOG_LEVELS.items()} | {logging.CRITICAL: "error"}


def redact(text: str) -> str:
    """Replace credentials: a key or signature in a query, a bearer token, a user in an URL."""
    for pattern in _SECRETS:
        text = pattern.sub(_HIDDEN, text)
    return text


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON: time, level, logger, message, then its extra fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record; a value that JSON does not know is written as text."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, tz=UTC).isoformat("T", "milliseconds"),
            "level": _LEVEL_NAMES.get(record.levelno, record.levelname.lower()),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {key: value for key, value in vars(record).items() if key not in _OWN_FIELDS}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        # JSON's escapes keep all from a terminal but DEL.
        return redact(json.dumps(line, default=str)).replace("\x7f", "\\u007f")


def logging_config(level: str) -> dict[str, Any]:
    """Return the logging of the process for `logging.config.dictConfig`.

    Gunicorn's own messages have the same form. Its access log is off: the app logs each call, with
    more. Libraries log from `warn` up only, at any level. urllib3 logs nothing: at `debug` it shows
    signed URLs, at `warn` what servers sent, which may be a token in any form.

    Args:
        level: one of LOG_LEVELS.
    """
    chosen = logging.getLevelName(LOG_LEVELS[level])
    own = {"level": chosen, "handlers": ["stderr"], "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": {
            "hooks": own,
            "gunicorn.error": own,
            "gunicorn.access": _OFF,
            "urllib3": _OFF,
        },
    }
