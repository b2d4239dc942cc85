"""Knows which objects a parent's hook wants to see, and the parents that a change concerns."""

import threading
import time
from collections.abc import Callable

import requests

from tests.controlplane.api import ApiError, Object
from tests.controlplane.standin import objects, selectors
from tests.controlplane.standin.discovery import Kind
from tests.controlplane.standin.errors import NotSyncedError, SyncError, ThrottledError
from tests.controlplane.standin.informer import Change, Informer, Informers, Subscription
from tests.controlplane.standin.objects import ObjectMap
from tests.controlplane.standin.webhook import Hook

CACHE_SECONDS = 20 * 60.0

Rules = list[Object]


class Related:
    """What the customize hook of one controller asks for.

    Its answers are kept by the parent's UID and generation: for kinds without a generation, the
    first answer counts for twenty minutes.
    """

    def __init__(
        self, hook: Hook | None, controller: Object, informers: Informers, session: requests.Session
    ) -> None:
        self._hook = hook
        self._controller = controller
        self._informers = informers
        self._session = session
        self._lock = threading.Lock()
        self._cache: dict[tuple[str, int], tuple[float, Rules]] = {}
        self._subscriptions: dict[Kind, Subscription] = {}
        self._parents: Callable[[], list[Object]] = list
        self._enqueue: Callable[[Object], None] = lambda _: None

    def start(self, parents: Callable[[], list[Object]], enqueue: Callable[[Object], None]) -> None:
        """Have parents enqueued when an object that one of their rules takes changes."""
        self._parents, self._enqueue = parents, enqueue

    def stop(self) -> None:
        """Enqueue nothing any more."""
        for subscription in self._subscriptions.values():
            subscription.close()

    def of(self, parent: Object) -> ObjectMap:
        """Return what a parent's rules take; NotSyncedError while a kind is not listed yet."""
        found: ObjectMap = {}
        for rule in self._rules(parent):
            informer = self._informer(rule)
            if not informer.synced.is_set():
                raise NotSyncedError(informer.kind.plural)
            group = found.setdefault(informer.kind.key, {})
            for obj in informer.all():
                if _takes(rule, obj):
                    group[objects.qualified(obj)] = obj
        return found

    def _rules(self, parent: Object) -> Rules:
        if self._hook is None:
            return []
        key, now = (objects.uid(parent), objects.generation(parent)), time.monotonic()
        with self._lock:
            since, rules = self._cache.get(key, (float("-inf"), []))
        if now - since < CACHE_SECONDS:
            return rules
        request = {"controller": self._controller, "parent": parent}
        rules = self._hook.call(self._session, request).get("relatedResources") or []
        for rule in rules:
            _check(rule)
        with self._lock:
            self._cache[key] = (now, rules)
        return rules

    def _informer(self, rule: Object) -> Informer:
        informer = self._informers.of(rule.get("apiVersion", ""), rule.get("resource", ""))
        with self._lock:
            if informer.kind not in self._subscriptions:
                subscription = informer.subscribe(lambda change: self._on_change(informer, change))
                self._subscriptions[informer.kind] = subscription
        return informer

    def _on_change(self, informer: Informer, change: Change) -> None:
        """Enqueue each parent that a rule of its own makes interested.

        Every parent of the controller's kinds is asked for its rules, whether or not the
        controller's selector takes it.
        """
        states = [state for state in (change.old, change.new) if state is not None]
        if len({objects.version(state) for state in states}) < len(states):
            return
        for parent in self._parents():
            try:
                rules = self._rules(parent)
            except (SyncError, ThrottledError, ApiError, requests.RequestException):
                continue
            concerned = [rule for rule in rules if _is_for(rule, informer.kind)]
            if any(_takes(rule, state) for rule in concerned for state in states):
                self._enqueue(parent)


def _check(rule: Object) -> None:
    by_selector = rule.get("labelSelector") is not None
    if rule.get("namespaceSelector") is not None:
        raise SyncError("a related rule with a namespaceSelector, which the stand-in does not know")
    if rule.get("names") and by_selector:
        raise SyncError("a related rule with both names and labelSelector")


def _is_for(rule: Object, kind: Kind) -> bool:
    return rule.get("apiVersion") == kind.api_version and rule.get("resource") == kind.plural


def _takes(rule: Object, obj: Object) -> bool:
    names, namespace = rule.get("names") or [], rule.get("namespace") or ""
    if names and objects.name(obj) not in names:
        return False
    if namespace and objects.namespace(obj) not in {"", namespace}:
        return False
    return selectors.matches(rule.get("labelSelector"), objects.labels(obj))
