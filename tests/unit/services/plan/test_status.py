import pytest

from hooks.http.bounded_json import Json
from hooks.kube.conditions import Condition
from hooks.services.plan import status
from hooks.services.plan.spec import wanted_spec
from tests.unit.services.objects import (
    CONDITION,
    EARLIER,
    facts,
    load_balancer,
    ours,
    own_condition,
    port,
    ready,
    service,
    serving,
)

LATER = "2026-03-01T10:00:00Z"
PROXY_RULES = [
    {"name": "a", "protocol": "tcp-proxy"},
    {"name": "b", "protocol": "tcp"},
]
FAILED = ready("False", "QuotaExceeded", "associateIpAddress: limit of 5 public IPs (5 in use)")


def verdict_on(observed: Json, balancer: Json | None) -> Condition:
    """Judge a Service's load balancer."""
    known = facts(observed, balancer)
    return status.ready_condition(known, wanted_spec(known))


def status_of(observed: Json, balancer: Json | None) -> Json:
    """Write a Service's status."""
    known = facts(observed, balancer)
    spec = wanted_spec(known)
    ready = status.ready_condition(known, spec)
    return status.service_status(known, ready, status.published_address(known, spec))


@pytest.mark.parametrize(
    ("balancer", "verdict"),
    [
        pytest.param(None, ("Unknown", "Pending", "The load balancer is being created"), id="none"),
        pytest.param(
            load_balancer(status=serving(), deletionTimestamp=EARLIER),
            ("Unknown", "Pending", "The load balancer is being created"),
            id="going, to be made again",
        ),
        pytest.param(
            load_balancer(),
            (
                "Unknown",
                "Reconciling",
                "The load balancer is being changed to what the Service asks",
            ),
            id="has not answered",
        ),
        pytest.param(
            load_balancer(status=serving(), generation=2),
            (
                "Unknown",
                "Reconciling",
                "The load balancer is being changed to what the Service asks",
            ),
            id="has not answered the last change",
        ),
        pytest.param(
            load_balancer(status={"observedGeneration": 1}),
            ("Unknown", "Pending", "The load balancer has not been checked yet"),
            id="without conditions",
        ),
        pytest.param(
            load_balancer(status=serving()),
            ("True", "Ready", "203.0.113.7: rules 1/1, members 2/2"),
            id="serves",
        ),
        pytest.param(
            load_balancer(status=serving(conditions=[FAILED])),
            ("False", "QuotaExceeded", FAILED["message"]),
            id="refused by CloudStack",
        ),
        pytest.param(
            load_balancer(
                status=serving(
                    conditions=[ready("False", "WaitingForMembers", "no member yet")],
                    members={"assigned": 0, "wanted": 0},
                )
            ),
            ("False", "NoAvailableNodes", "no member yet"),
            id="no node to send to",
        ),
        pytest.param(
            load_balancer(
                status=serving(
                    conditions=[ready("False", "NoReadyEndpoints", "no endpoint yet")],
                    members=None,
                )
            ),
            ("False", "NoReadyEndpoints", "no endpoint yet"),
            id="no endpoint to send to",
        ),
    ],
)
def test_the_condition_says_what_the_load_balancer_does(
    balancer: Json | None, verdict: tuple[str, str, str]
) -> None:
    found = verdict_on(service(), balancer)
    assert found.type == CONDITION
    assert (found.status, found.reason, found.message) == verdict


def test_the_condition_names_every_field_that_cannot_be_served() -> None:
    observed = service({"mode": "dry", "keep-ip": "x"})
    found = verdict_on(observed, load_balancer(status=serving()))
    prefix = 'metadata.annotations["service.beta.kubernetes.io/cloudstack-load-balancer-'
    assert (found.status, found.reason) == ("False", "InvalidService")
    assert found.message == (
        f'{prefix}keep-ip"]: \'x\' is not a boolean; write "true" or "false"; '
        f"{prefix}mode\"]: 'dry' is not known; write apply or plan"
    )


def test_the_condition_counts_the_fields_beyond_what_people_read() -> None:
    observed = service(ports=[port(number, None) for number in range(1, 12)])
    message = verdict_on(observed, load_balancer(status=serving())).message
    assert message.count(".nodePort: ") == 8
    assert message.endswith("; and 3 more, see the CloudStackLoadBalancer")


@pytest.mark.parametrize(
    ("observed", "answered", "ingress"),
    [
        pytest.param(service(), serving(), [{"ip": "203.0.113.7", "ipMode": "VIP"}], id="address"),
        pytest.param(
            service({"proxy-protocol": "true"}),
            serving(rules=PROXY_RULES),
            [{"ip": "203.0.113.7", "ipMode": "Proxy"}],
            id="PROXY protocol on a rule",
        ),
        pytest.param(
            service({"proxy-protocol": "true"}),
            serving(),
            [{"ip": "203.0.113.7", "ipMode": "VIP"}],
            id="PROXY protocol asked for and not on yet",
        ),
        pytest.param(
            service({"proxy-protocol": "true"}),
            serving(rules=[]),
            [{"ip": "203.0.113.7", "ipMode": "Proxy"}],
            id="PROXY protocol and no rules known",
        ),
        pytest.param(
            service({"certificate": "web-tls"}),
            serving(rules=[{**each, "protocol": "ssl"} for each in PROXY_RULES]),
            [{"ip": "203.0.113.7", "ipMode": "Proxy"}],
            id="TLS on a rule",
        ),
        pytest.param(
            service({"certificate": "web-tls"}),
            serving(rules=[]),
            [{"ip": "203.0.113.7", "ipMode": "Proxy"}],
            id="TLS and no rules known",
        ),
        pytest.param(
            service({"hostname": "lb.example.com", "proxy-protocol": "true"}),
            serving(rules=PROXY_RULES),
            [{"hostname": "lb.example.com"}],
            id="hostname",
        ),
        pytest.param(
            service(
                {"proxy-protocol": "true"},
                status={"loadBalancer": {"ingress": [{"ip": "203.0.113.7"}]}},
            ),
            serving(rules=PROXY_RULES),
            [{"ip": "203.0.113.7"}],
            id="an API server that drops ipMode",
        ),
        pytest.param(
            service(status={"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}}),
            serving(),
            [{"ip": "203.0.113.7", "ipMode": "VIP"}],
            id="another address without ipMode",
        ),
    ],
)
def test_the_service_shows_what_the_load_balancer_publishes(
    observed: Json, answered: Json, ingress: list[Json]
) -> None:
    shown = status_of(observed, load_balancer(status=answered))
    assert shown["loadBalancer"] == {"ingress": ingress}


@pytest.mark.parametrize(
    "balancer",
    [
        pytest.param(None, id="no load balancer"),
        pytest.param(load_balancer(), id="one that has not answered"),
        pytest.param(
            load_balancer(status=serving(address={"ip": "203.0.113.9", "published": False})),
            id="one whose address is not to be shown yet",
        ),
        pytest.param(load_balancer(status=serving(address={"published": True})), id="no address"),
    ],
)
def test_what_the_service_shows_stays_until_there_is_another_address(balancer: Json | None) -> None:
    published = {"ingress": [{"ip": "203.0.113.7", "ports": [{"port": 80, "protocol": "TCP"}]}]}
    observed = service(status={"loadBalancer": published})
    assert status_of(observed, balancer)["loadBalancer"] == published


@pytest.mark.parametrize(
    ("shown", "published", "expected"),
    [
        pytest.param(["203.0.113.6"], True, ["203.0.113.7", "203.0.113.6"], id="the old one"),
        pytest.param(
            ["203.0.113.7", "203.0.113.6"], True, ["203.0.113.7", "203.0.113.6"], id="both"
        ),
        pytest.param(["203.0.113.7", "203.0.113.6"], False, ["203.0.113.7"], id="withdrawn"),
        pytest.param([], True, ["203.0.113.7"], id="none: a status makes nothing shown"),
        pytest.param(["203.0.113.5"], True, ["203.0.113.7"], id="neither"),
    ],
)
@pytest.mark.parametrize("mode", [{"ipMode": "VIP"}, {}], ids=["ipMode", "no ipMode"])
def test_a_former_address_is_shown_after_the_new_one_where_it_was_shown(
    shown: list[str], expected: list[str], mode: Json, *, published: bool
) -> None:
    former = {"ip": "203.0.113.6", "id": "ip-0", "published": published}
    balancer = load_balancer(status=serving(addressChange={"to": "203.0.113.7", "former": former}))
    ingress = [{"ip": each, **mode} for each in shown]
    observed = service(status={"loadBalancer": {"ingress": ingress}})
    written = status_of(observed, balancer)["loadBalancer"]["ingress"]
    assert [each["ip"] for each in written] == expected
    if shown == expected:
        assert written == ingress, "an API server that drops ipMode is asked for nothing"


@pytest.mark.parametrize(
    ("observed", "ingress", "expected"),
    [
        pytest.param(service(), [{"ip": "203.0.113.7", "ipMode": "VIP"}], {}, id="shown"),
        pytest.param(
            service({"hostname": "shop.example.com"}),
            [{"hostname": "shop.example.com"}],
            {},
            id="shown by a hostname",
        ),
        pytest.param(
            service(),
            [{"ip": "203.0.113.8"}, {"hostname": "shop.example.com"}],
            {"ingress": [{"ip": "203.0.113.8"}, {"hostname": "shop.example.com"}]},
            id="others are shown",
        ),
    ],
)
def test_an_address_that_is_somebody_elses_goes_from_the_status(
    observed: Json, ingress: list[Json], expected: Json
) -> None:
    hidden = {"ip": "203.0.113.9", "published": False}
    balancer = load_balancer(status=serving(address=hidden, withdrawnAddress="203.0.113.7"))
    shown = {**observed, "status": {"loadBalancer": {"ingress": ingress}}}
    written = status_of(shown, balancer)
    assert written["loadBalancer"] == expected
    assert status_of({**shown, "status": written}, balancer)["loadBalancer"] == expected


@pytest.mark.parametrize(
    "balancer",
    [
        pytest.param(
            load_balancer(status=serving(address={"ip": "203.0.113.7"})), id="does not say so yet"
        ),
        pytest.param(
            load_balancer(status=serving(), deletionTimestamp=EARLIER), id="is being deleted"
        ),
    ],
)
@pytest.mark.parametrize("notes", [{}, {"hostname": "lb.example.com"}])
def test_a_service_without_an_address_shows_none_while_its_load_balancer(
    balancer: Json, notes: dict[str, str]
) -> None:
    assert status_of(service(notes), balancer)["loadBalancer"] == {}


def test_everything_else_in_the_status_is_kept_in_its_place() -> None:
    before: Json = {"type": "example.com/First", "status": "True"}
    behind: Json = {"type": "example.com/Last", "status": "False"}
    observed = service(
        status={
            "loadBalancer": {},
            "conditions": [before, own_condition("Unknown", "Pending"), behind],
            "future": {"field": 1},
        }
    )
    shown = status_of(observed, load_balancer(status=serving()))
    assert shown["future"] == {"field": 1}
    assert [one["type"] for one in shown["conditions"]] == [
        "example.com/First",
        CONDITION,
        "example.com/Last",
    ]
    assert shown["conditions"][::2] == [before, behind]


@pytest.mark.parametrize(
    ("before", "since"),
    [
        pytest.param(own_condition("Unknown"), LATER, id="another status"),
        pytest.param(own_condition("True", "Other", "other"), EARLIER, id="the same status"),
        pytest.param(None, LATER, id="none before"),
    ],
)
def test_the_time_of_the_condition_moves_only_with_its_status(
    before: Json | None, since: str
) -> None:
    observed = service(status={"loadBalancer": {}, "conditions": [before] if before else []})
    shown = status_of(observed, load_balancer(status=serving()))
    assert shown["conditions"][0]["lastTransitionTime"] == since


def test_a_plan_is_told_beside_what_serves_and_updates_nothing() -> None:
    planned = {**ready("True", "PlanOnly", "5 changes would be made"), "type": "ChangesPlanned"}
    balancer = load_balancer({"mode": "Plan"}, serving(conditions=[ready(), planned]))
    known = facts(
        service({"mode": "plan"}, status=ours(own_condition(message="as before"))), balancer
    )
    verdict = status.ready_condition(known, wanted_spec(known))
    assert verdict.status == "True"
    assert verdict.message == "203.0.113.7: rules 1/1, members 2/2; 5 changes would be made"
    assert list(status.transition_events(known, verdict)) == []


@pytest.mark.parametrize("reason", ["OpenedByOthers", "DeniedByList"])
def test_what_others_admit_or_deny_is_told_beside_what_serves(reason: str) -> None:
    firewall = {**ready("True", reason, "Others admit more"), "type": "FirewallReady"}
    answered = serving(conditions=[ready("True", reason), firewall])
    verdict = verdict_on(service(), load_balancer(status=answered))
    assert (verdict.status, verdict.reason) == ("True", reason)
    assert verdict.message == "203.0.113.7: rules 1/1, members 2/2; Others admit more"


@pytest.mark.parametrize(
    ("wanted", "missing"),
    [
        pytest.param(5, "not on the members' network: n3, n4, n5", id="no members"),
        pytest.param(2, "with a stopped VM: n2", id="stopped"),
    ],
)
def test_the_condition_says_which_members_are_missing(wanted: int, missing: str) -> None:
    answered = serving(
        members={"assigned": 2, "wanted": wanted, "missing": [missing]},
        memberSummary=f"2/{wanted}",
    )
    assert verdict_on(service(), load_balancer(status=answered)).message == (
        f"203.0.113.7: rules 1/1, members 2/{wanted}; {missing}"
    )
