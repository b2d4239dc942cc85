"""Decides which ConfigMaps and Secrets are a TargetCluster's sources, and what each one wants."""

import base64
import binascii
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Literal

from hooks.http.bounded_json import Json
from hooks.kube.objects import OBJECT_NAME, items, part
from hooks.names import LABEL_SYNC, TARGET_CLUSTER_GROUP, TARGET_CLUSTER_KIND
from hooks.targetclusters.sync.plan.identity import DNS_LABEL
from hooks.targetclusters.sync.plan.manifests import (
    COPY_TRACKING,
    SourceContents,
    desired_object,
    match_string,
    read_manifests,
    without,
)
from hooks.targetclusters.sync.plan.model import DesiredObject, SourceProblem
from hooks.targetclusters.untrusted_yaml import InvalidField, Size

SourceKind = Literal["ConfigMap", "Secret"]

#: The sources in a TargetCluster's spec, for messages.
FIELD = "resourceSyncPolicy.sources"
_COPIED_METADATA = ("name", "namespace", "labels", "annotations")
_COPIED = ("data", "binaryData", "immutable", "type")
#: Where a copy's keys and texts are, which count.
_COPIED_MAPS = (
    ("data",),
    ("binaryData",),
    ("metadata", "labels"),
    ("metadata", "annotations"),
)
_LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9][-A-Za-z0-9_.]{0,62}")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


@dataclass(frozen=True)
class Source:
    """ConfigMaps or Secrets of the TargetCluster's namespace: one by name, or all by label.

    Attributes:
        path: where it is in the spec, for messages.
        selector: as the API server's `labelSelector` takes it; empty if `name` is set.
        target_name: of the copy; empty for the source's own name.
        target_namespace: where everything namespaced goes; empty for the objects' own namespaces.
    """

    path: str
    kind: SourceKind
    mode: Literal["Copy", "Manifests"] = "Copy"
    name: str = ""
    selector: str = ""
    target_name: str = ""
    target_namespace: str = ""


#: The sources of a TargetCluster that lists none.
_LABELLED = (
    Source("ConfigMaps by label", "ConfigMap", selector=f"{LABEL_SYNC}=true"),
    Source("Secrets by label", "Secret", selector=f"{LABEL_SYNC}=true"),
)


@dataclass(frozen=True)
class Sources:
    """The sources that the spec selects, and what in it cannot be followed.

    Attributes:
        namespace: of the TargetCluster and its sources.
    """

    namespace: str
    valid: tuple[Source, ...] = ()
    problems: tuple[SourceProblem, ...] = ()


def parse_sources(cluster: Json) -> Sources:
    """Read `spec.resourceSyncPolicy`; without a list of sources, they are those with our label."""
    namespace = str(cluster["metadata"].get("namespace") or "default")
    policy = part(cluster, "spec", "resourceSyncPolicy")
    target_namespace = policy.get("targetNamespace") or ""
    is_namespace = isinstance(target_namespace, str) and DNS_LABEL.fullmatch(target_namespace)
    if target_namespace and not is_namespace:
        field = "resourceSyncPolicy.targetNamespace"
        problem = SourceProblem(field, "must be the name of a namespace")
        return Sources(namespace, problems=(problem,))
    problems: list[SourceProblem] = []
    listed = policy.get("sources")
    valid = list(_LABELLED) if listed is None else []
    listed = [] if listed is None else listed
    for number, entry in enumerate(listed if isinstance(listed, list) else [listed]):
        path = f"{FIELD}[{number}]"
        try:
            valid.append(_source(path, entry, namespace))
        except InvalidField as error:
            problems.append(SourceProblem(path, str(error)))
    valid = [
        replace(one, target_namespace=one.target_namespace or target_namespace) for one in valid
    ]
    return Sources(namespace, tuple(valid), tuple(problems))


def why_not_a_source(
    kind: SourceKind, metadata: Json, *, kubeconfig_secrets: Collection[str]
) -> str:
    """Return why an object is never a source, whoever names it; empty if it may be one."""
    if kind == "Secret" and metadata.get("name") in kubeconfig_secrets:
        return "holds the kubeconfig of a TargetCluster and is never synced"
    if is_inventory(metadata):
        return "is an inventory of the operator and is never synced"
    return ""


def is_inventory(metadata: Json) -> bool:
    """Tell whether an object is a child of a TargetCluster."""
    return any(
        isinstance(owner, dict)
        and owner.get("kind") == TARGET_CLUSTER_KIND
        and str(owner.get("apiVersion")).startswith(f"{TARGET_CLUSTER_GROUP}/")
        for owner in items(metadata, "ownerReferences")
    )


def read_contents(
    source: Source, obj: Json, spend: Callable[[Size], object] = lambda _: None
) -> SourceContents:
    """Return what one of a source's ConfigMaps or Secrets holds, before `place` changes it.

    Args:
        source: only its kind and mode count.
        obj: the ConfigMap or Secret.
        spend: called with sizes before anything is built; may raise.
    """
    name = f"{source.kind}/{obj['metadata']['name']}"
    read = _manifests if source.mode == "Manifests" else _copy
    found = read(source, name, obj, spend)
    lives_in = obj["metadata"].get("namespace") or "default"
    placed = (
        replace(one, namespace=one.body["metadata"].get("namespace") or lives_in)
        for one in found.objects
    )
    return replace(found, objects=tuple(placed))


def place(source: Source, one: DesiredObject) -> DesiredObject:
    """Give an object the name and namespace that its source asks for; the rest is shared."""
    body = one.body
    if source.target_name:
        body = {**body, "metadata": {**body["metadata"], "name": source.target_name}}
    return replace(one, body=body, namespace=source.target_namespace or one.namespace)


def _copy(source: Source, name: str, obj: Json, spend: Callable[[Size], object]) -> SourceContents:
    if obj.get("type") == "kubernetes.io/service-account-token":
        problem = SourceProblem(name, "is the token of a service account of this cluster")
        return SourceContents((), (problem,))
    metadata = without(obj["metadata"], COPY_TRACKING)
    body = {
        "apiVersion": "v1",
        "kind": source.kind,
        "metadata": {key: metadata[key] for key in _COPIED_METADATA if metadata.get(key)},
        **{key: obj[key] for key in _COPIED if obj.get(key) is not None},
    }
    held = [part(body, *path) for path in _COPIED_MAPS]
    texts = [str(text) for pairs in held for pair in pairs.items() for text in pair]
    size = Size(len(texts) // 2, sum(map(len, texts)))
    spend(size)
    return SourceContents((desired_object(name, body),), size=size)


def _manifests(
    source: Source, name: str, obj: Json, spend: Callable[[Size], object]
) -> SourceContents:
    texts: dict[str, str] = {}
    problems: list[SourceProblem] = []
    for key, value in sorted((obj.get("data") or {}).items()):
        try:
            is_secret = source.kind == "Secret"
            texts[key] = base64.b64decode(value, validate=True).decode() if is_secret else value
        except (binascii.Error, ValueError):
            problems.append(SourceProblem(name, "must be a text in UTF-8", f"key {key}"))
    problems += [
        SourceProblem(name, "holds bytes; manifests are texts in data", f"key {key}")
        for key in sorted(obj.get("binaryData") or {})
    ]
    read = read_manifests(name, texts, spend)
    return replace(read, problems=(*problems, *read.problems))


def _source(path: str, entry: object, namespace: str) -> Source:
    if not isinstance(entry, dict):
        raise InvalidField("", "must be a map with kind, and name or selector")
    kind, mode, name = entry.get("kind"), entry.get("as", "Copy"), entry.get("name")
    target_name, target_namespace = entry.get("targetName"), entry.get("targetNamespace")
    _require(kind in ("ConfigMap", "Secret"), "kind", "must be ConfigMap or Secret")
    _require(mode in ("Copy", "Manifests"), "as", "must be Copy or Manifests")
    is_own = entry.get("namespace") in (None, "", namespace)
    _require(is_own, "namespace", "must be the TargetCluster's own; leave it out")
    is_one = (name is None) != (entry.get("selector") is None)
    _require(is_one, "", "must have a name or a selector, and not both")
    if target_namespace not in (None, ""):
        match_string(target_namespace, DNS_LABEL, "targetNamespace", "the name of a namespace")
    if target_name is not None:
        right = "the name of a copy, of a source with a name"
        _require(name is not None and mode == "Copy", "targetName", f"must be {right}")
        match_string(target_name, OBJECT_NAME, "targetName", right)
    if name is not None:
        match_string(name, OBJECT_NAME, "name", "the name of a ConfigMap or Secret")
    selector = _selector(entry["selector"]) if name is None else ""
    return Source(
        path, entry["kind"], mode, name or "", selector, target_name or "", target_namespace or ""
    )


def _selector(selector: object) -> str:
    """Write a metav1.LabelSelector as the API server's query takes it."""
    right = "must be a label selector with matchLabels or matchExpressions that select something"
    if not isinstance(selector, dict):
        raise InvalidField("selector", right)
    labels, expressions = selector.get("matchLabels") or {}, selector.get("matchExpressions") or []
    _require(isinstance(labels, dict) and isinstance(expressions, list), "selector", right)
    terms = [f"{_key(key)}={_value(value)}" for key, value in sorted(labels.items())]
    terms += [_term(expression) for expression in expressions]
    _require(bool(terms), "selector", f"{right}: an empty one would take every object")
    return ",".join(terms)


def _term(expression: object) -> str:
    field = "selector.matchExpressions"
    if not isinstance(expression, dict):
        raise InvalidField(field, "must be maps with key and operator")
    key, operator = _key(expression.get("key")), expression.get("operator")
    values = expression.get("values") or []
    if operator in ("Exists", "DoesNotExist"):
        return key if operator == "Exists" else f"!{key}"
    is_right = operator in ("In", "NotIn") and isinstance(values, list) and len(values) > 0
    right = "must have the operator In or NotIn with values, Exists or DoesNotExist"
    _require(is_right, field, right)
    return f"{key} {str(operator).lower()} ({','.join(map(_value, values))})"


def _key(key: object) -> str:
    return match_string(key, _LABEL_KEY, "selector", "made of keys that labels can have")


def _value(value: object) -> str:
    return match_string(value, _LABEL_VALUE, "selector", "made of values that labels can have")


def _require(is_right: bool, field: str, message: str) -> None:
    if not is_right:
        raise InvalidField(field, message)
