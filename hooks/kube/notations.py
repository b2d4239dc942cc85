"""Tells whether two values of a field mean the same to Kubernetes, however they are written."""

from collections.abc import Callable
from ipaddress import ip_interface

from hooks.kube.durations import parse_duration
from hooks.kube.quantities import read_quantity
from hooks.kube.times import read_time


def means_the_same(wanted: object, live: object) -> bool:
    """Tell whether two values of one type are equal, or texts that may mean the same."""
    if wanted == live or not (isinstance(wanted, str) and isinstance(live, str)):
        return wanted == live
    if "".join(wanted.split()).casefold() == "".join(live.split()).casefold():
        return True
    return any(
        value is not None and value == _read(live, read)
        for read in (read_quantity, parse_duration, read_time, ip_interface)
        for value in (_read(wanted, read),)
    )


def _read(text: str, read: Callable[[str], object]) -> object:
    try:
        return read(text)
    except ValueError:
        return None
