"""What every hook refuses, whatever its request is."""

from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.loadbalancers import request as loadbalancers
from hooks.loadbalancers.endpoints import ENDPOINT_SLICES
from hooks.loadbalancers.instances import INSTANCES
from hooks.loadbalancers.plan.plan import plan as plan_load_balancer
from hooks.names import CLOUDSTACK_API, TARGET_CLUSTER_GROUP
from hooks.nodes import request as nodes
from hooks.nodes.plan.match import Found, Match, Missing
from hooks.nodes.plan.plan import plan_node
from hooks.services import request as services
from hooks.settings.config import Config
from hooks.targetclusters import request as targetclusters
from hooks.targetclusters.plan.plan import plan_finalize, plan_sync
from hooks.webhook.contract import BadRequest
from hooks.webhook.requests import convert
from tests.memory_kube import MemoryKube
from tests.targets.driving import target_cluster
from tests.unit.broken import broken, golden
from tests.unit.loadbalancers import builders
from tests.unit.nodes import objects
from tests.unit.services.objects import KEY, load_balancer, request, service, serving
from tests.unit.services.test_hook import hook as services_hook
from tests.unit.targetclusters import views
from tests.unit.targetclusters.health.test_judge import HEALTHY

NOW = 1_800_000_000.0
NODE = objects.make_initialised_node()
MISSING = Missing(objects.VM_ID)
ANSWER: Json = dict(plan_node(objects.make_facts(NODE, MISSING)).response)
INSTANCE = ANSWER["attachments"][0]
ROUND = views.round_(views.inventory(), views.report(views.inventory(), outcomes={"a": "failed"}))
STATUS = plan_sync(views.facts(probe=views.finished(HEALTHY), sync=views.finished(ROUND))).response[
    "status"
]
BODIES: dict[str, Json] = {
    "nodes": {"object": NODE, "attachments": {nodes.INSTANCES: {"node-1": INSTANCE}}},
    "services": request(service(), load_balancer(status=serving())),
    "loadbalancers": builders.body(status=builders.recorded()),
    "loadbalancers customize": builders.body(),
    "targetclusters": {
        "parent": {**target_cluster(resourceSyncPolicy={"enabled": True}), "status": STATUS},
        "children": {"ConfigMap.v1": {"team/a": {"metadata": {"name": "a"}, "data": {"a": "b"}}}},
    },
}
READS: dict[str, Callable[[Json], Any]] = {
    "nodes": nodes.read,
    "services": lambda body: services.read(body, Config(), now=NOW),
    "loadbalancers": loadbalancers.read,
    "loadbalancers customize": lambda body: convert(body, loadbalancers.Request),
    "targetclusters": lambda body: targetclusters.read(body, default_secret="target"),
}
WANTED = {
    "nodes": "object.kind: is 'Pod', must be Node",
    "services": "object.kind: is 'Pod', must be Service",
    "loadbalancers": "parent.kind: is 'Pod', must be CloudStackLoadBalancer",
    "loadbalancers customize": "parent.kind: is 'Pod', must be CloudStackLoadBalancer",
    "targetclusters": "parent.kind: is 'Pod', must be TargetCluster",
}


@pytest.mark.parametrize("name", READS)
def test_an_object_of_another_kind_is_refused_with_both_kinds(name: str) -> None:
    part = "object" if "object" in BODIES[name] else "parent"
    body = {**BODIES[name], part: {"kind": "Pod", "metadata": {"name": "web-0"}}}
    with pytest.raises(BadRequest) as refused:
        READS[name](body)
    assert str(refused.value) == WANTED[name]


@pytest.mark.parametrize("name", READS)
def test_an_object_of_another_group_or_version_is_refused(name: str) -> None:
    part = "object" if "object" in BODIES[name] else "parent"
    own = {"nodes": "v1", "services": "v1", "targetclusters": f"{TARGET_CLUSTER_GROUP}/v1alpha1"}
    other = "serving.knative.dev/v1"
    with pytest.raises(BadRequest) as refused:
        READS[name]({**BODIES[name], part: {**BODIES[name][part], "apiVersion": other}})
    wanted = own.get(name, CLOUDSTACK_API)
    assert str(refused.value) == f"{part}.apiVersion: is '{other}', must be {wanted}"


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("part", ["attachments", "children", "related"])
def test_objects_of_a_kind_that_is_not_read_are_refused(name: str, part: str) -> None:
    hook = name.partition(" ")[0]
    kind = " or ".join(row[2] for row in OTHERS if row[:2] == (hook, part)) or "left out"
    is_decorated = "object" in BODIES[name]
    if part == ("children" if is_decorated else "attachments"):
        return  # of the other sort of controller: no part of the request
    for objects_of_it in ({}, {"web": {"metadata": {"name": "web"}}}):
        with pytest.raises(BadRequest) as refused:
            READS[name]({**BODIES[name], part: {"Pod.v1": objects_of_it}})
        assert str(refused.value) == f'{part}["Pod.v1"]: is unexpected, must be {kind}'


@pytest.mark.parametrize("name", [name for name in READS if name != "services"])
def test_an_object_that_names_no_kind_is_taken_for_the_hooks(name: str) -> None:
    part = "object" if "object" in BODIES[name] else "parent"
    READS[name]({**BODIES[name], part: {**BODIES[name][part], "kind": None}})


PATHS = (
    "../namespaces/kube-system/services/x",
    "a/b",
    "..",
    ".",
    "a%2Fb",
    "a?b",
    "a#b",
    "a b",
    "A",
    "",
)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", READS)
def test_a_name_that_is_a_path_is_refused(name: str, path: str) -> None:
    part = "object" if "object" in BODIES[name] else "parent"
    for field in ("name", "namespace")[: 2 if "namespace" in BODIES[name][part]["metadata"] else 1]:
        body = deepcopy(BODIES[name])
        body[part]["metadata"][field] = path
        with pytest.raises(BadRequest) as refused:
            READS[name](body)
        assert refused.value.field == f"{part}.metadata.{field}"


@pytest.mark.parametrize("path", PATHS)
def test_a_service_whose_name_is_a_path_is_refused(path: str) -> None:
    body = builders.body(service={"name": path, "uid": "u"})
    with pytest.raises(BadRequest) as refused:
        loadbalancers.read(body)
    assert refused.value.field == "parent.spec.service.name"


@pytest.mark.parametrize("port", [-1, 0, 65536])
@pytest.mark.parametrize(
    ("name", "part", "field"),
    [
        pytest.param("services", "object", "port", id="service-port"),
        pytest.param("services", "object", "nodePort", id="service-node-port"),
        pytest.param("loadbalancers", "parent", "publicPort", id="load-balancer-public-port"),
        pytest.param("loadbalancers", "parent", "nodePort", id="load-balancer-node-port"),
    ],
)
def test_a_port_that_no_server_has_is_refused(name: str, part: str, field: str, port: int) -> None:
    body = deepcopy(BODIES[name])
    body[part]["spec"]["ports"][0][field] = port
    with pytest.raises(BadRequest) as refused:
        READS[name](body)
    problem = f"is {port}, must be a port from 1 to 65535"
    assert str(refused.value) == f"{part}.spec.ports[0].{field}: {problem}"


OTHERS: list[tuple[str, str, str, str, Json]] = [
    ("nodes", "attachments", nodes.INSTANCES, "node-1", {"observed": "x"}),
    ("services", "attachments", services.ATTACHMENTS, KEY, {"status": []}),
    ("loadbalancers", "related", INSTANCES, "n1", {"spec": []}),
    ("loadbalancers", "related", ENDPOINT_SLICES, "default/web-1", {"endpoints": {}}),
    ("targetclusters", "children", "ConfigMap.v1", "team/a", {"data": ["x"]}),
]
HOOKS = [f"{row[0]} {row[2]}" for row in OTHERS]


@pytest.mark.parametrize(("name", "part", "kind", "key", "wrong"), OTHERS, ids=HOOKS)
def test_an_object_beside_it_of_another_shape_is_refused_by_its_field(
    name: str, part: str, kind: str, key: str, wrong: Json
) -> None:
    def refused(obj: Json | None) -> BadRequest:
        with pytest.raises(BadRequest) as refusal:
            READS[name]({**BODIES[name], part: {kind: {key: obj}}})
        return refusal.value

    place = f'{part}["{kind}"]' + (f'["{key}"]' if "/" in key else f".{key}")
    assert str(refused(None)) == f"{place}: is missing; it must be an object"
    assert refused({"metadata": {"name": "a"}, **wrong}).field == f"{place}.{next(iter(wrong))}"


@pytest.mark.parametrize(("name", "part", "kind"), [row[:3] for row in OTHERS], ids=HOOKS)
def test_gos_empty_maps_are_empty(name: str, part: str, kind: str) -> None:
    empties: tuple[Json | None, ...] = (None, {}, {kind: None}, {kind: {}})
    for empty in empties:
        READS[name]({**BODIES[name], part: empty})


def test_a_load_balancers_port_without_a_protocol_is_refused() -> None:
    attached = load_balancer({"ports": [{"publicPort": 80, "protocol": []}]})
    body = {**BODIES["services"], "attachments": {services.ATTACHMENTS: {KEY: attached}}}
    with pytest.raises(BadRequest) as refused:
        READS["services"](body)
    assert refused.value.field.endswith(".spec.ports[0].protocol")


MANY = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@MANY
@given(body=golden("loadbalancers"))
def test_no_load_balancer_is_an_error_of_ours(body: Json) -> None:
    with suppress(BadRequest):
        plan_load_balancer(builders.facts(loadbalancers.read(body)))


@MANY
@given(body=golden("services"))
def test_no_service_is_an_error_of_ours(body: Json) -> None:
    with suppress(BadRequest):
        services_hook(MemoryKube()).sync(body, Deadline(8))


@MANY
@given(body=broken(BODIES["nodes"]), match=st.sampled_from([Found(objects.make_vm()), MISSING]))
def test_no_node_is_an_error_of_ours(body: Json, match: Match) -> None:
    with suppress(BadRequest):
        read = nodes.read(body)
        plan_node(objects.make_facts(read.node, match, instance=read.instance))


@MANY
@given(body=broken(BODIES["targetclusters"]))
def test_no_target_cluster_is_an_error_of_ours(body: Json) -> None:
    with suppress(BadRequest):
        read = targetclusters.read(body, default_secret="target")
        facts = views.facts(
            cluster=read.cluster,
            spec=read.spec,
            config_maps=read.config_maps,
            probe=views.finished(HEALTHY),
        )
        plan_sync(facts)
        plan_finalize(facts)
