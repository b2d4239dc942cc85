import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.http.bounded_json import Json
from hooks.webhook.contract import BadRequest
from hooks.webhook.requests import (
    MAX_DEPTH,
    Map,
    Required,
    Shape,
    check,
    composite_request,
    customize_request,
    decorator_request,
    parse_json,
)

NODE = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}}


def nested(levels: int) -> bytes:
    """Nest `levels` containers in one another."""
    return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


@pytest.mark.parametrize(
    ("body", "field", "problem"),
    [
        pytest.param(b"", "", "not JSON", id="empty"),
        pytest.param(b"hello", "", "not JSON", id="words"),
        pytest.param(b'{"a": 1', "", "not JSON", id="cut short"),
        pytest.param(b"[]", "", "must be a JSON object, is a list", id="a list"),
        pytest.param(b"null", "", "must be a JSON object, is null", id="null"),
        pytest.param(b'"{}"', "", "must be a JSON object, is a string", id="a string"),
        pytest.param(b'{"a": "\xff"}', "", "not UTF-8 at byte 7", id="latin-1"),
        pytest.param(b'\xef\xbb\xbf{"a": 1}', "", "not JSON", id="byte order mark"),
        pytest.param('{"a": 1}'.encode("utf-16"), "", "not UTF-8", id="utf-16"),
        pytest.param(b'{"a": NaN}', "", "NaN is no JSON number", id="NaN"),
        pytest.param(b'{"a": -Infinity}', "", "-Infinity is no JSON number", id="-Infinity"),
        pytest.param(b'{"a": 1e999}', "", "1e999, which is too large", id="1e999"),
        pytest.param(b'{"a": ' + b"9" * 5000 + b"}", "", "not JSON", id="5000 digits"),
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
        parse_json(body)
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
    assert parse_json(body) == value


def test_the_deepest_body_that_is_taken_can_be_written_again() -> None:
    value = parse_json(nested(MAX_DEPTH))
    assert json.loads(json.dumps(value)) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_either_read_or_refused(body: bytes) -> None:
    try:
        value = parse_json(body)
    except BadRequest:
        return
    json.dumps(value, allow_nan=False).encode()


@pytest.mark.parametrize(
    ("value", "shape", "message"),
    [
        pytest.param("1", int, "f: must be a whole number, is a string", id="text for number"),
        pytest.param(1.5, int, "f: must be a whole number, is a number", id="fraction"),
        pytest.param(True, int, "f: must be a whole number, is true", id="true for number"),
        pytest.param(False, float, "f: must be a number, is false", id="false for number"),
        pytest.param(0, bool, "f: must be true or false, is a number", id="0 for false"),
        pytest.param([], str, "f: must be a string, is a list", id="list for text"),
        pytest.param({}, [str], "f: must be a list, is an object", id="object for list"),
        pytest.param([], {}, "f: must be an object, is a list", id="list for object"),
        pytest.param([], Map(str), "f: must be an object, is a list", id="list for map"),
        pytest.param(["a", 1], [str], "f[1]: must be a string, is a number", id="item"),
        pytest.param([None], [str], "f[0]: is missing; it must be a string", id="null item"),
        pytest.param({"a": {"b": 1}}, {"a": {"b": str}}, "f.a.b: must be a string", id="nested"),
        pytest.param({"a/b": 1}, Map(str), 'f["a/b"]: must be a string', id="map value"),
        pytest.param({}, {"a": Required(str)}, "f.a: is missing; it must be a string", id="gone"),
        pytest.param({"a": ""}, {"a": Required(str)}, "f.a: is missing", id="empty"),
        pytest.param({"a": None}, {"a": Required([str])}, "f.a: is missing", id="null"),
    ],
)
def test_a_value_of_another_shape_is_refused_by_its_field(
    value: object, shape: Shape, message: str
) -> None:
    with pytest.raises(BadRequest) as refusal:
        check(value, shape, "f")
    assert str(refusal.value).startswith(message)


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        pytest.param(None, str, id="null where nothing is required"),
        pytest.param(3, float, id="a whole number for a number"),
        pytest.param({"a": 1, "other": []}, {"a": int}, id="fields that are not read"),
        pytest.param([{"a": "x"}, {}], [{"a": str}], id="list of objects"),
        pytest.param({"x": None}, Map(str), id="null in a map"),
        pytest.param(0, Required(int), id="zero is there"),
    ],
)
def test_a_value_of_the_shape_passes(value: object, shape: Shape) -> None:
    check(value, shape)


def test_a_decorator_request_has_every_part() -> None:
    request = decorator_request(
        {"object": NODE, "attachments": None, "related": {"Pod.v1": None}}, spec={}, status={}
    )
    assert request == {
        "controller": {},
        "object": NODE,
        "attachments": {},
        "related": {"Pod.v1": {}},
        "finalizing": False,
    }


def test_a_composite_request_has_every_part() -> None:
    child = {"ConfigMap.v1": {"a": {"metadata": {"name": "a"}}}}
    body = {"controller": {"kind": "X"}, "parent": NODE, "children": child, "finalizing": True}
    assert composite_request(body, spec={}, status={}) == {
        "controller": {"kind": "X"},
        "parent": NODE,
        "children": child,
        "related": {},
        "finalizing": True,
    }


def test_a_customize_request_has_its_parent() -> None:
    assert customize_request({"parent": NODE}, spec={}) == {"controller": {}, "parent": NODE}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param({}, "object", id="no object"),
        pytest.param({"object": []}, "object", id="a list"),
        pytest.param({"object": {}}, "object.metadata", id="no metadata"),
        pytest.param({"object": {"metadata": {"name": ""}}}, "object.metadata.name", id="no name"),
        pytest.param(
            {"object": {**NODE, "spec": {"taints": [{"key": 1}]}}},
            "object.spec.taints[0].key",
            id="spec",
        ),
        pytest.param({"object": {**NODE, "status": 1}}, "object.status", id="status"),
        pytest.param({"object": NODE, "finalizing": 1}, "finalizing", id="finalizing"),
        pytest.param(
            {"object": NODE, "attachments": {"A.v1": {"a": {}}}},
            'attachments["A.v1"].a.metadata',
            id="attachment",
        ),
    ],
)
def test_a_decorator_request_of_another_shape_is_refused_by_its_field(
    body: Json, field: str
) -> None:
    with pytest.raises(BadRequest) as refusal:
        decorator_request(body, spec={"taints": [{"key": str}]}, status={})
    assert refusal.value.field == field
