"""A hook, to the process: what it is built from, and which paths it answers."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from prometheus_client import CollectorRegistry

from hooks.cloudstack import Cloud
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline, Monotonic
from hooks.kube.client import Kube
from hooks.settings.config import Config
from hooks.webhook.reconcile import CallResult, Record

#: Answers one call. Raises BadRequest, CloudStackError, KubeError.
Handler = Callable[[Json, Deadline], CallResult]


@dataclass(frozen=True)
class Document:
    """What a person or a program reads with GET."""

    text: str
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


#: Makes what GET of one path returns. Raises KubeError.
Page = Callable[[Deadline], Document]


class Hook(Protocol):
    """A hook, as the app serves it."""

    @property
    def routes(self) -> Mapping[str, Handler]:
        """Map paths such as `/nodes/sync` to what answers them."""

    @property
    def pages(self) -> Mapping[str, Page]:
        """Map paths such as `/` to what GET of them returns; most hooks have none."""
        return {}

    def close(self) -> None:
        """End what the hook runs in the background; most run nothing."""
        return


@dataclass(frozen=True)
class Dependencies:
    """What a hook is built from.

    Attributes:
        config: the settings of the process.
        cloud: returns the CloudStack of the newest cloud-config. Raises CloudStackError without
            one.
        kube: the API server.
        record: records an Event, which is written later.
        registry: for the hook's own metrics.
        clock: epoch seconds, which may step: for what is written, not for durations.
        monotonic: monotonic seconds.
        pause: waits for some seconds.
    """

    config: Config
    cloud: Callable[[], Cloud]
    kube: Kube
    record: Record
    registry: CollectorRegistry
    clock: Callable[[], float] = time.time
    monotonic: Monotonic = time.monotonic
    pause: Callable[[float], None] = time.sleep
