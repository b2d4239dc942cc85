"""What a hook is built from, where a test needs only some of it."""

from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry

from hooks.cloudstack import Cloud
from hooks.http.deadline import Monotonic
from hooks.kube.client import Kube
from hooks.settings.config import Config
from hooks.webhook.hook import Dependencies
from hooks.webhook.reconcile import Record


def dependencies(
    kube: Kube,
    *,
    clock: Callable[[], float],
    monotonic: Monotonic | None = None,
    pause: Callable[[float], None] = lambda _seconds: None,
    cloud: Callable[[], Cloud] | None = None,
    record: Record = lambda _: None,
    registry: CollectorRegistry | None = None,
    **settings: Any,
) -> Dependencies:
    """Return what `build` takes; settings that are not given have their defaults.

    The clock never steps unless `monotonic` is given, and nobody waits unless `pause` is.
    """
    return Dependencies(
        config=Config(**settings),
        cloud=cloud or _no_cloud,
        kube=kube,
        record=record,
        registry=registry or CollectorRegistry(),
        clock=clock,
        monotonic=monotonic or clock,
        pause=pause,
    )


def _no_cloud() -> Cloud:
    raise AssertionError("this hook calls no CloudStack")
