"""The documentation is complete, current and connected."""

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from hooks.cloudstack.client import QUERY_JOB
from hooks.cloudstack.operations import DISCOVERY
from hooks.http.bounded_json import MAX_DEPTH
from hooks.server.app import MAX_BODY_BYTES
from hooks.server.connection import (
    IDLE_SECONDS,
    LINGER_SECONDS,
    MAX_CHUNKS,
    RECEIVE_SECONDS,
    SMALL_BODY,
    STRANGER_IDLE_SECONDS,
)
from hooks.server.heads import MAX_HEAD_BYTES, MAX_HEADERS
from hooks.server.worker import LARGE_BODY_BUDGET, MAX_FILES, OWN_FILES, PARSE_BUDGET
from hooks.settings.cloud_config import NAMES
from hooks.settings.config import settings
from hooks.targetclusters.fair_threads import FIRST_JOBS
from hooks.webhook.requests import MAX_VALUES
from hooks.wsgi import HOOKS
from tools.reference import described, pages, table

pytestmark = pytest.mark.documentation

PROJECT = Path(__file__).resolve().parents[1]
INDEX = PROJECT / "docs" / "README.md"
DESIGN = PROJECT / "docs" / "explanation" / "design.md"
GLOSSARY = PROJECT / "docs" / "explanation" / "glossary.md"
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)

PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md", "deploy/**/*.md")
    for page in PROJECT.glob(pattern)
)
IDS = [str(page.relative_to(PROJECT)) for page in PAGES]


def prose(page: Path) -> str:
    """Read a page without its blocks of code."""
    return FENCE.sub("", page.read_text())


def code(page: Path) -> str:
    """Read the blocks of code of a page."""
    return "\n".join(match[0] for match in FENCE.finditer(page.read_text()))


def links(page: Path) -> Iterator[str]:
    for match in LINK.finditer(prose(page)):
        yield match[1]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    plain = (re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", title) for title in headings(page))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in plain}


def headings(page: Path) -> list[str]:
    return [match[1] for match in HEADING.finditer(prose(page))]


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        url = urlsplit(link)
        if url.scheme:
            assert url.scheme == "https", link
            continue
        target = (page.parent / unquote(url.path)).resolve() if url.path else page
        assert target.is_relative_to(PROJECT), link
        assert target.exists(), link
        if url.fragment:
            assert url.fragment in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_a_page_has_one_title(page: Path) -> None:
    assert len(re.findall(r"^# ", prose(page), re.MULTILINE)) == 1


def test_every_page_is_reached_from_the_index() -> None:
    listed = {(INDEX.parent / urlsplit(link).path).resolve() for link in links(INDEX)}
    missing = set(PROJECT.glob("docs/**/*.md")) - listed - {INDEX}
    assert not missing
    start = {(PROJECT / urlsplit(link).path).resolve() for link in links(PROJECT / "README.md")}
    assert INDEX in start


@pytest.mark.parametrize("file", sorted(pages()), ids=lambda file: str(file.name))
def test_a_page_made_from_the_code_is_current(file: Path) -> None:
    assert file.read_text() == pages()[file], "stale: run `make reference`"


def test_every_setting_and_name_of_the_cloud_config_is_listed() -> None:
    text = (PROJECT / "docs/reference/settings.md").read_text()
    for setting in settings().values():
        assert f"| `{setting.variable}` |" in text
    for name in NAMES:
        assert f"| `{name}` |" in text


def test_the_page_of_names_lists_single_names() -> None:
    text = (PROJECT / "docs/reference/names.md").read_text()
    listed = re.findall(r"^\| `(.+)` \|", text, re.MULTILINE)
    assert len(listed) > 100
    assert [name for name in listed if not re.fullmatch(r"[\w./-]+", name)] == []


def test_a_constant_without_a_description_cannot_be_listed() -> None:
    source = '#: Said.\nFIRST = "a"\n# --- More ---\n#: Said\n#: twice.\nSECOND = "b"\n'
    assert described(source) == {
        "Groups and kinds": {"FIRST": "Said."},
        "More": {"SECOND": "Said twice."},
    }
    with pytest.raises(ValueError, match="THIRD: it has no description"):
        described(source + '\nTHIRD = "c"\n')


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    assert table(("a",), [("x|y",)]).splitlines()[2] == "| x\\|y |"


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_every_library_has_a_reason_and_a_pin(file: str) -> None:
    reasons = (PROJECT / "docs/explanation/dependencies.md").read_text()
    locked = pins_of("requirements-dev.lock")
    pins = [line for line in (PROJECT / file).read_text().splitlines() if "==" in line]
    assert pins
    for pin in pins:
        assert f"`{pin.partition('==')[0]}`" in reasons
        assert spelt(pin) in locked


def test_everything_that_is_installed_is_pinned() -> None:
    installed = {spelt(f"{each.name}=={each.version}") for each in distributions()}
    own = {each for each in installed if each.startswith(("pip==", "setuptools=="))}
    assert not installed - own - pins_of("requirements-dev.lock")


def test_the_image_has_the_versions_that_are_tested() -> None:
    assert pins_of("requirements.lock") < pins_of("requirements-dev.lock")


@pytest.mark.parametrize("file", ["requirements.lock", "requirements-dev.lock"])
def test_every_package_of_a_lock_has_the_hashes_of_its_files(file: str) -> None:
    text = (PROJECT / file).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert lines
    for line in lines:
        assert re.fullmatch(r"[\w.-]+==[^\s;]+( ; [^-]+?)?( +--hash=sha256:[0-9a-f]{64})+", line), (
            line
        )


def pins_of(file: str) -> set[str]:
    """Return a lock's packages with their versions."""
    pins = re.findall(r"^[\w.-]+==[^\s;]+", (PROJECT / file).read_text(), re.MULTILINE)
    return {spelt(pin) for pin in pins}


def spelt(pin: str) -> str:
    """Normalise a pin's name as package registries do."""
    return re.sub(r"[-_.]+(?=.*==)", "-", pin.lower())


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_make_is_asked_only_for_what_it_has(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    asked = set(re.findall(r"^(?:[A-Z_]+=\S+ )*make ([a-z-]+)", code(page), re.MULTILINE))
    asked |= set(re.findall(r"`make ([a-z-]+)`", prose(page)))
    assert asked <= targets


def test_the_readmes_map_is_of_this_tree() -> None:
    text = (PROJECT / "README.md").read_text()
    rows = re.findall(r"^\| ((?:`[^`]+/`(?:, )?)+) \|", text, re.MULTILINE)
    folders = [name for row in rows for name in re.findall(r"`([^`<]+)/`", row)]
    assert {"hooks", "simulator", "tests", "docs"} <= set(folders)
    for folder in folders:
        assert (PROJECT / folder).is_dir(), folder


def test_the_design_draws_the_tree_in_the_order_of_its_layers() -> None:
    [tree] = re.findall(r"^hooks/\n(.*?)```", DESIGN.read_text(), re.MULTILINE | re.DOTALL)
    drawn = re.findall(r"^  (\w+)(?:/|\.py)", tree, re.MULTILINE)
    there = {path.stem for path in (PROJECT / "hooks").iterdir() if path.name[0] != "_"}
    assert set(drawn) == there
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"]
    [layers] = [one["layers"] for one in settings["contracts"] if one["id"] == "layers"]
    rank = {name: row for row, layer in enumerate(layers) for name in layer.split(" | ")}
    assert [rank[name] for name in drawn] == sorted(rank[name] for name in drawn)
    for folder in re.findall(r"[ `](\w+)/(?=[ `:;,.])", tree):
        assert list((PROJECT / "hooks").glob(f"**/{folder}/__init__.py")), folder


def test_the_readme_is_one_page() -> None:
    assert len((PROJECT / "README.md").read_text().splitlines()) < 90


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_paths_in_commands_are_there(page: Path) -> None:
    for path in re.findall(r"@?((?:examples|deploy|metacontroller|crds)/[\w./-]+)", code(page)):
        assert (PROJECT / path).exists(), path


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_paths_in_prose_are_there(page: Path) -> None:
    folders = "hooks|simulator|tests|tools|deploy|metacontroller|crds|examples|docs"
    for path in re.findall(rf"`((?:{folders})/[\w./*-]*)(?::\S*)?`", prose(page)):
        if not re.search(r"\b[A-Z]+\b", path):  # NAME and HOOK are the reader's
            assert list(PROJECT.glob(path)), path


def test_the_outcomes_that_are_logged_are_explained() -> None:
    source = (PROJECT / "hooks/server/app.py").read_text()
    outcomes = set(re.findall(r'Outcome\(\s*"(\w+)"', source))
    outcomes |= set(re.findall(r'\d{3}: \("(\w+)"', source))
    assert {"ok", "error", "retry", "bug", "unauthorized"} <= outcomes
    text = (PROJECT / "docs/guides/observe.md").read_text()
    assert not {outcome for outcome in outcomes if f"`{outcome}`" not in text}


def test_the_limits_in_the_documentation_are_those_of_the_code() -> None:
    text = (PROJECT / "docs/reference/http.md").read_text()
    assert f"At most {MAX_BODY_BYTES >> 20} MiB" in text
    assert f"no deeper than {MAX_DEPTH} levels" in text
    assert f"At most {MAX_VALUES:,} values" in text
    assert f"open for {IDLE_SECONDS:g} seconds" in text
    assert f"whole within {RECEIVE_SECONDS:g} seconds" in text
    decisions = (PROJECT / "docs/explanation/decisions.md").read_text()
    assert f"A whole request has {RECEIVE_SECONDS:g} seconds" in decisions
    assert f"bodies together take {LARGE_BODY_BUDGET >> 20} MiB" in decisions
    assert f"takes {PARSE_BUDGET >> 20} MiB for all calls" in decisions
    assert f"{MAX_HEAD_BYTES >> 10} KiB, {MAX_HEADERS} headers" in decisions
    assert f"{SMALL_BODY >> 10} KiB in {MAX_CHUNKS} chunks" in decisions
    assert f"{MAX_FILES:,} at most) and keeps {OWN_FILES}" in decisions
    assert f"open for {STRANGER_IDLE_SECONDS:g}." in text
    assert f"dropped for {LINGER_SECONDS:g} seconds" in decisions
    assert f"and none of {FIRST_JOBS}\nwaits for another" in decisions
    targets = (PROJECT / "docs/explanation/target-clusters.md").read_text()
    assert f"every namespace of up to {FIRST_JOBS} has a thread at once" in targets


def test_the_reasons_that_troubleshooting_explains_are_those_of_the_hooks() -> None:
    page = (PROJECT / "docs/guides/troubleshooting.md").read_text()
    source = "\n".join(file.read_text() for file in PROJECT.glob("hooks/**/*.py"))
    tables = re.findall(r"^\| (?:condition \| )?reasons? \|.*?\n\n", page, re.MULTILINE | re.DOTALL)
    assert len(tables) == 3
    explained = {
        word
        for table in tables
        for row in table.splitlines()[2:]
        for word in re.findall(r"`([A-Z][A-Za-z]+)`", " ".join(row.split("|")[1:3]))
    }
    assert len(explained) > 30
    assert [word for word in sorted(explained) if f'"{word}"' not in source] == []


def test_the_commands_that_the_cloudstack_user_needs_are_those_of_the_client() -> None:
    page = (PROJECT / "docs/guides/rights.md").read_text()
    section = page.partition("## What the CloudStack user may do")[2].partition("\n## ")[0]
    named = re.findall(r"`([a-z]+(?:[A-Z]\w+)+)`", section)
    source = "\n".join(file.read_text() for file in (PROJECT / "hooks/cloudstack").rglob("*.py"))
    called = set(re.findall(r'(?:Listing|command)\(\s*"(\w+)"', source)) | {QUERY_JOB, DISCOVERY}
    assert len(called) > 25
    assert sorted(named) == sorted(called)


def test_the_glossarys_words_are_in_order_and_used_by_the_hooks() -> None:
    words = re.findall(r"^\| ([A-Za-z -]+) \| \S", GLOSSARY.read_text(), re.MULTILINE)[1:]
    assert len(words) > 25
    assert words == sorted(set(words), key=str.lower)
    text = "\n".join(file.read_text() for file in sorted((PROJECT / "hooks").rglob("*.py")))
    used = re.sub(r"_|(?<=[a-z])(?=[A-Z])", " ", text).lower()
    patterns = {word: word.lower().replace("-", " ?") for word in words}
    assert [w for w, pattern in patterns.items() if not re.search(rf"\b{pattern}s?\b", used)] == []


def test_every_hook_is_named_in_the_readme() -> None:
    text = (PROJECT / "README.md").read_text()
    assert all(hook in text for hook in HOOKS)
