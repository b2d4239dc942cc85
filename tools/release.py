"""`python -m tools.release`: writes a release's version and image, and reads its changelog.

    version 0.2.0     write the version wherever it stands, and date the changelog's section
    check v0.2.0      fail unless the tag, the version and the changelog agree
    notes             print the changelog's section of the version
    image NAME        name the image of the hooks in all that is installed

The version's one source is pyproject.toml; the other places repeat it, because kustomize, Helm and
readers need it there.
"""

import argparse
import re
import sys
import tomllib
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from tools import chart, manifests

PROJECT = Path(__file__).resolve().parent.parent
CHANGELOG = "CHANGELOG.md"
IMAGE = "cloudstack-metacontroller"
#: Where images are named for kustomize.
KUSTOMIZATIONS = (
    "deploy/cloud-controller/kustomization.yaml",
    "deploy/overlays/quick-start/kustomization.yaml",
    "deploy/status-page/kustomization.yaml",
    "deploy/target-cluster-operator/kustomization.yaml",
)
CHART = "deploy/chart/Chart.yaml"
CHART_VALUES = "deploy/chart/values.schema.json"
#: Every file that repeats the version, but those that `make manifests` and `make reference` write.
PLACES = (
    "pyproject.toml",
    "hooks/__init__.py",
    CHART,
    *KUSTOMIZATIONS,
    "docs/guides/air-gap.md",
    "docs/guides/cloudstack-kubernetes-service.md",
    "docs/guides/install.md",
    "docs/tutorials/first-address.md",
)
_VERSION = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?")
_UNRELEASED = "## [Unreleased]\n"


class ReleaseError(Exception):
    """Something does not fit together; the message says what."""


def current_version(project: Path = PROJECT) -> str:
    """Return the version that pyproject.toml has."""
    declared = tomllib.loads((project / "pyproject.toml").read_text())
    version: str = declared["project"]["version"]
    return version


def write_version(version: str, today: date, project: Path = PROJECT) -> None:
    """Write a version to every place, and end the changelog's section `Unreleased`.

    Raises:
        ReleaseError: it is no version, or nothing is unreleased; nothing is written.
    """
    if not _VERSION.fullmatch(version):
        raise ReleaseError(f"{version!r} is no version; write three numbers, as in 0.2.0")
    before = re.compile(rf"(?<![\w.]){re.escape(current_version(project))}(?![\w.]*\d)")
    changes = (project / CHANGELOG).read_text()
    if not _section(changes, "Unreleased"):
        raise ReleaseError(f"{CHANGELOG} has nothing under Unreleased: there is nothing to release")
    texts = {place: before.sub(version, (project / place).read_text()) for place in PLACES}
    released = f"{_UNRELEASED}\n## [{version}] - {today.isoformat()}\n"
    texts[CHANGELOG] = changes.replace(_UNRELEASED, released, 1)
    for place, text in texts.items():
        (project / place).write_text(text)


def check_tag(tag: str, project: Path = PROJECT) -> None:
    """Compare a tag with the version and the changelog. Raises ReleaseError."""
    version = current_version(project)
    if tag != f"v{version}":
        raise ReleaseError(f"tag {tag!r} is not of version {version}: it would be v{version}")
    notes(version, project)


def notes(version: str, project: Path = PROJECT) -> str:
    """Return the changelog's section of a version. Raises ReleaseError if it has none."""
    if text := _section((project / CHANGELOG).read_text(), version):
        return text
    raise ReleaseError(f"{CHANGELOG} says nothing under {version}: run `make version` first")


def name_image(name: str, project: Path = PROJECT) -> None:
    """Name the image of the hooks, with its registry, in the manifests and the chart's values."""
    for place in KUSTOMIZATIONS:
        file = project / place
        own = f"  - name: {IMAGE}\n"
        file.write_text(file.read_text().replace(own, f"{own}    newName: {name}\n"))
    file = project / CHART
    file.write_text(file.read_text().replace(f"image: {IMAGE}:", f"image: {name}:"))
    file = project / CHART_VALUES
    file.write_text(file.read_text().replace(f'"default": "{IMAGE}"', f'"default": "{name}"'))


def _section(changes: str, heading: str) -> str:
    """Return what a changelog says under a heading; empty if there is none."""
    found = re.search(
        rf"^## \[{re.escape(heading)}\][^\n]*\n(.*?)(?=^## \[|\Z)",
        changes,
        re.MULTILINE | re.DOTALL,
    )
    return found[1].strip() if found else ""


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.release", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("version").add_argument("version")
    commands.add_parser("check").add_argument("tag")
    commands.add_parser("notes")
    commands.add_parser("image").add_argument("name")
    given = parser.parse_args(arguments)
    try:
        match given.command:
            case "version":
                write_version(given.version, datetime.now(UTC).date())
            case "check":
                check_tag(given.tag)
            case "notes":
                print(notes(current_version()))
            case _:
                name_image(given.name)
    except ReleaseError as error:
        print(error, file=sys.stderr)
        return 1
    if given.command in ("version", "image"):
        manifests.main([])
        chart.main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
