"""Which requests the nodes hook answers, and which it refuses."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hooks.cloudstack import Cloud
from hooks.http.deadline import Deadline
from hooks.webhook.contract import BadRequest
from simulator.server import Simulator
from tests.integration.nodes.running import (
    EXAMPLE,
    kube_with,
    make_hook,
    open_simulated,
    replaced,
)


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ((), {}, "object"),
        (("object",), None, "object"),
        (("object",), [], "object"),
        (("object", "kind"), 7, "object.kind"),
        (("object", "metadata"), {}, "object.metadata.name"),
        (("object", "metadata", "name"), 7, "object.metadata.name"),
        (("object", "metadata", "labels"), {"a": 1}, "object.metadata.labels.a"),
        (("object", "spec", "taints"), "none", "object.spec.taints"),
        (("object", "spec", "taints"), [1], "object.spec.taints[0]"),
        (("object", "spec", "providerID"), 5, "object.spec.providerID"),
        (("object", "status", "conditions"), [1], "object.status.conditions[0]"),
        (("attachments",), [], "attachments"),
    ],
)
def test_a_request_of_another_shape_is_refused_by_field(
    cloud: Cloud, path: tuple[str, ...], value: object, field: str
) -> None:
    request = replaced(EXAMPLE, path, value)
    with pytest.raises(BadRequest) as raised:
        make_hook(cloud).sync(request, Deadline(8))
    assert raised.value.field == field


def paths(document: Any, prefix: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield prefix
    items: Iterator[tuple[Any, Any]] = iter(())
    if isinstance(document, dict):
        items = iter(document.items())
    elif isinstance(document, list):
        items = iter(enumerate(document))
    for key, value in items:
        yield from paths(value, (*prefix, key))


FULL = replaced(
    EXAMPLE,
    ("attachments",),
    {
        "CloudStackInstance.cloudstack.targetcluster.example.com/v1alpha1": {
            "node-1": {
                "metadata": {"name": "node-1", "labels": {"a": "b"}},
                "spec": {"nodeName": "node-1"},
                "observed": {"missing": {"since": "2020-01-01T00:00:00Z", "snapshots": 3}},
            }
        }
    },
)


READ = [path for path in paths(FULL) if path and path[0] != "controller"]


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def shared_cloud() -> Iterator[Cloud]:
    with Simulator() as simulator:
        cloud = open_simulated(simulator, ttl=600)
        yield cloud
        cloud.close()


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(changes=st.lists(st.tuples(st.sampled_from(READ), ANY_JSON), min_size=1, max_size=3))
def test_any_request_is_answered_or_refused_by_field(
    shared_cloud: Cloud, changes: list[tuple[tuple[Any, ...], object]]
) -> None:
    request = FULL
    for path, value in changes:
        with suppress(KeyError, TypeError, IndexError):  # an earlier change took the place away
            request = replaced(request, path, value)
    with suppress(BadRequest):
        answer = make_hook(shared_cloud, kube=kube_with(request)).sync(request, Deadline(8))
        json.dumps(answer.response, allow_nan=False)
