"""Decides which tags our addresses, and what is made for them, lack, and which are replaced."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from hooks import names
from hooks.cloudstack.models.firewall import NetworkAcl
from hooks.cloudstack.models.network import PublicIpAddress
from hooks.cloudstack.models.tags import Resource
from hooks.loadbalancers.plan.actions import (
    AddTags,
    BeginTakeover,
    GiveBack,
    KeepAddress,
    Retag,
    UntagAddress,
)
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.ownership import TaggedKind, Tags, takeover_on, value
from hooks.loadbalancers.plan.seals import has_sealed_item
from hooks.loadbalancers.plan.share_tags import user_key
from hooks.loadbalancers.plan.takeover_tag import Takeover

Tagged = TypeVar("Tagged", bound=Resource)

#: Keys of the tags of an address that a takeover replaces.
_REPLACED = (names.TAG_CLUSTER, names.TAG_SERVICE_UID)


def address_tags(
    facts: Facts, *, by_controller: bool, address: PublicIpAddress | None = None
) -> Tags:
    """Return the tags of this Service's address; by default, of a new one.

    The origin says whether we acquired the address, so that it is released with the Service.
    """
    origin = names.TAG_ORIGIN_CONTROLLER if by_controller else names.TAG_ORIGIN_USER
    return (*facts.owner.address_mark(address), (names.TAG_ORIGIN, origin))


def give_to_user(facts: Facts, address: PublicIpAddress) -> KeepAddress:
    """Change the origin of an address with our whole mark: it stays when the Service goes."""
    own = facts.owner.own_address(address)
    return KeepAddress((own,), (names.TAG_ORIGIN,), ((names.TAG_ORIGIN, names.TAG_ORIGIN_USER),))


def begin_takeover(facts: Facts, address: PublicIpAddress) -> BeginTakeover:
    """Show on an address that we take it over, before its mark changes."""
    own = facts.owner.taken("address", address, address.ip_address)
    keys = (names.TAG_TAKEOVER,) if value(address, names.TAG_TAKEOVER) else ()
    text = facts.owner.takeover_of(address).text
    return BeginTakeover((own,), keys, ((names.TAG_TAKEOVER, text),))


def end_takeover(facts: Facts, address: PublicIpAddress) -> tuple[UntagAddress, ...]:
    """End the takeover of an address with our whole mark, if all that is ours there has it too."""
    here, takeover = facts.on(address.id).state, takeover_on(address)
    contents: tuple[Resource, ...] = (*here.rules, *here.firewall, *(here.acl or ()))
    if takeover not in facts.owner.takeovers or any(map(facts.owner.may_take, contents)):
        return ()
    return (UntagAddress(facts.owner.own_address(address), (names.TAG_TAKEOVER,)),)


def drop_earlier_users(facts: Facts, address: PublicIpAddress) -> tuple[UntagAddress, ...]:
    """Remove the users of our name that are gone, once nothing on the address has their mark."""
    here, owner = facts.on(address.id).state, facts.owner
    earlier = owner.earlier_users(address) if owner.is_sole else ()
    contents: tuple[Resource, ...] = (*here.rules, *here.firewall)
    is_left = any(_is_left(facts, each) for each in here.acl or ())
    if not earlier or is_left or any(map(owner.may_take, contents)):
        return ()
    return (UntagAddress(owner.own_address(address), tuple(map(user_key, earlier))),)


def _is_left(facts: Facts, item: NetworkAcl) -> bool:
    """Tell whether an ACL item has the mark of an earlier user, or half of it and its seal."""
    owner = facts.owner
    if uid := value(item, names.TAG_SERVICE_UID):
        return uid in owner.earlier and owner.may_take(item)
    return has_sealed_item(owner.marks[1:], facts.seal_key, item)


def undo_takeover(facts: Facts, address: PublicIpAddress) -> GiveBack | UntagAddress:
    """Give an address that we have begun to take over its mark back, and then end that."""
    own = facts.owner.taken("address", address, address.ip_address)
    source = zip(_REPLACED, facts.owner.takeover_of(address).source, strict=True)
    lacking = tuple((key, text) for key, text in source if text and not value(address, key))
    if lacking:
        return GiveBack((own,), (), lacking)
    return UntagAddress(own, (names.TAG_TAKEOVER,))


def give_back(facts: Facts, address: PublicIpAddress, takeover: Takeover) -> GiveBack:
    """Give an address with our whole mark the one back that it had before its takeover.

    `undo_takeover` ends that then.
    """
    source = zip(_REPLACED, takeover.source, strict=True)
    differing = {key: text for key, text in source if text != value(address, key)}
    before = tuple((key, text) for key, text in differing.items() if text)
    return GiveBack((facts.owner.own_address(address),), tuple(differing), before)


def complete(
    facts: Facts,
    kind: TaggedKind,
    resources: Iterable[Tagged],
    name: Callable[[Tagged], str],
    wanted: Tags = (),
) -> tuple[AddTags | Retag, ...]:
    """Give resources the tags that they lack, by one action for all that lack the same.

    CloudStack refuses a key that a resource has already. So a tag of the cluster or the UID that
    the Service takes over from is removed first.

    Args:
        facts: the facts.
        kind: of the resources.
        resources: they are ours, or may be taken.
        name: how a resource is named for people.
        wanted: the tags. Default: the mark.
    """
    tags = wanted or facts.owner.mark
    groups: dict[tuple[tuple[str, ...], Tags], list[Tagged]] = {}
    for resource in resources:
        present = {tag.key: tag.value for tag in resource.tags}
        differing: tuple[str, ...] = ()
        if facts.owner.may_take(resource):
            differing = tuple(key for key, value in tags if present.get(key, value) != value)
        lacking = tuple(
            (key, value) for key, value in tags if key not in present or key in differing
        )
        if lacking:
            groups.setdefault((differing, lacking), []).append(resource)
    return tuple(
        Retag(
            tuple(facts.owner.taken(kind, each, name(each)) for each in group), differing, lacking
        )
        if differing
        else AddTags(kind, tuple(each.id for each in group), tuple(map(name, group)), lacking)
        for (differing, lacking), group in groups.items()
    )
