"""Makes values.yaml of the Helm chart from values.schema.json, which describes each value."""

import json
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).resolve().parent.parent / "deploy" / "chart"
SCHEMA = CHART / "values.schema.json"
VALUES = CHART / "values.yaml"
HEADER = "# Made by `make manifests` from values.schema.json, which refuses what does not fit.\n"
WIDTH = 100


@dataclass(frozen=True)
class Value:
    """One value of the chart, or a group of them.

    Attributes:
        path: its place, as in `--set`.
        field: its schema.
        group: whether it only holds others.
    """

    path: tuple[str, ...]
    field: Mapping[str, Any]
    group: bool

    @property
    def name(self) -> str:
        """Return the path as `--set` takes it."""
        return ".".join(self.path)


def schema() -> Mapping[str, Any]:
    """Read the schema."""
    read: Mapping[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return read


def described(fields: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[Value]:
    """List a schema's values, each group before its members."""
    for name, field in fields["properties"].items():
        group = "properties" in field
        yield Value((*path, name), field, group)
        if group:
            yield from described(field, (*path, name))


def values_yaml() -> str:
    """Write every value with its default, below its description."""
    parts = [HEADER]
    for value in described(schema()):
        indent = "  " * (len(value.path) - 1)
        mark = f"{indent}# "
        text = textwrap.fill(
            value.field["description"],
            WIDTH,
            initial_indent=mark,
            subsequent_indent=mark,
            break_on_hyphens=False,
        )
        blank = "\n" if len(value.path) == 1 else ""
        parts.append(f"{blank}{text}\n{textwrap.indent(_entry(value), indent)}")
    return "".join(parts)


def _entry(value: Value) -> str:
    name = value.path[-1]
    if value.group:
        return f"{name}:\n"
    return str(yaml.safe_dump({name: value.field["default"]}, sort_keys=False))
