"""Services of type LoadBalancer: each becomes a CloudStackLoadBalancer.

A call reads the request (`request`), decides (`plan`), and writes what Metacontroller cannot: a
Service's finalizers, a load balancer without an owner, and the deletion of one whose Service goes.
"""

from contextlib import suppress
from dataclasses import replace
from typing import assert_never

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import Conflict, Kube, KubeError, KubeRefused, NotFound
from hooks.kube.services import ServiceFinalizers, load_balancers_path
from hooks.names import EVENT_SYNC_FAILED
from hooks.services.contests import Contests
from hooks.services.plan.plan import Action, CreateForCleanup, DeleteLoadBalancer, plan
from hooks.services.plan.status import event
from hooks.services.request import read
from hooks.webhook.hook import Dependencies, Handler, Hook
from hooks.webhook.reconcile import CallResult

#: Seconds until a write that failed is tried again.
RETRY_AFTER = 5.0
#: Seconds until a write that was refused is tried again: somebody has to permit it first.
REFUSED_RETRY_AFTER = 60.0


class ServicesHook(Hook):
    """Answers `/services/sync`."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies
        self._contests = Contests(dependencies.monotonic)

    @property
    def routes(self) -> dict[str, Handler]:
        """Map the paths to the methods that answer them."""
        return {"/services/sync": self.sync}

    def sync(self, body: Json, deadline: Deadline) -> CallResult:
        """Answer a sync request. Raises BadRequest.

        The Service is planned once, from the request, and once more if another controller fights
        over its status: a write to it makes Metacontroller call again. After a write that fails,
        the answer is as planned, and asks for another call.
        """
        dependencies = self._dependencies
        facts = read(body, dependencies.config, now=dependencies.clock())
        planned = plan(facts)
        shown = planned.response.get("status")
        if shown and (contest := self._contests.judge(facts, shown)):
            planned = plan(replace(facts, contest=contest))
        # First: if a write fails, the answer still shows the change, and the next call tells none.
        for each in planned.events:
            dependencies.record(each)
        response = planned.response.copy()
        tried: list[Action] = []
        try:
            for action in planned.actions:
                tried.append(action)
                _perform(action, dependencies.kube, deadline)
        except KubeError as error:
            is_refused = isinstance(error, KubeRefused) and not isinstance(error, Conflict)
            response["resyncAfterSeconds"] = REFUSED_RETRY_AFTER if is_refused else RETRY_AFTER
            if is_refused:
                message = f"Error syncing load balancer: {error}"
                dependencies.record(event(facts, EVENT_SYNC_FAILED, message))
            return CallResult(response, tuple(tried), error)
        return CallResult(response, tuple(tried))


def _perform(action: Action, kube: Kube, deadline: Deadline) -> None:
    """Do one action. Raises KubeError; Conflict if the Service changed since it was read."""
    match action:
        case CreateForCleanup(manifest):
            # Where an earlier call created it and was interrupted, it exists already.
            with suppress(Conflict):
                path = load_balancers_path(manifest["metadata"]["namespace"])
                kube.create(path, manifest, deadline=deadline)
        case DeleteLoadBalancer(namespace, name, uid):
            # Another of this name, or none, is what was to be.
            with suppress(Conflict, NotFound):
                path = f"{load_balancers_path(namespace)}/{name}"
                kube.delete(path, deadline=deadline, options={"preconditions": {"uid": uid}})
        case ServiceFinalizers():
            with suppress(NotFound):  # it is gone, and holds nothing any more
                kube.patch(action.path, action.patch, deadline=deadline)
        case _:
            assert_never(action)
