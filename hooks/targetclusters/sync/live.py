"""Reads what a target has of our objects: lists a kind by our label when it is first needed."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from hooks.kube.client import KubeError, KubeRefused, NotFound
from hooks.kube.kinds import GroupKind, Kind
from hooks.kube.objects import part
from hooks.kube.patterns import DNS_LABEL, name_problem
from hooks.targetclusters.sync.memory import SyncMemory
from hooks.targetclusters.sync.plan.decide import Whose, read_live
from hooks.targetclusters.sync.plan.inventory import InventoryEntry, ObjectKey
from hooks.targetclusters.sync.plan.model import LiveObject
from hooks.targetclusters.sync.plan.resolve import ResolvedObject
from hooks.targetclusters.sync.target import Target, describe_error

#: Up to this many namespaces are listed one by one; a kubeconfig for them alone then suffices.
SINGLE_NAMESPACES = 3
#: How many more objects of ours than expected a target may list.
UNEXPECTED = 1_000
_NOT_LISTED = "cannot be listed"

#: What is wrong with a kind, and the error that says why.
_Problem = tuple[str, KubeError | None]


@dataclass
class LiveState:
    """What a target has of the objects of one TargetCluster in one round.

    Attributes:
        whose: tells which objects are ours.
        wanted: the objects to compare them with.
        recorded: the objects that the inventory lists.
        new_kinds: kinds that the target did not serve before this round: there is none to list.
        objects: those that carry our label, of the kinds that were listed so far.
        throttled: kinds of which a write of this round was refused for now (429), with the message.
    """

    target: Target
    memory: SyncMemory
    whose: Whose
    wanted: Mapping[ObjectKey, ResolvedObject]
    recorded: Mapping[ObjectKey, InventoryEntry]
    new_kinds: Collection[GroupKind] = ()
    objects: dict[ObjectKey, LiveObject] = field(default_factory=dict)
    throttled: dict[GroupKind, KubeError] = field(default_factory=dict)
    _kinds: dict[GroupKind, Kind | None] = field(default_factory=dict)
    _places: dict[GroupKind, set[str]] = field(default_factory=dict)
    _problems: dict[tuple[GroupKind, str], _Problem] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Note in which namespaces each kind is listed, and in which version if it is wanted."""
        for key in (*self.wanted, *self.recorded):
            self._places.setdefault(key.group_kind, set()).add(key.namespace)

    def kind(self, entry: InventoryEntry) -> Kind | None:
        """Return how the target serves an entry's kind, and list that; None if it does not.

        Wanted kinds are listed in the version in which they are wanted.
        """
        group_kind = entry.key.group_kind
        if group_kind not in self._kinds and (group_kind, "") not in self._problems:
            before = self.target.spent
            try:
                self._find(entry)
            finally:  # also where the round's time is over: the next round does others first
                self.memory.note_pace(group_kind, self.target.spent - before)
        return self._kinds.get(group_kind)

    def _find(self, entry: InventoryEntry) -> None:
        """Find out how the target serves an entry's kind, and list that."""
        group, name = group_kind = entry.key.group_kind
        try:
            kind = self.target.find_kind(entry.api_version, name)
            self._kinds[group_kind] = kind = kind or self.target.find_in_group(group, name)
        except KubeError as error:
            self._note(group_kind, "the target does not say what it serves", error)
            return
        if kind is not None and group_kind not in self.new_kinds:
            self._list(kind, sorted(self._places[group_kind]))

    def problem(self, entry: InventoryEntry) -> str:
        """Return why nothing is known of an object; empty if it would have been listed."""
        self.kind(entry)
        group_kind = entry.key.group_kind
        everywhere = self._problems.get((group_kind, ""))
        what, error = everywhere or self._problems.get((group_kind, entry.namespace)) or ("", None)
        why = describe_error(error, confidential=entry.is_confidential) if error else ""
        return f"{what}: {why}" if why else what

    @property
    def asked_pause(self) -> float:
        """Return the seconds for which a kind that was not listed is to be left alone."""
        return max((e.retry_after for _, e in self._problems.values() if e), default=0.0)

    def unlisted(self) -> tuple[ObjectKey, ...]:
        """Return the objects with our mark that are neither wanted nor in the inventory."""
        known = self.wanted.keys() | self.recorded.keys()
        return tuple(
            key
            for key, live in self.objects.items()
            if key not in known and not live.deleting_since and self.whose.is_marked(key, live)
        )

    def _list(self, kind: Kind, namespaces: list[str]) -> None:
        if kind.namespaced and len(namespaces) > SINGLE_NAMESPACES:
            with suppress(KubeRefused):  # the kubeconfig may allow some of the namespaces
                self._list_in(kind, "")
                return
        for namespace in namespaces if kind.namespaced else [""]:
            try:
                self._list_in(kind, namespace)
            except KubeRefused as error:
                self._note(kind.group_kind, _NOT_LISTED, error, namespace)

    def _list_in(self, kind: Kind, namespace: str) -> None:
        """List a kind in a namespace, or in all. Raises KubeRefused."""
        labels = self.whose.owner.selector
        limit = len(self.wanted.keys() | self.recorded.keys()) + UNEXPECTED
        try:
            for item in self.target.list(kind.path(namespace), labels=labels, limit=limit):
                self._add(kind, item)
        except NotFound:
            self.target.forget_kinds(kind.api_version)
            self._note(kind.group_kind, f"{kind.api_version} is no longer served", None)
        except KubeRefused:
            raise
        except KubeError as error:
            self._note(kind.group_kind, _NOT_LISTED, error)

    def _add(self, kind: Kind, item: object) -> None:
        item = item if isinstance(item, dict) else {}
        metadata = part(item, "metadata")
        name, namespace = metadata.get("name", ""), metadata.get("namespace", "")
        is_placed = namespace == "" or DNS_LABEL.fullmatch(str(namespace))
        if is_placed and not name_problem(name):
            key = ObjectKey(kind.group, kind.kind, namespace, name)
            live = read_live(item, self.wanted.get(key))
            if live is not None:
                self.objects[key] = live

    def _note(
        self, group_kind: GroupKind, what: str, error: KubeError | None, namespace: str = ""
    ) -> None:
        self._problems[group_kind, namespace] = what, error
