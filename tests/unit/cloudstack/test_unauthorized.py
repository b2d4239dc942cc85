"""A 401, for which CloudStack gives no reason: what may be wrong, and how far the clocks differ."""

from contextlib import closing
from email.utils import formatdate

import pytest

from hooks.cloudstack import Cloud, CloudConfig
from hooks.cloudstack.errors import Unauthorized
from hooks.cloudstack.models.compute import Zone
from hooks.cloudstack.wire import clock_advice
from hooks.http.deadline import Deadline
from simulator.server import Simulator

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("date", "clocks"),
    [
        pytest.param(
            formatdate(NOW + 661, usegmt=True),
            "by the answer's Date its clock is 11 min ahead of ours",
            id="ahead",
        ),
        pytest.param(
            formatdate(NOW - 7200, usegmt=True),
            "by the answer's Date its clock is 120 min behind ours",
            id="behind",
        ),
        pytest.param(
            formatdate(NOW + 29, usegmt=True), "by the answer's Date the clocks agree", id="equal"
        ),
        pytest.param("", "its answer has no Date to compare the clocks by", id="no Date"),
        pytest.param("soon", "its answer has no Date to compare the clocks by", id="no time"),
    ],
)
def test_both_causes_are_named_with_the_difference_of_the_clocks(date: str, clocks: str) -> None:
    assert clock_advice(date, NOW) == (
        "either api-key and secret-key in the cloud-config are wrong or disabled, or the clocks "
        f"differ by more than 10 min: {clocks}"
    )


def test_the_difference_is_the_same_text_from_call_to_call() -> None:
    texts = {clock_advice(formatdate(NOW + 660, usegmt=True), NOW + late) for late in range(-20, 9)}
    assert len(texts) == 1


@pytest.mark.parametrize(
    ("ahead", "secret", "clocks"),
    [
        pytest.param(660, "", "its clock is 11 min ahead of ours", id="an expired signature"),
        pytest.param(0, "wrong", "the clocks agree", id="a wrong key"),
    ],
)
def test_a_server_that_refuses_a_signature_is_compared_by_its_date(
    ahead: float, secret: str, clocks: str
) -> None:
    with Simulator() as simulator:
        simulator.clock.advance(ahead)
        user = simulator.user
        config = CloudConfig(simulator.url, user.api_key, secret or user.secret_key)
        with closing(Cloud(config)) as cloud, pytest.raises(Unauthorized) as caught:
            cloud.client.list_all(Zone, Deadline(8))
    text = str(caught.value)
    assert "unable to verify user credentials" in text
    assert "api-key and secret-key" in text
    assert clocks in text
    assert user.secret_key not in text
