"""The header Warning: texts as an API server writes them, and nothing of what is not written so."""

import pytest

from hooks.kube.warnings import MAX_WARNINGS, parse_warnings


@pytest.mark.parametrize(
    ("header", "texts"),
    [
        pytest.param("", (), id="none"),
        pytest.param(
            '299 - "v1 Endpoints is deprecated"', ("v1 Endpoints is deprecated",), id="one"
        ),
        pytest.param('299 - "a, b", 299 - "c"', ("a, b", "c"), id="several"),
        pytest.param('299 - "a", 299 - "a"', ("a",), id="twice"),
        pytest.param(r'299 - "say \"no\" \\ here"', (r'say "no" \ here',), id="escaped"),
        pytest.param('299 api-1:443 "a"', ("a",), id="an agent"),
        pytest.param('199 - "a"', (), id="another code"),
        pytest.param('299 - "a', (), id="without an end"),
        pytest.param('299 - " "', (), id="nothing in it"),
        pytest.param(", ".join(f'299 - "{n}"' for n in range(99)), tuple("01234"), id="many"),
    ],
)
def test_reads_the_texts(header: str, texts: tuple[str, ...]) -> None:
    assert parse_warnings(header) == texts
    assert len(texts) <= MAX_WARNINGS


def test_a_header_of_any_size_takes_no_longer_than_a_short_one() -> None:
    assert parse_warnings('299 - "' + "\\" * 10_000_000) == ()
    assert len(parse_warnings('299 - "' * 1_000_000)) <= MAX_WARNINGS
