"""The actions of stickiness policies, and of the tag that says which rules have one."""

from dataclasses import dataclass

from hooks.loadbalancers.plan.ownership import Own


@dataclass(frozen=True, slots=True)
class SetStickiness:
    """Give a rule a stickiness policy, in the place of the one that it has.

    Attributes:
        params: sorted pairs of name and value.
    """

    rule_id: str
    name: str
    method: str
    params: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        params = "".join(f" {name}={text}" for name, text in self.params)
        return f"set stickiness of rule {self.name}: {self.method}{params}"


@dataclass(frozen=True, slots=True)
class RemoveStickiness:
    """Delete a stickiness policy that we made from a rule of ours."""

    policy_id: str
    rule_id: str
    name: str

    def __str__(self) -> str:
        return f"remove stickiness of rule {self.name}"


@dataclass(frozen=True, slots=True)
class UntagRules:
    """Take tags off rules of ours, which keep the mark."""

    owns: tuple[Own, ...]
    keys: tuple[str, ...]

    def __str__(self) -> str:
        names = ", ".join(own.name for own in self.owns)
        return f"untag {'rules' if len(self.owns) > 1 else 'rule'} {names}"


#: What changes the policy of one rule.
StickinessChange = SetStickiness | RemoveStickiness
