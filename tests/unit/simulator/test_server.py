"""The running server: connections, threads, the control interface over HTTP."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import requests

from simulator.clock import Clock
from simulator.server import Simulator
from tests.contract.cloud import Cloud
from tests.controlplane.polling import PATIENCE, SLACK
from tests.unit.simulator.conftest import Connect


def control(simulator: Simulator, path: str) -> str:
    return simulator.url.removesuffix("/client/api") + "/simulator/" + path


def test_the_url_is_whole_and_the_keys_have_names(simulator: Simulator) -> None:
    assert simulator.url.startswith("http://127.0.0.1:")
    assert simulator.url.endswith("/client/api")
    assert set(simulator.keys) == {"admin", "user", "other"}
    assert simulator.user is simulator.keys["user"]
    assert simulator.user.secret_key not in repr(simulator.user)


def test_keys_are_the_same_in_every_run(simulator: Simulator) -> None:
    again = Simulator()
    again.close()
    assert again.user.api_key == simulator.user.api_key
    assert len({key for user in again.keys.values() for key in (user.api_key,)}) == 3


def test_a_connection_is_kept_for_many_calls(simulator: Simulator) -> None:
    host, port = urlsplit(simulator.url).hostname, urlsplit(simulator.url).port
    request = b"GET /simulator/settings HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection((host, port), timeout=PATIENCE) as connection:
        reader = connection.makefile("rb")
        for _ in range(3):
            connection.sendall(request)
            status = reader.readline()
            length = 0
            while (line := reader.readline().strip()) != b"":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            assert status.startswith(b"HTTP/1.1 200")
            assert reader.read(length)
        reader.close()


def test_stopping_cuts_connections_that_are_kept() -> None:
    with Simulator() as simulator:
        host, port = urlsplit(simulator.url).hostname, urlsplit(simulator.url).port
        connection = socket.create_connection((host, port), timeout=PATIENCE)
        connection.sendall(b"GET /simulator/settings HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(65536)
    with connection:
        while connection.recv(65536):
            pass
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((host, port), timeout=1)


def test_many_threads_on_one_session_get_their_own_answers(
    simulator: Simulator, user: Cloud
) -> None:
    names = [vm["name"] for vm in user.list("listVirtualMachines", "virtualmachine")]
    adapter = requests.adapters.HTTPAdapter(pool_maxsize=16)
    user.session.mount("http://", adapter)

    def ask(index: int) -> bool:
        name = names[index % len(names)]
        found = user.list("listVirtualMachines", "virtualmachine", name=name)
        return [vm["name"] for vm in found] == [name]

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, range(320)))
    assert simulator.control.counts()["listVirtualMachines"] == 321


def test_the_same_port_cannot_be_had_twice(simulator: Simulator) -> None:
    with pytest.raises(OSError, match="in use"):
        Simulator(port=urlsplit(simulator.url).port or 0)


def test_calls_are_listed_in_order_without_key_and_signature(
    simulator: Simulator, user: Cloud
) -> None:
    user.ok("listZones", name="x")
    user.refused("listVirtualMachines", 431, page=1)
    answer = requests.get(control(simulator, "calls"), timeout=PATIENCE)
    calls = answer.json()["calls"]
    assert [(call["command"], call["status"], call["account"]) for call in calls] == [
        ("listZones", 200, "user"),
        ("listVirtualMachines", 431, "user"),
    ]
    assert calls[0]["params"] == {"name": "x", "response": "json"}
    assert answer.json()["counts"] == {"listZones": 1, "listVirtualMachines": 1}
    for secret in (simulator.user.api_key, simulator.user.secret_key, "signature"):
        assert secret not in answer.text
    requests.delete(control(simulator, "calls"), timeout=PATIENCE).raise_for_status()
    assert simulator.control.calls() == []


def test_parameters_that_no_command_knows_are_counted(simulator: Simulator, user: Cloud) -> None:
    for _ in range(2):
        user.ok("listZones", bogus="1", available=True)
    user.ok("listZones", **{"bogusmap[0].key": "a"})
    assert requests.get(control(simulator, "ignored-parameters"), timeout=PATIENCE).json() == [
        {"command": "listZones", "parameter": "bogus", "count": 2},
        {"command": "listZones", "parameter": "bogusmap", "count": 1},
    ]
    simulator.control.clear_calls()
    assert simulator.control.ignored_parameters() == []


def test_what_a_client_signs_with_is_not_counted_as_unknown(
    simulator: Simulator, user: Cloud
) -> None:
    params = {"command": "listZones", "response": "json", "signatureVersion": "3"}
    user.send(user.sign({**params, "expires": "2100-01-01T00:00:00+0000"}))
    assert simulator.control.ignored_parameters() == []


@pytest.mark.parametrize(
    ("path", "body", "text"),
    [
        ("faults", {"kind": "bogus"}, "kind: 'bogus' is none of"),
        ("faults", {"kind": "error", "bogus": 1}, "bogus: not a field of a fault"),
        ("faults", {"kind": "error", "times": "1"}, "times: '1' is not int or NoneType"),
        ("faults", {"kind": "error", "code": True}, "code: True is not int"),
        ("settings", {"bogus": 1}, "bogus: no such setting; known: job_delay"),
        ("settings", {"job_delay": "1"}, "job_delay: '1' is not a number of seconds"),
        ("settings", {"timing": "slow"}, "timing: 'slow' is neither off nor real"),
        ("settings", {"expunge": 1}, "expunge: 1 is neither true nor false"),
    ],
)
def test_a_wrong_wish_is_refused_by_its_field(
    simulator: Simulator, path: str, body: dict[str, object], text: str
) -> None:
    answer = requests.post(control(simulator, path), json=body, timeout=PATIENCE)
    assert answer.status_code == 400
    assert text in answer.json()["error"]


def test_an_unknown_operation_names_the_known_ones(simulator: Simulator) -> None:
    answer = requests.get(control(simulator, "bogus"), timeout=PATIENCE)
    assert answer.status_code == 404
    assert "GET /simulator/calls" in answer.json()["error"]


def test_what_is_no_json_is_refused(simulator: Simulator) -> None:
    for body in (b"{", b"[]"):
        answer = requests.post(control(simulator, "settings"), data=body, timeout=PATIENCE)
        assert answer.status_code == 400


def test_the_state_tells_everything_at_once(simulator: Simulator) -> None:
    state = requests.get(control(simulator, "state"), timeout=PATIENCE).json()
    assert [vm["name"] for vm in state["virtualmachines"]][:2] == ["node-1", "node-2"]
    assert state == simulator.control.state()
    assert state["jobs"] == {"total": 0, "pending": []}


def test_jobs_take_the_time_that_is_set(connect: Connect) -> None:
    clock = Clock(lambda: 1_800_000_000.0)
    with Simulator(job_delay=10, clock=clock) as simulator:
        cloud = connect(simulator, simulator.user)
        vm = cloud.list("listVirtualMachines", "virtualmachine")[0]
        job = cloud.ok("stopVirtualMachine", id=vm["id"])["jobid"]
        simulator.control.settings(advance=9.9)
        assert cloud.ok("queryAsyncJobResult", jobid=job)["jobstatus"] == 0
        [shown] = cloud.list("listVirtualMachines", "virtualmachine", id=vm["id"])
        assert shown["state"] == "Running"
        assert [one["jobid"] for one in cloud.list("listAsyncJobs", "asyncjobs")] == [job]
        simulator.control.settings(advance=0.1)
        assert cloud.ok("queryAsyncJobResult", jobid=job)["jobstatus"] == 1
        [shown] = cloud.list("listVirtualMachines", "virtualmachine", id=vm["id"])
        assert shown["state"] == "Stopped"


def test_a_call_expires_by_the_simulators_clock(simulator: Simulator, user: Cloud) -> None:
    moment = time.strftime("%Y-%m-%dT%H:%M:%S+0000", time.gmtime(time.time() + 60))
    params = {"command": "listZones", "response": "json", "signatureVersion": "3"}
    signed = user.sign({**params, "expires": moment})
    assert user.send(signed).status == 200
    simulator.control.settings(advance=120)
    assert user.send(signed).status == 401


def test_a_closing_simulator_waits_for_no_delayed_answer(connect: Connect) -> None:
    simulator = Simulator()
    with simulator:
        cloud = connect(simulator, simulator.user)
        simulator.control.fault("listZones", "slow", seconds=60)
        asking = threading.Thread(target=lambda: swallow(cloud))
        asking.start()
        while not simulator.control.calls("listZones"):
            time.sleep(0.002)
        began = time.monotonic()
    asking.join(PATIENCE)
    assert time.monotonic() - began < SLACK
    assert not asking.is_alive()


def swallow(cloud: Cloud) -> None:
    """Make a call that may be cut."""
    try:
        cloud.call("listZones")
    except requests.RequestException:  # before the answer, or in the middle of it
        return
