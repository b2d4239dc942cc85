"""Two replicas, stale statuses, lost answers and deaths, in 500 random orders with fixed seeds.

Whatever the order: every Service has one address in the end, nothing is left of a deleted one, and
nothing of others has changed.

What Metacontroller may show is kept to what it can: a status from before one that it has shown is
shown again only where the address has its tags already (a watch never goes back, but for a restart
on another API server). Two calls for one load balancer at once come of a call that took too long,
so their answers are lost in part, and neither dies; calls for two load balancers may do anything.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass, field

import pytest

from hooks.cloudstack.errors import Unreachable
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.webhook.reconcile import CallResult
from simulator.clock import Clock
from simulator.server import Simulator
from tests.hostile.ownership.stage import (
    HELD,
    THINGS,
    Died,
    Tap,
    cluster,
    hold,
    holdings,
    marked,
    tapped,
)
from tests.integration.loadbalancers.driver import DAY, LoadBalancer, World, port

#: 500 seeds in parts, so that several processes share them.
PARTS, SEEDS = 20, 25
BARE = "198.51.100.151"
#: The most rounds of calls in disorder, before the Services are served and after their deletion.
ROUNDS = 3
#: Facts that threads of their own read and keep; no call ends in the middle of these.
KEPT = {"listCapabilities", "listNetworks", "listZones"}


class Turns:
    """Lets one of several threads go on at a time, from call to call of CloudStack, at random."""

    def __init__(self, rng: random.Random, players: set[int]) -> None:
        self._rng = rng
        self._playing = set(players)
        self._waiting: dict[int, int] = dict.fromkeys(players, 0)
        self._turn: int | None = None
        self._changed = threading.Condition()

    def wait(self, player: int) -> None:
        """Wait for the turn of a player; each of his threads that waits needs a turn of its own."""
        with self._changed:
            self._waiting[player] += 1
            self._give()
            while self._turn != player and player in self._playing:
                # Another thread of a player may have ended without a call.
                if not self._changed.wait(0.05):
                    self._give()
            self._turn = None
            self._waiting[player] -= 1

    def leave(self, player: int) -> None:
        """Play no longer."""
        with self._changed:
            self._playing.discard(player)
            self._turn = None
            self._give()
            self._changed.notify_all()

    def _give(self) -> None:
        """Give the turn once every player waits."""
        ready = sorted(player for player in self._playing if self._waiting[player])
        if self._turn is None and ready and len(ready) == len(self._playing):
            self._turn = self._rng.choice(ready)
            self._changed.notify_all()


@dataclass
class Shown:
    """A load balancer, and the statuses that it has had.

    Attributes:
        statuses: in the order in which they were written.
        last: number of the newest one that was shown.
    """

    lb: LoadBalancer
    statuses: list[Json] = field(default_factory=lambda: [{}])
    last: int = 0

    def request(self, rng: random.Random, *, is_loose: bool) -> Json:
        """Make a request that may show an older status."""
        first = 0 if is_loose else self.last
        newest = len(self.statuses) - 1
        number = newest if rng.random() < 0.5 else rng.randint(first, newest)
        self.last = max(self.last, number)
        self.lb.parent["status"] = deepcopy(self.statuses[number])
        request = deepcopy(self.lb.request())
        self.lb.parent["status"] = self.statuses[-1]
        return request

    def accept(self, answer: CallResult) -> None:
        self.lb.accept(answer)
        self.statuses.append(self.lb.status)


class Replica:
    """A process of the hooks, which may die."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._stack = ExitStack()
        self.start()

    def start(self) -> None:
        """Begin anew, with no memory."""
        self._stack.close()
        self.tap = Tap()
        self.hook = self._stack.enter_context(tapped(self.world, self.tap))

    def close(self) -> None:
        self._stack.close()


@dataclass
class Play:
    """One interleaving."""

    world: World
    replicas: list[Replica]
    rng: random.Random
    services: list[Shown] = field(default_factory=list)

    def begin(self, seed: int) -> None:
        """Make the Services."""
        for name in ("a", "b"):
            ports = [port(80), port(81)] if self.rng.random() < 0.25 else [port(80)]
            self.services.append(Shown(LoadBalancer(self.world, f"{name}-{seed}", ports=ports)))

    def disturb(self) -> None:
        """Make calls in disorder."""
        for _ in range(self.rng.randint(1, ROUNDS)):
            going = [each for each in self.services if not each.lb.is_finalized()]
            if not going:
                return
            chosen = self.rng.choices(going, k=self.rng.choice((1, 2, 2)))
            self.round(chosen)
            self.world.advance(self.rng.choice((0.0, 1.0, 2.0, 40.0)))

    def round(self, chosen: list[Shown]) -> None:
        """Make one call for each of these at once, each on a replica of its own."""
        is_same = len({id(each) for each in chosen}) < len(chosen)
        is_loose = not self.untagged()
        turns = Turns(self.rng, set(range(len(chosen))))
        works = []
        for number, each in enumerate(chosen):
            request = each.request(self.rng, is_loose=is_loose and not is_same)
            self.replicas[number].tap.before = self.fate(turns, number, is_safe=is_same)
            works.append((self.replicas[number].hook, request))
        answers: dict[int, CallResult] = {}

        def work(number: int, hook: LoadBalancersHook, request: Json) -> None:
            try:
                answers[number] = hook.sync(request, Deadline(8))
            except Died:
                pass
            finally:
                turns.leave(number)

        threads = [
            threading.Thread(target=work, args=(number, *each)) for number, each in enumerate(works)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for number, each in enumerate(chosen):
            replica = self.replicas[number]
            replica.tap.before = replica.tap.after = lambda _number, _command: None
            if number not in answers:
                replica.start()
            is_lost = (is_same and number == 0) or self.rng.random() < 0.15
            if number in answers and not is_lost and not each.lb.is_finalized():
                each.accept(answers[number])

    def fate(self, turns: Turns, player: int, *, is_safe: bool) -> Callable[[int, str], None]:
        """Decide where a call dies or gets no answer, if it does."""
        tap, doom = self.replicas[player].tap, self.rng.random()
        first, fatal = tap.calls, self.rng.randint(0, 24)

        def before(number: int, command: str) -> None:
            turns.wait(player)
            if not is_safe and command not in KEPT and doom < 0.15 and number - first == fatal:
                raise Died

        def after(number: int, command: str) -> None:
            if is_safe or number - first < fatal or command in KEPT:
                return
            if doom < 0.3 and number - first == fatal:
                raise Died
            if doom < 0.5 and not command.startswith(("list", "query")):
                raise Unreachable(command, "the answer is lost")

        tap.after = after
        return before

    def untagged(self) -> list[str]:
        """Return the addresses that somebody of us associated, and nobody has tagged."""
        return [
            each["ipaddress"]
            for each in self.world.addresses()
            if not each["tags"] and each["ipaddress"] not in (HELD, BARE)
        ]

    def settle(self) -> None:
        """Let all calls go well until nothing is left to do."""
        for each in self.services:
            lb = each.lb
            for turn in range(30):
                if lb.is_finalized() or (turn and lb.is_ready() and not reconciling(lb)):
                    break
                lb.call(self.replicas[turn % 2].hook)
                self.world.advance(max(1.0, min(lb.next_look(), 600.0)))
            if not lb.is_finalized() and self.rng.random() < 0.25:
                # Once more after the next regular check, which sees what the first did not.
                self.world.advance(400)
                lb.call(self.replicas[0].hook)
            each.statuses.append(lb.status)

    def check_served(self, bystanders: list[str]) -> None:
        ours = []
        for each in self.services:
            lb = each.lb
            assert lb.is_ready(), lb.condition("Ready")
            found = marked(self.world, lb.service_uid)
            assert found == [lb.status["address"]["ip"]]
            on_it = [rule["publicport"] for rule in self.world.rules(lb.name)]
            assert sorted(on_it) == [each["publicPort"] for each in lb.parent["spec"]["ports"]]
            ours += found
        there = {each["ipaddress"] for each in self.world.addresses()}
        assert there == {*ours, *bystanders}

    def check_gone(self, bystanders: list[str]) -> None:
        assert all(each.lb.is_finalized() for each in self.services)
        there = {each["ipaddress"] for each in self.world.addresses()}
        assert there == set(bystanders)


def reconciling(lb: LoadBalancer) -> bool:
    return bool(lb.condition("Reconciling"))


@pytest.fixture(scope="module")
def crowded() -> Iterator[tuple[World, list[str]]]:
    """A network with others on it: addresses by hand, and a second cluster's load balancer."""
    clock = Clock(lambda: time.time() - 2000 * DAY)
    with Simulator("small", job_delay=0.0, clock=clock) as simulator:
        world = World(simulator)
        world.nodes = dict(list(world.nodes.items())[:2])
        hold(world, *THINGS)
        hold(world, ip=BARE)
        with cluster(world, "c-2") as (elsewhere, hook):
            theirs = LoadBalancer(elsewhere, "theirs").settle(hook)
        yield world, [HELD, BARE, theirs.status["address"]["ip"]]
        world.close()


@pytest.mark.parametrize("part", range(PARTS))
def test_any_order_ends_well(crowded: tuple[World, list[str]], part: int) -> None:
    world, bystanders = crowded
    before = holdings(world, *bystanders)
    replicas = [Replica(world), Replica(world)]
    for seed in range(part * SEEDS, (part + 1) * SEEDS):
        play = Play(world, replicas, random.Random(seed))  # noqa: S311 - a test's order
        try:
            play.begin(seed)
            play.disturb()
            play.settle()
            play.check_served(bystanders)
            for each in play.services:
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


def clear(world: World, bystanders: list[str]) -> None:
    """Remove what a failed play left, so that the others are judged by themselves."""
    for each in world.addresses():
        if each["ipaddress"] not in bystanders:
            world.human.done("disassociateIpAddress", id=each["id"])
