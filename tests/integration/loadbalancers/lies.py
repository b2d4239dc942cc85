"""A memory of members or of stickiness policies that says wrong things to every call."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from itertools import count

from hooks.cloudstack.models.loadbalancing import StickinessPolicy
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.loadbalancers.memory import MemberLists, RememberedMembers, Told
from hooks.loadbalancers.plan.members import NOTHING_RECORDED
from hooks.names import TAG_STICKINESS
from tests.integration.loadbalancers.driver import World

Members = Mapping[str, str]
Lie = Callable[[Members], Members]

#: What is remembered of a rule's policies, and what a lie makes of it.
Policies = tuple[StickinessPolicy, ...]
PolicyLie = Callable[[Policies], Policies]

FOREIGN = "6a7a9c4e-0000-4000-8000-00000000f00d"


def missing(members: Members) -> Members:
    """Leave out a member."""
    return dict(sorted(members.items())[1:])


def none(members: Members) -> Members:
    """Leave out all members."""
    del members
    return {}


def foreign(members: Members) -> Members:
    """Add a VM of somebody else."""
    return {**members, FOREIGN: "not-ours"}


def extra(world: World) -> Lie:
    """Return a lie: every node is a member."""
    everyone = {each["spec"]["instanceID"]: name for name, each in world.nodes.items()}
    return lambda members: {**members, **everyone}


def lies_of(world: World) -> dict[str, Lie]:
    """Return all lies by name."""
    return {"missing": missing, "none": none, "foreign": foreign, "extra": extra(world)}


class Lying(RememberedMembers, ABC):
    """Remembers members and policies, and lies about them to each call."""

    def __init__(self, world: World) -> None:
        super().__init__(0.05, 300.0, world.monotonic)
        self.world = world

    def begin(
        self,
        uid: str,
        recorded: str,
        *,
        is_check: bool,
        told: Told = lambda _known: NOTHING_RECORDED,
    ) -> MemberLists:
        known = super().begin(uid, recorded, is_check=is_check, told=told)
        self.lie_about(known)
        return known

    @abstractmethod
    def lie_about(self, known: MemberLists) -> None:
        """Change what a call is told."""


class LyingMembers(Lying):
    """Tells one lie after the other about members."""

    def __init__(self, world: World, *lies: Lie) -> None:
        super().__init__(world)
        self._lies = lies or tuple(lies_of(world).values())
        self._calls = count()

    def lie_about(self, known: MemberLists) -> None:
        lie = self._lies[next(self._calls) % len(self._lies)]
        for rule_id, members in list(known._lists.items()):
            known.keep(rule_id, lie(members))


class LyingAlike(Lying):
    """Forgets all members, and says of all rules, whosever they are, that they have the same."""

    def lie_about(self, known: MemberLists) -> None:
        rules = self.world.rules()
        for rule in rules:
            known.forget(rule["id"])
        known.alike = frozenset(rule["id"] for rule in rules)


class LyingPolicies(Lying):
    """Tells a lie about the policies of all rules with the tag for one."""

    def __init__(self, world: World, lie: PolicyLie) -> None:
        super().__init__(world)
        self._lie = lie

    def lie_about(self, known: MemberLists) -> None:
        for rule in self.world.rules():
            if TAG_STICKINESS in rule["tags"]:
                remembered = known.policies(rule["id"]) or ()
                known.keep_policies(rule["id"], self._lie(remembered))


def let_lie(hook: LoadBalancersHook, world: World, *lies: Lie) -> LoadBalancersHook:
    """Give a hook a memory that lies; all lies in turn if none is given."""
    hook._members = LyingMembers(world, *lies)
    return hook
