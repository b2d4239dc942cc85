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

    Kubelet's `--node-ip` comes before all others, takes the place of the others of its type, and
    may be a secondary address of a NIC; cloud controllers agree on that
    (`GetNodeAddressesFromNodeIP` of k8s.io/cloud-provider). Host and DNS names stay as kubelet
    reports them; if it reports no Hostname, that is the name in its label. On networks where
    CloudStack gives no addresses (L2), all stay as kubelet reports them.

    Raises:
        UnusableAddressesError: nobody knows an address of the VM, or kubelet's is not one of it.
    """
    addresses: list[NodeAddress] = []
    for nic in sorted(vm.nics, key=lambda nic: not nic.is_default):
        addresses += [("InternalIP", ip) for ip in (nic.ip_address, nic.ip6_address) if ip]
    if vm.public_ip:
        addresses.append(("ExternalIP", vm.public_ip))
    if not addresses:
        return _reported(node, vm)
    addresses = _preferred(node, vm, addresses)
    names = [each for each in observed_addresses(node) if each[0] not in _FROM_CLOUDSTACK]
    if not any(kind == "Hostname" for kind, _ in names):
        names.append(("Hostname", labels(node).get(LABEL_HOSTNAME) or vm.name))
    return tuple(dict.fromkeys((*addresses, *names)))


def _reported(node: Json, vm: VirtualMachine) -> tuple[NodeAddress, ...]:
    """Return what kubelet reports, of a VM whose cards have no address in CloudStack."""
    if not vm.nics:
        raise UnusableAddressesError(f"VM {vm.id} has no NIC")
    reported = observed_addresses(node)
    if not any(kind in _FROM_CLOUDSTACK for kind, _ in reported):
        raise UnusableAddressesError(
            f"VM {vm.id} has no address on any NIC in CloudStack, and kubelet reports none; its "
            "--node-ip can name one"
        )
    return reported


def _preferred(node: Json, vm: VirtualMachine, addresses: list[NodeAddress]) -> list[NodeAddress]:
    """Put kubelet's addresses in the place of the others of their type."""
    provided = annotations(node).get(ANNOTATION_PROVIDED_NODE_IP, "")
    known = addresses + [("InternalIP", ip) for nic in vm.nics for ip in nic.secondary_ips]
    enforced: list[NodeAddress] = []
    for text in filter(None, map(str.strip, provided.split(","))):
        same = [each for each in known if _same_ip(each[1], text)]
        if not same:
            raise UnusableAddressesError(
                f"annotation {ANNOTATION_PROVIDED_NODE_IP}: {text!r} is not one of the VM's "
                f"addresses ({', '.join(ip for _, ip in known)})"
            )
        enforced += same
    types = {kind for kind, _ in enforced}
    return [*enforced, *(each for each in addresses if each[0] not in types)]


def _same_ip(one: str, other: str) -> bool:
    try:
        return ip_address(one) == ip_address(other)
    except ValueError:
        return False


def observed_addresses(node: Json) -> tuple[NodeAddress, ...]:
    """Return the addresses in a node's status."""
    addresses = items(node, "status", "addresses")
    return tuple((address.get("type", ""), address.get("address", "")) for address in addresses)
