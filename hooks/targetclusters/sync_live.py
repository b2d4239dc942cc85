"""Reads what a target has of an ApplySet: lists by label, kind by kind, keeping what counts."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from hooks.kube import KubeError, KubeRefused, NotFound
from hooks.names import LABEL_APPLYSET_PART_OF
from hooks.targetclusters.inventory import ObjectKey
from hooks.targetclusters.sync_apply import words
from hooks.targetclusters.sync_kinds_plan import Kind
from hooks.targetclusters.sync_object_plan import Seen, Wanted, see
from hooks.targetclusters.sync_target import Target

#: Up to so many namespaces are listed one by one, which a kubeconfig for them alone allows too.
SINGLE_NAMESPACES = 3
#: How many more objects of ours than expected a target may list.
UNEXPECTED = 1_000


@dataclass
class Live:
    """What was listed.

    Attributes:
        seen: the objects that carry our label, with the kind that they were listed as.
        unlisted: why a kind could not be listed, by kind.
        unserved: kinds that are not served any more.
    """

    seen: dict[ObjectKey, tuple[Kind, Seen]] = field(default_factory=dict)
    unlisted: dict[Kind, str] = field(default_factory=dict)
    unserved: set[Kind] = field(default_factory=set)

    def get(self, key: ObjectKey) -> Seen | None:
        """Answer an object, None where it was not listed."""
        found = self.seen.get(key)
        return found[1] if found else None


def read_live(
    target: Target,
    applyset_id: str,
    kinds: Iterable[Kind],
    *,
    namespaces: frozenset[str],
    wanted: Mapping[ObjectKey, Wanted],
) -> Live:
    """List the objects of an ApplySet.

    Args:
        target: where.
        applyset_id: of the set.
        kinds: to be listed.
        namespaces: in which its objects may be.
        wanted: what they are compared with while they pass by.

    Raises:
        RoundOver: no more calls in this round.
    """
    live = Live()
    labels = f"{LABEL_APPLYSET_PART_OF}={applyset_id}"
    most = len(wanted) + UNEXPECTED
    for kind in dict.fromkeys(kinds):
        try:
            for item in _listed(target, kind, namespaces, labels=labels, most=most):
                _take(live, kind, item, wanted)
        except NotFound:
            live.unserved.add(kind)
        except KubeError as error:
            live.unlisted[kind] = words(f"cannot be listed: {error}")
    return live


def _listed(
    target: Target, kind: Kind, namespaces: frozenset[str], *, labels: str, most: int
) -> Iterator[object]:
    """List a kind in few namespaces one by one, in many at once, or as far as we may."""
    singly = kind.namespaced and len(namespaces) <= SINGLE_NAMESPACES
    if not singly:
        try:
            yield from target.list(kind.path(), labels=labels, most=most)
        except KubeRefused as error:
            if error.code != 403 or not kind.namespaced:
                raise
        else:
            return
    for namespace in sorted(namespaces):
        yield from target.list(kind.path(namespace), labels=labels, most=most)


def _take(live: Live, kind: Kind, item: object, wanted: Mapping[ObjectKey, Wanted]) -> None:
    metadata = item.get("metadata") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(metadata, dict):
        return
    name, namespace = metadata.get("name"), metadata.get("namespace", "")
    if not isinstance(name, str) or not isinstance(namespace, str):
        return
    key = ObjectKey(kind.group, kind.kind, namespace, name)
    seen = see(item, wanted.get(key))
    if seen is not None:
        live.seen[key] = (kind, seen)
