from collections.abc import Callable

import pytest

from hooks.cloudstack.models.account import Capabilities
from hooks.cloudstack.models.compute import Nic, VirtualMachine, Zone
from hooks.cloudstack.models.fields import Answer, Malformed
from hooks.cloudstack.models.firewall import FirewallRule, NetworkAcl
from hooks.cloudstack.models.jobs import Job, JobStatus
from hooks.cloudstack.models.loadbalancing import (
    InternalLoadBalancer,
    LoadBalancerRule,
    Member,
)
from hooks.cloudstack.models.network import PublicIpAddress


@pytest.mark.parametrize(
    ("parse", "answer", "words"),
    [
        pytest.param(Zone.from_json, {"name": "z"}, "a zone without 'id'", id="zone"),
        pytest.param(
            VirtualMachine.from_json,
            {"id": "v", "name": "n", "state": ""},
            "a virtual machine without 'state'",
            id="machine, empty state",
        ),
        pytest.param(
            VirtualMachine.from_json,
            {"id": "v", "name": "n", "state": "Running", "nic": {"id": "n"}},
            "'nic' is no list",
            id="machine, nics as an object",
        ),
        pytest.param(
            VirtualMachine.from_json,
            {"id": "v", "name": "n", "state": "Running", "nic": ["n"]},
            "'nic' lists something that is no object",
            id="machine, nics as texts",
        ),
        pytest.param(
            PublicIpAddress.from_json,
            {"id": {"uuid": "i"}, "ipaddress": "203.0.113.9", "state": "Free"},
            "a public ip address without 'id'",
            id="address, the id an object",
        ),
        pytest.param(
            LoadBalancerRule.from_json,
            {"id": "r", "name": "n", "publicipid": "i", "publicport": "http", "privateport": "1"},
            "a load balancer rule with 'publicport' 'http', a whole number was expected",
            id="rule, port in words",
        ),
        pytest.param(
            InternalLoadBalancer.from_json,
            {"id": "r", "name": "n", "sourceipaddress": "10.1.1.9", "loadbalancerrule": []},
            "a load balancer with 0 ports, one was expected",
            id="internal load balancer without a port",
        ),
        pytest.param(
            InternalLoadBalancer.from_json,
            {
                "id": "r",
                "name": "n",
                "sourceipaddress": "here",
                "loadbalancerrule": [{"sourceport": 80, "instanceport": 30080}],
            },
            "'sourceipaddress' 'here', an IP address was expected",
            id="internal load balancer, an address that is none",
        ),
        pytest.param(
            NetworkAcl.from_json,
            {"id": "i", "protocol": "tcp", "cidrlist": "10.0.0.0/8,10.0.0.0/33"},
            "'cidrlist' with '10.0.0.0/33', a CIDR was expected",
            id="ACL item, a CIDR that is none",
        ),
        pytest.param(
            PublicIpAddress.from_json,
            {"id": "i", "ipaddress": "not-an-ip", "state": "Free"},
            "'ipaddress' 'not-an-ip', an IP address was expected",
            id="address, no IP",
        ),
        pytest.param(
            Nic.from_json,
            {"id": "n", "networkid": "n", "ipaddress": "evil\n"},
            r"'ipaddress' 'evil\n', an IP address was expected",
            id="nic, no IP",
        ),
        pytest.param(
            VirtualMachine.from_json,
            {"id": "v,w", "name": "n", "state": "Running"},
            "a virtual machine with 'id' 'v,w', which is no id",
            id="machine, two ids",
        ),
        pytest.param(
            VirtualMachine.from_json,
            {"id": "v", "name": "n" * 4097, "state": "Running"},
            "'name' with more than 4096 characters",
            id="machine, a name without end",
        ),
        pytest.param(
            FirewallRule.from_json,
            {"id": "f", "ipaddressid": "i", "protocol": "tcp", "cidrlist": "::/999"},
            "'cidrlist' with '::/999', a CIDR was expected",
            id="firewall rule, no CIDR",
        ),
        pytest.param(
            FirewallRule.from_json,
            {"id": "f", "ipaddressid": "i", "protocol": "tcp", "endport": 10**30},
            f"a firewall rule with 'endport' '{10**30}', a whole number was expected",
            id="firewall rule, an endless range",
        ),
        pytest.param(
            LoadBalancerRule.from_json,
            {"id": "r", "name": "n", "publicipid": "i", "publicport": 10**5000},
            "'publicport' with too many digits",
            id="rule, a port of 5000 digits",
        ),
        pytest.param(
            LoadBalancerRule.from_json,
            {"id": "r", "name": "n", "publicipid": "i", "publicport": "80"},
            "a load balancer rule without 'privateport'",
            id="rule, no private port",
        ),
        pytest.param(
            Member.from_json,
            {"lbvmipaddresses": []},
            "a member without 'loadbalancerruleinstance'",
            id="member",
        ),
        pytest.param(
            Capabilities.from_json,
            {"cloudstackversion": "main"},
            "a cloudstackversion 'main', one such as 4.22.0.0 was expected",
            id="version in words",
        ),
        pytest.param(JobStatus.from_json, {}, "a job without 'jobstatus'", id="job status"),
        pytest.param(
            lambda answer: Job.from_json("createTags", answer),
            {"success": True},
            "a job without 'jobid'",
            id="job",
        ),
    ],
)
def test_an_object_without_what_makes_it_one_is_malformed(
    parse: Callable[[Answer], object], answer: Answer, words: str
) -> None:
    with pytest.raises(Malformed) as caught:
        parse(answer)
    assert str(caught.value) == words
