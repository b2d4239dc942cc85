"""Each command function and each list: what it sends, and that it never forgets the project."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from hooks.cloudstack.client import Client
from hooks.cloudstack.commands import firewall, loadbalancing, network, tags
from hooks.cloudstack.models import account, certificates, fields, jobs, kubernetes
from hooks.cloudstack.models import compute as machines
from hooks.cloudstack.models import firewall as rules
from hooks.cloudstack.models import loadbalancing as balancing
from hooks.cloudstack.models import network as networks
from hooks.cloudstack.models.compute import VirtualMachine
from hooks.cloudstack.models.firewall import PortRange
from hooks.cloudstack.models.jobs import Job
from hooks.cloudstack.models.loadbalancing import (
    LoadBalancerRule,
    LoadBalancerRuleChange,
    NewLoadBalancerRule,
)
from hooks.cloudstack.models.network import PublicIpAddress
from hooks.http.deadline import Deadline
from tests.unit.cloudstack.commands.command_rows import (
    ADDRESS,
    MODULES,
    PROJECT,
    ROWS,
    Row,
    writing,
)
from tests.unit.cloudstack.transports import Script


def defined(module: Any, kind: Callable[[object], bool]) -> set[Any]:
    """Return what a module defines of a kind, and gives to others."""
    return {
        each
        for name, each in inspect.getmembers(module, kind)
        if not name.startswith("_") and each.__module__ == module.__name__
    }


def command_functions() -> set[Any]:
    return {each for module in MODULES for each in defined(module, inspect.isfunction)}


def listed_models() -> set[Any]:
    return {
        each
        for module in (
            account,
            certificates,
            machines,
            jobs,
            kubernetes,
            rules,
            balancing,
            networks,
        )
        for each in defined(module, inspect.isclass)
        if issubclass(each, fields.Model) and hasattr(each, "LISTING")
    }


def test_every_command_function_and_every_listed_model_has_a_row() -> None:
    assert {row.what for row in ROWS} == command_functions() | listed_models()


def test_every_command_function_is_named_after_its_command() -> None:
    for row in ROWS:
        if row.by == "start":
            assert row.name.replace("_", "") == row.command.lower()


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in ROWS])
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
    assert len(forgetful(project_id="")) > 8


def test_a_rule_for_some_sources_is_created_with_them() -> None:
    rule = NewLoadBalancerRule("n", "ip", "net", 80, 30080, cidrs=("10.0.0.0/8",))
    row = writing(loadbalancing.create_load_balancer_rule, (rule,), "createLoadBalancerRule")
    assert row.run(project_id="")["cidrlist"] == ("10.0.0.0/8",)


def test_starting_a_command_returns_its_job() -> None:
    script = Script([{"id": "made", "jobid": "j"}])
    command = network.associate_ip_address(network_id="n")
    job = script.client().start(command, script.deadline(8))
    assert job == Job("associateIpAddress", "j", "made")


@pytest.mark.parametrize(
    ("call", "field_name"),
    [
        pytest.param(
            lambda client, deadline: client.list_all(VirtualMachine, deadline, ids=[]),
            "ids",
            id="a list by no ids would show every machine",
        ),
        pytest.param(
            lambda client, deadline: client.list_all(PublicIpAddress, deadline, id=None),
            "id",
            id="a list by an id that is none would show every address",
        ),
        pytest.param(
            lambda client, deadline: client.list_all(PublicIpAddress, deadline, id=""),
            "id",
            id="a list by an empty id would show every address",
        ),
        pytest.param(
            lambda client, deadline: client.list_all(LoadBalancerRule, deadline, tags={}),
            "tags",
            id="a list by no tags would show every rule",
        ),
        pytest.param(
            lambda client, deadline: client.start(
                firewall.create_firewall_rule("ip", PortRange("tcp", 80, 80, ())), deadline
            ),
            "cidr_list",
            id="a firewall rule for no sources would let everyone in",
        ),
        pytest.param(
            lambda client, deadline: client.start(
                loadbalancing.update_load_balancer_rule("r", LoadBalancerRuleChange(cidrs=())),
                deadline,
            ),
            "cidr_list",
            id="a change to no sources would change nothing",
        ),
        pytest.param(
            lambda client, deadline: client.start(tags.delete_tags(ADDRESS, ["a"], {}), deadline),
            "tags",
            id="no keys would delete every tag",
        ),
        pytest.param(
            lambda client, deadline: client.start(firewall.delete_firewall_rule(""), deadline),
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


@pytest.mark.parametrize(
    ("listing", "which"), [("list_all", {}), ("page", {"number": 1, "size": 10})]
)
def test_a_filter_that_the_command_does_not_know_is_refused_before_it_is_ignored(
    listing: str, which: dict[str, int]
) -> None:
    script = Script([{}])
    list_ = getattr(script.client(), listing)
    with pytest.raises(ValueError, match=r"^listZones has no filter 'nam'; it has: name$"):
        list_(machines.Zone, deadline=script.deadline(8), nam="west", **which)
    assert script.calls == []
