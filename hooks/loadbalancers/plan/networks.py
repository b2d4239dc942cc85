"""Decides whether a network can have a load balancer of ours."""

from hooks.cloudstack.models.network import Network


def why_not_served(network: Network) -> str:
    """Return why a network is not served, as a sentence; empty if it is."""
    if network.vpc_id:
        return f"Network {network.name} is a VPC tier, which is not served yet"
    if not network.has("Lb"):
        return f"Network {network.name} offers no load balancing"
    if network.has("SecurityGroup"):
        return f"Network {network.name} has security groups, which are not served yet"
    return ""
