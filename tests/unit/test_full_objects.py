"""What one hook writes another one reads: each reads objects with every field that a CRD has."""

from hooks.loadbalancers import request as loadbalancers
from hooks.loadbalancers.instances import INSTANCES
from hooks.nodes import request as nodes
from hooks.services import request as services
from hooks.settings.config import Config
from tests.schemas import full, schema_of
from tests.unit.loadbalancers.builders import body
from tests.unit.nodes.objects import make_node
from tests.unit.services.objects import KEY, load_balancer, service

LOAD_BALANCER = full(schema_of("cloudstackloadbalancers").schema)
INSTANCE = full(schema_of("cloudstackinstances").schema)


def test_services_read_all_of_a_load_balancer() -> None:
    attached = load_balancer(LOAD_BALANCER["spec"], LOAD_BALANCER["status"])
    request = {"object": service(), "attachments": {services.ATTACHMENTS: {KEY: attached}}}
    assert services.read(request, Config(), now=0.0).load_balancer == attached


def test_load_balancers_read_all_of_themselves_and_of_instances() -> None:
    request = body()
    request["parent"]["status"] = LOAD_BALANCER["status"]
    [instance, *_] = request["related"][INSTANCES].values()
    instance["observed"] = INSTANCE["observed"]
    assert loadbalancers.read(request).recorded_json == LOAD_BALANCER["status"]


def test_nodes_read_all_of_an_instance() -> None:
    node = make_node()
    name = node["metadata"]["name"]
    attached = {
        "apiVersion": "cloudstack.targetcluster.example.com/v1alpha1",
        "kind": "CloudStackInstance",
        "metadata": {"name": name, "uid": "u"},
        "spec": INSTANCE["spec"],
        "observed": INSTANCE["observed"],
    }
    request = {"object": node, "attachments": {nodes.INSTANCES: {name: attached}}}
    assert nodes.read(request).instance == attached
