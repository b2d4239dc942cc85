import json
import os
import subprocess
import sys
from copy import deepcopy
from functools import partial
from pathlib import Path

import pytest

from hooks.http.bounded_json import Json
from hooks.loadbalancers.plan.fingerprint import (
    VERSION,
    answer_identity,
    asked_for,
    digest,
    fingerprint,
    is_asked_still,
)
from hooks.loadbalancers.request import read
from tests.unit.loadbalancers.builders import (
    NODES,
    READY,
    UNREADY,
    body,
    endpoint,
    endpoint_slice,
    instance,
    port,
    recorded,
    request,
)

CASES = Path(__file__).parents[3] / "golden" / "loadbalancers"
#: Fingerprints of golden requests. They are in the status of every load balancer, so a release that
#: changes one has each load balancer checked once more; the changelog says so then.
KNOWN = {
    "06-converged": "66103d19500d1561",
    "09-plan-mode": "6ac954df4c5761ec",
    "10-takeover-from-another-provider": "3f464fac0c116c45",
    "11-a-service-that-cannot-work-keeps-its-members-right": "ab24c849acb8be0e",
    "13-deletion-releases-the-address": "deleting:66103d19500d1561",
}
PRINT = """
import json, sys
from hooks.loadbalancers.plan.fingerprint import fingerprint
from hooks.loadbalancers.request import read
bodies = json.load(sys.stdin)
print(json.dumps({name: fingerprint(read(body)) for name, body in bodies.items()}))
"""


@pytest.mark.parametrize("seed", ["0", "1", "4711"])
def test_the_fingerprint_is_the_same_in_every_process(seed: str) -> None:
    bodies = {case: json.loads((CASES / case / "request.json").read_text()) for case in KNOWN}
    done = subprocess.run(
        [sys.executable, "-c", PRINT],
        input=json.dumps(bodies),
        env={**os.environ, "PYTHONHASHSEED": seed},
        cwd=Path(__file__).parents[4],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == KNOWN


def test_a_new_field_at_its_default_changes_nothing() -> None:
    fields = asked_for(request())
    assert digest({**fields, "new": (0, 0)}) == digest(fields)
    assert digest({**fields, "new": (1, 0)}) != digest(fields)


def slices(*nodes: str) -> list[Json]:
    return [endpoint_slice(*(endpoint(node, **READY) for node in nodes))]


DEFAULTS: Json = {
    "algorithm": "roundrobin",
    "sourceRanges": ["0.0.0.0/0"],
    "address": "",
    "keepAddress": False,
    "adopt": {"address": "", "associatedByController": False, "names": []},
    "nodeSelector": {},
    "externalTrafficPolicy": "Cluster",
    "mode": "Apply",
    "invalid": [],
}


@pytest.mark.parametrize("field", DEFAULTS)
def test_a_field_at_its_default_is_as_one_that_is_left_out(field: str) -> None:
    assert fingerprint(request(**{field: DEFAULTS[field]})) == fingerprint(request())


def test_a_field_of_another_release_changes_nothing() -> None:
    assert fingerprint(request(sessionTimeout=30)) == fingerprint(request())


def test_the_order_of_names_to_adopt_changes_nothing() -> None:
    names = [f"a-tcp-{number}" for number in range(20)]
    fingerprints = {
        fingerprint(request(adopt={"address": "", "names": each})) for each in (names, names[::-1])
    }
    assert len(fingerprints) == 1


def test_the_fingerprint_changes_with_what_is_asked_and_with_nothing_else() -> None:
    base = fingerprint(request())
    assert fingerprint(request(status=recorded())) == base
    relabelled = deepcopy({**NODES, "n1": instance("n1", state="Stopped")})
    relabelled["n1"]["metadata"]["labels"]["new"] = "label"
    assert fingerprint(request(nodes=relabelled)) == base
    others = [
        request(loadBalancerName="other"),
        request(ports=[port(81)]),
        request(ports=[port(80, 30081)]),
        request(ports=[port(80, protocol="UDP")]),
        request(ports=[port(80, proxy=True)]),
        request(ports=[port(80) | {"stickiness": {"method": "LbCookie"}}]),
        request(ports=[port(80) | {"stickiness": {"method": "SourceBased"}}]),
        request(
            ports=[port(80) | {"stickiness": {"method": "LbCookie", "parameters": {"mode": "a"}}}]
        ),
        request(ports=[port(80), port(81)]),
        request(ports=[]),
        request(algorithm="source"),
        request(sourceRanges=["10.0.0.0/8"]),
        request(sourceRanges=[]),
        request(address="192.0.2.1"),
        request(keepAddress=True),
        request(adopt={"address": "192.0.2.1"}),
        request(adopt={"associatedByController": True}),
        request(adopt={"names": ["a"]}),
        request(nodeSelector={"kubernetes.io/hostname": "n1"}),
        request(externalTrafficPolicy="Local"),
        request(externalTrafficPolicy="Local", slices=slices("n1")),
        request(externalTrafficPolicy="Local", slices=slices("n1", "n2")),
        request(externalTrafficPolicy="Local", slices=slices(*NODES)),
        request(mode="Plan"),
        request(invalid=[{"field": "a", "message": "b"}]),
        request(invalid=[{"field": "a", "message": "c"}]),
        request(metadata={"deletionTimestamp": "2027-01-15T08:00:00Z"}),
        request(nodes={}),
        request(nodes={"n1": NODES["n1"]}),
        request(nodes={**NODES, "n1": instance("n1", missing={})}),
        request(nodes={**NODES, "n1": instance("n1", servesLoadBalancers=False)}),
        request(nodes={**NODES, "n4": instance("n4", "other")}),
        request(nodes={name: instance(name, "other") for name in NODES}),
    ]
    assert len({base, *map(fingerprint, others)}) == len(others) + 1


def test_endpoints_matter_by_the_nodes_that_they_are_on_alone() -> None:
    local = partial(request, externalTrafficPolicy="Local")
    once = fingerprint(local(slices=slices("n1", "n2")))
    assert fingerprint(local(slices=[*slices("n2"), *slices("n1", "elsewhere", "n2")])) == once
    gone = [endpoint_slice(endpoint("n1", **UNREADY))]
    assert fingerprint(local(slices=gone)) == fingerprint(local(slices=[]))


def test_another_service_of_the_same_name_has_another_fingerprint() -> None:
    other = body()
    other["parent"]["spec"]["service"]["uid"] = "another"
    assert fingerprint(read(other)) != fingerprint(request())


def test_a_vm_that_is_stopped_matters_only_if_no_other_runs() -> None:
    stopped = {name: instance(name, state="Stopped") for name in NODES}
    running = {name: instance(name, state="Running") for name in NODES}
    one = fingerprint(request(nodes=running | {"n1": stopped["n1"]}))
    assert one == fingerprint(request(nodes=running)) == fingerprint(request())
    assert fingerprint(request(nodes=stopped)) != one


def test_a_fingerprint_of_an_earlier_version_is_of_the_same_request() -> None:
    fields = asked_for(request())
    for version in range(VERSION + 1):
        assert is_asked_still(digest(fields, version), request())
    assert not is_asked_still(digest(fields, VERSION + 1), request())
    assert not is_asked_still("", request())


def test_statuses_of_work_that_goes_on_are_told_apart_by_address_and_rules() -> None:
    rules = [{"id": "r-1", "members": 2}]
    statuses: list[Json] = [
        {"checkedFor": "f"},
        {"rules": rules},
        {"rules": [{"id": "r-1", "members": 3}]},
        {"address": {"ip": "192.0.2.1"}},
    ]
    assert len({answer_identity(each) for each in statuses}) == len(statuses)
    assert answer_identity({"rules": rules, "conditions": []}) == answer_identity(statuses[1])
    assert answer_identity({}) == answer_identity({"conditions": []}) == ""
