"""Services that join and leave shared addresses in random orders with fixed seeds.

Two replicas, stale requests, lost answers and deaths, as in test_interleavings.py. Three Services
ask for one share of their namespace, one for the same name in another namespace, and one for an
address of its own. They are made and deleted at any step, and some are made again under another
UID. Whatever the order: each live Service of a share serves on the one address of its share, with
its own ports and nobody else's, a deleted one leaves nothing, and nothing of others has changed.
"""

import random
import uuid
from dataclasses import dataclass, field

import pytest

from hooks.names import TAG_USER_PREFIX
from tests.hostile.ownership.replicas import Replica, Shown
from tests.hostile.ownership.stage import PREFIX, holdings
from tests.hostile.ownership.test_interleavings import Play, clear, crowded, record_of
from tests.integration.loadbalancers.driver import LoadBalancer, World, port

__all__ = ["crowded"]

#: Seeds in parts, so that several processes share them.
PARTS, SEEDS = 12, 20
#: Each Service: name, namespace, share and port.
CAST = (
    ("a", "default", "front", 80),
    ("b", "default", "front", 81),
    ("c", "default", "front", 25),
    ("d", "other", "front", 80),
    ("e", "default", "", 80),
)


@dataclass
class SharedPlay(Play):
    """One interleaving of Services that share addresses.

    Attributes:
        later: those that are not made yet: name, namespace, share and port.
    """

    later: list[tuple[str, str, str, int]] = field(default_factory=list)

    def begin(self, seed: int) -> None:
        """Make two or more of the Services; the others come later."""
        cast = self.rng.sample(CAST, k=self.rng.randint(2, len(CAST)))
        for number, (name, namespace, share, public) in enumerate(cast):
            if number < 2 or self.rng.random() < 0.5:
                self.make(f"{name}-{seed}", namespace, share, public)
            else:
                self.later.append((f"{name}-{seed}", namespace, share, public))

    def make(self, name: str, namespace: str, share: str, public: int) -> None:
        """Make a Service, under a UID that no Service had."""
        uid = str(uuid.UUID(int=self.rng.getrandbits(128)))
        spec = {"sharedAddress": share} if share else {}
        lb = LoadBalancer(
            self.world, name, namespace=namespace, uid=uid, ports=[port(public)], **spec
        )
        service = self.world.cluster.objects[lb.service_path]
        service["metadata"]["annotations"] = {PREFIX + "shared-address": share} if share else {}
        self.services.append(Shown(lb))

    def meddle(self, *, may_die: bool) -> None:
        """Make a Service, delete one, or make one again, beside what others do."""
        if self.later and self.rng.random() < 0.05:
            self.make(*self.later.pop())
        if self.rng.random() < 0.01:
            self.remake()
        super().meddle(may_die=may_die)

    def delete(self) -> None:
        """Delete a Service that lives."""
        live = [each.lb for each in self.services if not is_deleting(each.lb)]
        if live:
            self.rng.choice(live).delete()

    def remake(self) -> None:
        """Replace a Service by one of the same name, as `kubectl replace --force` does."""
        live = [each.lb for each in self.services if not is_deleting(each.lb)]
        if live:
            old = self.rng.choice(live)
            meta, spec = old.parent["metadata"], old.parent["spec"]
            old.delete()
            self.make(
                spec["service"]["name"],
                meta["namespace"],
                spec.get("sharedAddress", ""),
                spec["ports"][0]["publicPort"],
            )

    def settle(self) -> None:
        """Let all calls go well, twice: what one Service does may free another."""
        for _ in range(3):
            super().settle()

    def check_served(self, bystanders: list[str]) -> None:
        places: dict[tuple[str, str], set[str]] = {}
        users: dict[str, set[str]] = {}
        ours: set[str] = set()
        for each in self.services:
            lb, spec = each.lb, each.lb.parent["spec"]
            if is_deleting(lb):
                assert lb.is_finalized(), lb.condition("Ready")
                assert self.world.rules(lb.name) == []
                continue
            assert lb.is_ready(), lb.condition("Ready")
            assert record_of(lb) == ""
            ip = str(lb.status["address"]["ip"])
            [rule] = self.world.rules(lb.name)
            assert (rule["address"], rule["publicport"]) == (ip, spec["ports"][0]["publicPort"])
            share = spec.get("sharedAddress") or lb.name
            places.setdefault((lb.parent["metadata"]["namespace"], share), set()).add(ip)
            if spec.get("sharedAddress"):
                users.setdefault(ip, set()).add(lb.service_uid)
            ours.add(ip)
        assert all(len(found) == 1 for found in places.values()), places
        assert len(ours) == len(places)
        assert {ip: found for ip in ours if (found := self.users(ip))} == users
        there = {each["ipaddress"] for each in self.world.addresses()}
        assert there == {*ours, *bystanders, *self.taken}

    def users(self, ip: str) -> set[str]:
        """Return the UIDs of the Services that use an address, by its tags."""
        [tags] = [each["tags"] for each in self.world.addresses() if each["ipaddress"] == ip]
        return {
            key.removeprefix(TAG_USER_PREFIX) for key in tags if key.startswith(TAG_USER_PREFIX)
        }


def is_deleting(lb: LoadBalancer) -> bool:
    return "deletionTimestamp" in lb.parent["metadata"]


@pytest.mark.parametrize("part", range(PARTS))
def test_any_order_of_joining_and_leaving_ends_well(
    crowded: tuple[World, list[str]], part: int
) -> None:
    world, bystanders = crowded
    before = holdings(world, *bystanders)
    replicas = [Replica(world), Replica(world)]
    for seed in range(part * SEEDS, (part + 1) * SEEDS):
        play = SharedPlay(world, replicas, random.Random(seed))  # noqa: S311 - a test's order
        try:
            play.begin(seed)
            play.disturb()
            play.settle()
            play.check_served(bystanders)
            play.later.clear()
            for each in play.services:
                if not is_deleting(each.lb):
                    each.lb.delete()
            play.disturb()
            play.settle()
            play.check_gone(bystanders)
            assert holdings(world, *bystanders) == before
        except AssertionError as error:
            clear(world, bystanders)
            raise AssertionError(f"seed {seed}: {error}") from error
        world.simulator.control.clear_calls()
    for replica in replicas:
        replica.close()
