"""Keeps a copy of all objects of one kind and tells subscribers what changes."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import requests

from tests.controlplane.api import ApiError, Object
from tests.controlplane.standin import objects
from tests.controlplane.standin.discovery import Discovery, Kind

LOG = logging.getLogger(__name__)

FIRST_RETRY = 0.2
LAST_RETRY = 5.0


@dataclass(frozen=True)
class Change:
    """What a subscriber is told: `old` is None for an addition, `new` for a removal.

    In a resync both are the same object.
    """

    old: Object | None
    new: Object | None


Handler = Callable[[Change], None]


class Subscription:
    """One subscriber: told in a thread of its own, so that a slow one delays nobody else."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._changes: queue.SimpleQueue[Change | None] = queue.SimpleQueue()
        self.closed = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def tell(self, change: Change) -> None:
        """Have the handler called."""
        self._changes.put(change)

    def close(self) -> None:
        """Call the handler no more."""
        self.closed.set()
        self._changes.put(None)

    def _run(self) -> None:
        while (change := self._changes.get()) and not self.closed.is_set():
            self._handler(change)


class Informer:
    """The objects of one kind. What it returns is shared: nobody changes it."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.synced = threading.Event()
        self._lock = threading.Lock()
        self._store: dict[tuple[str, str], Object] = {}
        self._subscriptions: list[Subscription] = []
        threading.Thread(target=self._run, daemon=True).start()

    def get(self, namespace: str, name: str) -> Object | None:
        """Return one object, if it is there."""
        with self._lock:
            return self._store.get((namespace if self.kind.namespaced else "", name))

    def all(self, namespace: str = "") -> list[Object]:
        """Return the objects of a namespace, or of all."""
        with self._lock:
            return [
                obj
                for (where, _), obj in self._store.items()
                if not namespace or not self.kind.namespaced or where == namespace
            ]

    def subscribe(self, handler: Handler, resync: float | None = None) -> Subscription:
        """Tell a handler about all objects, all changes, and every `resync` seconds all again."""
        subscription = Subscription(handler)
        with self._lock:
            self._subscriptions = [s for s in self._subscriptions if not s.closed.is_set()]
            self._subscriptions.append(subscription)
            for obj in self._store.values():
                subscription.tell(Change(obj, obj))
        if resync is not None:
            every = max(resync, 1.0)
            resyncs = threading.Thread(target=self._resync, args=(subscription, every), daemon=True)
            resyncs.start()
        return subscription

    def _resync(self, subscription: Subscription, every: float) -> None:
        while not subscription.closed.wait(every):
            for obj in self.all():
                subscription.tell(Change(obj, obj))

    def _run(self) -> None:
        """List, then watch for ever; a version that is too old to watch from means list again."""
        delay, version = FIRST_RETRY, ""
        while True:
            try:
                if not version:
                    version = self._list()
                for seen in self._watch(version):
                    version, delay = seen, FIRST_RETRY
            except (ApiError, requests.RequestException) as error:
                LOG.info("watch of %s: %s", self.kind.plural, error)
                if isinstance(error, ApiError):
                    version = ""
                time.sleep(delay)
                delay = min(2 * delay, LAST_RETRY)

    def _list(self) -> str:
        page = self.kind.resource.page()
        header = {"apiVersion": self.kind.api_version, "kind": self.kind.kind}
        found = [{**header, **item} for item in page["items"]]
        with self._lock:
            gone = dict(self._store)
            for obj in found:
                key = objects.namespace(obj), objects.name(obj)
                self._tell(Change(gone.pop(key, None), obj))
            for key, obj in gone.items():
                del self._store[key]
                self._notify(Change(obj, None))
        self.synced.set()
        return str(page["metadata"]["resourceVersion"])

    def _watch(self, version: str) -> Iterator[str]:
        """Follow the changes since a version; yield the version after each."""
        with self.kind.resource.watch(since=version) as events:
            for event in events:
                if event.type != "BOOKMARK":
                    with self._lock:
                        key = objects.namespace(event.object), objects.name(event.object)
                        old = self._store.get(key)
                        if event.type == "DELETED":
                            self._store.pop(key, None)
                            self._notify(Change(event.object, None))
                        else:
                            self._tell(Change(old, event.object))
                yield objects.version(event.object)

    def _tell(self, change: Change) -> None:
        obj = change.new
        if obj is not None:
            self._store[objects.namespace(obj), objects.name(obj)] = obj
        self._notify(change)

    def _notify(self, change: Change) -> None:
        for subscription in self._subscriptions:
            subscription.tell(change)


class Informers:
    """One informer for each kind that anybody asked for, kept until the process ends."""

    def __init__(self, discovery: Discovery) -> None:
        self._discovery = discovery
        self._lock = threading.Lock()
        self._informers: dict[Kind, Informer] = {}

    def of(self, api_version: str, plural: str) -> Informer:
        """Return the informer of a resource; UnknownKindError when it is not served."""
        kind = self._discovery.resource(api_version, plural)
        with self._lock:
            if kind not in self._informers:
                self._informers[kind] = Informer(kind)
            return self._informers[kind]
