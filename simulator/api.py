"""Turns a request's parameters into an answer, with the faults that are armed."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from simulator import commands  # noqa: F401 - imported for what it registers
from simulator.answers import DROPPED, HTML, JSON, Reply, write_answer, write_error
from simulator.call import Answer, Call, Command, check_arguments
from simulator.control import Control, Cost
from simulator.errors import ApiError, not_available, unauthorized
from simulator.faults import Fault
from simulator.jobs import Job, Work
from simulator.model import User
from simulator.registry import ADMIN_ONLY, REGISTRY
from simulator.signing import authenticate
from simulator.timing import Timing
from simulator.world import World

THROTTLED = "The given user has reached his/her account api limit, please retry after {} ms."


@dataclass
class Attempt:
    """One call while it is answered: parameters, fault, caller, seconds of delay, and its job."""

    name: str
    params: Mapping[str, str]
    fault: Fault | None = None
    account: str | None = None
    seconds: float = 0.0
    job: Job | None = None

    @property
    def form(self) -> str:
        """Return the requested form of the answer: json or xml."""
        return self.params.get("response", "xml")


class Api:
    """Answers API calls; holds the lock while a call is carried out, not while it is delayed."""

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
        attempt, began = Attempt(params.get("command", ""), params), time.monotonic()
        with self._lock:
            self._world.run_due_jobs()
            reply = self._reply(attempt)
            self._control.record(
                attempt.name,
                params,
                status=reply.status,
                account=attempt.account,
                cost=Cost(attempt.seconds, attempt.job),
            )
        # What the simulator itself took is a part of the delay.
        left = attempt.seconds - (time.monotonic() - began)
        if left > 0:
            self._closing.wait(left)
        if attempt.job is not None:
            with self._lock:
                attempt.job.work.answered()
        return reply

    def _reply(self, attempt: Attempt) -> Reply:
        """Return the reply, or what a fault makes of it."""
        if self._control.armed.stopped:
            return DROPPED
        fault = self._control.armed.find(attempt.name, attempt.params)
        attempt.fault = fault
        if fault is None:
            return self._execute(attempt)
        faulty = faulty_reply(attempt, fault)
        if fault.kind in {"slow", "timeout"}:
            attempt.seconds += fault.seconds
        if faulty is not None and not fault.executed:
            return faulty
        done = self._execute(attempt)
        return done if faulty is None else faulty

    def _execute(self, attempt: Attempt) -> Reply:
        """Check the caller and the command, and carry it out."""
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
        """Refuse a command that this version lacks, with the answer to a wrong key."""
        command = REGISTRY.get(name)
        if command is None and name not in ADMIN_ONLY:
            raise unauthorized()
        if command is not None and command.since and command.since > self._world.version:
            raise unauthorized()

    def _run(self, command: Command, user: User, attempt: Attempt) -> Answer:
        """Carry out a command; asynchronous work is left to a job."""
        world = self._world
        args = check_arguments(world, user, command, attempt.params, self._control.ignored)
        done = command.handler(Call(world, command, user, args))
        if not isinstance(done, Work):
            if world.settings.timing == "real":
                shown = sum(len(part) for part in done.values() if isinstance(part, list))
                details = args.text("details") or ""
                now = world.clock.now()
                attempt.seconds += self._timing.read(command.name, details, shown, now)
            return done
        job = self._start_job(command, user, done, attempt)
        created = {} if done.created is None else {"id": done.created}
        return {**created, "jobid": job.id}

    def _start_job(self, command: Command, user: User, work: Work, attempt: Attempt) -> Job:
        """Start the job; a fault may let it fail, or never end."""
        world, now = self._world, self._world.clock.now()
        due = now + world.settings.job_delay
        if world.settings.timing == "real":
            plan = self._timing.plan(work.load, now)
            attempt.seconds += plan.answer_after
            due = plan.due
        attempt.seconds += work.answer_after
        begins = world.jobs.begins(work.queue, now)
        number = world.number("job")
        job = Job(
            world.identity("job", str(number))[0], number, user, command.java, work, now, None
        )
        if begins is not None:
            job.due = begins + (due - now)
        fault = attempt.fault
        if fault is not None and fault.kind == "job-failed":
            job.forced = fault.error()
        if fault is not None and fault.kind == "job-never-ends":
            job.due = None
        world.jobs.add(job)
        attempt.job = job
        return job


def allowed(name: str, user: User) -> Command:
    """Return a command that the caller's role may use."""
    command = REGISTRY.get(name)
    if name in user.account.denied or (name in ADMIN_ONLY and not user.account.admin):
        raise not_available(name, user.id)
    if command is None:
        raise ApiError(530, f"The simulator does not implement {name}")
    return command


def faulty_reply(attempt: Attempt, fault: Fault) -> Reply | None:
    """Return the answer that a fault gives instead of the real one; None where it gives none."""
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
    """Return the only key of a refusal: the command's, or that for unknown commands."""
    if not name:
        return "null"
    if name in REGISTRY:
        return REGISTRY[name].envelope
    return f"{name.lower()}response" if name in ADMIN_ONLY else "errorresponse"
