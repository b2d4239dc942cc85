import gc
import ssl
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hooks.http.answer_memory import AnswerMemory
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import METADATA, KubeRefused, KubeUnreachable
from hooks.targetclusters.access.connector import AccessError, Connector
from hooks.targetclusters.access.kubeconfig import Kubeconfig
from hooks.targetclusters.health.model import Failure
from tests.kubes import Call, Watched
from tests.targets import fake_cluster
from tests.targets.certificates import Authority
from tests.targets.driving import operating
from tests.targets.fake_cluster import FakeCluster
from tests.targets.objects import ON_LOOPBACK, encoded, kubeconfig, secret
from tests.targets.own_cluster import OwnCluster
from tests.unit.targetclusters.watching import TOKEN, driven, own_cluster, put_kubeconfig

SECRET = "/api/v1/namespaces/team/secrets/target"
#: As long as a kubeconfig may be, and slow to parse.
BRACKETS = "[" + "[]," * 87_000 + "[]]"


@contextmanager
def opened(connector: Connector) -> Iterator[Kubeconfig]:
    connection = connector.open("team", "target", max_answer_bytes=1_000_000, deadline=Deadline(5))
    with connection as (_, read):
        yield read


def refusal(connector: Connector) -> Failure:
    with pytest.raises(AccessError) as refused, opened(connector):
        pass
    return refused.value.failure


def connecting(text: str) -> tuple[OwnCluster, Connector]:
    own = OwnCluster()
    own.put(secret(text))
    return own, Connector(own, user_agent="tests", destinations=ON_LOOPBACK, memory=AnswerMemory())


def test_a_version_of_the_secret_is_parsed_once() -> None:
    own, connector = connecting(kubeconfig("https://h"))
    connector.own = watched = Watched(kube=own)
    with opened(connector) as first:
        pass
    for _ in range(3):
        with opened(connector) as again:
            assert again is first
    assert [call.accept == METADATA for call in watched.calls] == [False, True, True, True]


class Careless(OwnCluster):
    """Answers a read with an object without a version."""

    def __init__(self, answer: Json) -> None:
        super().__init__()
        self._answer = answer

    def answer(self, _: Call) -> Json:
        return self._answer


@pytest.mark.parametrize(
    "answer",
    [{}, {"metadata": None}, {"metadata": {"name": "target", "uid": "u"}, "data": {}}],
    ids=["empty", "null", "no-version"],
)
def test_an_answer_without_a_version_is_an_error_and_never_unchanged(answer: Json) -> None:
    connector = Connector(
        Careless(answer), user_agent="tests", destinations=ON_LOOPBACK, memory=AnswerMemory()
    )
    for _ in range(2):
        failure = refusal(connector)
        assert failure.reason == "SecretUnreadable"
        assert failure.message == f"GET {SECRET}: the answer has no metadata.resourceVersion"


def test_a_version_of_the_secret_has_one_tls_context() -> None:
    authority = {"certificate-authority-data": encoded(Authority().pem)}
    _, connector = connecting(kubeconfig("https://h", cluster=authority))
    before = contexts()
    for _ in range(3):
        with opened(connector):
            pass
    assert contexts() == before + 1


def contexts() -> int:
    """Count the TLS contexts of the process."""
    gc.collect()
    return sum(isinstance(each, ssl.SSLContext) for each in gc.get_objects())


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(BRACKETS, id="brackets"),
        pytest.param(kubeconfig("https://h", user={"exec": {"command": "id"}}), id="exec"),
        pytest.param(
            kubeconfig("https://h", cluster={"certificate-authority-data": encoded("no PEM")}),
            id="no-authority",
        ),
    ],
)
def test_a_version_that_is_refused_is_parsed_once(text: str) -> None:
    own, connector = connecting(text)
    first = refusal(connector)
    assert first.kind == "kubeconfig"
    for _ in range(3):
        assert refusal(connector) is first
    assert own.whole_reads == [SECRET]


def test_another_version_counts_at_once_and_nothing_of_the_former_is_kept() -> None:
    own, connector = connecting(kubeconfig("https://former"))
    with opened(connector) as found:
        former = weakref.ref(found)
    del found
    own.put(secret(kubeconfig("https://present")))
    with opened(connector) as found:
        assert found.server == "https://present"
    gc.collect()
    assert former() is None


@pytest.mark.parametrize("why", ["removed", "forbidden"])
def test_nothing_is_kept_of_a_secret_that_can_no_longer_be_read(why: str) -> None:
    own, connector = connecting(kubeconfig("https://h"))
    with opened(connector) as found:
        kept = weakref.ref(found)
    del found
    if why == "removed":
        own.remove("Secret", "target", "team")
    else:
        own.failure = KubeRefused(f"GET {SECRET}", 403, "forbidden")
    refusal(connector)
    gc.collect()
    assert kept() is None


def test_while_the_own_api_server_is_out_of_reach_the_version_is_kept() -> None:
    own, connector = connecting(kubeconfig("https://h"))
    with opened(connector):
        own.failure = KubeUnreachable("GET /api: timeout")
    assert refusal(connector).reason == "SecretUnreadable"
    own.failure = None
    with opened(connector):
        pass
    assert own.whole_reads == [SECRET]


def test_probes_and_rounds_share_what_was_parsed() -> None:
    with fake_cluster.running() as cluster:
        own = own_cluster(cluster.url)
        with operating(own) as operator:
            watched = driven(operator, resourceSyncPolicy={"enabled": True})
            for _ in range(4):
                operator.clock.now += 31
                watched.probe()
            watched.settle(lambda: watched.says("ResourcesSynced") == "True Synced", "it is synced")
            assert own.whole_reads.count(SECRET) == 1
            put_kubeconfig(operator, kubeconfig(cluster.url, user={"token": TOKEN + "!"}))
            operator.clock.now += 31
            watched.probe()
            # Probe and round may see the new version at the same moment, and both read it.
            assert own.whole_reads.count(SECRET) in (2, 3)


def test_a_target_cluster_that_is_gone_leaves_no_credentials_behind() -> None:
    token = "a-token-that-no-other-test-has"
    with (
        fake_cluster.running(FakeCluster(token=token)) as cluster,
        operating(own_cluster(cluster.url, token=token)) as operator,
    ):
        watched = driven(operator)
        watched.probe()
        assert held(token)
        assert watched.call(finalizing=True)["finalized"] is True
        gc.collect()
        assert not held(token)


def held(token: str) -> list[object]:
    """Return the kubeconfigs with a token that the process holds."""
    return [
        each
        for each in gc.get_objects()
        if type(each).__name__ == "Kubeconfig" and token in each.authorization
    ]
