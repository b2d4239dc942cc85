"""The Helm chart says what kustomize says, whatever is chosen of it."""

import base64
import shutil
import tarfile
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

from hooks import VERSION
from tests.controlplane.api import Object
from tests.deploy.charts import CI, CLOUD, OPERATOR, by_identity, of_chart, values
from tests.deploy.rendering import (
    CLOUD_CONTROLLER,
    DEPLOY,
    PROJECT,
    TARGET_CLUSTER_OPERATOR,
    composed,
    read,
    render,
)
from tools import chart, helm
from tools.chart_values import CHART, VALUES

pytestmark = pytest.mark.usefixtures("control_plane_binaries", "helm_program")

OVERLAYS = DEPLOY / "overlays"
WITHOUT_PROTECTION = "cloud-controller-without-protection"
#: The values that stand for each component; of both operators it is the same way.
CHOSEN: dict[str, dict[str, Any]] = {
    "cloud-controller-cluster-metacontroller": {f"{CLOUD}.metacontroller": "cluster"},
    "cloud-controller-tls": {f"{CLOUD}.tls": "server"},
    "cloud-controller-client-certificates": {f"{CLOUD}.tls": "mutual"},
    "cloud-controller-network-policy": {f"{CLOUD}.networkPolicy": True},
    "cloud-controller-two-replicas": {f"{CLOUD}.replicas": 2},
    "cloud-controller-alerts": {f"{CLOUD}.alerts": True},
    "cloud-controller-dashboards": {f"{CLOUD}.dashboards": True},
    "cloud-controller-pod-monitor": {f"{CLOUD}.podMonitor": True},
    "cloud-controller-validation": {f"{CLOUD}.validation": True},
    "cloud-controller-certificates": {f"{CLOUD}.certificates": True},
    WITHOUT_PROTECTION: {f"{CLOUD}.protection": False},
    "target-cluster-operator-sidecar": {f"{OPERATOR}.metacontroller": "own"},
    "target-cluster-operator-tls": {f"{OPERATOR}.tls": "server"},
    "target-cluster-operator-client-certificates": {f"{OPERATOR}.tls": "mutual"},
    "target-cluster-operator-two-replicas": {f"{OPERATOR}.replicas": 2},
    "target-cluster-operator-network-policy": {f"{OPERATOR}.networkPolicy": True},
    "target-cluster-operator-alerts": {f"{OPERATOR}.alerts": True},
    "target-cluster-operator-dashboards": {f"{OPERATOR}.dashboards": True},
    "target-cluster-operator-service-monitor": {f"{OPERATOR}.serviceMonitor": True},
    "target-cluster-operator-validation": {f"{OPERATOR}.validation": True},
}
STATUS_PAGE = {"statusPage.enabled": True}
NEITHER = {f"{CLOUD}.enabled": False, f"{OPERATOR}.enabled": False}
#: CRDs are kept whatever the values are, and Metacontroller's are in `crds/`: Helm makes them
#: first, where they are missing, and never deletes them.
WITHOUT_A_VALUE = {
    "crds-kept",
    "cloud-controller-registered",
    "without-metacontroller-crds",
}
ENABLED = {
    CLOUD_CONTROLLER: {**NEITHER, f"{CLOUD}.enabled": True},
    TARGET_CLUSTER_OPERATOR: {**NEITHER, f"{OPERATOR}.enabled": True},
}


def compositions() -> Iterator[Any]:
    """Yield each mode of each operator: bare, with each addition, with all of them."""
    for operator in chart.OPERATORS:
        for mode, names in operator.modes.items():
            added = operator.added(mode)
            for more in ((), *((one,) for one in added), added):
                label = "+".join(more) if len(more) < 2 else "everything"
                marked = f"{operator.name}: {mode}{' + ' if more else ''}{label}"
                yield pytest.param(DEPLOY / operator.name, [*names, *more], id=marked)


@pytest.mark.parametrize(("base", "components"), list(compositions()))
def test_values_and_components_make_the_same_objects(
    tmp_path: Path, base: Path, components: list[str]
) -> None:
    flat = dict(ENABLED[base])
    for name in components:
        flat |= CHOSEN[name]
    kustomized = by_identity(render(composed(tmp_path / "overlay", base, *components)).objects)
    # Metacontroller's CRDs come with the cloud controller's own one; else they are not deployed.
    crds = any(name.endswith(chart.METACONTROLLER) for _, _, name in kustomized)
    assert of_chart(*values(tmp_path, flat), crds=crds) == kustomized


@pytest.mark.parametrize("mode", chart.OPERATORS[0].modes)
def test_the_protection_can_be_left_out_and_is_where_the_cluster_does_not_know_it(
    tmp_path: Path, mode: str
) -> None:
    names = chart.OPERATORS[0].modes[mode]
    flat = dict(ENABLED[CLOUD_CONTROLLER])
    for name in names:
        flat |= CHOSEN[name]
    overlay = composed(tmp_path / "overlay", CLOUD_CONTROLLER, *names, WITHOUT_PROTECTION)
    expected = by_identity(render(overlay).objects)
    crds = any(name.endswith(chart.METACONTROLLER) for _, _, name in expected)
    arguments = values(tmp_path / "left out", flat | CHOSEN[WITHOUT_PROTECTION])
    assert of_chart(*arguments, crds=crds) == expected
    old = values(tmp_path / "old", flat)
    assert of_chart(*old, "--kube-version=1.29.15", crds=crds) == expected
    assert of_chart(*old, "--kube-version=1.30.0+vendor", crds=crds) != expected


def test_the_default_values_make_what_the_folder_of_the_cloud_controller_does() -> None:
    assert of_chart() == by_identity(render(CLOUD_CONTROLLER).objects)


@pytest.mark.parametrize(
    ("name", "folder", "crds"),
    [
        ("both-operators", OVERLAYS / "both-operators", True),
        ("target-cluster-operator", TARGET_CLUSTER_OPERATOR, False),
        ("target-cluster-operator-alone", OVERLAYS / "target-cluster-operator-alone", False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_set_of_values_makes_what_its_folder_does(name: str, folder: Path, crds: bool) -> None:
    expected = by_identity(render(folder).objects)
    # Helm has them in crds/, where they carry the cloud controller's labels; see the next test.
    left_out = [key for key in expected if key[2].endswith(chart.METACONTROLLER) and not crds]
    found = of_chart("--values", CI / f"{name}-values.yaml", crds=crds)
    assert found == {key: obj for key, obj in expected.items() if key not in left_out}


def test_metacontrollers_crds_are_the_same_whoever_brings_them() -> None:
    def without_labels(obj: Object) -> Object:
        metadata = {key: part for key, part in obj["metadata"].items() if key != "labels"}
        return {**obj, "metadata": metadata}

    from_chart = [yaml.safe_load(file.read_text()) for file in (CHART / "crds").iterdir()]
    alone = render(DEPLOY / "metacontroller-crds").objects
    assert by_identity(map(without_labels, from_chart)) == by_identity(map(without_labels, alone))


def test_every_component_has_a_value() -> None:
    there = {folder.parent.name for folder in (DEPLOY / "components").glob("*/kustomization.yaml")}
    known = {
        name
        for operator in chart.OPERATORS
        for name in chain(operator.added("cluster"), *operator.modes.values())
    }
    known |= {WITHOUT_PROTECTION, chart.STATUS_PAGE}
    assert there - WITHOUT_A_VALUE == known == {*CHOSEN, chart.STATUS_PAGE}


def test_the_status_page_is_the_same_by_value_and_by_folder_beside_an_operator_or_alone(
    tmp_path: Path,
) -> None:
    alone = by_identity(render(DEPLOY / chart.STATUS_PAGE).objects)
    assert of_chart(*values(tmp_path, {**NEITHER, **STATUS_PAGE}), crds=False) == alone
    beside = render(composed(tmp_path / "overlay", CLOUD_CONTROLLER, chart.STATUS_PAGE))
    assert of_chart(*values(tmp_path, STATUS_PAGE)) == by_identity(beside.objects)


def test_what_is_made_is_current() -> None:
    made = chart.files()
    for file, content in made.items():
        assert file.read_text() == content, f"{file} is stale: run `make manifests`"
    there = {file for folder in (chart.CRDS, chart.FILES) for file in folder.rglob("*.yaml")}
    assert there == set(made) - {VALUES}


def test_a_component_that_changes_more_than_it_may_is_no_addition() -> None:
    before = chart.manifests(TARGET_CLUSTER_OPERATOR.name)
    after = chart.manifests(TARGET_CLUSTER_OPERATOR.name, "target-cluster-operator-tls")
    with pytest.raises(ValueError, match=r"^tls changes .*'CompositeController'.*make it a mode"):
        chart.added("tls", before, after)


def test_versions_are_the_projects() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    metadata = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert metadata["version"] == metadata["appVersion"] == project["version"] == VERSION


def test_what_a_catalogue_shows_is_what_the_chart_has() -> None:
    metadata = yaml.safe_load((CHART / "Chart.yaml").read_text())
    _, _, icon = metadata["icon"].partition("base64,")
    assert base64.b64decode(icon) == (PROJECT / "docs" / "images" / "icon.svg").read_bytes()
    objects = read(helm.template("--values", CI / "both-operators-values.yaml", crds=False)).objects
    shown = {
        name: yaml.safe_load(metadata["annotations"][f"artifacthub.io/{name}"])
        for name in ("images", "crds")
    }
    images = {
        each["name"]: each["image"]
        for obj in objects
        if obj["kind"] == "Deployment"
        for each in obj["spec"]["template"]["spec"]["containers"]
    }
    assert {each["name"]: each["image"] for each in shown["images"]} == images
    crds = {
        (crd["metadata"]["name"], crd["spec"]["names"]["kind"], crd["spec"]["versions"][0]["name"])
        for crd in objects
        if crd["kind"] == "CustomResourceDefinition"
    }
    assert {(each["name"], each["kind"], each["version"]) for each in shown["crds"]} == crds


def test_every_set_of_values_is_linted_and_renders(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(helm.VALUE_SETS) >= 4
    code, said = helm.main(), capsys.readouterr().out
    assert (code, said) == (0, f"deploy/chart: {1 + len(helm.VALUE_SETS)} sets of values render\n")


def test_a_package_holds_what_is_needed_and_renders_the_same(tmp_path: Path) -> None:
    helm.run("package", CHART, "--destination", tmp_path)
    [package] = tmp_path.glob("*.tgz")
    with tarfile.open(package) as held:
        names = {member.name.partition("/")[2] for member in held}
    of_the_folder = {str(file.relative_to(CHART)) for file in CHART.rglob("*") if file.is_file()}
    assert names == {name for name in of_the_folder if not name.startswith("ci/")}
    assert helm.template(chart=package) == helm.template()


def test_nothing_in_it_is_a_link() -> None:
    assert [file for file in CHART.rglob("*") if file.is_symlink()] == []


def test_it_may_be_part_of_another_chart(tmp_path: Path) -> None:
    umbrella = tmp_path / "umbrella"
    shutil.copytree(CHART, umbrella / "charts" / "cloudstack-metacontroller")
    about = {"apiVersion": "v2", "name": "umbrella", "version": "1.0.0"}
    (umbrella / "Chart.yaml").write_text(yaml.safe_dump(about))
    (umbrella / "values.yaml").write_text(yaml.safe_dump({"global": {"region": "eu"}}))
    assert of_chart(chart=umbrella) == of_chart()


def test_neither_operator_is_nothing(tmp_path: Path) -> None:
    assert helm.template(*values(tmp_path, NEITHER), crds=False).strip() == ""
