import json
import re
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.http.bounded_json import Json
from hooks.kube.identity import ClusterIdentity
from hooks.kube.patterns import DNS_LABEL, KIND, name_problem
from hooks.server.app import MAX_BODY_BYTES
from hooks.targetclusters.sync.plan.inventory import (
    DATA_KEY,
    MAX_LINES,
    MAX_PARTS,
    PART_BYTES,
    Inventory,
    InventoryEntry,
    ObjectKey,
    part_name,
)

MIB = 1024 * 1024


def entry(name: str, **changes: Any) -> InventoryEntry:
    fields: dict[str, Any] = {
        "api_version": "v1",
        "kind": "ConfigMap",
        "namespace": "shop",
        **changes,
    }
    return InventoryEntry(name=name, **(fields | changes))


#: An entry as a line holds it.
VALID = {"apiVersion": "v1", "kind": "ConfigMap", "namespace": "shop", "name": "a"}


def many(count: int) -> list[InventoryEntry]:
    return [entry(f"{number:05}-{'x' * 200}", source="ConfigMap/bundle") for number in range(count)]


def shown(inventory: Inventory) -> list[Json]:
    return inventory.to_config_maps(name="web", namespace="fleet")


def test_is_read_as_it_was_written() -> None:
    inventory = Inventory().with_entries([entry("a", uid="u-1", source="ConfigMap/a"), entry("b")])
    assert Inventory.from_config_maps(shown(inventory)) == inventory


def test_an_empty_one_has_a_config_map_too() -> None:
    assert shown(Inventory()) == [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "web-inventory", "namespace": "fleet"},
            "data": {DATA_KEY: ""},
        }
    ]


def test_a_large_one_is_split_into_config_maps_that_kubernetes_takes() -> None:
    inventory = Inventory().with_entries(many(10_000))
    config_maps = shown(inventory)
    assert [c["metadata"]["name"] for c in config_maps] == [
        "web-inventory",
        "web-inventory-2",
        "web-inventory-3",
        "web-inventory-4",
        "web-inventory-5",
    ]
    assert all(len(c["data"][DATA_KEY]) <= PART_BYTES < MIB for c in config_maps)
    assert Inventory.from_config_maps(reversed(config_maps)) == inventory


def test_uids_that_become_known_move_no_entry_to_another_config_map() -> None:
    inventory = Inventory().with_entries(many(10_000))
    uid = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
    known = inventory.with_entries(
        InventoryEntry(e.api_version, e.kind, e.namespace, e.name, uid, e.source)
        for e in inventory.by_key.values()
    )
    assert [[e.key for e in part] for part in known.parts] == [
        [e.key for e in part] for part in inventory.parts
    ]
    assert all(len(c["data"][DATA_KEY]) <= PART_BYTES for c in shown(known))


def test_entries_stay_in_their_config_map_when_others_come_and_go() -> None:
    inventory = Inventory().with_entries(many(4_800))
    second = set(inventory.parts[1])
    entries = [*list(inventory.by_key.values())[10:], entry("0-new")]
    changed = inventory.with_entries(entries)
    assert second <= set(changed.parts[1])
    assert entry("0-new") in changed.parts[0]
    assert changed.by_key.keys() == {e.key for e in entries}


def test_config_maps_that_hold_nothing_any_more_go_from_the_end() -> None:
    inventory = Inventory().with_entries(many(4_800))
    assert len(inventory.parts) == 2
    assert len(inventory.with_entries(inventory.parts[0]).parts) == 1
    assert inventory.with_entries(inventory.parts[1]).parts == ((), inventory.parts[1])
    assert inventory.with_entries([]) == Inventory()


def test_another_version_of_a_kind_is_the_same_object() -> None:
    old = entry("a", api_version="batch/v1beta1", kind="CronJob")
    new = entry("a", api_version="batch/v1", kind="CronJob")
    assert old.key == new.key == ObjectKey("batch", "CronJob", "shop", "a")
    assert Inventory().with_entries([old]).with_entries([new]) == Inventory().with_entries([new])


@pytest.mark.parametrize(
    ("data", "unreadable"),
    [
        pytest.param({}, "ConfigMap web-inventory has no data entries.jsonl", id="no key"),
        pytest.param(None, "ConfigMap web-inventory has no data entries.jsonl", id="no data"),
        pytest.param({DATA_KEY: "{"}, "web-inventory, entries.jsonl, line 1", id="no JSON"),
        pytest.param({DATA_KEY: "\n[]"}, "entries.jsonl, line 2", id="no map"),
        pytest.param({DATA_KEY: '{"kind": 1}'}, "entries.jsonl, line 1", id="no text"),
        pytest.param({DATA_KEY: '{"kind": "X"}'}, "entries.jsonl, line 1", id="no name"),
        *(
            pytest.param({DATA_KEY: json.dumps(VALID | change)}, "line 1", id=str(change)[1:40])
            for change in (
                {"apiVersion": "../v1"},
                {"apiVersion": "v1/../apps"},
                {"kind": "a/b"},
                {"kind": "x" * 64},
                {"namespace": "a/../../b"},
                {"namespace": "a?watch=1"},
                {"namespace": "x" * 64},
                {"name": ".."},
                {"name": "a/b"},
                {"name": "a%2fb"},
                {"name": "x" * 254},
            )
        ),
    ],
)
def test_what_cannot_be_read_is_named_and_the_rest_is_read(data: Json, unreadable: str) -> None:
    first = {"metadata": {"name": "web-inventory"}, "data": data}
    second = Inventory().with_entries([entry("b")]).to_config_maps(name="web", namespace="fleet")[0]
    second["metadata"]["name"] = "web-inventory-2"
    inventory = Inventory.from_config_maps([first, second])
    assert [unreadable in text for text in inventory.unreadable] == [True]
    assert list(inventory.by_key.values()) == [entry("b")]


def test_other_config_maps_are_none_of_its_business() -> None:
    assert Inventory.from_config_maps([{"metadata": {"name": "web"}}, {}]) == Inventory()


def test_a_name_too_long_for_a_config_map_is_cut_and_told_apart() -> None:
    names = {part_name("x" * 253, 1), part_name("x" * 252 + "y", 1), part_name("x" * 253, 12)}
    assert len(names) == 3
    assert {len(name) for name in names} == {253}
    assert part_name("web", 1) == "web-inventory"


ENTRIES = st.builds(
    InventoryEntry,
    st.sampled_from(["v1", "apps/v1", "example.org/v1"]),
    st.from_regex(KIND, fullmatch=True),
    st.just("") | st.from_regex(DNS_LABEL, fullmatch=True),
    st.text(min_size=1, max_size=8).filter(lambda name: not name_problem(name)),
    st.text(max_size=8),
    st.text(max_size=8),
)


@given(st.lists(ENTRIES, max_size=20), st.lists(ENTRIES, max_size=20))
def test_holds_exactly_what_it_is_given(
    before: list[InventoryEntry], after: list[InventoryEntry]
) -> None:
    inventory = Inventory().with_entries(before).with_entries(after)
    assert inventory.by_key == {e.key: e for e in after}
    assert Inventory.from_config_maps(shown(inventory)) == inventory


JSON_VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
CONFIG_MAPS = st.fixed_dictionaries(
    {
        "metadata": st.fixed_dictionaries({"name": st.just("web-inventory")}) | JSON_VALUES,
        "data": st.fixed_dictionaries({DATA_KEY: JSON_VALUES.map(json.dumps)}) | JSON_VALUES,
    }
)


@given(st.lists(CONFIG_MAPS, max_size=3))
def test_never_fails_on_what_people_wrote(config_maps: list[Json]) -> None:
    Inventory.from_config_maps(config_maps)


ONE, OTHER = ClusterIdentity("uid-1", "sha256:1"), ClusterIdentity("uid-2", "sha256:2")


def reread(inventory: Inventory) -> Inventory:
    return Inventory.from_config_maps(shown(inventory))


def test_a_cluster_that_was_never_known_is_noted_and_nothing_else() -> None:
    found = Inventory().with_entries([entry("a")]).on(ONE)
    assert (found.cluster, list(found.by_key.values())) == (ONE, [entry("a")])
    assert reread(found) == found
    assert found.on(ClusterIdentity("uid-1")) == found
    assert found.on(ClusterIdentity()) == found


def test_a_cluster_elsewhere_that_does_not_say_its_uid_is_another_one() -> None:
    here = ClusterIdentity("uid-1", "sha256:1", "here")
    found = reread(Inventory().with_entries([entry("a")]).on(here))
    assert found.on(replace(here, uid="")).cluster == here
    moved = found.on(ClusterIdentity("", "sha256:1", "there"))
    assert [one.cluster for one in moved.set_aside] == [here]


def test_two_clusters_with_one_authority_that_hide_their_uids_have_a_list_each() -> None:
    here, there = (ClusterIdentity("", "sha256:1", place) for place in ("here", "there"))
    found = Inventory().with_entries([entry("a")]).on(here)
    moved = reread(reread(found.on(there)).on(there)).with_entries([entry("b")])
    assert (moved.cluster, list(moved.by_key.values())) == (there, [entry("b")])
    assert [(one.cluster, one.by_key) for one in moved.set_aside] == [(here, found.by_key)]
    back = reread(reread(moved.on(here)).on(here))
    assert (back.cluster, back.by_key) == (here, found.by_key)


def test_what_was_set_aside_of_a_cluster_joins_the_rest_when_it_says_which_it_is() -> None:
    here, there = (ClusterIdentity("uid-1", "sha256:1", place) for place in ("here", "there"))
    found = Inventory().with_entries([entry("a"), entry("c")]).on(here)
    hidden = replace(there, uid="")
    moved = reread(reread(found.on(hidden)).on(hidden)).with_entries([entry("a")])
    assert len(moved.set_aside) == 1
    known = reread(reread(moved).on(there))
    assert (known.cluster, known.set_aside) == (there, ())
    assert {key.name for key in known.by_key} == {"a", "c"}


def test_a_cluster_that_comes_to_say_the_uid_of_another_one_takes_nothing_of_it() -> None:
    here, false = (
        ClusterIdentity("uid-1", "sha256:1", "here"),
        ClusterIdentity("uid-1", "", "there"),
    )
    hidden = replace(false, uid="")
    moved = Inventory().with_entries([entry("a")]).on(here)
    moved = reread(reread(moved.on(hidden)).on(hidden)).with_entries([entry("b")])
    assert moved.false_claim(hidden, "web") == ""
    assert "uid-1" in moved.false_claim(false, "web")


def test_another_cluster_sets_the_entries_aside_before_they_leave() -> None:
    before = Inventory().with_entries([entry("a")]).on(ONE)
    copied = reread(before.on(OTHER))
    assert copied.cluster == ONE
    assert copied.by_key == before.by_key
    assert [one.by_key for one in copied.set_aside] == [before.by_key]
    moved = reread(copied.on(OTHER))
    assert (moved.cluster, moved.by_key) == (OTHER, {})
    assert [one.by_key for one in moved.set_aside] == [before.by_key]
    assert moved.on(OTHER) == moved


def test_back_on_the_former_cluster_its_entries_return() -> None:
    before = Inventory().with_entries([entry("a")]).on(ONE)
    moved = before.on(OTHER).on(OTHER).with_entries([entry("b")])
    back = reread(reread(moved.on(ONE)).on(ONE))
    assert (back.cluster, back.by_key) == (ONE, before.by_key)
    settled = reread(back.on(ONE))
    assert [list(one.by_key.values()) for one in settled.set_aside] == [[entry("b")]]


def test_an_inventory_that_is_set_aside_has_a_name_of_its_own() -> None:
    moved = Inventory().with_entries([entry("a")]).on(ONE).on(OTHER)
    names = [one["metadata"]["name"] for one in shown(moved)]
    assert names == ["web-inventory", moved.set_aside[0].name_set_aside("web")]
    assert re.fullmatch("web-inventory-of-[0-9a-f]{8}", names[1])


class Hub:
    """The ConfigMaps of an inventory, as the hub keeps them from one round to the next."""

    def __init__(self) -> None:
        self.maps: dict[str, Json] = {}
        self.writes = 0
        self.largest = 0

    @property
    def inventory(self) -> Inventory:
        return Inventory.from_config_maps(self.maps.values())

    def write(self, inventory: Inventory) -> None:
        self.writes += 1
        new = {one["metadata"]["name"]: one for one in shown(inventory)}
        for name, one in new.items():
            known = self.maps.get(name, {}).get("metadata", {})
            made = known.get("creationTimestamp", f"2026-11-22T00:{self.writes:05}Z")
            one["metadata"]["creationTimestamp"] = made
        self.maps = new
        # Metacontroller is written in Go, which escapes these three too.
        text = json.dumps({"children": {"ConfigMap.v1": new}}, ensure_ascii=False)
        escaped = 5 * sum(map(text.count, "&<>"))
        self.largest = max(self.largest, len(text.encode()) + escaped)

    def sync(self, number: int, entries: list[InventoryEntry]) -> Inventory:
        """Let the target say which cluster it is, and want these entries there."""
        for _ in range(3):
            self.write(self.inventory.on(ClusterIdentity(f"uid-{number}")))
        returned = self.inventory
        self.write(returned.with_entries(entries))
        return returned

    @property
    def set_aside(self) -> list[str]:
        return [str(one.cluster) for one in self.inventory.set_aside]


def test_a_target_that_is_another_cluster_at_each_look_fills_no_more_than_a_bound() -> None:
    hub = Hub()
    for number in range(40):
        hub.sync(number, [entry("a"), entry("b")])
        assert len(hub.maps) <= 1 + 2 * MAX_PARTS
    assert hub.set_aside == [f"uid-{number}" for number in range(39 - 2 * MAX_PARTS, 39)]


def test_the_largest_inventory_is_set_aside_whole_and_beside_others_as_long_as_they_fit() -> None:
    hub = Hub()
    hub.sync(0, many(10_000))
    large = hub.inventory.by_key
    hub.sync(1, [entry("a")])
    assert [one.by_key for one in hub.inventory.set_aside] == [large]
    hub.sync(2, many(10_000))
    assert hub.set_aside == ["uid-0", "uid-1"]
    hub.sync(3, [])
    assert hub.set_aside == ["uid-1", "uid-2"]


def test_the_cluster_that_the_kubeconfig_leads_back_to_is_not_dropped() -> None:
    hub = Hub()
    for number in range(1 + 2 * MAX_PARTS):
        hub.sync(number, [entry(f"of-{number}")])
    back = hub.sync(0, [])
    assert {key.name for key in back.by_key} == {"of-0"}
    assert len(back.set_aside) == 2 * MAX_PARTS - 1


@pytest.mark.parametrize(
    ("name", "count"),
    [
        pytest.param("x" * 240, 12_000, id="long"),
        pytest.param("", 34_000, id="short, with the most quotes for its size"),
        pytest.param("&<>" * 60, 4_500, id="escaped by Go"),
        pytest.param('"' * 100, 10_000, id="quoted"),
    ],
)
def test_one_request_holds_all_inventories_however_often_the_cluster_changes(
    name: str, count: int
) -> None:
    hub, named = Hub(), (f"{number:05}{name}" for number in range(count))
    full = Inventory().with_entries(map(entry, named))
    assert (len(full.parts), len(full.by_key) < count) == (MAX_PARTS, True)
    for number in (0, 1, 0, 2):
        hub.sync(number, list(full.by_key.values()))
        assert hub.largest < MAX_BODY_BYTES - MIB // 2
    assert hub.sync(0, []).by_key == full.by_key
    assert hub.largest < MAX_BODY_BYTES - MIB // 2


def test_entries_of_a_config_map_of_an_earlier_build_stay_in_it() -> None:
    entries = [entry(f"{number:05}-{'x' * 40}", uid="u" * 36) for number in range(5_600)]
    written = sum(len(msgspec.json.encode(each)) + 1 for each in entries)
    assert PART_BYTES * 0.98 < written < PART_BYTES
    full = Inventory((tuple(entries),))
    assert full.with_entries(entries) == full
    assert len(full.with_entries([*entries, entry("new")]).parts) == 2


def test_a_full_inventory_takes_no_new_object_and_loses_none() -> None:
    full = Inventory().with_entries(many(20_000))
    assert len(full.parts) == MAX_PARTS
    assert len(full.by_key) < 20_000
    more = full.with_entries([*full.by_key.values(), entry("z" * 253)])
    assert more == full
    uid = "u" * 128
    grown = full.with_entries(
        InventoryEntry(e.api_version, e.kind, e.namespace, e.name, uid, e.source)
        for e in full.by_key.values()
    )
    assert grown.by_key.keys() == full.by_key.keys()
    fewer = full.with_entries([*list(full.by_key.values())[1:], entry("z" * 200)])
    assert entry("z" * 200).key in fewer.by_key


@pytest.mark.parametrize("line", ["x", "{", '{"kind": "ConfigMap"}'])
def test_lines_that_are_no_entries_are_counted_and_only_some_are_named(line: str) -> None:
    config_map = {
        "metadata": {"name": "web-inventory"},
        "data": {DATA_KEY: f"{line}\n" * (MAX_LINES + 5)},
    }
    found = Inventory.from_config_maps([config_map])
    assert found.by_key == {}
    first = "ConfigMap web-inventory, entries.jsonl, line 1"
    assert found.unreadable[0] == first
    assert found.unreadable[-1].endswith(f"line {MAX_LINES + 1}, and more of them")
    assert len(found.unreadable) < 30
