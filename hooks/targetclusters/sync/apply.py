"""Brings one object to a target: makes it, changes it, puts it right or compares it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from hooks.http.bounded_json import Json
from hooks.kube.client import Conflict, KubeError, KubeRefused, KubeUnreachable, NotFound
from hooks.targetclusters.sync.memory import Compared, SyncMemory
from hooks.targetclusters.sync.plan.drift import changed_fields
from hooks.targetclusters.sync.plan.model import ObjectResult, Outcome, SyncPolicy
from hooks.targetclusters.sync.plan.object import (
    CREATE_ONLY,
    Apply,
    Compare,
    Correct,
    Create,
    LiveObject,
    Settled,
    Step,
    Wanted,
    decide,
    see,
)
from hooks.targetclusters.sync.target import Target, look, make_namespace

BAD_REQUEST = 400
#: Characters of a target's words that are kept.
WORDS = 300


@dataclass(frozen=True)
class ApplyOutcome:
    """What became of an object.

    Attributes:
        seen: as it is on the target now, where that was read.
        again: whether it is worth looking again soon.
    """

    result: ObjectResult
    seen: LiveObject | None = None
    again: bool = False


def words(text: str) -> str:
    """Answer a target's words as a status may hold them."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * WORDS]).split())
    return line if len(line) <= WORDS else f"{line[: WORDS - 1]}…"


def explain(error: KubeError, *, confidential: bool) -> str:
    """Say why a call failed; of an object with secrets only what cannot quote them."""
    code = error.code if isinstance(error, (KubeRefused, KubeUnreachable)) else 0
    if confidential and code:
        return f"refused with {code}; the target's words are left out, they may quote a secret"
    return words(error.text if isinstance(error, KubeRefused) else str(error))


@dataclass(frozen=True)
class Rules:
    """What holds for all objects of a round.

    Attributes:
        ours: the ids of the ApplySets by which an object is known to be ours.
        policy: about drift and conflicts.
        described: namespaces that manifests describe; they are not made on the way.
    """

    ours: frozenset[str]
    policy: SyncPolicy
    described: frozenset[str] = frozenset()


class Applier:
    """Brings the objects of one round.

    Args:
        target: where to.
        rules: for all of them.
        memory: of the target.
        clock: epoch seconds.
    """

    def __init__(
        self, target: Target, rules: Rules, memory: SyncMemory, clock: Callable[[], float]
    ) -> None:
        self._target = target
        self._rules = rules
        self._memory = memory
        self._clock = clock

    def apply_object(self, wanted: Wanted, seen: LiveObject | None) -> ApplyOutcome:
        """Bring one object, seen as the target listed it; what fails is told in the result.

        Raises:
            RoundOver: no more calls in this round.
        """
        try:
            brought = self._apply_object(wanted, seen)
        except KubeError as error:
            message = explain(error, confidential=wanted.confidential)
            self._memory.failed(wanted.key, wanted.digest, message, now=self._clock())
            return ApplyOutcome(wanted.result("failed", message), seen)
        if brought.result.outcome == "conflict":
            self._memory.occupied.add(wanted.key)
        else:
            self._memory.occupied.discard(wanted.key)
        if brought.result.outcome != "failed":
            self._memory.retries.pop(wanted.key, None)
        return brought

    def _apply_object(self, wanted: Wanted, seen: LiveObject | None) -> ApplyOutcome:
        unlisted = seen is None and (wanted.entry.uid or wanted.key in self._memory.occupied)
        if unlisted:  # deleted, or without our label
            seen = look(self._target, wanted.path, wanted)
        step = self._decide(wanted, seen)
        retry = self._memory.waiting(wanted.key, wanted.digest, now=self._clock())
        if retry is not None and not isinstance(step, Settled):
            times = f"tried {retry.failures} times, " if retry.failures > 1 else ""
            wait = max(1, round(retry.due - self._clock()))
            message = f"{retry.message} ({times}again in {wait} s)"
            return ApplyOutcome(wanted.result("failed", message), seen)
        return self._take(step, wanted, seen)

    def _decide(self, wanted: Wanted, seen: LiveObject | None) -> Step:
        return decide(wanted, seen, policy=self._rules.policy, ours=self._rules.ours)

    def _take(self, step: Step, wanted: Wanted, seen: LiveObject | None) -> ApplyOutcome:
        match step:
            case Settled(outcome, message, again):
                return ApplyOutcome(wanted.result(outcome, message), seen, again)
            case Create():
                return self._create(wanted)
            case Apply():
                return self._apply(step, wanted, seen)
            case Correct():
                return self._correct(wanted, step.seen)
            case Compare():
                return self._compare(wanted, step.seen)
            case _:
                assert_never(step)

    def _create(self, wanted: Wanted) -> ApplyOutcome:
        body = _with(wanted.body, resourceVersion=CREATE_ONLY)
        try:
            made = self._target.apply(wanted.path, body, force=True)
        except NotFound:
            name = wanted.entry.namespace
            if not name or name in self._rules.described or not make_namespace(self._target, name):
                raise
            made = self._target.apply(wanted.path, body, force=True)
        except Conflict:  # it is there, but was not listed: without our label, or just made
            seen = look(self._target, wanted.path, wanted)
            step = self._decide(wanted, seen)
            if isinstance(step, Create):
                return ApplyOutcome(wanted.result("skipped", "came and went meanwhile"), again=True)
            return self._take(step, wanted, seen)
        return ApplyOutcome(wanted.result("applied"), see(made))

    def _apply(self, step: Apply, wanted: Wanted, seen: LiveObject | None) -> ApplyOutcome:
        body = _with(wanted.body, uid=step.uid)
        try:
            applied = self._target.apply(wanted.path, body, force=step.force)
        except Conflict:
            if step.force or seen is None:
                return _overtaken(wanted, seen)
            return self._compare(wanted, seen)  # a field belongs to somebody else by now
        return ApplyOutcome(wanted.result("applied", step.message), see(applied))

    def _correct(self, wanted: Wanted, seen: LiveObject) -> ApplyOutcome:
        fields: tuple[str, ...] = ()
        try:
            compared = self._compare(wanted, seen)
        except KubeRefused as error:
            if error.code != BAD_REQUEST:
                raise  # else: admission there allows no dry run
        else:
            if compared.result.outcome != "drifted":
                return compared
            fields = compared.result.fields
        try:
            body = _with(wanted.body, uid=seen.uid)
            applied = see(self._target.apply(wanted.path, body, force=True))
        except (Conflict, NotFound):
            return _overtaken(wanted, seen)
        if applied is not None and applied.resource_version == seen.resource_version:
            self._remember(wanted, applied, ())
            return ApplyOutcome(wanted.result("unchanged"), applied)
        message = "was changed on the target and is put right"
        return ApplyOutcome(wanted.result("applied", message, fields), applied)

    def _compare(self, wanted: Wanted, seen: LiveObject) -> ApplyOutcome:
        """Have the target say what applying would change."""
        fields = self._compared(wanted, seen)
        if fields is None:
            try:
                live = self._target.get(wanted.path)
                body = _with(wanted.body, uid=seen.uid)
                applied = self._target.apply(wanted.path, body, force=True, dry_run=True)
            except (Conflict, NotFound):
                return _overtaken(wanted, seen)
            fields = changed_fields(live, applied)
            seen = see(live) or seen
            self._remember(wanted, seen, fields)
        outcome: Outcome = "drifted" if fields else "unchanged"
        message = "was changed on the target; it is left as it is" if fields else ""
        return ApplyOutcome(wanted.result(outcome, message, fields), seen)

    def _compared(self, wanted: Wanted, seen: LiveObject) -> tuple[str, ...] | None:
        """Answer what is known of this very state; None where nothing is."""
        known = self._memory.compared.get(wanted.key)
        state = (wanted.digest, seen.uid, seen.resource_version)
        return known.fields if known is not None and known.state == state else None

    def _remember(self, wanted: Wanted, seen: LiveObject, fields: tuple[str, ...]) -> None:
        state = (wanted.digest, seen.uid, seen.resource_version)
        self._memory.compared[wanted.key] = Compared(state, fields)


def _with(body: Json, **metadata: str) -> Json:
    return {**body, "metadata": {**body["metadata"], **metadata}}


def _overtaken(wanted: Wanted, seen: LiveObject | None) -> ApplyOutcome:
    return ApplyOutcome(
        wanted.result("skipped", "changed on the target meanwhile"), seen, again=True
    )
