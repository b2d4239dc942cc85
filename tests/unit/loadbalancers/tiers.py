"""Generates VPC tiers whose network ACL list has items of ours and of people, in any state."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from hooks.cloudstack.models.firewall import NetworkAcl
from hooks.cloudstack.models.tags import Tag
from hooks.names import TAG_SERVICE, TAG_SERVICE_UID
from tests.unit.loadbalancers.builders import (
    EVERYONE,
    IP,
    address_tags,
    our_tags,
    request,
)
from tests.unit.loadbalancers.model import Model
from tests.unit.loadbalancers.plan.tier_items import LIST, OTHER_LIST, TIER, item, sealed

#: Numbers of the items that are drawn: few, so that they are in each other's way.
NUMBERS = st.integers(1, 30)


def make_item(owner: str, number: int, fields: dict[str, Any]) -> NetworkAcl:
    """Make an item of a person, of another Service, of ours, or one that we left untagged."""
    made = sealed(number, 80, acl_id=fields["acl_id"])
    if owner != "died":
        first = fields.pop("start_port")
        made = item(number, first, **fields)
    tags = {
        "us": our_tags(request()),
        "half": our_tags(request())[:2],
        "other": our_tags(request(), **{TAG_SERVICE: "till", TAG_SERVICE_UID: "another"}),
        "human": (Tag("team", "network"),),
    }
    return replace(made, id=f"old-{made.acl_id}-{number}", tags=tags.get(owner, ()))


items = st.builds(
    make_item,
    st.sampled_from(("us", "us", "half", "other", "human", "human", "nobody", "died")),
    NUMBERS,
    st.fixed_dictionaries(
        {
            "acl_id": st.sampled_from((LIST, LIST, LIST, OTHER_LIST)),
            "start_port": st.sampled_from((79, 80, 81, 443, None)),
            "end": st.sampled_from((0, 0, 443)),
            "protocol": st.sampled_from(("tcp", "tcp", "6", "all", "udp")),
            "action": st.sampled_from(("Allow", "Allow", "Deny")),
            "traffic_type": st.sampled_from(("Ingress", "Ingress", "Ingress", "Egress")),
            "cidrs": st.sampled_from((EVERYONE, ("10.0.0.0/8",), (*EVERYONE, "::/0"))),
        }
    ).map(lambda fields: fields if fields["start_port"] else {**fields, "end": 0}),
)


@st.composite
def tiers(draw: st.DrawFn) -> Model:
    """Make a VPC tier where an address may be ours already."""
    model = Model(network=TIER, udp=False)
    if draw(st.booleans()):
        model.free.add(IP)
        address = model.acquire(IP)
        tags = address_tags(request(), by_controller=draw(st.booleans()))
        model.addresses[address.id] = replace(address, tags=tags)
    found = draw(st.lists(items, max_size=6, unique_by=lambda each: (each.acl_id, each.number)))
    model.items = {each.id: each for each in found}
    return model


def strangers(model: Model) -> dict[str, NetworkAcl]:
    """Return the items that are not ours, by our mark or by our seal, and never were."""
    ours = set(our_tags(request()))
    return {
        key: each
        for key, each in model.items.items()
        if not (ours <= set(each.tags) or each.reason)
    }
