"""Renders the Helm chart with values, and finds things in what comes out."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.controlplane.api import Object
from tests.deploy.rendering import read
from tools import helm
from tools.chart_values import CHART

CI = CHART / "ci"
CLOUD, OPERATOR = "cloudController", "targetClusterOperator"
#: The labels that say which release of which chart an object is of.
OF_A_RELEASE = {
    "helm.sh/chart",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/version",
    "app.kubernetes.io/managed-by",
}
#: An object's kind, namespace and name.
Identity = tuple[str, str, str]


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Turn values by path into values as in a file."""
    whole: dict[str, Any] = {}
    for path, value in flat.items():
        *groups, name = path.split(".")
        at = whole
        for group in groups:
            at = at.setdefault(group, {})
        at[name] = value
    return whole


def values(folder: Path, flat: Mapping[str, Any]) -> list[str | Path]:
    """Write values into a file; return how helm is told of it."""
    folder.mkdir(exist_ok=True)
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(nested(flat)))
    return ["--values", file]


def by_identity(objects: Iterable[Object]) -> dict[Identity, Object]:
    """Return the objects by kind, namespace and name; each must be there once."""
    found: dict[Identity, Object] = {}
    for obj in objects:
        metadata = obj["metadata"]
        key = obj["kind"], metadata.get("namespace", ""), metadata["name"]
        assert key not in found
        found[key] = obj
    return found


def of_chart(
    *arguments: str | Path, chart: Path = CHART, crds: bool = True
) -> dict[Identity, Object]:
    """Render the chart; return its objects without `helm test` and the labels of a release."""
    rendered = read(helm.template(*arguments, "--skip-tests", chart=chart, crds=crds)).objects
    return by_identity(map(without_release, rendered))


def without_release(obj: Object) -> Object:
    """Return an object as it is outside of releases."""
    metadata = dict(obj["metadata"])
    labels = {
        key: value for key, value in metadata.pop("labels", {}).items() if key not in OF_A_RELEASE
    }
    return {**obj, "metadata": metadata | ({"labels": labels} if labels else {})}


def deployment(found: Mapping[Identity, Object], name: str) -> Object:
    """Return a Deployment."""
    [one] = [obj for (kind, _, of), obj in found.items() if (kind, of) == ("Deployment", name)]
    return one
