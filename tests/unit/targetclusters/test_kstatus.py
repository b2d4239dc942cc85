"""Tools that know nothing of TargetClusters read their status by the rules of kstatus."""

from tests.kstatus import created, kstatus
from tests.targets import fake_cluster, servers
from tests.targets.driving import operating
from tests.targets.objects import kubeconfig
from tests.unit.targetclusters.watching import driven, own_cluster, put_kubeconfig


def test_it_goes_from_in_progress_to_current_and_back_with_the_cluster() -> None:
    with (
        servers.refusing() as refusing,
        fake_cluster.running() as cluster,
        operating(own_cluster(cluster.url)) as operator,
    ):
        watched = driven(operator, failureThreshold=1)
        watched.cluster = created(watched.cluster, "targetclusters")
        assert kstatus(watched.cluster) == "InProgress"
        watched.call()
        assert kstatus(watched.cluster) == "InProgress"
        watched.probe()
        assert kstatus(watched.cluster) == "Current"
        put_kubeconfig(operator, kubeconfig(refusing))
        watched.probe()
        assert kstatus(watched.cluster) == "InProgress"
        put_kubeconfig(operator, kubeconfig(""))
        watched.probe()
        assert kstatus(watched.cluster) == "Failed"
        put_kubeconfig(operator, kubeconfig(cluster.url))
        watched.probe()
        assert kstatus(watched.cluster) == "Current"


def test_a_new_spec_is_in_progress_until_a_probe_has_followed_it() -> None:
    with fake_cluster.running() as cluster, operating(own_cluster(cluster.url)) as operator:
        watched = driven(operator)
        watched.probe()
        watched.change(healthChecks={"minReadyNodes": 2})
        assert kstatus(watched.cluster) == "InProgress"
        watched.call()
        assert watched.status["observedGeneration"] == 2
        assert kstatus(watched.cluster) == "InProgress"
        watched.probe()
        assert kstatus(watched.cluster) == "Current"


def test_every_condition_is_whole_and_of_the_generation_that_it_speaks_of() -> None:
    with fake_cluster.running() as cluster, operating(own_cluster(cluster.url)) as operator:
        watched = driven(operator)
        watched.probe()
        for entry in watched.status["conditions"]:
            assert entry.keys() == {
                "type",
                "status",
                "reason",
                "message",
                "lastTransitionTime",
                "observedGeneration",
            }
            assert entry["status"] in ("True", "False", "Unknown")
            assert entry["reason"].isidentifier()
            assert entry["observedGeneration"] == 1
