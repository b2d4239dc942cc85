from dataclasses import replace
from typing import Any

import msgspec
import pytest

from hooks.targetclusters.health.model import NAMESPACE_DELETED, SECRET_NOT_FOUND
from hooks.targetclusters.plan.finalizing import RETRY, plan_deletion
from hooks.targetclusters.plan.schedule import JobState
from hooks.targetclusters.plan.syncing import Decision
from hooks.targetclusters.request import ResourceSync, Spec
from hooks.targetclusters.sync.plan.inventory import Inventory
from hooks.targetclusters.sync.plan.model import SyncReport
from tests.unit.targetclusters.sync.objects import make_entry
from tests.unit.targetclusters.views import (
    NOW,
    children,
    deletion,
    facts,
    failure,
    finished,
    inventory,
    with_status,
)

A, AB = inventory("a"), inventory("a", "b")
DELETE = Spec("target", sync=ResourceSync(enabled=True), deletion_policy="Delete")


def decided(*, deleted: float = 30.0, **changes: Any) -> Decision:
    """Decide on a TargetCluster with two objects whose deletion was asked for a while ago."""
    if "status" in changes:
        changes["cluster"] = with_status(changes.pop("status"))
    fields: dict[str, Any] = {"spec": DELETE, "config_maps": children(AB)}
    return plan_deletion(facts(**{**fields, **changes, "deleting_since": NOW - deleted}))


def test_orphan_leaves_all_and_is_done_at_once() -> None:
    done = decided(spec=msgspec.structs.replace(DELETE, deletion_policy="Orphan"))
    assert done.finalized
    assert done.start is None
    assert done.event is None


@pytest.mark.parametrize("policy", ["Orphan", "Delete"])
def test_a_round_that_runs_is_ended_first(policy: Any) -> None:
    running = JobState[Any](running_since=NOW - 1)
    waiting = decided(spec=msgspec.structs.replace(DELETE, deletion_policy=policy), sync=running)
    assert waiting.stop
    assert not waiting.finalized
    assert waiting.children == children(AB)
    assert decided(
        spec=msgspec.structs.replace(DELETE, deletion_policy="Orphan"), sync=running, deleted=700
    ).finalized


def test_what_was_never_synced_has_nothing_to_be_deleted() -> None:
    assert decided(config_maps=[]).finalized


def test_what_was_synced_is_looked_for_although_its_inventory_is_gone() -> None:
    started = decided(config_maps=[], status={"sync": {"objects": 3}})
    assert started.start == Inventory()
    assert not started.finalized


def test_delete_starts_with_all_that_is_recorded_which_stays_until_it_is_gone() -> None:
    started = decided()
    assert started.start == AB
    assert started.children == children(AB)
    assert not started.finalized


def test_while_it_is_being_deleted_it_is_waited_for() -> None:
    waiting = decided(deletion=JobState(running_since=NOW - 2))
    assert (waiting.start, waiting.stop, waiting.finalized) == (None, False, False)
    assert waiting.wait == 2.0


def test_what_is_gone_is_recorded_no_more_and_the_rest_is_gone_on_with() -> None:
    going_on = decided(deletion=finished(deletion(AB, A)))
    assert going_on.children == children(A)
    assert going_on.start == A
    assert not going_on.finalized


def test_a_round_that_failed_is_tried_again_a_little_later() -> None:
    failed = deletion(AB, AB, report=SyncReport((), AB, complete=False, error="timeout"))
    soon = decided(deletion=finished(replace(failed, started_at=NOW - 2)))
    assert soon.start is None
    assert soon.wait == pytest.approx(RETRY - 1)
    assert soon.condition.message == "timeout"
    assert decided(deletion=finished(failed)).start == AB


def test_a_round_that_failed_proves_nothing_gone_although_its_inventory_is_lost() -> None:
    lost = Inventory()
    failed = deletion(lost, lost, report=SyncReport((), lost, complete=False, error="timeout"))
    decision = decided(config_maps=[], deletion=finished(failed), status={"sync": {"objects": 3}})
    assert not decision.finalized


def test_seen_to_be_gone_it_is_done_and_told() -> None:
    done = decided(deletion=finished(deletion(AB, Inventory())))
    assert done.finalized
    assert done.children == []
    assert done.event == ("ResourcesDeleted", "2 objects were deleted from the cluster")


def test_objects_that_a_lost_inventory_does_not_list_are_said_to_stay() -> None:
    lost = Inventory()
    done = decided(
        config_maps=[], status={"sync": {"objects": 3}}, deletion=finished(deletion(lost, lost))
    )
    assert done.finalized
    assert done.event is not None
    reason, message = done.event
    assert reason == "ResourcesOrphaned"
    assert "lists none of the 3 objects that were synced" in message
    assert "targetcluster.example.com/member-of" in message


def test_objects_of_ours_that_no_inventory_lists_are_said_to_stay() -> None:
    """As when the inventory was restored from a backup that is older than they are."""
    left = (make_entry("a").key,)
    unlisted = SyncReport((), Inventory(), complete=True, unlisted=left, label="member-of=x")
    done = decided(deletion=finished(deletion(AB, Inventory(), report=unlisted)))
    assert done.finalized
    assert done.event is not None
    reason, message = done.event
    assert reason == "ResourcesOrphaned"
    assert message == (
        "2 objects were deleted from the cluster; 1 more on the cluster have our mark and are in "
        "no inventory, such as ConfigMap shop/a; the label member-of=x finds them"
    )


def test_what_earlier_rounds_deleted_is_told_too() -> None:
    done = decided(
        config_maps=children(A),
        status={"sync": {"objects": 2}},
        deletion=finished(deletion(A, Inventory())),
    )
    assert done.event == ("ResourcesDeleted", "2 objects were deleted from the cluster")


def test_a_cluster_that_never_answers_is_waited_for_as_long_as_the_bound_says() -> None:
    silent = finished(deletion(AB, AB, report=None, failure=failure("Unreachable", "connection")))
    assert not decided(deletion=silent, deleted=599).finalized
    done = decided(deletion=silent, deleted=600)
    assert done.finalized
    assert done.event is not None
    reason, message = done.event
    assert reason == "ResourcesOrphaned"
    assert message.startswith("2 objects are left on the cluster: finalizeTimeout has passed; ")


def test_a_wait_does_not_go_beyond_the_bound() -> None:
    failed = deletion(AB, AB, report=SyncReport((), AB, complete=False, error="timeout"))
    rounds = finished(replace(failed, started_at=NOW - 1))
    assert decided(deletion=rounds, deleted=598).wait == pytest.approx(2)
    assert decided(
        spec=msgspec.structs.replace(DELETE, suspend=True), deleted=590
    ).wait == pytest.approx(10)


def test_a_secret_that_was_deleted_alone_is_waited_for() -> None:
    gone = finished(deletion(AB, AB, report=None, failure=failure(SECRET_NOT_FOUND)))
    assert not decided(deletion=gone, deleted=599).finalized
    assert decided(deletion=gone, deleted=600).finalized


def test_without_its_namespace_it_is_orphaned_at_once() -> None:
    gone = finished(deletion(AB, AB, report=None, failure=failure(NAMESPACE_DELETED)))
    done = decided(deletion=gone, deleted=1)
    assert done.finalized
    assert done.event is not None
    assert done.event[0] == "ResourcesOrphaned"


def test_a_kubeconfig_that_cannot_be_used_may_still_be_put_right() -> None:
    broken = finished(deletion(AB, AB, report=None, failure=failure("ExecRefused")))
    assert not decided(deletion=broken, deleted=1).finalized


def test_suspended_nothing_is_deleted_and_the_bound_holds() -> None:
    spec = msgspec.structs.replace(DELETE, suspend=True)
    waiting = decided(spec=spec)
    assert (waiting.start, waiting.finalized) == (None, False)
    assert decided(spec=spec, deleted=601).finalized


def test_an_inventory_that_somebody_changed_meanwhile_is_gone_by() -> None:
    going_on = decided(config_maps=children(A), deletion=finished(deletion(AB, AB)))
    assert going_on.start == A
