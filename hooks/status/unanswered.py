"""Decides whether an object is without an answer: new, changed, left, or not to be deleted."""

from dataclasses import replace

from hooks.kube.times import read_time
from hooks.status.model import HELD, UNDER_WAY, Severity, Trouble
from hooks.status.rows import Named, TargetClusterRow, find_said

#: Seconds for which an object may be without an answer before that is a trouble.
UNANSWERED_SECONDS = 120.0
#: And for which a TargetCluster may be without a look, if its interval is short.
STALE_SECONDS = 600.0
_LEFT = "It is Ready, and was not looked at since: the hooks are not called"
_OUTDATED = "Its spec has changed, and the status is about the former: the hooks are not called yet"


def unanswered(about: Trouble, named: Named, message: str, now: float) -> Trouble | None:
    """Return the trouble of an object that nobody answers for; None while it is new."""
    created = read_time(named.created)
    if created is None or now - created < UNANSWERED_SECONDS:
        return None
    since = about.since or named.created
    return replace(about, reason="NotAnswered", message=message, since=since)


def stale(about: Trouble, row: TargetClusterRow, now: float) -> Trouble | None:
    """Return the trouble of a TargetCluster whose status is not about how it is now."""
    if trouble := hanging(about, row.named, now) or outdated(about, row.named):
        return trouble
    if row.suspended:
        return None
    ready = find_said(row.conditions, "Ready")
    if not ready.status:
        message = "It has no status: the hooks are not called"
        return unanswered(about, row.named, message, now)
    if ready.status == "True" and _is_long_ago(row, now):
        return replace(about, reason="NotAnswered", message=_LEFT, since=row.last_contact)
    return None


def outdated(about: Trouble, named: Named) -> Trouble | None:
    """Return the trouble of an object whose status is about an earlier spec."""
    if not named.is_outdated:
        return None
    return replace(about, severity=Severity.WAITS, reason="NotAnswered", message=_OUTDATED)


def hanging(about: Trouble, named: Named, now: float) -> Trouble | None:
    """Return the trouble of an object whose deletion does not end; None if nobody deletes it."""
    since = read_time(named.deleted)
    if since is None or now - since < UNANSWERED_SECONDS:
        return None
    held = f" by {', '.join(named.finalizers)}" if named.finalizers else ""
    reason, also = about.reason, about.also
    if reason and reason not in UNDER_WAY and about.message:
        also = (about.message, *also)
    return replace(
        about,
        reason="BeingDeleted",
        message=f"It is being deleted, and held{held}",
        also=also,
        section=HELD,
        since=named.deleted,
    )


def _is_long_ago(row: TargetClusterRow, now: float) -> bool:
    """Tell whether a cluster that is Ready was not looked at for several times its interval."""
    contact = read_time(row.last_contact)
    return contact is not None and now - contact > max(STALE_SECONDS, 5 * row.interval)
