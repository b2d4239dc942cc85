"""`python -m simulator` as a process: what it prints, how it stops, what it refuses."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from simulator.server import Simulator
from tests.contract.cloud import Cloud, Credentials
from tests.controlplane.polling import PATIENCE


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "simulator", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "simulator", "--port", "0"], stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_it_prints_its_address_and_keys_and_stops_at_a_signal(
    process: subprocess.Popen[str], number: signal.Signals
) -> None:
    assert process.stdout is not None
    line = process.stdout.readline()
    match = re.search(r"on (http://\S+/client/api) .*api-key (\S+) secret-key (\S+)", line)
    assert match is not None, line
    cloud = Cloud(match[1], Credentials(match[2], match[3]))
    assert len(cloud.list("listVirtualMachines", "virtualmachine")) == 5
    process.send_signal(number)
    assert process.wait(PATIENCE) == 0
    assert process.stdout.read() == ""
    cloud.close()


def test_a_taken_port_is_said_in_one_line(simulator: Simulator) -> None:
    port = str(urlsplit(simulator.url).port)
    done = run("--port", port)
    assert done.returncode == 2
    problem = f"simulator: cannot listen on 127.0.0.1:{port}: Address already in use; "
    assert done.stderr == f"{problem}choose another with --port\n"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ("--world", "nope"),
            "world 'nope': No such file or directory; known: groups, kubernetes, large, small",
        ),
        (("--api-version", "x"), "--api-version: 'x' is not a version such as 4.22"),
        (("--vms", "-1", "--world", "large"), "--vms: -1 is not a number of VMs"),
        (("--job-delay", "-1"), "--job-delay: -1 is not a number of seconds"),
        (("--timing", "slow"), "--timing: invalid choice: 'slow'"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
def test_a_wrong_option_is_refused_by_name(arguments: tuple[str, ...], text: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert text in done.stderr
    assert "Traceback" not in done.stderr
