"""Each command function: what it sends, and that it never forgets the project."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from hooks.cloudstack.client import Client
from hooks.cloudstack.commands import account, compute, firewall, loadbalancing, network, tags
from hooks.cloudstack.models.account import ResourceLimit
from hooks.cloudstack.models.firewall import PortRange
from hooks.cloudstack.models.jobs import Job
from hooks.cloudstack.models.loadbalancing import LoadBalancerRuleChange, NewLoadBalancerRule
from hooks.http.deadline import Deadline
from tests.unit.cloudstack.command_rows import ADDRESS, MODULES, PAGE, PROJECT, ROWS, Row, writing
from tests.unit.cloudstack.transports import Script

#: Functions that put other commands together, with tests of their own below.
COMPOSED = {account.address_limit}


def command_functions() -> set[Callable[..., Any]]:
    """Return every public function that takes a client."""
    return {
        function
        for module in MODULES
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if not name.startswith("_") and function.__module__ == module.__name__
    }


def test_every_command_function_has_a_row() -> None:
    assert {row.call for row in ROWS} | COMPOSED == command_functions()
    assert all("client" in inspect.signature(each).parameters for each in command_functions())


def test_every_command_function_is_named_after_its_command() -> None:
    for row in ROWS:
        if row.call is not network.list_free_public_ip_addresses:
            assert row.call.__name__.replace("_", "") == row.command.lower()


@pytest.mark.parametrize("row", [pytest.param(row, id=row.call.__name__) for row in ROWS])
def test_a_command_function_sends_what_its_command_takes_and_nothing_else(row: Row) -> None:
    everything = {"listall": True} if row.all else {}
    assert row.run(project_id="") == {**row.sent, **everything}
    project = {"projectid": PROJECT} if row.in_project else {}
    assert row.run(project_id=PROJECT) == {**row.sent, **project}


def forgetful(*, project_id: str) -> set[str]:
    """Return the commands that take a project and were not told the one we work in."""
    return {
        row.command
        for row in ROWS
        if row.in_project and row.run(project_id=project_id).get("projectid") != PROJECT
    }


def test_no_command_forgets_the_project() -> None:
    assert forgetful(project_id=PROJECT) == set()


def test_a_forgotten_project_would_be_seen_in_every_command_that_takes_one() -> None:
    assert forgetful(project_id="") == {row.command for row in ROWS if row.in_project}
    assert len(forgetful(project_id="")) > 10


def test_a_rule_for_some_sources_is_created_with_them() -> None:
    rule = NewLoadBalancerRule("n", "ip", "net", 80, 30080, cidrs=("10.0.0.0/8",))
    row = writing(loadbalancing.create_load_balancer_rule, (rule,), "createLoadBalancerRule")
    assert row.run(project_id="")["cidrlist"] == ("10.0.0.0/8",)


def test_starting_a_command_returns_its_job() -> None:
    script = Script([{"id": "made", "jobid": "j"}])
    job = network.associate_ip_address(script.client(), deadline=script.deadline(8), network_id="n")
    assert job == Job("associateIpAddress", "j", "made")


@pytest.mark.parametrize(
    ("call", "field_name"),
    [
        pytest.param(
            lambda client, deadline: compute.list_virtual_machines(
                client, deadline=deadline, ids=[]
            ),
            "ids",
            id="a list by no ids would show every machine",
        ),
        pytest.param(
            lambda client, deadline: network.list_public_ip_addresses(
                client, deadline=deadline, id=""
            ),
            "id",
            id="a list by an empty id would show every address",
        ),
        pytest.param(
            lambda client, deadline: loadbalancing.list_load_balancer_rules(
                client, deadline=deadline, tags={}
            ),
            "tags",
            id="a list by no tags would show every rule",
        ),
        pytest.param(
            lambda client, deadline: firewall.create_firewall_rule(
                client, "ip", PortRange("tcp", 80, 80, ()), deadline=deadline
            ),
            "cidr_list",
            id="a firewall rule for no sources would let everyone in",
        ),
        pytest.param(
            lambda client, deadline: loadbalancing.update_load_balancer_rule(
                client, "r", LoadBalancerRuleChange(cidrs=()), deadline=deadline
            ),
            "cidr_list",
            id="a change to no sources would change nothing",
        ),
        pytest.param(
            lambda client, deadline: tags.delete_tags(
                client, ADDRESS, ["a"], [], deadline=deadline
            ),
            "tags",
            id="no keys would delete every tag",
        ),
        pytest.param(
            lambda client, deadline: compute.stop_virtual_machine(client, "", deadline=deadline),
            "id",
            id="an empty id",
        ),
    ],
)
def test_an_empty_value_is_refused_before_it_means_everything(
    call: Callable[[Client, Deadline], object], field_name: str
) -> None:
    script = Script([{}])
    with pytest.raises(ValueError, match=f"^{field_name} is empty"):
        call(script.client(), script.deadline(8))
    assert script.calls == []


def test_the_limit_of_addresses_is_the_accounts_outside_of_projects() -> None:
    owner = {"id": "a", "name": "a", "iplimit": "20", "iptotal": 3}
    script = Script([{"count": 1, "account": [owner]}])
    limit = account.address_limit(script.client(), deadline=script.deadline(8))
    assert limit == ResourceLimit(3, 20)
    assert script.calls == [("listAccounts", PAGE)]


def test_the_limit_of_addresses_is_the_projects_inside_of_one() -> None:
    owner = {"id": PROJECT, "name": "p", "iplimit": "5", "iptotal": "5"}
    script = Script([{"count": 1, "project": [owner]}])
    client = script.client(project_id=PROJECT)
    limit = account.address_limit(client, deadline=script.deadline(8))
    assert limit == ResourceLimit(5, 5)
    assert script.calls == [("listProjects", {**PAGE, "id": PROJECT})]


def test_a_limit_that_is_not_shown_is_not_known() -> None:
    script = Script([{}])
    assert account.address_limit(script.client(), deadline=script.deadline(8)) is None
