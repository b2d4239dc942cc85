"""What the page is made of: its bounds, its structure, and what hostile texts become."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest

from hooks.http.deadline import Deadline
from hooks.kube.client import KubeError, KubeRefused, KubeUnreachable
from hooks.names import CLOUDSTACK_GROUP
from hooks.status import collect
from hooks.status.hook import StatusHook
from hooks.status.page import MAX_EVENTS, MAX_ROWS, MAX_TROUBLES
from tests.controlplane.polling import PATIENCE
from tests.hooks import dependencies
from tests.memory_kube import MemoryKube
from tests.status_stage import (
    NOW,
    Json,
    condition,
    event,
    everything,
    healthy,
    instance,
    load_balancer,
    node,
    serving,
    target_cluster,
    well,
)
from tests.unit.status.test_troubles import read, said, served

HOSTILE = (
    "</td><script>alert(1)</script><a href='https://evil.example'>x</a>\u202etxt\x1b[2J\"'&{{7*7}}"
)


class Elements(HTMLParser):
    """Reads a page's elements, and checks that they are nested as they should be."""

    VOID = frozenset({"meta", "link", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def of(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag in tags]


@pytest.mark.parametrize("path", ["/", "/troubleshooting"])
def test_the_page_is_one_document_that_a_screen_reader_finds_its_way_in(path: str) -> None:
    page = Elements(read(served(everything()), path))
    assert page.of("html") == [{"lang": "en"}]
    assert [len(page.of(each)) for each in ("title", "h1", "main", "footer")] == [1, 1, 1, 1]
    levels = [int(tag[1]) for tag, _ in page.found if re.fullmatch("h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert len(page.of("table")) == len(page.of("caption"))
    assert page.of("th")
    assert {each.get("scope") for each in page.of("th")} <= {"col", "row"}
    ids = [attributes["id"] for _, attributes in page.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.found:
        assert attributes.get("aria-labelledby", ids[0]) in ids
        assert not [name for name in attributes if name.startswith("on") or name == "style"]


def test_every_link_stays_here_and_leads_somewhere() -> None:
    hook = served(everything())
    anchors = {
        path: {str(each.get("id")) for _, each in Elements(read(hook, path)).found}
        for path in ("/", "/troubleshooting")
    }
    links = [str(each["href"]) for each in Elements(read(hook)).of("a")]
    assert len(links) > 10
    for link in links:
        path, _, anchor = link.partition("#")
        assert (path or "/") in hook.pages
        assert not anchor or anchor in anchors[path or "/"]


def test_no_state_is_told_by_its_colour_alone() -> None:
    page = read(served(everything()))
    states = re.findall(r'<span class="state \w*"><span aria-hidden="true">.</span> ([^<]*)<', page)
    assert set(states) == {"Not working", "Impaired", "Waiting", "Planned", "Ready"}


def test_nothing_may_run_or_be_loaded() -> None:
    hook = served(everything())
    for path in hook.pages:
        document = hook.pages[path](Deadline(60))
        policy = document.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "script" not in policy
        assert "unsafe" not in policy
        assert document.headers["Cache-Control"] == "no-store"
    page = read(hook)
    [style] = re.findall("<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in hook.pages["/"](Deadline(60)).headers["Content-Security-Policy"]
    assert not Elements(page).of("script", "img", "iframe", "form", "object", "base")
    assert "url(" not in style
    assert "@import" not in style


def hostile(value: Any) -> Any:
    """Write the hostile text into everything that somebody could write it into."""
    match value:
        case dict():
            kept = ("apiVersion", "kind", "type", "status", "source", "involvedObject")
            return {
                key: each if key in kept and isinstance(each, str) else hostile(each)
                for key, each in value.items()
            }
        case list():
            return [hostile(each) for each in value]
        case str():
            return f"{value}{HOSTILE}" if value != "cloudstack-cloud-controller" else value
    return value


def test_hostile_texts_are_texts() -> None:
    kube = MemoryKube()
    for number, obj in enumerate(everything()):
        path = kube.store.put(obj)
        kube.objects[f"{path}-{number}"] = hostile(kube.objects.pop(path))
    hook = StatusHook(dependencies(kube, clock=lambda: NOW))
    page = read(hook)
    assert "&lt;script&gt;" in page
    plain = Elements(read(served(everything())))
    assert {tag for tag, _ in Elements(page).found} <= {tag for tag, _ in plain.found}
    links = {str(each["href"]) for each in Elements(page).of("a")}
    assert all(link.startswith(("/", "#")) for link in links)
    assert "49" not in re.findall(r"\{\{.*?\}\}", page)
    assert not [each for each in ("\u202e", "\x1b") if each in page]
    content = said(hook)
    assert json.dumps(content).isascii()
    # What is no name becomes no part of a command.
    assert {row["command"] for row in content["troubles"]["rows"]} == {""}
    assert {row["command"] for row in content["plans"]["rows"]} == {""}


def test_texts_of_a_megabyte_are_cut() -> None:
    long = "x" * 1_000_000
    found = load_balancer("web", condition("Ready", "False", "AddressNotFree", long))
    assert len(read(served([found]))) < 20_000


@pytest.mark.parametrize(
    "obj",
    [
        {"spec": None, "status": "x", "observed": []},
        {"spec": {"service": 7, "taints": {}}, "status": {"conditions": ["x", None, 3], "plan": 4}},
        {"status": {"sync": {"results": "x"}, "healing": [], "members": {"missing": [3]}}},
        {"observed": {"missing": True, "state": 5, "conditions": {}}, "count": "x", "source": 3},
        {"metadata": {"name": 4, "creationTimestamp": "soon"}, "involvedObject": "x"},
    ],
)
def test_objects_of_another_shape_break_nothing(obj: Json) -> None:
    kube = MemoryKube()
    for each in well():
        kube.store.put(each)
        kube.objects[kube.store.put(each)] |= obj
    hook = StatusHook(dependencies(kube, clock=lambda: NOW))
    Elements(read(hook))
    assert said(hook)["lists"]


def test_no_field_of_a_secret_kind_is_shown() -> None:
    found = serving("web")[0] | {"data": {"token": "TOKEN-1"}}
    found["metadata"]["annotations"] = {"last-applied": "TOKEN-2"}
    cluster = healthy("prod")
    cluster["spec"]["kubeconfigSecret"] = "TOKEN-3"
    hook = served([found, cluster])
    assert "TOKEN" not in read(hook) + read(hook, "/status.json")


def test_tables_are_bounded_and_what_is_left_out_is_counted() -> None:
    count = MAX_ROWS + 7
    words = condition("Ready", "False", "Unreachable", "does not answer")
    clusters = [
        target_cluster(f"c-{number}", {**words, "message": f"{number} does not answer"})
        for number in range(count)
    ]
    events = [event(each, "ClusterNotReady", "no") for each in clusters]
    hook = served([*clusters, *events])
    content = said(hook)
    assert content["targetClusters"]["leftOut"] == 7
    assert content["troubles"]["leftOut"] == count - MAX_TROUBLES
    assert content["events"]["leftOut"] == count - MAX_EVENTS
    assert "7 more TargetClusters are left out here." in read(hook)


def test_what_is_wrong_is_in_the_part_of_a_table_that_is_shown() -> None:
    many = [node(f"a-{number}") for number in range(MAX_ROWS + 1)]
    many += [instance(f"a-{number}") for number in range(MAX_ROWS + 1)]
    hook = served([*many, node("z", ready=False), instance("z", state="Stopped")])
    assert said(hook)["nodes"]["rows"][0]["name"] == "z"


def test_an_object_is_told_in_json_as_on_the_page() -> None:
    hook = served(everything())
    page = read(hook)
    texts = [row["message"] for row in said(hook)["troubles"]["rows"]]
    shown = re.sub("&#39;", "'", page).replace("&#34;", '"').replace("&gt;", ">")
    assert texts
    assert [each for each in texts if each not in shown] == []


class Clocks:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def test_many_readers_cost_one_list_of_each_kind() -> None:
    kube, clock = MemoryKube(), Clocks()
    for obj in well():
        kube.store.put(obj)
    hook = StatusHook(dependencies(kube, clock=clock))
    for _ in range(5):
        read(hook)
    reads = list(kube.reads)
    kinds = {path.rsplit("/", 1)[1] for path in reads}
    assert kinds == {
        "events",
        "services",
        "nodes",
        "cloudstackloadbalancers",
        "cloudstackinstances",
        "targetclusters",
    }
    assert len(reads) == len(kinds) + 1  # Events of two operators
    assert kube.writes == []
    clock.now += collect.FRESH_SECONDS
    read(hook)
    assert len(kube.reads) == 2 * len(reads)


def test_what_cannot_be_read_any_more_is_shown_as_it_was() -> None:
    kube, clock = MemoryKube(), Clocks()
    for obj in well():
        kube.store.put(obj)
    hook = StatusHook(dependencies(kube, clock=clock))
    read(hook)
    clock.now += 60
    kube.failure = KubeUnreachable("GET /api/v1/nodes: connection refused")
    content = said(hook)
    assert content["nodes"]["total"] == 1
    assert {row["ageSeconds"] for row in content["lists"]} == {60}
    [trouble] = content["troubles"]["rows"]
    assert trouble["message"] == "GET /api/v1/nodes: connection refused"
    assert set(trouble["objects"]) >= {"Nodes", "load balancers"}


def test_what_was_never_read_is_not_said_to_be_none() -> None:
    kube = MemoryKube()
    kube.failure = KubeUnreachable("no route")
    page = read(StatusHook(dependencies(kube, clock=Clocks())))
    assert "There are none" not in page
    assert page.count("Not read: ") == len(("load balancers", "Nodes", "target clusters", "Events"))


def refused(code: int, text: str) -> KubeError:
    return KubeRefused("GET /api/v1/services", code, text)


class Older(MemoryKube):
    """An API server that does not know the type of a Service as a field."""

    def answer(self, call: Any) -> Json:
        if "spec.type" in (call.params or {}).get("fieldSelector", ""):
            raise refused(400, "field label not supported: spec.type")
        return super().answer(call)


def test_an_older_api_server_is_asked_for_all_services() -> None:
    kube = Older()
    for obj in well():
        kube.store.put(obj)
    plain = {**serving("other")[0], "spec": {"type": "ClusterIP"}, "status": {}}
    kube.store.put(plain)
    hook = StatusHook(dependencies(kube, clock=lambda: NOW))
    assert [row["name"] for row in said(hook)["loadBalancers"]["rows"]] == ["shop/web"]


class Partly(MemoryKube):
    """An API server that serves some kinds of ours; of others it says "404 page not found"."""

    def __init__(self, groups: Mapping[str, Sequence[str]]) -> None:
        super().__init__()
        self.groups = groups

    def answer(self, call: Any) -> Json:
        if call.path == "/apis":
            return {"groups": [{"name": name} for name in self.groups]}
        if not call.path.startswith("/apis/"):
            return super().answer(call)
        _, _, group, _, *kind = call.path.split("/")
        if group in self.groups and not kind:
            return {"resources": [{"name": name} for name in self.groups[group]]}
        raise KubeUnreachable(f"GET {call.path}: HTTP 404 without a JSON object")


@pytest.mark.parametrize(
    ("groups", "unread"),
    [
        pytest.param({}, 0, id="neither operator is installed"),
        pytest.param({CLOUDSTACK_GROUP: []}, 0, id="a CRD is gone, and its group is served"),
        pytest.param({CLOUDSTACK_GROUP: ["cloudstackinstances"]}, 1, id="served, and no answer"),
    ],
)
def test_kinds_that_are_not_served_are_no_trouble(
    groups: Mapping[str, Sequence[str]], unread: int
) -> None:
    hook = StatusHook(dependencies(Partly(groups), clock=lambda: NOW))
    assert said(hook)["troubles"]["total"] == unread
    assert "not installed" in read(hook)


class Slow(MemoryKube):
    """An API server that answers when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer = threading.Event()

    def answer(self, call: Any) -> Json:
        assert self.may_answer.wait(PATIENCE)
        return super().answer(call)


def test_a_look_that_takes_longer_than_a_call_goes_on_for_the_next_one() -> None:
    kube = Slow()
    for obj in well():
        kube.store.put(obj)
    hook = StatusHook(dependencies(kube, clock=lambda: NOW))
    for _ in range(3):
        with pytest.raises(KubeUnreachable, match="under way; try again"):
            hook.pages["/"](Deadline(0))
    kube.may_answer.set()
    assert said(hook)["nodes"]["total"] == 1
    assert len(kube.reads) == 7
