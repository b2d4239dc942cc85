"""Carries out one command on a VM or a cluster: looks, sends once, waits, and tells.

A command is never sent twice. What became of it shows in its job, and in the end in the object's
own list, which the caller reads again whatever the outcome says.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from hooks.cloudstack.client import Client
from hooks.cloudstack.commands.parameters import Command
from hooks.cloudstack.errors import (
    CloudStackError,
    Forbidden,
    InvalidParameter,
    JobRunning,
    Refused,
    Unauthorized,
    Unreachable,
)
from hooks.cloudstack.models.compute import VirtualMachine
from hooks.cloudstack.models.jobs import Job, PendingJob
from hooks.cloudstack.models.kubernetes import KubernetesCluster
from hooks.http.deadline import Deadline

M = TypeVar("M", VirtualMachine, KubernetesCluster)

#: Tells which commands the keys may call.
DISCOVERY = "listApis"
#: The code with which DISCOVERY answers for a command that they may not call, or that is not there.
NOT_DISCOVERED = 530


class Verdict(StrEnum):
    """What became of a command."""

    DONE = "Done"  # its job succeeded
    FAILED = "Failed"  # CloudStack refused it, at once or in its job
    RUNNING = "Running"  # its job had not ended when our time had; see Outcome.job_id
    UNKNOWN = "Unknown"  # no answer came: it may have been carried out
    BUSY = "Busy"  # not sent: another job works on the object; see Outcome.job_id
    UNSENT = "Unsent"  # surely not sent: CloudStack is out of reach, or wants quiet


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a command, with CloudStack's words.

    Attributes:
        verdict: see there.
        text: fit for a status: CloudStack's words where it refused, else what went wrong; empty
            when it is done.
        job_id: of the command's job, or of the one that is in its way; empty where none is known.
    """

    verdict: Verdict
    text: str = ""
    job_id: str = ""

    @property
    def was_sent(self) -> bool:
        """Tell whether CloudStack may have carried the command out."""
        return self.verdict not in (Verdict.BUSY, Verdict.UNSENT)


def operate(client: Client, command: Command, deadline: Deadline) -> Outcome:
    """Carry out a command on the object that its parameter `id` names.

    It is not sent while another job works on the object. If its answer is lost, and a job works on
    the object afterwards, that one is waited for: it is most likely the command's.

    Args:
        client: calls CloudStack.
        command: starts a job.
        deadline: when it must be done.
    """
    object_id = str(command.params["id"])
    try:
        ahead = pending_jobs(client, object_id, deadline)
    except CloudStackError as error:
        return Outcome(Verdict.UNSENT, str(error))
    if ahead:
        text = f"{command.name}: job {ahead[0].id} still works on {object_id}"
        return Outcome(Verdict.BUSY, text, ahead[0].id)
    try:
        job = client.start(command, deadline)
    except Refused as error:
        return Outcome(Verdict.FAILED, str(error))
    except Unreachable as error:
        if not error.sent:
            return Outcome(Verdict.UNSENT, str(error))
        return _after_lost_answer(client, command, error, deadline)
    except CloudStackError as error:
        return Outcome(Verdict.UNSENT, str(error))
    return await_outcome(client, command.name, job.id, deadline)


def await_outcome(client: Client, name: str, job_id: str, deadline: Deadline) -> Outcome:
    """Wait for the job of an earlier command, such as one that a former process sent.

    Args:
        client: calls CloudStack.
        name: the command's.
        job_id: as an earlier outcome told it.
        deadline: when it must be done.
    """
    try:
        client.wait_for(Job(name, job_id), deadline)
    except JobRunning as error:
        return Outcome(Verdict.RUNNING, str(error), job_id)
    except Refused as error:
        verdict = Verdict.FAILED if error.failed_job else Verdict.UNKNOWN
        return Outcome(verdict, str(error), job_id)
    except CloudStackError as error:
        return Outcome(Verdict.UNKNOWN, str(error), job_id)
    return Outcome(Verdict.DONE, job_id=job_id)


def _after_lost_answer(
    client: Client, command: Command, lost: Unreachable, deadline: Deadline
) -> Outcome:
    """Look for the job of a command whose answer was lost, and wait for it."""
    try:
        jobs = pending_jobs(client, str(command.params["id"]), deadline)
    except CloudStackError:
        jobs = ()
    if not jobs:
        return Outcome(Verdict.UNKNOWN, str(lost))
    found = await_outcome(client, command.name, jobs[0].id, deadline)
    if found.verdict is Verdict.DONE:
        return Outcome(Verdict.UNKNOWN, f"{lost}; job {found.job_id} is done", found.job_id)
    return found


def pending_jobs(client: Client, object_id: str, deadline: Deadline) -> tuple[PendingJob, ...]:
    """Return the account's jobs that work on an object; none where the keys may not list them.

    Jobs of another account that may use the object, as an administrator may, do not show.

    Raises:
        CloudStackError: any but JobRunning.
    """
    try:
        jobs = client.list_all(PendingJob, deadline)
    except (Forbidden, Unauthorized):
        return ()
    return tuple(job for job in jobs if job.resource_id.lower() == object_id.lower())


def find_vm(client: Client, vm_id: str, deadline: Deadline) -> VirtualMachine | None:
    """Return a VM as CloudStack shows it now; None if there is none, or none of ours.

    Raises:
        CloudStackError: any but JobRunning. It never means that there is none.
    """
    return _find(client, VirtualMachine, vm_id, deadline)


def find_cluster(client: Client, cluster_id: str, deadline: Deadline) -> KubernetesCluster | None:
    """Return a cluster as CloudStack shows it now; None if there is none, or none of ours.

    Raises:
        CloudStackError: any but JobRunning. It never means that there is none.
    """
    return _find(client, KubernetesCluster, cluster_id, deadline)


def _find(client: Client, model: type[M], object_id: str, deadline: Deadline) -> M | None:
    try:
        found = client.list_all(model, deadline, id=object_id)
    except InvalidParameter as error:
        if error.says_unknown(object_id):
            return None
        raise
    return found[0] if found else None


def may_call(client: Client, command_name: str, deadline: Deadline) -> bool | None:
    """Tell whether the keys may call a command; None where CloudStack does not say.

    Raises:
        CloudStackError: any but JobRunning.
    """
    try:
        answer = client.call(DISCOVERY, {"name": command_name}, deadline)
    except Forbidden:
        return None
    except Refused as error:
        if error.code == NOT_DISCOVERED:
            return False
        raise
    found = answer.get("api")
    names = [each.get("name") for each in found] if isinstance(found, list) else []
    return command_name in names
