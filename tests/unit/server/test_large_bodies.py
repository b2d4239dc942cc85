"""Large bodies are parsed one at a time, within the time of their calls."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from werkzeug.exceptions import HTTPException

from hooks.http.deadline import Deadline
from hooks.http.fair_share import PROCESS, FairShare
from hooks.server.app import LARGE_BODY, parse_in_turn
from hooks.webhook.contract import BadRequest
from tests.controlplane.polling import PATIENCE, until

LARGE = json.dumps({"object": {"metadata": {"name": "n", "x": "x" * LARGE_BODY}}}).encode()


def test_a_large_body_waits_for_its_turn_within_the_time_of_its_call() -> None:
    turns = FairShare(1)
    assert parse_in_turn(LARGE, turns, Deadline(0))["object"]["metadata"]["name"] == "n"
    assert turns.take(PROCESS, 1, Deadline(0))
    with pytest.raises(HTTPException) as refused:
        parse_in_turn(LARGE, turns, Deadline(0.05))
    assert refused.value.code == 429
    assert parse_in_turn(b'{"object": {}}', turns, Deadline(0)) == {"object": {}}
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(parse_in_turn, LARGE, turns, Deadline(PATIENCE))
        until(lambda: turns.is_awaited, "it waits", every=0.005)
        turns.give_back(PROCESS, 1)
        assert waiting.result()["object"]
    assert turns.used == 0


def test_a_large_body_that_is_no_request_gives_its_turn_back() -> None:
    turns = FairShare(1)
    for _ in range(2):
        with pytest.raises(BadRequest):
            parse_in_turn(b"[" + b" " * LARGE_BODY, turns, Deadline(0))
    assert turns.used == 0
