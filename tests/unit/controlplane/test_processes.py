import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.controlplane import polling
from tests.controlplane.processes import Process, ProcessEndedError

PYTHON = [sys.executable, "-S", "-c"]
SLEEPS = [*PYTHON, "import time; print('up', flush=True); time.sleep(60)"]
IGNORES = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
DEAF = [*PYTHON, IGNORES + SLEEPS[-1]]


def started(command: list[str], folder: Path) -> Process:
    process = Process("sleeper", command, folder / "sleeper.log")
    process.start()
    polling.until(lambda: "up" in process.tail(), "the program is up")
    return process


@pytest.mark.parametrize(
    "command", [pytest.param(SLEEPS, id="on SIGTERM"), pytest.param(DEAF, id="on SIGKILL")]
)
def test_a_stopped_process_is_gone(command: list[str], tmp_path: Path) -> None:
    process = started(command, tmp_path)
    pid = process.pid
    process.stop(grace=0.3)
    assert not process.alive
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_restarted_process_is_another_one_with_the_same_log(tmp_path: Path) -> None:
    process = started(SLEEPS, tmp_path)
    pid = process.pid
    process.restart()
    polling.until(lambda: process.tail().count("up") == 2, "both have written to the log")
    assert process.pid != pid
    process.kill()


def test_an_ended_process_says_what_it_last_said(tmp_path: Path) -> None:
    command = [sys.executable, "-S", "-c", "raise SystemExit('no such flag: --x')"]
    process = Process("failing", command, tmp_path / "failing.log")
    process.start()
    polling.until(lambda: not process.alive, "the program has ended")
    with pytest.raises(ProcessEndedError, match=r"failing ended with 1; .*\n.*no such flag: --x"):
        process.check()
    process.stop()


def test_a_second_start_is_refused(tmp_path: Path) -> None:
    process = started(SLEEPS, tmp_path)
    with pytest.raises(RuntimeError, match="sleeper is running already"):
        process.start()
    process.kill()


def test_what_a_killed_test_run_leaves_is_killed(tmp_path: Path) -> None:
    run = (
        "from pathlib import Path; from tests.controlplane.processes import Process\n"
        f"process = Process('left', {SLEEPS!r}, Path({str(tmp_path / 'left.log')!r}))\n"
        "process.start(); print(process.pid, flush=True); import time; time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", run], stdout=subprocess.PIPE) as killed:
        assert killed.stdout
        left = int(killed.stdout.readline())
        killed.send_signal(signal.SIGKILL)
    polling.until(lambda: _ended(left), "the process that was left is gone")


def _ended(pid: int) -> bool:
    """Tell whether a process is gone, or waits only for its new parent to notice."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


def test_polling_names_what_did_not_happen() -> None:
    with pytest.raises(AssertionError, match=r"not within 0\.1 s: pigs fly; last seen: \[\]"):
        polling.until(list, "pigs fly", within=0.1)
