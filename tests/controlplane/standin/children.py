"""Makes a parent's children what its hook wants them to be."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from tests.controlplane.api import ApiError, Object
from tests.controlplane.standin import merge, objects
from tests.controlplane.standin.discovery import Discovery, Kind
from tests.controlplane.standin.errors import SyncError
from tests.controlplane.standin.objects import ObjectMap

GARBAGE_COLLECTOR = {"foregroundDeletion", "orphan"}


class ChildrenError(SyncError):
    """Some children could not be made what they should be; the others were."""


def object_map(found: Iterable[Object]) -> ObjectMap:
    """Return objects as v2 maps hold them: by kind, then by `namespace/name` or name."""
    grouped: ObjectMap = {}
    for obj in found:
        key = objects.kind_key(str(obj.get("apiVersion", "")), str(obj["kind"]))
        grouped.setdefault(key, {})[objects.qualified(obj)] = obj
    return grouped


def may_manage(parent: Object, finalizer: str, *, has_finalize_hook: bool) -> bool:
    """Tell whether a parent's children are to be touched.

    A living parent's are; a deleted one's only while the finalize hook holds it and the garbage
    collector is not at them.
    """
    if not objects.deleting(parent):
        return True
    held = objects.finalizers(parent)
    return has_finalize_hook and finalizer in held and not GARBAGE_COLLECTOR.intersection(held)


class Children:
    """The children of one controller's parents; `methods` has each kind's update method."""

    def __init__(self, discovery: Discovery, methods: Mapping[str, str]) -> None:
        self._discovery = discovery
        self._methods = methods

    def manage(self, parent: Object, observed: ObjectMap, wanted: ObjectMap) -> None:
        """Delete the observed ones that are not wanted, create and change the wanted ones.

        One that fails does not keep the others from being tried.
        """
        errors: list[str] = []
        for group, children in sorted(observed.items()):
            for key, child in children.items():
                if not objects.deleting(child) and key not in wanted.get(group, {}):
                    errors += _failure("delete", child, self._delete)
        for group, children in sorted(wanted.items()):
            for key, child in children.items():
                there = observed.get(group, {}).get(key)
                errors += _failure("apply", child, partial(self._apply, parent, there))
        if errors:
            raise ChildrenError(
                f"can't reconcile children of {objects.described(parent)}: {'; '.join(errors)}"
            )

    def _apply(self, parent: Object, observed: Object | None, wanted: Object) -> None:
        if observed is None:
            self._create(parent, wanted)
        else:
            self._update(observed, wanted)

    def _delete(self, child: Object) -> None:
        resource = self._kind(child).resource
        try:
            resource.delete(objects.name(child), objects.namespace(child), uid=objects.uid(child))
        except ApiError as error:
            if not error.not_found:
                raise

    def _create(self, parent: Object, wanted: Object) -> None:
        """Create a child; a name that somebody else's object has is silently left to it."""
        kind = self._kind(wanted)
        owners = list(wanted["metadata"].get("ownerReferences") or [])
        if all(owner.get("uid") != objects.uid(parent) for owner in owners):
            owners.append(objects.reference_to(parent))
        noted = merge.with_last_applied(wanted, wanted)
        try:
            kind.resource.create(objects.with_metadata(noted, {"ownerReferences": owners}))
        except ApiError as error:
            if not error.already_exists:
                raise

    def _update(self, observed: Object, wanted: Object) -> None:
        kind = self._kind(wanted)
        updated = merge.updated(observed, wanted)
        if objects.same(updated, observed) or objects.deleting(observed):
            return
        match self._methods.get(f"{kind.kind}.{objects.group(kind.api_version)}", "OnDelete"):
            case "Recreate":
                self._delete(observed)
            case "InPlace":
                try:
                    kind.resource.update(updated)
                except ApiError as error:
                    if not (error.not_found or error.conflict):
                        raise

    def _kind(self, child: Object) -> Kind:
        return self._discovery.kind(str(child.get("apiVersion", "")), str(child["kind"]))


def _failure(verb: str, child: Object, act: Callable[[Object], None]) -> list[str]:
    """Do one thing to one child; return what went wrong, if anything."""
    try:
        act(child)
    except (ApiError, SyncError) as error:
        return [f"can't {verb} {objects.described(child)}: {error}"]
    return []
