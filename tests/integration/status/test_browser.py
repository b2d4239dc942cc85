"""The status page in a real Chromium, if this machine has one: its package is `chromium` in Debian.

What a checker of accessibility looks for is looked for here in the tree that a screen reader gets.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import Page, program, running
from tests.serving import LOOPBACK, Hooks
from tests.status_stage import everything

pytestmark = pytest.mark.skipif(program() is None, reason="there is no Chromium")

PATHS = ["/", "/troubleshooting"]
WIDTHS = [400, 1280]
#: Pairs of text and ground of every element that has text of its own, with their contrast.
CONTRASTS = """
(() => {
  const linear = part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  const light = color => {
    const [r, g, b] = color.match(/[\\d.]+/g).map(each => linear(each / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = element => {
    for (; element; element = element.parentElement) {
      const color = getComputedStyle(element).backgroundColor;
      if (!color.startsWith("rgba") || !color.endsWith(", 0)")) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const found = {};
  for (const element of document.body.querySelectorAll("*")) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    if (!own) continue;
    const pair = [getComputedStyle(element).color, ground(element)];
    const [a, b] = pair.map(light).sort((x, y) => y - x);
    found[pair.join(" on ")] = (a + 0.05) / (b + 0.05);
  }
  return found;
})()
"""


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hooks]:
    with Hooks(tmp_path_factory.mktemp("status"), {"HOOKS": "status"}) as hooks:
        for obj in everything():
            hooks.api_server.store.put(obj)
        yield hooks


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder: Path = tmp_path_factory.mktemp("chromium")
    with running(folder) as page:
        yield page


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("path", PATHS)
def test_it_says_nothing_on_the_console_and_asks_for_nothing_else(
    hooks: Hooks, page: Page, path: str, width: int
) -> None:
    url = f"http://{LOOPBACK}:{hooks.port}{path}"
    page.open(url, width=width)
    assert page.told("Runtime.consoleAPICalled", "Log.entryAdded", "Runtime.exceptionThrown") == []
    asked = {each["request"]["url"] for each in page.told("Network.requestWillBeSent")}
    assert {each for each in asked if not each.startswith("data:")} == {url}
    assert page.evaluate("document.scripts.length") == 0


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("path", PATHS)
def test_it_fits_its_width(hooks: Hooks, page: Page, path: str, width: int) -> None:
    page.open(f"http://{LOOPBACK}:{hooks.port}{path}", width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # What is wider scrolls by itself, and with the keyboard.
    wide = "[...document.querySelectorAll('.wide')]"
    assert page.evaluate(f"{wide}.length") > 0
    assert page.evaluate(f"{wide}.every(each => each.tabIndex === 0)")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_its_texts_can_be_read(hooks: Hooks, page: Page, dark: bool) -> None:
    page.open(f"http://{LOOPBACK}:{hooks.port}/", width=1280, dark=dark)
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 4
    assert {pair: each for pair, each in contrasts.items() if each < 4.5} == {}
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") is not dark


def test_a_screen_reader_gets_landmarks_headings_and_named_tables(hooks: Hooks, page: Page) -> None:
    page.open(f"http://{LOOPBACK}:{hooks.port}/", width=400)
    tree = page.call("Accessibility.getFullAXTree")["nodes"]
    shown = [each for each in tree if not each["ignored"]]
    roles = {each["role"]["value"] for each in shown}
    assert {"banner", "main", "contentinfo", "navigation", "region", "heading"} <= roles
    assert {"table", "caption", "columnheader", "rowheader", "cell", "article"} <= roles
    named = ("region", "table", "navigation", "link", "heading")
    nameless = [
        each["role"]["value"]
        for each in shown
        if each["role"]["value"] in named and not each.get("name", {}).get("value", "").strip()
    ]
    assert nameless == []
    headings = [each["name"]["value"] for each in shown if each["role"]["value"] == "heading"]
    assert any(each.startswith("What is wrong: ") for each in headings)
    assert any("Not working" in each and "Service shop" in each for each in headings)


def test_the_stylesheet_is_in_use_so_the_policy_knows_it(hooks: Hooks, page: Page) -> None:
    page.open(f"http://{LOOPBACK}:{hooks.port}/", width=1280)
    assert page.evaluate(
        "getComputedStyle(document.querySelector('.trouble')).borderLeftStyle"
    ) == ("solid")
