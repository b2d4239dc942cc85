import pytest

from hooks.http.deadline import Deadline
from hooks.kube.client import KubeError
from hooks.kube.cluster_uid import ThisCluster
from tests.memory_kube import MemoryKube

NAMESPACE = "/api/v1/namespaces/kube-system"


def test_the_uid_is_read_once() -> None:
    kube = MemoryKube({NAMESPACE: {"metadata": {"uid": "u-1"}}})
    own = ThisCluster(kube, "")
    assert own.id(Deadline(1)) == "u-1"
    kube.objects[NAMESPACE]["metadata"]["uid"] = "u-2"
    assert own.id(Deadline(1)) == "u-1"


def test_a_setting_comes_before_the_uid() -> None:
    assert ThisCluster(MemoryKube({}), "prod").id(Deadline(1)) == "prod"


@pytest.mark.parametrize("uid", [None, "", 7, "a/b", "x" * 64])
def test_an_answer_without_a_usable_uid_is_an_error(uid: object) -> None:
    kube = MemoryKube({NAMESPACE: {"metadata": {"uid": uid}}})
    with pytest.raises(KubeError, match=r"kube-system: the answer has no metadata\.uid"):
        ThisCluster(kube, "").id(Deadline(1))
