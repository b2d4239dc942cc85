"""Tenants, copies of a cluster and calls in between gain nothing by a shared address."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from copy import deepcopy

import pytest

from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.names import TAG_LEASE, TAG_USER_PREFIX
from tests.hostile.ownership.stage import (
    PREFIX,
    Died,
    Place,
    Tap,
    Tenant,
    call_for,
    fresh_world,
    holdings,
    ip_of,
    settled,
    tapped,
)
from tests.integration.loadbalancers.driver import NOTHING, LoadBalancer, World, make_hook, port

FRONT = "front"
#: More calls of CloudStack than any of these pieces of work makes, however often it asks for a job.
MOST_CALLS = 400


def sharing(world: World, name: str, public: int, **spec: object) -> LoadBalancer:
    """Make a Service on the shared address `front`."""
    asked = {"sharedAddress": FRONT, "ports": [port(public)], **spec}
    return LoadBalancer(world, name, **asked)  # type: ignore[arg-type]


def users(world: World, ip: str) -> set[str]:
    [tags] = [each["tags"] for each in world.addresses() if each["ipaddress"] == ip]
    return {text for key, text in tags.items() if key.startswith(TAG_USER_PREFIX)}


@pytest.fixture
def shared(world: World, hook: LoadBalancersHook) -> tuple[LoadBalancer, LoadBalancer]:
    """Two Services of the namespace default that share an address."""
    return sharing(world, "web", 80).settle(hook), sharing(world, "mail", 25).settle(hook)


Pair = tuple[LoadBalancer, LoadBalancer]


def test_a_share_of_the_same_name_in_another_namespace_is_not_joined(
    world: World, hook: LoadBalancersHook, shared: Pair
) -> None:
    ip = ip_of(shared[0])
    before = holdings(world, ip)
    tenant = Tenant(world, annotations={"shared-address": FRONT})
    lb = tenant.settle(hook)
    assert lb.is_ready()
    assert ip_of(lb) != ip
    lb.delete()
    lb.settle(hook)
    assert lb.is_finalized()
    assert holdings(world, ip) == before


@pytest.mark.parametrize("share", ["", FRONT, "back"])
def test_the_address_of_a_share_is_not_had_by_asking_for_it(
    world: World, hook: LoadBalancersHook, shared: Pair, share: str
) -> None:
    """Neither from another namespace, nor from the same one without the share's name."""
    ip = ip_of(shared[0])
    before = holdings(world, ip)
    notes = {"address": ip} | ({"shared-address": share} if share else {})
    for namespace in ("evil", "default") if share != FRONT else ("evil",):
        lb = Tenant(world, f"x-{namespace}", namespace=namespace, annotations=notes).settle(hook)
        assert lb.reason() == "AddressInUse"
        assert "share default/front, used by mail, web" in lb.condition("Ready")["message"]
        lb.delete()
        call_for(lb, hook, 300)
        assert lb.is_finalized()
    assert holdings(world, ip) == before


@pytest.mark.parametrize("status", [False, True], ids=["without a status", "with a stolen status"])
@pytest.mark.parametrize("owned", [False, True], ids=["no owner", "an owner that is not there"])
def test_a_forged_load_balancer_takes_no_users_place(
    world: World, hook: LoadBalancersHook, shared: Pair, *, status: bool, owned: bool
) -> None:
    """Who writes load balancers in another namespace knows the UIDs of this one's Services."""
    victim = shared[0]
    before = holdings(world, ip_of(victim))
    forged = LoadBalancer(
        world, "web", namespace="evil", uid=victim.service_uid, sharedAddress=FRONT
    )
    world.cluster.objects.pop(forged.service_path)
    if not owned:
        forged.parent["metadata"]["ownerReferences"] = []
    if status:
        forged.parent["status"] = deepcopy(victim.status)
    forged.call(hook)
    forged.delete()
    call_for(forged, hook, 900)
    assert holdings(world, ip_of(victim)) == before


def test_a_copy_of_a_cluster_with_its_statuses_leaves_the_share_alone(
    world: World, hook: LoadBalancersHook, shared: Pair, other: Place
) -> None:
    ip, (copied, theirs) = ip_of(shared[0]), other
    before = holdings(world, ip)
    restored = sharing(copied, "web", 80, uid=shared[0].service_uid)
    restored.parent["status"] = deepcopy(shared[0].status)
    copied.advance(400)
    restored.settle(theirs)
    assert restored.reason() == "ForeignCluster"
    message = restored.condition("Ready")["message"]
    assert f"{ip} belongs to share default/front, used by mail, web, of cluster c-1" in message
    assert "not taken over" in message
    restored.delete()
    call_for(restored, theirs, 900)
    assert restored.is_finalized()
    assert holdings(world, ip) == before
    assert settled(shared[0], hook).is_ready()


def test_a_share_is_not_taken_over_from_another_cluster(
    world: World, shared: Pair, other: Place
) -> None:
    ip, (copied, theirs) = ip_of(shared[0]), other
    before = holdings(world, ip)
    lb = sharing(copied, "web", 80, takeoverFrom="c-1").settle(theirs)
    assert lb.reason() == "SharedTakeoverNotServed"
    assert f"{ip} is shared address front of cluster c-1" in lb.condition("Ready")["message"]
    assert holdings(world, ip) == before
    assert {each["ipaddress"] for each in world.addresses()} == {ip}


def test_a_service_of_the_name_in_a_share_does_not_make_its_other_users_its_own(
    world: World, hook: LoadBalancersHook, shared: Pair
) -> None:
    """Deleted as the last of its name, with the address released only by the last of the share."""
    web, mail = shared
    web.delete()
    web.settle(hook)
    assert web.is_finalized()
    assert users(world, ip_of(mail)) == {"mail"}
    assert mail.wait(hook).is_ready()


def test_a_user_tag_that_was_written_late_does_not_keep_an_address(
    world: World, hook: LoadBalancersHook
) -> None:
    """The address was released meanwhile, and another Service has acquired it."""
    lb = LoadBalancer(world).settle(hook)
    tags = {TAG_USER_PREFIX + "0c7a4d52-96a3-4b8e-8f5d-3e1b6a9c2d07": "late"}
    of = {"resourcetype": "PublicIpAddress", "resourceids": lb.status["address"]["id"]}
    world.human.done("createTags", **of, tags=tags)
    assert lb.wait(hook).is_ready()
    lb.delete()
    lb.settle(hook)
    assert world.remains() == NOTHING


def test_a_user_whose_tag_somebody_removed_keeps_the_address_by_its_rules(
    world: World, hook: LoadBalancersHook, shared: Pair
) -> None:
    web, mail = shared
    ip, remove = ip_of(web), remover(world, web)
    remove()
    mail.delete()
    mail.settle(hook)
    assert mail.is_finalized()
    assert users(world, ip) == set()
    assert settled(web, hook).wait(hook).is_ready()
    assert users(world, ip) == {"web"}
    remove()
    web.delete()
    call_for(web, hook, 300)
    assert world.remains() == NOTHING


@pytest.mark.parametrize("by", ["one that joins", "one that goes"])
def test_an_address_of_a_share_that_nobody_uses_is_used_again_or_released(
    world: World, hook: LoadBalancersHook, by: str
) -> None:
    """As a process leaves it that stops for longer than its lease holds."""
    web = sharing(world, "web", 80).settle(hook)
    ip = ip_of(web)
    remover(world, web)()
    for rule in world.rules():
        world.human.done("deleteLoadBalancerRule", id=rule["id"])
    for opened in world.state()["firewallrules"]:
        world.human.done("deleteFirewallRule", id=opened["id"])
    if by == "one that joins":
        mail = sharing(world, "mail", 25).settle(hook)
        assert mail.is_ready()
        assert ip_of(mail) == ip
        mail.delete()
        call_for(mail, hook, 300)
    web.delete()
    call_for(web, hook, 300)
    assert web.is_finalized()
    assert world.remains() == NOTHING


def remover(world: World, lb: LoadBalancer) -> Callable[[], object]:
    """Return what removes a Service's tag from its shared address, by hand."""
    of = {"resourcetype": "PublicIpAddress", "resourceids": lb.status["address"]["id"]}
    name = lb.parent["spec"]["service"]["name"]
    tags = {TAG_USER_PREFIX + lb.service_uid: name}
    return lambda: world.human.done("deleteTags", **of, tags=tags)


def test_abandoned_services_leave_the_address_with_their_tags(
    world: World, hook: LoadBalancersHook, shared: Pair
) -> None:
    web, mail = shared
    web.parent["metadata"]["annotations"] = {PREFIX + "abandon": "true"}
    web.delete()
    web.settle(hook)
    assert web.is_finalized()
    mail.delete()
    mail.settle(hook)
    assert mail.is_finalized()
    [address] = world.addresses()
    assert users(world, address["ipaddress"]) == {"web"}
    assert [rule["name"] for rule in world.rules()] == [f"{web.name}-tcp-80"]


# Between any two calls of one, another one does all that it has to do.

Begin = Callable[[World, LoadBalancersHook], tuple[LoadBalancer, LoadBalancer]]


def both_join(world: World, hook: LoadBalancersHook) -> Pair:
    del hook
    return sharing(world, "web", 80), sharing(world, "mail", 25)


def one_leaves_and_one_joins(world: World, hook: LoadBalancersHook) -> Pair:
    web = sharing(world, "web", 80).settle(hook)
    web.delete()
    return web, sharing(world, "mail", 25)


def one_joins_and_one_leaves(world: World, hook: LoadBalancersHook) -> Pair:
    web, mail = one_leaves_and_one_joins(world, hook)
    return mail, web


def both_leave(world: World, hook: LoadBalancersHook) -> Pair:
    web, mail = both_join(world, hook)
    web.settle(hook)
    mail.settle(hook)
    web.delete()
    mail.delete()
    return web, mail


def both_want_a_port(world: World, hook: LoadBalancersHook) -> Pair:
    sharing(world, "third", 443).settle(hook)
    return sharing(world, "web", 80), sharing(world, "mail", 80)


@contextmanager
def two_hooks(world: World, tap: Tap) -> Iterator[tuple[LoadBalancersHook, LoadBalancersHook]]:
    """Make two processes on a world, the first of which calls through a tap."""
    with ExitStack() as stack:
        first = stack.enter_context(tapped(world, tap))
        stack.callback((cloud := world.open_cloud()).close)
        yield first, make_hook(world, cloud)


def work(lb: LoadBalancer, hook: LoadBalancersHook) -> None:
    """Call a few times, as far as that gets."""
    for _ in range(4):
        if not lb.is_finalized():
            lb.call(hook)


@pytest.mark.parametrize("dies", [False, True], ids=["goes on", "dies there"])
@pytest.mark.parametrize(
    "begin",
    [both_join, one_leaves_and_one_joins, one_joins_and_one_leaves, both_leave, both_want_a_port],
    ids=lambda begin: begin.__name__.replace("_", " "),
)
def test_between_any_two_calls_of_one_another_does_all_its_work(
    begin: Begin, *, dies: bool
) -> None:
    number = 0
    while number < MOST_CALLS and play(begin, number, dies=dies):
        number += 2 if dies else 1
    assert 5 < number < MOST_CALLS


def play(begin: Begin, number: int, *, dies: bool) -> bool:
    """Let the second come after so many calls of the first; tell whether there were so many.

    What one shows that joined is not released by one that leaves.
    """
    met: list[int] = []
    shown: list[str] = []
    tap = Tap()
    with fresh_world() as (world, start):
        pair = one, another = begin(world, start)
        with two_hooks(world, tap) as (hook, second):

            def between(called: int, _command: str) -> None:
                if called == number and not met:
                    met.append(called)
                    work(another, second)
                    if another.is_published() and begin is one_leaves_and_one_joins:
                        shown.extend(each["id"] for each in world.rules(another.name))
                    if dies:
                        raise Died

            tap.after = between
            with suppress(Died):
                work(one, hook)
            tap.after = lambda _called, _command: None
            finish(pair, second, 360)
            check(world, pair)
            assert set(shown) <= {each["id"] for each in world.rules()}
            for each in pair:
                if "deletionTimestamp" not in each.parent["metadata"]:
                    each.delete()
            finish(pair, second, 300)
            assert all(each.is_finalized() for each in pair)
    return bool(met)


def finish(lbs: Pair, hook: LoadBalancersHook, seconds: float) -> None:
    """Call all in turns while so much time passes: what one does may free another."""
    for _ in range(4):
        for each in lbs:
            call_for(each, hook, seconds / 8)


def check(world: World, lbs: Pair) -> None:
    """Check that those that live are on one address, and that nothing is left of the others."""
    live = [each for each in lbs if "deletionTimestamp" not in each.parent["metadata"]]
    assert all(each.is_finalized() for each in lbs if each not in live)
    tags = [each["tags"] for each in world.addresses()]
    assert not any(TAG_LEASE in each for each in tags)
    assert len(tags) <= 1
    assert bool(tags) or not live
    for each in live:
        wanted = each.parent["spec"]["ports"][0]["publicPort"]
        clashes = [one for one in world.rules() if one["publicport"] == wanted]
        assert len(clashes) == 1
        assert each.is_ready() == bool(world.rules(each.name))
