"""Runs a CompositeController: status and children of objects of a kind of its own."""

from tests.controlplane.api import ApiError, Object
from tests.controlplane.standin import children, objects, writes
from tests.controlplane.standin.controller import Controller
from tests.controlplane.standin.discovery import Kind
from tests.controlplane.standin.errors import SyncError
from tests.controlplane.standin.objects import ObjectMap
from tests.controlplane.standin.strict import COMPOSITE_ANSWER
from tests.controlplane.standin.writes import GoneError

PARENT_LABEL = "controller-uid"


class Composite(Controller):
    """One CompositeController with `generateSelector` at work.

    A child is a parent's by its owner reference and by the label with the parent's UID: without
    the label it is released, and an orphan with the label is adopted.
    """

    answer_shape = staticmethod(COMPOSITE_ANSWER)
    children_field = "children"

    def _parents_of(self, child: Object) -> list[Object]:
        if objects.controller_reference(child) is None and not objects.deleting(child):
            uid = objects.labels(child).get(PARENT_LABEL)
            return [parent for parent in self._known_parents() if objects.uid(parent) == uid]
        return super()._parents_of(child)

    def _observed(self, parent: Object) -> ObjectMap:
        found: ObjectMap = {}
        for informer in self._child_informers:
            group = found.setdefault(informer.kind.key, {})
            for child in informer.all(objects.namespace(parent)):
                if self._claim(parent, informer.kind, child):
                    group[objects.qualified(child)] = child
        return found

    def _claim(self, parent: Object, kind: Kind, child: Object) -> bool:
        """Tell whether a child is the parent's, after adopting or releasing it."""
        owner = objects.controller_reference(child)
        labelled = objects.labels(child).get(PARENT_LABEL) == objects.uid(parent)
        if owner is not None:
            if owner["uid"] != objects.uid(parent) or labelled:
                return bool(owner["uid"] == objects.uid(parent))
            if not objects.deleting(parent):
                self._own(parent, kind, child, [])
            return False
        if objects.deleting(parent) or objects.deleting(child) or not labelled:
            return False
        fresh = self._parent_kind(parent).resource.get(
            objects.name(parent), objects.namespace(parent)
        )
        if objects.uid(fresh) != objects.uid(parent) or objects.deleting(fresh):
            raise SyncError(f"can't adopt {objects.described(child)}: its parent is going")
        return self._own(parent, kind, child, [objects.reference_to(parent)])

    def _own(self, parent: Object, kind: Kind, child: Object, references: list[Object]) -> bool:
        """Replace a parent's owner references of a child; False when the child is gone."""

        def change(current: Object) -> Object:
            others = [
                reference
                for reference in current["metadata"].get("ownerReferences") or []
                if reference["uid"] != objects.uid(parent)
            ]
            return objects.with_metadata(current, {"ownerReferences": others + references})

        try:
            writes.atomic_update(kind, child, change)
        except GoneError:
            return False
        return True

    def _request(self, parent: Object, observed: ObjectMap, related: ObjectMap) -> Object:
        return {
            "controller": self.spec.sent,
            "parent": parent,
            "children": observed,
            "related": related,
        }

    def _apply(self, parent: Object, observed: ObjectMap, answer: Object) -> None:
        if answer.get("finalized"):
            kind = self._parent_kind(parent)
            parent = writes.remove_finalizer(kind, parent, self.spec.finalizer)
        wanted = [self._labelled(parent, child) for child in self._wanted(parent, answer)]
        failed: SyncError | None = None
        try:
            self._manage_children(parent, observed, children.object_map(wanted))
        except SyncError as error:
            failed = error
        if self._write_status(parent, answer) and failed:
            raise failed

    def _labelled(self, parent: Object, child: Object) -> Object:
        labels = {PARENT_LABEL: objects.uid(parent), **objects.labels(child)}
        if labels[PARENT_LABEL] != objects.uid(parent):
            raise SyncError(f"labels on {objects.described(child)} don't match its parent's")
        return objects.with_metadata(child, {"labels": labels})

    def _write_status(self, parent: Object, answer: Object) -> bool:
        """Make the status what was answered; False when the parent is gone or being written."""
        generation = objects.generation(parent)
        status = {**(answer.get("status") or {}), "observedGeneration": generation}

        def change(current: Object) -> Object | None:
            if objects.same(current.get("status"), status):
                return None
            return {**current, "status": status}

        try:
            writes.atomic_update(self._parent_kind(parent), parent, change, status=True)
        except GoneError:
            return False
        except ApiError as error:
            if error.not_found or error.conflict:
                return False
            raise
        return True
