"""What is said of inventories that are lost, and of objects left on another cluster."""

from dataclasses import replace

from hooks.http.bounded_json import Json
from hooks.kube.identity import ClusterIdentity
from hooks.kube.objects import find_condition
from hooks.targetclusters.plan.facts import Facts
from hooks.targetclusters.plan.plan import plan_sync
from hooks.targetclusters.plan.syncing import plan_syncing
from hooks.targetclusters.sync.plan.inventory import ObjectKey
from tests.unit.targetclusters.views import (
    checks,
    children,
    counted,
    facts,
    finished,
    inventory,
    report,
    round_,
    with_status,
)

MOVED = inventory("a", "b").on(ClusterIdentity("uid-1")).on(ClusterIdentity("uid-2"))
MOVED = MOVED.on(ClusterIdentity("uid-2"))


def moved(status: Json | None = None) -> Facts:
    shown = MOVED.to_config_maps(name="example", namespace="team")
    return facts(config_maps=tuple(shown), cluster=with_status(status or {}))


def test_a_condition_and_one_event_name_what_is_left_on_the_former_cluster() -> None:
    planned = plan_sync(moved())
    status = planned.response["status"]
    condition = find_condition({"status": status}, "ClusterChanged")
    name = MOVED.set_aside[0].name_set_aside("example")
    assert (condition["status"], condition["reason"]) == ("True", "ObjectsLeft")
    assert f"2 objects on uid-1 (ConfigMap {name})" in condition["message"]
    assert [event.reason for event in planned.events].count("ClusterChanged") == 1
    again = plan_sync(moved({**(status or {})}))
    assert "ClusterChanged" not in [event.reason for event in again.events]


def test_an_event_says_which_list_of_a_former_cluster_is_dropped() -> None:
    left = [inventory("a", "b").on(ClusterIdentity(f"uid-{number}")) for number in range(3)]
    before = replace(inventory("c"), set_aside=tuple(left), cluster=ClusterIdentity("uid-3"))
    shown = tuple(before.to_config_maps(name="example", namespace="team"))
    before = facts(config_maps=shown).inventory
    after = replace(before, set_aside=before.set_aside[1:])
    latest = round_(before, report(after))
    planned = plan_sync(facts(config_maps=shown, sync=finished(latest)))
    said = [event.message for event in planned.events if event.reason == "ClusterChanged"]
    dropped = before.set_aside[0].cluster
    assert said[-1].startswith(
        f"the kubeconfig led to many clusters, so 2 objects on {dropped} are no longer listed"
    )
    assert (
        len(plan_syncing(facts(config_maps=shown, sync=finished(latest)), checks()).children) == 3
    )


def test_the_list_of_a_cluster_that_is_the_present_one_again_is_not_dropped() -> None:
    before = inventory("a").on(ClusterIdentity("uid-1")).on(ClusterIdentity("uid-2"))
    back = before.on(ClusterIdentity("uid-2")).on(ClusterIdentity("uid-1"))
    assert facts(config_maps=tuple(children(back))).dropped(back.on(ClusterIdentity("uid-1"))) == ""


def test_without_anything_left_the_condition_is_not_there() -> None:
    status = plan_sync(facts()).response["status"]
    assert find_condition({"status": status}, "ClusterChanged") == {}


def test_a_lost_inventory_is_an_event_once_the_next_round_starts() -> None:
    lost = facts(cluster=with_status({"sync": {"objects": 3}}))
    assert "InventoryLost" in [event.reason for event in plan_sync(lost).events]
    kept = facts(
        cluster=with_status({"sync": {"objects": 1}}), config_maps=tuple(children(inventory("a")))
    )
    assert "InventoryLost" not in [event.reason for event in plan_sync(kept).events]


def test_an_inventory_that_is_not_written_yet_is_not_lost() -> None:
    latest = round_(inventory(), report(inventory("a"), complete=False))
    shown = facts(sync=finished(latest), cluster=with_status(counted(latest, objects=1)))
    assert not shown.lost_inventory


def test_objects_in_no_inventory_are_named_with_their_label() -> None:
    shown = inventory("a")
    found = replace(
        report(shown, outcomes={"a": "unchanged"}),
        unlisted=(ObjectKey("", "ConfigMap", "team", "old"),),
        label="targetcluster.example.com/member-of=1a2b",
    )
    latest = round_(shown, found)
    told = facts(
        sync=finished(latest),
        config_maps=tuple(children(shown)),
        cluster=with_status(counted(latest, objects=1)),
    )
    condition = plan_syncing(told, checks()).condition
    assert (condition.status, condition.reason) == ("True", "Synced")
    assert "1 more on the cluster have our mark and are in no inventory" in condition.message
    assert "ConfigMap team/old" in condition.message
    assert "targetcluster.example.com/member-of=1a2b" in condition.message
