"""Decides which objects a source's manifests describe, and what is wrong with the others."""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from msgspec import structs

from hooks import names
from hooks.http.bounded_json import Json
from hooks.kube.annotations import unknown_annotations
from hooks.kube.field_paths import join_path
from hooks.kube.objects import annotations
from hooks.kube.patterns import API_VERSION, DNS_LABEL, KIND, name_problem
from hooks.targetclusters.sync.plan.fields import SERVER_OWNED
from hooks.targetclusters.sync.plan.inventory import InventoryEntry
from hooks.targetclusters.sync.plan.model import DesiredObject, SourceProblem, Switches
from hooks.targetclusters.untrusted_yaml import NO_SIZE, InvalidField, Size, documents
from hooks.webhook.contract import BadRequest
from hooks.webhook.requests import convert

#: How many problems of one source are named; a source that is not a manifest has thousands.
MAX_PROBLEMS = 20
_PREFIX = f"{names.TARGET_CLUSTER_GROUP}/"
#: What follows the prefix in annotations that exist; the last two are on objects of targets.
_SWITCHES = [
    name.removeprefix(_PREFIX)
    for name in (
        *(each.encode_name for each in structs.fields(Switches)),
        names.ANNOTATION_OWNER,
        names.ANNOTATION_APPLIED_HASH,
        names.ANNOTATION_CREATED_FOR,
    )
]

#: Labels and annotations by which a tool knows its objects where they come from: on a target they
#: would make the tool there take an object for its own. What else these tools read, such as
#: `argocd.argoproj.io/secret-type`, is content. What ends with `/` is a prefix.
_TRACKING = (
    "applyset.kubernetes.io/additional-namespaces",
    "applyset.kubernetes.io/contains-group-kinds",
    "applyset.kubernetes.io/contains-group-resources",
    "applyset.kubernetes.io/id",
    "applyset.kubernetes.io/part-of",
    "applyset.kubernetes.io/tooling",
    "argocd.argoproj.io/installation-id",
    "argocd.argoproj.io/instance",
    "argocd.argoproj.io/tracking-id",
    "config.k8s.io/owning-inventory",
    "helm.toolkit.fluxcd.io/name",
    "helm.toolkit.fluxcd.io/namespace",
    "kapp.k14s.io/app",
    "kapp.k14s.io/association",
    "kapp.k14s.io/identity",
    "kapp.k14s.io/original",
    "kapp.k14s.io/original-diff-md5",
    "kubectl.kubernetes.io/last-applied-configuration",
    "kustomize.toolkit.fluxcd.io/checksum",
    "kustomize.toolkit.fluxcd.io/name",
    "kustomize.toolkit.fluxcd.io/namespace",
    "meta.helm.sh/release-name",
    "meta.helm.sh/release-namespace",
    "objectset.rio.cattle.io/",
    "olm.operatorframework.io/owner-kind",
    "olm.operatorframework.io/owner-name",
    "olm.owner",
    "olm.owner.kind",
    "olm.owner.namespace",
    "operators.coreos.com/",
    _PREFIX,
)
#: Labels by which Argo CD and Helm may know a ConfigMap or Secret that is copied; a manifest that
#: names them wants them.
COPY_TRACKING = (
    "app.kubernetes.io/instance",
    "app.kubernetes.io/managed-by",
    "helm.sh/chart",
)


@dataclass(frozen=True)
class SourceContents:
    """What a source wants on the target, what in it cannot be synced, and how much it holds.

    Attributes:
        count: of the objects, which may have been dropped since.
        digest: of the objects.
        lease: holds their memory.
    """

    objects: tuple[DesiredObject, ...] = ()
    problems: tuple[SourceProblem, ...] = ()
    size: Size = NO_SIZE
    count: int = 0
    digest: str = ""
    lease: object = field(default=None, repr=False, compare=False)

    @property
    def is_whole(self) -> bool:
        """Tell whether the objects are there."""
        return len(self.objects) == self.count

    def kept(self, lease: object) -> "SourceContents":
        """Return what is to be kept: with a count and digest that stay if the objects go."""
        digest = hashlib.sha256()
        for one in self.objects:
            parts = (one.source, one.namespace, structs.asdict(one.switches), one.body)
            digest.update(json.dumps(parts).encode())
        count, text = len(self.objects), digest.hexdigest()
        return replace(self, count=count, digest=text, lease=lease)

    def dropped(self) -> "SourceContents":
        """Return what is known of it without its objects."""
        return replace(self, objects=(), lease=None)


def read_manifests(
    source: str, texts: Mapping[str, str], spend: Callable[[Size], object] = lambda _: None
) -> SourceContents:
    """Read the objects in YAML texts, each document on its own, in the order of their keys.

    Args:
        source: such as `ConfigMap/web`.
        texts: by key.
        spend: called with the size of each text before anything is built from it; may raise.
    """
    sizes: list[Size] = []

    def count(size: Size) -> None:
        spend(size)
        sizes.append(size)

    objects: list[DesiredObject] = []
    problems: list[SourceProblem] = []
    for key in sorted(texts):
        for number, document in enumerate(documents(texts[key], count), start=1):
            for path, candidate in _candidates(document):
                where = f"key {key}, document {number}"
                try:
                    body = _body(candidate, path)
                    objects.append(desired_object(source, body, path))
                    problems += unknown_switches(source, body, where)
                except InvalidField as error:
                    problems.append(SourceProblem(source, str(error), where))
    if len(problems) > MAX_PROBLEMS:
        more = SourceProblem(source, f"{len(problems) - MAX_PROBLEMS} more problems")
        problems[MAX_PROBLEMS:] = [more]
    size = Size(sum(one.values for one in sizes), sum(one.text_bytes for one in sizes))
    return SourceContents(tuple(objects), tuple(problems), size)


def desired_object(source: str, body: Json, path: str = "") -> DesiredObject:
    """Return an object as its source wants it: without what is said only to us or about it there.

    Args:
        source: such as `ConfigMap/web`.
        body: the object as it is in the source.
        path: of the object in a document.

    Raises:
        InvalidField: an annotation of ours has a value that it cannot have.
    """
    try:
        field = f"{path}.metadata.annotations".lstrip(".")
        switches = convert(annotations(body), Switches, field)
    except BadRequest as error:
        named = InventoryEntry(body["apiVersion"], body["kind"], name=body["metadata"]["name"])
        value, must, right = error.problem.rpartition("must ")
        is_secret = structs.replace(named, source=source).is_confidential
        problem = f"{'' if is_secret else value}{must}{right}"
        raise InvalidField(f"{named.kind} {named.name}, {error.field}", problem) from None
    return DesiredObject(source, _owned_fields(body), switches=switches)


def unknown_switches(source: str, body: Json, where: str = "") -> Iterator[SourceProblem]:
    """Name each annotation of ours that does not exist: what is meant by it is not known."""
    for key, problem in unknown_annotations(annotations(body), _PREFIX, _SWITCHES):
        name = f"{body['kind']} {body['metadata']['name']}"
        path = join_path("metadata.annotations", key)
        yield SourceProblem(source, f"{name}, {path}: {problem}", where)


def without(metadata: Json, names: tuple[str, ...]) -> Json:
    """Return metadata without labels and annotations; a name with `/` at its end is a prefix."""
    prefixes = tuple(name for name in names if name.endswith("/"))
    kept = {key: value for key, value in metadata.items() if key not in ("labels", "annotations")}
    for name in ("labels", "annotations"):
        pairs = metadata.get(name) or {}
        if left := {
            k: v for k, v in pairs.items() if k not in names and not k.startswith(prefixes)
        }:
            kept[name] = left
    return kept


def _owned_fields(body: Json) -> Json:
    """Return an object without what its own API server or another tool says about it."""
    metadata = {k: v for k, v in body["metadata"].items() if k not in SERVER_OWNED}
    metadata = without(metadata, _TRACKING)
    rest = {k: v for k, v in body.items() if k not in {"status", "metadata"}}
    return {**rest, "metadata": metadata}


def match_string(value: object, pattern: re.Pattern[str], field: str, right: str) -> str:
    """Return a value that is a string and matches; raises InvalidField, with what is right."""
    if value is None:
        raise InvalidField(field, f"is missing; must be {right}")
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise InvalidField(field, f"must be {right}")
    return value


def _candidates(document: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Return what may be an object in a document, with its path: itself, or the items of a list.

    As kubectl does, any kind with `items` counts as a list, also within a list; items of such as a
    ConfigMapList need no kind of their own.
    """
    if document is None and not path:
        return
    found = document if isinstance(document, dict) else {}
    kind, items = found.get("kind"), found.get("items", ())
    if "items" not in found or not isinstance(kind, str):
        yield path, document
    elif items is not None and not isinstance(items, list):
        yield f"{path}.items".lstrip("."), items
    else:
        of = {"apiVersion": found.get("apiVersion"), "kind": kind.removesuffix("List")}
        for number, item in enumerate(items or ()):
            bare = isinstance(item, dict) and not item.keys() & of.keys() and of["kind"]
            where = f"{path}.items[{number}]".lstrip(".")
            yield from _candidates({**of, **item} if bare else item, where)


def _body(document: object, path: str) -> Json:
    """Check what may be an object, and return the fields of it that are applied."""
    if isinstance(document, InvalidField):
        raise document
    if not isinstance(document, dict):
        right = "must be an object with apiVersion, kind and metadata"
        raise InvalidField(path, f"{right}, not {_type(document)}")
    path += "." if path else ""
    version, kind = document.get("apiVersion"), document.get("kind")
    match_string(version, API_VERSION, f"{path}apiVersion", "a version such as v1 or apps/v1")
    match_string(kind, KIND, f"{path}kind", "a kind such as ConfigMap")
    metadata = document.get("metadata")
    if not isinstance(metadata, dict):
        raise InvalidField(f"{path}metadata", "must be a map with at least a name")
    _check_name(metadata.get("name"), f"{path}metadata.name")
    namespace = metadata.get("namespace")
    if namespace is None:
        metadata = {k: v for k, v in metadata.items() if k != "namespace"}
    else:
        match_string(namespace, DNS_LABEL, f"{path}metadata.namespace", "the name of a namespace")
    for pairs in ("labels", "annotations"):
        _check_strings(metadata.get(pairs), f"{path}metadata.{pairs}")
    body = {**document, "metadata": metadata}
    return _with_data(body, path) if (version, kind) == ("v1", "Secret") else body


def _check_name(name: object, field: str) -> None:
    if name is None:
        raise InvalidField(field, "is missing; objects are synced by their name")
    if problem := name_problem(name):
        raise InvalidField(field, problem)


def _check_strings(pairs: object, field: str) -> None:
    if pairs is None:
        return
    if not isinstance(pairs, dict):
        raise InvalidField(field, "must be a map of strings")
    for key, value in pairs.items():
        if not isinstance(value, str):
            raise InvalidField(f"{field}[{key}]", "must be a string; write it in quotes")


def _with_data(body: Json, path: str) -> Json:
    """Write a Secret's `stringData` as `data`, as the API server does: it never returns it."""
    texts = body.get("stringData")
    if texts is None:
        return body
    _check_strings(texts, f"{path}stringData")
    data = {} if body.get("data") is None else body["data"]
    if not isinstance(data, dict):
        raise InvalidField(f"{path}data", "must be a map of strings")
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
    return {**{k: v for k, v in body.items() if k != "stringData"}, "data": {**data, **encoded}}


def _type(value: object) -> str:
    words = {list: "a list", str: "a string", bool: "true or false", type(None): "nothing"}
    return words.get(type(value), "a number")
