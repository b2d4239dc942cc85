"""Changes objects on the API server the way Metacontroller does."""

import time
from collections.abc import Callable

from tests.controlplane.api import ApiError, Object
from tests.controlplane.standin import objects
from tests.controlplane.standin.discovery import Kind
from tests.controlplane.standin.errors import SyncError

ATTEMPTS = 5
RETRY_SECONDS = 0.01


class GoneError(SyncError):
    """The object is not there any more, or another one has its name."""


def atomic_update(
    kind: Kind, known: Object, change: Callable[[Object], Object | None], *, status: bool = False
) -> Object:
    """Read an object afresh, change it and write it, again when somebody wrote in between.

    `change` returns the changed object, or None when there is nothing to write. Only the identity
    of `known` counts. Returns the object as it is afterwards.
    """
    namespace, name = objects.namespace(known), objects.name(known)
    for attempt in range(1, ATTEMPTS + 1):
        current = kind.resource.find(name, namespace)
        if current is None or objects.uid(current) != objects.uid(known):
            raise GoneError(f"{objects.described(known)} is gone")
        changed = change(current)
        if changed is None:
            return current
        try:
            return kind.resource.update(changed, "status" if status else "")
        except ApiError as error:
            if not error.conflict or attempt == ATTEMPTS:
                raise
            time.sleep(RETRY_SECONDS)
    raise AssertionError("the last attempt returns or raises")


def add_finalizer(kind: Kind, obj: Object, finalizer: str) -> Object:
    """Put a finalizer on an object, whatever else has changed; return the object."""

    def add(current: Object) -> Object | None:
        if finalizer in objects.finalizers(current):
            return None
        return with_finalizers(current, [*objects.finalizers(current), finalizer])

    return atomic_update(kind, obj, add)


def remove_finalizer(kind: Kind, obj: Object, finalizer: str) -> Object:
    """Take a finalizer off an object, whatever else has changed; return the object."""

    def remove(current: Object) -> Object | None:
        if finalizer not in objects.finalizers(current):
            return None
        return without_finalizer(current, finalizer)

    return atomic_update(kind, obj, remove)


def with_finalizers(obj: Object, finalizers: list[str]) -> Object:
    """Return a copy of an object with these finalizers."""
    return objects.with_metadata(obj, {"finalizers": finalizers})


def without_finalizer(obj: Object, finalizer: str) -> Object:
    """Return a copy of an object without a finalizer."""
    kept = [other for other in objects.finalizers(obj) if other != finalizer]
    return with_finalizers(obj, kept)
