"""Which ConfigMaps and Secrets a TargetCluster's sources are, and what each wants on the target."""

import base64
import binascii
import re
from dataclasses import dataclass, replace
from typing import Literal

from hooks.http.bounded_json import Json
from hooks.names import LABEL_SYNC, TARGET_CLUSTER_GROUP, TARGET_CLUSTER_KIND
from hooks.targetclusters.sync.plan.manifests import Manifests, owned_fields, read_manifests
from hooks.targetclusters.sync.plan.model import DesiredObject, SourceProblem

Kind = Literal["ConfigMap", "Secret"]
Mode = Literal["Copy", "Manifests"]

#: Where the sources stand in a TargetCluster's spec.
FIELD = "resourceSyncPolicy.sources"
_TARGET_NAMESPACE = "resourceSyncPolicy.targetNamespace"
#: What is synced where a TargetCluster names no sources.
_LABELLED = [
    {"kind": kind, "selector": {"matchLabels": {LABEL_SYNC: "true"}}}
    for kind in ("ConfigMap", "Secret")
]
_COPIED_METADATA = ("name", "namespace", "labels", "annotations")
_COPIED = ("data", "binaryData", "immutable", "type")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9][-A-Za-z0-9_.]{0,62}")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_SELECTOR = "must be a label selector with matchLabels or matchExpressions that select something"


@dataclass(frozen=True)
class Source:
    """ConfigMaps or Secrets of the TargetCluster's namespace: one by name, or all by label.

    Attributes:
        at: where it stands in the spec, for messages.
        selector: as the API server's `labelSelector` takes it; empty where `name` is set.
        target_name: of the copy; empty for the source's own.
        target_namespace: where all of it goes; empty for what the TargetCluster says.
    """

    at: str
    kind: Kind
    mode: Mode = "Copy"
    name: str = ""
    selector: str = ""
    target_name: str = ""
    target_namespace: str = ""


@dataclass(frozen=True)
class Sources:
    """What the spec selects, and what it says that cannot be followed.

    Attributes:
        namespace: of the TargetCluster; its sources are there.
        target_namespace: where everything namespaced goes; empty for its own namespaces.
    """

    namespace: str
    chosen: tuple[Source, ...] = ()
    problems: tuple[SourceProblem, ...] = ()
    target_namespace: str = ""

    @property
    def set_namespace(self) -> str:
        """Answer the namespace in which the ApplySet stands."""
        return self.target_namespace or self.namespace


class _Refused(ValueError):
    """A source that cannot be followed; `field` is below the source's own."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


def read_sources(cluster: Json) -> Sources:
    """Read `spec.resourceSyncPolicy`; where it has no list of sources, they are those labelled."""
    namespace = str(cluster["metadata"].get("namespace") or "default")
    policy = _map(_map(cluster.get("spec")).get("resourceSyncPolicy"))
    target_namespace = policy.get("targetNamespace") or ""
    chosen: list[Source] = []
    problems: list[SourceProblem] = []
    if not _is_namespace(target_namespace):
        problem = SourceProblem(_TARGET_NAMESPACE, "must be the name of a namespace")
        return Sources(namespace, problems=(problem,))
    listed = policy.get("sources")
    listed = _LABELLED if listed is None else listed
    for number, entry in enumerate(listed if isinstance(listed, list) else [listed]):
        at = f"{FIELD}[{number}]" if listed is not _LABELLED else f"{entry['kind']}s by label"
        try:
            chosen.append(_source(at, entry, namespace))
        except _Refused as refused:
            problems.append(SourceProblem(at, refused.message, field=refused.field))
    return Sources(namespace, tuple(chosen), tuple(problems), target_namespace)


def refusal(kind: Kind, metadata: Json, *, kubeconfig_secret: str) -> str:
    """Say why an object is no source, whoever names it; empty where it may be one."""
    if kind == "Secret" and metadata.get("name") == kubeconfig_secret:
        return "holds the kubeconfig of the target and is never synced"
    if is_inventory(metadata):
        return "is an inventory that the operator keeps, and is never synced"
    return ""


def is_inventory(metadata: Json) -> bool:
    """Tell whether an object is a child of a TargetCluster."""
    owners = metadata.get("ownerReferences")
    return any(
        isinstance(owner, dict)
        and owner.get("kind") == TARGET_CLUSTER_KIND
        and str(owner.get("apiVersion")).startswith(f"{TARGET_CLUSTER_GROUP}/")
        for owner in (owners if isinstance(owners, list) else ())
    )


def read_source(source: Source, obj: Json) -> Manifests:
    """Answer what one of a source's ConfigMaps or Secrets wants on the target."""
    name = f"{source.kind}/{obj['metadata']['name']}"
    read = _manifests if source.mode == "Manifests" else _copy
    found = read(source, name, obj)
    placed = tuple(replace(one, target_namespace=source.target_namespace) for one in found.objects)
    return Manifests(placed, found.problems)


def _copy(source: Source, name: str, obj: Json) -> Manifests:
    if obj.get("type") == "kubernetes.io/service-account-token":
        problem = SourceProblem(name, "is the token of a service account of this cluster alone")
        return Manifests((), (problem,))
    metadata = obj["metadata"]
    body = {
        "apiVersion": "v1",
        "kind": source.kind,
        "metadata": {
            **{key: metadata[key] for key in _COPIED_METADATA if metadata.get(key)},
            "name": source.target_name or metadata["name"],
        },
        **{key: obj[key] for key in _COPIED if obj.get(key) is not None},
    }
    copied = DesiredObject(name, owned_fields(body), confidential=source.kind == "Secret")
    return Manifests((copied,))


def _source(at: str, entry: object, namespace: object) -> Source:
    if not isinstance(entry, dict):
        raise _Refused("", "must be a map with kind, and name or selector")
    kind, mode, name = entry.get("kind"), entry.get("as", "Copy"), entry.get("name")
    if kind not in ("ConfigMap", "Secret"):
        raise _Refused("kind", "must be ConfigMap or Secret")
    if mode not in ("Copy", "Manifests"):
        raise _Refused("as", "must be Copy or Manifests")
    if entry.get("namespace") not in (None, "", namespace):
        raise _Refused("namespace", "must be the TargetCluster's own; leave it out")
    if (name is None) == (entry.get("selector") is None):
        raise _Refused("", "must have a name or a selector, and not both")
    target_name, target_namespace = entry.get("targetName"), entry.get("targetNamespace")
    if target_namespace is not None and not _is_namespace(target_namespace):
        raise _Refused("targetNamespace", "must be the name of a namespace")
    if target_name is not None and (name is None or mode != "Copy" or not _is_name(target_name)):
        raise _Refused("targetName", "must be the name of a copy, of a source with a name")
    if name is not None and not _is_name(name):
        raise _Refused("name", "must be the name of a ConfigMap or Secret")
    selector = _selector(entry["selector"]) if name is None else ""
    return Source(at, kind, mode, name or "", selector, target_name or "", target_namespace or "")


def _selector(selector: object) -> str:
    """Write a metav1.LabelSelector as the API server's query has it."""
    if not isinstance(selector, dict):
        raise _Refused("selector", _SELECTOR)
    labels = selector.get("matchLabels") or {}
    expressions = selector.get("matchExpressions") or []
    if not isinstance(labels, dict) or not isinstance(expressions, list):
        raise _Refused("selector", _SELECTOR)
    terms = [f"{_key(key)}={_value(value)}" for key, value in sorted(labels.items())]
    terms += [_term(expression) for expression in expressions]
    if not terms:
        raise _Refused("selector", f"{_SELECTOR}: an empty one would take every object")
    return ",".join(terms)


def _term(expression: object) -> str:
    if not isinstance(expression, dict):
        raise _Refused("selector.matchExpressions", "must be maps with key and operator")
    key, operator = _key(expression.get("key")), expression.get("operator")
    values = expression.get("values") or []
    if operator in ("Exists", "DoesNotExist"):
        return key if operator == "Exists" else f"!{key}"
    if operator not in ("In", "NotIn") or not isinstance(values, list) or not values:
        right = "In or NotIn with values, Exists or DoesNotExist"
        raise _Refused("selector.matchExpressions", f"must have the operator {right}")
    listed = ",".join(_value(value) for value in values)
    return f"{key} {'in' if operator == 'In' else 'notin'} ({listed})"


def _key(key: object) -> str:
    if not isinstance(key, str) or not _LABEL_KEY.fullmatch(key):
        raise _Refused("selector", "must have keys that labels can have")
    return key


def _value(value: object) -> str:
    if not isinstance(value, str) or not _LABEL_VALUE.fullmatch(value):
        raise _Refused("selector", "must have values that labels can have")
    return value


def _manifests(source: Source, name: str, obj: Json) -> Manifests:
    secret = source.kind == "Secret"
    texts: dict[str, str] = {}
    problems: list[SourceProblem] = []
    for key, value in sorted((obj.get("data") or {}).items()):
        text = _decoded(value) if secret else value
        if isinstance(text, str):
            texts[key] = text
        else:
            problems.append(SourceProblem(name, "must be a text in UTF-8", key))
    problems += [
        SourceProblem(name, "holds bytes; manifests are texts in data", key)
        for key in sorted(obj.get("binaryData") or {})
    ]
    read = read_manifests(name, texts, confidential=secret)
    return Manifests(read.objects, (*problems, *read.problems))


def _decoded(value: object) -> str | None:
    try:
        return base64.b64decode(str(value), validate=True).decode()
    except (binascii.Error, ValueError):
        return None


def _map(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _is_namespace(value: object) -> bool:
    return isinstance(value, str) and (not value or _NAMESPACE.fullmatch(value) is not None)
