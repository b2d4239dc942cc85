"""What a schema of the CRD admits, generated."""

from typing import Any

from hypothesis import strategies as st

from hooks.http.bounded_json import Json

_NO_SURROGATES = st.characters(max_codepoint=0x2FF)


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
            least, most = schema.get("minItems", 0), min(4, schema.get("maxItems", 4))
            return st.lists(admitted(schema["items"]), min_size=least, max_size=most)
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


def _object(schema: Json) -> st.SearchStrategy[Json]:
    if "properties" not in schema:
        values = admitted(schema["additionalProperties"])
        keys = st.text(_NO_SURROGATES, max_size=9)
        return st.dictionaries(keys, values, min_size=schema.get("minProperties", 0), max_size=3)
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
