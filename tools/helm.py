"""`python -m tools.helm`: lints the chart, and renders it with every set of values in its `ci/`.

It uses the pinned helm: the one on the PATH, or the one that the tests build once from its Go
module. It builds none itself, because the tests render everything too.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.binaries import COLLECT_NEVER
from tools.chart_values import CHART
from tools.gomodule import GoModule, Report

#: A module apart: helm and the control plane need other versions of the same modules.
MODULE = GoModule(
    Path(__file__).parent / "go" / "helm",
    {"helm": "helm.sh/helm/v4/cmd/helm"},
    main="helm.sh/helm/v4",
    version_variable="helm.sh/helm/v4/internal/version.version",
    takes="3 minutes",
)
#: chart-testing finds them by the same pattern.
VALUE_SETS = sorted((CHART / "ci").glob("*-values.yaml"))


class HelmError(Exception):
    """helm ended with an error; the message is what it printed."""


def ensure(report: Report = print, environ: Mapping[str, str] = os.environ) -> Path:
    """Return helm; build it if neither the PATH nor the cache has its version."""
    place = locate(environ)
    MODULE.ensure({"helm": place}, report, environ)
    return place


def locate(environ: Mapping[str, str]) -> Path:
    """Return the path of the pinned helm, which may not be built yet."""
    found = shutil.which("helm", path=environ.get("PATH"))
    if found and _version(Path(found)) == MODULE.version():
        return Path(found)
    return MODULE.locate(environ)["helm"]


def _version(helm: Path) -> str:
    """Return the version that a helm prints, "v4.3.1"; empty if it prints none."""
    done = subprocess.run(
        [helm, "version", "--template", "{{.Version}}"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def run(
    *arguments: str | Path, environment: Mapping[str, str] | None = None, folder: Path = CHART
) -> str:
    """Run helm without the caller's own settings, and return its output."""
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [ensure(), *arguments],
            env={"HOME": home, "PATH": os.defpath, **COLLECT_NEVER, **(environment or {})},
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        command = " ".join(map(str, arguments))
        raise HelmError(f"helm {command} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def template(*arguments: str | Path, chart: Path = CHART, crds: bool = True) -> str:
    """Render the chart, with the CRDs in its `crds/` or without."""
    options = ["--include-crds"] if crds else []
    return run("template", "cloudstack-metacontroller", chart, *options, *arguments)


def check(values: Sequence[str | Path]) -> None:
    """Lint and render the chart with values; raises HelmError."""
    run("lint", "--strict", "--quiet", CHART, *values)
    template(*values)


def main() -> int:
    """Check the default values and every set; return the exit code."""
    if not locate(os.environ).exists():
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
