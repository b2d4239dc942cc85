"""What the sync engine remembers of a target between rounds; losing it only costs calls."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from hooks.http.backoff import delay
from hooks.kube.kinds import GroupKind, Kind
from hooks.targetclusters.sync.plan.inventory import ObjectKey
from hooks.targetclusters.sync.plan.model import ObjectResult
from hooks.targetclusters.sync.plan.resolve import ResolvedObject

#: Seconds before an object that failed once is tried again; doubled with each failure.
FIRST_RETRY = 10.0
#: The most seconds before such an object is tried again.
LONGEST_RETRY = 600.0
#: Seconds after which a call counts as slow; an object whose try took so long waits that much
#: longer, times `WAIT_FACTOR`.
SLOW_SECONDS = 3.0
WAIT_FACTOR = 10.0

#: Of how many objects it is kept what the target warned of when they were applied.
MAX_WARNED = 100
#: What is tried of an object that is to be pruned, or to go with the TargetCluster, in the place of
#: a digest.
DELETIONS = ("pruned", "deleted")

#: The kinds that a target served when it was last asked, by apiVersion.
ServedKinds = dict[str, Mapping[str, Kind]]
#: The digest of what was compared, with the live object's UID and resourceVersion.
Compared = tuple[str, str, str]


def pause_after(took: float) -> float:
    """Return the seconds for which what took so long waits longer than other failures."""
    return min(LONGEST_RETRY, WAIT_FACTOR * took) if took > SLOW_SECONDS else 0.0


@dataclass(frozen=True)
class Retry:
    """An object that failed.

    Attributes:
        failures: how many times in a row.
        due: monotonic seconds before which it is not tried again.
        digest: of what was tried; a changed object is tried at once.
    """

    failures: int
    due: float
    digest: str
    message: str

    def describe(self, now: float) -> str:
        """Say what went wrong, how often, and when it is tried again."""
        times = f"tried {self.failures} times, " if self.failures > 1 else ""
        return f"{self.message} ({times}again in {max(1, round(self.due - now))} s)"


@dataclass
class SyncMemory:
    """One target's memory; used by one round at a time.

    Attributes:
        dry_runs: of objects that seem to be changed, the fields that an apply would change, as the
            target says; none if it only writes them in another form.
        conflicts: the objects that are somebody else's.
        unanswered: how many rounds in a row met something that does not answer.
        overtaken: how many rounds in a row found an object changed between a look and a write.
        deleting: objects that were to be deleted and did not go, with the monotonic seconds of the
            first try.
        corrections: how many rounds in a row corrected an object that somebody had changed.
        slow: the kinds whose last call was slow; a round does everything else before them.
        warnings: what the target said of objects when they were last applied.
        left: objects with our mark, in no inventory, that deletion rounds have seen so far.
        renamed: how many times in a row a round recorded another UID of an object that had one.
        renamed_at: the monotonic seconds of the last of them.
        unasked: how often an apiVersion did not say which kinds it has; the others are asked first.
    """

    kinds: ServedKinds = field(default_factory=dict)
    retries: dict[ObjectKey, Retry] = field(default_factory=dict)
    dry_runs: dict[ObjectKey, tuple[Compared, tuple[str, ...]]] = field(default_factory=dict)
    conflicts: set[ObjectKey] = field(default_factory=set)
    unanswered: int = 0
    overtaken: Counter[ObjectKey] = field(default_factory=Counter)
    deleting: dict[ObjectKey, float] = field(default_factory=dict)
    corrections: Counter[ObjectKey] = field(default_factory=Counter)
    slow: set[GroupKind] = field(default_factory=set)
    warnings: dict[ObjectKey, tuple[str, ...]] = field(default_factory=dict)
    left: dict[ObjectKey, None] = field(default_factory=dict)
    renamed: int = 0
    renamed_at: float = 0.0
    unasked: Counter[str] = field(default_factory=Counter)

    def note_failure(
        self, key: ObjectKey, digest: str, message: str, *, now: float, wait: float = 0.0
    ) -> None:
        """Remember a failure; the delay before the next try doubles, and some seconds are added."""
        old = self.retries.get(key)
        failures = old.failures + 1 if old and old.digest == digest else 1
        wait += delay(failures, first=FIRST_RETRY, longest=LONGEST_RETRY)
        self.retries[key] = Retry(failures, now + wait, digest, message)

    def note_pace(self, group_kind: GroupKind, took: float) -> None:
        """Remember whether a kind is slow, by the seconds of a call about it."""
        if took > SLOW_SECONDS:
            self.slow.add(group_kind)
        else:
            self.slow.discard(group_kind)

    def may_rename(self, *, changed: bool, now: float) -> bool:
        """Tell whether a round may record other UIDs of objects that had some, and count that.

        A target may give an object another UID at each look, and each costs a write of the
        inventory: the time between two of them doubles as long as it does so.
        """
        if not changed:
            self.renamed = 0
            return True
        wait = delay(self.renamed, first=FIRST_RETRY, longest=LONGEST_RETRY)
        if self.renamed and now < self.renamed_at + wait:
            return False
        self.renamed, self.renamed_at = self.renamed + 1, now
        return True

    def pending_retry(self, key: ObjectKey, digest: str, *, now: float) -> Retry | None:
        """Return the failure that keeps an object from being tried yet."""
        retry = self.retries.get(key)
        return retry if retry and retry.digest == digest and now < retry.due else None

    def last_due(self, one: ResolvedObject) -> float:
        """Return when an object that failed was to be tried again; what never failed comes first.

        So a round goes on where the last one ended.
        """
        retry = self.retries.get(one.key)
        return retry.due if retry else 0.0

    def keep_only(self, wanted: Collection[ObjectKey], recorded: Collection[ObjectKey]) -> None:
        """Forget objects that are no longer wanted, or no longer recorded."""
        self.retries = {
            key: value
            for key, value in self.retries.items()
            if key in wanted or (value.digest in DELETIONS and key in recorded)
        }
        self.dry_runs = {key: value for key, value in self.dry_runs.items() if key in wanted}
        self.warnings = {key: said for key, said in self.warnings.items() if key in wanted}
        self.conflicts.intersection_update(wanted)
        counts = {key: count for key, count in self.corrections.items() if key in wanted}
        self.corrections = Counter(counts)
        pruned = {key: since for key, since in self.deleting.items() if key in recorded}
        self.deleting = {key: since for key, since in pruned.items() if key not in wanted}
        kept = {key: count for key, count in self.overtaken.items() if key in recorded}
        self.overtaken = Counter(kept)

    def note_warnings(
        self, said: Mapping[ObjectKey, tuple[str, ...]]
    ) -> Mapping[str, tuple[ObjectKey, ...]]:
        """Take up what a round's target said of objects; return each text with its objects."""
        for key, texts in said.items():
            self.warnings.pop(key, None)
            if texts and len(self.warnings) < MAX_WARNED:
                self.warnings[key] = texts
        found: dict[str, tuple[ObjectKey, ...]] = {}
        for key in sorted(self.warnings):
            for text in self.warnings[key]:
                found[text] = (*found.get(text, ()), key)
        return found

    def count_unanswered(self, results: Iterable[ObjectResult], *, at_least: float) -> float | None:
        """Count a round with failures that belong to no object; return the wait for the next."""
        failed = any(r.outcome == "failed" and r.entry.key not in self.retries for r in results)
        self.unanswered = self.unanswered + 1 if failed else 0
        wait = delay(self.unanswered, first=FIRST_RETRY, longest=LONGEST_RETRY)
        return max(wait, at_least) if failed else None

    def next_retry(self, *, now: float) -> float | None:
        """Return the seconds until a failed object is due; None if there is none to wait for.

        An object that is due and was not tried waits for something else.
        """
        waits = (retry.due - now for retry in self.retries.values() if retry.due > now)
        return min(waits, default=None)
