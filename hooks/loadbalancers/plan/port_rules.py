"""What the rules stage decides: the rule of each port, and what is done about all of them."""

from dataclasses import dataclass

from hooks.cloudstack.models.loadbalancing import (
    InternalLoadBalancer,
    LoadBalancerRule,
    NewInternalLoadBalancer,
    NewLoadBalancerRule,
)
from hooks.loadbalancers.plan.actions import Action, CreateRule, StagePlan


@dataclass(frozen=True, slots=True)
class PortRule:
    """The rule of one port of the Service.

    Attributes:
        rule: the rule that serves the port now; None if there is none.
        actions: what makes it the wanted rule; empty if that is not possible for now.
        problem: why it is not possible, or what else the port lacks that it asks for.
        remark: what it lacks that it can do without.
    """

    wanted: NewLoadBalancerRule
    rule: LoadBalancerRule | None = None
    actions: tuple[Action, ...] = ()
    problem: str = ""
    remark: str = ""

    @property
    def is_new(self) -> bool:
        """Tell whether the rule is to be created, or deleted and created again."""
        return any(isinstance(action, CreateRule) for action in self.actions)


@dataclass(frozen=True, slots=True)
class RulesPlan(StagePlan):
    """The rules stage: what to do, and how the rules are now.

    Attributes:
        ports: the rule of each port, in the order of the spec.
        serving: the rules that serve now and will stay.
        future: in plan mode, the rules as they would be created, without ids.
        narrowing: those of the actions that shut out clients that the source ranges do not admit,
            or that lead to node ports which the Service does not have any more.
    """

    ports: tuple[PortRule, ...] = ()
    serving: tuple[LoadBalancerRule, ...] = ()
    future: tuple[LoadBalancerRule, ...] = ()
    narrowing: tuple[Action, ...] = ()

    @property
    def existing(self) -> tuple[LoadBalancerRule, ...]:
        """Return the rules of the ports as they are now, right or not."""
        return tuple(each.rule for each in self.ports if each.rule)

    @property
    def closing(self) -> tuple[Action, ...]:
        """Return the narrowing actions that wait for nothing: a creation may never end."""
        return tuple(each for each in self.narrowing if not isinstance(each, CreateRule))

    @property
    def wanted(self) -> tuple[LoadBalancerRule, ...]:
        """Return those, and the rules that are to be created."""
        new = (created(each.wanted) for each in self.ports if each.is_new)
        return (*self.existing, *new)

    @property
    def is_complete(self) -> bool:
        """Tell whether no rule is still to be created."""
        return not any(each.is_new for each in self.ports)


def created(new: NewLoadBalancerRule) -> LoadBalancerRule:
    """Return a rule as it will be, without an id."""
    ports = (new.public_port, new.private_port)
    kind = InternalLoadBalancer if isinstance(new, NewInternalLoadBalancer) else LoadBalancerRule
    return kind("", new.name, new.public_ip_id, *ports, new.protocol)
