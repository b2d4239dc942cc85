"""The import contracts hold, and each is seen to fail on a planted violation."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest

PROJECT = Path(__file__).resolve().parents[1]
SETTINGS = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"]
CONTRACTS = {contract["id"]: contract["name"] for contract in SETTINGS["contracts"]}

PLANTS = [
    pytest.param("pure-plans", "hooks/nodes/plan/plan.py", "import requests", id="library"),
    pytest.param("pure-plans", "hooks/nodes/plan/plan.py", "import hooks.kube.client", id="I/O"),
    pytest.param("pure-plans", "hooks/nodes/plan/labels.py", "import requests", id="by a chain"),
    pytest.param(
        "pure-plans", "hooks/webhook/contract.py", "import hooks.server.app", id="by a long chain"
    ),
    pytest.param("pure-plans", "hooks/other/plan.py", "import socket", id="of a new hook"),
    pytest.param(
        "pure-plans", "hooks/targetclusters/sync/plan/model.py", "import requests", id="sync"
    ),
    pytest.param(
        "pure-plans", "hooks/loadbalancers/plan/address.py", "import requests", id="a stage"
    ),
    pytest.param("plans-know-no-clock", "hooks/nodes/plan/plan.py", "import time", id="clock"),
    pytest.param(
        "plans-know-no-clock", "hooks/loadbalancers/plan/status.py", "import time", id="a status"
    ),
    pytest.param("plans-know-no-clock", "hooks/nodes/plan/plan.py", "import os", id="environment"),
    pytest.param("plans-know-no-clock", "hooks/nodes/plan/plan.py", "import random", id="chance"),
    pytest.param("plans-know-no-clock", "hooks/nodes/plan/plan.py", "import logging", id="log"),
    pytest.param("plans-know-no-clock", "hooks/nodes/plan/plan.py", "import pathlib", id="file"),
    pytest.param("simulator-apart", "hooks/kube/times.py", "import simulator.clock", id="hooks"),
    pytest.param("simulator-apart", "simulator/clock.py", "import hooks.names", id="simulator"),
    pytest.param("layers", "hooks/services/other.py", "import hooks.nodes.hook", id="another hook"),
    pytest.param("layers", "hooks/nodes/facts.py", "import hooks.server.app", id="server"),
    pytest.param("layers", "hooks/server/app.py", "import hooks.nodes.hook", id="hook from server"),
    pytest.param("layers", "hooks/server/app.py", "import hooks.wsgi", id="process from server"),
    pytest.param("layers", "hooks/wsgi.py", "import hooks.registration", id="registration"),
    pytest.param("layers", "hooks/webhook/reconcile.py", "import hooks.nodes.hook", id="webhook"),
    pytest.param("layers", "hooks/settings/config.py", "import hooks.webhook.hook", id="settings"),
    pytest.param(
        "layers", "hooks/cloudstack/client.py", "import hooks.kube.client", id="cloudstack"
    ),
    pytest.param("layers", "hooks/kube/client.py", "import hooks.settings.config", id="kube"),
    pytest.param("layers", "hooks/http/deadline.py", "import hooks.kube.client", id="http"),
    pytest.param("layers", "hooks/names.py", "import hooks.http.deadline", id="names"),
    pytest.param("layers", "hooks/loose.py", "import json", id="a module without a layer"),
    pytest.param("tools-apart", "tools/helm.py", "import tests.loopback", id="a test from tools"),
    pytest.param("tools-apart", "hooks/wsgi.py", "import tools.helm", id="a tool from hooks"),
    pytest.param("tools-apart", "simulator/clock.py", "import tests.kubes", id="a test"),
    pytest.param(
        "no-circles", "hooks/kube/times.py", "import hooks.kube.conditions", id="two modules"
    ),
    pytest.param("no-circles", "simulator/call.py", "import simulator.registry", id="simulator"),
]


def lint(tree: Path) -> tuple[int, str]:
    """Check the contracts of a tree; return the exit code and what is said."""
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(
        command, cwd=tree, check=False, capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Copy what the contracts are about."""
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    for package in SETTINGS["root_packages"]:
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PROJECT / package, tmp_path / package, ignore=ignore)
    return tmp_path


def test_the_contracts_hold(tree: Path) -> None:
    code, said = lint(tree)
    assert code == 0, said
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken." in said


def test_the_picture_of_imports_is_drawn_from_them_and_has_no_arrow_upward() -> None:
    page = (PROJECT / "docs/explanation/design.md").read_text().split("What imports what")[1]
    drawn = dict(re.findall(r"^([a-z]+) +->(.*)$", page, re.MULTILINE))
    graph = grimp.build_graph("hooks", cache_dir=None)
    packages = [name.removeprefix("hooks.") for name in graph.find_children("hooks")]
    assert sorted(drawn) == sorted(packages)
    for above, (package, arrows) in enumerate(drawn.items()):
        others = {other for other in packages if other != package}
        assert set(arrows.split()) == {
            other
            for other in others
            if graph.direct_import_exists(
                importer=f"hooks.{package}", imported=f"hooks.{other}", as_packages=True
            )
        }
        assert not set(arrows.split()) & set([*drawn][:above])


def test_every_contract_has_a_violation_planted() -> None:
    assert {plant.values[0] for plant in PLANTS} == set(CONTRACTS)


@pytest.mark.parametrize(("contract", "file", "line"), PLANTS)
def test_a_planted_violation_breaks_its_contract(
    tree: Path, contract: str, file: str, line: str
) -> None:
    path = tree / file
    path.parent.mkdir(exist_ok=True)
    (path.parent / "__init__.py").touch()
    text = path.read_text() if path.exists() else ""
    path.write_text(f"{text}\n{line}\n")
    code, said = lint(tree)
    assert code == 1
    assert f"{CONTRACTS[contract]} BROKEN" in said
