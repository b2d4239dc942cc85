import pytest

from hooks.http.bounded_json import Json
from hooks.names import TAINT_SHUTDOWN
from hooks.nodes.plan.actions import SpecPatch
from hooks.nodes.plan.match import Found
from hooks.nodes.plan.plan import plan_node
from tests.unit.nodes.objects import VM_ID, make_facts, make_initialised_node, make_vm

PROVIDER_ID = f"external-cloudstack://{VM_ID}"
SHUTDOWN: Json = {"key": TAINT_SHUTDOWN, "effect": "NoSchedule"}
OTHER: Json = {"key": "example.com/dedicated", "value": "gpu", "effect": "NoExecute"}


class TestAStoppedVM:
    STOPPED = Found(make_vm(state="Stopped"))

    def node(self, *taints: Json, ready: bool | None = False, **spec: str) -> Json:
        return make_initialised_node(
            ready=ready, spec={"providerID": PROVIDER_ID, "taints": list(taints), **spec}
        )

    @pytest.mark.parametrize("ready", [False, None])
    def test_taints_a_node_that_is_not_ready(self, ready: bool | None) -> None:
        [patch] = plan_node(make_facts(self.node(OTHER, ready=ready), self.STOPPED)).actions
        assert isinstance(patch, SpecPatch)
        assert [dict(taint) for taint in patch.taints] == [OTHER, SHUTDOWN]

    def test_does_not_taint_a_ready_node(self) -> None:
        assert plan_node(make_facts(self.node(ready=True), self.STOPPED)).actions == ()

    def test_does_not_taint_twice(self) -> None:
        assert plan_node(make_facts(self.node(SHUTDOWN), self.STOPPED)).actions == ()

    @pytest.mark.parametrize("state", ["Running", "Starting", "Stopping", "Migrating"])
    def test_no_other_state_taints(self, state: str) -> None:
        assert plan_node(make_facts(self.node(), Found(make_vm(state=state)))).actions == ()

    @pytest.mark.parametrize("state", ["Stopped", "Starting", "Stopping"])
    def test_the_taint_stays_until_the_vm_runs(self, state: str) -> None:
        match = Found(make_vm(state=state))
        assert plan_node(make_facts(self.node(SHUTDOWN), match)).actions == ()

    def test_the_taint_goes_when_the_vm_runs_for_the_network_may_wait_for_that(self) -> None:
        [patch] = plan_node(make_facts(self.node(SHUTDOWN, OTHER), Found(make_vm()))).actions
        assert isinstance(patch, SpecPatch)
        assert [dict(taint) for taint in patch.taints] == [OTHER]

    def test_the_taint_goes_when_the_node_is_ready(self) -> None:
        [patch] = plan_node(make_facts(self.node(SHUTDOWN, OTHER, ready=True))).actions
        assert isinstance(patch, SpecPatch)
        assert [dict(taint) for taint in patch.taints] == [OTHER]

    def test_a_node_without_our_provider_id_is_not_tainted(self) -> None:
        node = self.node(providerID="")
        assert plan_node(make_facts(node, self.STOPPED)).actions == ()

    def test_a_node_that_is_not_ready_is_looked_at_again_soon(self) -> None:
        assert plan_node(make_facts(self.node())).response["resyncAfterSeconds"] == 15
