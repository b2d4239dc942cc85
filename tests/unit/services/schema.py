"""Holds objects against the schema of a CRD of the project, as an API server that prunes nothing.

CEL rules are not evaluated here; a real API server does that in the end-to-end tests.
"""

from functools import cache
from pathlib import Path

import jsonschema
import yaml

from hooks.webhook import Json

CRDS = Path(__file__).parents[3] / "crds"


def crd(plural: str) -> Json:
    """Read a CRD by its plural name."""
    definition: Json = yaml.safe_load((CRDS / f"{plural}.yaml").read_text())
    return definition


def problems(plural: str, obj: Json) -> list[str]:
    """List where an object is not what the schema says; an unknown field is a problem too."""
    found = _validator(plural).iter_errors(obj)
    return [f"{error.json_path}: {error.message}" for error in found]


@cache
def _validator(plural: str) -> jsonschema.Draft202012Validator:
    schema = crd(plural)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return jsonschema.Draft202012Validator(_closed(schema))


def _closed(schema: Json) -> Json:
    """Forbid fields that a schema does not name; `metadata` is the API server's own."""
    closed = dict(schema)
    if "properties" in schema:
        closed["additionalProperties"] = False
        closed["properties"] = {
            key: value if key == "metadata" else _closed(value)
            for key, value in schema["properties"].items()
        }
    if isinstance(schema.get("items"), dict):
        closed["items"] = _closed(schema["items"])
    return closed
