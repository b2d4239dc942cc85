"""Gives tests the control plane, built before the first test's clock runs and started once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane import metacontroller
from tests.controlplane.cluster import ControlPlane
from tools import actionlint, binaries, helm, promtool
from tools.binaries import Binaries

_FOLDER = pytest.StashKey[Path]()
_TESTS = Path(__file__).resolve().parents[1]
#: What builds the programs, by the fixture that asks for them.
_PROGRAMS = {
    "control_plane_binaries": binaries,
    "helm_program": helm,
    "actionlint_program": actionlint,
    "promtool_program": promtool,
}


@pytest.fixture(scope="session")
def control_plane_binaries() -> Binaries:
    """Return the programs; a fixture that starts a control plane of its own asks for this too."""
    return binaries.ensure()


@pytest.fixture(scope="session")
def helm_program() -> Path:
    """Return helm."""
    return helm.ensure()


@pytest.fixture(scope="session")
def actionlint_program() -> Path:
    """Return actionlint."""
    return actionlint.ensure()


@pytest.fixture(scope="session")
def promtool_program() -> Path:
    """Return promtool."""
    return promtool.ensure()


@pytest.fixture(scope="session")
def control_plane(
    control_plane_binaries: Binaries,  # noqa: ARG001 - built before collection ends
    tmp_path_factory: pytest.TempPathFactory,
    pytestconfig: pytest.Config,
) -> Iterator[ControlPlane]:
    """Start one control plane for the whole run, with all CRDs, garbage collection and audit."""
    folder = tmp_path_factory.mktemp("control-plane")
    pytestconfig.stash[_FOLDER] = folder
    with ControlPlane.start(folder, audit=True) as plane:
        plane.apply_crds()
        yield plane


def pytest_report_header() -> str:
    """Print which Metacontroller the tests run on."""
    return f"metacontroller: {metacontroller.described()}"


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark the tests that need programs built from Go modules."""
    whole_folders = {_TESTS / "deploy", _TESTS / "e2e"}
    if not whole_folders.isdisjoint(item.path.parents) or _PROGRAMS.keys() & _fixtures(item):
        item.add_marker("go")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the files that share a control plane last: after them it would only be idle."""
    sharing = {item.path for item in items if "control_plane" in _fixtures(item)}
    items.sort(key=lambda item: item.path in sharing)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build missing programs now, where no test's timeout runs and the progress is seen."""
    if session.config.option.collectonly:
        return
    wanted = {name for item in session.items for name in _fixtures(item)}
    capture = session.config.pluginmanager.getplugin("capturemanager")
    writer = session.config.get_terminal_writer()
    with capture.global_and_fixture_disabled():
        for fixture, program in _PROGRAMS.items():
            if fixture in wanted:
                program.ensure(lambda line: writer.line(line, flush=True))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the folder of the logs when something failed."""
    folder = terminalreporter.config.stash.get(_FOLDER, None)
    stats = terminalreporter.stats
    if folder and (stats.get("failed") or stats.get("error")):
        terminalreporter.write_line(f"logs of the control plane: {folder}")


def _fixtures(item: pytest.Item) -> set[str]:
    return set(getattr(item, "fixturenames", ()))
