from typing import Any

import pytest

from hooks.cloudstack.models.firewall import PortRange
from hooks.cloudstack.models.loadbalancing import LoadBalancerRuleChange, NewLoadBalancerRule
from hooks.loadbalancers.plan import actions
from hooks.loadbalancers.plan.ownership import Own

OWN = Own("address", "id", "192.0.2.1")
ITEM = Own("ACL item", "id", "7 of acl")
NODES = ("n1", "n2", "n3", "n4", "n5")


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (actions.Associate("192.0.2.1", "net", ()), "associate address 192.0.2.1 with network net"),
        (actions.Associate("", "net", ()), "associate a free address with network net"),
        (
            actions.Associate("192.0.2.1", "tier", (), vpc_id="vpc"),
            "associate address 192.0.2.1 with VPC vpc",
        ),
        (
            actions.Rerecord("default", "lb", "uid", "", "192.0.2.1 now seal"),
            "record address 192.0.2.1 as being acquired",
        ),
        (
            actions.Rerecord("default", "lb", "uid", "192.0.2.1 now seal"),
            "forget that address 192.0.2.1 is being acquired",
        ),
        (actions.AddTags("address", ("id",), ("192.0.2.1",), ()), "tag address 192.0.2.1"),
        (actions.UntagAddress(OWN, ()), "untag address 192.0.2.1"),
        (actions.Release(OWN), "release address 192.0.2.1 with all its rules"),
        (
            actions.CreateRule(NewLoadBalancerRule("r", "ip", "net", 80, 30080)),
            "create rule r: port 80 to 30080, tcp, roundrobin",
        ),
        (
            actions.CreateRule(
                NewLoadBalancerRule(
                    "r", "ip", "net", 80, 30080, cidrs=("10.0.0.0/8", "192.0.2.7/32")
                )
            ),
            "create rule r: port 80 to 30080, tcp, roundrobin for 10.0.0.0/8, 192.0.2.7/32",
        ),
        (
            actions.CreateRule(
                NewLoadBalancerRule("r", "ip", "net", 80, 30080, cidrs=("0.0.0.0/0",))
            ),
            "create rule r: port 80 to 30080, tcp, roundrobin",
        ),
        (
            actions.UpdateRule("id", "r", LoadBalancerRuleChange(name="s", cidrs=("a", "b"))),
            "change rule r: name s, cidrs a, b",
        ),
        (actions.DeleteRule(Own("rule", "id", "r")), "delete rule r"),
        (actions.AddTags("rule", ("1", "2"), ("r", "s"), ()), "tag rules r, s"),
        (actions.Assign("id", "r", NODES, NODES), "assign n1, n2, n3 and 2 more to rule r"),
        (actions.Remove("id", "r", ("x",), ("n1",)), "remove n1 from rule r"),
        (
            actions.MembersTogether(
                (actions.Assign("1", "r", ("x",), ("n",)), actions.Assign("2", "s", ("x",), ("n",)))
            ),
            "assign n to rule r; assign n to rule s",
        ),
        (
            actions.OpenFirewall("id", PortRange("tcp", 80, 80, ("a", "b"))),
            "open firewall port 80/tcp for a, b",
        ),
        (
            actions.CloseFirewall(OWN, PortRange("udp", 80, 89, ("a",))),
            "close firewall ports 80-89/udp for a",
        ),
        (
            actions.AddItem("id", "acl", 7, PortRange("tcp", 80, 81, ("a", "b")), "seal", ()),
            "add ACL item 7 to acl: 80-81/tcp for a, b",
        ),
        (
            actions.ChangeItem(ITEM, None, PortRange("tcp", 80, 80, ("a",)), "seal"),
            "change ACL item 7 of acl: 80/tcp for a",
        ),
        (
            actions.ChangeItem(ITEM, 9, PortRange("tcp", 80, 80, ("a",)), "seal"),
            "change ACL item 7 of acl: number 9, 80/tcp for a",
        ),
        (
            actions.RemoveItem(ITEM, PortRange("udp", 53, 53, ("a",))),
            "remove ACL item 7 of acl: 53/udp for a",
        ),
        (
            actions.AddTags("firewall rule", ("1",), ("80/tcp",), ()),
            "tag firewall rule 80/tcp",
        ),
        (
            actions.Retag((OWN, Own("address", "i", "192.0.2.2")), ("k",), ()),
            "take over addresses 192.0.2.1, 192.0.2.2",
        ),
        (actions.DeleteOrphan("ns", "lb", "u"), "delete CloudStackLoadBalancer ns/lb"),
    ],
)
def test_an_action_describes_what_it_does(action: Any, expected: str) -> None:
    assert str(action) == expected
