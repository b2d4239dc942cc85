from typing import Any

import pytest

from hooks.cloudstack.models.account import ResourceLimit
from hooks.http.bounded_json import Json
from tests.unit.loadbalancers.builders import IP, NET, associate, chosen, request
from tests.unit.loadbalancers.plan.addresses import OTHER, plan, refused


@pytest.mark.parametrize(
    ("status", "spec", "code", "reason"),
    [
        pytest.param(chosen(), {}, 535, "QuotaExceeded", id="limit, not told by older servers"),
        pytest.param(chosen(), {}, 530, "AddressRefused", id="anything else"),
        pytest.param(chosen(OTHER), {"address": OTHER}, 533, "AddressNotFree", id="asked for"),
    ],
)
def test_another_refusal_is_reported_in_cloudstacks_words(
    status: Json, spec: dict[str, Any], code: int, reason: str
) -> None:
    ip = status["address"]["ip"]
    asked = request(status=status, **spec)
    refusals = refused(associate(asked, ip), code, "Limit = 20")
    result = plan(asked, refusals=refusals, free=(IP,))
    assert result.actions == ()
    assert not result.awaits_status
    assert result.condition.reason == reason
    assert "Limit = 20" in result.condition.message


@pytest.mark.parametrize(
    ("limit", "texts"),
    [
        pytest.param(ResourceLimit(20, 20), "20 of 20 public addresses are used; ", id="expected"),
        pytest.param(ResourceLimit(20, None), "", id="the limit is not the account's"),
        pytest.param(None, "", id="not told"),
    ],
)
def test_a_limit_that_is_reached_is_reported_with_what_is_used(
    limit: ResourceLimit | None, texts: str
) -> None:
    asked = request(status=chosen())
    refusals = refused(associate(asked), 535, "Maximum number of resources")
    result = plan(asked, refusals=refusals, address_limit=limit)
    assert result.condition.message == (
        f"{texts}associate address {IP} with network {NET}: Maximum number of resources"
    )
