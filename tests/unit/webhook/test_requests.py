import json
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.http.bounded_json import MAX_DEPTH, Json
from hooks.webhook.contract import BadRequest
from hooks.webhook.requests import (
    MAX_VALUES,
    ConditionView,
    Metadata,
    NonEmpty,
    ObjectName,
    View,
    convert,
    parse_body,
    raw_objects,
)


def nested(levels: int) -> bytes:
    """Nest `levels` containers in one another."""
    return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


@pytest.mark.parametrize(
    ("body", "field", "problem"),
    [
        pytest.param(b"", "", "not JSON", id="empty"),
        pytest.param(b"hello", "", "not JSON", id="words"),
        pytest.param(b'{"a": 1', "", "not JSON", id="cut short"),
        pytest.param(b"object:\n  kind: Node\n", "", "is not JSON but YAML; send", id="YAML"),
        pytest.param(b"# a\n---\n\n- a\n", "", "`yq -o json FILE` makes", id="YAML after comments"),
        pytest.param(
            b'{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}',
            "",
            "the body is an object of kind 'Service', not a request about one, which holds it in",
            id="an object alone",
        ),
        pytest.param(b"[]", "", "must be a JSON object, is a list", id="a list"),
        pytest.param(b"null", "", "must be a JSON object, is null", id="null"),
        pytest.param(b'"{}"', "", "must be a JSON object, is a string", id="a string"),
        pytest.param(b'{"a": "\xff"}', "", "not UTF-8 at byte 7", id="latin-1"),
        pytest.param(b'\xef\xbb\xbf{"a": 1}', "", "not JSON", id="byte order mark"),
        pytest.param('{"a": 1}'.encode("utf-16"), "", "not UTF-8", id="utf-16"),
        pytest.param(
            b'{"a": NaN}', "", "not JSON: invalid character at line 1, column 7", id="NaN"
        ),
        pytest.param(
            b'{"a": -Infinity}',
            "",
            "not JSON: invalid character at line 1, column 8",
            id="-Infinity",
        ),
        pytest.param(b'{"a": 1e999}', "", "a number that is too large", id="1e999"),
        pytest.param(
            b'{"a": ' + b"9" * 5000 + b"}", "", "a number that is too large", id="5000 digits"
        ),
        pytest.param(b'{"a": 1} {}', "", "not JSON", id="more behind the end"),
        pytest.param(b'{"a": 1, "a": 1}', "", 'has the key "a" twice', id="a key twice"),
        pytest.param(b'{"a": [{"b": ",", "b": [","]}]}', "", 'the key "b" twice', id="deep twice"),
        pytest.param(b'{"a":[' + b"[]," * 300_000 + b"[]]}", "", "500000 values", id="values"),
        pytest.param(b"[" * 200_000, "", "deeper than", id="200000 deep, open"),
        pytest.param(nested(200_000), "", "deeper than", id="200000 deep"),
        pytest.param(nested(MAX_DEPTH + 1), "", "deeper than", id="one too deep"),
        pytest.param(b'{"a": {"b": ["", "x\\ud800"]}}', "a.b[1]", "position 1", id="surrogate"),
        pytest.param(b'{"a": {"\\uDFFF": 1}}', "a", "position 0", id="surrogate in a key"),
    ],
)
def test_a_body_that_is_not_strict_json_is_refused_with_the_place(
    body: bytes, field: str, problem: str
) -> None:
    with pytest.raises(BadRequest) as refusal:
        parse_body(body)
    assert refusal.value.field == field
    assert problem in str(refusal.value)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        pytest.param(b" {} ", {}, id="empty object"),
        pytest.param(
            b'{"a": [1, 1.5, true, null, "\\u00e9"]}', {"a": [1, 1.5, True, None, "é"]}, id="values"
        ),
        pytest.param(b'{"a": "\\ud83d\\ude00"}', {"a": "\N{GRINNING FACE}"}, id="surrogate pair"),
        pytest.param('{"a": "ü"}'.encode(), {"a": "ü"}, id="utf-8"),
    ],
)
def test_strict_json_is_read(body: bytes, value: Json) -> None:
    assert parse_body(body) == value


def test_the_deepest_body_that_is_taken_can_be_written_again() -> None:
    value = parse_body(nested(MAX_DEPTH))
    assert json.loads(json.dumps(value)) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_either_read_or_refused(body: bytes) -> None:
    try:
        value = parse_body(body)
    except BadRequest:
        return
    json.dumps(value, allow_nan=False).encode()


class Percent(int):
    """A type of its own."""

    wanted = "a percentage such as 80%"

    @classmethod
    def read(cls, text: str) -> "Percent":
        return cls(text[:-1])


class Inner(View, frozen=True):
    a: str = ""
    b: int | None = None


class Needed(View, frozen=True):
    name: NonEmpty
    inner: Inner
    kind: Literal["A", "B"] = "A"


Named = Annotated[str, msgspec.Meta(pattern=r"^[a-z]+\Z", description="a small word")]


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        pytest.param("1", int, "f: must be a whole number, is a string", id="text for number"),
        pytest.param(1.5, int, "f: must be a whole number, is a number", id="fraction"),
        pytest.param(True, int, "f: must be a whole number, is true", id="true for number"),
        pytest.param(False, float, "f: must be a number, is false", id="false for number"),
        pytest.param(10**400, float, "f: Number out of range", id="a number that is too large"),
        pytest.param(0, bool, "f: must be true or false, is a number", id="0 for false"),
        pytest.param([], str, "f: must be a string, is a list", id="list for text"),
        pytest.param({}, tuple[str, ...], "f: must be a list, is an object", id="object for list"),
        pytest.param([], Inner, "f: must be an object, is a list", id="list for object"),
        pytest.param([], dict[str, str], "f: must be an object, is a list", id="list for map"),
        pytest.param(["a", 1], tuple[str, ...], "f[1]: must be a string, is a number", id="item"),
        pytest.param(
            [None], tuple[str, ...], "f[0]: is missing; it must be a string", id="null item"
        ),
        pytest.param({"b": "1"}, Inner, "f.b: must be a whole number, is a string", id="optional"),
        pytest.param({"x": {"b": ""}}, dict[str, Inner], "f.x.b: must be a whole", id="nested"),
        pytest.param({"a/b": 1}, dict[str, str], 'f["a/b"]: must be a string', id="map value"),
        pytest.param(
            {"a.b": None}, dict[str, Inner], 'f["a.b"]: is missing; it must be an', id="null object"
        ),
        pytest.param({}, Needed, "f.name: is missing; it must be a string", id="gone"),
        pytest.param({"name": ""}, Needed, "f.name: is missing; it must be a string", id="empty"),
        pytest.param({"name": None}, Needed, "f.name: is missing; it must be a string", id="null"),
        pytest.param(
            {"name": "x", "inner": None},
            Needed,
            "f.inner: is missing; it must be an object",
            id="null for an object",
        ),
        pytest.param(
            {"name": "x", "inner": {}, "kind": "C"},
            Needed,
            "f.kind: is 'C', must be A or B",
            id="another word",
        ),
        pytest.param(
            "no",
            Literal["true", "false"],
            "f: is 'no', must be true or false",
            id="words of a type",
        ),
        pytest.param("A", Named, "f: is 'A', must be a small word", id="pattern"),
        pytest.param("", Named, "f: is missing; it must be a small word", id="nothing"),
        pytest.param("x%", Percent, "f: is 'x%', must be a percentage such as 80%", id="own type"),
        pytest.param(8, Percent, "f: is 8, must be a percentage such as 80%", id="number for it"),
        pytest.param("x" * 999, Percent, "f: is 'xxx", id="a long value"),
    ],
)
def test_a_value_of_another_type_is_refused_by_its_field(
    value: object, kind: Any, message: str
) -> None:
    with pytest.raises(BadRequest) as refusal:
        convert(value, kind, "f")
    assert str(refusal.value).startswith(message)
    assert len(str(refusal.value)) < 150


@pytest.mark.parametrize(
    ("value", "kind", "view"),
    [
        pytest.param({"a": None}, Inner, Inner(), id="null where nothing is required"),
        pytest.param(3, float, 3.0, id="a whole number for a number"),
        pytest.param({"a": "x", "other": []}, Inner, Inner("x"), id="fields that are not read"),
        pytest.param([{"a": "x"}, {}], tuple[Inner, ...], (Inner("x"), Inner()), id="objects"),
        pytest.param({"x": None, "y": "z"}, dict[str, str], {"y": "z"}, id="null in a map"),
        pytest.param({"x": {"b": None}}, dict[str, Inner], {"x": Inner()}, id="null in an object"),
        pytest.param({"b": 0}, Inner, Inner(b=0), id="zero is there"),
        pytest.param("80%", Percent, 80, id="own type"),
    ],
)
def test_a_value_of_the_type_is_viewed(value: object, kind: Any, view: object) -> None:
    assert convert(value, kind) == view


class Object(View, frozen=True):
    metadata: Metadata
    conditions: tuple[ConditionView, ...] = ()


class Request(View, frozen=True):
    object: Object
    attachments: dict[str, dict[str, Object]] = msgspec.field(default_factory=dict)
    finalizing: bool = False


NODE: Json = {"metadata": {"name": "node-1"}}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"object": NODE}, id="left out"),
        pytest.param({"object": NODE, "attachments": None, "finalizing": None}, id="null"),
        pytest.param({"object": NODE, "attachments": {"Pod.v1": None}}, id="null of a kind"),
        pytest.param({"object": NODE, "attachments": {"A.v1": {"x": NODE}}}, id="another kind"),
    ],
)
def test_a_request_has_every_part(body: Json) -> None:
    request = convert(body, Request)
    assert request.object.metadata.name == "node-1"
    assert (request.attachments.get("Pod.v1", {}), request.finalizing) == ({}, False)
    assert raw_objects(body, "attachments", "Pod.v1") == {}


def test_objects_are_returned_as_they_came() -> None:
    pods = {"default/a": {"metadata": {"name": "a", "labels": None}, "data": None}}
    body = {"object": NODE, "attachments": {"Pod.v1": pods}}
    assert convert(body, Request).attachments["Pod.v1"]["default/a"].metadata.labels == {}
    assert raw_objects(body, "attachments", "Pod.v1") == pods


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param({}, "object", id="no object"),
        pytest.param({"object": []}, "object", id="a list"),
        pytest.param({"object": {}}, "object.metadata", id="no metadata"),
        pytest.param({"object": {"metadata": {"name": ""}}}, "object.metadata.name", id="no name"),
        pytest.param(
            {"object": {"metadata": {"name": "a", "labels": {"a.b/c": 1}}}},
            'object.metadata.labels["a.b/c"]',
            id="label",
        ),
        pytest.param(
            {"object": {**NODE, "conditions": [{"type": "Ready"}]}},
            "object.conditions[0].status",
            id="condition",
        ),
        pytest.param({"object": NODE, "finalizing": 1}, "finalizing", id="finalizing"),
        pytest.param({"object": NODE, "attachments": []}, "attachments", id="attachments"),
        pytest.param(
            {"object": NODE, "attachments": {"Pod.v1": {"a": {}}}},
            'attachments["Pod.v1"].a.metadata',
            id="attachment",
        ),
        pytest.param(
            {"object": NODE, "attachments": {"Pod.v1": {"b/a": None}}},
            'attachments["Pod.v1"]["b/a"]',
            id="null for an attachment",
        ),
    ],
)
def test_a_request_of_another_shape_is_refused_by_its_field(body: Json, field: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        convert(body, Request)
    assert refusal.value.field == field


def test_a_body_of_many_values_is_read() -> None:
    items = MAX_VALUES // 2 - 1
    assert len(parse_body(b'{"a":[' + b"[]," * (items - 1) + b"[]]}")["a"]) == items


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("web\n", id="line break at the end"),
        pytest.param("a..b", id="empty label"),
        pytest.param("a.-b", id="label that begins with a hyphen"),
        pytest.param(".a", id="begins with a dot"),
        pytest.param("A", id="capital"),
        pytest.param("a/b", id="slash"),
        pytest.param("a" * 254, id="254 characters"),
    ],
)
def test_a_name_that_no_object_can_have_is_refused(name: str) -> None:
    with pytest.raises(BadRequest, match="must be a name such as web-1"):
        convert(name, ObjectName, "f")


@pytest.mark.parametrize("name", ["a", "web-1", "10.0.0.1", "a.b-c.d", "a" * 253])
def test_a_name_that_an_object_can_have_is_read(name: str) -> None:
    assert convert(name, ObjectName, "f") == name
