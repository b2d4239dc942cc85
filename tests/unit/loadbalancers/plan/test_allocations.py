from dataclasses import replace
from typing import Any

import pytest

from hooks.cloudstack.models.account import Capabilities
from hooks.cloudstack.models.tags import Tag
from hooks.kube.times import moment
from hooks.loadbalancers.plan.actions import Associate
from hooks.loadbalancers.plan.allocations import without_stale_tags
from hooks.loadbalancers.plan.facts import CloudState
from hooks.names import TAG_LEASE
from tests.unit.loadbalancers.builders import (
    NET,
    NOW,
    VERSION,
    chosen,
    facts,
    firewall_rule,
    our_address,
    our_tags,
    recorded,
    request,
    rule,
)

OLD = Capabilities((4, 17, 2, 0))
LATER = recorded(allocatedAt=moment(NOW + 60))
HUMAN = Tag("example.com/purpose", "the API server")


def left_of(status: Any, *, version: Capabilities = OLD, done: Any = (), **contents: Any) -> Any:
    """Return the tags that count of an address with our whole mark, a lease and a person's tag."""
    asked = request(status=status)
    marked = our_address(asked, allocated_at=NOW)
    tags = (*marked.tags, Tag(TAG_LEASE, "1"), HUMAN)
    found = replace(marked, tags=tags)
    state = CloudState(addresses=(found,), **contents)
    shown = without_stale_tags(facts(asked, state=state, version=version, done=done))
    [address] = shown.addresses
    return "all" if address.tags == tags else address.tags


@pytest.mark.parametrize("status", [LATER, None], ids=["another allocation", "no record"])
def test_before_4_18_tags_alone_prove_nothing(status: Any) -> None:
    assert left_of(status) == (HUMAN,)
    assert left_of(status, rules=(rule(80),)) == (HUMAN,)
    assert left_of(status, version=VERSION) == "all"
    assert left_of(status, version=Capabilities((4, 18, 0, 0))) == "all"


@pytest.mark.parametrize(
    ("status", "more"),
    [
        pytest.param(recorded(allocatedAt=moment(NOW)), {}, id="the recorded allocation"),
        pytest.param(chosen(), {}, id="the choice"),
        pytest.param(None, {"done": (Associate("", NET, ()),)}, id="acquired in this call"),
        pytest.param(LATER, {"rules": (rule(80, tags=our_tags(request())),)}, id="a rule"),
        pytest.param(
            LATER,
            {"firewall": (firewall_rule(80, tags=our_tags(request())),)},
            id="a firewall rule",
        ),
    ],
)
def test_more_than_tags_shows_that_an_allocation_is_ours(status: Any, more: Any) -> None:
    assert left_of(status, **more) == "all"
