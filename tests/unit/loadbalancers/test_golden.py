"""Checks the plan against whole requests and answers; a case needs no Python.

A case is a folder: `request.json` as Metacontroller posts it, `facts.json` with what CloudStack
lists, in its own words, and `plan.json`: the response, what is done, what is told.
"""

import json
from pathlib import Path

import pytest

from hooks.cloudstack.models.account import Capabilities
from hooks.cloudstack.models.firewall import FirewallRule, NetworkAcl
from hooks.cloudstack.models.loadbalancing import (
    InternalLoadBalancer,
    LoadBalancerRule,
    RulePolicies,
)
from hooks.cloudstack.models.network import Network, PublicIpAddress
from hooks.http.bounded_json import Json
from hooks.loadbalancers.plan.certificate_facts import AskedCertificate, KnownCertificate
from hooks.loadbalancers.plan.facts import CloudState, Facts, LiveService
from hooks.loadbalancers.plan.plan import plan
from hooks.loadbalancers.request import LoadBalancerRequest, read
from tests.integration.loadbalancers.driver import SPEC, STATUS
from tests.unit.loadbalancers.builders import LIVE

CASES = sorted((Path(__file__).parents[2] / "golden" / "loadbalancers").iterdir())
NOW = 1_800_000_000.0


def load(case: Path, name: str) -> Json:
    return dict(json.loads((case / f"{name}.json").read_text()))


def facts_of(request: LoadBalancerRequest, existing: Json) -> Facts:
    """Read what CloudStack lists."""
    return Facts(
        request=request,
        now=NOW,
        cluster_id="b0b6fc1c-0d1f-4d5c-8a4e-3c7b1f0e9d21",
        drift_resync=300.0,
        version=Capabilities.from_json(existing["capability"]),
        network=Network.from_json(existing["network"]) if existing.get("network") else None,
        state=CloudState(
            addresses=tuple(map(PublicIpAddress.from_json, existing.get("publicipaddress", []))),
            free=tuple(existing.get("free", [])),
            rules=(
                *map(LoadBalancerRule.from_json, existing.get("loadbalancerrule", [])),
                *map(InternalLoadBalancer.from_json, existing.get("loadbalancer", [])),
            ),
            members={
                rule: dict.fromkeys(vms, "") for rule, vms in existing.get("members", {}).items()
            },
            policies={
                each["lbruleid"]: RulePolicies.from_json(each).policies
                for each in existing.get("stickinesspolicies", [])
            },
            certificates=tuple(
                KnownCertificate(**{**each, "rules": frozenset(each["rules"])})
                for each in existing.get("certificates", [])
            ),
            firewall=tuple(map(FirewallRule.from_json, existing.get("firewallrule", []))),
            acl=tuple(map(NetworkAcl.from_json, existing.get("networkacl", []))),
        ),
        certificate=AskedCertificate(**existing.get("secret", {})),
        service=service_of(existing["service"]) if "service" in existing else LIVE,
    )


def service_of(existing: Json) -> LiveService:
    """Read what a deletion has read of the Service."""
    return LiveService(
        still_wants=existing["stillWants"],
        resource_version=existing.get("resourceVersion", ""),
        finalizers=tuple(existing.get("finalizers", [])),
    )


def planned(case: Path) -> Json:
    made = plan(facts_of(read(load(case, "request")), load(case, "facts")))
    return {
        "response": made.response,
        "actions": [str(action) for action in made.actions],
        "events": [
            {"type": each.type, "reason": each.reason, "message": each.message}
            for each in made.events
        ],
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_whole_request_has_its_plan(case: Path) -> None:
    assert planned(case) == load(case, "plan")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_a_case_holds_is_what_an_api_server_would_keep(case: Path) -> None:
    parent = load(case, "request")["parent"]
    assert SPEC.problems(parent["spec"]) == []
    assert STATUS.problems(parent.get("status") or {}) == []
    assert STATUS.problems(load(case, "plan")["response"]["status"]) == []
