"""Asynchronous jobs, as their owners see them."""

from typing import Any

from simulator.call import Answer, Call, describe
from simulator.clock import timestamp
from simulator.errors import denied
from simulator.jobs import DONE, PENDING, Job
from simulator.registry import command


@command("queryAsyncJobResult", "jobid:job!")
def query_async_job_result(call: Call) -> Answer:
    """Return the state of a job, and its result when it has ended."""
    job = call.args.entity("jobid", Job)
    assert job is not None  # noqa: S101 - required
    if not (call.account.admin or job.user.account is call.account):
        raise denied(
            f"Account {describe(call.account)} is not authorized to see job id={job.number}"
        )
    return view_job(job)


@command(
    "listAsyncJobs",
    "account domainid:domain listall:boolean isrecursive:boolean startdate:date "
    "managementserverid:uuid@4.19",
)
def list_async_jobs(call: Call) -> Answer:
    """List the jobs that are still pending."""
    everyone = call.account.admin and call.args.flag("listall")
    found = [
        job for job in call.world.jobs.pending() if everyone or job.user.account is call.account
    ]
    return call.listing("asyncjobs", found, view_job)


def view_job(job: Job) -> dict[str, Any]:
    """Show a job; a pending one names the server that works on it."""
    account = job.user.account
    shown: dict[str, Any] = {
        "accountid": account.id,
        "account": account.name,
        "domainid": account.domain.id,
        "domainpath": account.domain.name,
        "userid": job.user.id,
        "cmd": f"org.apache.cloudstack.api.command.{job.java}",
        "jobprocstatus": 0,
        "jobresultcode": job.code,
    }
    if job.status != PENDING:
        shown["jobresulttype"] = "object"
        shown["jobresult"] = decorate(job)
    if job.work.instance is not None:
        kind, entity_id = job.work.instance
        shown["jobinstancetype"] = kind
        if entity_id is not None:
            shown["jobinstanceid"] = entity_id
    if job.status == PENDING:
        shown["managementservername"] = "localhost"
    shown["created"] = timestamp(job.created)
    if job.status != PENDING:
        shown["completed"] = timestamp(job.completed)
    return {**shown, "jobid": job.id, "jobstatus": job.status}


def decorate(job: Job) -> dict[str, Any]:
    """Return a job's result; a VM in it names the job, as if it were pending."""
    if job.status == DONE and "virtualmachine" in job.result:
        vm = job.result["virtualmachine"] | {"jobid": job.id, "jobstatus": PENDING}
        return {"virtualmachine": vm}
    return job.result
