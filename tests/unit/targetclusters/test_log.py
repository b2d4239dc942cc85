"""What the log says of rounds."""

import logging

import pytest

from hooks.kube.times import timestamp
from tests.controlplane.polling import until
from tests.targets import servers
from tests.targets.driving import operating
from tests.unit.targetclusters.watching import driven, own_cluster


def test_a_deletion_round_that_could_not_connect_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "hooks.targetclusters")
    with servers.refusing() as url, operating(own_cluster(url)) as operator:
        watched = driven(operator, deletionPolicy="Delete", resourceSyncPolicy={})
        metadata = watched.cluster["metadata"] | {"deletionTimestamp": timestamp(operator.clock())}
        status = {"sync": {"objects": 3}}
        watched.cluster = {**watched.cluster, "metadata": metadata, "status": status}
        watched.call(finalizing=True)
        until(lambda: caplog.records, "the round is logged", every=0.005)
    [record] = [each for each in caplog.records if each.message.startswith("resources")]
    assert (record.levelname, record.message) == ("WARNING", "resources not deleted")
    assert "refused" in vars(record)["problem"]
