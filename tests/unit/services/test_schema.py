import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooks.http.bounded_json import Json
from hooks.services.plan.spec import wanted_spec
from tests.schemas import crd, schema_of
from tests.unit.services.objects import OLD_FINALIZER, facts, load_balancer, port, service, serving

CRD = crd("cloudstackloadbalancers")
SCHEMA = schema_of("cloudstackloadbalancers")


def made(**changes: object) -> Json:
    """Make a load balancer as the hook does, with some fields of its spec changed."""
    spec = wanted_spec(facts(service()))
    return load_balancer({**spec, **changes}, serving())


def test_the_crd_takes_what_the_hook_makes() -> None:
    assert SCHEMA.problems(made()) == []


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        pytest.param({"typo": 1}, "$.spec", id="unknown field"),
        pytest.param({"algorithm": "fastest"}, "$.spec.algorithm", id="algorithm"),
        pytest.param({"address": "lb.example.com"}, "$.spec.address", id="address"),
        pytest.param(
            {"ports": [{"publicPort": 80, "protocol": "TCP"}]}, "$.spec.ports[0]", id="half a port"
        ),
        pytest.param(
            {"ports": [{"publicPort": 0, "nodePort": 1, "protocol": "TCP"}]},
            "$.spec.ports[0].publicPort",
            id="port 0",
        ),
        pytest.param({"mode": "plan"}, "$.spec.mode", id="mode"),
        pytest.param({"invalid": [{"field": "x"}]}, "$.spec.invalid[0]", id="no message"),
    ],
)
def test_the_crd_refuses_what_no_load_balancer_can_be(
    changes: dict[str, object], place: str
) -> None:
    assert [problem.split(":")[0] for problem in SCHEMA.problems(made(**changes))] == [place]


def test_every_field_has_a_default_or_is_required() -> None:
    spec = SCHEMA["spec"].schema
    for name, field in spec["properties"].items():
        assert name in spec["required"] or "default" in field, name


def test_every_field_that_people_read_is_described() -> None:
    for part in ("spec", "status"):
        fields = SCHEMA[part].schema["properties"]
        undescribed = [name for name, field in fields.items() if "description" not in field]
        assert undescribed == []


def test_people_see_what_matters() -> None:
    definition = CRD["spec"]
    version = definition["versions"][0]
    shown = [one["name"] for one in version["additionalPrinterColumns"] if not one.get("priority")]
    assert shown == ["Service", "Address", "Rules", "Members", "Ready", "Plan", "Age"]
    assert definition["names"]["shortNames"] == ["cslb"]
    assert definition["names"]["categories"] == ["cloudstack"]
    assert version["subresources"] == {"status": {}}


@pytest.mark.parametrize("count", [205, 256, 257, 1000])
def test_the_crd_takes_many_ports_of_a_former_provider(count: int) -> None:
    ports = [port(1 + n, 30000 + n) for n in range(count)]
    spec = wanted_spec(facts(service(metadata={"finalizers": [OLD_FINALIZER]}, ports=ports)))
    assert len(spec["adopt"]["names"]) == 5 * min(count, 256)
    assert SCHEMA.problems(load_balancer(spec)) == []


@pytest.mark.parametrize("count", [64, 65])
def test_the_crd_takes_the_labels_that_the_hook_takes(count: int) -> None:
    labels = {f"label-{n}": "x" for n in range(count)}
    text = ",".join(f"{key}={value}" for key, value in labels.items())
    spec = wanted_spec(facts(service({"node-selector": text})))
    assert SCHEMA.problems(load_balancer(spec)) == []
    refused = SCHEMA.problems(made(nodeSelector=labels))
    assert bool(refused) == bool(spec["invalid"]) == (count > 64)


_ANNOTATIONS = [
    *("proxy-protocol", "hostname", "source-cidrs", "ip-associated-by-controller", "address"),
    *("keep-ip", "id", "network-id", "disabled", "mode", "node-selector", "algorithm"),
    "shared-address",
]
_WORDS = st.one_of(
    st.text(string.printable, max_size=40),
    st.sampled_from(["true", "false", "plan", "10.0.0.0/8", "203.0.113.7", "a=b", "source"]),
)
_PORTS = st.lists(
    st.builds(
        port,
        st.integers(1, 65535),
        st.one_of(st.none(), st.integers(30000, 32767)),
        name=st.sampled_from(["", "http"]),
        protocol=st.sampled_from(["TCP", "UDP", "SCTP"]),
    ),
    max_size=5,
    unique_by=lambda made: (made["port"], made["protocol"]),
)


@settings(deadline=None)
@given(
    notes=st.dictionaries(st.sampled_from(_ANNOTATIONS), _WORDS, max_size=6),
    ports=_PORTS,
    ranges=st.lists(_WORDS, max_size=3),
    address=_WORDS,
)
def test_the_crd_takes_the_load_balancer_of_any_service(
    notes: dict[str, str], ports: list[Json], ranges: list[str], address: str
) -> None:
    observed = service(notes, ports=ports, loadBalancerSourceRanges=ranges, loadBalancerIP=address)
    made = load_balancer(wanted_spec(facts(observed)))
    assert SCHEMA.problems(made) == []
