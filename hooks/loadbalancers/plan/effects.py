"""Says what CloudStack shows after an action that it carried out, to save the read."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import fields, replace
from functools import reduce
from typing import TypeVar, assert_never

from hooks.cloudstack.models.firewall import FirewallRule, NetworkAcl
from hooks.cloudstack.models.loadbalancing import (
    InternalLoadBalancer,
    LoadBalancerRule,
    LoadBalancerRuleChange,
    NewInternalLoadBalancer,
    NewLoadBalancerRule,
    StickinessPolicy,
)
from hooks.cloudstack.models.network import PublicIpAddress
from hooks.cloudstack.models.tags import Resource, Tag
from hooks.loadbalancers.plan.actions import (
    Action,
    AddItem,
    AddTags,
    Assign,
    Associate,
    ChangeItem,
    CloseFirewall,
    CreateRule,
    DeleteOrphan,
    DeleteRule,
    HoldService,
    JoinShare,
    MembersTogether,
    OpenFirewall,
    Release,
    Remove,
    RemoveItem,
    Rerecord,
    Retag,
    UntagAddress,
    UpdateRule,
)
from hooks.loadbalancers.plan.certificate_actions import (
    AssignCertificate,
    CertificateAction,
    DeleteCertificate,
    UploadCertificate,
)
from hooks.loadbalancers.plan.certificate_facts import KnownCertificate
from hooks.loadbalancers.plan.facts import CloudState
from hooks.loadbalancers.plan.sticky_actions import (
    RemoveStickiness,
    SetStickiness,
    StickinessChange,
    UntagRules,
)
from hooks.names import STICKINESS_POLICY

Tagged = TypeVar("Tagged", bound=Resource)


def state_after(  # noqa: C901, PLR0912 - a case each
    state: CloudState, action: Action, made: str = ""
) -> CloudState | None:
    """Return the state after an action that succeeded; None if CloudStack has to be read.

    Args:
        state: before the action.
        action: what was done.
        made: the id of what it made; empty if it made nothing.
    """
    match action:
        case AddTags() | Retag() | UntagRules():
            return None if isinstance(action, JoinShare) else _tagged(state, action)
        case CreateRule(rule):
            is_known = made and rule.public_ip_id  # CloudStack may choose an internal address
            return _with_rule(state, _rule(rule, made)) if is_known else None
        case UpdateRule(rule_id, _, change):
            return _changed(state, rule_id, lambda rule: _updated(rule, change))
        case DeleteRule(own):
            return _without_rule(state, own.id)
        case UploadCertificate() | AssignCertificate() | DeleteCertificate():
            return _with_certificates(state, action, made)
        case SetStickiness() | RemoveStickiness():
            return _with_policies(state, action, made)
        case Assign() | Remove():
            return _with_members(state, action)
        case MembersTogether(changes):
            return reduce(_with_members, changes, state)
        case OpenFirewall():
            opened = _firewall_rule(action, made)
            return replace(state, firewall=(*state.firewall, opened)) if made else None
        case CloseFirewall(own):
            left = tuple(rule for rule in state.firewall if rule.id != own.id)
            return replace(state, firewall=left)
        case AddItem() | ChangeItem() | RemoveItem():
            return _with_items(state, action, made)
        case Associate() | UntagAddress() | Release() | DeleteOrphan() | HoldService() | Rerecord():
            return None
        case _:
            assert_never(action)


def changes_address(action: Action) -> bool:
    """Tell whether an action changes an address itself, so that it is read again."""
    match action:
        case AddTags(kind):
            return kind == "address"
        case OpenFirewall():
            return bool(action.tags)
        case Retag() | UntagAddress() | Release():
            return True
        case CreateRule() | UpdateRule() | DeleteRule() | CloseFirewall() | Associate():
            return False
        case Assign() | Remove() | MembersTogether() | AddItem() | ChangeItem() | RemoveItem():
            return False
        case SetStickiness() | RemoveStickiness() | UntagRules():
            return False
        case UploadCertificate() | AssignCertificate() | DeleteCertificate():
            return False
        case DeleteOrphan() | HoldService() | Rerecord():
            return False
        case _:
            assert_never(action)


def with_address(state: CloudState, address: PublicIpAddress) -> CloudState:
    """Return the state with an address as it was just read."""
    others = tuple(each for each in state.addresses if each.id != address.id)
    return replace(state, addresses=(*others, address))


def _tagged(state: CloudState, action: AddTags | Retag | UntagRules) -> CloudState:
    tags = () if isinstance(action, UntagRules) else action.tags
    added = tuple(Tag(key, value) for key, value in tags)
    if not isinstance(action, AddTags):
        kind, removed = action.owns[0].kind, action.keys
        ids = tuple(own.id for own in action.owns)
    else:
        kind, ids, removed = action.kind, action.ids, ()

    def tag(resources: Iterable[Tagged]) -> tuple[Tagged, ...]:
        return tuple(
            replace(each, tags=(*_without(each, removed), *added)) if each.id in ids else each  # type: ignore[type-var]
            for each in resources
        )

    match kind:
        case "address":
            return replace(state, addresses=tag(state.addresses))
        case "rule":
            return replace(state, rules=tag(state.rules))
        case "firewall rule":
            return replace(state, firewall=tag(state.firewall))
        case _:
            return replace(state, acl=tag(state.acl or ()))


def _without(resource: Resource, keys: Collection[str]) -> tuple[Tag, ...]:
    return tuple(each for each in resource.tags if each.key not in keys)


def _with_rule(state: CloudState, rule: LoadBalancerRule) -> CloudState:
    return replace(
        state,
        rules=(*state.rules, rule),
        members={**state.members, rule.id: {}},
        policies={**state.policies, rule.id: ()},
    )


def _without_rule(state: CloudState, rule_id: str) -> CloudState:
    """A VPC's address without rules is of no tier: the next rule may be of another one."""
    rules = tuple(rule for rule in state.rules if rule.id != rule_id)
    used = {rule.public_ip_id for rule in rules}
    addresses = tuple(
        replace(each, network_id="") if each.vpc_id and each.id not in used else each
        for each in state.addresses
    )
    return replace(state, rules=rules, addresses=addresses)


def _rule(new: NewLoadBalancerRule, made: str) -> LoadBalancerRule:
    kind = InternalLoadBalancer if isinstance(new, NewInternalLoadBalancer) else LoadBalancerRule
    return kind(
        id=made,
        name=new.name,
        public_ip_id=new.public_ip_id,
        public_port=new.public_port,
        private_port=new.private_port,
        protocol=new.protocol,
        algorithm=new.algorithm,
        state="Add",
        network_id=new.network_id,
        cidrs=new.cidrs,
    )


def _updated(rule: LoadBalancerRule, change: LoadBalancerRuleChange) -> LoadBalancerRule:
    values = {each.name: getattr(change, each.name) for each in fields(change)}
    return replace(rule, **{name: value for name, value in values.items() if value is not None})


def _changed(
    state: CloudState, rule_id: str, change: Callable[[LoadBalancerRule], LoadBalancerRule]
) -> CloudState:
    rules = tuple(change(rule) if rule.id == rule_id else rule for rule in state.rules)
    return replace(state, rules=rules)


def _with_members(state: CloudState, change: Assign | Remove) -> CloudState:
    """A rule is Active while it has members."""
    members = members_after(state.members.get(change.rule_id, {}), change)
    name = "Active" if members else "Add"
    state = replace(state, members={**state.members, change.rule_id: members})
    return _changed(state, change.rule_id, lambda rule: replace(rule, state=name))


def members_after(members: Mapping[str, str], change: Assign | Remove) -> Mapping[str, str]:
    """Return a rule's members after a change of them: names by VM id."""
    if isinstance(change, Assign):
        return {**members, **dict(zip(change.vm_ids, change.nodes, strict=True))}
    gone = frozenset(change.vm_ids)
    return {vm: name for vm, name in members.items() if vm not in gone}


def _with_items(
    state: CloudState, action: AddItem | ChangeItem | RemoveItem, made: str
) -> CloudState | None:
    acl = state.acl or ()
    match action:
        case AddItem():
            return replace(state, acl=(*acl, _item(action, made))) if made else None
        case ChangeItem(own):
            moved = tuple(_moved(each, action) if each.id == own.id else each for each in acl)
            return replace(state, acl=moved)
        case RemoveItem(own):
            return replace(state, acl=tuple(item for item in acl if item.id != own.id))


def _with_policies(state: CloudState, action: StickinessChange, made: str) -> CloudState | None:
    """A policy that is set takes the place of any other; what is left is unknown if all was."""
    if isinstance(action, SetStickiness) and not made:
        return None
    known = state.policies.get(action.rule_id)
    if known is None and not isinstance(action, SetStickiness):
        return state
    left = policies_after(known or (), action, made)
    return replace(state, policies={**state.policies, action.rule_id: left})


def policies_after(
    policies: Iterable[StickinessPolicy], action: StickinessChange, made: str
) -> tuple[StickinessPolicy, ...]:
    """Return a rule's stickiness policies after a change of them; `made` is the new one's id."""
    if isinstance(action, SetStickiness):
        return (StickinessPolicy(made, STICKINESS_POLICY, action.method, action.params),)
    return tuple(each for each in policies if each.id != action.policy_id)


def _with_certificates(
    state: CloudState, action: CertificateAction, made: str
) -> CloudState | None:
    """A rule has one certificate at most: the one that it had is free."""
    known = state.certificates
    match action:
        case UploadCertificate():
            if not made:
                return None
            known = (*known, KnownCertificate(made, action.name, action.digest))
        case AssignCertificate(rule_id, _, certificate_id):
            given = {certificate_id: frozenset({rule_id})}
            known = tuple(
                replace(each, rules=each.rules - {rule_id} | given.get(each.id, frozenset()))
                for each in known
            )
        case DeleteCertificate(certificate_id):
            known = tuple(each for each in known if each.id != certificate_id)
    return replace(state, certificates=known)


def _firewall_rule(action: OpenFirewall, made: str) -> FirewallRule:
    ports = action.ports
    return FirewallRule(
        id=made,
        protocol=ports.protocol,
        public_ip_id=action.address_id,
        start_port=ports.start_port,
        end_port=ports.end_port,
        cidrs=ports.cidrs,
        state="Active",
        tags=tuple(Tag(key, value) for key, value in action.tags),
    )


def _item(action: AddItem, made: str) -> NetworkAcl:
    ports = action.ports
    return NetworkAcl(
        id=made,
        protocol=ports.protocol,
        acl_id=action.acl_id,
        acl_name=action.acl_name,
        number=action.number,
        action="Allow",
        traffic_type="Ingress",
        start_port=ports.start_port,
        end_port=ports.end_port,
        cidrs=ports.cidrs,
        state="Active",
        reason=action.reason,
        tags=tuple(Tag(key, value) for key, value in action.tags),
    )


def _moved(item: NetworkAcl, action: ChangeItem) -> NetworkAcl:
    ports = action.ports
    return replace(
        item,
        protocol=ports.protocol,
        number=item.number if action.number is None else action.number,
        start_port=ports.start_port,
        end_port=ports.end_port,
        cidrs=ports.cidrs,
        reason=action.reason,
    )
