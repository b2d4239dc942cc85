"""Answers share memory while they arrive and for as long as somebody uses them."""

import gc
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing, contextmanager

import pytest

from hooks.cloudstack import CloudConfig
from hooks.cloudstack.errors import Unreachable
from hooks.cloudstack.wire import Wire
from hooks.http.answer_memory import (
    HELD_SECONDS,
    SMALL_BYTES,
    AnswerBounds,
    AnswerMemory,
    Held,
    Lease,
)
from hooks.http.bounded_json import VALUE_BYTES, BadJson
from hooks.http.deadline import Deadline
from hooks.http.errors import HttpError
from hooks.http.fair_share import Payer, paying
from hooks.http.sockets import NoRoom
from hooks.http.tls import file_context
from hooks.http.transport import Request, Transport
from hooks.kube.client import ApiServer, KubeUnreachable
from tests.controlplane.polling import PATIENCE, until
from tests.targets import servers
from tests.unit.api_server import Call, serving

A, B = ("a", "1"), ("b", "1")
LARGE = b'{"items":["' + b"x" * 3_000_000 + b'"]}'
MANY: dict[str, list[object]] = {"items": [{} for _ in range(20_000)]}


def api(url: str, memory: AnswerMemory) -> ApiServer:
    return ApiServer(url, Transport(file_context, bounds=AnswerBounds(memory=memory)))


def test_an_answer_holds_memory_for_as_long_as_it_is_used() -> None:
    memory = AnswerMemory()
    with serving(lambda _: (200, MANY)) as server, closing(api(server.url, memory)) as kube:
        answer = kube.get("/a", deadline=Deadline(PATIENCE))
        assert answer == MANY
        assert isinstance(answer, Held)
        assert memory.reading.used == 0, "the text is not needed any more"
        assert memory.parsed.used > 20_000 * VALUE_BYTES
        part = answer.holding(answer["items"][0])
        del answer
        assert memory.parsed.used > 20_000 * VALUE_BYTES
        del part
        assert memory.parsed.used == 0


def test_an_answer_waits_until_the_others_need_no_memory_any_more() -> None:
    memory = AnswerMemory(parse_bytes=10_000_000)
    with serving(lambda _: (200, MANY)) as server, closing(api(server.url, memory)) as kube:
        first = kube.get("/a", deadline=Deadline(PATIENCE))
        with pytest.raises(KubeUnreachable, match="the answer waited for memory"):
            kube.get("/a", deadline=Deadline(0.5))
        with ThreadPoolExecutor(1) as threads:
            second = threads.submit(kube.get, "/a", deadline=Deadline(PATIENCE))
            until(lambda: memory.parsed.is_awaited, "it waits", every=0.005)
            del first
            assert second.result() == MANY


def test_the_pages_of_a_list_are_in_memory_one_after_the_other() -> None:
    memory = AnswerMemory()
    most = [0]

    def page(call: Call) -> tuple[int, object]:
        most[0] = max(most[0], memory.parsed.used)
        more = {} if "continue" in call.path else {"continue": "1"}
        return 200, {"metadata": more, "items": MANY["items"]}

    with serving(page) as server, closing(api(server.url, memory)) as kube:
        listed = sum(1 for _ in kube.list("/a", deadline=Deadline(PATIENCE)))
    assert listed == 40_000
    assert most[0] == 0
    assert memory.parsed.used == 0


@pytest.mark.parametrize("body", [b"[" * 2_000, b'{"items":[{},{},{}'], ids=["deep", "half"])
def test_what_is_no_answer_holds_nothing_though_its_error_is_kept(body: bytes) -> None:
    memory = AnswerMemory()
    text = body + b" " * SMALL_BYTES
    with servers.serving(servers.answering(text)) as server:
        with closing(api(server.url, memory)) as kube, pytest.raises(KubeUnreachable) as kept:
            kube.get("/a", deadline=Deadline(PATIENCE))
        wire = Wire(
            CloudConfig(server.url, "the-key-of-it", "the-secret"),
            Transport(file_context, bounds=AnswerBounds(memory=memory)),
        )
        with pytest.raises(Unreachable) as kept_too:
            wire.send("listZones", {}, PATIENCE)
    gc.collect()
    assert memory.reading.used == memory.parsed.used == 0
    assert "JSON" in str(kept.value)
    assert "JSON" in str(kept_too.value)


@contextmanager
def stalling(over: threading.Event) -> Iterator[str]:
    """Serve an answer whose first 3 MB come at once and whose rest does not, until it is over."""

    def stall(connection: socket.socket, _: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\n\r\n" + LARGE)
        over.wait(PATIENCE)

    with servers.serving(stall) as server:
        yield server.url


def test_who_never_ends_is_given_up_when_others_wait() -> None:
    memory, over = AnswerMemory(read_bytes=5_000_000), threading.Event()
    transport = Transport(file_context, bounds=AnswerBounds(memory=memory))

    def ask(url: str, payer: tuple[str, str]) -> object:
        with paying(payer):
            return transport.send(Request("GET", url), PATIENCE).status

    with (
        stalling(over) as slow,
        servers.serving(servers.answering(LARGE)) as quick,
        closing(transport),
        ThreadPoolExecutor(3) as threads,
    ):
        stalled = [threads.submit(ask, slow, payer) for payer in (A, B)]
        until(lambda: memory.reading.used > 3_000_000, "they hold memory", every=0.01)
        assert threads.submit(ask, quick.url, ("c", "1")).result() == 200
        with pytest.raises(HttpError, match="comes so slowly that others have waited too long"):
            next(as_completed(stalled)).result()
        over.set()
        transport.close()
    assert memory.reading.used == 0


def test_an_answer_that_finds_no_memory_while_it_arrives_is_none() -> None:
    memory = AnswerMemory(read_bytes=1_000_000)
    other = Lease(memory.reading)
    assert other.grow(900_000, Deadline(0))
    transport = Transport(file_context, bounds=AnswerBounds(memory=memory))
    with servers.serving(servers.answering(LARGE)) as server, closing(transport):
        with pytest.raises(HttpError, match="waited for memory until no time was left") as error:
            transport.send(Request("GET", server.url), 0.5)
        assert error.value.transient
        del other
        assert transport.send(Request("GET", server.url), PATIENCE).body == LARGE


def test_answers_that_arrive_at_once_all_come_to_an_end() -> None:
    memory = AnswerMemory(read_bytes=4_000_000)
    transport = Transport(file_context, bounds=AnswerBounds(memory=memory))

    def ask(number: int) -> bool:
        with paying(("team", str(number))):
            return transport.send(Request("GET", server.url), PATIENCE).body == LARGE

    with (
        servers.serving(servers.answering(LARGE)) as server,
        closing(transport),
        ThreadPoolExecutor(20) as threads,
    ):
        assert all(threads.map(ask, range(40)))
    assert memory.reading.used == 0


def test_small_answers_wait_for_nothing() -> None:
    memory = AnswerMemory(read_bytes=1_000_000, parse_bytes=1_000_000)
    held = [Lease(memory.reading), Lease(memory.parsed)]
    assert all(lease.grow(50_000_000, Deadline(0)) for lease in held)
    with memory.turn(SMALL_BYTES + 1, Deadline(0)):
        answer = {"kind": "Status", "items": ["x"] * 500}
        with serving(lambda _: (200, answer)) as server, closing(api(server.url, memory)) as kube:
            assert kube.get("/a", deadline=Deadline(PATIENCE)) == answer


def test_large_texts_are_searched_one_at_a_time_in_turns() -> None:
    memory = AnswerMemory()

    def search(size: int) -> bool:
        with memory.turn(size, Deadline(0)):
            return True

    with memory.turn(5_000_000, Deadline(0)):
        assert search(SMALL_BYTES)
        with pytest.raises(NoRoom, match="not searched for credentials in time"):
            search(SMALL_BYTES + 1)
    assert search(5_000_000)


def test_values_are_counted_before_they_are_parsed() -> None:
    bounds = AnswerBounds(1_000_000, max_values=1_000)
    assert bounds.parse(b"[" + b"1," * 500 + b"1]", Deadline(1)) == [1] * 501
    with pytest.raises(BadJson, match="more than 1000 values"):
        bounds.parse(json.dumps([[]] * 1_000).encode(), Deadline(1))
    assert bounds.memory.parsed.used == 0


def test_what_is_refused_for_its_values_waits_for_no_memory() -> None:
    bounds = AnswerBounds(1_000_000, max_values=10_000, memory=AnswerMemory(parse_bytes=1))
    other = Lease(bounds.memory.parsed)
    assert other.grow(1_000_000, Deadline(0))
    with pytest.raises(BadJson, match="more than 10000 values"):
        bounds.parse(json.dumps([[]] * 10_000).encode(), Deadline(0))
    with pytest.raises(BadJson, match="waited for memory"):
        bounds.parse(json.dumps([[]] * 4_000).encode(), Deadline(0))


def test_a_slow_answer_outlasts_those_who_wait_for_what_their_own_namespace_has() -> None:
    now = [0.0]
    memory = AnswerMemory(read_bytes=1_000_000, monotonic=lambda: now[0])

    def lease(payer: Payer, size: int) -> Lease:
        with paying(payer):
            one = Lease(memory.reading)
        assert one.grow(size, Deadline(PATIENCE))
        return one

    leases = {"many": lease(A, 450_000), "slow": lease(B, 200_000)}

    def overdue() -> list[str]:
        return [name for name, one in leases.items() if one.is_overdue]

    assert overdue() == []
    now[0] += HELD_SECONDS + 1
    assert overdue() == [], "nobody waits"
    with ThreadPoolExecutor(1) as threads:
        third = threads.submit(lease, ("a", "2"), 150_000)
        until(lambda: memory.reading.is_awaited, "it waits", every=0.005)
        assert overdue() == ["many"]
        del leases["many"]
        assert third.result().amount == 150_000
