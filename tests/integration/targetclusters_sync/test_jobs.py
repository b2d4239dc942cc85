"""Jobs on a real target: those that finish and go, and those whose manifest changes."""

import json

import pytest

from hooks.names import ANNOTATION_REPLACE
from tests.integration.targetclusters_sync.worlds import World, result


@pytest.fixture
def jobs(world: World) -> World:
    world.policy = {"sources": [{"kind": "ConfigMap", "name": "bundle", "as": "Manifests"}]}
    return world


def put(world: World, image: str, *, replace: str = "false", **spec: object) -> None:
    pod = {"containers": [{"name": "c", "image": image}], "restartPolicy": "Never"}
    metadata = {"name": "once", "annotations": {ANNOTATION_REPLACE: replace}}
    body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata}
    text = json.dumps({**body, "spec": {"template": {"spec": pod}, **spec}})
    world.source("bundle", {"job.json": text}, label="")


def image(world: World) -> str | None:
    found = world.on_target("once", "jobs", "batch/v1")
    return found["spec"]["template"]["spec"]["containers"][0]["image"] if found else None


def go(world: World) -> None:
    """Delete the Job, as the controller of finished Jobs does."""
    world.target.api.resource("batch/v1", "jobs").delete("once", world.namespace)


def test_one_that_went_by_itself_is_made_again_only_when_its_source_changes(jobs: World) -> None:
    put(jobs, "one", ttlSecondsAfterFinished=0)
    jobs.settle()
    go(jobs)
    report = jobs.settle()
    assert report.synced
    assert result(report, "once").message == "has finished or was deleted; it is not made again"
    jobs.forget()
    assert jobs.settle().synced
    assert image(jobs) is None
    put(jobs, "two", ttlSecondsAfterFinished=0)
    jobs.settle()
    assert image(jobs) == "two"
    go(jobs)
    put(jobs, "two")
    jobs.settle()
    go(jobs)
    jobs.settle()
    assert image(jobs) == "two"


def test_one_that_a_person_deleted_before_its_end_runs_again_once_its_source_changes(
    jobs: World,
) -> None:
    """Whether it had finished by then is not known: a look later, both are gone."""
    put(jobs, "one", ttlSecondsAfterFinished=3600)
    jobs.settle()
    go(jobs)
    assert jobs.settle().synced
    assert image(jobs) is None
    put(jobs, "one", ttlSecondsAfterFinished=3601)
    assert jobs.settle().synced
    assert image(jobs) == "one"


def test_one_that_the_target_lets_go_by_itself_is_not_made_again_either(jobs: World) -> None:
    put(jobs, "one")
    jobs.settle()
    patch = {"spec": {"ttlSecondsAfterFinished": 0}}
    jobs.target.api.resource("batch/v1", "jobs").patch("once", patch, jobs.namespace)
    jobs.settle()
    go(jobs)
    jobs.forget()
    assert jobs.settle().synced
    assert image(jobs) is None


def test_a_changed_one_that_is_still_there_needs_the_annotation(jobs: World) -> None:
    put(jobs, "one", ttlSecondsAfterFinished=3600)
    jobs.settle()
    put(jobs, "two", ttlSecondsAfterFinished=3600)
    report = jobs.settle()
    assert "field is immutable" in result(report, "once").message
    assert image(jobs) == "one"
    put(jobs, "two", replace="true", ttlSecondsAfterFinished=3600)
    jobs.clock += 1000
    jobs.settle()
    assert image(jobs) == "two"
    go(jobs)
    assert jobs.settle().synced
    assert image(jobs) is None


def test_a_changed_one_is_made_again_where_the_former_one_has_gone(jobs: World) -> None:
    put(jobs, "one", ttlSecondsAfterFinished=0)
    jobs.settle()
    go(jobs)
    put(jobs, "two", ttlSecondsAfterFinished=0)
    assert jobs.settle().synced
    assert image(jobs) == "two"
