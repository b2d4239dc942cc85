"""The alerts, by promtool: they parse, fire when they should, and use metrics that there are."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.rendering import DEPLOY, PROJECT
from tests.deploy.served import metrics_of, unserved
from tools import promtool

pytestmark = pytest.mark.usefixtures("promtool_program")

OPERATORS = ("cloud-controller", "target-cluster-operator")


def spec(operator: str) -> dict[str, Any]:
    file = DEPLOY / "components" / f"{operator}-alerts" / "alerts.yaml"
    found: dict[str, Any] = yaml.safe_load(file.read_text())["spec"]
    return found


def rules(operator: str) -> list[dict[str, Any]]:
    return [rule for group in spec(operator)["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("operator", OPERATORS)
def test_promtool_finds_the_alerts_right(operator: str, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(spec(operator)))
    assert promtool.run("check", "rules", "--lint=all", tmp_path / "rules.yaml") == ""


@pytest.mark.parametrize("operator", OPERATORS)
def test_the_alerts_fire_when_they_should(operator: str, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(spec(operator)))
    cases = tmp_path / "cases.yaml"
    cases.write_text((Path(__file__).parent / f"alerts-{operator}.yaml").read_text())
    assert promtool.run("test", "rules", cases) == ""


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_alert_is_seen_to_fire_and_to_be_quiet(operator: str) -> None:
    file = Path(__file__).parent / f"alerts-{operator}.yaml"
    tried = [
        each
        for case in yaml.safe_load(file.read_text())["tests"]
        for each in case["alert_rule_test"]
    ]
    names = {rule["alert"] for rule in rules(operator)}
    assert {each["alertname"] for each in tried if each.get("exp_alerts")} == names
    assert {each["alertname"] for each in tried if not each.get("exp_alerts")} == names


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_metric_of_the_alerts_is_served(operator: str) -> None:
    used = metrics_of(rule["expr"] for rule in rules(operator))
    assert used
    assert unserved(used) == []


def test_the_guide_names_every_alert() -> None:
    guide = (PROJECT / "docs" / "guides" / "observe.md").read_text()
    table = set(re.findall(r"`((?:Cloud|Target)[A-Z][A-Za-z]+)`", guide.split("## The alerts")[1]))
    names = {rule["alert"] for operator in OPERATORS for rule in rules(operator)}
    assert table >= names
    assert {name for name in table if name.startswith(("CloudStack", "CloudController"))} <= names
