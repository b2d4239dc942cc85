"""Field managers: what of an object was ours to change before server-side apply knew us."""

from hooks.http.bounded_json import Json
from hooks.kube.objects import items, part
from hooks.names import FIELD_MANAGER

#: The managers of client-side apply, whose fields kubectl too moves when it changes to server-side
#: apply (`csaupgrade` in client-go).
CLIENT_SIDE = ("before-first-apply", "kubectl-client-side-apply", "kubectl-create")
#: Where client-side apply keeps what it applied.
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def move_managers(obj: Json) -> list[Json] | None:
    """Return `managedFields` in which we own what client-side apply set; None if it set nothing.

    Then a field that leaves the source also leaves the object.
    """
    entries = [entry for entry in items(obj, "metadata", "managedFields") if _is_whole(entry)]
    moved = [entry for entry in entries if _is_client_side(entry)]
    if not moved:
        return None
    version = moved[0].get("apiVersion")
    ours = [entry for entry in entries if _is_ours(entry)]
    fields: Json = {}
    for entry in (*ours, *moved):
        if entry.get("apiVersion") == version:
            fields = _union(fields, part(entry, "fieldsV1"))
    kept = [entry for entry in entries if entry not in moved and entry not in ours]
    new = {"manager": FIELD_MANAGER, "operation": "Apply", "apiVersion": version}
    return [*kept, {**new, "fieldsType": "FieldsV1", "fieldsV1": fields}]


def _is_whole(entry: object) -> bool:
    return isinstance(entry, dict) and _is_tree(entry.get("fieldsV1"))


def _is_tree(fields: object) -> bool:
    return isinstance(fields, dict) and all(map(_is_tree, fields.values()))


def _is_client_side(entry: Json) -> bool:
    is_update = entry.get("operation") == "Update" and not entry.get("subresource")
    return is_update and entry.get("manager") in CLIENT_SIDE


def _is_ours(entry: Json) -> bool:
    return (entry.get("manager"), entry.get("operation")) == (FIELD_MANAGER, "Apply")


def _union(one: Json, other: Json) -> Json:
    """Unite two sets of fields: trees whose branches are names of fields."""
    both = {key: _union(one[key], other[key]) for key in one.keys() & other.keys()}
    return {**one, **other, **both}
