"""The dashboards: their queries parse, and use metrics and labels that there are."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.rendering import DEPLOY
from tests.deploy.served import metrics_of, unserved
from tools import promtool

FILES = sorted(DEPLOY.glob("components/*-dashboards/*.json"))


def load(file: Path) -> Any:
    return json.loads(file.read_text())


def queries(file: Path) -> Iterator[str]:
    for panel in load(file)["panels"]:
        for target in panel["targets"]:
            yield target["expr"]


def test_there_are_three() -> None:
    assert len(FILES) == 3
    assert len({load(file)["uid"] for file in FILES}) == 3


@pytest.mark.usefixtures("promtool_program")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_query_parses(file: Path, tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": query.replace("$namespace", ".*")}
        for number, query in enumerate(queries(file))
    ]
    groups = {"groups": [{"name": file.stem, "rules": rules}]}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(groups))
    assert promtool.run("check", "rules", tmp_path / "rules.yaml") == ""


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_metric_is_served(file: Path) -> None:
    used = metrics_of(queries(file))
    assert used
    assert unserved(used) == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_panel_has_a_place_of_its_own(file: Path) -> None:
    panels = load(file)["panels"]
    places = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(places) == len(set(places))
    assert max(x for x, _ in places) < 24
    assert len({panel["id"] for panel in panels}) == len(panels)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_variable_is_defined(file: Path) -> None:
    defined = {each["name"] for each in load(file)["templating"]["list"]}
    assert set(re.findall(r"\$\{?(\w+)\}?", "\n".join(queries(file)))) <= defined
