"""What a request costs grows with its size alone, also where nulls and problems are nested."""

from itertools import pairwise

import pytest

from hooks.http.bounded_json import Json
from hooks.targetclusters.request import read
from hooks.webhook.contract import BadRequest
from tests.unit.counting import calls

SIZES = (50, 100, 200, 400)
#: Twice the work, and what does not grow.
DOUBLED = 2.1


def request(number: int, name: object) -> Json:
    """Write a request with nulls at each level of each child; the last child has this name."""
    names = [f"map-{index}" for index in range(number - 1)]
    maps = {
        f"team/{each}": {
            "kind": "ConfigMap",
            "metadata": {"name": each, "uid": None, "labels": None, "ownerReferences": [{}] * 3},
            "data": {"key": None},
        }
        for each in [*names, name]
    }
    checks = [{"condition": "Reachable", "failures": None} for _ in range(number)]
    return {
        "parent": {
            "metadata": {"name": "web", "namespace": "team", "uid": None},
            "status": {"probe": {"checks": checks, "lastTime": None}, "conditions": None},
        },
        "children": {"ConfigMap.v1": maps},
    }


@pytest.mark.parametrize("name", ["last", 7], ids=["right", "wrong"])
def test_twice_the_objects_with_nulls_are_twice_the_work(name: object) -> None:
    def cost(body: Json) -> int:
        def work() -> None:
            try:
                read(body, default_secret="kubeconfig")
            except BadRequest:
                assert name == 7

        return calls(work)

    for before, after in pairwise(cost(request(size, name)) for size in SIZES):
        assert after <= DOUBLED * before
