from typing import Any, cast

import pytest

from hooks.http.bounded_json import Json
from hooks.kube.times import timestamp
from hooks.names import (
    ANNOTATION_CONFIRM_DELETION,
    EVENT_ADDRESSES_UNUSABLE,
    EVENT_DELETING_NODE,
    EVENT_DELETION_HELD,
    EVENT_INSTANCE_AMBIGUOUS,
    EVENT_INSTANCE_NOT_FOUND,
    EVENT_INSTANCE_REPLACED,
    EVENT_SYNCED,
    TAINT_UNINITIALIZED,
)
from hooks.nodes.plan.absence import SeenAbsence
from hooks.nodes.plan.actions import AddressPatch, NodeDeletion, SpecPatch
from hooks.nodes.plan.facts import Facts
from hooks.nodes.plan.guard import Survey, SurveyedNode
from hooks.nodes.plan.match import Ambiguous, Foreign, Found, Missing
from hooks.nodes.plan.plan import NodePlan, plan_node
from hooks.webhook.contract import DecoratorResponse
from tests.unit.nodes.objects import (
    ADDRESSES,
    LABELS,
    NOW,
    UNINITIALIZED,
    VM_ID,
    make_facts,
    make_initialised_node,
    make_nic,
    make_node,
    make_vm,
    seen_missing,
)

PROVIDER_ID = f"external-cloudstack://{VM_ID}"
OTHER: Json = {"key": "example.com/dedicated", "value": "gpu", "effect": "NoExecute"}
OWNER = "account domain-id/user"
INSTANCE: Json = {
    "metadata": {"name": "node-1", "uid": "server-made"},
    "spec": {"nodeName": "node-1", "providerID": PROVIDER_ID, "instanceID": VM_ID},
    "observed": {
        "state": "Running",
        "owner": OWNER,
        "offering": "Small Instance",
        "servesLoadBalancers": True,
    },
}


def plan(facts: Facts) -> NodePlan:
    return plan_node(facts)


def answer(made: NodePlan) -> DecoratorResponse:
    return cast(DecoratorResponse, made.response)


def attachments(made: NodePlan) -> list[Json]:
    return answer(made)["attachments"]


def reasons(made: NodePlan) -> list[str]:
    return [event.reason for event in made.events]


def tainted(**changes: Any) -> Json:
    """A node that waits to be initialised and shows its labels already."""
    return make_node(**{"labels": LABELS, "spec": {"taints": [UNINITIALIZED]}, **changes})


def surveyed(missing: int, *, of: int, owner: str = OWNER) -> Survey:
    """Return what is looked up before a deletion, of nodes that are not Ready."""
    nodes = tuple(SurveyedNode(f"node-{n}", owner, is_missing=n < missing) for n in range(of))
    return Survey(owner, frozenset({OWNER}), nodes)


def condition(kind: str, status: str, reason: str, message: str = "") -> Json:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": timestamp(NOW - 1),
    }


class TestANodeWithAVM:
    def test_first_gets_its_labels_by_the_answer_and_no_write(self) -> None:
        made = plan(make_facts(make_node(spec={"taints": [UNINITIALIZED]})))
        assert answer(made)["labels"] == LABELS
        assert made.actions == ()
        assert made.events == ()

    @pytest.mark.parametrize("label", sorted(LABELS)[1:])
    def test_gets_no_write_while_a_label_is_wrong(self, label: str) -> None:
        made = plan(make_facts(tainted(labels={**LABELS, label: "wrong"})))
        assert answer(made)["labels"].get(label) == LABELS[label]
        assert made.actions == ()

    def test_gets_its_instance_with_the_labels_that_it_will_have(self) -> None:
        [instance] = attachments(plan(make_facts(make_node(labels={"mine": "yes"}))))
        assert instance == {
            "apiVersion": "cloudstack.targetcluster.example.com/v1alpha1",
            "kind": "CloudStackInstance",
            "metadata": {"name": "node-1", "labels": {"mine": "yes", **LABELS}},
            "spec": {"nodeName": "node-1", "providerID": PROVIDER_ID, "instanceID": VM_ID},
            "observed": {
                "state": "Running",
                "address": "10.1.1.190",
                "owner": "account domain-id/user",
                "offering": "Small Instance",
                "zone": "zone-1",
                "zoneID": "zone-id",
                "networks": [{"id": "net", "default": True, "addresses": ["10.1.1.190"]}],
                "servesLoadBalancers": True,
                "conditions": [
                    condition("VMFound", "True", "Found", f"CloudStack has VM node-1 ({VM_ID})"),
                    condition("SoleNode", "True", "SoleNode"),
                ],
            },
        }

    def test_then_gets_its_addresses(self) -> None:
        made = plan(make_facts(tainted()))
        wanted = (("InternalIP", "10.1.1.190"), ("Hostname", "node-1"))
        assert made.actions == (AddressPatch("node-1", "node-uid", "any", wanted),)
        assert made.events == ()

    def test_is_released_last_with_its_provider_id_in_the_same_write(self) -> None:
        node = tainted(addresses=ADDRESSES, spec={"taints": [OTHER, UNINITIALIZED]})
        made = plan(make_facts(node))
        [patch] = made.actions
        assert isinstance(patch, SpecPatch)
        assert patch.provider_id == PROVIDER_ID
        assert [dict(taint) for taint in patch.taints] == [OTHER]
        assert patch.resource_version == "7"
        assert reasons(made) == [EVENT_SYNCED]

    @pytest.mark.parametrize(
        "provider_id", [f"cloudstack:///{VM_ID}", f"cloudstack://eu/{VM_ID}", PROVIDER_ID]
    )
    def test_keeps_a_provider_id_that_it_has(self, provider_id: str) -> None:
        spec = {"providerID": provider_id, "taints": [UNINITIALIZED]}
        [patch] = plan(make_facts(tainted(addresses=ADDRESSES, spec=spec))).actions
        assert isinstance(patch, SpecPatch)
        assert patch.provider_id is None
        assert patch.taints == ()

    def test_the_taint_goes_whatever_its_value_and_effect(self) -> None:
        spec = {"taints": [{"key": TAINT_UNINITIALIZED, "effect": "NoExecute"}]}
        [patch] = plan(make_facts(tainted(addresses=ADDRESSES, spec=spec))).actions
        assert isinstance(patch, SpecPatch)
        assert patch.taints == ()

    def test_that_is_right_gets_no_write(self) -> None:
        made = plan(make_facts(make_initialised_node()))
        assert (made.actions, made.events) == ((), ())
        assert "resyncAfterSeconds" not in made.response

    def test_without_taint_or_provider_id_is_given_none(self) -> None:
        node = make_node(labels=LABELS, addresses=ADDRESSES)
        assert plan(make_facts(node)).actions == ()

    def test_resized_gets_its_new_label(self) -> None:
        match = Found(make_vm(offering_name="Medium Instance"))
        made = plan(make_facts(make_initialised_node(), match))
        assert answer(made)["labels"]["node.kubernetes.io/instance-type"] == "MediumInstance"

    def test_that_lost_an_address_loses_it_too(self) -> None:
        shown = [*ADDRESSES, {"type": "ExternalIP", "address": "198.51.100.7"}]
        [patch] = plan(make_facts(make_initialised_node(addresses=shown))).actions
        assert isinstance(patch, AddressPatch)
        assert ("ExternalIP", "198.51.100.7") not in patch.addresses

    def test_on_an_l2_network_is_released_with_the_addresses_that_kubelet_reports(self) -> None:
        node = tainted(addresses=ADDRESSES)
        [patch] = plan(make_facts(node, Found(make_vm(nics=(make_nic(""),))))).actions
        assert isinstance(patch, SpecPatch)
        assert (patch.provider_id, patch.taints) == (PROVIDER_ID, ())

    def test_whose_addresses_cannot_be_used_stays_tainted(self) -> None:
        made = plan(make_facts(tainted(), Found(make_vm(nics=()))))
        assert made.actions == ()
        assert reasons(made) == [EVENT_ADDRESSES_UNUSABLE]

    def test_whose_addresses_vanished_later_keeps_those_it_shows(self) -> None:
        made = plan(make_facts(make_initialised_node(), Found(make_vm(nics=()))))
        assert made.actions == ()
        assert reasons(made) == [EVENT_ADDRESSES_UNUSABLE]

    def test_that_is_being_deleted_is_not_written_to(self) -> None:
        node = tainted(metadata={"deletionTimestamp": "2026-11-22T00:00:00Z"})
        made = plan(make_facts(node))
        assert made.actions == ()
        assert attachments(made)[0]["observed"]["servesLoadBalancers"] is False

    def test_is_planned_on_its_newest_version(self) -> None:
        cached = tainted()
        node = tainted(addresses=ADDRESSES, metadata={"resourceVersion": "8"})
        [patch] = plan(make_facts(cached, node=node)).actions
        assert isinstance(patch, SpecPatch)
        assert patch.resource_version == "8"


class TestANodeWithoutAVM:
    def test_of_another_cloud_is_not_ours(self) -> None:
        made = plan(make_facts(make_node(), Foreign("aws:///i-1"), instance=INSTANCE))
        assert made.response == {"labels": {}, "attachments": []}
        assert (made.actions, made.events) == ((), ())

    def test_by_its_name_has_lost_the_vm_that_its_instance_names(self) -> None:
        made = plan(make_facts(make_node(), Missing(None), instance=INSTANCE))
        [lost] = attachments(made)
        assert lost["spec"] == INSTANCE["spec"]
        assert lost["observed"]["missing"]["snapshots"] == 1
        [found] = lost["observed"]["conditions"]
        assert (found["type"], found["status"]) == ("VMFound", "False")
        assert reasons(made) == [EVENT_INSTANCE_NOT_FOUND]

    def test_by_its_name_keeps_the_instance_of_a_vm_that_has_another_name_now(self) -> None:
        node = make_node(labels={"a": "b"})
        made = plan(make_facts(node, Missing(None), instance=INSTANCE, is_recorded_vm_listed=True))
        [kept] = attachments(made)
        assert kept["metadata"] == {"name": "node-1", "labels": {"a": "b"}}
        assert (kept["spec"], kept["observed"]) == (INSTANCE["spec"], INSTANCE["observed"])

    def test_with_two_vms_of_its_name_gets_no_write_and_both_are_named(self) -> None:
        twins = (make_vm(id="one"), make_vm(id="two"))
        made = plan(make_facts(tainted(), Ambiguous(twins), instance=INSTANCE))
        assert made.actions == ()
        assert answer(made)["labels"] == {}
        assert attachments(made)[0]["spec"] == INSTANCE["spec"]
        [event] = made.events
        assert event.reason == EVENT_INSTANCE_AMBIGUOUS
        assert "(one)" in event.message
        assert "(two)" in event.message


class TestAVMThatIsGone:
    MATCH = Missing(VM_ID)

    def facts(self, *, ready: bool = False, missing_for: float | None = None, **more: Any) -> Facts:
        """Facts of a node whose VM has been missing for so many seconds; None: seen until now."""
        instance = INSTANCE
        if missing_for is not None:
            missing = {
                "since": timestamp(NOW - missing_for),
                "snapshots": 5,
                "lastSnapshot": timestamp(NOW - 20),
            }
            instance = {**INSTANCE, "observed": {**INSTANCE["observed"], "missing": missing}}
            more = {"seen": seen_missing(missing_for), **more}
        node = more.pop("node", make_initialised_node(ready=ready))
        return make_facts(node, self.MATCH, instance=instance, **more)

    def test_is_first_recorded_on_the_instance(self) -> None:
        made = plan(self.facts())
        [instance] = attachments(made)
        assert instance["observed"] == {
            **INSTANCE["observed"],
            "state": "Missing",
            "missing": {
                "since": timestamp(NOW - 1),
                "snapshots": 1,
                "lastSnapshot": timestamp(NOW - 1),
                "nodeReady": False,
            },
            "conditions": [
                condition("VMFound", "False", "Missing", f"CloudStack has no VM {VM_ID}")
            ],
        }
        assert (made.actions, made.events) == ((), ())
        assert made.response["resyncAfterSeconds"] == 15

    def test_is_recorded_on_a_new_instance(self) -> None:
        made = plan(make_facts(make_initialised_node(ready=False), self.MATCH))
        [instance] = attachments(made)
        assert instance["spec"]["instanceID"] == VM_ID
        assert instance["observed"]["missing"]["snapshots"] == 1

    def test_a_later_snapshot_is_counted(self) -> None:
        [instance] = attachments(plan(self.facts(missing_for=30)))
        assert instance["observed"]["missing"]["snapshots"] == 6
        assert instance["observed"]["missing"]["since"] == timestamp(NOW - 30)

    def test_deletes_nothing_while_its_node_is_ready_and_says_so(self) -> None:
        survey = surveyed(1, of=1)
        made = plan(self.facts(ready=True, missing_for=9999, survey=survey))
        assert made.actions == ()
        assert reasons(made) == [EVENT_DELETION_HELD]

    def test_that_was_rebuilt_under_its_name_is_named_with_what_to_do(self) -> None:
        match = Missing(VM_ID, (make_vm(id="the-new-one"),))
        made = plan(make_facts(make_initialised_node(ready=True), match, instance=INSTANCE))
        [event] = made.events
        assert event.reason == EVENT_INSTANCE_REPLACED
        assert VM_ID in event.message
        assert "VM node-1 (the-new-one) has its name" in event.message
        assert "delete the Node and restart kubelet" in event.message
        assert attachments(made)[0]["observed"]["conditions"][0]["reason"] == "Replaced"
        assert made.actions == ()

    def test_deletes_nothing_before_the_other_nodes_are_read(self) -> None:
        assert plan(self.facts(missing_for=9999)).actions == ()

    def test_deletes_its_node_of_that_uid_and_version(self) -> None:
        survey = surveyed(1, of=10)
        made = plan(self.facts(missing_for=60, survey=survey))
        assert made.actions == (NodeDeletion("node-1", "node-uid", "7"),)
        assert reasons(made) == [EVENT_DELETING_NODE]

    @pytest.mark.parametrize("seen", [None, seen_missing(0, snapshots=1), seen_missing(59)])
    def test_deletes_nothing_for_a_recorded_time_that_this_process_has_not_seen_pass(
        self, seen: SeenAbsence | None
    ) -> None:
        survey = surveyed(1, of=10)
        made = plan(self.facts(missing_for=9999, survey=survey, seen=seen))
        assert made.actions == ()

    def test_keeps_a_node_that_is_ready_when_it_is_read_again(self) -> None:
        survey = surveyed(1, of=10)
        facts = self.facts(missing_for=60, survey=survey)
        now_ready = make_initialised_node(ready=True)
        assert (
            plan(
                make_facts(
                    facts.cached,
                    self.MATCH,
                    node=now_ready,
                    seen=facts.seen,
                    survey=survey,
                )
            ).actions
            == ()
        )

    def test_keeps_its_node_where_many_are_missing_until_it_is_annotated(self) -> None:
        survey = surveyed(3, of=10)
        made = plan(self.facts(missing_for=60, survey=survey))
        assert made.actions == ()
        assert reasons(made) == [EVENT_DELETION_HELD]
        assert "3 of 10" in made.events[0].message
        confirmed = make_initialised_node(
            ready=False, annotations={ANNOTATION_CONFIRM_DELETION: "true"}
        )
        [deletion] = plan(self.facts(missing_for=60, survey=survey, node=confirmed)).actions
        assert isinstance(deletion, NodeDeletion)

    @pytest.mark.parametrize("annotations", [{}, {ANNOTATION_CONFIRM_DELETION: "true"}])
    def test_keeps_its_node_if_cloudstack_has_it_by_id_also_if_a_person_confirmed(
        self, annotations: dict[str, str]
    ) -> None:
        node = make_initialised_node(ready=False, annotations=annotations)
        known = surveyed(1, of=10)
        made = plan(self.facts(missing_for=60, survey=known, node=node, is_gone=False))
        assert made.actions == ()
        assert reasons(made) == [EVENT_DELETION_HELD]
        assert made.events[0].message.endswith("CloudStack still knows its VM by id")

    def test_does_not_delete_what_is_being_deleted(self) -> None:
        survey = surveyed(1, of=10)
        node = make_initialised_node(
            ready=False, metadata={"deletionTimestamp": "2026-11-22T00:00:00Z"}
        )
        assert plan(self.facts(missing_for=60, survey=survey, node=node)).actions == ()

    def test_that_comes_back_is_no_longer_recorded_as_missing(self) -> None:
        facts = self.facts(missing_for=60)
        made = plan(make_facts(facts.cached, Found(make_vm()), instance=facts.instance))
        [instance] = attachments(made)
        assert "missing" not in instance["observed"]
        assert instance["observed"]["state"] == "Running"

    @pytest.mark.parametrize(
        "missing",
        [{}, {"since": "x", "snapshots": 9, "lastSnapshot": "y"}, {"since": None}, "text"],
    )
    def test_a_malformed_record_counts_as_none(self, missing: object) -> None:
        instance = {**INSTANCE, "observed": {"missing": missing}}
        made = plan(make_facts(make_initialised_node(ready=False), self.MATCH, instance=instance))
        assert attachments(made)[0]["observed"]["missing"]["snapshots"] == 1


def test_two_nics_and_the_default_one_first_reach_the_instance_in_cloudstacks_order() -> None:
    vm = make_vm(nics=(make_nic("10.1.2.5", default=False), make_nic(ip6="2001:db8::5")))
    [instance] = attachments(plan(make_facts(make_node(), Found(vm))))
    assert instance["observed"]["networks"] == [
        {"id": "net", "default": False, "addresses": ["10.1.2.5"]},
        {"id": "net", "default": True, "addresses": ["10.1.1.190", "2001:db8::5"]},
    ]
