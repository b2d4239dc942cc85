"""Which addresses a node has, and in which order."""

from ipaddress import ip_address

from hooks.cloudstack.models import VirtualMachine
from hooks.http.bounded_json import Json
from hooks.names import ANNOTATION_PROVIDED_NODE_IP

Address = tuple[str, str]
"""A type (InternalIP, ExternalIP, Hostname) and an address, as in `status.addresses`."""


class UnusableAddressesError(Exception):
    """The VM's addresses do not allow the node to be initialised; str() says why."""


def desired_addresses(node: Json, vm: VirtualMachine) -> tuple[Address, ...]:
    """Answer the node's addresses: internal ones by NIC, the default NIC first, then external.

    What kubelet was told to use (`--node-ip`) comes first of all.

    Raises:
        UnusableAddressesError: the VM has no address, or not the one kubelet was told to use.
    """
    addresses: list[Address] = []
    for nic in sorted(vm.nics, key=lambda nic: not nic.is_default):
        addresses += [("InternalIP", ip) for ip in (nic.ip_address, nic.ip6_address) if ip]
    if vm.public_ip:
        addresses.append(("ExternalIP", vm.public_ip))
    if not addresses:
        raise UnusableAddressesError(f"VM {vm.id} has no address on any NIC")
    addresses.append(("Hostname", vm.name))
    return _preferred(node, tuple(dict.fromkeys(addresses)))


def _preferred(node: Json, addresses: tuple[Address, ...]) -> tuple[Address, ...]:
    annotations = node["metadata"].get("annotations") or {}
    provided = annotations.get(ANNOTATION_PROVIDED_NODE_IP) or ""
    first: list[Address] = []
    for text in filter(None, map(str.strip, provided.split(","))):
        same = [address for address in addresses if _same_ip(address[1], text)]
        if not same:
            known = ", ".join(ip for kind, ip in addresses if kind != "Hostname")
            raise UnusableAddressesError(
                f"annotation {ANNOTATION_PROVIDED_NODE_IP}: {text!r} is none of the VM's "
                f"addresses ({known})"
            )
        first.append(same[0])
    return tuple(dict.fromkeys((*first, *addresses)))


def _same_ip(one: str, other: str) -> bool:
    try:
        return ip_address(one) == ip_address(other)
    except ValueError:
        return False


def observed_addresses(node: Json) -> tuple[Address, ...]:
    """Read the addresses that the node shows."""
    shown = (node.get("status") or {}).get("addresses") or []
    return tuple((address.get("type", ""), address.get("address", "")) for address in shown)
