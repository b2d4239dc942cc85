"""Seals records: a hash with a key that only we have proves that we wrote one."""

import base64
import hashlib
import hmac
import json

from hooks.kube.times import moment
from hooks.loadbalancers.plan.ownership import Tags
from hooks.loadbalancers.recorded import Acquiring

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
    values = (*(value for _, value in mark), place, moment(since))
    digest = hmac.digest(key, json.dumps(values).encode(), hashlib.sha256)
    text = base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")
    return Acquiring.of(place, since, text)


def has_sealed(mark: Tags, key: bytes, record: Acquiring) -> bool:
    """Tell whether we wrote a record, for the Service with this mark."""
    expected = seal(mark, key, record.place, record.since)
    return bool(record.place) and hmac.compare_digest(expected.seal.encode(), record.seal.encode())
