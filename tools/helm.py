"""`python -m tools.helm`: lints the chart, and renders it with every set of values in its `ci/`.

It builds no helm: where there is none yet, it says so and is content, since the tests do the same.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.controlplane import helm
from tests.controlplane.binaries import COLLECT_NEVER
from tools.chart_values import CHART

#: As chart-testing, too, looks for them.
VALUE_SETS = sorted((CHART / "ci").glob("*-values.yaml"))


class HelmError(Exception):
    """helm ended with an error; the message is what it printed."""


def run(
    *arguments: str | Path, environment: Mapping[str, str] | None = None, folder: Path = CHART
) -> str:
    """Run helm with nothing of the caller's own settings, and return what it printed."""
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [helm.ensure(), *arguments],
            env={"HOME": home, "PATH": os.defpath, **COLLECT_NEVER, **(environment or {})},
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        said = " ".join(map(str, arguments))
        raise HelmError(f"helm {said} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def template(*arguments: str | Path, chart: Path = CHART, crds: bool = True) -> str:
    """Render the chart, with the CRDs in its `crds/` or without."""
    told = ["--include-crds"] if crds else []
    return run("template", "cloudstack-metacontroller", chart, *told, *arguments)


def check(values: Sequence[str | Path]) -> None:
    """Lint and render the chart with values; HelmError says what is wrong."""
    run("lint", "--strict", "--quiet", CHART, *values)
    template(*values)


def main() -> int:
    """Check the default values and every set; return the exit code."""
    if not helm.locate(os.environ).exists():
        print("deploy/chart: not rendered, there is no helm yet; `make test` builds one")
        return 0
    problems = []
    sets: list[list[str | Path]] = [[]]
    sets += [["--values", file] for file in VALUE_SETS]
    for values in sets:
        try:
            check(values)
        except HelmError as error:
            problems.append(str(error))
    print("\n".join(problems) or f"deploy/chart: {len(sets)} sets of values render")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
