"""Writes typed values as the API's parameters, and refuses those that would mean "all"."""

from collections.abc import Mapping, Sequence

from hooks.cloudstack.models.firewall import PortRange


def parameters(**values: object) -> dict[str, object]:
    """Name each value as CloudStack does, without underscores; None leaves a parameter out.

    Mappings become the indexed form (`tags[0].key`, `tags[0].value`), sequences a comma list.

    Raises:
        ValueError: an empty text or collection: to CloudStack it is not given. A list without its
            filter shows everything, and a firewall rule without sources allows everyone.
    """
    result: dict[str, object] = {}
    for name, value in values.items():
        if value is None:
            continue
        if isinstance(value, str | Sequence | Mapping) and not value:
            raise ValueError(f"{name} is empty; leave it out to mean everything")
        result[name.replace("_", "")] = pairs(value) if isinstance(value, Mapping) else value
    return result


def pairs(values: Mapping[str, str], *, key: str = "key") -> list[dict[str, str]]:
    """Write a mapping as CloudStack's list of `key` and `value`."""
    return [{key: name, "value": value} for name, value in values.items()]


def port_parameters(ports: PortRange) -> dict[str, object]:
    """Write a range of ports and its sources."""
    return parameters(
        protocol=ports.protocol,
        start_port=ports.start_port,
        end_port=ports.end_port,
        cidr_list=ports.cidrs,
    )
