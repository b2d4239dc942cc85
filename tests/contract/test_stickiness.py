"""Stickiness policies: one on a rule, by a method that the load balancer knows."""

from typing import Any

import pytest

from tests.contract.cloud import Cloud, Json

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def rule(cloud: Cloud, address: Json) -> Json:
    """A rule without a policy."""
    return dict(
        cloud.done(
            "createLoadBalancerRule",
            name="s-tcp-80",
            algorithm="roundrobin",
            publicport=80,
            privateport=30080,
            publicipid=address["id"],
            openfirewall=False,
        )["loadbalancer"]
    )


def wanted(rule: Json, **fields: object) -> dict[str, Any]:
    """Return the parameters of a policy by source address, with these changes."""
    return {
        "lbruleid": rule["id"],
        "name": "s",
        "methodname": "SourceBased",
        "param[0].name": "tablesize",
        "param[0].value": "200k",
        "param[1].name": "expire",
        "param[1].value": "3h",
        **fields,
    }


def policies(cloud: Cloud, rule: Json) -> list[Json]:
    """Return a rule's policies."""
    found = cloud.list("listLBStickinessPolicies", "stickinesspolicies", lbruleid=rule["id"])
    return [policy for entry in found for policy in entry.get("stickinesspolicy", [])]


def test_the_envelope_of_creating_has_the_commands_own_case(cloud: Cloud, rule: Json) -> None:
    outcome = cloud.call("createLBStickinessPolicy", **wanted(rule))
    assert outcome.envelope == "createLBStickinessPolicy"
    assert set(outcome.body) == {"id", "jobid"}


def test_a_policy_is_listed_with_its_parameters(cloud: Cloud, rule: Json) -> None:
    done = cloud.done("createLBStickinessPolicy", **wanted(rule))["stickinesspolicies"]
    assert done["lbruleid"] == rule["id"]
    [policy] = policies(cloud, rule)
    assert (policy["name"], policy["methodname"]) == ("s", "SourceBased")
    assert policy["params"] == {"tablesize": "200k", "expire": "3h"}


def test_a_policy_stays_when_the_rules_protocol_changes(cloud: Cloud, rule: Json) -> None:
    cloud.done("createLBStickinessPolicy", **wanted(rule))
    cloud.done("updateLoadBalancerRule", id=rule["id"], protocol="tcp-proxy")
    assert len(policies(cloud, rule)) == 1


@pytest.mark.parametrize(
    "fields",
    [{"methodname": "Bogus"}, {"param[0].name": "bogus"}, {"param[0].value": "many"}],
    ids=["method", "parameter", "value"],
)
def test_what_the_load_balancer_does_not_know_is_refused(
    cloud: Cloud, rule: Json, fields: dict[str, str]
) -> None:
    cloud.refused("createLBStickinessPolicy", 431, **wanted(rule, **fields))
    assert policies(cloud, rule) == []


def test_a_second_policy_takes_the_place_of_the_first(cloud: Cloud, rule: Json) -> None:
    cloud.done("createLBStickinessPolicy", **wanted(rule))
    cloud.done("createLBStickinessPolicy", **wanted(rule, name="t"))
    assert [policy["name"] for policy in policies(cloud, rule)] == ["t"]


def test_a_deleted_policy_leaves_the_rule(cloud: Cloud, rule: Json) -> None:
    answer = cloud.ok("createLBStickinessPolicy", **wanted(rule))
    outcome = cloud.call("deleteLBStickinessPolicy", id=answer["id"])
    assert outcome.envelope == "deleteLBstickinessrruleresponse"
    while cloud.ok("queryAsyncJobResult", jobid=outcome.body["jobid"])["jobstatus"] == 0:
        pass
    assert policies(cloud, rule) == []
    cloud.refused("deleteLBStickinessPolicy", 431, id=NOBODY)


def test_policies_of_nothing_are_refused(cloud: Cloud) -> None:
    cloud.refused("listLBStickinessPolicies", 431)
    cloud.refused("listLBStickinessPolicies", 431, lbruleid=NOBODY)
