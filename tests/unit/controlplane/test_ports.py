import socket

import pytest

from tests.controlplane.ports import PORTS, Ports, free_port


def test_a_free_port_can_be_listened_on() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", free_port()))


def test_a_port_that_is_taken_is_passed_over() -> None:
    ports = Ports(0, len(PORTS) // 2)
    first = ports.free()
    with socket.socket() as server:
        server.bind(("127.0.0.1", first))
        assert {ports.free() for _ in range(3)}.isdisjoint({first})
        with socket.socket() as other:
            other.bind(("127.0.0.1", ports.free()))
            with pytest.raises(OSError, match="no port is free among 2"):
                ports.free()


def test_none_is_handed_out_twice_before_all_were() -> None:
    ports = Ports(0, 100)
    handed_out = [ports.free() for _ in range(60)]
    assert len(set(handed_out)) == 60


def test_processes_side_by_side_share_none() -> None:
    count = {"PYTEST_XDIST_WORKER_COUNT": "2"}
    one = Ports.of_this_process({"PYTEST_XDIST_WORKER": "gw0", **count})
    other = Ports.of_this_process({"PYTEST_XDIST_WORKER": "gw1", **count})
    assert {one.free() % 2 for _ in range(20)} == {0}
    assert {other.free() % 2 for _ in range(20)} == {1}
