"""Seals records, ACL items, and names of internal load balancers and certificates.

A seal is a hash with a key that only we have: it proves that we wrote what it is in.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterable

from hooks.cloudstack.models.firewall import NetworkAcl, PortRange
from hooks.cloudstack.models.loadbalancing import InternalLoadBalancer
from hooks.kube.services import load_balancer_name
from hooks.kube.times import moment
from hooks.loadbalancers.plan.ownership import Tags
from hooks.loadbalancers.recorded import Acquiring

#: What `item_reason` returns.
_ITEM_REASON = re.compile(r"Service [^\s/]+/[^\s/]+, seal [\w-]+", re.ASCII)
#: Seconds for which the seal of a record holds. Both times are of the hooks' own clock.
SEAL_AGE = 86400.0


def seal(mark: Tags, key: bytes, place: str, since: float) -> Acquiring:
    """Return the record that a call acquires an address, with its seal.

    Args:
        mark: the four tags of the Service's mark.
        key: of the seal.
        place: of the record.
        since: epoch seconds.
    """
    return Acquiring.of(place, since, _seal(mark, key, place, moment(since)))


def has_sealed(mark: Tags, key: bytes, record: Acquiring) -> bool:
    """Tell whether we wrote a record, for the Service with this mark."""
    expected = seal(mark, key, record.place, record.since)
    return bool(record.place) and hmac.compare_digest(expected.seal.encode(), record.seal.encode())


def item_reason(mark: Tags, key: bytes, acl_id: str, number: int | None, ports: PortRange) -> str:
    """Return the reason of an ACL item: whose it is, for people, and a seal.

    Anybody with the account may copy it. On other ports, for others, under another number or in
    another list, it proves nothing.
    """
    _, namespace, service, _ = (value for _, value in mark)
    about = (ports.protocol, ports.start_port, ports.end_port, *sorted(ports.cidrs))
    sealed = _seal(mark, key, "ACL item", acl_id, number, *about)
    return f"Service {namespace}/{service}, seal {sealed}"


def is_item_reason(text: str) -> bool:
    """Tell whether a reason is one that these hooks give an item, for whichever Service."""
    return _ITEM_REASON.fullmatch(text) is not None


def has_sealed_item(marks: Iterable[Tags], key: bytes, item: NetworkAcl) -> bool:
    """Tell whether we made an ACL item as it is, for the Service with one of these marks."""
    if not item.allows or len(item.opened) != 1:
        return False
    place = item.acl_id, item.number, item.opened[0]
    expected = (item_reason(mark, key, *place).encode() for mark in marks)
    return any(hmac.compare_digest(each, item.reason.encode()) for each in expected)


def balancer_name(
    mark: Tags, key: bytes, network_id: str, public_port: int, private_port: int
) -> str:
    """Return the name of an internal load balancer: as a rule's, and a seal.

    Anybody with the account may copy it. On another tier, at another port or in front of another
    node port, it proves nothing.
    """
    *_, uid = (value for _, value in mark)
    about = (network_id, public_port, private_port)
    sealed = _seal(mark, key, "internal load balancer", *about)
    return f"{load_balancer_name(uid)}-tcp-{public_port}-{sealed}"


def certificate_name(mark: Tags, key: bytes, digest: str) -> str:
    """Return the name of a certificate: whose it is, and a seal over what it is.

    Anybody with the account may copy it. On another certificate, it proves nothing.
    """
    *_, uid = (value for _, value in mark)
    return f"{load_balancer_name(uid)}-{_seal(mark, key, 'certificate', digest)}"


def has_sealed_balancer(mark: Tags, key: bytes, balancer: InternalLoadBalancer) -> bool:
    """Tell whether we made an internal load balancer as it is, for the Service with this mark."""
    place = balancer.network_id, balancer.public_port, balancer.private_port
    expected = balancer_name(mark, key, *place)
    return hmac.compare_digest(expected.encode(), balancer.name.encode())


def _seal(mark: Tags, key: bytes, *values: object) -> str:
    text = json.dumps((*(value for _, value in mark), *values))
    digest = hmac.digest(key, text.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")
