"""Writes paths of fields as people do."""

import json
import re
from collections.abc import Sequence

from hooks.http.texts import shorten

#: Characters of a key that a path shows, and of the whole path.
MAX_KEY = 253
MAX_PATH = 512

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")

Part = str | int


def join_path(field: str, key: str) -> str:
    """Return the path of a field's field: `spec.ports`, `metadata.labels["example.com/team"]`."""
    key = shorten(key, MAX_KEY)
    if "." in key or "/" in key:
        return shorten(f"{field}[{json.dumps(key)}]", MAX_PATH)
    return shorten(f"{field}.{key}" if field else key, MAX_PATH)


def field_path(parts: Sequence[Part]) -> str:
    """Return a path: `spec.rules[0].host`, `metadata.labels[example.com/team]`.

    Positions, and keys and names of list items with other characters than letters, digits, `-` and
    `_`, are in brackets.
    """
    text = ""
    for part in (shorten(part, MAX_KEY) if isinstance(part, str) else part for part in parts):
        if isinstance(part, str) and _PLAIN_KEY.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{part}]"
    return shorten(text, MAX_PATH)
