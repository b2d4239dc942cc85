"""With a certificate, commands fail in every way: that is said, and nothing leaks."""

from typing import Any

import pytest

from hooks.cloudstack import Cloud
from tests.integration.loadbalancers.certificates import put, secured, tls, tls_hook
from tests.integration.loadbalancers.driver import NOTHING, LoadBalancer, World, port
from tests.integration.loadbalancers.faults import ANSWERS, JOBS, cases, check_steps

LOST = {"answer lost": JOBS["answer lost"]}


def change(lb: LoadBalancer) -> None:
    put(lb.world, number=1)
    lb.change(ports=[tls(443), tls(8443), port(80)])


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        *cases(["listSslCerts", "listAccounts"], ANSWERS),
        *cases(["uploadSslCert", "deleteSslCert"], ANSWERS | LOST),
        *cases(["assignCertToLoadBalancer"], ANSWERS | JOBS),
    ],
)
def test_a_fault_is_reported_nothing_leaks_and_recovery_needs_nobody(
    world: World,
    cloud: Cloud,
    command: str,
    fault: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    key = put(world)
    lb = secured(world, [tls(443), port(80)])
    check_steps(lb, tls_hook(world, cloud), (command, fault), change, caplog)
    assert world.remains() == NOTHING
    assert key[40:80] not in caplog.text + str([each.response for each in lb.answers])
