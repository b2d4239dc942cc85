"""Tags what is not an address without asking about the jobs: the call's next read shows the tags.

Tags lock nothing, and nothing waits for those of a rule but what takes down or hands over. So a
call begins them and goes on. It counts them as there until it reads CloudStack again. If they do
not show then, their jobs tell why.
"""

from collections.abc import Iterable

from hooks.cloudstack.errors import Refused, Unauthorized
from hooks.cloudstack.models.jobs import Job
from hooks.loadbalancers.actions import Outcome, tag_command
from hooks.loadbalancers.context import CallContext
from hooks.loadbalancers.plan.actions import AddTags
from hooks.loadbalancers.plan.facts import CloudState, Refusal
from hooks.loadbalancers.plan.ownership import Resource


class Tagging:
    """The tags that one call has begun to write, and not seen yet."""

    def __init__(self, context: CallContext) -> None:
        self._context = context
        self._begun: list[tuple[AddTags, Job]] = []

    def begin(self, action: AddTags) -> Outcome:
        """Begin to write tags; return what counts until they are seen.

        Raises:
            CloudStackError: it is not known whether they are written.
        """
        try:
            job = self._context.start(tag_command(action))
        except Unauthorized:
            raise
        except Refused as error:
            return Outcome((Refusal(action, error.code, error.text),))
        self._begun.append((action, job))
        return Outcome()

    def await_usual(self) -> None:
        """Wait until the tags are usually written."""
        jobs = [job for _, job in self._begun]
        self._context.cloud.client.await_usual(*jobs, deadline=self._context.deadline)

    def see(self, state: CloudState) -> bool:
        """Tell whether a state that was just read shows all tags; then none is waited for."""
        shown = [job for action, job in self._begun if _shows(state, action)]
        if len(shown) < len(self._begun):
            return False
        self._context.cloud.client.note_shown(*shown)
        self._begun.clear()
        return True

    def finish(self) -> tuple[Refusal, ...]:
        """Wait for the jobs; return what CloudStack refused. Raises CloudStackError."""
        refusals: list[Refusal] = []
        while self._begun:
            action, job = self._begun.pop(0)
            try:
                self._context.wait_for(job)
            except Refused as error:
                refusals.append(Refusal(action, error.code, error.text))
        return tuple(refusals)

    def leave(self) -> None:
        """Leave the jobs to the next call of the load balancer."""
        context = self._context
        context.jobs.add(context.uid, *((job, context.monotonic()) for _, job in self._begun))


def _shows(state: CloudState, action: AddTags) -> bool:
    kinds: dict[str, Iterable[Resource]] = {
        "rule": state.rules,
        "firewall rule": state.firewall,
        "ACL item": state.acl or (),
    }
    resources = kinds[action.kind]
    tagged = {
        each.id
        for each in resources
        if {(tag.key, tag.value) for tag in each.tags}.issuperset(action.tags)
    }
    return tagged.issuperset(action.ids)
