"""Texts of cloud-config, and what the reader of the existing provider makes of them.

`cloud_config_texts.json` was written by gopkg.in/gcfg.v1 v1.2.3, into the names that the existing
provider declares: `read` holds what it set, `refused` its error, `unknown` that it also met a
name or section that nobody declares. The provider refuses those too; here they are a warning.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from hooks.settings.cloud_config import read_section
from hooks.settings.parsing import SettingsError

ROWS = json.loads((Path(__file__).parent / "cloud_config_texts.json").read_text("utf-8"))
GLUED = "ends before the ; or #, where a comment begins; put the value in double quotes"
INSIDE = "has double quotes within its value, which do not belong to it"
CONTINUED = "goes on in the next line, because a backslash ends this one"
TWICE = "is given a second time, and the last one counts"


def outcome(text: str) -> tuple[dict[str, Any] | None, list[str]]:
    """Return what is set by a text, None if it is refused, and the warnings."""
    warnings: list[str] = []
    try:
        values, problems = read_section(text, warn=warnings.append)
    except SettingsError:
        return None, warnings
    return (None if problems else {name: each for name, each in values.items() if each}), warnings


@pytest.mark.parametrize("row", [pytest.param(each, id=each["about"]) for each in ROWS])
def test_a_text_is_read_as_the_existing_provider_reads_it(row: dict[str, Any]) -> None:
    read, warnings = outcome(row["text"])
    assert read == row.get("read")
    if row.get("unknown"):
        assert any("mean" in each for each in warnings)


@pytest.mark.parametrize(
    ("line", "surprises"),
    [
        pytest.param("zone = a;b", [f"line 2: zone {GLUED}"], id="glued semicolon"),
        pytest.param("zone = a#b", [f"line 2: zone {GLUED}"], id="glued hash"),
        pytest.param("zone = a ; b", [], id="comment"),
        pytest.param('zone = "a";b', [], id="comment behind quotes"),
        pytest.param("zone = ;b", [], id="nothing but a comment"),
        pytest.param('zone = "a;b"', [], id="quoted"),
        pytest.param('zone = "a\\"b"', [], id="quotes that are escaped in quotes"),
        pytest.param('zone = a\\"b', [], id="quotes that are escaped"),
        pytest.param('zone = a"b"', [f"line 2: zone {INSIDE}"], id="quotes inside"),
        pytest.param('zone = "a" "b"', [f"line 2: zone {INSIDE}"], id="two quoted parts"),
        pytest.param("zone = a\\\nb", [f"line 2: zone {CONTINUED}"], id="continued"),
        pytest.param("zone = a\nzone = b", [f"line 3: zone {TWICE}"], id="twice"),
        pytest.param(
            "zone = a\\\nb;c\nzone = d",
            [f"line 2: zone {GLUED}", f"line 2: zone {CONTINUED}", f"line 4: zone {TWICE}"],
            id="several, and lines are counted",
        ),
        pytest.param("[Global]\nzone = a", [], id="the section twice"),
    ],
)
def test_a_value_that_is_another_than_it_seems_is_told_without_showing_it(
    line: str, surprises: list[str]
) -> None:
    _, warnings = outcome(f"[Global]\n{line}\n")
    assert warnings == [f"cloud-config: {each}" for each in surprises]


def test_no_problem_and_no_warning_shows_a_value() -> None:
    for broken in ('"WORD-1', "WORD-1\\x", "a;WORD-1", 'a"WORD-1"', "a\\\nWORD-1"):
        text = f"[Global]\nsecret-key = {broken}\n"
        warnings: list[str] = []
        problem = ""
        try:
            read_section(text, warn=warnings.append)
        except SettingsError as error:
            problem = str(error)
        assert problem or warnings
        assert "WORD-1" not in problem + "".join(warnings)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("[Global]\n\nzone = a\\b\n", "line 3: the value's double quotes", id="value"),
        pytest.param("[Global]\nzone: a\n", "line 2: is not of the form name = value", id="name"),
        pytest.param("[Global\n", "line 1: is not the header of a section", id="header"),
        pytest.param("\ufeff[Global]\n", "line 1: begins with a byte order mark", id="mark"),
        pytest.param("[Global]\n;\0\n", "line 2: holds a NUL", id="NUL"),
        pytest.param("zone = a\n", "line 1: there is a line before", id="no section"),
        pytest.param("[Global]\nzone = a\\\nb\n!\n", "line 4: is not of", id="after continued"),
    ],
)
def test_a_text_of_another_form_is_refused_by_the_line(text: str, problem: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        read_section(text, warn=pytest.fail)
    assert str(refusal.value).startswith(problem)
