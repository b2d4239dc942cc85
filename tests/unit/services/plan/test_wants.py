import pytest

from hooks.http.bounded_json import Json
from hooks.services.plan.facts import Settings
from hooks.services.plan.plan import plan
from tests.unit.services.objects import facts, load_balancer, ours, service

SETTINGS = Settings()
NO_DEFAULT = Settings(default_class=False)


@pytest.mark.parametrize(
    ("observed", "balancer", "settings", "wanted"),
    [
        pytest.param(service(), None, SETTINGS, True, id="no class"),
        pytest.param(service(type="ClusterIP"), None, SETTINGS, False, id="ClusterIP"),
        pytest.param(service(type="ClusterIP"), load_balancer(), SETTINGS, False, id="no longer"),
        pytest.param(
            service(loadBalancerClass="cloudstack.targetcluster.example.com/loadbalancer"),
            None,
            NO_DEFAULT,
            True,
            id="our class",
        ),
        pytest.param(
            service(loadBalancerClass="example.com/other"), None, SETTINGS, False, id="other class"
        ),
        pytest.param(
            service(loadBalancerClass="example.com/other"),
            load_balancer(),
            SETTINGS,
            False,
            id="other class now",
        ),
        pytest.param(service(), None, NO_DEFAULT, False, id="no class, not the default"),
        pytest.param(
            service(), load_balancer(), NO_DEFAULT, True, id="has one, no longer the default"
        ),
        pytest.param(
            service(status=ours()), None, NO_DEFAULT, True, id="had one, no longer the default"
        ),
        pytest.param(service({"disabled": "true"}), None, SETTINGS, False, id="opted out"),
        pytest.param(
            service({"disabled": "True"}), load_balancer(), SETTINGS, False, id="opted out now"
        ),
        pytest.param(service({"disabled": "false"}), None, SETTINGS, True, id="opted in"),
        pytest.param(
            service({"disabled": "maybe"}), load_balancer(), SETTINGS, True, id="opt-out unclear"
        ),
    ],
)
def test_a_service_wants_a_load_balancer_from_us(
    observed: Json, balancer: Json | None, settings: Settings, wanted: bool
) -> None:
    assert bool(plan(facts(observed, balancer), settings).response.get("attachments")) is wanted
