"""Every command of CloudStack fails in every way: that is reported, and all is well afterwards."""

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from hooks.cloudstack.errors import ADDRESS_TAKEN
from hooks.http.bounded_json import Json
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.webhook.reconcile import ANSWER_MARGIN
from tests.controlplane.polling import SLACK
from tests.integration.loadbalancers.driver import NOTHING, LoadBalancer, World, port
from tests.integration.loadbalancers.test_addresses import FREE, allocate

#: Seconds that a call has: some to work in, beside those that it keeps back for its answer.
CALL_SECONDS = ANSWER_MARGIN + 1.5
#: What any command may answer.
ANSWERS: dict[str, dict[str, Any]] = {
    **{str(code): {"kind": "error", "code": code} for code in (401, 431, 530, ADDRESS_TAKEN)},
    "timeout": {"kind": "timeout", "seconds": 0.05},
    "HTML": {"kind": "html"},
    "nothing": {"kind": "empty"},
    "throttled": {"kind": "throttled", "seconds": 1.0},
}
#: Commands for which that an address is taken is more than any refusal, such as 530.
TAKING = ("associateIpAddress", "createLoadBalancer")
#: Lists that only a new process has to read.
NEW_PROCESS = ("listLoadBalancerRuleInstances", "listLBStickinessPolicies")
#: What only commands with jobs may come to.
JOBS: dict[str, dict[str, Any]] = {
    "failed job": {"kind": "job-failed", "code": 530, "text": "the job failed"},
    "job that never ends": {"kind": "job-never-ends"},
    "answer lost": {"kind": "empty", "executed": True},
}


#: What is asked of a load balancer.
Step = Callable[[LoadBalancer], None]


def cases(commands: Iterable[str], faults: dict[str, dict[str, Any]]) -> list[Any]:
    """Pair each command with each fault."""
    return [
        pytest.param(command, fault, id=f"{command}, {name}")
        for command in commands
        for name, fault in faults.items()
        if fault.get("code") != ADDRESS_TAKEN or command in TAKING
    ]


def begin(lb: LoadBalancer) -> None:
    del lb


def change(lb: LoadBalancer) -> None:
    lb.world.nodes.pop("node-1")
    lb.world.place("node-2", "node-3")
    lb.change(
        ports=[port(80, proxy=True), port(82)],
        sourceRanges=["10.0.0.0/8"],
        externalTrafficPolicy="Local",
    )


def bound(number: int) -> Json:
    """Make a port with a stickiness policy."""
    return port(number) | {"stickiness": {"method": "LbCookie"}}


def delete(lb: LoadBalancer) -> None:
    lb.delete()


def is_well(lb: LoadBalancer) -> bool:
    return lb.is_finalized() or (
        lb.is_ready() and lb.status["observedGeneration"] == lb.parent["metadata"]["generation"]
    )


def try_for_a_while(lb: LoadBalancer, hook: LoadBalancersHook) -> None:
    """Call a few times; the answer comes in time, whatever CloudStack does."""
    for _ in range(3):
        started = lb.world.monotonic()
        before = lb.status
        lb.call(hook, seconds=CALL_SECONDS)
        assert lb.world.monotonic() - started < CALL_SECONDS + SLACK
        if is_well(lb) and (lb.is_finalized() or lb.status == before):
            return
        wait = lb.answers[-1].response.get("resyncAfterSeconds")
        assert isinstance(wait, int | float)
        lb.world.advance(wait + 1)


def end_stuck_jobs(world: World) -> None:
    """End the jobs that hang in CloudStack."""
    for job in world.simulator.world.jobs.pending():
        job.due = 0.0


def check(
    world: World,
    hook: LoadBalancersHook,
    command: str,
    fault: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Create, change and delete while a command fails; then let it work again.

    That it fails is said, nothing leaks, recovery needs no hand, and nothing secret is told.
    """
    spec: dict[str, Any] = {}
    left: list[str] = []
    if command == "deleteTags":  # only an address that stays is untagged
        allocate(world, FREE)
        spec, left = {"address": FREE}, [FREE]
        world.simulator.control.clear_calls()
    # Only the first step asks for policies, and the second removes one.
    make = bound if "Stickiness" in command else port
    lb = LoadBalancer(world, ports=[make(80), make(81)], **spec)
    check_steps(lb, hook, (command, fault), change, caplog)
    assert world.remains() == {**NOTHING, "addresses": left}


def check_steps(
    lb: LoadBalancer,
    hook: LoadBalancersHook,
    failing: tuple[str, dict[str, Any]],
    ask: Step,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Create a load balancer, change it by `ask` and delete it while a command fails."""
    (command, fault), world = failing, lb.world
    texts: list[str] = []
    is_met = False
    steps: list[Step] = [begin, ask, delete]
    with caplog.at_level(logging.DEBUG):
        for step in steps:
            step(lb)
            if command in NEW_PROCESS:
                new = replace(hook._dependencies, registry=CollectorRegistry())
                hook = LoadBalancersHook(new)
            before = len(world.simulator.control.calls(command))
            world.simulator.control.fault(times=None, command=command, **fault)
            try_for_a_while(lb, hook)
            is_met = is_met or len(world.simulator.control.calls(command)) > before
            if not is_well(lb):
                ready = lb.condition("Ready")
                assert ready["status"] in {"False", "Unknown"}
                assert ready["message"]
                texts.append(ready["message"])
            world.simulator.control.clear_faults()
            end_stuck_jobs(world)
            recover(lb, hook)
    assert is_met, "the fault was never met"
    told_nothing_secret(lb, caplog.text + str(texts))
    if command != "queryAsyncJobResult" and not fault.get("executed"):
        assert texts, "nobody was told"


def told_nothing_secret(lb: LoadBalancer, text: str) -> None:
    """Check that neither the answers nor a text contain a secret."""
    everything = json.dumps([answer.response for answer in lb.answers]) + text
    user = lb.world.simulator.user
    for secret in (user.api_key, user.secret_key, "signature="):
        assert secret not in everything


def recover(lb: LoadBalancer, hook: LoadBalancersHook) -> None:
    """Let time pass until all is well again."""
    for _ in range(20):
        if is_well(lb):
            break
        lb.call(hook)
        wait = lb.answers[-1].response.get("resyncAfterSeconds")
        if not lb.is_finalized():
            assert isinstance(wait, int | float)
            lb.world.advance(wait + 1)
    assert is_well(lb), lb.condition("Ready")
