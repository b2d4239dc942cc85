"""The API's face: from a request's parameters to an answer, faults in between."""

import threading
from collections.abc import Mapping

from simulator import commands  # noqa: F401 - imported for what it registers
from simulator.answers import DROPPED, HTML, JSON, Reply, write_answer, write_error
from simulator.call import Call, check_arguments
from simulator.control import Control
from simulator.errors import ApiError, not_available, unauthorized
from simulator.faults import Fault
from simulator.jobs import Job, Work
from simulator.model import User
from simulator.registry import ADMIN_ONLY, REGISTRY, Answer, Command
from simulator.signing import authenticate
from simulator.world import World

THROTTLED = "The given user has reached his/her account api limit, please retry after {} ms."


class Face:
    """Answers API calls; the lock is held while a call is worked on, not while it is delayed."""

    def __init__(
        self, world: World, control: Control, lock: threading.RLock, closing: threading.Event
    ) -> None:
        self._world = world
        self._control = control
        self._lock = lock
        self._closing = closing

    def answer(self, params: Mapping[str, str]) -> Reply:
        """Answer one call."""
        name = params.get("command", "")
        with self._lock:
            self._world.settle()
            if self._control.armed.stopped:
                self._control.record(name, params, status=0, account=None)
                return DROPPED
            fault = self._control.armed.strike(name, params)
            account, reply = self._work(name, params, fault)
            self._control.record(name, params, status=reply.status, account=account)
        return self._delay(reply, fault)

    def _delay(self, reply: Reply, fault: Fault | None) -> Reply:
        """Hold an answer back as long as a fault says, or until the simulator closes."""
        if fault is not None and fault.kind in {"slow", "timeout"}:
            self._closing.wait(fault.seconds)
        return reply

    def _work(
        self, name: str, params: Mapping[str, str], fault: Fault | None
    ) -> tuple[str | None, Reply]:
        """Return the caller's account and the reply, as far as the fault lets the call come."""
        if fault is not None and not fault.executed:
            spoilt = self._spoil(name, params, fault)
            if spoilt is not None:
                return None, spoilt
        account, reply = self._execute(name, params, fault)
        if fault is not None and fault.executed:
            reply = self._spoil(name, params, fault) or reply
        return account, reply

    def _spoil(self, name: str, params: Mapping[str, str], fault: Fault) -> Reply | None:
        """Return the answer that a fault puts in place of the real one, if it does."""
        form = params.get("response", "xml")
        headers = {"Retry-After": str(max(1, round(fault.seconds)))} if fault.code == 429 else {}
        if fault.kind == "error":
            error = fault.error()
            if fault.code == 401:
                error.detail = None
            reply = write_error(envelope_of(name), error, form)
            return Reply(reply.status, reply.body, reply.content_type, reply.headers | headers)
        if fault.kind == "throttled":
            error = ApiError(429, THROTTLED.format(round(fault.seconds * 1000)))
            return write_error("errorresponse", error, form)
        if fault.kind == "html":
            page = f"<html><body><h1>{fault.code}</h1><p>{fault.text}</p></body></html>"
            return Reply(fault.code, page.encode(), HTML, headers)
        if fault.kind == "empty":
            return Reply(200, b"", JSON)
        if fault.kind in {"timeout", "stop-after"}:
            return DROPPED
        return None

    def _execute(
        self, name: str, params: Mapping[str, str], fault: Fault | None
    ) -> tuple[str | None, Reply]:
        """Check who calls and what, and carry it out."""
        form = params.get("response", "xml")
        user: User | None = None
        envelope = envelope_of(name)
        try:
            self._check_known(name)
            user = authenticate(self._world, params)
            command = self._allowed(name, user)
            answer = self._run(command, user, params, fault)
        except ApiError as error:
            if error.code == 432:
                envelope = "errorresponse"
            account = None if user is None else user.account.name
            return account, write_error(envelope, error, form)
        reply = write_answer(command.envelope, answer, form, self._world.api_version)
        return user.account.name, reply

    def _check_known(self, name: str) -> None:
        """Refuse a command that no version, or only a newer one, has: as if the key were wrong."""
        command = REGISTRY.get(name)
        if command is None and name not in ADMIN_ONLY:
            raise unauthorized()
        if command is not None and command.since and command.since > self._world.version:
            raise unauthorized()

    def _allowed(self, name: str, user: User) -> Command:
        """Return the command if the caller's role has it."""
        command = REGISTRY.get(name)
        if command is None and not user.account.admin:
            raise not_available(name, user.id)
        if command is None:
            raise ApiError(530, f"The simulator does not know how to do {name}")
        return command

    def _run(
        self, command: Command, user: User, params: Mapping[str, str], fault: Fault | None
    ) -> Answer:
        """Carry out a command; what takes time is left to a job."""
        world = self._world
        args = check_arguments(world, user, command, params, self._control.ignored)
        done = command.handler(Call(world, command, user, args))
        if not isinstance(done, Work):
            return done
        job = self._take_up(command, user, done, fault)
        created = {} if done.created is None else {"id": done.created}
        return {**created, "jobid": job.id}

    def _take_up(self, command: Command, user: User, work: Work, fault: Fault | None) -> Job:
        """Make the job, as the fault wants it to go."""
        world, now = self._world, self._world.clock.now()
        number = world.number("job")
        job = Job(
            id=world.identity("job", str(number))[0],
            number=number,
            user=user,
            java=command.java,
            work=work,
            created=now,
            due=now + world.settings.job_delay,
        )
        if fault is not None and fault.kind == "job-failed":
            job.forced = fault.error()
        if fault is not None and fault.kind == "job-never-ends":
            job.due = None
        world.jobs.add(job)
        return job


def envelope_of(name: str) -> str:
    """Return the only key of a refusal: by the command, for an unknown one its own."""
    if not name:
        return "null"
    if name in REGISTRY:
        return REGISTRY[name].envelope
    return f"{name.lower()}response" if name in ADMIN_ONLY else "errorresponse"
