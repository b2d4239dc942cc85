"""`python -m tools.shifted`: runs the tests in another time and time zone.

The clock is shifted in the test process and in all that it starts, certificates included; the
monotonic clock is not. Tests that need programs built from Go modules are left out: these have
clocks of their own. Arguments go to pytest.
"""

import os
import subprocess
import sys
from collections.abc import Sequence

import libfaketime

#: Days and a time zone: one far behind UTC, one far ahead, neither by whole hours.
SHIFTS = (("+400d", "Pacific/Chatham"), ("-400d", "America/St_Johns"))
PYTEST = ("pytest", "--quiet", "--numprocesses=auto", "--dist=loadfile", "--no-loadscope-reorder")
CHOICE = ("-m", "not documentation and not go")


def environment(shift: str, zone: str) -> dict[str, str]:
    """Return an environment with a shifted clock."""
    _, preload = libfaketime.get_reload_information()
    settings = {"FAKETIME": shift, "FAKETIME_NO_CACHE": "0", "NO_FAKE_STAT": "1", "TZ": zone}
    return {**os.environ, **preload, **settings}


def main(arguments: Sequence[str]) -> int:
    """Run the tests at each shift; return the first exit code that is not 0."""
    for shift, zone in SHIFTS:
        print(f"{shift} in {zone}", flush=True)
        command = [sys.executable, "-m", *PYTEST, *CHOICE, *arguments]
        code = subprocess.run(command, env=environment(shift, zone), check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
