"""Provider ids of nodes: the form that we write, and every form for CloudStack that we read.

external-cloudstack://ID        ours, and the existing external provider's
external-cloudstack:///ID       the same with an empty region
cloudstack:///ID                Cluster API's
cloudstack://REGION/ID          the in-tree provider's
"""

import re

_OURS = re.compile(r"(?:external-)?cloudstack://(?:[^/]*/)?(?P<id>[^/]+)")


def format_provider_id(instance_id: str) -> str:
    """Return the provider id of a VM."""
    return f"external-cloudstack://{instance_id}"


def parse_provider_id(provider_id: str) -> str | None:
    """Return the VM's id; None where the provider id is another cloud's, or malformed."""
    match = _OURS.fullmatch(provider_id)
    return match["id"] if match else None
