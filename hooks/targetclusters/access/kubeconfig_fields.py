"""Reads the fields of a kubeconfig; names one that cannot be used, and what would be right."""

import base64
import codecs
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from hooks.http.bounded_json import Json
from hooks.http.texts import join_names, one_line, quote
from hooks.targetclusters.untrusted_yaml import InvalidField, documents

#: The longest kubeconfig; parsing a longer one takes over a second.
MAX_CHARACTERS = 256 * 1024
AUTHORITIES = "certificate-authority-data"
#: The most characters and PEM blocks of a field: room for a bundle of authorities, for a chain, and
#: for the longest RSA key with its parameters.
PEM_BOUNDS = {
    AUTHORITIES: (128 * 1024, 100),
    "client-certificate-data": (64 * 1024, 20),
    "client-key-data": (32 * 1024, 4),
}

#: How many entries of a list a message names, and how much of each and of a path it shows.
_NAMED_ENTRIES = 5
_SHOWN_ENTRY = 40
_SHOWN = 80
_TYPES = {str: "a string", bool: "true or false", list: "a list", dict: "a mapping"}
_LINE_BREAKS = str.maketrans("", "", "\r\n")

T = TypeVar("T", str, bool, list[object], Json)


class BadKubeconfig(Exception):
    """A kubeconfig that cannot be used; str() names the field and never quotes a credential.

    Attributes:
        reason: in CamelCase, for a condition.
    """

    def __init__(self, message: str, reason: str = "KubeconfigInvalid") -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Fields:
    """A mapping in a kubeconfig, and its path."""

    values: Json = field(repr=False)
    path: str = ""

    def get(self, key: str, kind: type[T]) -> T:
        """Return a value; an empty one of its kind if it is missing."""
        value = self.values.get(key)
        if value is None:
            return kind()
        if not isinstance(value, kind):
            raise self.invalid(key, f"must be {_TYPES[kind]}")
        return value

    def entry(self, key: str, config: "Fields", plural: str) -> "Fields":
        """Return what a field names of the contexts, clusters or users of a kubeconfig."""
        name, singular = self.get(key, str), plural.removesuffix("s")
        entries = [each for each in config.get(plural, list) if isinstance(each, dict)]
        for entry in entries:
            if name and entry.get("name") == name:
                path = f"{plural}[{one_line(name, _SHOWN)}]"
                return Fields(Fields(entry, path).get(singular, dict), f"{path}.{singular}")
        known = [quote(each.get("name"), _SHOWN_ENTRY) for each in entries]
        right = f"must be one of {plural}: {join_names(known, limit=_NAMED_ENTRIES) or 'none'}"
        raise self.invalid(key, f"is {quote(name) if name else 'missing'}, {right}")

    def current(self) -> tuple["Fields", "Fields"]:
        """Return cluster and user of the current context of a kubeconfig."""
        context = self.entry("current-context", self, "contexts")
        user = context.get("user", str)
        return (
            context.entry("cluster", self, "clusters"),
            context.entry("user", self, "users") if user else Fields({}),
        )

    def refuse_fields(self, refused: Mapping[str, tuple[str, str]]) -> None:
        """Refuse fields that are not empty texts or lists; each has a reason and a problem."""
        for name, (reason, problem) in refused.items():
            if self.values.get(name) not in (None, "", []):
                raise self.invalid(name, problem, reason)

    def pem(self, key: str) -> str:
        """Return what a field holds in base64; OpenSSL can read it in little time.

        An encrypted key names how often its password is hashed: up to 2**31 times, for an hour.
        Python takes only ASCII, and texts between the blocks may hold anything.
        """
        encoded = self.get(key, str).translate(_LINE_BREAKS)
        if "-----BEGIN " in encoded:
            raise self.invalid(key, "is PEM, must be PEM in base64")
        try:
            content = base64.b64decode(encoded, validate=True)
        except ValueError:
            problem = "is not PEM in base64, in which only line breaks may stand"
            raise self.invalid(key, problem) from None
        text = content.decode("ascii", "replace").replace("\N{REPLACEMENT CHARACTER}", "?")
        length, blocks = PEM_BOUNDS[key]
        if len(text) > length or text.count("-----BEGIN ") > blocks:
            raise self.invalid(key, f"holds more than {length} characters or {blocks} PEM blocks")
        if "ENCRYPTED" in text:  # the block's name, or its header Proc-Type: 4,ENCRYPTED
            raise self.invalid(key, "holds an encrypted key; must be a key without a password")
        return text

    def invalid(self, key: str, problem: str, reason: str = "KubeconfigInvalid") -> BadKubeconfig:
        """Return the error about a field."""
        return BadKubeconfig(f"{self.path}.{key}: {problem}".removeprefix("."), reason)


def decode(content: bytes, key: str) -> str:
    """Decode a kubeconfig by its byte order mark, as kubectl does: PowerShell writes UTF-16."""
    is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeError:
        right = "must be text in UTF-8, or in UTF-16 with a byte order mark"
        raise BadKubeconfig(f"key {key}: is not valid Unicode, {right}") from None


def parse(text: str, key: str) -> Fields:
    """Parse YAML; no error quotes the text."""
    if len(text) > MAX_CHARACTERS:
        raise BadKubeconfig(f"key {key}: is longer than {MAX_CHARACTERS} characters")
    config = next(documents(text), None)
    if isinstance(config, InvalidField):
        where = f", {one_line(config.field, _SHOWN)}" if config.field else ""
        raise BadKubeconfig(f"key {key}{where}: {config.message}")
    if not isinstance(config, dict):
        raise BadKubeconfig(f"key {key}: is not a kubeconfig")
    return Fields(config)
