from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooks.services.plan import values
from hooks.services.plan.values import InvalidValue, Reader


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("false", False), ("True", True), (" FALSE ", False)],
    ids=repr,
)
def test_a_boolean_is_read_in_any_case(text: str, value: bool) -> None:
    assert values.boolean(text) is value


@pytest.mark.parametrize("text", ["", "yes", "1", "truee"], ids=repr)
def test_an_invalid_boolean_is_refused_with_what_would_be_right(text: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        values.boolean(text)
    assert str(refusal.value) == f'{text!r} is not a boolean; write "true" or "false"'


def test_a_choice_is_one_of_the_words() -> None:
    assert values.choice(" Plan", {"apply": 1, "plan": 2}) == 2
    with pytest.raises(InvalidValue, match="'dry-run' is not known; write apply or plan"):
        values.choice("dry-run", {"apply": 1, "plan": 2})


def test_an_address_is_read_without_the_blanks_around_it() -> None:
    assert values.ipv4_address(" 203.0.113.7\n") == "203.0.113.7"


@pytest.mark.parametrize("text", ["", "203.0.113", "203.0.113.256", "2001:db8::1", "lb.example"])
def test_an_invalid_ipv4_address_is_refused(text: str) -> None:
    with pytest.raises(
        InvalidValue, match=r"is not an IPv4 address; write one such as 203\.0\.113\.7"
    ):
        values.ipv4_address(text)


@pytest.mark.parametrize("name", ["lb", "lb.example.com", "1.example", "a-b.c"])
def test_a_dns_name_is_read(name: str) -> None:
    assert values.dns_name(f" {name} ") == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("LB.example.com", "is not a DNS name", id="upper case"),
        pytest.param("*.example.com", "is not a DNS name", id="wildcard"),
        pytest.param("a_b", "is not a DNS name", id="underscore"),
        pytest.param("example.com.", "is not a DNS name", id="trailing dot"),
        pytest.param("a" * 64, "is not a DNS name", id="long label"),
        pytest.param(".".join(["a" * 60] * 5), "is not a DNS name", id="long name"),
        pytest.param("203.0.113.7", "is an address; write a DNS name", id="address"),
    ],
)
def test_what_a_service_status_cannot_show_as_hostname_is_refused(name: str, message: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        values.dns_name(name)
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "selector"),
    [
        pytest.param("", {}, id="every node"),
        pytest.param("pool=edge", {"pool": "edge"}, id="one"),
        pytest.param(" pool = edge , zone==a,", {"pool": "edge", "zone": "a"}, id="blanks"),
        pytest.param("pool=", {"pool": ""}, id="empty value"),
        pytest.param("example.com/pool=edge", {"example.com/pool": "edge"}, id="prefix"),
        pytest.param("pool=edge,pool=edge", {"pool": "edge"}, id="twice the same"),
        pytest.param(
            ",".join(f"k{n}=" for n in range(64)), {f"k{n}": "" for n in range(64)}, id="most"
        ),
    ],
)
def test_a_node_selector_is_read(text: str, selector: dict[str, str]) -> None:
    assert values.node_selector(text) == selector


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("pool", "'pool' is not a label; write key=value", id="no value"),
        pytest.param("pool!=edge", "is not a label", id="not equal"),
        pytest.param("pool in (a)", "is not a label", id="set"),
        pytest.param("=edge", "is not a label", id="no key"),
        pytest.param("a b=c", "is not a label", id="blank in key"),
        pytest.param("A_b/pool=c", "is not a label", id="bad prefix"),
        pytest.param("pool=" + "a" * 64, "is not a label", id="long value"),
        pytest.param("pool=edge,pool=core", "pool cannot be both 'edge' and 'core'", id="two"),
        pytest.param(
            ",".join(f"k{n}=" for n in range(65)),
            "k0=,k1=",
            id="quoted",
        ),
        pytest.param(
            ",".join(f"k{n}=" for n in range(65)),
            "has 65 labels, which are too many; write at most 64",
            id="too many",
        ),
    ],
)
def test_an_invalid_list_of_labels_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        values.node_selector(text)
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    "parse",
    [
        pytest.param(values.boolean, id="boolean"),
        pytest.param(lambda text: values.choice(text, {"a": 1}), id="choice"),
        pytest.param(values.ipv4_address, id="address"),
        pytest.param(values.dns_name, id="name"),
        pytest.param(values.node_selector, id="selector"),
    ],
)
@settings(deadline=None)
@given(text=st.text(max_size=300))
def test_any_text_is_read_or_refused_in_a_short_sentence(
    parse: Callable[[str], object], text: str
) -> None:
    reader = Reader({})
    reader.read("field", text, parse, otherwise=None)
    assert all(10 < len(each["message"]) < 400 for each in reader.invalid)


def test_a_reader_goes_on_after_a_refusal() -> None:
    reader = Reader({"a": "yes", "b": "true"})
    assert [reader.flag(key) for key in ("a", "b", "c")] == [False, True, False]
    message = '\'yes\' is not a boolean; write "true" or "false"'
    assert reader.invalid == [{"field": "metadata.annotations.a", "message": message}]
