"""Which addresses a node has, and in which order."""

from ipaddress import ip_address

from hooks.cloudstack.models.compute import VirtualMachine
from hooks.http.bounded_json import Json
from hooks.kube.objects import annotations, items, labels
from hooks.names import ANNOTATION_PROVIDED_NODE_IP, LABEL_HOSTNAME

NodeAddress = tuple[str, str]
"""A type (InternalIP, ExternalIP, Hostname) and an address, as in `status.addresses`."""

#: The types that CloudStack knows. All others are kubelet's: its serving certificate is for them.
_FROM_CLOUDSTACK = ("InternalIP", "ExternalIP")


class UnusableAddressesError(Exception):
    """The VM's addresses do not allow the node to be initialised; str() says why."""


def desired_addresses(node: Json, vm: VirtualMachine) -> tuple[NodeAddress, ...]:
    """Return the node's addresses: internal ones by NIC, the default NIC first, then external.

    The address that kubelet was configured with (`--node-ip`) comes before all others. Host and DNS
    names stay as kubelet reports them; if it reports no Hostname, that is the name in its label.

    Raises:
        UnusableAddressesError: the VM has no address, or not the one of kubelet's configuration.
    """
    addresses: list[NodeAddress] = []
    for nic in sorted(vm.nics, key=lambda nic: not nic.is_default):
        addresses += [("InternalIP", ip) for ip in (nic.ip_address, nic.ip6_address) if ip]
    if vm.public_ip:
        addresses.append(("ExternalIP", vm.public_ip))
    if not addresses:
        raise UnusableAddressesError(f"VM {vm.id} has no address on any NIC")
    names = [each for each in observed_addresses(node) if each[0] not in _FROM_CLOUDSTACK]
    if not any(kind == "Hostname" for kind, _ in names):
        names.append(("Hostname", labels(node).get(LABEL_HOSTNAME) or vm.name))
    addresses += names
    return _preferred(node, tuple(dict.fromkeys(addresses)))


def _preferred(node: Json, addresses: tuple[NodeAddress, ...]) -> tuple[NodeAddress, ...]:
    provided = annotations(node).get(ANNOTATION_PROVIDED_NODE_IP, "")
    first: list[NodeAddress] = []
    for text in filter(None, map(str.strip, provided.split(","))):
        same = [
            each for each in addresses if each[0] in _FROM_CLOUDSTACK and _same_ip(each[1], text)
        ]
        if not same:
            known = ", ".join(ip for kind, ip in addresses if kind in _FROM_CLOUDSTACK)
            raise UnusableAddressesError(
                f"annotation {ANNOTATION_PROVIDED_NODE_IP}: {text!r} is not one of the VM's "
                f"addresses ({known})"
            )
        first.append(same[0])
    return tuple(dict.fromkeys((*first, *addresses)))


def _same_ip(one: str, other: str) -> bool:
    try:
        return ip_address(one) == ip_address(other)
    except ValueError:
        return False


def observed_addresses(node: Json) -> tuple[NodeAddress, ...]:
    """Return the addresses in a node's status."""
    addresses = items(node, "status", "addresses")
    return tuple((address.get("type", ""), address.get("address", "")) for address in addresses)
