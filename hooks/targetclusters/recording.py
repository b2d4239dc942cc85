"""Reads why Metacontroller does not write an inventory that was answered: its Event says so."""

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.http.texts import one_line
from hooks.kube.client import Kube
from hooks.kube.kinds import Kind
from hooks.kube.times import read_time

EVENT = Kind("v1", "Event", "events", namespaced=True)
#: Metacontroller's reason for an answer that it could not carry out.
SYNC_ERROR = "SyncError"
#: Seconds for which such an Event counts: Metacontroller repeats one every five minutes.
RECENT = 900.0
#: Characters of the message that are kept: the API server's words come last.
MAX_MESSAGE = 600


def read_refusal(own: Kube, cluster: Json, now: float, deadline: Deadline) -> str:
    """Return what Metacontroller says last of an answer that it could not carry out; or nothing.

    Args:
        own: the API server with the TargetCluster.
        cluster: the TargetCluster.
        now: epoch seconds.
        deadline: of the list.

    Raises:
        KubeError: the Events cannot be read.
    """
    metadata = cluster["metadata"]
    selector = f"involvedObject.uid={metadata.get('uid')},reason={SYNC_ERROR}"
    params = {"fieldSelector": selector, "limit": "100"}
    path = EVENT.path(metadata["namespace"])
    said: list[tuple[float, str]] = []
    for event in own.list(path, deadline=deadline, params=params):
        last = event.get("lastTimestamp") or event.get("eventTime")
        when = read_time(last) if isinstance(last, str) else None
        if when is not None and when > now - RECENT and isinstance(event.get("message"), str):
            said.append((when, event["message"]))
    return one_line(max(said)[1], MAX_MESSAGE) if said else ""
