"""Everything taken away again: `deletionPolicy: Delete`."""

from hooks.kube.client import Kube, KubeUnreachable
from tests.integration.targetclusters_sync.worlds import World, manifest, result
from tests.kubes import Call, Watched


def silenced(kube: Kube, *, after: int) -> Watched:
    """Return a target that answers some calls and then no more."""

    def answer(_: Call) -> None:
        if len(target.calls) > after:
            raise KubeUnreachable("no more answers")

    target = Watched(kube, before=answer)
    return target


def fill(world: World) -> None:
    for number in range(5):
        world.source(f"app-{number}", {"n": str(number)})
    world.source("login", {"password": "hunter2"}, kind="Secret")
    world.settle()


def test_removes_exactly_the_inventory(world: World) -> None:
    fill(world)
    configmaps = world.target.api.resource("v1", "configmaps")
    configmaps.create(manifest("theirs", namespace=world.namespace))
    report = world.delete()
    assert report.complete
    assert report.error == ""
    assert {one.outcome for one in report.results} == {"pruned"}
    assert len(report.results) == 6
    assert report.inventory.by_key == {}
    left = {one["metadata"]["name"] for one in configmaps.list(world.namespace)}
    assert left - {"kube-root-ca.crt"} == {"theirs"}
    assert world.on_target("login", "secrets") is None


def test_is_complete_at_once_where_nothing_was_ever_applied(world: World) -> None:
    report = world.delete()
    assert report.complete
    assert world.kube.writes == []


def test_stopped_at_any_call_goes_on_where_it_was(world: World) -> None:
    fill(world)
    rounds = 1
    while not world.delete(kube=silenced(world.kube.kube, after=8)).complete:
        assert world.ours() <= world.recorded.by_key.keys()
        rounds += 1
        assert rounds < 20
    assert world.names() == set()
    assert rounds > 2


def test_an_object_held_by_a_finalizer_holds_back_what_comes_after_it(world: World) -> None:
    fill(world)
    configmaps = world.target.api.resource("v1", "configmaps")
    held = {"metadata": {"finalizers": ["example.org/wait"]}}
    configmaps.patch("app-3", held, world.namespace)
    report = world.delete()
    assert not report.complete
    assert result(report, "app-3").outcome == "deleting"
    assert {key.name for key in report.inventory.by_key} == {"app-3", "login"}
    configmaps.patch("app-3", {"metadata": {"finalizers": None}}, world.namespace)
    assert world.delete().complete


def test_without_time_nothing_is_deleted_and_nothing_forgotten(world: World) -> None:
    fill(world)
    before = world.recorded
    report = world.delete(seconds=0.0)
    assert not report.complete
    assert report.error == "the round's time was over"
    assert report.inventory == before
    assert len(world.names()) == 5
