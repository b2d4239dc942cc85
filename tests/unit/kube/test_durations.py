import re

import pytest

from hooks.kube.durations import PATTERN, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("5m", 300), ("1h30m", 5400), ("1.5s", 1.5), ("250ms", 0.25), ("0s", 0)],
)
def test_reads_a_duration(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)
    assert re.fullmatch(PATTERN, text)


@pytest.mark.parametrize("text", ["", "30", "s", "5 m", "-5m", "5d", "5m!", "1e3s", "5m\n"])
def test_refuses_what_is_none_and_shows_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration; write for example 30s"):
        parse_duration(text)
