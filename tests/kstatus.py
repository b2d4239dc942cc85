"""How tools that know nothing of our kinds read their status."""

from hooks.http.bounded_json import Json
from tests.schemas import schema_of


def kstatus(obj: Json) -> str:
    """Read a status as kubectl, Flux and Argo CD do: cli-utils, pkg/kstatus, for kinds in general.

    An older generation and Reconciling come before Stalled, and Stalled before Ready. What is not
    in the status says nothing, so an object without one is Current.
    """
    status = obj.get("status") or {}
    generation = obj["metadata"]["generation"]
    conditions = {entry["type"]: entry["status"] for entry in status.get("conditions") or []}
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    if status.get("observedGeneration", generation) != generation:
        return "InProgress"
    if conditions.get("Reconciling") == "True":
        return "InProgress"
    if conditions.get("Stalled") == "True":
        return "Failed"
    return "Current" if conditions.get("Ready", "True") == "True" else "InProgress"


def created(obj: Json, plural: str) -> Json:
    """Return an object as the API server shows it before a hook has looked at it."""
    return {**obj, "status": dict(schema_of(plural)["status"].schema.get("default", {}))}
