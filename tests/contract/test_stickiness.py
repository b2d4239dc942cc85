"""Stickiness policies: one on a rule, by a method that the load balancer knows."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from tests.contract.cloud import Cloud, Json
from tests.contract.conftest import Users

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


def method(name: str, **parameters: str) -> dict[str, str]:
    """Return the fields of a policy by this method, with these parameters alone."""
    fields = {"methodname": name}
    for index, (key, value) in enumerate(parameters.items()):
        fields |= {f"param[{index}].name": key.replace("_", "-"), f"param[{index}].value": value}
    return fields


def policy_by(rule: Json, fields: dict[str, str]) -> dict[str, Any]:
    return {"lbruleid": rule["id"], "name": "s", **fields}


REFUSED = [
    (method("Bogus"), "Failed to match Stickiness method name for LB rule"),
    (method("SourceBased", bogus="1"), "does not support param name :bogus"),
    (method("SourceBased", holdtime="3h"), "does not support param name :holdtime"),
    (method("LbCookie", expire="3h"), "does not support param name :expire"),
    (method("AppCookie", length="abc"), "length is not a number: abc"),
    (method("AppCookie", holdtime="abc"), "holdtime is not in timeformat: abc"),
    *(
        (method("SourceBased", expire=value), f"expire is not in timeformat: {value}")
        for value in ("10800", "10800000ms", "0", "-1", "3 h", "3H", "abc")
    ),
    *(
        (method("SourceBased", tablesize=value), f"tablesize is not in size format: {value}")
        for value in ("1000", "200K", "0", "abc", "1t")
    ),
]


@pytest.mark.parametrize(
    ("fields", "text"), REFUSED, ids=[" ".join(fields.values()) for fields, _ in REFUSED]
)
def test_what_the_load_balancer_does_not_know_is_refused_and_the_policy_stays(
    cloud: Cloud, rule: Json, fields: dict[str, str], text: str
) -> None:
    cloud.done("createLBStickinessPolicy", **wanted(rule))
    assert text in cloud.refused("createLBStickinessPolicy", 431, **policy_by(rule, fields))
    assert len(policies(cloud, rule)) == 1


TAKEN = [
    *(method("SourceBased", expire=value) for value in ("30s", "180m", "3h", "1d")),
    *(method("SourceBased", tablesize=value) for value in ("200k", "1m", "1g")),
    method("SourceBased"),
    method("LbCookie"),
    method("LbCookie", cookie_name="a b", mode="bogus", nocache="false"),
    method("AppCookie", cookie_name="J", length="52", holdtime="3h", prefix="true"),
    method("sourcebased"),
]


@pytest.mark.parametrize("fields", TAKEN, ids=[" ".join(fields.values()) for fields in TAKEN])
def test_what_is_taken_comes_back_as_it_was_given(
    cloud: Cloud, rule: Json, fields: dict[str, str]
) -> None:
    cloud.done("createLBStickinessPolicy", **policy_by(rule, fields))
    [policy] = policies(cloud, rule)
    assert policy["methodname"] == fields["methodname"]
    names = [value for name, value in fields.items() if name.endswith(".name")]
    values = [value for name, value in fields.items() if name.endswith(".value")]
    assert policy["params"] == dict(zip(names, values, strict=True))


def test_an_empty_value_is_a_missing_one(cloud: Cloud, rule: Json) -> None:
    fields = method("SourceBased", expire="")
    cloud.done("createLBStickinessPolicy", **policy_by(rule, fields))
    assert policies(cloud, rule)[0]["params"] == {}


def test_a_second_policy_takes_the_place_of_the_first(cloud: Cloud, rule: Json) -> None:
    first = cloud.ok("createLBStickinessPolicy", **wanted(rule))
    while cloud.ok("queryAsyncJobResult", jobid=first["jobid"])["jobstatus"] == 0:
        pass
    cloud.done("createLBStickinessPolicy", **policy_by(rule, method("LbCookie")))
    assert [policy["methodname"] for policy in policies(cloud, rule)] == ["LbCookie"]
    cloud.refused("listLBStickinessPolicies", 431, id=first["id"])
    text = cloud.refused("deleteLBStickinessPolicy", 431, id=first["id"])
    assert text.startswith("Unable to execute API command deleteLBstickinessrrule due to")


def test_policies_that_are_set_at_once_all_fail(cloud: Cloud, rule: Json, users: Users) -> None:
    def create(_: int) -> Json:
        with closing(Cloud(users.url, users.user, users.poll)) as way:
            return way.job("createLBStickinessPolicy", **wanted(rule))

    with ThreadPoolExecutor(4) as pool:
        jobs = list(pool.map(create, range(4)))
    failed = [job for job in jobs if job["jobstatus"] == 2]
    assert {job["jobresultcode"] for job in failed} <= {530}
    # Those that did not meet: the last of them is the rule's policy.
    assert len(policies(cloud, rule)) <= len(jobs) - len(failed)


def test_an_update_of_a_policy_succeeds_and_changes_nothing(cloud: Cloud, rule: Json) -> None:
    policy = cloud.ok("createLBStickinessPolicy", **wanted(rule))
    changed = {"param[0].name": "expire", "param[0].value": "2h"}
    cloud.done("updateLBStickinessPolicy", id=policy["id"], **changed)
    [found] = policies(cloud, rule)
    assert (found["id"], found["params"]["expire"]) == (policy["id"], "3h")


def test_a_policy_takes_no_tags(cloud: Cloud, rule: Json) -> None:
    policy = cloud.ok("createLBStickinessPolicy", **wanted(rule))
    tagged = {"resourcetype": "LBStickinessPolicy", "resourceids": policy["id"]}
    text = cloud.failed("createTags", 431, **tagged, tags={"a": "b"})
    assert text == "The resource type LBStickinessPolicy doesn't support resource tags"


def test_a_rule_without_a_policy_is_listed_with_none(cloud: Cloud, rule: Json) -> None:
    found = cloud.list("listLBStickinessPolicies", "stickinesspolicies", lbruleid=rule["id"])
    assert [(entry["lbruleid"], entry["stickinesspolicy"]) for entry in found] == [(rule["id"], [])]


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
