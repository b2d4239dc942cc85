"""Calls CloudStack within a deadline: repeats, pages, waits for jobs, and counts."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Protocol, TypeVar

from hooks.cloudstack.commands.parameters import Command, parameters
from hooks.cloudstack.errors import (
    CloudStackError,
    JobRunning,
    Refused,
    Throttled,
    Unreachable,
    error_of,
)
from hooks.cloudstack.models.fields import Answer, Listing, Malformed, Model
from hooks.cloudstack.models.jobs import Job, JobStatus
from hooks.cloudstack.polling import FIRST_POLL, JobKind, JobTimes
from hooks.http.backoff import delay
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline, Monotonic
from hooks.http.texts import join_names, quote

M = TypeVar("M", bound=Model)
T = TypeVar("T")

#: Called after each request: the command, its outcome (see `error_label`), the seconds it took.
Observer = Callable[[str, str, float], None]

#: The most objects that CloudStack lists at once.
PAGE_SIZE = 500
#: The most objects of a list, and so of its pages: as many as nobody has. Some commands list all
#: at once, whatever the page.
MAX_OBJECTS = 100_000
#: How often a command is called in all: a read that fails, a write that was surely not sent, a
#: list that changes while it is read.
ATTEMPTS = 3
#: Seconds before a command is called again; each time twice as long.
FIRST_PAUSE = 0.1
#: A read waits up to so many seconds where CloudStack asks for it; for longer it fails.
MAX_RETRY_WAIT = 2.0
#: The longest pause that we keep when CloudStack asks for one, in seconds.
MAX_QUIET = 60.0
#: A request with less time than this, in seconds, is not sent: its answer would come too late.
LEAST_SECONDS = 0.05

QUERY_JOB = "queryAsyncJobResult"
#: Commands that take `projectid`. Without it, lists do not show what is in a project.
IN_PROJECT = frozenset(
    {
        "associateIpAddress",
        "listFirewallRules",
        "listKubernetesClusters",
        "listLoadBalancerRules",
        "listLoadBalancers",
        "listNetworkACLLists",
        "listNetworkACLs",
        "listNetworks",
        "listPortForwardingRules",
        "listPublicIpAddresses",
        "listSslCerts",
        "listVirtualMachines",
        "uploadSslCert",
    }
)
#: Lists that show only what the account itself owns, unless `listall` is set.
LISTS_ALL = frozenset(each for each in IN_PROJECT if each.startswith("list")) - {"listSslCerts"}


@dataclass(frozen=True, slots=True)
class Clocks:
    """How time passes; `epoch` and `monotonic` give seconds, `pause` waits for so many."""

    epoch: Callable[[], float] = time.time
    monotonic: Monotonic = time.monotonic
    pause: Callable[[float], None] = time.sleep


CLOCKS = Clocks()


class Caller(Protocol):
    """Makes one call; `hooks.cloudstack.wire.Wire` does it over HTTP."""

    def send(self, command: str, params: Mapping[str, object], seconds: float) -> Json:
        """Call once, in at most `seconds`. Raises CloudStackError."""


class Client:
    """Calls CloudStack as one account, in one project or none; used by many threads at once.

    Args:
        caller: makes one call.
        project_id: added to each command that takes it; empty outside of projects.
        max_objects: of a list, and so of its pages.
        observer: called after each request.
        clocks: how time passes.
    """

    def __init__(
        self,
        caller: Caller,
        *,
        project_id: str = "",
        max_objects: int = MAX_OBJECTS,
        observer: Observer = lambda _command, _outcome, _seconds: None,
        clocks: Clocks = CLOCKS,
    ) -> None:
        self.project_id = project_id
        self._max_objects = max_objects
        self._caller = caller
        self._observer = observer
        self._monotonic = clocks.monotonic
        self._pause = clocks.pause
        self._job_times = JobTimes()
        self._quiet_until = 0.0
        self._lock = threading.Lock()

    def call(self, command: str, params: Mapping[str, object], deadline: Deadline) -> Answer:
        """Call a command and return its answer.

        Reads (list and query commands) are repeated after a transient fault; a write only where
        it surely was not sent.

        Raises:
            CloudStackError: any but JobRunning.
        """
        values = self._scoped(command, params)
        failures = 0
        while True:
            try:
                return self._send(command, values, deadline)
            except (Unreachable, Throttled) as fault:
                failures += 1
                wait = _wait_before_again(fault, failures)
                if wait is None or failures == ATTEMPTS or deadline.passed(margin=wait):
                    raise
            self._pause(wait)

    def one(self, model: type[M], deadline: Deadline) -> M:
        """Read the one object that the model's command answers."""
        command, key = model.LISTING[:2]
        answer = self.call(command, {}, deadline).get(key)
        if not isinstance(answer, dict):
            raise Unreachable(command, f"an object {key!r} was expected, there is none")
        return _parsed(command, model.from_json, answer)

    def page(
        self, model: type[M], number: int, size: int, deadline: Deadline, **where: object
    ) -> tuple[tuple[M, ...], int]:
        """List one page, the first is 1, of so many objects; also return how many there are.

        See `list_all`.
        """
        listing = model.LISTING
        params = {**_filters(listing, where), "page": number, "pagesize": size}
        answer = self.call(listing.command, params, deadline)
        rows, counted = _rows(listing, answer, params)
        return _models(model, rows), len(rows) if counted is None else counted

    def list_all(self, model: type[M], deadline: Deadline, **where: object) -> tuple[M, ...]:
        """List all objects, page by page; a part of them is never returned.

        A list that changes while it is read is read again.

        Args:
            model: what is listed.
            deadline: when it must be done.
            where: filters, as the model's LISTING names them.

        Raises:
            ValueError: a filter is empty or unknown. CloudStack would list everything.
            CloudStackError: any but JobRunning.
        """
        listing = model.LISTING
        params = _filters(listing, where)
        for _ in range(ATTEMPTS):
            found = self._read_pages(model, params, deadline)
            if found is not None:
                return tuple(found)
        problem = "the list changed each time it was read"
        raise Unreachable(listing.command, problem, transient=True)

    def _read_pages(
        self, model: type[M], params: Mapping[str, object], deadline: Deadline
    ) -> list[M] | None:
        """Read the pages of a list; None if it changed meanwhile.

        CloudStack pages by position. If an object disappears between two pages, the next one moves
        up and is missed; the count shrinks. If one appears, another may be listed twice.
        """
        listing, found = model.LISTING, list[M]()
        ids: set[str] = set()
        total = 0
        for page in count(1):
            answer = self.call(listing.command, {**params, **_page(page)}, deadline)
            rows, counted = _rows(listing, answer, params)
            found += _models(model, rows)  # of a page, only they stay in memory
            page_ids = [str(row["id"]) for row in rows if "id" in row]
            former, total = total, total if counted is None else counted
            is_last = len(rows) < PAGE_SIZE
            if not ids.isdisjoint(page_ids) or total < former or (is_last and len(found) < total):
                return None
            if len(found) > self._max_objects:
                break
            if is_last or 0 < total <= len(found):
                return found
            ids.update(page_ids)
            del answer, rows  # of two pages, never both are in memory
        problem = f"the list has more than {self._max_objects} objects"
        raise Unreachable(listing.command, problem)

    def start(self, command: Command, deadline: Deadline) -> Job:
        """Call an asynchronous command and return its job, which runs on.

        Raises:
            CloudStackError: any but JobRunning.
        """
        answer = self.call(command.name, command.params, deadline)
        job = _parsed(command.name, lambda fields: Job.from_json(command.name, fields), answer)
        return replace(job, size=command.size, started=self._monotonic())

    def wait_for(self, job: Job, deadline: Deadline) -> JobStatus:
        """Wait until a job is done, and return its status.

        Raises:
            Refused: the job failed (`failed_job` is set), or its status may not be read.
            JobRunning: it did not end within the deadline, or its status could not be read.
            Unreachable: the answer is about another job.
        """
        if job.started is None:
            job = replace(job, started=self._monotonic())
        with self._job_times.waiting(_kind(job)) as beside:
            status = self._await_end(job, beside, deadline)
        if status.code is not None:
            raise error_of(job.command, status.code, status.text, failed_job=True)
        return status

    def _await_end(self, job: Job, beside: int, deadline: Deadline) -> JobStatus:
        for polls in count():
            pause = self._job_times.pause(_kind(job), self._elapsed(job), polls, beside)
            pause = min(pause, max(deadline.remaining() / 2, FIRST_POLL))
            if deadline.passed(margin=pause):
                break
            self._pause(pause)
            elapsed = self._elapsed(job)
            status = self.job_status(job, deadline)
            if status is not None and not status.pending:
                self._job_times.note(_kind(job), elapsed, polls + 1, beside)
                return status
        raise JobRunning(job.command, job.id)

    def await_usual(self, *jobs: Job, deadline: Deadline) -> None:
        """Wait for as long as jobs usually take, and ask nothing: a read shows what they did."""
        pauses = [self._job_times.until_read(_kind(job), self._elapsed(job)) for job in jobs]
        if pauses:
            self._pause(max(0.0, min(max(pauses), deadline.remaining() / 2)))

    def note_shown(self, *jobs: Job) -> None:
        """Note that a read has shown in time that jobs are done."""
        for job in jobs:
            self._job_times.note_shown(_kind(job))

    def job_status(self, job: Job, deadline: Deadline) -> JobStatus | None:
        """Read a job's status; None where no answer came: the job runs on.

        Raises:
            Refused: the status may not be read.
            Unreachable: it is the status of another job.
        """
        try:
            answer = self.call(QUERY_JOB, {"jobid": job.id}, deadline)
            status = _parsed(QUERY_JOB, JobStatus.from_json, answer)
        except (Unreachable, Throttled):
            return None
        _check_ids(QUERY_JOB, "jobid", [job.id], [answer])
        return status

    def _elapsed(self, job: Job) -> float:
        """Return the seconds since a job was accepted, 0 if that is not known."""
        return 0.0 if job.started is None else self._monotonic() - job.started

    def _scoped(self, command: str, params: Mapping[str, object]) -> dict[str, object]:
        """Add which resources are meant: the project's, else all that the account may see."""
        values = dict(params)
        if command in IN_PROJECT and self.project_id:
            values["projectid"] = self.project_id
        elif command in LISTS_ALL:
            values["listall"] = True
        return values

    def _send(self, command: str, values: Mapping[str, object], deadline: Deadline) -> Answer:
        """Send one request, unless CloudStack wants quiet or no time is left."""
        started = self._monotonic()
        with self._lock:
            quiet = self._quiet_until - started
        if quiet > 0:
            raise Throttled(command, quiet)
        if deadline.passed(margin=LEAST_SECONDS):
            raise Unreachable(command, "not sent, no time is left", sent=False)
        result = "ok"
        try:
            return self._caller.send(command, values, deadline.remaining())
        except CloudStackError as error:
            result = error_label(error)
            if isinstance(error, Throttled):
                self._keep_quiet(error.retry_after)
            raise
        finally:
            self._observer(command, result, self._monotonic() - started)

    def _keep_quiet(self, seconds: float) -> None:
        until = self._monotonic() + min(seconds, MAX_QUIET)
        with self._lock:
            self._quiet_until = max(self._quiet_until, until)


def error_label(error: CloudStackError) -> str:
    """Name how a request ended, for metrics: `throttled`, `unreachable`, or the error code."""
    if isinstance(error, Refused):
        return str(error.code)
    return "throttled" if isinstance(error, Throttled) else "unreachable"


def _kind(job: Job) -> JobKind:
    return JobKind(job.command, job.size)


def _wait_before_again(fault: Unreachable | Throttled, failures: int) -> float | None:
    """Return the seconds to wait before the same call is sent again, None for not at all.

    A write that may have been carried out is never sent twice.
    """
    reads = fault.command.startswith(("list", "query"))
    if isinstance(fault, Throttled):
        return fault.retry_after if reads and fault.retry_after <= MAX_RETRY_WAIT else None
    if fault.transient and (reads or not fault.sent):
        return delay(failures, first=FIRST_PAUSE, longest=MAX_RETRY_WAIT)
    return None


def _page(number: int) -> dict[str, int]:
    return {"page": number, "pagesize": PAGE_SIZE}


def _filters(listing: Listing, where: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters of a list; a filter that CloudStack does not know would be ignored."""
    for name, value in where.items():
        if name not in listing.filters.split():
            raise ValueError(f"{listing.command} has no filter {name!r}; it has: {listing.filters}")
        if value is None:
            raise ValueError(f"{name} is empty; leave it out to mean everything")
    return parameters(**{**listing.defaults, **where})


def _rows(
    listing: Listing, answer: Answer, params: Mapping[str, object]
) -> tuple[list[Answer], int | None]:
    """Return the objects of a page, and how many there are if it says so.

    An empty page has no list, and nothing else but the count. Raises Unreachable for other forms,
    and for objects of other ids than those that were asked for: what cannot be read must not be
    taken for nothing, and what was not meant is not acted upon.
    """
    command, key = listing.command, listing.key
    rows, counted = answer.get(key, []), answer.get("count")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Unreachable(command, f"a list of objects was expected under {key!r}")
    if key not in answer and answer.keys() - {"count"}:
        raise Unreachable(command, f"a list was expected under {key!r}, there are other keys")
    if counted is not None and type(counted) is not int:
        raise Unreachable(command, "a whole number was expected under 'count'")
    asked = params.get("ids") or [params.get("id")]
    if isinstance(asked, list | tuple) and asked != [None]:
        _check_ids(command, "id", asked, rows)
    return rows, counted


def _check_ids(command: str, key: str, asked: Sequence[object], rows: Iterable[Answer]) -> None:
    """Refuse an answer about something else than what was asked for; CloudStack ignores case."""
    wanted = {str(each).lower() for each in asked}
    for row in rows:
        if row.get(key) is not None and str(row[key]).lower() not in wanted:
            names = join_names([str(each) for each in asked], limit=3)
            problem = f"asked for {key} {names}, the answer is about {quote(row[key])}"
            raise Unreachable(command, problem)


def _models(model: type[M], rows: Iterable[Answer]) -> tuple[M, ...]:
    return tuple(_parsed(model.LISTING.command, model.from_json, row) for row in rows)


def _parsed(command: str, parse: Callable[[Answer], T], answer: Answer) -> T:
    try:
        return parse(answer)
    except Malformed as error:
        raise Unreachable(command, f"an answer that cannot be used: {error}") from None
