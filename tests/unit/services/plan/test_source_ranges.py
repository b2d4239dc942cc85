"""Who may connect is read so that nothing that is unclear admits anybody."""

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooks.http.bounded_json import Json
from hooks.services.plan.source_ranges import common_ranges, read_ranges, still_admitted
from hooks.services.plan.spec import wanted_spec
from hooks.services.plan.status import ready_condition
from tests.unit.services.objects import facts, load_balancer, ready, service, serving

EVERYONE = ["0.0.0.0/0"]
MIXED = ["203.0.113.0/24", "2001:db8::/32"]


@pytest.mark.parametrize(
    ("texts", "cidrs", "ipv6"),
    [
        pytest.param([], (), (), id="none"),
        pytest.param(["10.0.0.0/8", "192.0.2.0/24"], ("10.0.0.0/8", "192.0.2.0/24"), (), id="two"),
        pytest.param([" 10.0.0.0/8 "], ("10.0.0.0/8",), (), id="blanks"),
        pytest.param(["10.1.2.3/8"], ("10.0.0.0/8",), (), id="host bits"),
        pytest.param(["10.0.0.0/8", "10.9.9.9/8"], ("10.0.0.0/8",), (), id="twice the same"),
        pytest.param(
            ["192.0.2.0/24", "10.0.0.0/8"], ("192.0.2.0/24", "10.0.0.0/8"), (), id="order"
        ),
        pytest.param(MIXED, ("203.0.113.0/24",), ("2001:db8::/32",), id="both families"),
        pytest.param(["0.0.0.0/0", "::/0"], ("0.0.0.0/0",), ("::/0",), id="everybody twice"),
    ],
)
def test_ranges_are_read_as_cloudstack_writes_them(
    texts: list[str], cidrs: tuple[str, ...], ipv6: tuple[str, ...]
) -> None:
    read = read_ranges(texts)
    assert (read.cidrs, read.ipv6, read.problem) == (cidrs, ipv6, "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("10.0.0.0/33", "is not a CIDR; write one such as 192.0.2.0/24", id="prefix"),
        pytest.param("", "'' is not a CIDR", id="empty"),
        pytest.param("all", "'all' is not a CIDR", id="word"),
        pytest.param("203.0.113.7", "write 203.0.113.7/32 for one address", id="address"),
        pytest.param("2001:db8::7", "write 2001:db8::7/128 for one address", id="IPv6 address"),
    ],
)
def test_what_is_no_range_is_named_and_the_others_are_read(text: str, message: str) -> None:
    read = read_ranges(["10.0.0.0/8", text])
    assert message in read.problem
    assert read.cidrs == ("10.0.0.0/8",)


def test_ranges_of_which_none_is_ipv4_are_refused() -> None:
    read = read_ranges(["2001:db8::/32", "::/0"])
    assert read.problem == (
        "'2001:db8::/32, ::/0' is IPv6 only, and CloudStack's load balancers serve IPv4 only; "
        "add an IPv4 range"
    )
    assert read.cidrs == ()


def test_more_ranges_than_the_schema_takes_are_refused() -> None:
    many = [f"10.0.{index}.0/24" for index in range(9)]
    assert read_ranges(many[:8] + many[:8], limit=8).problem == ""
    read = read_ranges(many, limit=8)
    assert read.problem == "9 ranges are too many; join them to at most 8"
    assert len(read.cidrs) == 8


@settings(deadline=None)
@given(text=st.text(max_size=300))
def test_any_text_is_read_or_refused_in_a_short_sentence(text: str) -> None:
    assert len(read_ranges([text]).problem) < 400


blocks = st.lists(
    st.tuples(st.integers(0, 15), st.integers(28, 32)).map(
        lambda drawn: str(ipaddress.ip_network((f"10.0.0.{drawn[0]}", drawn[1]), strict=False))
    ),
    max_size=5,
)


@settings(deadline=None)
@given(first=blocks, second=blocks)
def test_common_ranges_admit_exactly_who_both_lists_admit(
    first: list[str], second: list[str]
) -> None:
    common = common_ranges(first, second)
    for host in ipaddress.IPv4Network("10.0.0.0/27"):
        admitted = [
            any(host in ipaddress.IPv4Network(each) for each in ranges)
            for ranges in (first, second, common)
        ]
        assert admitted[2] is (admitted[0] and admitted[1])
    assert len(common) == len(set(common))


def test_the_same_ranges_stay_as_they_are() -> None:
    ranges = ["192.0.2.0/24", "10.0.0.0/8"]
    assert common_ranges(ranges, ranges) == ranges


def test_ipv6_ranges_are_left_out_and_said() -> None:
    observed = service(loadBalancerSourceRanges=MIXED)
    spec = wanted_spec(facts(observed))
    assert (spec["sourceRanges"], spec["invalid"]) == (["203.0.113.0/24"], [])
    said = (
        "spec.loadBalancerSourceRanges: 2001:db8::/32 left out: the load balancer's address is IPv4"
    )
    balancer = load_balancer(spec, serving(conditions=[ready()]))
    message = ready_condition(facts(observed, balancer), spec).message
    assert message == f"203.0.113.7: rules 1/1, members 2/2; {said}"


def present_with(*ranges: str) -> Json:
    """Make a load balancer that admits these ranges."""
    return load_balancer({**wanted_spec(facts(service())), "sourceRanges": list(ranges)})


@pytest.mark.parametrize(
    ("before", "observed", "after"),
    [
        pytest.param(
            EVERYONE, service({"source-cidrs": "10.0.0.0/8,intranet"}), ["10.0.0.0/8"], id="part"
        ),
        pytest.param(EVERYONE, service({"source-cidrs": "intranet"}), [], id="nothing is clear"),
        pytest.param(
            EVERYONE, service(loadBalancerSourceRanges=["2001:db8::/32"]), [], id="IPv6 alone"
        ),
        pytest.param(
            EVERYONE,
            service({"source-cidrs": "10.0.0.0/8"}, loadBalancerSourceRanges=["10.1.0.0/16"]),
            ["10.1.0.0/16"],
            id="two places that differ",
        ),
        pytest.param(
            EVERYONE,
            service({"mode": "dry", "source-cidrs": "10.0.0.0/8"}),
            ["10.0.0.0/8"],
            id="another field is invalid",
        ),
        pytest.param(
            ["10.0.0.0/8"],
            service({"source-cidrs": "0.0.0.0/0,intranet"}),
            ["10.0.0.0/8"],
            id="wider, refused in part",
        ),
        pytest.param(
            ["10.0.0.0/8", "192.0.2.0/24"],
            service({"mode": "dry", "source-cidrs": "192.0.2.0/24,198.51.100.0/24"}),
            ["192.0.2.0/24"],
            id="other ranges",
        ),
        pytest.param(
            ["10.0.0.0/8", "2001:db8::/32"], service({"mode": "dry"}), ["10.0.0.0/8"], id="IPv6"
        ),
    ],
)
def test_a_refused_service_admits_nobody_whom_it_does_not_name(
    before: list[str], observed: Json, after: list[str]
) -> None:
    spec = wanted_spec(facts(observed, present_with(*before)))
    assert spec["invalid"]
    assert spec["sourceRanges"] == after


@pytest.mark.parametrize(
    ("present", "admitted"),
    [
        pytest.param({}, ["10.0.0.0/8"], id="left out"),
        pytest.param({"sourceRanges": None}, ["10.0.0.0/8"], id="null"),
        pytest.param({"sourceRanges": []}, [], id="nobody"),
    ],
)
def test_ranges_that_a_spec_leaves_out_are_everybodys(present: Json, admitted: list[str]) -> None:
    assert still_admitted(present, ["10.0.0.0/8"]) == admitted
