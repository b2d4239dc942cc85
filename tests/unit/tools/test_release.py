"""What a release writes and checks, on a copy of the files that it touches."""

import re
import subprocess
from datetime import date
from pathlib import Path

import pytest

from tools import release
from tools.release import PLACES, PROJECT, ReleaseError

TODAY = date(2026, 11, 30)
#: What repeats the version because `make manifests` and `make reference` write it there.
MADE = ("deploy/chart/", "docs/reference/", "provider.yaml")
#: What has another reason for the same numbers: dependencies, data of tests, and the past.
APART = ("CHANGELOG.md", "tests/", "tools/go/", "requirements")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for place in (*PLACES, release.CHART_VALUES, release.CHANGELOG):
        copy = tmp_path / place
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text((PROJECT / place).read_text())
    return tmp_path


def mentions(version: str, text: str) -> bool:
    return bool(re.search(rf"(?<![\w.]){re.escape(version)}(?![\w.]*\d)", text))


def test_every_place_repeats_the_version() -> None:
    version = release.current_version()
    assert [place for place in PLACES if not mentions(version, (PROJECT / place).read_text())] == []


def test_no_other_file_repeats_it() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    others = [
        name
        for name in listed.stdout.split("\0")
        if name and name not in PLACES and not name.startswith((*MADE, *APART))
    ]
    version = release.current_version()
    found = [
        name
        for name in others
        if mentions(version, (PROJECT / name).read_text(encoding="utf-8", errors="replace"))
    ]
    assert found == []


def test_a_new_version_is_written_to_every_place(project: Path) -> None:
    before = release.current_version(project)
    release.write_version("1.20.3-rc.1", TODAY, project)
    assert release.current_version(project) == "1.20.3-rc.1"
    for place in PLACES:
        text = (project / place).read_text()
        assert mentions("1.20.3-rc.1", text)
        assert not mentions(before, text)


def test_a_new_version_ends_what_is_unreleased(project: Path) -> None:
    file = project / release.CHANGELOG
    file.write_text("# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A.\n\n## [0.0.1]\n\n- B.\n")
    release.write_version("0.2.0", TODAY, project)
    assert file.read_text() == (
        "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-11-30\n\n### Added\n\n- A.\n\n"
        "## [0.0.1]\n\n- B.\n"
    )
    assert release.notes("0.2.0", project) == "### Added\n\n- A."
    assert release.notes("0.0.1", project) == "- B."
    release.check_tag("v0.2.0", project)


@pytest.mark.parametrize("version", ["", "1.2", "v0.2.0", "0.2.0 ", "0.2.0\n- x"])
def test_what_is_no_version_is_written_nowhere(project: Path, version: str) -> None:
    before = {place: (project / place).read_text() for place in PLACES}
    with pytest.raises(ReleaseError, match="write three numbers"):
        release.write_version(version, TODAY, project)
    assert {place: (project / place).read_text() for place in PLACES} == before


def test_nothing_unreleased_is_no_release(project: Path) -> None:
    (project / release.CHANGELOG).write_text(
        "# Changelog\n\n## [Unreleased]\n\n## [0.1.0]\n\n- A.\n"
    )
    with pytest.raises(ReleaseError, match="nothing under Unreleased"):
        release.write_version("0.2.0", TODAY, project)
    assert release.current_version(project) != "0.2.0"


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        pytest.param("v9.9.9", "is not of version", id="another version"),
        pytest.param("VERSION", "is not of version", id="without a v"),
        pytest.param("vVERSION", "says nothing under", id="without a section"),
    ],
)
def test_a_tag_that_does_not_fit_is_refused(project: Path, tag: str, message: str) -> None:
    version = release.current_version(project)
    (project / release.CHANGELOG).write_text("# Changelog\n\n## [Unreleased]\n\n- A.\n")
    with pytest.raises(ReleaseError, match=message):
        release.check_tag(tag.replace("VERSION", version), project)


def test_the_image_is_named_in_manifests_and_chart(project: Path) -> None:
    name = "registry.example.com/team/cloudstack-metacontroller"
    release.name_image(name, project)
    for place in release.KUSTOMIZATIONS:
        assert (
            f"  - name: cloudstack-metacontroller\n    newName: {name}\n"
            in (project / place).read_text()
        )
    assert f'"default": "{name}"' in (project / release.CHART_VALUES).read_text()
    assert f"image: {name}:" in (project / release.CHART).read_text()
