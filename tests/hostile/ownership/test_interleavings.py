"""Two replicas, stale requests, lost answers and deaths, in 500 random orders with fixed seeds.

CloudStack refuses addresses (a quota) and tags, for a while or for hours. A person allocates
addresses that are chosen and not associated yet. Services are deleted at any step. Whatever the
order: every Service has one address in the end, nothing is left of a deleted one, and nothing of
others has changed.

What Metacontroller may show is kept to what it can: a version from before one that it has shown is
shown again only where the address has its tags already (a watch never goes back, but for a restart
on another API server). Two calls for one load balancer at once come of a call that took too long,
so their answers are lost in part, and neither dies; calls for two load balancers may do anything.

One thing nobody can tell: whose an address is that was allocated while a call was acquiring it, if
that call died. So a person leaves such an address, or gives it back, and a deletion that waits for
a person gets one who knows.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from hooks.cloudstack.errors import Unreachable
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.loadbalancers.acquisition import RequestStale
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.names import ANNOTATION_ACQUIRING
from hooks.webhook.reconcile import CallResult
from simulator.clock import Clock
from simulator.server import Simulator
from tests.hostile.ownership.replicas import Replica, Shown, Turns
from tests.hostile.ownership.stage import HELD, THINGS, Died, cluster, hold, holdings, marked
from tests.integration.loadbalancers.driver import DAY, LoadBalancer, World, port

#: 500 seeds in parts, so that several processes share them.
PARTS, SEEDS = 20, 25
BARE = "198.51.100.151"
#: The most rounds of calls in disorder, before the Services are served and after their deletion.
ROUNDS = 3
#: Facts that threads of their own read and keep; no call ends in the middle of these.
KEPT = {"listCapabilities", "listNetworks", "listZones"}
#: Comes before each call, with its number and command; what it raises ends the hook's call.
Fate = Callable[[int, str], None]


@dataclass
class Play:
    """One interleaving.

    Attributes:
        taken: the addresses that a person allocated.
        unknown: the addresses that calls were acquiring when they died.
        refused: the command that CloudStack refuses now; empty for none.
        players: what comes before each of a thread's calls, by the thread's number.
    """

    world: World
    replicas: list[Replica]
    rng: random.Random
    services: list[Shown] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    refused: str = ""
    unknown: set[str] = field(default_factory=set)
    players: dict[int, Fate] = field(default_factory=dict)

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
            self.refuse()
            self.unknown = {record_of(each.lb) for each in self.services}
            self.round(chosen)
            self.give_back()
            self.world.advance(self.rng.choice((0.0, 1.0, 2.0, 40.0, 7200.0)))

    def meddle(self, *, may_die: bool) -> None:
        """Do what others do between two calls."""
        if self.rng.random() < 0.03:
            self.take()
        if self.rng.random() < 0.005:
            self.delete()
        if may_die and self.rng.random() < 0.5:
            raise Died

    def delete(self) -> None:
        """Delete a Service."""
        self.rng.choice(self.services).lb.delete()

    def refuse(self) -> None:
        """Let CloudStack refuse a command once, or until the end of the disorder."""
        if self.refused or self.rng.random() < 0.6:
            return
        self.refused = self.rng.choice(("associateIpAddress", "createTags"))
        code = {"associateIpAddress": 535, "createTags": 530}[self.refused]
        times = self.rng.choice((1, 2, None))
        self.world.simulator.control.fault(self.refused, "error", code=code, times=times)

    def take(self) -> None:
        """Allocate an address that one of the Services has chosen, as a person may."""
        lb = self.rng.choice(self.services).lb
        chosen = lb.status.get("address") or {}
        ip = str(record_of(lb) or ("" if "id" in chosen else chosen.get("ip") or ""))
        there = {each["ipaddress"] for each in self.world.addresses()}
        if ip and ip not in there | self.unknown and self.refused != "associateIpAddress":
            self.hold(ip)
            self.taken.append(ip)

    def hold(self, ip: str) -> None:
        """Allocate an address by hand."""
        hold(self.world, ip=ip)

    def give_back(self) -> None:
        """Release what a person took while a call that has died was acquiring it."""
        for ip in {record_of(each.lb) for each in self.services} & set(self.taken):
            self.release(ip)

    def release(self, ip: str) -> None:
        """Release an address by hand."""
        [there] = [each for each in self.world.addresses() if each["ipaddress"] == ip]
        assert there["tags"] == {}, f"{ip} was taken from a person"
        self.world.human.done("disassociateIpAddress", id=there["id"])
        self.taken = [each for each in self.taken if each != ip]

    def round(self, chosen: list[Shown]) -> None:
        """Make one call for each of these at once, each on a replica of its own."""
        is_same = len({id(each) for each in chosen}) < len(chosen)
        is_loose = not self.untagged()
        turns = Turns(self.rng, set(range(len(chosen))))
        works = []
        for number, each in enumerate(chosen):
            request = each.request(self.rng, is_loose=is_loose and not is_same)
            before = self.fate(turns, number, is_safe=is_same)
            self.replicas[number].tap.before = before
            works.append((self.replicas[number].hook, request, before))
        answers: dict[int, CallResult] = {}

        def work(number: int, hook: LoadBalancersHook, request: Json, before: Fate) -> None:
            self.players[threading.get_ident()] = before
            try:
                answers[number] = hook.sync(request, Deadline(8))
            except (Died, RequestStale):
                pass
            finally:
                turns.leave(number)

        threads = [
            threading.Thread(target=work, args=(number, *each)) for number, each in enumerate(works)
        ]
        self.world.cluster.before_patch = self.before_patch
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.players.clear()
        for number, each in enumerate(chosen):
            replica = self.replicas[number]
            replica.tap.before = replica.tap.after = lambda _number, _command: None
            if number not in answers:
                replica.start()
            is_lost = (is_same and number == 0) or self.rng.random() < 0.15
            if number in answers and not is_lost and not each.lb.is_finalized():
                each.accept(answers[number])

    def before_patch(self) -> None:
        """Let a call die before it writes to the API server, or others come before it."""
        number = threading.get_ident()
        if number in self.players:
            self.players[number](-1, "patch")

    def fate(self, turns: Turns, player: int, *, is_safe: bool) -> Fate:
        """Decide where a call dies or gets no answer, if it does."""
        tap, doom = self.replicas[player].tap, self.rng.random()
        first, fatal = tap.calls, self.rng.randint(0, 24)

        def before(number: int, command: str) -> None:
            turns.wait(player)
            self.meddle(may_die=not is_safe and command == "patch" and doom > 0.9)
            if is_safe or number < first or command in KEPT:
                return
            if doom < 0.15 and number - first == fatal:
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
            if not each["tags"] and each["ipaddress"] not in (HELD, BARE, *self.taken)
        ]

    def settle(self) -> None:
        """Let all calls go well until nothing is left to do."""
        self.world.simulator.control.clear_faults()
        self.refused = ""
        for each in self.services:
            lb = each.lb
            for turn in range(40):
                self.decide(lb)
                if lb.is_finalized() or (turn and lb.is_ready() and not reconciling(lb)):
                    break
                lb.call(self.replicas[turn % 2].hook)
                self.world.advance(max(1.0, min(lb.next_look(), 600.0)))
            if not lb.is_finalized() and self.rng.random() < 0.25:
                # Once more after the next regular check, which sees what the first did not.
                self.world.advance(400)
                lb.call(self.replicas[0].hook)
            each.note()

    def decide(self, lb: LoadBalancer) -> None:
        """Answer a deletion that waits for a person: what nobody of us took is ours."""
        if lb.reason() == "AddressNotProven" and not lb.is_finalized():
            ip = record_of(lb)
            assert ip not in self.taken
            if ip in self.untagged():
                self.release(ip)

    def check_served(self, bystanders: list[str]) -> None:
        ours = []
        for each in self.services:
            lb = each.lb
            if "deletionTimestamp" in lb.parent["metadata"]:
                assert lb.is_finalized(), lb.condition("Ready")
                continue
            assert lb.is_ready(), lb.condition("Ready")
            assert record_of(lb) == ""
            found = marked(self.world, lb.service_uid)
            assert found == [lb.status["address"]["ip"]]
            on_it = [rule["publicport"] for rule in self.world.rules(lb.name)]
            assert sorted(on_it) == [each["publicPort"] for each in lb.parent["spec"]["ports"]]
            ours += found
        there = {each["ipaddress"] for each in self.world.addresses()}
        assert there == {*ours, *bystanders, *self.taken}

    def check_gone(self, bystanders: list[str]) -> None:
        assert all(each.lb.is_finalized() for each in self.services)
        there = {each["ipaddress"] for each in self.world.addresses()}
        assert there == {*bystanders, *self.taken}
        for ip in list(self.taken):
            self.release(ip)


def record_of(lb: LoadBalancer) -> str:
    """Return the address that a record names; empty if there is no record."""
    notes = lb.parent["metadata"].get("annotations") or {}
    return str(notes.get(ANNOTATION_ACQUIRING, "")).split(" ")[0]


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
    play_part(*crowded, part, Play)


def play_part(world: World, bystanders: list[str], part: int, kind: type[Play]) -> None:
    """Play one part of the orders; nothing of bystanders' addresses changes."""
    before = holdings(world, *bystanders)
    replicas = [Replica(world), Replica(world)]
    for seed in range(part * SEEDS, (part + 1) * SEEDS):
        play = kind(world, replicas, random.Random(seed))  # noqa: S311 - a test's order
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
