"""Decides which ConfigMaps and Secrets are a TargetCluster's sources, and what each one wants."""

import base64
import binascii
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import msgspec
from msgspec import structs

from hooks.http.bounded_json import Json, bytes_of_text
from hooks.kube.objects import items, part
from hooks.kube.patterns import DNS_LABEL, LABEL_KEY, LABEL_VALUE
from hooks.names import LABEL_SYNC, TARGET_CLUSTER_GROUP, TARGET_CLUSTER_KIND
from hooks.targetclusters.sources.plan.manifests import (
    COPY_TRACKING,
    SourceContents,
    desired_object,
    read_manifests,
    unknown_switches,
    without,
)
from hooks.targetclusters.sync.plan.model import DesiredObject, SourceProblem
from hooks.targetclusters.untrusted_yaml import InvalidField, Size
from hooks.webhook.contract import BadRequest
from hooks.webhook.requests import ObjectName, View, convert

SourceKind = Literal["ConfigMap", "Secret"]

NamespaceName = Annotated[
    str, msgspec.Meta(pattern=rf"^{DNS_LABEL.pattern}\Z", description="the name of a namespace")
]

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


class Selector(str):
    """Labels that an object must have, as the API server's `labelSelector` takes them."""

    __slots__ = ()
    wanted = "a selector with matchLabels that labels can have, and at least one"

    @classmethod
    def read(cls, value: object) -> "Selector":
        """Read a metav1.LabelSelector; an empty one would take every object. Raises ValueError."""
        pairs = value["matchLabels"] if isinstance(value, dict) and len(value) == 1 else None
        if not isinstance(pairs, dict) or not pairs:
            raise ValueError(cls.wanted)
        for key, text in pairs.items():
            is_label = isinstance(text, str) and LABEL_VALUE.fullmatch(text)
            if not (is_label and LABEL_KEY.fullmatch(key)):
                raise ValueError(cls.wanted)
        return cls(",".join(f"{key}={text}" for key, text in sorted(pairs.items())))


class Source(View, frozen=True):
    """ConfigMaps or Secrets of the TargetCluster's namespace: one by name, or all by label.

    Attributes:
        target_name: of the copy; empty for the source's own name.
        target_namespace: where everything namespaced goes; empty for the objects' own namespaces.
    """

    kind: SourceKind
    mode: Literal["Copy", "Manifests"] = msgspec.field(name="as", default="Copy")
    name: ObjectName = ""
    namespace: str = ""
    selector: Selector = Selector()
    target_name: ObjectName = ""
    target_namespace: NamespaceName = ""

    def check(self, path: str, namespace: str) -> None:
        """Raise BadRequest if a TargetCluster of this namespace cannot have this source."""
        if self.namespace not in ("", namespace):
            raise BadRequest(f"{path}.namespace", "must be the TargetCluster's own; leave it out")
        if bool(self.name) == bool(self.selector):
            raise BadRequest(path, "must have a name or a selector, and not both")
        if self.target_name and not (self.name and self.mode == "Copy"):
            right = "must be the name of a copy, of a source with a name"
            raise BadRequest(f"{path}.targetName", right)


#: The sources of a TargetCluster that lists none.
_LABELLED = (
    Source("ConfigMap", selector=Selector(f"{LABEL_SYNC}=true")),
    Source("Secret", selector=Selector(f"{LABEL_SYNC}=true")),
)


class _Policy(View, frozen=True):
    sources: tuple[Any, ...] | None = None
    target_namespace: NamespaceName = ""


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
    try:
        policy = convert(part(cluster, "spec", "resourceSyncPolicy"), _Policy, "resourceSyncPolicy")
    except BadRequest as error:
        return Sources(namespace, problems=(SourceProblem(error.field, error.problem),))
    valid = list(_LABELLED) if policy.sources is None else []
    problems: list[SourceProblem] = []
    for number, entry in enumerate(policy.sources or ()):
        path = f"{FIELD}[{number}]"
        try:
            source = convert(entry, Source, path)
            source.check(path, namespace)
            valid.append(source)
        except BadRequest as error:
            problems.append(SourceProblem(error.field, error.problem))
    placed = (
        structs.replace(one, target_namespace=one.target_namespace or policy.target_namespace)
        for one in valid
    )
    return Sources(namespace, tuple(placed), tuple(problems))


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
    """Return what one of a source's ConfigMaps or Secrets holds, before `relocate` changes it.

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


def relocate(source: Source, one: DesiredObject) -> DesiredObject:
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
    size = Size(len(texts) // 2, sum(map(bytes_of_text, texts)))
    spend(size)
    try:
        problems = tuple(unknown_switches(name, body))
        return SourceContents((desired_object(name, body),), problems, size)
    except InvalidField as error:
        return SourceContents((), (SourceProblem(name, str(error)),))


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
