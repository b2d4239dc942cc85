"""Whether a node whose VM is gone must be kept: the list of VMs may be wrong, or too many are gone.

A wrong key or project empties no cluster, and no single node that contradicts the list keeps all
others for ever. A person may confirm what the guard holds.
"""

from dataclasses import dataclass

from hooks.http.bounded_json import Json
from hooks.http.texts import join_names
from hooks.kube.objects import annotations
from hooks.names import ANNOTATION_CONFIRM_DELETION
from hooks.nodes.plan.absence import SeenAbsence

#: The guard keeps nodes while more than this share of our nodes is missing at once, ...
GUARD_SHARE = 0.25
#: ... if that is more than this many nodes.
GUARD_NODES = 2
_MAX_NAMES = 5


@dataclass(frozen=True)
class SurveyedNode:
    """One of our nodes, as the deletion of any sees it.

    Attributes:
        owner: whose its VM was when it was last seen; empty where it never was.
        is_missing: the snapshot lacks its VM.
        is_ready: it is Ready though its VM is missing.
        is_rebuilt: its VM is missing, and a living one has the node's name.
    """

    name: str
    owner: str = ""
    is_missing: bool = False
    is_ready: bool = False
    is_rebuilt: bool = False


@dataclass(frozen=True)
class Survey:
    """What is looked up before a node is deleted.

    Attributes:
        owner: whose the node's VM was when it was last seen; empty where it never was.
        owners: whose VMs the snapshot has.
        nodes: all of ours, this one too; empty where they decide nothing.
    """

    owner: str
    owners: frozenset[str]
    nodes: tuple[SurveyedNode, ...] = ()

    @property
    def has_owner(self) -> bool:
        """Tell whether the snapshot has VMs of the node's owner, so that the other nodes count."""
        return bool(self.owner) and self.owner in self.owners

    @property
    def missing(self) -> tuple[str, ...]:
        """Return the names of the nodes whose VMs are missing."""
        return tuple(sorted(each.name for each in self.nodes if each.is_missing))


def is_confirmed(node: Json) -> bool:
    """Tell whether a person has confirmed that a Node may be deleted."""
    return annotations(node).get(ANNOTATION_CONFIRM_DELETION) == "true"


def reason_to_keep(survey: Survey, seen: SeenAbsence, *, hold: float, confirmed: bool) -> str:
    """Return why the node must be kept, unless a person has confirmed its deletion; empty if not.

    Many missing nodes may be an outage or an autoscaler: they are kept for `hold` seconds.
    """
    if confirmed:
        return ""
    confirm = f"the annotation {ANNOTATION_CONFIRM_DELETION}=true on this node deletes it"
    if doubt := _doubt(survey):
        return f"the list of VMs is not trusted: {doubt}; {confirm}"
    missing = survey.missing
    many = len(missing) > max(GUARD_NODES, GUARD_SHARE * len(survey.nodes))
    if many and seen.seconds < hold:
        return (
            f"{len(missing)} of {len(survey.nodes)} nodes lost their VMs at once "
            f"({join_names(missing, limit=_MAX_NAMES)}); they are kept for {hold:g} s, "
            f"or {confirm}"
        )
    return ""


def _doubt(survey: Survey) -> str:
    """Return why the list of VMs may be wrong about this node.

    A VM that it never had may be another cloud's, or of an owner that it has never shown. A Ready
    node without a VM contradicts the list, unless its VM was rebuilt. A wrong key or project hides
    all VMs of an owner, so a contradiction speaks of the nodes of its owner, and of those whose
    owner nobody knows; a few among many are a fault of their own.
    """
    owner = survey.owner
    if not owner:
        return "it never had this VM"
    if owner not in survey.owners:
        return f"it has no VM of {owner} any more, whose this one was"
    alike = [each for each in survey.nodes if each.owner in ("", owner)]
    contradictions = sorted(
        each.name for each in alike if each.is_missing and each.is_ready and not each.is_rebuilt
    )
    if len(contradictions) > GUARD_SHARE * len(alike):
        count = f"{len(contradictions)} of {len(alike)} nodes that are Ready"
        return f"it lacks those of {count} ({join_names(contradictions, limit=_MAX_NAMES)})"
    return ""
