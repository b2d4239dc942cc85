"""`python -m tools.actionlint`: lints the workflows with the pinned actionlint.

It builds none itself: like helm, it is built once from its Go module, by the tests.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tools.gomodule import GoModule, Report

MODULE = GoModule(
    Path(__file__).parent / "go" / "actionlint",
    {"actionlint": "github.com/rhysd/actionlint/cmd/actionlint"},
    main="github.com/rhysd/actionlint",
    version_variable="main.version",
    takes="a minute",
)
PROJECT = Path(__file__).resolve().parent.parent
#: These programs are found by chance, and would judge differently on each machine.
WITHOUT = ("-shellcheck=", "-pyflakes=")


def ensure(report: Report = print, environ: Mapping[str, str] = os.environ) -> Path:
    """Return actionlint; build it if the cache has none of its version."""
    places = MODULE.locate(environ)
    MODULE.ensure(places, report, environ)
    return places["actionlint"]


def lint(*files: Path) -> str:
    """Return what is wrong with workflows, by default with all of ours; empty if nothing is."""
    done = subprocess.run(
        [ensure(), "-no-color", *WITHOUT, *files],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    return f"{done.stdout}{done.stderr}" if done.returncode else ""


def main() -> int:
    """Lint the workflows; return the exit code."""
    if not MODULE.locate(os.environ)["actionlint"].exists():
        print("workflows: not linted, there is no actionlint yet; `make test` builds one")
        return 0
    problems = lint()
    print(problems or "workflows: actionlint finds nothing")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
