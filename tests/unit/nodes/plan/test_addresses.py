import pytest

from hooks.cloudstack.models.compute import VirtualMachine
from hooks.nodes.plan.addresses import (
    NodeAddress,
    UnusableAddressesError,
    desired_addresses,
    observed_addresses,
)
from tests.unit.nodes.objects import make_nic, make_node, make_vm

PROVIDED = "alpha.kubernetes.io/provided-node-ip"
INTERNAL: NodeAddress = ("InternalIP", "10.1.1.190")
SECOND: NodeAddress = ("InternalIP", "10.1.2.5")
SIX: NodeAddress = ("InternalIP", "2001:db8::5")
OUTER: NodeAddress = ("ExternalIP", "198.51.100.7")
HOST: NodeAddress = ("Hostname", "node-1")
TWO_NICS = make_vm(nics=(make_nic("10.1.2.5", default=False), make_nic()))
DUAL = make_vm(nics=(make_nic(ip6="2001:db8::5"),))


@pytest.mark.parametrize(
    ("vm", "expected"),
    [
        pytest.param(make_vm(), (INTERNAL, HOST), id="one NIC"),
        pytest.param(TWO_NICS, (INTERNAL, SECOND, HOST), id="two NICs, the default one first"),
        pytest.param(DUAL, (INTERNAL, SIX, HOST), id="dual stack"),
        pytest.param(make_vm(nics=(make_nic("", "2001:db8::5"),)), (SIX, HOST), id="IPv6 alone"),
        pytest.param(make_vm(public_ip="198.51.100.7"), (INTERNAL, OUTER, HOST), id="static NAT"),
    ],
)
def test_addresses_are_those_of_the_vm(
    vm: VirtualMachine, expected: tuple[NodeAddress, ...]
) -> None:
    assert desired_addresses(make_node(), vm) == expected


@pytest.mark.parametrize(
    ("provided", "expected"),
    [
        pytest.param("10.1.2.5", (SECOND, INTERNAL, HOST), id="the second NIC's"),
        pytest.param("10.1.1.190", (INTERNAL, SECOND, HOST), id="the first NIC's"),
        pytest.param("", (INTERNAL, SECOND, HOST), id="empty"),
    ],
)
def test_the_addresses_of_kubelets_configuration_come_first(
    provided: str, expected: tuple[NodeAddress, ...]
) -> None:
    node = make_node(annotations={PROVIDED: provided})
    assert desired_addresses(node, TWO_NICS) == expected


def test_kubelet_may_have_one_address_of_each_family() -> None:
    node = make_node(annotations={PROVIDED: "2001:DB8:0::5, 10.1.1.190"})
    assert desired_addresses(node, DUAL) == (SIX, INTERNAL, HOST)


@pytest.mark.parametrize("provided", ["10.9.9.9", "node-1", "10.1.1.190,10.9.9.9"])
def test_an_address_that_is_not_the_vms_is_refused_by_name(provided: str) -> None:
    node = make_node(annotations={PROVIDED: provided})
    with pytest.raises(UnusableAddressesError, match=rf"{PROVIDED}.*10\.1\.1\.190"):
        desired_addresses(node, make_vm())


DNS: NodeAddress = ("InternalDNS", "node-1.corp.example")


@pytest.mark.parametrize(
    ("shown", "label", "vm_name", "names"),
    [
        pytest.param((("Hostname", "my-node-1"), DNS), "", "My-Node-1",
                     (("Hostname", "my-node-1"), DNS), id="kubelet's names stay in their order"),
        pytest.param((("Hostname", "node-2.corp.example"),), "", "node-2",
                     (("Hostname", "node-2.corp.example"),), id="a name with its domain"),
        pytest.param((("Hostname", "node-1"),), "node-1", "renamed",
                     (("Hostname", "node-1"),), id="a renamed VM"),
        pytest.param((DNS,), "my-node-1", "My-Node-1",
                     (DNS, ("Hostname", "my-node-1")), id="the label, where no Hostname is shown"),
        pytest.param((), "", "node-1", (HOST,), id="the VM's name where kubelet says nothing"),
        pytest.param((("Example", "x"),), "", "node-1",
                     (("Example", "x"), HOST), id="a type that nobody knows"),
    ],
)  # fmt: skip
def test_names_are_those_that_kubelet_reports(
    shown: tuple[NodeAddress, ...], label: str, vm_name: str, names: tuple[NodeAddress, ...]
) -> None:
    node = make_node(
        labels={"kubernetes.io/hostname": label} if label else {},
        addresses=[{"type": kind, "address": address} for kind, address in shown],
    )
    assert desired_addresses(node, make_vm(name=vm_name)) == (INTERNAL, *names)


def test_an_address_that_the_vm_lost_is_not_kept_beside_the_names() -> None:
    shown = [{"type": "InternalIP", "address": "10.9.9.9"}, {"type": "Hostname", "address": "n"}]
    assert desired_addresses(make_node(addresses=shown), make_vm()) == (INTERNAL, ("Hostname", "n"))


def test_a_vm_without_a_nic_is_refused() -> None:
    with pytest.raises(UnusableAddressesError, match="no address on any NIC"):
        desired_addresses(make_node(), make_vm(nics=()))


def test_reads_the_addresses_that_a_node_shows_in_their_order() -> None:
    shown = [{"type": "InternalIP", "address": "a"}, {"type": "Hostname", "address": "b"}]
    node = make_node(addresses=shown)
    assert observed_addresses(node) == (("InternalIP", "a"), ("Hostname", "b"))
    assert observed_addresses({"metadata": {}}) == ()
