"""The kubeconfig leads to another real cluster than before, and back."""

from dataclasses import dataclass
from typing import NamedTuple

import pytest

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import Kube, KubeRefused
from hooks.targetclusters.identities import read_identity
from hooks.targetclusters.sync.plan.inventory import Inventory
from tests.integration.targetclusters_sync.worlds import World, result
from tests.kubes import Answering, Call, Watched

ELSEWHERE = "another-cluster"


class Clusters(NamedTuple):
    """A World on its first cluster, and how to move it between that and another one."""

    world: World
    first: tuple[object, ...]

    def move(self) -> None:
        """Let the kubeconfig lead to the other cluster."""
        self.world.target, self.world.kube = self.world.own, self.world.own_kube

    def back(self) -> None:
        self.world.target, self.world.kube = self.first  # type: ignore[assignment]


@pytest.fixture
def clusters(world: World) -> Clusters:
    world.policy = {"targetNamespace": f"{world.namespace}-else"}
    world.source("app", {"n": "1"})
    world.source("old", {"n": "1"})
    assert world.settle().synced
    return Clusters(world, (world.target, world.kube))


def aside(world: World) -> list[set[str]]:
    """Return the names that each inventory of a former cluster lists."""
    return [{key.name for key in one.by_key} for one in world.recorded.set_aside]


def test_everything_is_new_there_and_what_is_left_is_listed(clusters: Clusters) -> None:
    world = clusters.world
    before = world.recorded.cluster
    clusters.move()
    world.policy["driftPolicy"] = "Report"
    world.unsource("old")
    report = world.settle()
    assert report.synced
    assert world.outcomes("app")[0] == "skipped"
    assert world.names() == {"app"}
    assert aside(world) == [{"app", "old"}]
    assert world.recorded.set_aside[0].cluster == before
    assert world.recorded.cluster.same_as(before) is False


def test_back_on_the_first_cluster_its_own_inventory_counts_again(clusters: Clusters) -> None:
    world = clusters.world
    clusters.move()
    world.settle()
    world.unsource("old")
    clusters.back()
    report = world.settle()
    assert report.synced
    assert world.names() == {"app"}
    assert aside(world) == [{"app", "old"}]
    clusters.move()
    world.settle()
    assert world.names() == {"app"}


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_no_entry_is_lost_wherever_the_operator_dies_between(clusters: Clusters, lost: int) -> None:
    """Each answer changes several ConfigMaps; of some only the first may be written."""
    world = clusters.world
    clusters.move()
    for number in range(1, 6):
        before = world.recorded.to_config_maps(name="web", namespace=world.namespace)
        world.round()
        if number == lost:
            after = world.recorded.to_config_maps(name="web", namespace=world.namespace)
            written = {one["metadata"]["name"]: one for one in before} | {
                one["metadata"]["name"]: one for one in after[:1]
            }
            world.recorded = Inventory.from_config_maps(written.values())
        everywhere = [{key.name for key in world.recorded.by_key}, *aside(world)]
        assert {"app", "old"} in everywhere
    world.settle()
    assert aside(world) == [{"app", "old"}]


def test_nothing_is_deleted_on_another_cluster(clusters: Clusters) -> None:
    world = clusters.world
    first = world.recorded
    clusters.move()
    world.settle()
    assert world.names() == {"app", "old"}
    world.recorded = first
    report = world.delete()
    assert not report.complete
    assert "leads to another cluster" in report.error
    assert world.names() == {"app", "old"}


@dataclass
class Changing(Answering):
    """Answers for a cluster until it has said which one it is, and then for another one."""

    first: Kube
    second: Kube
    has_said: bool = False

    def answer(self, call: Call) -> Json:
        kube, self.has_said = (self.second if self.has_said else self.first), True
        return kube.call(call)


def test_nothing_counts_as_gone_where_the_name_leads_elsewhere_in_the_middle_of_a_round(
    clusters: Clusters,
) -> None:
    world = clusters.world
    before = world.recorded
    report = world.delete(kube=Changing(world.kube, world.own_kube))
    assert not report.complete
    assert "leads to another cluster since the round began" in report.error
    assert report.inventory.by_key.keys() == before.by_key.keys()
    assert world.names() == {"app", "old"}
    world.unsource("old")
    report = world.round(kube=Changing(world.kube, world.own_kube))
    assert report.inventory.by_key.keys() >= before.by_key.keys()
    assert world.settle().synced
    assert world.names() == {"app"}


def test_where_the_account_may_not_read_it_the_authority_stands_for_the_cluster(
    world: World,
) -> None:
    def refuse(call: Call) -> None:
        if call.path.endswith("/kube-system"):
            raise KubeRefused("GET", 403, "forbidden")

    kube = Watched(world.kube.kube, before=refuse)
    one, other, none = (read_identity(kube, ca, Deadline(5)) for ca in ("sha256:1", "sha256:2", ""))
    assert str(one) == "sha256:1"
    assert [one.same_as(each) for each in (one, other, none)] == [True, False, None]
    known = read_identity(world.kube, "sha256:2", Deadline(5))
    assert known.same_as(one) is False
    assert known.same_as(other)
    world.source("app", {"n": "1"})
    world.kube = kube
    assert world.settle().synced
    assert result(world.round(), "app").outcome == "unchanged"
