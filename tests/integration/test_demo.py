"""`make demo`, and the tutorial that follows it."""

import os
import re
import subprocess
import sys

from tests.controlplane.polling import PATIENCE
from tests.serving import PROJECT

TUTORIAL = PROJECT / "docs/tutorials/first-load-balancer.md"


def test_the_demo_ends_by_itself_and_prints_what_its_tutorial_shows() -> None:
    # Neither a shell's settings for the hooks nor its proxy are for the demo.
    shell = {"HOOKS": "status", "CLOUD_CONFIG": "/nope", "HTTP_PROXY": "http://127.0.0.1:9"}
    ended = subprocess.run(
        [sys.executable, "-m", "tools.demo"],
        cwd=PROJECT,
        env={**os.environ, **shell},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    told = re.findall(r"^```text\n(.+?)^```$", TUTORIAL.read_text(), re.MULTILINE | re.DOTALL)
    # A slow machine may need more calls than the page shows: what it shows comes in this order.
    printed = iter(ended.stdout.splitlines())
    assert [line for part in told for line in part.splitlines() if line not in printed] == []


def test_make_demo_is_what_is_started_here() -> None:
    makefile = (PROJECT / "Makefile").read_text()
    assert re.search(r"^demo: .*\n\t\$\(BIN\)/python -m tools\.demo$", makefile, re.MULTILINE)
