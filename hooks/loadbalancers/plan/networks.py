"""Decides whether a network can have a load balancer of ours."""

from hooks.cloudstack.models.network import Network
from hooks.names import ANNOTATION_INTERNAL

#: The schemes of a tier whose load balancers have public addresses, and of one where the address
#: is one of the tier's. A tier has one of them.
_PUBLIC, _INTERNAL = "public", "internal"


def why_not_served(network: Network, *, internal: bool = False) -> str:
    """Return why a network is not served, as a sentence; empty if it is.

    `internal` asks for internal load balancers.
    """
    if not network.has("Lb"):
        return f"Network {network.name} offers no load balancing"
    if network.has("SecurityGroup"):
        return f"Network {network.name} has security groups: load balancers are not made there"
    if internal:
        return _why_not_internal(network)
    schemes = network.capability("Lb", "LbSchemes")
    if network.vpc_id and schemes and _PUBLIC not in schemes.lower():
        return (
            f"Network {network.name} is a VPC tier whose load balancers have the scheme {schemes} "
            f'alone: create the Service again with annotation {ANNOTATION_INTERNAL}: "true", or '
            "for a network with the scheme Public"
        )
    return ""


def may_be_internal(network: Network) -> bool:
    """Tell whether internal load balancers may be on a network: CloudStack refuses them else."""
    schemes = network.capability("Lb", "LbSchemes")
    return bool(network.vpc_id) and (not schemes or _INTERNAL in schemes.lower())


def _why_not_internal(network: Network) -> str:
    if may_be_internal(network):
        return ""
    what = "is no tier of a VPC"
    if network.vpc_id:
        schemes = network.capability("Lb", "LbSchemes")
        what = f"is a VPC tier whose load balancers have the scheme {schemes} alone"
    return (
        f"Network {network.name} {what}, and the Service asks for an internal load balancer: it "
        "needs nodes on a tier whose offering has internal load balancing (InternalLbVm)"
    )
