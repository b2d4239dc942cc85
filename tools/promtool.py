"""Finds promtool, which checks metrics and alerts: built once from its pinned Go module."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tools.gomodule import GoModule, Report

MODULE = GoModule(
    Path(__file__).parent / "go" / "promtool",
    {"promtool": "github.com/prometheus/prometheus/cmd/promtool"},
    main="github.com/prometheus/prometheus",
    version_variable="github.com/prometheus/common/version.Version",
    takes="5 minutes",
)


def ensure(report: Report = print, environ: Mapping[str, str] = os.environ) -> Path:
    """Return promtool; build it if the cache has none of its version."""
    places = MODULE.locate(environ)
    MODULE.ensure(places, report, environ)
    return places["promtool"]


def run(*arguments: str | Path, stdin: str = "") -> str:
    """Run promtool; return what it complains of, empty if it complains of nothing."""
    done = subprocess.run(
        [ensure(), *arguments], input=stdin, capture_output=True, text=True, check=False
    )
    return f"{done.stdout}{done.stderr}" if done.returncode else done.stderr
