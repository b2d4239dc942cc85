"""Asynchronous jobs: accepted at once, done when they are due."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from simulator.errors import ApiError
from simulator.model import User
from simulator.timing import Load

Result = dict[str, Any]
PENDING, DONE, FAILED = 0, 1, 2


@dataclass
class Work:
    """The work that a command leaves to a job.

    Attributes:
        finish: does it and returns the job's result; raises ApiError where the job fails.
        undo: undoes what the command did when it accepted the job, for a job that a fault fails.
        created: the id that the answer has beside `jobid`.
        instance: type and id of what the job works on.
        load: what it costs a real server; None for a short fixed time.
        queue: jobs of one queue run one after the other, in the order they were accepted.
        answer_after: seconds until the call is answered.
        answered: is called when it is.
    """

    finish: Callable[[], Result]
    undo: Callable[[], None] = lambda: None
    created: str | None = None
    instance: tuple[str, str | None] | None = None
    load: Load | None = None
    queue: str | None = None
    answer_after: float = 0.0
    answered: Callable[[], None] = lambda: None


@dataclass(eq=False)
class Job:
    """A job: pending until `due`, then done or failed."""

    id: str
    number: int
    user: User
    java: str
    work: Work
    created: float
    due: float | None
    status: int = PENDING
    code: int = 0
    result: Result = field(default_factory=dict)
    completed: float = 0.0
    forced: ApiError | None = None

    def run(self) -> None:
        """Do the work, or fail with the fault's error; it ends at the time it was due."""
        try:
            if self.forced is not None:
                self.work.undo()
                raise self.forced
            self.result = self.work.finish()
            self.status = DONE
        except ApiError as error:
            self.status, self.code = FAILED, error.code
            self.result = {"errorcode": error.code, "errortext": error.text}
        self.completed = self.due or self.created


class Jobs:
    """All jobs by id; `run_due` runs those that are due, in order."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._pending: list[Job] = []

    def add(self, job: Job) -> None:
        """Add a job; one without a due time never ends."""
        self._jobs[job.id] = job
        self._pending.append(job)

    def run_due(self, now: float) -> None:
        """Run the jobs that are due, earliest first."""
        due = [job for job in self._pending if job.due is not None and job.due <= now]
        if not due:
            return
        for job in sorted(due, key=lambda job: (job.due, job.number)):
            job.run()
        self._pending = [job for job in self._pending if job.status == PENDING]

    def begins(self, queue: str | None, now: float) -> float | None:
        """Return when the next job of a queue begins; None behind one that never ends."""
        ahead = [job.due for job in self._pending if queue and job.work.queue == queue]
        return None if None in ahead else max([now, *(due for due in ahead if due is not None)])

    def find(self, job_id: str) -> Job | None:
        """Return a job by id."""
        return self._jobs.get(job_id)

    def pending(self) -> list[Job]:
        """Return the jobs that have not ended."""
        return list(self._pending)

    def __len__(self) -> int:
        return len(self._jobs)
