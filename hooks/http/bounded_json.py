"""JSON values as Python has them: dicts, lists, texts and numbers."""

from typing import Any

#: A Kubernetes object, an answer, or any part of one: read, never changed in place.
Json = dict[str, Any]
