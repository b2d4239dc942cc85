import pytest

from hooks.http.bounded_json import Json
from hooks.services.plan.plan import plan
from tests.unit.services.objects import facts, load_balancer, ours, service


@pytest.mark.parametrize(
    ("observed", "balancer", "default_class", "wanted"),
    [
        pytest.param(service(), None, True, True, id="no class"),
        pytest.param(service(type="ClusterIP"), None, True, False, id="ClusterIP"),
        pytest.param(service(type="ClusterIP"), load_balancer(), True, False, id="no longer"),
        pytest.param(
            service(loadBalancerClass="cloudstack.targetcluster.example.com/loadbalancer"),
            None,
            False,
            True,
            id="our class",
        ),
        pytest.param(
            service(loadBalancerClass="example.com/other"), None, True, False, id="other class"
        ),
        pytest.param(
            service(loadBalancerClass="example.com/other"),
            load_balancer(),
            True,
            False,
            id="other class now",
        ),
        pytest.param(service(), None, False, False, id="no class, not the default"),
        pytest.param(service(), load_balancer(), False, True, id="has one, no longer the default"),
        pytest.param(
            service(status=ours()), None, False, True, id="had one, no longer the default"
        ),
        pytest.param(service({"disabled": "true"}), None, True, False, id="opted out"),
        pytest.param(
            service({"disabled": "True"}), load_balancer(), True, False, id="opted out now"
        ),
        pytest.param(service({"disabled": "false"}), None, True, True, id="opted in"),
        pytest.param(
            service({"disabled": "maybe"}), load_balancer(), True, True, id="opt-out unclear"
        ),
    ],
)
def test_a_service_wants_a_load_balancer_from_us(
    observed: Json, balancer: Json | None, default_class: bool, wanted: bool
) -> None:
    planned = plan(facts(observed, balancer, default_class=default_class))
    assert bool(planned.response.get("attachments")) is wanted
