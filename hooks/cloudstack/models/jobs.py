"""Jobs of asynchronous commands, and their status."""

from dataclasses import dataclass, field

from hooks.cloudstack.models.fields import Answer, number, optional, optional_number, required


@dataclass(frozen=True, slots=True)
class Job:
    """An asynchronous command that was accepted.

    Attributes:
        command: the command's name.
        id: of the job.
        resource_id: of what is being created, known before it is; empty for other commands.
        started: monotonic seconds; None if that is not known.
    """

    command: str
    id: str
    resource_id: str = ""
    started: float | None = field(default=None, compare=False)

    @classmethod
    def from_json(cls, command: str, answer: Answer) -> "Job":
        """Read the answer of an asynchronous command."""
        return cls(command, required(answer, "job", "jobid"), optional(answer, "id"))


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job's status: `pending` or ended; `code` and `text` are set when it failed."""

    pending: bool
    code: int | None = None
    text: str = ""

    @classmethod
    def from_json(cls, answer: Answer) -> "JobStatus":
        """Read queryAsyncJobResult: `jobstatus` is 0 pending, 1 done, 2 failed."""
        status = number(answer, "job", "jobstatus")
        result = answer.get("jobresult")
        failure = result if isinstance(result, dict) else {}
        if status in (0, 1):
            return cls(pending=status == 0)
        code = optional_number(answer, "job", "jobresultcode")
        return cls(
            pending=False,
            code=code or optional_number(failure, "job", "errorcode") or 530,
            text=optional(failure, "errortext") or "no reason given",
        )
