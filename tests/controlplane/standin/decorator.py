"""Runs a DecoratorController: labels, annotations, status and attachments of objects of others."""

from collections.abc import Mapping

from tests.controlplane.api import ApiError, Object
from tests.controlplane.standin import children, objects, writes
from tests.controlplane.standin.controller import Controller
from tests.controlplane.standin.objects import ObjectMap
from tests.controlplane.standin.strict import DECORATOR_ANSWER

MADE_BY = "metacontroller.k8s.io/decorator-controller"


class Decorator(Controller):
    """One DecoratorController at work."""

    answer_shape = staticmethod(DECORATOR_ANSWER)
    children_field = "attachments"

    def _observed(self, parent: Object) -> ObjectMap:
        found: ObjectMap = {}
        for informer in self._child_informers:
            group = found.setdefault(informer.kind.key, {})
            for child in informer.all(objects.namespace(parent)):
                owner = objects.controller_reference(child) or {}
                made_by = objects.annotations(child).get(MADE_BY)
                if owner.get("uid") == objects.uid(parent) and made_by == self.spec.name:
                    group[objects.qualified(child)] = child
        return found

    def _request(self, parent: Object, observed: ObjectMap, related: ObjectMap) -> Object:
        return {
            "controller": self.spec.sent,
            "object": parent,
            "attachments": observed,
            "related": related,
        }

    def _apply(self, parent: Object, observed: ObjectMap, answer: Object) -> None:
        if not self._write(parent, answer):
            return
        wanted = [
            objects.with_metadata(
                child, {"annotations": {**objects.annotations(child), MADE_BY: self.spec.name}}
            )
            for child in self._wanted(parent, answer)
        ]
        self._manage_children(parent, observed, children.object_map(wanted))

    def _write(self, parent: Object, answer: Object) -> bool:
        """Write what the answer changes of the parent, with the version that the cache had.

        Returns False when the parent is gone or somebody wrote in between: nothing more is done,
        since the change that did it brings the next sync.
        """
        labels = _changed(objects.labels(parent), answer.get("labels"))
        annotations = _changed(objects.annotations(parent), answer.get("annotations"))
        before, status = parent.get("status"), answer.get("status")
        status = before if status is None else status
        finalized = bool(answer.get("finalized"))
        if (
            labels == objects.labels(parent)
            and annotations == objects.annotations(parent)
            and objects.same(status, before)
            and not (finalized and self.spec.finalizer in objects.finalizers(parent))
        ):
            return True
        updated = {
            **parent,
            "metadata": {**parent["metadata"], "labels": labels, "annotations": annotations},
            "status": status,
        }
        kind = self._parent_kind(parent)
        try:
            if kind.has_status and not objects.same(status, before):
                written = kind.resource.update(updated, "status")
                version = {"resourceVersion": objects.version(written)}
                updated = objects.with_metadata(updated, version)
            if finalized:
                updated = writes.without_finalizer(updated, self.spec.finalizer)
            kind.resource.update(updated)
        except ApiError as error:
            if error.not_found or error.conflict:
                return False
            raise
        return True


def _changed(there: Mapping[str, str], wanted: Mapping[str, str | None] | None) -> dict[str, str]:
    merged = {**there, **(wanted or {})}
    return {key: value for key, value in merged.items() if value is not None}
