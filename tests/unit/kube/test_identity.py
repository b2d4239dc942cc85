from dataclasses import replace

import pytest

from hooks.kube.identity import ClusterIdentity

KNOWN = ClusterIdentity("uid-1", "sha256:1", "here")


@pytest.mark.parametrize(
    ("other", "same"),
    [
        pytest.param(ClusterIdentity("uid-1", "sha256:2", "there"), True, id="its UID, moved"),
        pytest.param(ClusterIdentity("uid-2", "sha256:1", "here"), False, id="another UID"),
        pytest.param(ClusterIdentity("", "sha256:1", "here"), True, id="says no UID any more"),
        pytest.param(ClusterIdentity("", "sha256:1", "there"), False, id="one authority for many"),
        pytest.param(ClusterIdentity("", "sha256:2", "here"), False, id="another authority"),
        pytest.param(ClusterIdentity("", "", "there"), False, id="no authority, elsewhere"),
        pytest.param(ClusterIdentity("", "", "here"), True, id="no authority, there still"),
        pytest.param(ClusterIdentity(), None, id="nothing is known"),
    ],
)
def test_a_cluster_whose_uid_is_known_is_the_one_that_says_it_or_stands_in_its_place(
    other: ClusterIdentity, same: bool | None
) -> None:
    assert KNOWN.same_as(other) is same
    assert other.same_as(KNOWN) is same


def test_where_neither_says_a_uid_both_are_one_only_at_the_same_place() -> None:
    one = ClusterIdentity("", "sha256:1", "here")
    assert one.same_as(replace(one))
    assert one.same_as(ClusterIdentity("", "sha256:1", "there")) is False
    assert ClusterIdentity("", "", "here").same_as(ClusterIdentity("", "", "there")) is False
    assert one.same_as(ClusterIdentity("", "sha256:1"))
    assert one.key != replace(one, place="there").key


def test_what_an_inventory_of_an_older_version_lacks_is_no_proof_of_another_cluster() -> None:
    assert ClusterIdentity("uid-1", "sha256:1").same_as(ClusterIdentity("", "sha256:1", "here"))


@pytest.mark.parametrize(
    ("known", "other", "is_confirmed"),
    [
        pytest.param(KNOWN, ClusterIdentity("uid-1", "sha256:1", "there"), True, id="authority"),
        pytest.param(KNOWN, ClusterIdentity("uid-1", "sha256:2", "here"), False, id="another one"),
        pytest.param(KNOWN, ClusterIdentity("uid-1", "", "here"), False, id="without authority"),
        pytest.param(replace(KNOWN, ca=""), replace(KNOWN, ca=""), True, id="server"),
        pytest.param(
            replace(KNOWN, ca=""), ClusterIdentity("uid-1", "", "there"), False, id="elsewhere"
        ),
        pytest.param(ClusterIdentity("uid-1"), KNOWN, True, id="nothing but the UID is known"),
    ],
)
def test_a_uid_is_confirmed_by_the_authority_and_without_one_by_the_server(
    known: ClusterIdentity, other: ClusterIdentity, *, is_confirmed: bool
) -> None:
    assert known.is_confirmed_by(other) is is_confirmed
