"""A fight over what a Service shows ends after a few rounds, and is told."""

from collections.abc import Callable

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.services.hook import ServicesHook
from tests.hooks import dependencies
from tests.memory_kube import MemoryKube
from tests.unit.services.objects import (
    CONDITION,
    NAME,
    NOW,
    load_balancer,
    ours,
    own_condition,
    request,
    service,
    serving,
)

OURS = {"ingress": [{"ip": "203.0.113.7", "ipMode": "VIP"}]}
THEIRS = {"ingress": [{"ip": "192.0.2.200", "ipMode": "VIP"}]}
KEY = f'k:{{"type":"{CONDITION}"}}'
ITS_KEY = 'k:{"type":"cilium.io/IPAMRequestSatisfied"}'
ITS_OWN: Json = {"type": "cilium.io/IPAMRequestSatisfied", "status": "False"}
PATH = (
    "/apis/cloudstack.targetcluster.example.com/v1alpha1"
    f"/namespaces/default/cloudstackloadbalancers/{NAME}"
)
#: Each write of a condition that was gone tells that the Service serves again.
TOLD = ["EnsuredLoadBalancer"] * 3 + ["LoadBalancerContested"]
SERVES = own_condition(message="203.0.113.7: rules 1/1, members 2/2")


class Cluster:
    """One Service, as Metacontroller shows it and writes it."""

    def __init__(self) -> None:
        self.monotonic = 0.0
        self.version = 1
        self.status: Json = ours(SERVES, ip="203.0.113.7")
        self.writer = ""
        self.theirs: Json = {}
        self.own_time = "2026-03-01T10:00:00Z"
        self.kind, self.deleted = "LoadBalancer", ""
        self.members = 2
        self.is_held = True
        self.answer: Json = {}
        self.kube = MemoryKube()
        self.hook = self.restarted()

    def restarted(self) -> ServicesHook:
        return ServicesHook(
            dependencies(
                self.kube,
                record=self.kube.record,
                clock=lambda: NOW,
                monotonic=lambda: self.monotonic,
            )
        )

    def observed(self) -> Json:
        other = {
            "manager": self.writer,
            "operation": "Update",
            "subresource": "status",
            "time": "2026-03-01T10:00:00Z",
            "fieldsV1": {"f:status": self.theirs},
        }
        ours: Json = {"f:loadBalancer": {"f:ingress": {}}}
        if self.condition():
            ours["f:conditions"] = {KEY: {"f:type": {}, "f:status": {}}}
        us = {
            "manager": "metacontroller",
            "time": self.own_time,
            "fieldsV1": {"f:status": ours},
        }
        fields = [us, *([other] if self.writer else [])]
        metadata: Json = {"resourceVersion": str(self.version), "managedFields": fields}
        if self.deleted:
            metadata["deletionTimestamp"] = self.deleted
        return service(metadata=metadata, status=self.status, type=self.kind)

    def sync(self) -> bool:
        """Call the hook, and write what it answers; tell whether that changed anything."""
        answered = self.answer or serving(memberSummary=f"{self.members}/{self.members}")
        balancer = load_balancer(status=answered) if self.is_held else None
        answer = self.hook.sync(request(self.observed(), balancer), Deadline(8))
        status = dict(answer.response)["status"]
        assert isinstance(status, dict)
        if status == self.status:
            return False
        has_new_address = status["loadBalancer"] != self.status["loadBalancer"]
        if has_new_address if "f:loadBalancer" in self.theirs else self.writer == "rival":
            self.writer = ""
        self.status = status
        self.version += 1
        return True

    def replace(self, shown: Json = THEIRS, writer: str = "metallb-controller") -> None:
        """Replace the address as another controller does."""
        self.status = {**self.status, "loadBalancer": shown}
        self.writer, self.theirs = writer, {"f:loadBalancer": {"f:ingress": {}}}
        self.version += 1

    def replace_conditions(self) -> None:
        """Replace the conditions as a controller does that knows only its own."""
        self.status = {**self.status, "conditions": [ITS_OWN]}
        self.writer, self.theirs = "cilium-operator", {"f:conditions": {ITS_KEY: {"f:type": {}}}}
        self.version += 1

    def change_condition(self) -> None:
        """Change our condition as a controller does that means to know better."""
        self.status = {**self.status, "conditions": [{**self.condition(), "status": "False"}]}
        self.writer, self.theirs = "rival", {"f:conditions": {KEY: {"f:status": {}}}}
        self.version += 1

    def condition(self) -> Json:
        found = [each for each in self.status.get("conditions", []) if each["type"] == CONDITION]
        return dict(found[0]) if found else {}


def fight(cluster: Cluster, rounds: int = 50, shown: Json = THEIRS) -> int:
    """Let both write in turns; return how often we did."""
    writes = 0
    for _ in range(rounds):
        cluster.replace(shown)
        writes += cluster.sync()
        cluster.sync()  # shows what was written
    return writes


def test_another_writer_of_the_address_is_left_alone_after_three_rounds_and_named() -> None:
    cluster = Cluster()
    assert fight(cluster) == 4
    assert cluster.status["loadBalancer"] == THEIRS
    condition = cluster.condition()
    assert (condition["status"], condition["reason"]) == ("False", "Contested")
    assert condition["message"].startswith(
        "metallb-controller replaces 203.0.113.7 in this Service's status again and again, "
        "now by 192.0.2.200"
    )
    assert cluster.kube.reasons() == ["LoadBalancerContested"]
    assert cluster.kube.events[0].type == "Warning"


def test_a_writer_that_removes_the_address_is_noticed_too() -> None:
    cluster = Cluster()
    cluster.sync()
    assert fight(cluster, shown={}) == 4
    assert "now by nothing" in cluster.condition()["message"]


def test_a_writer_that_removes_our_condition_too_ends_no_peace() -> None:
    cluster = Cluster()
    fight(cluster)
    cluster.status = {"loadBalancer": THEIRS}
    cluster.version += 1
    assert not cluster.sync()
    assert cluster.kube.reasons() == ["LoadBalancerContested"]


def test_another_process_keeps_the_peace() -> None:
    cluster = Cluster()
    fight(cluster)
    cluster.hook = cluster.restarted()
    assert not cluster.sync()


def test_after_an_hour_the_address_is_ours_again_if_nobody_fights() -> None:
    cluster = Cluster()
    fight(cluster)
    cluster.monotonic += 3601
    assert cluster.sync()
    assert cluster.status["loadBalancer"] == OURS
    assert cluster.condition()["status"] == "True"


def test_whoever_removes_the_other_address_by_hand_ends_the_fight() -> None:
    cluster = Cluster()
    fight(cluster)
    cluster.replace({}, writer="")
    assert cluster.sync()
    assert cluster.status["loadBalancer"] == OURS


def test_a_replacement_now_and_then_is_repaired() -> None:
    cluster = Cluster()
    for _ in range(10):
        cluster.monotonic += 400
        cluster.replace()
        assert cluster.sync()
        assert cluster.status["loadBalancer"] == OURS
        cluster.sync()
    assert cluster.kube.reasons() == []


def test_an_answer_that_could_not_be_written_is_no_fight() -> None:
    cluster = Cluster()
    cluster.replace()
    body = request(cluster.observed(), load_balancer(status=serving()))
    for version in range(20):
        body["object"]["metadata"]["resourceVersion"] = f"conflict-{version}"
        answer = cluster.hook.sync(body, Deadline(8))
        response: Json = dict(answer.response)
        assert response["status"]["loadBalancer"] == OURS


def fight_over_the_condition(cluster: Cluster, replacing: Callable[[], None]) -> int:
    """Let both write in turns; return how often we did."""
    writes = 0
    for _ in range(50):
        replacing()
        writes += cluster.sync()
        cluster.sync()  # shows what was written
    return writes


def test_a_writer_that_removes_our_condition_is_left_alone_after_three_rounds_and_named() -> None:
    cluster = Cluster()
    assert fight_over_the_condition(cluster, cluster.replace_conditions) == 4
    assert cluster.status == {"loadBalancer": OURS, "conditions": [ITS_OWN]}
    assert cluster.kube.reasons() == TOLD
    assert cluster.kube.events[-1].message.startswith(
        "Another controller, most likely cilium-operator, replaces the conditions of this "
        f"Service's status again and again, also {CONDITION}"
    )
    cluster.monotonic += 3601
    assert cluster.sync()
    assert cluster.condition()["status"] == "True"


def test_a_writer_that_changes_our_condition_is_left_alone_after_three_rounds_and_named() -> None:
    cluster = Cluster()
    assert fight_over_the_condition(cluster, cluster.change_condition) == 4
    assert cluster.kube.reasons() == TOLD
    assert "Another controller, rival, replaces" in cluster.kube.events[-1].message


def test_a_writer_so_quick_that_our_condition_never_shows_is_noticed_too() -> None:
    cluster = Cluster()
    cluster.sync()
    writes = 0
    for second in range(50):
        cluster.replace_conditions()
        writes += cluster.sync()
        cluster.own_time = f"2026-03-01T10:00:{second + 1:02}Z"
    assert writes == 4
    assert cluster.kube.reasons() == TOLD


def test_a_condition_that_changes_with_what_it_says_is_no_fight() -> None:
    cluster = Cluster()
    cluster.replace()
    for members in range(20):
        cluster.members = members
        assert cluster.sync()
        assert not cluster.sync()
    assert cluster.kube.reasons() == ["UpdatedLoadBalancer"] * 20


def test_a_service_that_is_ours_again_and_again_is_no_fight() -> None:
    cluster = Cluster()
    cluster.status = {"loadBalancer": {}}
    for _ in range(10):
        cluster.is_held = True
        cluster.kind = "LoadBalancer"
        cluster.answer = {"observedGeneration": 1}
        assert cluster.sync()
        assert not cluster.sync()
        cluster.kind = "ClusterIP"
        assert cluster.sync()
        cluster.is_held = False
        assert cluster.sync()
        assert not cluster.condition()
    assert "LoadBalancerContested" not in cluster.kube.reasons()


def test_a_fight_over_a_deleted_service_does_not_keep_its_load_balancer() -> None:
    cluster = Cluster()
    cluster.deleted = "2026-03-01T10:00:00Z"
    cluster.kube.objects[PATH] = load_balancer(finalizers=["example.com/kept"])
    assert fight_over_the_condition(cluster, cluster.replace_conditions) == 4
    assert cluster.kube.reasons().count("LoadBalancerContested") == 1
    assert {verb for verb, *_ in cluster.kube.writes} == {"delete"}
