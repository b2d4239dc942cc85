"""Jobs of asynchronous commands, and their status."""

from dataclasses import dataclass, field
from typing import Annotated

from hooks.cloudstack.models.fields import (
    Answer,
    Listing,
    Model,
    Moment,
    number,
    optional,
    optional_number,
    read_moment,
    required,
)


@dataclass(frozen=True, slots=True)
class Job:
    """An asynchronous command that was accepted.

    Attributes:
        command: the command's name.
        id: of the job.
        resource_id: of what is being created, known before it is; empty for other commands.
        size: of the command.
        started: monotonic seconds; None if that is not known.
    """

    command: str
    id: str
    resource_id: str = ""
    size: int = field(default=0, compare=False)
    started: float | None = field(default=None, compare=False)

    @classmethod
    def from_json(cls, command: str, answer: Answer) -> "Job":
        """Read the answer of an asynchronous command."""
        return cls(command, required(answer, "job", "jobid"), optional(answer, "id"))


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job's status.

    Attributes:
        pending: it has not ended.
        code, text: set when it failed.
        created: when CloudStack accepted it, by its own clock; None if it does not say.
        network_id: of what it made, if that is of a guest network: the job of an address names
            the public network.
    """

    pending: bool
    code: int | None = None
    text: str = ""
    created: float | None = None
    network_id: str = ""

    @classmethod
    def from_json(cls, answer: Answer) -> "JobStatus":
        """Read queryAsyncJobResult: `jobstatus` is 0 pending, 1 done, 2 failed."""
        status = number(answer, "job", "jobstatus")
        result = answer.get("jobresult")
        fields = result if isinstance(result, dict) else {}
        created = read_moment(answer, "created")
        if status in (0, 1):
            made = next((each for each in fields.values() if isinstance(each, dict)), {})
            network_id = optional(made, "networkid")
            return cls(pending=status == 0, created=created, network_id=network_id)
        code = optional_number(answer, "job", "jobresultcode")
        return cls(
            pending=False,
            code=code or optional_number(fields, "job", "errorcode") or 530,
            text=optional(fields, "errortext") or "no reason given",
            created=created,
        )


@dataclass(frozen=True, slots=True)
class PendingJob(Model):
    """A job of the account that has not ended, whoever started it.

    Attributes:
        command: the class that carries it out, such as `….user.vm.StartVMCmd`.
        resource_id: of what it works on; empty where the server does not say.
        created: when CloudStack accepted it, by its own clock.
    """

    LISTING = Listing("listAsyncJobs", "asyncjobs")
    id: Annotated[str, "jobid"]
    command: Annotated[str, "cmd"] = ""
    resource_id: Annotated[str, "jobinstanceid"] = ""
    created: Moment = None
