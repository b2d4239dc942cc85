"""Runs one controller: which parents are synced, when, and what follows from a failure."""

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import requests

from tests.controlplane.api import Api, ApiError, Object
from tests.controlplane.standin import children, objects, selectors, spec, writes
from tests.controlplane.standin.discovery import Discovery, Kind
from tests.controlplane.standin.errors import NotSyncedError, SyncError, ThrottledError
from tests.controlplane.standin.events import Events
from tests.controlplane.standin.informer import Change, Handler, Informer, Informers, Subscription
from tests.controlplane.standin.objects import ObjectMap
from tests.controlplane.standin.related import Related
from tests.controlplane.standin.spec import ControllerSpec, HookSpec, ParentRule
from tests.controlplane.standin.strict import CUSTOMIZE_ANSWER, Shape
from tests.controlplane.standin.webhook import Hook
from tests.controlplane.standin.workqueue import WorkQueue

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Surroundings:
    """What all controllers share."""

    api: Api
    discovery: Discovery
    informers: Informers
    events: Events
    hooks: requests.Session
    workers: int
    selector: Mapping[str, str]


class ParentKey(NamedTuple):
    """Which parent: its kind as v2 maps name it, and where it is."""

    kind: str
    namespace: str
    name: str


@dataclass(frozen=True)
class Parents:
    """One kind of parent: which of its objects count, and where they are kept."""

    rule: ParentRule
    informer: Informer

    def match(self, parent: Object) -> bool:
        """Tell whether the controller's selectors take a parent."""
        return selectors.matches(self.rule.label_selector, objects.labels(parent)) and (
            selectors.matches(self.rule.annotation_selector, objects.annotations(parent))
        )

    def hides(self, change: Change) -> bool:
        """Tell whether `ignoreStatusChanges` makes nothing of a change; a resync always counts."""
        old, new = change.old, change.new
        if not self.rule.ignore_status_changes or old is None or new is None or old is new:
            return False
        return (
            objects.generation(old) == objects.generation(new)
            and objects.labels(old) == objects.labels(new)
            and objects.annotations(old) == objects.annotations(new)
            and not objects.deleting(new)
        )


class Controller(ABC):
    """One DecoratorController or CompositeController at work."""

    answer_shape: Shape
    children_field: str

    def __init__(self, written: ControllerSpec, around: Surroundings) -> None:
        self.spec = written
        self._around = around
        self._parents = {
            informer.kind.key: Parents(rule, informer)
            for rule in written.parents
            for informer in [around.informers.of(rule.api_version, rule.resource)]
        }
        self._child_informers = [
            around.informers.of(rule.api_version, rule.resource) for rule in written.children
        ]
        methods = {
            f"{informer.kind.kind}.{objects.group(rule.api_version)}": rule.method
            for rule, informer in zip(written.children, self._child_informers, strict=True)
        }
        self._children = children.Children(around.discovery, methods)
        self._hooks = {name: self._hook(name, hook) for name, hook in written.hooks.items()}
        self._related = Related(
            self._hooks.get("customize"), written.sent, around.informers, around.hooks
        )
        self._queue: WorkQueue[ParentKey] = WorkQueue()
        self._subscriptions: list[Subscription] = []
        self._workers: list[threading.Thread] = []
        self._stopped = threading.Event()

    def start(self) -> None:
        """Watch parents and children, and sync as soon as all are listed."""
        self._related.start(self._known_parents, self._enqueue)
        for parents in self._parents.values():
            handler = self._parent_handler(parents)
            self._subscriptions.append(parents.informer.subscribe(handler, self.spec.resync))
        for informer in self._child_informers:
            self._subscriptions.append(informer.subscribe(self._on_child))
        for _ in range(self._around.workers):
            worker = threading.Thread(target=self._work, daemon=True)
            worker.start()
            self._workers.append(worker)

    def stop(self) -> None:
        """Stop watching, and wait for the syncs that are under way."""
        self._stopped.set()
        for subscription in self._subscriptions:
            subscription.close()
        self._related.stop()
        self._queue.close()
        for worker in self._workers:
            worker.join()

    @abstractmethod
    def _observed(self, parent: Object) -> ObjectMap:
        """Return a parent's children, with a group for every kind of child."""

    @abstractmethod
    def _request(self, parent: Object, observed: ObjectMap, related: ObjectMap) -> Object:
        """Return what the sync or finalize hook is sent, `finalizing` left out."""

    @abstractmethod
    def _apply(self, parent: Object, observed: ObjectMap, answer: Object) -> None:
        """Make a parent and its children what the hook answered."""

    def _hook(self, name: str, hook: HookSpec) -> Hook:
        shape = CUSTOMIZE_ANSWER if name == "customize" else self.answer_shape
        authorization = ""
        if hook.authorization:
            authorization = spec.authorization(hook.authorization, self._around.api)
        return Hook(name, hook.url, hook.timeout, shape, authorization)

    def _known_parents(self) -> list[Object]:
        return [obj for parents in self._parents.values() for obj in parents.informer.all()]

    def _parent_handler(self, parents: Parents) -> Handler:
        def on_parent(change: Change) -> None:
            obj = change.new or change.old
            if obj is not None and not parents.hides(change):
                self._enqueue(obj)

        return on_parent

    def _on_child(self, change: Change) -> None:
        """Enqueue the parent of a child that changed; a resync of children means nothing."""
        if change.old and change.new and objects.version(change.old) == objects.version(change.new):
            return
        child = change.new or change.old
        if child is not None:
            for parent in self._parents_of(child):
                self._enqueue(parent)

    def _parents_of(self, child: Object) -> list[Object]:
        """Return the parent that a child's controller reference names, if it is one of ours."""
        reference = objects.controller_reference(child)
        if reference is None:
            return []
        for parents in self._parents.values():
            kind = parents.informer.kind
            if (reference["kind"], objects.group(reference["apiVersion"])) == (
                kind.kind,
                objects.group(kind.api_version),
            ):
                parent = parents.informer.get(objects.namespace(child), reference["name"])
                if parent is not None and objects.uid(parent) == reference["uid"]:
                    return [parent]
        return []

    def _concerns(self, parent: Object) -> bool:
        """Tell whether a parent is the controller's: by its selectors, or still by finalizer."""
        held = self.spec.finalizer in objects.finalizers(parent)
        return held or self._parents[_kind_key(parent)].match(parent)

    def _enqueue(self, parent: Object) -> None:
        if self._concerns(parent):
            self._queue.add(_key(parent))

    def _work(self) -> None:
        informers = [parents.informer for parents in self._parents.values()]
        for informer in [*informers, *self._child_informers]:
            while not informer.synced.wait(0.1):
                if self._stopped.is_set():
                    return
        while (key := self._queue.take()) is not None:
            self._work_on(key)
            self._queue.done(key)

    def _work_on(self, key: ParentKey) -> None:
        parent = self._parents[key.kind].informer.get(key.namespace, key.name)
        try:
            if parent is not None:
                self._sync(self._parents[key.kind], parent)
            self._queue.forget(key)
        except ThrottledError as asked:
            self._queue.add_after(key, asked.seconds)
        except NotSyncedError:
            self._queue.retry(key)
        except (SyncError, ApiError, requests.RequestException) as error:
            LOG.warning("%s: sync of %s: %s", self.spec.name, key, error)
            if parent is not None:
                self._around.events.warning(parent, "SyncError", f"Sync error: {error}")
            self._queue.retry(key)

    def _sync(self, parents: Parents, parent: Object) -> None:
        if not self._concerns(parent):
            return
        parent = self._with_finalizer(parents.informer.kind, parent)
        if not self._concerns(parent):
            return
        for rule in self.spec.children:
            self._around.discovery.resource(rule.api_version, rule.resource)
        observed = self._observed(parent)
        request = self._request(parent, observed, self._related.of(parent))
        gone = objects.deleting(parent) or not parents.match(parent)
        finalizing = gone and "finalize" in self._hooks
        hook = self._hooks["finalize" if finalizing else "sync"]
        answer = hook.call(self._around.hooks, {**request, "finalizing": finalizing})
        again = answer.get("resyncAfterSeconds") or 0
        if again > 0:
            self._queue.add_after(_key(parent), again)
        self._apply(parent, observed, answer)

    def _with_finalizer(self, kind: Kind, parent: Object) -> Object:
        """Return a parent with the finalizer that the finalize hook needs, or without."""
        has, needs = self.spec.finalizer in objects.finalizers(parent), "finalize" in self._hooks
        if has and not needs:
            return writes.remove_finalizer(kind, parent, self.spec.finalizer)
        if needs and not has and not objects.deleting(parent):
            return writes.add_finalizer(kind, parent, self.spec.finalizer)
        return parent

    def _wanted(self, parent: Object, answer: Object) -> list[Object]:
        """Return the children of an answer; those without a namespace are in the parent's."""
        where = objects.namespace(parent)
        return [
            objects.with_metadata(child, {"namespace": objects.namespace(child) or where})
            for child in answer.get(self.children_field) or []
        ]

    def _manage_children(self, parent: Object, observed: ObjectMap, wanted: ObjectMap) -> None:
        finalizer, has_hook = self.spec.finalizer, "finalize" in self._hooks
        if children.may_manage(parent, finalizer, has_finalize_hook=has_hook):
            self._children.manage(parent, observed, wanted)

    def _parent_kind(self, parent: Object) -> Kind:
        return self._parents[_kind_key(parent)].informer.kind


def _kind_key(parent: Object) -> str:
    return objects.kind_key(parent["apiVersion"], parent["kind"])


def _key(parent: Object) -> ParentKey:
    return ParentKey(_kind_key(parent), objects.namespace(parent), objects.name(parent))
