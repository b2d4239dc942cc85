"""When a load balancer's status says that the Service must not show its address any more."""

import pytest

from hooks.cloudstack.models.network import PublicIpAddress
from hooks.http.bounded_json import Json
from hooks.loadbalancers.plan.facts import CloudState
from hooks.loadbalancers.request import LoadBalancerRequest
from hooks.names import TAG_CLUSTER, TAG_SERVICE_UID
from tests.unit.loadbalancers.builders import (
    IP,
    LIVE,
    NOW,
    acquiring,
    address,
    chosen,
    our_address,
    our_tags,
    recorded,
    request,
)
from tests.unit.loadbalancers.plan.addresses import FOREIGN, OTHER
from tests.unit.loadbalancers.plan.planning import REQUEST, RIGHT, planned, status

SHOWN = recorded(published=True)
#: An address that was released, and that nobody had acquired when it was last read.
RELEASED: Json = {"address": {**chosen()["address"], "published": True}}
MOVED = our_tags(REQUEST, **{TAG_CLUSTER: "c-2", TAG_SERVICE_UID: "another"})
RENAMED = our_tags(REQUEST, **{TAG_CLUSTER: "c-2"})
ADOPTED = {"address": IP, "associatedByController": True, "names": []}


def answered(asked: LoadBalancerRequest, *addresses: PublicIpAddress) -> tuple[Json, str]:
    """Return the status, and the message of the Event that an address is withdrawn."""
    made = planned(asked, CloudState(addresses=addresses, free=(OTHER,)), service=LIVE)
    events = [each.message for each in made.events if each.reason == "AddressWithdrawn"]
    return status(made), "".join(events)


@pytest.mark.parametrize(
    ("asked", "found", "why"),
    [
        pytest.param(
            request(status=SHOWN),
            address(allocated_at=NOW + 60),
            f"{IP} was allocated again by somebody else",
            id="another allocation",
        ),
        pytest.param(
            request(status=RELEASED),
            address(allocated_at=NOW + 60),
            f"{IP} was allocated again by somebody else",
            id="an allocation after it was seen to be free",
        ),
        pytest.param(
            request(status=SHOWN),
            address(tags=FOREIGN),
            f"{IP} belongs to Service shop/till",
            id="another Service's mark",
        ),
        pytest.param(
            request(status=SHOWN),
            address(tags=MOVED),
            f"{IP} belongs to Service default/web of cluster c-2",
            id="taken over by another cluster",
        ),
        pytest.param(
            request(status=SHOWN, mode="Plan"),
            address(tags=MOVED),
            f"{IP} belongs to Service default/web of cluster c-2",
            id="taken over by another cluster, in plan mode",
        ),
        pytest.param(
            request(adopt=ADOPTED),
            address(tags=MOVED),
            f"{IP} belongs to Service default/web of cluster c-2",
            id="another cluster's that the Service only shows",
        ),
    ],
)
def test_an_address_that_is_surely_somebody_elses_is_withdrawn(
    asked: LoadBalancerRequest, found: PublicIpAddress, why: str
) -> None:
    answer, message = answered(asked, found)
    assert answer["withdrawnAddress"] == IP
    assert answer["address"] == {**answer["address"], "published": False}
    assert message == f"{why} in CloudStack: this Service does not show it any more"


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        pytest.param(request(status=SHOWN), [], id="CloudStack does not show it"),
        pytest.param(
            request(status=SHOWN),
            [address(allocated_at=NOW + 60, state="Releasing")],
            id="being released by somebody else",
        ),
        pytest.param(request(status=SHOWN), [address()], id="all tags removed"),
        pytest.param(
            request(status=SHOWN), [address(allocated_at=None)], id="without a time of allocation"
        ),
        pytest.param(
            request(status=recorded(published=True, allocatedAt=None)),
            [address()],
            id="recorded without a time of allocation",
        ),
        pytest.param(
            request(status=SHOWN), [address(tags=RENAMED)], id="our own UID in another cluster"
        ),
        pytest.param(
            request(status=SHOWN),
            [address(tags=tuple(tag for tag in MOVED if tag.value != "another"))],
            id="another cluster's mark without a UID",
        ),
        pytest.param(
            request(status=SHOWN, takeoverFrom="c-2"),
            [address(tags=MOVED)],
            id="another cluster's that is being taken over",
        ),
        pytest.param(
            request(status=SHOWN, address=IP),
            [address(allocated_at=NOW + 60)],
            id="allocated again by the user, whose Service names it",
        ),
        pytest.param(
            request(status=RELEASED, metadata=acquiring()),
            [address(allocated_at=NOW + 60)],
            id="one that a call of ours may have acquired",
        ),
        pytest.param(
            request(adopt=ADOPTED, mode="Plan"),
            [address(tags=MOVED)],
            id="only shown by the Service, in plan mode",
        ),
        pytest.param(request(status=recorded()), [our_address(REQUEST)], id="ours"),
    ],
)
def test_in_doubt_an_address_stays_shown(
    asked: LoadBalancerRequest, found: list[PublicIpAddress]
) -> None:
    answer, message = answered(asked, *found)
    assert "withdrawnAddress" not in answer
    assert not message


def test_it_is_told_once_and_stays_withdrawn_while_another_is_acquired() -> None:
    gone = [address(tags=MOVED)]
    first, message = answered(request(status=SHOWN), *gone)
    assert message
    again, message = answered(request(status=first), *gone)
    assert not message
    assert again["withdrawnAddress"] == IP
    waiting, _ = answered(request(status={**chosen(OTHER), "withdrawnAddress": IP}))
    assert waiting["withdrawnAddress"] == IP
    unseen, _ = answered(request(status=first))
    assert unseen["withdrawnAddress"] == IP


def test_it_is_shown_again_once_it_is_ours_and_serves() -> None:
    before = {**recorded(published=False), "withdrawnAddress": IP}
    made = planned(request(status=before), RIGHT)
    assert "withdrawnAddress" not in status(made)
    assert status(made)["address"]["published"] is True
    assert [each.reason for each in made.events] == ["AddressRegained"]
