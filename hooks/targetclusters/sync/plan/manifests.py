"""Decides which objects a source's manifests describe, and what is wrong with the others."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass

from hooks.http.bounded_json import Json
from hooks.targetclusters.sync.plan.model import DesiredObject, SourceProblem
from hooks.targetclusters.untrusted_yaml import Unusable, documents

#: How many problems of one source are told; a source that is no manifest at all has thousands.
PROBLEMS_TOLD = 20

_API_VERSION = re.compile(r"(?:[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[a-z][a-z0-9]{0,62}")
_KIND = re.compile(r"[A-Za-z][A-Za-z0-9]{0,62}")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
#: What only the API server that an object lives on may say.
_SERVER_OWNED = frozenset(
    (
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "generation",
        "managedFields",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    )
)
#: Keys of labels and annotations that say whose an object is where it comes from: on a target
#: they would make another tool take it for its own.
_TRACKING = (
    "applyset.kubernetes.io/",
    "argocd.argoproj.io/",
    "helm.toolkit.fluxcd.io/",
    "kubectl.kubernetes.io/last-applied-configuration",
    "kustomize.toolkit.fluxcd.io/",
    "meta.helm.sh/",
    "targetcluster.example.com/",
)


@dataclass(frozen=True)
class Manifests:
    """What a source's texts came to."""

    objects: tuple[DesiredObject, ...] = ()
    problems: tuple[SourceProblem, ...] = ()


class _Invalid(ValueError):
    """A field that no object can have."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


def read_manifests(source: str, texts: Mapping[str, str], *, confidential: bool) -> Manifests:
    """Read the objects in a source's YAML texts, each document on its own.

    Args:
        source: such as `ConfigMap/web`.
        texts: by the source's key; read in the order of the keys.
        confidential: whether the source is a Secret.
    """
    objects: list[DesiredObject] = []
    problems: list[SourceProblem] = []
    for key in sorted(texts):
        for number, document in enumerate(documents(texts[key]), start=1):
            for at, candidate in _candidates(document):
                try:
                    body = _body(candidate, at)
                except _Invalid as invalid:
                    at_fault = SourceProblem(source, invalid.message, key, number, invalid.field)
                    problems.append(at_fault)
                else:
                    secret = confidential or body["kind"] == "Secret"
                    objects.append(DesiredObject(source, body, confidential=secret))
    return Manifests(tuple(objects), _told(source, problems))


def owned_fields(body: Json) -> Json:
    """Answer an object without what its own API server, or another tool, says about it."""
    metadata = {k: v for k, v in body["metadata"].items() if k not in _SERVER_OWNED}
    for name in ("labels", "annotations"):
        if name in metadata:
            pairs = metadata.pop(name) or {}
            kept = {k: v for k, v in pairs.items() if not k.startswith(_TRACKING)}
            metadata |= {name: kept} if kept else {}
    rest = {k: v for k, v in body.items() if k not in {"status", "metadata"}}
    return {**rest, "metadata": metadata}


def _told(source: str, problems: list[SourceProblem]) -> tuple[SourceProblem, ...]:
    if len(problems) <= PROBLEMS_TOLD:
        return tuple(problems)
    more = SourceProblem(source, f"{len(problems) - PROBLEMS_TOLD} more problems")
    return (*problems[:PROBLEMS_TOLD], more)


def _candidates(document: object) -> list[tuple[str, object]]:
    """Answer what may be objects in a document, and where: itself, or the items of a v1 List."""
    if document is None:
        return []
    if isinstance(document, dict) and (document.get("apiVersion"), document.get("kind")) == (
        "v1",
        "List",
    ):
        items = document.get("items")
        if isinstance(items, list):
            return [(f"items[{number}]", item) for number, item in enumerate(items)]
        return [("items", items)]
    return [("", document)]


def _body(document: object, at: str) -> Json:
    """Check what may be an object, and answer it in the fields that are ours to apply."""
    if isinstance(document, Unusable):
        raise _Invalid(document.field, document.message)
    if not isinstance(document, dict):
        right = "must be an object with apiVersion, kind and metadata"
        raise _Invalid(at, f"{right}, not {_type(document)}")
    at += "." if at else ""
    _match(document, "apiVersion", _API_VERSION, at, "such as v1 or apps/v1")
    _match(document, "kind", _KIND, at, "such as ConfigMap")
    metadata = document.get("metadata")
    if not isinstance(metadata, dict):
        raise _Invalid(f"{at}metadata", "must be a map with at least a name")
    _check_name(metadata.get("name"), f"{at}metadata.name")
    if metadata.get("namespace") is None:
        metadata = {k: v for k, v in metadata.items() if k != "namespace"}
    else:
        _match(metadata, "namespace", _LABEL, f"{at}metadata.", "the name of a namespace")
    for pairs in ("labels", "annotations"):
        _check_pairs(metadata.get(pairs), f"{at}metadata.{pairs}")
    body = owned_fields({**document, "metadata": metadata})
    return _with_data(body, at) if (body["apiVersion"], body["kind"]) == ("v1", "Secret") else body


def _match(holder: Json, field: str, pattern: re.Pattern[str], at: str, right: str) -> None:
    value = holder.get(field)
    if value is None:
        raise _Invalid(at + field, f"is missing; write {right}")
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise _Invalid(at + field, f"must be {right}")


def _check_name(name: object, field: str) -> None:
    if name is None:
        raise _Invalid(field, "is missing; objects are synced by their name")
    if not isinstance(name, str) or not 0 < len(name) <= 253:
        raise _Invalid(field, "must be a text of 1 to 253 characters")
    if name in {".", ".."} or not name.isprintable() or set("/%") & set(name):
        raise _Invalid(field, "must not hold /, % or control characters, nor be . or ..")


def _check_pairs(pairs: object, field: str) -> None:
    if pairs is None:
        return
    if not isinstance(pairs, dict):
        raise _Invalid(field, "must be a map of texts")
    for key, value in pairs.items():
        if not isinstance(value, str):
            raise _Invalid(f"{field}[{key}]", "must be a text; write it in quotes")


def _with_data(body: Json, at: str) -> Json:
    """Write a Secret's `stringData` as `data`, as the API server would: it never shows it again."""
    texts = body.get("stringData")
    if texts is None:
        return body
    _check_pairs(texts, f"{at}stringData")
    data = {} if body.get("data") is None else body["data"]
    if not isinstance(data, dict):
        raise _Invalid(f"{at}data", "must be a map of texts")
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
    return {**{k: v for k, v in body.items() if k != "stringData"}, "data": {**data, **encoded}}


def _type(value: object) -> str:
    names = {list: "a list", str: "text", bool: "true or false", type(None): "nothing"}
    return names.get(type(value), "a number")
