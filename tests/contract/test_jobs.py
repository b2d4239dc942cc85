"""Jobs: accepted at once, asked for until they have ended, one's own alone."""

from tests.contract.cloud import Cloud, Json

NOBODY = "00000000-0000-4000-8000-000000000000"


def test_a_job_that_is_done_tells_what_came_of_it(cloud: Cloud, vms: list[Json]) -> None:
    job = cloud.job("rebootVirtualMachine", id=vms[0]["id"])
    assert (job["jobstatus"], job["jobresultcode"], job["jobresulttype"]) == (1, 0, "object")
    assert (job["jobinstancetype"], job["jobinstanceid"]) == ("VirtualMachine", vms[0]["id"])
    assert job["cmd"].endswith("RebootVMCmd")
    assert job["completed"] >= job["created"]
    assert job["jobresult"]["virtualmachine"]["id"] == vms[0]["id"]


def test_a_failed_job_is_answered_with_200_and_the_error_inside(
    cloud: Cloud, vms: list[Json]
) -> None:
    job_id = cloud.job("startVirtualMachine", id=vms[0]["id"])["jobid"]
    outcome = cloud.call("queryAsyncJobResult", jobid=job_id)
    assert outcome.status == 200
    assert (outcome.body["jobstatus"], outcome.body["jobresultcode"]) == (2, 431)
    assert set(outcome.body["jobresult"]) == {"errorcode", "errortext"}


def test_a_pending_job_is_listed_and_has_no_result(cloud: Cloud, vms: list[Json]) -> None:
    job_id = cloud.ok("rebootVirtualMachine", id=vms[0]["id"])["jobid"]
    job = cloud.ok("queryAsyncJobResult", jobid=job_id)
    listed = cloud.list("listAsyncJobs", "asyncjobs")
    if job["jobstatus"] == 0:
        assert "jobresult" not in job
        assert "completed" not in job
    assert all(one["jobstatus"] == 0 for one in listed)
    while cloud.ok("queryAsyncJobResult", jobid=job_id)["jobstatus"] == 0:
        pass
    assert job_id not in [one["jobid"] for one in cloud.list("listAsyncJobs", "asyncjobs")]


def test_a_job_that_is_none_is_refused(cloud: Cloud) -> None:
    cloud.refused("queryAsyncJobResult", 431, jobid=NOBODY)
    cloud.refused("queryAsyncJobResult", 431, jobid="abc")
    assert cloud.refused("queryAsyncJobResult", 431).endswith("due to missing parameter jobid")


def test_anothers_job_is_not_told(cloud: Cloud, other: Cloud, vms: list[Json]) -> None:
    job_id = cloud.job("rebootVirtualMachine", id=vms[0]["id"])["jobid"]
    text = other.refused("queryAsyncJobResult", 531, jobid=job_id)
    assert "is not authorized to see job id=" in text
