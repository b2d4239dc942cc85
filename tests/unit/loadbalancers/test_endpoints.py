"""Who is a member if only nodes with an endpoint are: traffic policy Local."""

from typing import Any

import pytest

from hooks.http.bounded_json import Json
from hooks.loadbalancers.request import LoadBalancerRequest, read
from tests.unit.loadbalancers.builders import (
    ENDING,
    NET,
    NODES,
    READY,
    UNREADY,
    body,
    endpoint,
    endpoint_slice,
    instance,
    recorded,
    request,
)


def local(*slices: Json, **asked: Any) -> LoadBalancerRequest:
    return request(externalTrafficPolicy="Local", slices=slices, **asked)


def names(asked: LoadBalancerRequest) -> list[str]:
    return [each.name for each in asked.members]


@pytest.mark.parametrize(
    ("endpoints", "members"),
    [
        pytest.param([endpoint("n1", **READY), endpoint("n3", **READY)], ["n1", "n3"], id="ready"),
        pytest.param([endpoint("n1")], ["n1"], id="no condition says no"),
        pytest.param([endpoint("n1", ready=None)], ["n1"], id="null says no neither"),
        pytest.param([endpoint("n1", **READY), endpoint("n2", **UNREADY)], ["n1"], id="one is not"),
        pytest.param(
            [endpoint("n1", **READY), endpoint("n2", **ENDING)],
            ["n1"],
            id="one is ending while another is ready",
        ),
        pytest.param(
            [endpoint("n1", **UNREADY), endpoint("n2", **ENDING)],
            ["n2"],
            id="one is ending and none is ready",
        ),
        pytest.param(
            [endpoint("n1", ready=False, terminating=True)],
            ["n1"],
            id="one is ending and does not say whether it serves",
        ),
        pytest.param(
            [endpoint("n2", ready=True, serving=True, terminating=True)],
            ["n2"],
            id="ready though it is ending: publishNotReadyAddresses",
        ),
        pytest.param(
            [endpoint("n1", **READY), endpoint(None, **READY)], ["n1"], id="one is on no node"
        ),
        pytest.param(
            [endpoint("n1", **READY), endpoint("elsewhere", **READY)],
            ["n1"],
            id="a node that is not ours to balance",
        ),
        pytest.param(
            [endpoint("n2", **READY), endpoint("n2", **READY), endpoint("n2", **UNREADY)],
            ["n2"],
            id="several on a node",
        ),
    ],
)
def test_members_are_the_nodes_with_a_ready_endpoint(
    endpoints: list[Json], members: list[str]
) -> None:
    asked = local(endpoint_slice(*endpoints))
    assert names(asked) == members
    assert not asked.lacks_endpoints


@pytest.mark.parametrize(
    ("slices", "members"),
    [
        pytest.param(
            [
                endpoint_slice(endpoint("n1", **READY)),
                endpoint_slice(endpoint("n1", **READY), endpoint("n2", **READY)),
            ],
            ["n1", "n2"],
            id="several slices, a node in two",
        ),
        pytest.param(
            [
                endpoint_slice(endpoint("n1", **READY)),
                endpoint_slice(endpoint("n2", **READY), address_type="IPv6"),
            ],
            ["n1"],
            id="dual stack: clients come by IPv4",
        ),
        pytest.param(
            [
                endpoint_slice(endpoint("n1", **READY)),
                endpoint_slice(endpoint("n2", **READY), address_type="FQDN"),
            ],
            ["n1"],
            id="names instead of addresses, which kube-proxy does not read",
        ),
        pytest.param(
            [
                endpoint_slice(endpoint("n1", **READY)),
                endpoint_slice(endpoint("n2", **READY), ports=[]),
                endpoint_slice(endpoint("n3", **READY), ports=None),
            ],
            ["n1"],
            id="pods without the named port, to which kube-proxy sends nothing",
        ),
        pytest.param(
            [
                endpoint_slice(endpoint("n1", **READY)),
                endpoint_slice(endpoints=None),
                endpoint_slice(),
            ],
            ["n1"],
            id="empty ones",
        ),
        pytest.param(
            [
                endpoint_slice(
                    endpoint("n3", **READY),
                    metadata={
                        "name": "mine",
                        "labels": {"endpointslice.kubernetes.io/managed-by": "staff"},
                    },
                )
            ],
            ["n3"],
            id="whoever made them",
        ),
    ],
)
def test_all_slices_of_the_service_count_as_kube_proxy_counts_them(
    slices: list[Json], members: list[str]
) -> None:
    assert names(local(*slices)) == members


@pytest.mark.parametrize(
    "slices",
    [
        pytest.param([], id="no slice"),
        pytest.param([endpoint_slice()], id="no endpoint"),
        pytest.param([endpoint_slice(endpoints=None)], id="no endpoint, as Go writes it"),
        pytest.param([endpoint_slice(endpoint("n1", **UNREADY))], id="none is ready"),
        pytest.param([endpoint_slice(endpoint("elsewhere", **READY))], id="none on a node of ours"),
        pytest.param([endpoint_slice(endpoint(None, **READY))], id="none on any node"),
        pytest.param([endpoint_slice(endpoint("n1"), address_type="IPv6")], id="IPv6 alone"),
    ],
)
def test_without_an_endpoint_all_nodes_may_stay_members(slices: list[Json]) -> None:
    asked = local(*slices)
    assert asked.lacks_endpoints
    assert names(asked) == list(NODES)


def test_slices_that_metacontroller_does_not_show_remove_nobody() -> None:
    assert request(externalTrafficPolicy="Local").lacks_endpoints


def test_endpoints_mean_nothing_where_every_node_is_a_member() -> None:
    asked = request(slices=[endpoint_slice(endpoint("n1", **READY))])
    assert names(asked) == list(NODES)
    assert not asked.lacks_endpoints


EXCLUDED = {**NODES, "n1": instance("n1", servesLoadBalancers=False)}
ELSEWHERE = {**NODES, "n1": instance("n1", "other")}


@pytest.mark.parametrize(
    ("nodes", "endpoints", "members"),
    [
        pytest.param(
            EXCLUDED,
            [endpoint("n1", **READY), endpoint("n2", **READY)],
            ["n2"],
            id="a node that is excluded",
        ),
        pytest.param(
            ELSEWHERE,
            [endpoint("n1", **READY), endpoint("n2", **READY)],
            ["n2"],
            id="a node on another network",
        ),
        pytest.param(
            EXCLUDED,
            [endpoint("n1", **READY), endpoint("n2", **ENDING)],
            ["n2"],
            id="the only ready one is excluded",
        ),
        pytest.param(
            ELSEWHERE,
            [endpoint("n1", **READY), endpoint("n2", **ENDING)],
            ["n2"],
            id="the only ready one is on another network",
        ),
        pytest.param(
            ELSEWHERE, [endpoint("n1", **READY)], ["n2", "n3"], id="nobody has any on the network"
        ),
    ],
)
def test_endpoints_only_select_among_the_nodes_that_may_be_members(
    nodes: dict[str, Json], endpoints: list[Json], members: list[str]
) -> None:
    asked = local(endpoint_slice(*endpoints), nodes=nodes, status=recorded())
    assert names(asked) == members


def test_endpoints_and_the_node_selector_hold_both() -> None:
    asked = local(
        endpoint_slice(endpoint("n1", **READY), endpoint("n2", **READY)),
        nodeSelector={"kubernetes.io/hostname": "n2"},
    )
    assert names(asked) == ["n2"]


def test_the_network_does_not_depend_on_where_endpoints_are() -> None:
    nodes = {"n1": instance("n1", "other"), "n2": instance("n2"), "n3": instance("n3")}
    asked = local(endpoint_slice(endpoint("n1", **READY)), nodes=nodes)
    assert asked.network_id == NET


def test_a_name_in_a_slice_that_is_no_nodes_name_does_no_harm() -> None:
    odd = endpoint_slice(endpoint("../n1", **READY), endpoint("N" * 5000, **READY))
    asked = local(odd, endpoint_slice(endpoint("n1", **READY)))
    assert names(asked) == ["n1"]


def test_a_deletion_reads_no_slices() -> None:
    deleted = body(
        externalTrafficPolicy="Local", metadata={"deletionTimestamp": "2027-01-15T08:00:00Z"}
    )
    assert read(deleted).is_deleting
