"""Starts, replaces and stops a controller for each object that describes one."""

import logging
import threading

import requests

from tests.controlplane.api import ApiError, Object
from tests.controlplane.standin import objects, selectors, spec
from tests.controlplane.standin.composite import Composite
from tests.controlplane.standin.controller import Controller, Surroundings
from tests.controlplane.standin.decorator import Decorator
from tests.controlplane.standin.errors import SyncError
from tests.controlplane.standin.informer import Change, Informer
from tests.controlplane.standin.workqueue import WorkQueue

LOG = logging.getLogger(__name__)

PLURALS = {spec.DECORATOR: "decoratorcontrollers", spec.COMPOSITE: "compositecontrollers"}


class Controllers:
    """All controllers that the API server has."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._queue: WorkQueue[tuple[str, str]] = WorkQueue()
        self._running: dict[tuple[str, str], Controller] = {}
        self._written: dict[str, Informer] = {}

    def start(self) -> None:
        """Follow the objects that describe controllers, for ever."""
        for kind, plural in PLURALS.items():
            self._written[kind] = self._around.informers.of(spec.API_VERSION, plural)
            self._written[kind].subscribe(self._on_change)
        threading.Thread(target=self._work, daemon=True).start()

    def _on_change(self, change: Change) -> None:
        obj = change.new or change.old
        if obj is not None and selectors.matches(
            {"matchLabels": self._around.selector}, objects.labels(obj)
        ):
            self._queue.add((str(obj["kind"]), objects.name(obj)))

    def _work(self) -> None:
        while (key := self._queue.take()) is not None:
            self._reconcile(*key)
            self._queue.done(key)

    def _reconcile(self, kind: str, name: str) -> None:
        written, running = self._written[kind].get("", name), self._running.get((kind, name))
        if written and running and objects.same(written["spec"], running.spec.source["spec"]):
            return
        if running:
            del self._running[kind, name]
            running.stop()
            self._around.events.normal(running.spec.source, "Stopped", f"Stopped: {name}")
        if written:
            self._start(kind, name, written)

    def _start(self, kind: str, name: str, written: Object) -> None:
        try:
            parsed = spec.parse(written)
            if kind == spec.COMPOSITE and not self._parent_has_status(parsed):
                message = f"{name} is ignored: its parent has no status subresource"
                self._around.events.warning(written, "SyncError", message)
                return
            make = Composite if kind == spec.COMPOSITE else Decorator
            controller = make(parsed, self._around)
        except (spec.SpecError, SyncError, ApiError, requests.RequestException) as error:
            LOG.warning("%s %s: %s", kind, name, error)
            self._around.events.warning(written, "CreateError", f"Cannot create: {error}")
            self._queue.retry((kind, name))
            return
        self._queue.forget((kind, name))
        controller.start()
        self._running[kind, name] = controller
        self._around.events.normal(written, "Started", f"Started: {name}")

    def _parent_has_status(self, parsed: spec.ControllerSpec) -> bool:
        (parent,) = parsed.parents
        return self._around.discovery.resource(parent.api_version, parent.resource).has_status
