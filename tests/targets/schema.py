"""The CRD's schema: what it admits, generated, and whether it admits something."""

from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from hooks.webhook import Json

CRD = Path(__file__).resolve().parents[2] / "crds" / "targetclusters.yaml"

_NO_SURROGATES = st.characters(max_codepoint=0x2FF)


def properties() -> Json:
    """Answer the schemas of spec and status."""
    crd = yaml.safe_load(CRD.read_text())
    schema: Json = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    return schema


def admitted(schema: Json) -> st.SearchStrategy[Any]:
    """Generate values that a schema admits; as the API server does, null passes for left out."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("x-kubernetes-int-or-string"):
        return st.integers(0, 10**30) | st.from_regex(schema["pattern"], fullmatch=True)
    match schema["type"]:
        case "object":
            return _object(schema)
        case "array":
            most = min(4, schema.get("maxItems", 4))
            return st.lists(admitted(schema["items"]), max_size=most)
        case "string":
            return _string(schema)
        case "integer":
            return st.integers(schema.get("minimum", -(2**63)), schema.get("maximum", 2**63 - 1))
        case "number":
            return st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9)
        case "boolean":
            return st.booleans()
        case other:
            raise AssertionError(f"no values are known of type {other}")


def refusal(schema: Json, value: object) -> str:
    """Answer why a schema does not admit a value; empty where it does."""
    errors = Draft202012Validator(_closed(schema)).iter_errors(value)
    return "; ".join(f"{error.json_path}: {error.message}" for error in errors)


def _object(schema: Json) -> st.SearchStrategy[Json]:
    if "properties" not in schema:
        values = admitted(schema["additionalProperties"])
        return st.dictionaries(st.text(_NO_SURROGATES, max_size=9), values, max_size=3)
    required = schema.get("required", [])
    fields = {key: admitted(inner) for key, inner in schema["properties"].items()}
    return st.fixed_dictionaries(
        {key: fields[key] for key in required},
        optional={
            key: st.none() | values if "default" in schema["properties"][key] else values
            for key, values in fields.items()
            if key not in required
        },
    )


def _string(schema: Json) -> st.SearchStrategy[str]:
    least, most = schema.get("minLength", 0), schema.get("maxLength", 40)
    if "pattern" in schema:
        matching = st.from_regex(schema["pattern"].replace("$", r"\Z"), fullmatch=True)
        return matching.filter(lambda text: least <= len(text) <= most)
    if schema.get("format") == "date-time":
        return st.datetimes().map(lambda time: time.isoformat() + "Z") | st.just("not a time")
    return st.text(_NO_SURROGATES, min_size=least, max_size=most)


def _closed(schema: Json) -> Json:
    """Refuse fields that the schema does not have: the API server drops them without a word."""
    if schema.get("type") == "array":
        return {**schema, "items": _closed(schema["items"])}
    if schema.get("x-kubernetes-int-or-string"):
        return {**schema, "type": ["integer", "string"]}
    if "properties" not in schema:
        return schema
    inner = {key: _closed(value) for key, value in schema["properties"].items()}
    return {**schema, "properties": inner, "additionalProperties": False}
