"""Decides whether a network can have a load balancer of ours."""

from hooks.cloudstack.models.network import Network

#: The scheme of a tier whose load balancers have public addresses.
_PUBLIC = "public"


def why_not_served(network: Network) -> str:
    """Return why a network is not served, as a sentence; empty if it is."""
    if not network.has("Lb"):
        return f"Network {network.name} offers no load balancing"
    if network.has("SecurityGroup"):
        return f"Network {network.name} has security groups, which are not served yet"
    schemes = network.capability("Lb", "LbSchemes")
    if network.vpc_id and schemes and _PUBLIC not in schemes.lower():
        return (
            f"Network {network.name} is a VPC tier whose load balancers have the scheme {schemes} "
            "alone, which is not served yet; a tier with the scheme Public is"
        )
    return ""
