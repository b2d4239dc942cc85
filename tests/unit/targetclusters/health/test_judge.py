from collections.abc import Mapping
from dataclasses import replace

import pytest

from hooks.http.bounded_json import Json
from hooks.kube.conditions import Condition
from hooks.targetclusters.health.judge import (
    CHECKS,
    CREDENTIALS,
    NODES,
    PODS,
    REACHABLE,
    CheckState,
    count_probe,
    judge,
    read_checks,
    with_expiry,
)
from hooks.targetclusters.health.model import (
    Failure,
    FailureKind,
    Nodes,
    ProbeResult,
    ReadyCount,
)
from hooks.targetclusters.request import HealthChecks, IntOrPercent, Spec

NOW = 1_800_000_000.0
NOTICE = 360.0
SPEC = Spec("target")
HEALTHY = ProbeResult(
    NOW,
    0.1,
    1,
    server="https://h",
    answered=True,
    version="v1.36.3",
    nodes=Nodes(ReadyCount(3, 3)),
    pods=ReadyCount(2, 2),
)


def failed(kind: FailureKind, reason: str = "R", message: str = "m") -> ProbeResult:
    return ProbeResult(NOW, 0.1, 1, failure=Failure(kind, reason, message))


def results(probe: ProbeResult, spec: Spec = SPEC) -> dict[str, str]:
    return {found.type: f"{found.status} {found.reason}" for found in judge(probe, spec)}


@pytest.mark.parametrize(
    ("probe", "expected"),
    [
        pytest.param(
            HEALTHY,
            {
                CREDENTIALS: "True Accepted",
                REACHABLE: "True Answered",
                NODES: "True EnoughReady",
                PODS: "True AllReady",
            },
            id="healthy",
        ),
        pytest.param(
            failed("own"), dict.fromkeys(CHECKS, "Unknown R"), id="own-api-server-out-of-reach"
        ),
        pytest.param(
            failed("kubeconfig"),
            {CREDENTIALS: "False R", **dict.fromkeys(CHECKS[1:], "Unknown R")},
            id="kubeconfig-unusable",
        ),
        pytest.param(
            failed("connection"),
            {REACHABLE: "False R", NODES: "Unknown R", PODS: "Unknown R"},
            id="out-of-reach-leaves-open-the-credentials",
        ),
        pytest.param(
            failed("credentials"),
            {
                CREDENTIALS: "False R",
                REACHABLE: "True Answered",
                NODES: "Unknown R",
                PODS: "Unknown R",
            },
            id="not-accepted",
        ),
    ],
)
def test_a_probe_is_judged(probe: ProbeResult, expected: dict[str, str]) -> None:
    assert results(probe) == expected


def test_a_server_that_proves_nothing_is_pointed_out() -> None:
    unverified = ProbeResult(NOW, 0.1, 1, answered=True, verified=False, version="v1")
    assert "insecure-skip-tls-verify" in judge(unverified, SPEC)[0].message


@pytest.mark.parametrize(
    ("share", "ready", "total", "enough"),
    [
        pytest.param(IntOrPercent(1), 1, 5, True, id="one"),
        pytest.param(IntOrPercent(1), 0, 5, False, id="none"),
        pytest.param(IntOrPercent(0), 0, 0, True, id="none-asked-for"),
        pytest.param(IntOrPercent("80%"), 4, 5, True, id="exactly-the-share"),
        pytest.param(IntOrPercent("80%"), 3, 4, False, id="rounded-up"),
        pytest.param(IntOrPercent("100%"), 0, 0, False, id="all-of-none"),
        pytest.param(IntOrPercent("0%"), 0, 0, True, id="no-share-of-none"),
    ],
)
def test_enough_nodes_are_ready(share: IntOrPercent, ready: int, total: int, enough: bool) -> None:
    spec = Spec("target", health=HealthChecks(min_ready_nodes=share))
    probe = ProbeResult(
        NOW, 0.1, 1, answered=True, version="v1", nodes=Nodes(ReadyCount(ready, total))
    )
    assert results(probe, spec)[NODES].startswith(str(enough))


def test_ten_of_many_nodes_are_enough_to_name_three() -> None:
    names = tuple(f"n-{number}" for number in range(10))
    probe = ProbeResult(
        NOW, 0.1, 1, answered=True, version="v1", nodes=Nodes(ReadyCount(0, 5000, names))
    )
    [nodes] = [found for found in judge(probe, SPEC) if found.type == NODES]
    assert nodes.message.endswith("not ready: n-0, n-1, n-2 and 4997 more")


def said(checks: Mapping[str, CheckState]) -> dict[str, str]:
    found = {check: checks[check].condition for check in (CREDENTIALS, REACHABLE)}
    return {check: f"{condition.status} {condition.reason}" for check, condition in found.items()}


def sequence(words: str, failures: int, successes: int) -> str:
    """Count one probe for each letter of `words`; return what Reachable was after each."""
    spec = Spec("target", failure_threshold=failures, success_threshold=successes)
    checks = read_checks({})
    statuses = ""
    for word in words:
        checks = count_probe(
            checks, HEALTHY if word == "T" else failed("connection"), spec, is_new=False
        )
        statuses += checks[REACHABLE].condition.status[0]
    return statuses


@pytest.mark.parametrize(
    ("words", "failures", "successes", "expected"),
    [
        pytest.param("T", 2, 1, "T", id="the-first-good-word-counts"),
        pytest.param("F", 1, 1, "F", id="a-threshold-of-one"),
        pytest.param("FFF", 2, 1, "UFF", id="bad-words-must-be-enough-from-the-start"),
        pytest.param("TFTFTFT", 2, 1, "TTTTTTT", id="flapping-below-the-threshold"),
        pytest.param("TFFTTT", 2, 3, "TTFFFT", id="back-after-enough-good-words"),
        pytest.param("TFFTTFTTT", 2, 3, "TTFFFFFFT", id="a-bad-word-starts-the-count-again"),
        pytest.param("TFFFFFFT", 5, 1, "TTTTTFFT", id="a-high-threshold"),
    ],
)
def test_conditions_turn_at_their_thresholds(
    words: str, failures: int, successes: int, expected: str
) -> None:
    assert sequence(words, failures, successes) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param("NNUN", "UFFF", id="one-lost-probe-leaves-it-false"),
        pytest.param("NNUUU", "UFFUU", id="enough-make-it-unknown"),
        pytest.param("NNUUNUN", "UFFUUUU", id="and-one-of-them-does-not-make-it-false-again"),
        pytest.param("NNUUNN", "UFFUUF", id="but-enough-do"),
        pytest.param("NNUT", "UFFT", id="a-good-word-counts"),
    ],
)
def test_false_and_unknown_turn_at_the_threshold_as_well(words: str, expected: str) -> None:
    down = replace(HEALTHY, nodes=Nodes(ReadyCount(0, 3)))
    probes = {"T": HEALTHY, "N": down, "U": failed("connection")}
    checks, statuses = read_checks({}), ""
    for word in words:
        checks = count_probe(checks, probes[word], SPEC, is_new=False)
        statuses += checks[NODES].condition.status[0]
    assert statuses == expected


def test_an_unusable_kubeconfig_counts_at_once() -> None:
    spec = Spec("target", failure_threshold=5)
    checks = count_probe(read_checks({}), HEALTHY, spec, is_new=False)
    checks = count_probe(checks, failed("kubeconfig", "ExecRefused"), spec, is_new=False)
    assert checks[CREDENTIALS].condition.status == "False"
    assert checks[REACHABLE].condition.status == "Unknown"


ABSENT = failed("absent", "SecretNotFound", "Secret target does not exist")


def test_a_kubeconfig_that_was_never_there_is_told_at_once() -> None:
    spec = Spec("target", failure_threshold=5)
    checks = count_probe(read_checks({}), ABSENT, spec, is_new=True)
    assert said(checks) == {
        CREDENTIALS: "False SecretNotFound",
        REACHABLE: "Unknown SecretNotFound",
    }


@pytest.mark.parametrize(
    "before",
    [
        pytest.param([HEALTHY], id="good"),
        pytest.param([failed("connection")], id="only-out-of-reach"),
        pytest.param([failed("own")], id="only-unreadable"),
    ],
)
def test_one_that_is_absent_for_a_moment_turns_nothing(before: list[ProbeResult]) -> None:
    spec = Spec("target", failure_threshold=3)
    checks = read_checks({})
    for probe in before:
        checks = count_probe(checks, probe, spec, is_new=False)
    known = said(checks)
    for lost in (1, 2):
        checks = count_probe(checks, ABSENT, spec, is_new=False)
        assert said(checks)[CREDENTIALS] == known[CREDENTIALS]
        assert said(checks)[REACHABLE].startswith(known[REACHABLE].split()[0])
        text = f"{lost} of 3 probes failed: Secret target does not exist"
        assert checks[CREDENTIALS].condition.message == text
    after_all = count_probe(checks, ABSENT, spec, is_new=False)
    assert after_all[CREDENTIALS].condition.status == "False"
    assert after_all[CREDENTIALS].condition.message == "Secret target does not exist"
    assert count_probe(checks, HEALTHY, spec, is_new=False)[CREDENTIALS].failures == 0


def test_a_condition_below_its_threshold_says_how_far_it_is() -> None:
    checks = count_probe(read_checks({}), HEALTHY, SPEC, is_new=False)
    checks = count_probe(checks, failed("connection", message="timeout"), SPEC, is_new=False)
    assert checks[REACHABLE].condition == Condition(
        REACHABLE, "True", "Answered", "1 of 2 probes failed: timeout"
    )


@pytest.mark.parametrize("status", [{}, {"conditions": None}, {"probe": {"checks": None}}])
def test_a_status_without_counts_stands_at_the_beginning(status: Json) -> None:
    assert read_checks(status) == read_checks({})


@pytest.mark.parametrize(
    ("left", "before", "after"),
    [
        pytest.param(NOTICE + 1, "True Accepted", "True Accepted", id="far"),
        pytest.param(NOTICE, "True Accepted", "True ExpiringSoon", id="near"),
        pytest.param(1.0, "False Unauthorized", "False Unauthorized", id="near-but-worse"),
        pytest.param(0.0, "True Accepted", "True Expired", id="now, and accepted"),
        pytest.param(-5.0, "False Unauthorized", "False Expired", id="past, and rejected"),
        pytest.param(-5.0, "Unknown NotProbed", "Unknown Expired", id="past, and never asked"),
        pytest.param(-5.0, "Unknown HubUnknown", "Unknown HubUnknown", id="past, and our trouble"),
    ],
)
def test_the_end_of_the_credentials_changes_the_condition(
    left: float, before: str, after: str
) -> None:
    status, reason = before.split()
    before_expiry = Condition(CREDENTIALS, status, reason)  # type: ignore[arg-type]
    ends = NOW + left
    now = with_expiry(CheckState(before_expiry), ends, ends - NOTICE, now=NOW)
    assert f"{now.status} {now.reason}" == after


@pytest.mark.parametrize(("left", "reason"), [(NOTICE, "ExpiringSoon"), (0.0, "Expired")])
def test_probes_that_fail_are_said_beside_the_end_of_the_credentials(
    left: float, reason: str
) -> None:
    failing = Condition(CREDENTIALS, "True", "Accepted", "1 of 3 probes failed: Secret target")
    ends = NOW + left
    said = with_expiry(CheckState(failing, failures=1), ends, ends - NOTICE, now=NOW)
    assert said == replace(failing, reason=reason)


FORBIDDEN = Failure("list", "Forbidden", "nodes is forbidden")


def healthy(health: HealthChecks, **found: object) -> dict[str, str]:
    return results(replace(HEALTHY, **found), Spec("target", health=health))  # type: ignore[arg-type]


@pytest.mark.parametrize("none", [IntOrPercent(0), IntOrPercent("0%")])
def test_what_is_not_asked_for_need_not_be_readable(none: IntOrPercent) -> None:
    no_nodes, no_pods = HealthChecks(min_ready_nodes=none), HealthChecks(min_ready_pods=none)
    assert healthy(no_nodes, nodes=FORBIDDEN)[NODES] == "True NotAsked"
    assert healthy(no_pods, pods=FORBIDDEN)[PODS] == "True NotAsked"
    assert healthy(HealthChecks(), nodes=FORBIDDEN)[NODES] == "Unknown Forbidden"
    assert healthy(HealthChecks(pod_namespaces=()), pods=FORBIDDEN)[PODS] == "True NotAsked"


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        pytest.param("100%", "False NotReady", id="all"),
        pytest.param("99%", "True EnoughReady", id="a-share"),
        pytest.param("99", "True EnoughReady", id="a-number"),
    ],
)
def test_pods_have_a_share_of_their_own(share: str, expected: str) -> None:
    health = HealthChecks(min_ready_pods=IntOrPercent(share))
    assert healthy(health, pods=ReadyCount(99, 100))[PODS] == expected


def test_a_kubeconfig_with_two_credentials_is_pointed_out() -> None:
    found = judge(replace(HEALTHY, user="admin", two_credentials=True), SPEC)
    assert "as admin; of certificate and token" in found[0].message
    assert "certificate and token" not in judge(HEALTHY, SPEC)[0].message


def test_the_user_is_named() -> None:
    found = judge(replace(HEALTHY, user="system:serviceaccount:access:operator"), SPEC)
    assert found[0].message.endswith("credentials as system:serviceaccount:access:operator")
