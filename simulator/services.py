"""The services of networks: providers, capabilities and stickiness methods."""

import json
from typing import Any

from simulator.model import NetworkOffering, Zone
from simulator.parameters import Version


def view_service(
    name: str, offering: NetworkOffering, zone: Zone, version: Version
) -> dict[str, Any]:
    """Show a service of a network with its provider and capabilities."""
    capabilities = INTERNAL if offering.internal and name == "Lb" else CAPABILITIES.get(name, {})
    hidden = frozenset() if terminates_tls(offering, version) else frozenset({"SslTermination"})
    return {
        "name": name,
        "provider": [{"name": provider_of(name, offering, zone)}],
        "capability": [
            {"name": key, "value": value, "canchooseservicecapability": False}
            for key, value in capabilities.items()
            if key not in hidden
        ],
    }


def terminates_tls(offering: NetworkOffering, version: Version) -> bool:
    """Tell whether rules take certificates: those of routers do since 4.22 (from its sources)."""
    return version >= (4, 22) and not offering.internal


def provider_of(name: str, offering: NetworkOffering, zone: Zone | None = None) -> str:
    """Return who provides a service, such as a router, or the zone's load balancer for UDP."""
    if offering.forvpc:
        return "InternalLbVm" if offering.internal and name == "Lb" else "VpcVirtualRouter"
    if name == "SecurityGroup":
        return "SecurityGroupProvider"
    external = zone is not None and zone.udp and name == "Lb"
    return "ExternalLoadBalancer" if external else "VirtualRouter"


def sticky(method: str, *parameters: str, flags: tuple[str, ...] = ()) -> dict[str, Any]:
    """Describe a stickiness method as the capabilities do."""
    names = [(name, False) for name in parameters] + [(name, True) for name in flags]
    return {
        "methodname": method,
        "paramlist": [
            {"paramname": name, "required": False, "isflag": flag, "description": " "}
            for name, flag in names
        ],
        "description": method,
    }


STICKINESS = [
    sticky("LbCookie", "cookie-name", "mode", "domain", flags=("nocache", "indirect", "postonly")),
    sticky(
        "AppCookie", "cookie-name", "length", "holdtime", "mode",
        flags=("request-learn", "prefix"),
    ),
    sticky("SourceBased", "tablesize", "expire"),
]  # fmt: skip

# The capabilities name udp, though the routers refuse it.
CAPABILITIES: dict[str, dict[str, str]] = {
    "Lb": {
        "LbSchemes": "Public",
        "SupportedStickinessMethods": json.dumps(STICKINESS),
        "SupportedLbAlgorithms": "roundrobin,leastconn,source",
        "SupportedLBIsolation": "dedicated",
        "SupportedProtocols": "tcp, udp, tcp-proxy, ssl",
        "SslTermination": "true",
    },
    "SourceNat": {"SupportedSourceNatTypes": "peraccount", "RedundantRouter": "false"},
    "PortForwarding": {"SupportedProtocols": "tcp,udp"},
    "NetworkACL": {"SupportedProtocols": "tcp,udp,icmp"},
    "Firewall": {
        "SupportedProtocols": "tcp,udp,icmp",
        "MultipleIps": "true",
        "TrafficStatistics": "per public ip",
        "SupportedTrafficDirection": "ingress, egress",
    },
    "Dhcp": {"DhcpAccrossMultipleSubnets": "true"},
}
# A load balancer of a tier's own takes no protocol at all, though the capabilities name some.
INTERNAL = {
    "LbSchemes": "Internal",
    "SupportedStickinessMethods": CAPABILITIES["Lb"]["SupportedStickinessMethods"],
    "SupportedLbAlgorithms": "roundrobin,leastconn,source",
    "SupportedLBIsolation": "dedicated",
    "SupportedProtocols": "tcp, udp",
}
