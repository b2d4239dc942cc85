"""The parameters of commands: type, whether required, and first version of each."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

Version = tuple[int, ...]
T = TypeVar("T")

SCALARS = frozenset({"string", "integer", "boolean", "list", "map", "uuid", "date"})
TOKEN = re.compile(
    r"(?P<name>\w+)(?::(?P<kind>\w+))?(?P<many>\+)?(?P<required>!)?"
    r"(?:~(?P<length>\d+))?(?:@(?P<since>[\d.]+))?"
)

# The parameters of every call, and those that every list has besides its own.
ENVELOPE = frozenset(
    {"command", "response", "apikey", "signature", "signatureversion", "expires", "sessionkey"}
)
PAGING = "keyword page:integer pagesize:integer"


def version(text: str) -> Version:
    """Read `4.18.0.0` as (4, 18): releases differ in the first two numbers."""
    return tuple(int(part) for part in text.split("."))[:2]


@dataclass(frozen=True)
class Parameter:
    """One parameter: `kind` is a scalar type or the kind of entity whose id it holds."""

    name: str
    kind: str
    many: bool
    required: bool
    length: int
    since: Version | None

    @property
    def entity(self) -> bool:
        """Tell whether the value is an id; with `many`, a comma-separated list of ids."""
        return self.kind not in SCALARS


def parse_parameters(text: str) -> dict[str, Parameter]:
    """Read the notation `name:kind+!~4096@4.18` (kind string, + many, ! required, ~ length)."""
    parameters = {}
    for word in text.split():
        match = TOKEN.fullmatch(word)
        if match is None:
            raise ValueError(f"not a parameter: {word!r}")
        parameters[match["name"]] = Parameter(
            name=match["name"],
            kind=match["kind"] or "string",
            many=match["many"] is not None,
            required=match["required"] is not None,
            length=int(match["length"] or 255),
            since=version(match["since"]) if match["since"] else None,
        )
    return parameters


def unpack(params: Mapping[str, str]) -> tuple[dict[str, str], dict[str, list[dict[str, str]]]]:
    """Split what was sent into plain values and maps (`tags[0].key`), names in lower case."""
    plain: dict[str, str] = {}
    maps: dict[str, dict[str, dict[str, str]]] = {}
    for key, value in params.items():
        match = re.fullmatch(r"(\w+)\[(\d+)\](?:\.(\w+))?", key)
        if match is None:
            plain[key.lower()] = value
        else:
            entry = maps.setdefault(match[1].lower(), {}).setdefault(match[2], {})
            entry[(match[3] or "").lower()] = value
    ordered = {
        name: [entries[index] for index in sorted(entries, key=int)]
        for name, entries in maps.items()
    }
    return plain, ordered


class Arguments:
    """A call's checked parameters, to be read by name and type."""

    def __init__(
        self,
        plain: Mapping[str, str],
        maps: Mapping[str, list[dict[str, str]]],
        entities: Mapping[str, list[object]],
    ) -> None:
        self._plain = plain
        self._maps = maps
        self._entities = entities

    def __contains__(self, name: str) -> bool:
        return name in self._plain or name in self._maps

    def text(self, name: str) -> str | None:
        """Return a value as it was sent."""
        return self._plain.get(name)

    def required(self, name: str) -> str:
        """Return a value that the checks require."""
        return self._plain[name]

    def integer(self, name: str) -> int | None:
        """Return a number."""
        value = self._plain.get(name)
        return None if value is None else int(value)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a boolean: as in Java, everything except `true` is false."""
        value = self._plain.get(name)
        return default if value is None else value.lower() == "true"

    def items(self, name: str) -> list[str]:
        """Return the items of a comma-separated list."""
        value = self._plain.get(name) or ""
        return [word.strip() for word in value.split(",") if word.strip()]

    def maps(self, name: str) -> list[dict[str, str]]:
        """Return the entries of a map parameter, in the order of their numbers."""
        return self._maps.get(name, [])

    def pairs(self, name: str) -> dict[str, str]:
        """Return a map of `key` and `value` entries, such as `tags`, as a dict."""
        return {entry.get("key", ""): entry.get("value", "") for entry in self.maps(name)}

    def entity(self, name: str, kind: type[T]) -> T | None:
        """Return the resource that an id parameter names."""
        found = self._entities.get(name)
        if not found:
            return None
        assert isinstance(found[0], kind)  # noqa: S101 - the notation says which kind
        return found[0]

    def entities(self, name: str, kind: type[T]) -> list[T]:
        """Return the resources that a comma-separated list of ids names, in its order."""
        found: Iterable[object] = self._entities.get(name, ())
        return [resource for resource in found if isinstance(resource, kind)]
