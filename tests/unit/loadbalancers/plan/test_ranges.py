import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.loadbalancers.plan.ranges import covers, is_equivalent, overlap, rewrite_avoiding

ALL = "0.0.0.0/0"
HALVES = ("0.0.0.0/1", "128.0.0.0/1")

networks = st.builds(
    lambda address, length: str(ipaddress.ip_network((address, length), strict=False)),
    st.integers(0, 2**32 - 1).map(lambda number: str(ipaddress.IPv4Address(number))),
    st.integers(0, 32),
)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        pytest.param([ALL], HALVES, True, id="halves"),
        pytest.param([ALL, "10.0.0.0/8"], [ALL], True, id="one in another"),
        pytest.param(["10.0.0.0/9"], ["10.0.0.0/8"], False, id="a half"),
        pytest.param([], [ALL], False, id="nobody and everybody"),
        pytest.param(["10.1.2.3/8"], ["10.0.0.0/8"], True, id="host bits"),
        pytest.param(["::/1", "8000::/1", ALL], ["::/0", *HALVES], True, id="IPv6 beside IPv4"),
        pytest.param(["::/0"], [ALL], False, id="IPv6 for IPv4"),
    ],
)
def test_lists_that_admit_the_same_are_equivalent(
    one: list[str], other: list[str], *, alike: bool
) -> None:
    assert is_equivalent(one, other) is alike
    assert is_equivalent(other, one) is alike


@pytest.mark.parametrize(
    ("existing", "wanted", "admitted"),
    [
        pytest.param(HALVES, [ALL], True, id="together"),
        pytest.param(["10.0.0.0/8"], ["10.1.0.0/16", "10.2.0.0/16"], True, id="parts"),
        pytest.param(["10.0.0.0/8"], ["10.1.0.0/16", "192.0.2.0/24"], False, id="one more"),
        pytest.param([], ["10.0.0.0/8"], False, id="nobody"),
        pytest.param([], [], True, id="nobody wanted"),
    ],
)
def test_a_list_covers_what_it_contains(
    existing: list[str], wanted: list[str], *, admitted: bool
) -> None:
    assert covers(existing, wanted) is admitted


@pytest.mark.parametrize(
    ("one", "other", "has_common"),
    [
        pytest.param(["10.0.0.0/8"], ["10.1.0.0/16"], True, id="one in another"),
        pytest.param(["10.0.0.0/8", "192.0.2.0/24"], ["192.0.2.128/25"], True, id="the last"),
        pytest.param(["10.0.0.0/9"], ["10.128.0.0/9"], False, id="side by side"),
        pytest.param(["10.0.0.0/8"], ["9.0.0.0/8", "11.0.0.0/8"], False, id="around"),
        pytest.param(["::/0"], [ALL], False, id="IPv6 and IPv4"),
        pytest.param([ALL], [], False, id="nobody"),
    ],
)
def test_lists_overlap_if_they_have_a_client_in_common(
    one: list[str], other: list[str], *, has_common: bool
) -> None:
    assert overlap(one, other) is has_common
    assert overlap(other, one) is has_common


@given(st.lists(networks, max_size=5), st.lists(networks, max_size=5))
def test_lists_overlap_just_if_two_of_their_networks_do(one: list[str], other: list[str]) -> None:
    pairs = [(ipaddress.ip_network(a), ipaddress.ip_network(b)) for a in one for b in other]
    assert overlap(one, other) is any(a.overlaps(b) for a, b in pairs)


@given(st.lists(networks, max_size=5), st.lists(networks, max_size=5))
def test_a_rewritten_list_is_equivalent_and_avoids_the_taken_texts(
    ranges: list[str], taken: list[str]
) -> None:
    apart = rewrite_avoiding(ranges, taken)
    if apart is None:
        assert any(each.endswith("/32") for each in taken)
    else:
        assert is_equivalent(apart, ranges)
        assert not set(apart) & set(taken)


def test_a_range_that_is_free_stays_and_one_that_is_taken_becomes_its_halves() -> None:
    assert rewrite_avoiding([ALL, "10.0.0.0/8"], [ALL]) == (*HALVES, "10.0.0.0/8")
    assert rewrite_avoiding([ALL], [ALL, HALVES[0]]) == ("0.0.0.0/2", "64.0.0.0/2", HALVES[1])
    assert rewrite_avoiding(["192.0.2.7/32"], ["192.0.2.7/32"]) is None
    assert rewrite_avoiding(["192.0.2.6/31"], ["192.0.2.6/31", "192.0.2.7/32"]) is None
