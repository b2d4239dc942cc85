import pytest

from hooks.http.bounded_json import Json
from hooks.kube.services import still_wants
from hooks.names import ANNOTATION_DISABLED, LOAD_BALANCER_CLASS


def service(*, metadata: Json | None = None, **spec: object) -> Json:
    return {
        "metadata": {"name": "web", "uid": "u-1", **(metadata or {})},
        "spec": {"type": "LoadBalancer", **spec},
    }


@pytest.mark.parametrize(
    ("existing", "wants"),
    [
        pytest.param(service(), True, id="plain"),
        pytest.param(service(loadBalancerClass=LOAD_BALANCER_CLASS), True, id="our class"),
        pytest.param(service(loadBalancerClass="other/class"), False, id="another class"),
        pytest.param(service(type="ClusterIP"), False, id="another type"),
        pytest.param(service(metadata={"uid": "u-2"}), False, id="a namesake"),
        pytest.param(
            service(metadata={"deletionTimestamp": "2027-01-15T08:00:00Z"}), False, id="going"
        ),
        pytest.param(
            service(metadata={"annotations": {ANNOTATION_DISABLED: "TRUE "}}), False, id="disabled"
        ),
        pytest.param(
            service(metadata={"annotations": {ANNOTATION_DISABLED: "false"}}), True, id="enabled"
        ),
        pytest.param(service(metadata={"annotations": None}), True, id="null annotations"),
        pytest.param({}, False, id="nothing"),
    ],
)
def test_a_service_still_wants_its_load_balancer(existing: Json, wants: bool) -> None:
    assert still_wants(existing, "u-1") is wants
