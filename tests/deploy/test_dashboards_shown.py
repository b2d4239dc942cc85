"""Which trouble is there is found from the dashboards alone, by Prometheus' own engine."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.rendering import DEPLOY, PROJECT
from tools import promtool

STAGE = yaml.safe_load((Path(__file__).parent / "dashboards.yaml").read_text())
WELL, TROUBLES = STAGE["well"], STAGE["troubles"]
#: When one looks.
AT = "60m"


def panels() -> dict[str, dict[str, Any]]:
    """Return all panels of all dashboards, by `FILE/TITLE`."""
    files = sorted(DEPLOY.glob("components/*-dashboards/*.json"))
    found = [(file.stem, each) for file in files for each in json.loads(file.read_text())["panels"]]
    return {f"{stem}/{each['title']}": each for stem, each in found}


PANELS = panels()


def query(panel: str) -> str:
    """Return the only query of a panel, over all namespaces."""
    [target] = PANELS[panel]["targets"]
    return str(target["expr"]).replace("$namespace", ".*")


def case(name: str, series: dict[str, str], shown: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a test for promtool: what panels show of series."""
    return {
        "name": name,
        "interval": "1m",
        "input_series": [{"series": key, "values": values} for key, values in series.items()],
        "promql_expr_test": [
            {
                "expr": query(each["panel"]),
                "eval_time": AT,
                "exp_samples": [
                    {"labels": labels, "value": value} for labels, value in each["samples"].items()
                ],
            }
            for each in shown
        ],
    }


def run(tmp_path: Path, tests: list[dict[str, Any]]) -> str:
    file = tmp_path / "cases.yaml"
    file.write_text(yaml.safe_dump({"evaluation_interval": "1m", "tests": tests}))
    return promtool.run("test", "rules", file)


def of_trouble(name: str) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Return the series of a trouble, and what all panels show: what they do when all is well."""
    trouble = TROUBLES[name]
    changed = {each["panel"] for each in trouble["shown"]}
    return {**WELL["series"], **trouble["series"]}, trouble["shown"] + [
        each for each in WELL["shown"] if each["panel"] not in changed
    ]


@pytest.mark.usefixtures("promtool_program")
def test_where_all_is_well_no_panel_shows_a_trouble(tmp_path: Path) -> None:
    assert run(tmp_path, [case("well", WELL["series"], WELL["shown"])]) == ""


@pytest.mark.usefixtures("promtool_program")
@pytest.mark.parametrize("name", TROUBLES)
def test_a_trouble_is_shown_where_it_is_looked_for_and_nowhere_else(
    name: str, tmp_path: Path
) -> None:
    assert run(tmp_path, [case(name, *of_trouble(name))]) == ""


def test_each_of_ten_troubles_and_more_looks_like_no_other() -> None:
    assert len(TROUBLES) >= 10
    looks = [json.dumps(trouble["shown"], sort_keys=True) for trouble in TROUBLES.values()]
    assert len(set(looks)) == len(looks)
    well = {each["panel"]: each["samples"] for each in WELL["shown"]}
    for name, trouble in TROUBLES.items():
        shown = {each["panel"]: each["samples"] for each in trouble["shown"]}
        assert any(samples != well.get(panel, {}) for panel, samples in shown.items()), name


def test_the_series_are_those_that_the_hooks_serve() -> None:
    """Names and labels are what the page of metrics says, which is made from the hooks."""
    page = (PROJECT / "docs" / "reference" / "metrics.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| \w+ \| ([^|]*) \|", page, re.MULTILINE)
    served = {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}
    stages = [WELL, *TROUBLES.values()]
    for key in {key for stage in stages for key in stage["series"]}:
        name, _, labels = key.partition("{")
        base = name.removesuffix("_bucket")
        bucket = {"le"} if base != name else set()
        assert set(re.findall(r'(\w+)="', labels)) == served[base] | bucket, key
