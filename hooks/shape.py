"""Whether a request has the shape that a hook reads; checked once, before anything else is done."""

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from hooks.webhook import BadRequest, Json

_SHOWN = 80

#: The metadata that hooks read of any object.
METADATA: Json = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "namespace": {"type": "string"},
        "uid": {"type": "string"},
        "resourceVersion": {"type": "string"},
        "generation": {"type": "integer"},
        "labels": {"type": ["object", "null"], "additionalProperties": {"type": "string"}},
        "annotations": {"type": ["object", "null"], "additionalProperties": {"type": "string"}},
        "deletionTimestamp": {"type": ["string", "null"]},
    },
}

#: A map of attachments, children or related objects.
OBJECT_MAP: Json = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "required": ["metadata"],
            "properties": {"metadata": METADATA},
        },
    },
}


class Shape:
    """A JSON Schema of a request, compiled once."""

    def __init__(self, schema: Json) -> None:
        Draft202012Validator.check_schema(schema)
        self._validator = Draft202012Validator(schema)

    def check(self, request: object) -> None:
        """Raise BadRequest naming the field, the value and what would be right."""
        error = best_match(self._validator.iter_errors(request))
        if error is None:
            return
        field = ".".join(str(part) for part in error.absolute_path) or "the body"
        message = error.message
        if len(message) > 2 * _SHOWN:
            message = f"{message[:_SHOWN]} … {message[-_SHOWN:]}"
        raise BadRequest(field, message)
