"""One replica at a time writes to a target, also if one of them dies in the middle of a round."""

import subprocess
import sys
import threading
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from subprocess import PIPE

import pytest

from hooks.http.deadline import Deadline
from hooks.kube.client import KubeError, KubeRefused, KubeUnreachable
from hooks.targetclusters.access.connector import AccessError
from hooks.targetclusters.actions import ROUND_SECONDS
from hooks.targetclusters.round_lease import LEASE, LEFT_AFTER, RoundLease, process_holder
from tests.controlplane.polling import PATIENCE, until
from tests.memory_kube import MemoryKube
from tests.targets.driving import NOW, Clock
from tools.api_server import ApiServer

#: Rounds that end with the tests alone.
DEAD: list[AbstractContextManager[None]] = []


def lease(kube: MemoryKube, holder: str, *, clock: Clock | None = None) -> RoundLease:
    monotonic = (clock or Clock()).monotonic
    return RoundLease(kube, "operators", "team/web", holder=holder, monotonic=monotonic)


def holders(kube: MemoryKube) -> list[str]:
    return sorted(obj["spec"]["holderIdentity"] for obj in kube.objects.values())


def test_the_lease_exists_while_a_round_runs() -> None:
    kube = MemoryKube()
    with lease(kube, "one").held(Deadline(5), NOW):
        assert holders(kube) == ["one"]
        other = RoundLease(kube, "operators", "team/x", holder="two", monotonic=Clock())
        with other.held(Deadline(5), NOW):
            assert holders(kube) == ["one", "two"]
    assert holders(kube) == []
    with pytest.raises(ZeroDivisionError), lease(kube, "one").held(Deadline(5), NOW):
        raise ZeroDivisionError
    assert holders(kube) == []


def test_another_replica_waits_until_it_is_given_back() -> None:
    kube, order = MemoryKube(), []

    def wait() -> None:
        with lease(kube, "two").held(Deadline(PATIENCE), NOW):
            order.append("two")

    with ExitStack() as stack:
        stack.enter_context(lease(kube, "one").held(Deadline(5), NOW))
        other = threading.Thread(target=wait)
        other.start()
        path = LEASE.path("operators", "round-")
        until(lambda: any(path in read for read in kube.reads), "the other one has looked")
        order.append("one")
    other.join(PATIENCE)
    assert order == ["one", "two"]
    assert holders(kube) == []


def test_one_that_waits_in_vain_says_for_whom() -> None:
    kube = MemoryKube()
    with (
        lease(kube, "one").held(Deadline(5), NOW),
        pytest.raises(AccessError, match="replica one writes to this cluster, by Lease round-"),
        lease(kube, "two").held(Deadline(0.5), NOW),
    ):
        raise AssertionError
    assert holders(kube) == []


def left_behind(kube: MemoryKube, holder: str) -> None:
    """Let a replica die in the middle of a round."""
    round_ = lease(kube, holder).held(Deadline(5), NOW)
    DEAD.append(round_)
    round_.__enter__()
    assert holders(kube) == [holder]


def test_a_process_goes_on_at_once_where_it_could_not_give_it_back() -> None:
    kube = MemoryKube()
    left_behind(kube, "one")
    with lease(kube, "one").held(Deadline(0.5), NOW):
        assert holders(kube) == ["one"]
    assert holders(kube) == []


#: Prints how a process names itself, and waits until its input ends.
HOLDER = """
import sys
from hooks.targetclusters.round_lease import process_holder
print(process_holder("pod-1"), flush=True)
sys.stdin.read()
"""


def test_a_process_of_a_pod_waits_for_the_former_one_while_that_runs() -> None:
    kube, me = MemoryKube(), process_holder("pod-1")
    command = [sys.executable, "-c", HOLDER]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True) as former:
        assert former.stdin is not None
        assert former.stdout is not None
        left_behind(kube, former.stdout.readline().strip())
        with (
            pytest.raises(AccessError, match="replica pod-1_"),
            lease(kube, me).held(Deadline(0.5), NOW),
        ):
            raise AssertionError
        with pytest.raises(AccessError), lease(kube, "pod_9_9").held(Deadline(0.5), NOW):
            raise AssertionError
        former.stdin.close()
        former.wait(PATIENCE)
        with pytest.raises(AccessError), lease(kube, "pod-2_9_9").held(Deadline(0.5), NOW):
            raise AssertionError
        with lease(kube, me).held(Deadline(0.5), NOW):
            assert holders(kube) == [me]


def test_a_process_that_has_the_id_of_an_earlier_one_is_another() -> None:
    kube, me = MemoryKube(), process_holder("pod-1")
    left_behind(kube, f"{me}0")
    with lease(kube, me).held(Deadline(0.5), NOW):
        assert holders(kube) == [me]


def test_what_a_dead_replica_left_counts_until_no_round_of_it_can_run() -> None:
    kube, clock = MemoryKube(), Clock()
    left_behind(kube, "dead")
    living = lease(kube, "living", clock=clock)
    for seconds in (0.0, LEFT_AFTER):
        clock.now += seconds
        with pytest.raises(AccessError), living.held(Deadline(0.5), NOW):
            raise AssertionError
    clock.now += 0.001
    with living.held(Deadline(0.5), NOW):
        assert holders(kube) == ["living"]
    assert LEFT_AFTER > ROUND_SECONDS


def test_a_lease_that_is_made_again_counts_from_then() -> None:
    kube, clock = MemoryKube(), Clock()
    living = lease(kube, "living", clock=clock)
    for _ in range(3):
        kube.objects.clear()
        left_behind(kube, "busy")
        clock.now += LEFT_AFTER
        with pytest.raises(AccessError), living.held(Deadline(0.5), NOW):
            raise AssertionError


@pytest.mark.parametrize(
    "error",
    [KubeRefused("POST", 403, "forbidden"), KubeUnreachable("POST: timeout"), KubeError("odd")],
)
def test_without_a_lease_nothing_is_written_to_a_target(error: KubeError) -> None:
    kube = MemoryKube()
    kube.refused["create"] = error
    with (
        pytest.raises(AccessError, match="the Lease for the rounds of team/web cannot be written"),
        lease(kube, "one").held(Deadline(5), NOW),
    ):
        raise AssertionError


def test_a_namespace_that_goes_with_all_replicas_stops_no_deletion() -> None:
    kube = MemoryKube()
    text = "unable to create new content in namespace operators because it is being terminated"
    kube.refused["create"] = KubeRefused("POST", 403, text)
    with lease(kube, "one").held(Deadline(5), NOW):
        pass


def test_outside_of_a_cluster_there_is_none() -> None:
    kube = MemoryKube(failure=KubeError("not to be called"))
    with RoundLease(kube, "", "team/web", holder="one", monotonic=Clock()).held(Deadline(5), NOW):
        pass


#: Takes the Lease again and again, and writes each time that it comes and goes.
PROCESS = """
import sys
from hooks.http.deadline import Deadline
from hooks.http.tls import file_context
from hooks.http.transport import Transport
from hooks.kube.client import ApiServer
from hooks.targetclusters import round_lease
import time
round_lease.POLL = 0.01
url, holder, path = sys.argv[1:]
lease = round_lease.RoundLease(
    ApiServer(url, Transport(file_context)), "operators", "team/web",
    holder=holder, monotonic=time.monotonic,
)
with open(path, "a", buffering=1) as log:
    for _ in range(20):
        with lease.held(Deadline(60), time.time()):
            log.write(f"{holder} in\\n")
            time.sleep(0.005)
            log.write(f"{holder} out\\n")
"""


def test_of_two_processes_one_at_a_time_holds_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with ApiServer() as server, ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen([sys.executable, "-c", PROCESS, server.url, holder, str(log)])
            )
            for holder in ("one", "two")
        ]
        assert [process.wait(PATIENCE) for process in processes] == [0, 0]
        assert server.store.objects == {}
    lines = log.read_text().splitlines()
    assert len(lines) == 80
    for entered, left in zip(lines[::2], lines[1::2], strict=True):
        assert (entered.split()[1], left) == ("in", f"{entered.split()[0]} out")
