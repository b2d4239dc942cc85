"""Lists whose pages grow while their objects are small."""

from collections.abc import Callable

import pytest

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.http.sockets import TooLarge
from hooks.kube.client import MAX_TOKEN, PAGE_SIZE, KubeUnreachable, Pages
from tests.kubes import Answering, Call

MAX_BYTES = 8 * 1024 * 1024


class Listing(Answering):
    """Lists objects of some bytes each, and refuses pages that are too large as the client does."""

    def __init__(self, count: int, size: Callable[[int], int]) -> None:
        self._objects = [{"metadata": {"name": "x" * size(n)}} for n in range(count)]
        self.limits: list[int] = []

    def answer(self, call: Call) -> Json:
        params = dict(call.params or {})
        limit, start = int(params["limit"]), int(params.get("continue", 0))
        self.limits.append(limit)
        page = self._objects[start : start + limit]
        if sum(len(one["metadata"]["name"]) for one in page) > MAX_BYTES:
            raise KubeUnreachable("too large") from TooLarge("is larger")
        more = {"continue": str(start + limit)} if start + limit < len(self._objects) else {}
        return {"items": page, "metadata": more}

    def read(self) -> int:
        listed = self.list(
            "/api/v1/configmaps",
            deadline=Deadline(60),
            params={"limit": "5"},
            pages=Pages(max_bytes=MAX_BYTES // 4),
        )
        return sum(1 for _ in listed)


@pytest.mark.parametrize(
    ("count", "size", "most"),
    [
        pytest.param(10_000, 1_000, 24, id="small"),
        pytest.param(10_000, 20_000, 105, id="medium"),
        pytest.param(20, 1_500_000, 4, id="as large as objects can be"),
    ],
)
def test_the_calls_of_a_list_go_by_its_bytes(count: int, size: int, most: int) -> None:
    kube = Listing(count, lambda _: size)
    assert kube.read() == count
    assert len(kube.limits) <= most
    assert max(kube.limits) <= PAGE_SIZE


def test_a_page_of_objects_that_suddenly_are_large_is_asked_for_again_in_small() -> None:
    kube = Listing(60, lambda number: 100 if number < 30 else 1_000_000)
    assert kube.read() == 60
    assert kube.limits == [5, 25, 125, 5, 5, 5, 5, 5, 5]


def test_a_page_that_is_too_large_from_the_start_is_an_error() -> None:
    kube = Listing(5, lambda _: 2_000_000)
    with pytest.raises(KubeUnreachable):
        kube.read()
    assert kube.limits == [5]


class Continuing(Answering):
    """Names the next page by a token, once."""

    def __init__(self, token: object) -> None:
        self.token = token
        self.asked: list[str] = []

    def answer(self, call: Call) -> Json:
        self.asked.append(dict(call.params or {}).get("continue", ""))
        more = {} if len(self.asked) > 1 else {"continue": self.token}
        return {"items": [], "metadata": more}


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("\u00e9" * (MAX_TOKEN + 1), id="long"),
        pytest.param(["a"] * 10, id="a list"),
        pytest.param({"a": "b"}, id="an object"),
        pytest.param(7, id="a number"),
    ],
)
def test_what_is_no_token_is_not_sent_back(token: object) -> None:
    kube = Continuing(token)
    with pytest.raises(KubeUnreachable, match=r"metadata\.continue is no token"):
        list(kube.list("/api/v1/nodes", deadline=Deadline(60)))
    assert kube.asked == [""]


def test_a_token_names_the_next_page() -> None:
    kube = Continuing("x" * MAX_TOKEN)
    assert list(kube.list("/api/v1/nodes", deadline=Deadline(60))) == []
    assert kube.asked == ["", "x" * MAX_TOKEN]
