import pytest

from hooks.http.bounded_json import Json
from hooks.services.plan.takeover import (
    NOTHING_TO_ADOPT,
    find_adoptable,
    former_rule_names,
    obsolete_annotations,
)
from tests.unit.services.objects import (
    NAME,
    OLD_FINALIZER,
    PREFIX,
    facts,
    load_balancer,
    ours,
    port,
    service,
)

FINALIZED: Json = {"finalizers": [OLD_FINALIZER]}
PUBLISHED: Json = {"loadBalancer": {"ingress": [{"ip": "203.0.113.7"}]}}
HOSTNAME: Json = {"loadBalancer": {"ingress": [{"hostname": "lb.example.com"}]}}
NAMES = [
    f"{NAME}-tcp-80",
    "K8s_svc_kubernetes_default_web-tcp-80",
    f"{NAME}-tcp-proxy-80",
    "K8s_svc_kubernetes_default_web-tcp-proxy-80",
    f"{NAME}-80",
]


def noted(**notes: str) -> Json:
    """Make metadata with notes of the fork's, which were not made by `service`'s prefix."""
    return {"annotations": {PREFIX + key.replace("_", "-"): note for key, note in notes.items()}}


@pytest.mark.parametrize(
    ("observed", "address", "associated"),
    [
        pytest.param(service(status=PUBLISHED), "203.0.113.7", True, id="any address"),
        pytest.param(
            service(status=PUBLISHED, loadBalancerIP="203.0.113.7"),
            "203.0.113.7",
            False,
            id="a brought address",
        ),
        pytest.param(
            service(
                {"ip-associated-by-controller": "true"},
                status=PUBLISHED,
                loadBalancerIP="203.0.113.7",
            ),
            "203.0.113.7",
            True,
            id="asked for, and allocated for it",
        ),
        pytest.param(
            service(status=PUBLISHED, loadBalancerIP="203.0.113.9"),
            "203.0.113.7",
            True,
            id="not the one that is asked for now",
        ),
        pytest.param(
            service(
                metadata=noted(id="ip-1", network_id="net-1", address="203.0.113.7"),
                status=PUBLISHED,
            ),
            "203.0.113.7",
            True,
            id="the fork's",
        ),
        pytest.param(
            service(
                {"hostname": "lb.example.com"} | {"id": "ip-1", "address": "203.0.113.7"},
                status=HOSTNAME,
            ),
            "203.0.113.7",
            True,
            id="the fork's, behind a hostname",
        ),
        pytest.param(service(metadata=FINALIZED), "", False, id="a finalizer and no address"),
        pytest.param(
            service(metadata=FINALIZED, status=HOSTNAME), "", False, id="behind a hostname"
        ),
        pytest.param(
            service(
                metadata=FINALIZED,
                status={"loadBalancer": {"ingress": [{"ip": "2001:db8::1"}]}},
            ),
            "",
            False,
            id="an address that cannot be CloudStack's",
        ),
    ],
)
def test_what_another_provider_left_is_named(
    observed: Json, address: str, associated: bool
) -> None:
    assert find_adoptable(facts(observed), "kubernetes") == {
        "address": address,
        "associatedByController": associated,
        "names": NAMES,
    }


@pytest.mark.parametrize(
    ("observed", "balancer"),
    [
        pytest.param(service(), None, id="new"),
        pytest.param(service({"address": "203.0.113.7"}), None, id="asks for an address"),
        pytest.param(service(status=ours(ip="203.0.113.7")), None, id="was ours"),
        pytest.param(
            service(status=PUBLISHED),
            load_balancer(deletionTimestamp="2026-03-01T09:59:00Z"),
            id="is still ours",
        ),
    ],
)
def test_without_another_provider_nothing_is_taken_over(
    observed: Json, balancer: Json | None
) -> None:
    assert find_adoptable(facts(observed, balancer), "kubernetes") == NOTHING_TO_ADOPT


def test_rules_of_every_port_are_named_as_each_provider_does() -> None:
    observed = service(ports=[port(53, protocol="UDP"), port(53), port(443)])
    found = former_rule_names(observed, "prod")
    assert f"{NAME}-udp-53" in found
    assert "K8s_svc_prod_default_web-udp-53" in found
    assert "K8s_svc_prod_default_web-tcp-443" in found
    assert f"{NAME}-udp-proxy-53" not in found
    assert found.count(f"{NAME}-53") == 1


@pytest.mark.parametrize(
    ("notes", "spent"),
    [
        pytest.param({}, [], id="none"),
        pytest.param({"address": "203.0.113.7", "keep-ip": "true"}, [], id="the user's"),
        pytest.param(
            {"id": "ip-1", "network-id": "net-1", "address": "203.0.113.7"},
            ["id", "network-id", "address"],
            id="the fork's",
        ),
        pytest.param(
            {"ip-associated-by-controller": "true"},
            ["ip-associated-by-controller"],
            id="the existing provider's",
        ),
    ],
)
def test_annotations_of_other_providers_are_distinguished_from_users(
    notes: dict[str, str], spent: list[str]
) -> None:
    assert obsolete_annotations(service(notes)) == [PREFIX + key for key in spent]
