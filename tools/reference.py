"""`python -m tools.reference`: writes the reference pages that are made from the code.

A test fails when one of them is not what this would write.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import yaml
from kubernetes.client import Configuration
from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector

from hooks import names
from hooks.cloudstack import Cloud
from hooks.cloudstack import config as cloudstack_config
from hooks.kube.client import ApiServer
from hooks.server.metrics import Metrics
from hooks.settings import config
from hooks.settings.cloud_config import NAMES
from hooks.settings.config import Config, settings
from hooks.webhook.hook import Dependencies
from hooks.wsgi import HOOKS
from tools.chart_values import described as described_values
from tools.chart_values import schema as chart_schema

PROJECT = Path(__file__).resolve().parent.parent
FOLDER = PROJECT / "docs" / "reference"
MADE = "<!-- Made by `make reference`; a test fails when it is stale. -->"

_SECTION = re.compile(r"# (?:-+ )?([A-Z][^-]*?)(?: -+)?")
_DESCRIPTION = re.compile(r" *#: ?(.*)")
_CONSTANT = re.compile(r"([A-Z][A-Z0-9_]*) = .*")
_FIELD = re.compile(r"    ([a-z_]+): .*")
_SETTING = re.compile(r"    ([a-z_]+): .* = _setting\(.*")


def pages() -> dict[Path, str]:
    """Make every page, by its file."""
    return {
        FOLDER / "settings.md": settings_page(),
        FOLDER / "names.md": names_page(),
        FOLDER / "metrics.md": metrics_page(),
        FOLDER / "target-cluster.md": resource_page(PROJECT / "crds" / "targetclusters.yaml"),
        FOLDER / "chart.md": chart_page(),
    }


def settings_page() -> str:
    """List the environment variables and the names of the cloud-config."""
    source = Path(config.__file__).read_text(encoding="utf-8")
    [sentences] = described(source, _SETTING).values()
    source = Path(cloudstack_config.__file__).read_text(encoding="utf-8")
    [meanings] = described(source, _FIELD).values()
    variables = [
        (
            f"`{setting.variable}`",
            f"`{setting.default}`" if setting.default else "",
            sentences[name],
        )
        for name, setting in settings().items()
    ]
    return page(
        "Settings",
        "The hooks are configured by environment variables. An empty variable counts as not set, "
        "except WATCH_NAMESPACE. Durations are written `30s`, `5m`, `1h30m`. When the process "
        "starts, it logs every setting that cannot work, all at once, and ends with code 2.",
        table(("variable", "default", "meaning"), variables),
        "## cloud-config",
        "The file that `CLOUD_CONFIG` names has one section, `[Global]`, in the form of the "
        "existing CloudStack Kubernetes Provider: `name = value`, comments after `;` or `#`, "
        "double quotes around values that need them. It is read again when it changes. If the new "
        "content cannot be used, the log and the metric `config_file_good` say so, and the old "
        "content stays in use.",
        table(
            ("name", "meaning"),
            [(f"`{name}`", meanings[each.name]) for name, each in NAMES.items()],
        ),
    )


def names_page() -> str:
    """List every single name that others see, by the sections of `hooks/names.py`."""
    source = Path(names.__file__).read_text(encoding="utf-8")
    parts = []
    for title, constants in described(source).items():
        rows = [
            (f"`{name}`", sentence)
            for constant, sentence in constants.items()
            if isinstance(name := getattr(names, constant), str)
        ]
        parts += [f"## {title}", table(("name", "meaning"), rows)]
    return page(
        "Names",
        "Labels, annotations, taints, tags, conditions and Events that the hooks read or write.",
        *parts,
    )


def described(
    source: str, declaration: re.Pattern[str] = _CONSTANT
) -> Mapping[str, Mapping[str, str]]:
    """Find the declarations in a module, and the text in `#:` above each, by section.

    Raises:
        ValueError: naming a declaration that has no text.
    """
    title = "Groups and kinds"
    text: list[str] = []
    found: dict[str, dict[str, str]] = {}
    for line in source.splitlines():
        if section := _SECTION.fullmatch(line):
            title = section[1]
        elif description := _DESCRIPTION.fullmatch(line):
            text.append(description[1])
        elif declared := declaration.fullmatch(line):
            if not text:
                raise ValueError(f"{declared[1]}: it has no description; write `#:` above it")
            found.setdefault(title, {})[declared[1]] = " ".join(text)
            text = []
        else:
            text = []
    return found


def resource_page(file: Path) -> str:
    """List the fields of a custom resource, from its CRD."""
    crd = yaml.safe_load(file.read_text(encoding="utf-8"))
    names_of, version = crd["spec"]["names"], crd["spec"]["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]
    parts = []
    for part in ("spec", "status"):
        rows = [
            (f"`{name}`", _kind(field), _default(field), field.get("description", ""))
            for name, field in _fields(schema["properties"][part])
        ]
        parts += [f"## {part}", table(("field", "type", "default", "meaning"), rows)]
    return page(
        names_of["kind"],
        f"{schema['description']} `apiVersion: {crd['spec']['group']}/{version['name']}`, "
        f"`kubectl get {names_of['shortNames'][0]}`. The API server refuses what does not fit.",
        *parts,
    )


def _fields(schema: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """List fields with those within them; an object that only holds others is no row."""
    for name, field in schema["properties"].items():
        inner = field.get("items", field)
        path = f"{at}{name}[]" if "items" in field else f"{at}{name}"
        if "properties" not in inner:
            yield path, field
            continue
        if "description" in field:
            yield path, field
        yield from _fields(inner, f"{path}.")


def _kind(field: Mapping[str, Any]) -> str:
    """Return the type of a field, in words."""
    inner = field.get("items", field)
    if "enum" in inner:
        return ", ".join(f"`{choice}`" for choice in inner["enum"] if choice)
    if inner.get("x-kubernetes-int-or-string"):
        return "integer or share"
    if "(ms|s|m|h)" in inner.get("pattern", ""):
        return "duration"
    if inner.get("format") == "date-time":
        return "time"
    return f"list of {inner['type']}s" if "items" in field else str(inner["type"])


def _default(field: Mapping[str, Any]) -> str:
    default = field.get("default", {})
    return "" if default in ({}, [], "") else f"`{json.dumps(default)}`".replace('"', "")


def chart_page() -> str:
    """List the values of the Helm chart, from their schema."""
    whole = chart_schema()
    rows = []
    for value in described_values(whole):
        definition = value.field.get("$ref", "").rpartition("/")[2]
        field = {**whole["definitions"].get(definition, {}), **value.field}
        kind = "" if value.group else _kind(field)
        meaning = field["description"]
        if definition.endswith("Settings"):
            meaning += f" It accepts {', '.join(f'`{name}`' for name in field['properties'])}."
        rows.append((f"`{value.name}`", kind, _default(field), meaning))
    return page(
        "The Helm chart",
        "The values of `deploy/chart`. The defaults install the same as "
        "`deploy/cloud-controller`. Helm refuses a value that is not here or does not fit. "
        "[Install with Helm](../guides/helm.md) has the commands.",
        table(("value", "type", "default", "meaning"), rows),
    )


class OrderedRegistry(CollectorRegistry):
    """Remembers its collectors in the order in which they came."""

    def __init__(self) -> None:
        super().__init__()
        self.collectors: list[Collector] = []

    def register(self, collector: Collector) -> None:
        """Take a collector."""
        super().register(collector)
        self.collectors.append(collector)


def metrics_page() -> str:
    """List the metrics that a process with every hook registers: its own, then each hook's."""
    registry = OrderedRegistry()
    dependencies = Dependencies(
        config=Config(),
        cloud=_no_cloud,
        kube=ApiServer.of(Configuration()),
        record=lambda _: None,
        registry=registry,
    )
    Metrics(registry)
    parts = [metrics_table(registry.collectors)]
    for name, entry in HOOKS.items():
        registry.collectors.clear()
        resolve_name(entry.path)(dependencies)
        if registry.collectors:
            parts += [f"## {name}", metrics_table(registry.collectors)]
    return page(
        "Metrics",
        "`/metrics` answers at `METRICS_BIND:METRICS_PORT`, in plain HTTP, and nothing else does "
        "there. Beside the metrics below it shows those of the Python process: memory, CPU time, "
        "open files, garbage collection.",
        *parts,
    )


def metrics_table(collectors: Iterable[Collector]) -> str:
    """List the metrics of collectors, under the names and types that `/metrics` shows."""
    rows = []
    for collector in collectors:
        for family in collector.collect():
            suffix = "_total" if family.type == "counter" else ""
            # What a metric is called is public in the library, what its labels are is not.
            labels = getattr(collector, "_labelnames", ()) or getattr(family, "_labelnames", ())
            rows.append(
                (
                    f"`{family.name}{suffix}`",
                    "untyped" if family.type == "unknown" else family.type,
                    ", ".join(f"`{label}`" for label in labels),
                    family.documentation,
                )
            )
    return table(("metric", "type", "labels", "meaning"), rows)


def _no_cloud() -> Cloud:
    raise NotImplementedError("nothing is called here")


def page(title: str, *parts: str) -> str:
    """Put a page together."""
    return "\n\n".join((f"# {title}", MADE, *parts)) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table; bars in its cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def main() -> None:
    """Write the pages."""
    for file, text in pages().items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        print(f"wrote {file.relative_to(PROJECT)}")


if __name__ == "__main__":
    main()
