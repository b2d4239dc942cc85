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


SECONDARY: NodeAddress = ("InternalIP", "10.1.1.77")
RICH = make_vm(
    nics=(
        make_nic(ip6="2001:db8::5", secondary=("10.1.1.77",)),
        make_nic("10.1.2.5", default=False),
    ),
    public_ip="198.51.100.7",
)


@pytest.mark.parametrize(
    ("provided", "expected"),
    [
        pytest.param("10.1.2.5", (SECOND, OUTER, HOST), id="the second NIC's alone of its type"),
        pytest.param("10.1.1.190", (INTERNAL, OUTER, HOST), id="the first NIC's, of one family"),
        pytest.param("2001:DB8:0::5, 10.1.1.190", (SIX, INTERNAL, OUTER, HOST), id="two families"),
        pytest.param("198.51.100.7", (OUTER, INTERNAL, SIX, SECOND, HOST), id="the external one"),
        pytest.param("10.1.1.77", (SECONDARY, OUTER, HOST), id="a NIC's secondary one"),
        pytest.param("", (INTERNAL, SIX, SECOND, OUTER, HOST), id="empty: no secondary one"),
    ],
)
def test_the_addresses_of_kubelets_configuration_are_first_and_alone_of_their_type(
    provided: str, expected: tuple[NodeAddress, ...]
) -> None:
    node = make_node(annotations={PROVIDED: provided})
    assert desired_addresses(node, RICH) == expected


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
    with pytest.raises(UnusableAddressesError, match="has no NIC"):
        desired_addresses(make_node(), make_vm(nics=()))


L2 = make_vm(nics=(make_nic(""), make_nic("", default=False)))


@pytest.mark.parametrize("provided", ["", "192.168.7.5"])
def test_on_l2_networks_all_addresses_are_kubelets(provided: str) -> None:
    shown = (("InternalIP", "192.168.7.5"), ("Hostname", "my-node-1"))
    node = make_node(
        annotations={PROVIDED: provided},
        addresses=[{"type": kind, "address": address} for kind, address in shown],
    )
    assert desired_addresses(node, L2) == shown


def test_on_l2_networks_a_node_without_an_address_is_told_to_report_one() -> None:
    node = make_node(addresses=[{"type": "Hostname", "address": "my-node-1"}])
    with pytest.raises(UnusableAddressesError, match=r"no address on any NIC .*--node-ip can name"):
        desired_addresses(node, L2)


def test_reads_the_addresses_that_a_node_shows_in_their_order() -> None:
    shown = [{"type": "InternalIP", "address": "a"}, {"type": "Hostname", "address": "b"}]
    node = make_node(addresses=shown)
    assert observed_addresses(node) == (("InternalIP", "a"), ("Hostname", "b"))
    assert observed_addresses({"metadata": {}}) == ()
