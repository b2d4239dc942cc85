"""The notation that commands declare their parameters in, and how sent ones are read."""

import pytest

from simulator.parameters import Arguments, Parameter, parse_parameters, unpack, version


@pytest.mark.parametrize(
    ("word", "parameter"),
    [
        pytest.param("name", ("name", "string", False, False, 255, None), id="a plain string"),
        pytest.param("id:vm!", ("id", "vm", False, True, 255, None), id="a required id"),
        pytest.param("ids:vm+@4.4", ("ids", "vm", True, False, 255, (4, 4)), id="newer ids"),
        pytest.param(
            "description~4096", ("description", "string", False, False, 4096, None), id="a long one"
        ),
        pytest.param(
            "cidrlist:list@4.18.0.0",
            ("cidrlist", "list", False, False, 255, (4, 18)),
            id="a version of four numbers",
        ),
    ],
)
def test_a_word_of_the_notation_is_a_parameter(
    word: str, parameter: tuple[str, str, bool, bool, int, tuple[int, ...] | None]
) -> None:
    assert parse_parameters(word) == {parameter[0]: Parameter(*parameter)}


def test_a_word_that_is_no_parameter_is_refused() -> None:
    with pytest.raises(ValueError, match="not a parameter: 'na-me'"):
        parse_parameters("id na-me")


def test_maps_are_gathered_by_their_numbers_and_names_lose_their_case() -> None:
    plain, maps = unpack({"ID": "1", "tags[10].Key": "b", "tags[2].key": "a", "tags[2].value": ""})
    assert plain == {"id": "1"}
    assert maps == {"tags": [{"key": "a", "value": ""}, {"key": "b"}]}


@pytest.mark.parametrize(
    ("value", "flag"), [("true", True), ("TRUE", True), ("1", False), ("yes", False)]
)
def test_only_true_is_true_as_in_java(value: str, *, flag: bool) -> None:
    assert Arguments({"listall": value}, {}, {}).flag("listall") is flag


def test_versions_are_compared_by_number() -> None:
    assert version("4.9") < version("4.16.0.0") < version("4.22")
