"""Decides what is removed of one address of ours, and what keeps it from being released."""

from hooks.cloudstack.models.network import PublicIpAddress
from hooks.cloudstack.models.tags import Resource
from hooks.http.texts import join_sentences
from hooks.loadbalancers.plan.actions import Action, Release, UntagAddress, port_text
from hooks.loadbalancers.plan.claims import takeover_from_elsewhere, unused_takeover
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.firewall import (
    begun_firewall,
    close,
    close_ports,
    own_firewall,
    ports_of,
    tag_firewall,
)
from hooks.loadbalancers.plan.ownership import (
    ADDRESS_KEYS,
    is_by_controller,
    value,
)
from hooks.loadbalancers.plan.rules import delete_rule, own_rules
from hooks.loadbalancers.plan.share_tags import (
    SHARE_KEYS,
    Share,
    is_tag_of_ours,
    opening_key,
    user_key,
)
from hooks.loadbalancers.plan.tags import give_back, give_to_user
from hooks.loadbalancers.plan.whose import Whose
from hooks.names import TAG_OPENING, TAG_ORIGIN, TAG_ORIGIN_USER, TAG_TAKEOVER

#: What a person can do about an address that stays.
BY_HAND = "it stays allocated, release it by hand if nobody needs it"
#: How many things of others on an address a message names.
_NAMED_OTHERS = 5


def others_on(facts: Facts, address: PublicIpAddress) -> tuple[str, ...]:
    """Name what is on an address of ours and not ours: releasing the address would remove it.

    A tag of somebody else's says that the address is more to them than this Service's. So do other
    Services that share it.

    `facts` are those on the address.
    """
    state, rules = facts.state, own_rules(facts.owner, facts.state.rules)
    ours = {rule.id for rule in rules} | {rule.id for rule in own_firewall(facts, rules)}
    return (
        *(f"rule {each.name}" for each in state.rules if each.id not in ours),
        *(
            f"firewall rule {port_text(ports_of(each))}"
            for each in state.firewall
            if each.id not in ours
        ),
        *state.other_forwards,
        *_nat(address),
        *(f"tag {each.key}" for each in address.tags if not is_tag_of_ours(each)),
        *(f"Service {each}" for each in facts.owner.other_users(address)),
    )


def hides_contents(facts: Facts) -> bool:
    """Tell whether something may be on an address, or come with it, that is not known.

    The items of a tier's list are known by their own marks, but those that come with an address
    which is taken over, or was a Service's before.
    """
    owner, unread = facts.owner, facts.state.unread
    come_with_it = bool(owner.takeovers or owner.earlier)
    return bool(facts.state.unread_on_addresses) or (come_with_it and "items" in unread)


def is_to_release(facts: Facts, address: PublicIpAddress, *, is_second: bool = False) -> bool:
    """Tell whether an address of ours goes with the Service, unless others keep it.

    A second one is not for the Service to keep. But one that was taken over from another cluster,
    and has not served here yet, may still be in use there: nobody asked for its end.
    """
    request = facts.request
    if is_second and takeover_from_elsewhere(facts, address):
        return False
    is_kept = request.spec.keep_address or request.names_anew(address.ip_address)
    return is_by_controller(address) and (is_second or not is_kept)


def take_down(
    facts: Facts, address: PublicIpAddress, *, is_second: bool = False
) -> tuple[Action, ...]:
    """Return the first steps of `list_takedown`: the tags stay until the rest is gone."""
    steps = list_takedown(facts, address, is_second=is_second)
    is_more = len(steps) > 1 and isinstance(steps[-1], UntagAddress)
    return steps[:-1] if is_more else steps


def list_takedown(
    facts: Facts, address: PublicIpAddress, *, is_second: bool = False
) -> tuple[Action, ...]:
    """Release an address that is wholly ours, else remove what is ours from it: the tags last.

    From an address that other Services share, that is the tag of this one. If this one keeps its
    address, the address stays when the last of them goes.

    If CloudStack refuses the release, firewall rules and rules go one by one: their node ports may
    be another Service's soon. The next call releases again. They go as well while it is not known
    what is on the address: that stays until then.

    Args:
        facts: those on the address.
        address: with our whole mark.
        is_second: another one is the Service's, so it is not for this one to be kept.
    """
    own = facts.owner.own_address(address)
    rules = own_rules(facts.owner, facts.state.rules)
    cleaning = (*close_ports(facts, rules), *(delete_rule(facts, rule) for rule in rules))
    if hides_contents(facts):
        return cleaning
    is_released = is_to_release(facts, address, is_second=is_second)
    if is_released and not others_on(facts, address):
        release = Release(facts.owner.own_address(address, alone=True), len(rules))
        return (*cleaning, release) if facts.is_refused_by_cloudstack(release) else (release,)
    if begun := tag_firewall(facts, begun_firewall(facts, address)):
        return begun
    if facts.owner.other_users(address) and _keeps_by_us(facts, address, is_second=is_second):
        cleaning = (*cleaning, give_to_user(facts, address))
    present = {tag.key for tag in address.tags}
    keys = _keys_of_ours(facts, address)
    return (*cleaning, UntagAddress(own, tuple(key for key in keys if key in present)))


def _keys_of_ours(facts: Facts, address: PublicIpAddress) -> tuple[str, ...]:
    """Return the keys of what is ours among the tags of an address: all, or those of one user.

    Who has a rule on a shared address is a user of it, also if somebody removed the tag.
    """
    owner, state = facts.owner, facts.state
    if Share.read(address.tags) is None:
        return (*ADDRESS_KEYS, TAG_OPENING, TAG_TAKEOVER)
    earlier = owner.earlier_users(address) if owner.is_sole else ()
    own = (opening_key(owner.uid), *map(user_key, (owner.uid, *earlier)))
    contents: tuple[Resource, ...] = (*state.rules, *state.firewall)
    is_used = bool(owner.other_users(address)) or any(map(owner.has_another_mark, contents))
    return own if is_used else (*SHARE_KEYS, TAG_ORIGIN, *own)


def _keeps_by_us(facts: Facts, address: PublicIpAddress, *, is_second: bool) -> bool:
    """Tell whether an address that we acquired is to stay."""
    is_to_stay = not is_to_release(facts, address, is_second=is_second)
    return is_by_controller(address) and is_to_stay


def why_kept(facts: Facts, address: PublicIpAddress, *, is_second: bool = False) -> str:
    """Say why an address stays that people expect to go; empty if it goes, or stays as asked.

    `facts` are those on the address.
    """
    if facts.owner.other_users(address):
        return ""
    if is_to_release(facts, address, is_second=is_second) and (others := others_on(facts, address)):
        on_it = join_sentences(others, limit=_NAMED_OTHERS)
        return f"Address {address.ip_address} is not released, only what is ours goes: {on_it}"
    if is_second and takeover_from_elsewhere(facts, address) and is_by_controller(address):
        return f"Address {address.ip_address} was taken over and never served here: {BY_HAND}"
    is_asked = facts.request.spec.keep_address or value(address, TAG_ORIGIN) == TAG_ORIGIN_USER
    is_proven = facts.owner.whose(address) is Whose.OURS or facts.owner.is_source_of(address)
    if not (is_asked or is_proven):
        return f"Address {address.ip_address} had lost tags that say whose it is: {BY_HAND}"
    return ""


def hand_back(facts: Facts, address: PublicIpAddress) -> tuple[Action, ...]:
    """Give an address back that was taken over and never served here; empty if it is none.

    What has our mark on it leads to this cluster, so that goes first. What has still the mark of
    the other cluster is left.
    """
    takeover = unused_takeover(facts, address)
    if takeover is None:
        return ()
    owner, here = facts.owner, facts.on(address.id).state
    rules = [each for each in own_rules(owner, here.rules) if not owner.may_take(each)]
    return (
        *(close(facts, each) for each in here.firewall if owner.whose(each) is Whose.OURS),
        *(delete_rule(facts, each) for each in rules),
    ) or (give_back(facts, address, takeover),)


def why_returned(facts: Facts, address: PublicIpAddress) -> str:
    """Say that an address goes back to the cluster that had it; empty if it does not."""
    takeover = unused_takeover(facts, address)
    if takeover is None:
        return ""
    where = f"to cluster {takeover.source[0]}" if takeover.source[0] else "as it was"
    return (
        f"Address {address.ip_address} was taken over and never served here: it goes back {where}"
    )


def marked_alone(facts: Facts, address: PublicIpAddress) -> tuple[Action, ...]:
    """Delete the rules and firewall rules with our whole mark on an address without any mark."""
    owner, here = facts.owner, facts.on(address.id).state
    if owner.whose(address) is not Whose.UNMARKED:
        return ()
    return (
        *(close(facts, each) for each in here.firewall if owner.whose(each) is Whose.OURS),
        *(delete_rule(facts, each) for each in here.rules if owner.whose(each) is Whose.OURS),
    )


def _nat(address: PublicIpAddress) -> tuple[str, ...]:
    """Name the NAT that an address came to serve: a network or a VM would lose it."""
    to_vm = f" to VM {address.virtual_machine_id}" if address.virtual_machine_id else ""
    return (
        *(("source NAT of its network",) if address.is_source_nat else ()),
        *((f"static NAT{to_vm}",) if address.is_static_nat or to_vm else ()),
    )
