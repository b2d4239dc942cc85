"""The schemas of the project's CRDs, and what an API server that prunes nothing would refuse.

CEL rules are not evaluated here; a real API server does that in the end-to-end tests.
"""

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from hooks.http.bounded_json import Json

CRDS = Path(__file__).resolve().parents[1] / "crds"


class Schema:
    """A schema, compiled once to hold many values against it.

    Attributes:
        schema: as the CRD has it.
    """

    def __init__(self, schema: Json) -> None:
        self.schema = schema
        self._validator = Draft202012Validator(_closed(schema))

    def __getitem__(self, field: str) -> "Schema":
        """Return the schema of a field."""
        return Schema(self.schema["properties"][field])

    def problems(self, value: object) -> list[str]:
        """List where a value is not what the schema says; an unknown field is a problem too."""
        errors = self._validator.iter_errors(value)
        return [f"{error.json_path}: {error.message}" for error in errors]


def full(schema: Json) -> Any:
    """Make a value that has every field which a schema names."""
    match schema.get("type"):
        case "object":
            others = schema.get("additionalProperties")
            made = {"key": full(others)} if isinstance(others, dict) else {}
            return made | {name: full(each) for name, each in schema.get("properties", {}).items()}
        case "array":
            return [full(schema["items"])]
        case "boolean":
            return True
        case "integer" | "number":
            return schema.get("minimum", 1)
        case _ if schema.get("format") == "date-time":
            return "2027-01-15T08:00:00Z"
        case _:
            return schema["enum"][0] if "enum" in schema else "x"


def crd(plural: str) -> Json:
    """Read a CRD by its plural name."""
    # The loader in C is ten times as quick, and every worker reads them before its first test.
    definition: Json = yaml.load((CRDS / f"{plural}.yaml").read_text(), yaml.CSafeLoader)
    return definition


@cache
def schema_of(plural: str) -> Schema:
    """Return what a CRD's objects are held against."""
    [version] = crd(plural)["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    Draft202012Validator.check_schema(schema)
    return Schema(schema)


def _closed(schema: Json) -> Json:
    """Forbid fields that a schema does not name: the API server drops them without a word."""
    closed = dict(schema)
    if schema.get("x-kubernetes-int-or-string"):
        closed["type"] = ["integer", "string"]
    if "items" in schema:
        closed["items"] = _closed(schema["items"])
    if "properties" in schema:
        closed["additionalProperties"] = False
        closed["properties"] = {key: _closed(value) for key, value in schema["properties"].items()}
    return closed
