"""The blocks of code of the documentation: what they hold is there, and is right."""

import ast
import configparser
import importlib.util
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from hooks import names
from hooks.settings.cloud_config import NAMES
from hooks.settings.config import settings
from tests.documented import kubectl
from tests.documented.pages import PAGES, PROJECT, Block, blocks, named
from tests.documented.runs import readers_own, runner
from tests.documented.shell import Command, commands
from tests.schemas import CRDS, Schema, crd, schema_of
from tools.run import DEFAULT_PORTS

pytestmark = pytest.mark.documentation

LANGUAGES = {"ini", "json", "python", "sh", "text", "yaml"}
#: What the commands use that is not ours.
PROGRAMS = {
    "cat",
    "cmk",
    "curl",
    "docker",
    "helm",
    "jq",
    "kubectl",
    "make",
    "minikube",
    "openssl",
    "read",
    "sleep",
}
ANNOTATION = re.compile(r"service\.beta\.kubernetes\.io/cloudstack-load-balancer-[a-z-]*[a-z]")
GROUP = re.compile(r"(?:cloudstack\.)?targetcluster\.example\.com/[A-Za-z][\w-]*\w")

every_page = pytest.mark.parametrize("page", PAGES, ids=named)
MANIFESTS = sorted(PROJECT.glob("examples/**/*.yaml"))


def of(page: Path, language: str) -> list[Block]:
    return blocks(page, language)


@every_page
def test_every_block_says_what_it_is_written_in(page: Path) -> None:
    assert [str(block) for block in blocks(page) if block.language not in LANGUAGES] == []


@every_page
def test_data_can_be_read(page: Path) -> None:
    for block in of(page, "json"):
        json.loads(block.code)
    for block in of(page, "yaml"):
        assert list(yaml.safe_load_all(block.code)), block


@every_page
def test_python_is_python_and_imports_what_is_there(page: Path) -> None:
    for block in of(page, "python"):
        for node in ast.walk(ast.parse(block.code)):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(str(node.module))
                for alias in node.names:
                    whole = f"{node.module}.{alias.name}"
                    assert hasattr(module, alias.name) or importlib.util.find_spec(whole), whole


@every_page
def test_ini_is_a_cloud_config(page: Path) -> None:
    for block in of(page, "ini"):
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string(block.code)
        assert parser.sections() == ["Global"], block
        assert set(parser["Global"]) <= set(NAMES), block


@cache
def schemas() -> dict[tuple[str, str], Schema]:
    """Return the schema of each of our kinds, by apiVersion and kind."""
    found = {}
    for file in sorted(CRDS.glob("*s.yaml")):
        spec = crd(file.stem)["spec"]
        for version in spec["versions"]:
            kind = f"{spec['group']}/{version['name']}", spec["names"]["kind"]
            found[kind] = schema_of(file.stem)
    return found


def objects(text: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of our kinds in YAML or JSON, also from a list."""
    for document in yaml.safe_load_all(text):
        for each in document if isinstance(document, list) else [document]:
            if isinstance(each, dict) and (each.get("apiVersion"), each.get("kind")) in schemas():
                yield each


def problem(obj: dict[str, Any]) -> str:
    """Say why an API server would refuse an object, or drop a part of it."""
    return "; ".join(schemas()[obj["apiVersion"], obj["kind"]].problems(obj))


def test_objects_of_our_kinds_are_what_the_crds_take() -> None:
    texts = {str(block): block.code for page in PAGES for block in blocks(page, "yaml")}
    texts |= {str(block): block.code for page in PAGES for block in blocks(page, "json")}
    texts |= {named(file): file.read_text() for file in MANIFESTS}
    found = [(where, obj) for where, text in texts.items() for obj in objects(text)]
    assert found
    assert [(where, problem(obj)) for where, obj in found if problem(obj)] == []


@pytest.mark.parametrize("name", sorted(file.stem for file in CRDS.glob("*s.yaml")))
def test_every_field_of_our_kinds_is_described(name: str) -> None:
    [version] = crd(name)["spec"]["versions"]
    fields = dict(properties("", version["schema"]["openAPIV3Schema"]))
    assert len(fields) > 10
    # The schema of metadata is everybody's; a CRD may say no more of it.
    assert [path for path in fields if path != "metadata" and not fields[path]] == []


def properties(at: str, schema: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the path and the description of every field in a schema."""
    for name, field in schema.get("items", schema).get("properties", {}).items():
        path = f"{at}.{name}".removeprefix(".")
        yield path, field.get("description", "")
        yield from properties(path, field)
        if isinstance(values := field.get("additionalProperties"), dict):
            yield from properties(path, values)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"monitorIntervall": "30s"}, "monitorIntervall"),
        ({"monitorInterval": "often"}, "often"),
        ({"deletionPolicy": "Keep"}, "Keep"),
        ({"healthChecks": {"minReadyNodes": "many"}}, "many"),
    ],
)
def test_a_mistake_in_an_object_is_seen(spec: dict[str, Any], expected: str) -> None:
    kind = {"apiVersion": "targetcluster.example.com/v1alpha1", "kind": "TargetCluster"}
    assert expected in problem({**kind, "metadata": {"name": "shop"}, "spec": spec})
    assert all(Draft202012Validator.check_schema(one.schema) is None for one in schemas().values())


@every_page
def test_annotations_in_code_are_ours(page: Path) -> None:
    known = {value for value in vars(names).values() if isinstance(value, str)}
    known |= {f"{names.TARGET_CLUSTER_GROUP}/v1alpha1", f"{names.CLOUDSTACK_GROUP}/v1alpha1"}
    for block in blocks(page):
        for pattern in (ANNOTATION, GROUP):
            for found in pattern.findall(block.code):
                assert found in known, f"{block}: {found}"


def command_blocks() -> list[tuple[Block, list[Command]]]:
    return [(block, commands(block.code)) for page in PAGES for block in blocks(page, "sh")]


def test_commands_are_of_programs_that_are_known() -> None:
    assert len(command_blocks()) > 50
    for block, found in command_blocks():
        assert found, block
        assert {command.program for command in found} <= PROGRAMS, block


def test_kubectl_commands_are_valid() -> None:
    faults = [
        f"{block}: {fault}"
        for block, found in command_blocks()
        for command in found
        if command.program == "kubectl"
        for fault in kubectl.wrong(command)
    ]
    assert faults == []


@every_page
def test_files_in_commands_are_there_or_made_by_the_commands_before(page: Path) -> None:
    there = readers_own(page)
    for block in blocks(page, "sh"):
        for command in commands(block.code):
            for file in files(command):
                assert kubectl.exists(file, there), f"{block}: {file}"
            there |= set(command.writes)


def files(command: Command) -> Iterator[str]:
    """Yield the files that a command reads."""
    if command.program == "kubectl":
        yield from kubectl.files(command)
    if command.program == "curl":
        yield from (word[1:] for word in command.arguments if word.startswith("@"))


def test_curl_asks_for_paths_that_there_are() -> None:
    paths = {"/metrics", "/healthz", "/readyz"}
    for file in (PROJECT / "metacontroller").glob("*.yaml"):
        paths |= set(re.findall(r"url: http://[^/]+(/\S+)", file.read_text()))
    asked = {
        re.sub(r"https?://[^/]+", "", word)
        for _, found in command_blocks()
        for command in found
        if command.program == "curl"
        for word in command.arguments
        if word.startswith("http")
    }
    assert asked
    assert {path for path in asked if not path.startswith("/api/")} <= paths


def test_variables_before_make_are_settings() -> None:
    known = {setting.variable for setting in settings().values()} | set(DEFAULT_PORTS)
    for block, _ in command_blocks():
        given = re.findall(r"^(?:([A-Z_]+)=\S+ )+make", block.code, re.MULTILINE)
        assert set(given) <= known, block


def test_every_block_of_commands_is_run_by_a_test_or_says_why_not() -> None:
    unrun = [str(block) for block, _ in command_blocks() if not block.reason and not runner(block)]
    assert unrun == [], f"run them, or write above each: {NOT_RUN_FORM}"
    both = [str(block) for block, _ in command_blocks() if block.reason and runner(block)]
    assert both == [], "a test runs them: take the comment away"


NOT_RUN_FORM = "<!-- Not run by the tests: why. -->"


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("kubectl gett nodes", "gett"),
        ("kubectl get nodez", "nodez"),
        ("kubectl get nodes --every", "--every"),
        ("kubectl -n x delete svcs/web", "svcs"),
        ("kubectl rollout undo deployment/x", "rollout"),
    ],
)
def test_a_mistake_in_a_command_is_seen(line: str, fault: str) -> None:
    [command] = commands(line)
    assert fault in "; ".join(kubectl.wrong(command))


@pytest.mark.parametrize(
    ("code", "programs"),
    [
        ("make run  # starts\nmake test", ["make", "make"]),
        ("until kubectl apply -k x; do sleep 2; done", ["kubectl", "sleep"]),
        ("A=1 make run", ["make"]),
        ("helm install x \\\n  --set a=b", ["helm"]),
        ("kubectl apply -f - <<'EOF'\nkind: x\nEOF", ["kubectl"]),
        ("kubectl get x |\n  jq .", ["kubectl", "jq"]),
        ("openssl rand 3 > token", ["openssl"]),
        ("kubectl get x -o jsonpath='{a | b; c}'", ["kubectl"]),
    ],
)
def test_commands_are_separated_as_in_a_shell(code: str, programs: list[str]) -> None:
    assert [command.program for command in commands(code)] == programs
