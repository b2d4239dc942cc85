"""The API's face: from a request's parameters to an answer, faults in between."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace

from simulator import commands  # noqa: F401 - imported for what it registers
from simulator.answers import DROPPED, HTML, JSON, Reply, write_answer, write_error
from simulator.call import Answer, Call, Command, check_arguments
from simulator.control import Control
from simulator.errors import ApiError, not_available, unauthorized
from simulator.faults import Fault
from simulator.jobs import Job, Work
from simulator.model import User
from simulator.registry import ADMIN_ONLY, REGISTRY
from simulator.signing import authenticate
from simulator.timing import Timing, read_seconds
from simulator.world import World

THROTTLED = "The given user has reached his/her account api limit, please retry after {} ms."


@dataclass
class Attempt:
    """One call on its way: what was sent, the fault it meets, who called, how long it takes."""

    name: str
    params: Mapping[str, str]
    fault: Fault | None = None
    account: str | None = None
    seconds: float = 0.0

    @property
    def form(self) -> str:
        """Return the form that the answer is wanted in."""
        return self.params.get("response", "xml")


class Face:
    """Answers API calls; the lock is held while a call is worked on, not while it is delayed."""

    def __init__(
        self, world: World, control: Control, lock: threading.RLock, closing: threading.Event
    ) -> None:
        self._world = world
        self._control = control
        self._lock = lock
        self._closing = closing
        self._timing = Timing()

    def answer(self, params: Mapping[str, str]) -> Reply:
        """Answer one call."""
        attempt = Attempt(params.get("command", ""), params)
        with self._lock:
            self._world.settle()
            reply = self._reply(attempt)
            self._control.record(attempt.name, params, status=reply.status, account=attempt.account)
        if attempt.seconds > 0:
            self._closing.wait(attempt.seconds)
        return reply

    def _reply(self, attempt: Attempt) -> Reply:
        """Return the reply, as far as the fault that is armed lets the call come."""
        if self._control.armed.stopped:
            return DROPPED
        fault = self._control.armed.strike(attempt.name, attempt.params)
        attempt.fault = fault
        if fault is None:
            return self._execute(attempt)
        spoilt = spoil(attempt, fault)
        if fault.kind in {"slow", "timeout"}:
            attempt.seconds += fault.seconds
        if spoilt is not None and not fault.executed:
            return spoilt
        done = self._execute(attempt)
        return done if spoilt is None else spoilt

    def _execute(self, attempt: Attempt) -> Reply:
        """Check who calls and what, and carry it out."""
        envelope = envelope_of(attempt.name)
        try:
            self._check_known(attempt.name)
            user = authenticate(self._world, attempt.params)
            attempt.account = user.account.name
            command = allowed(attempt.name, user)
            answer = self._run(command, user, attempt)
        except ApiError as error:
            if error.code == 432:
                envelope = "errorresponse"
            return write_error(envelope, error, attempt.form)
        return write_answer(command.envelope, answer, attempt.form, self._world.api_version)

    def _check_known(self, name: str) -> None:
        """Refuse a command that no version, or only a newer one, has: as if the key were wrong."""
        command = REGISTRY.get(name)
        if command is None and name not in ADMIN_ONLY:
            raise unauthorized()
        if command is not None and command.since and command.since > self._world.version:
            raise unauthorized()

    def _run(self, command: Command, user: User, attempt: Attempt) -> Answer:
        """Carry out a command; what takes time is left to a job."""
        world = self._world
        args = check_arguments(world, user, command, attempt.params, self._control.ignored)
        done = command.handler(Call(world, command, user, args))
        if not isinstance(done, Work):
            if world.settings.timing == "real":
                shown = sum(len(part) for part in done.values() if isinstance(part, list))
                details = args.text("details") or ""
                attempt.seconds += read_seconds(command.name, details, shown)
            return done
        job = self._take_up(command, user, done, attempt)
        created = {} if done.created is None else {"id": done.created}
        return {**created, "jobid": job.id}

    def _take_up(self, command: Command, user: User, work: Work, attempt: Attempt) -> Job:
        """Make the job, as the fault wants it to go."""
        world, now = self._world, self._world.clock.now()
        due = now + world.settings.job_delay
        if world.settings.timing == "real":
            plan = self._timing.plan(work.load, now)
            attempt.seconds += plan.answer_after
            due = plan.due
        number = world.number("job")
        job = Job(world.identity("job", str(number))[0], number, user, command.java, work, now, due)
        fault = attempt.fault
        if fault is not None and fault.kind == "job-failed":
            job.forced = fault.error()
        if fault is not None and fault.kind == "job-never-ends":
            job.due = None
        world.jobs.add(job)
        return job


def allowed(name: str, user: User) -> Command:
    """Return the command if the caller's role has it."""
    command = REGISTRY.get(name)
    if name in ADMIN_ONLY and not user.account.admin:
        raise not_available(name, user.id)
    if command is None:
        raise ApiError(530, f"The simulator does not know how to do {name}")
    return command


def spoil(attempt: Attempt, fault: Fault) -> Reply | None:
    """Return the answer that a fault puts in place of the real one, if it does."""
    headers = {"Retry-After": str(max(1, round(fault.seconds)))} if fault.code == 429 else {}
    match fault.kind:
        case "error":
            error = ApiError(fault.code, fault.text, None if fault.code == 401 else 9999)
            reply = write_error(envelope_of(attempt.name), error, attempt.form)
            return replace(reply, headers=reply.headers | headers)
        case "throttled":
            error = ApiError(429, THROTTLED.format(round(fault.seconds * 1000)))
            return write_error("errorresponse", error, attempt.form)
        case "html":
            page = f"<html><body><h1>{fault.code}</h1><p>{fault.text}</p></body></html>"
            return Reply(fault.code, page.encode(), HTML, headers)
        case "empty":
            return Reply(200, b"", JSON)
        case "timeout" | "stop-after":
            return DROPPED
        case _:
            return None


def envelope_of(name: str) -> str:
    """Return the only key of a refusal: by the command, for an unknown one its own."""
    if not name:
        return "null"
    if name in REGISTRY:
        return REGISTRY[name].envelope
    return f"{name.lower()}response" if name in ADMIN_ONLY else "errorresponse"
