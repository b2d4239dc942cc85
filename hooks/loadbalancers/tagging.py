"""Tags what is not an address without asking about the jobs: the call's next read shows the tags.

Tags lock nothing, and nothing waits for those of a rule but what takes down or hands over. So a
call begins them and goes on. It counts them as there until it reads CloudStack again. If they do
not show then, their jobs tell why.

CloudStack keeps the tags of a rule that is gone. They are taken off when the call ends.
"""

from collections.abc import Iterable
from contextlib import suppress

from hooks.cloudstack.commands.tags import ResourceType, delete_tags
from hooks.cloudstack.errors import CloudStackError, Refused, Unauthorized
from hooks.cloudstack.models.jobs import Job
from hooks.cloudstack.models.tags import Resource
from hooks.loadbalancers.actions import Outcome, tag_command
from hooks.loadbalancers.context import CallContext
from hooks.loadbalancers.plan.actions import AddTags, DeleteRule, Release
from hooks.loadbalancers.plan.facts import CloudState, Facts, Refusal
from hooks.loadbalancers.plan.stickiness import is_marked
from hooks.loadbalancers.plan.whose import Whose
from hooks.names import TAG_STICKINESS, TAG_STICKINESS_OURS


class Tagging:
    """The tags that one call has begun to write and not seen yet, and those that it leaves over."""

    def __init__(self, context: CallContext) -> None:
        self._context = context
        self._begun: list[tuple[AddTags, Job]] = []
        self._gone: list[str] = []
        self._gone_tags: dict[str, str] = {}

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

    def note_gone(self, facts: Facts, action: DeleteRule | Release) -> None:
        """Note which rules with our whole mark an action has deleted."""
        for rule in facts.state.rules:
            is_gone = action.own.id in (rule.id, rule.public_ip_id)
            if is_gone and facts.owner.whose(rule) is Whose.OURS:
                self._gone.append(rule.id)
                self._gone_tags |= dict(facts.owner.mark)
                if is_marked(rule):
                    self._gone_tags[TAG_STICKINESS] = TAG_STICKINESS_OURS

    def untag_gone(self) -> None:
        """Take our tags off rules that are gone: CloudStack keeps them, and shows them in listTags.

        Nothing depends on them, as no id is used again. So one command does it for a whole call,
        nobody waits for its job, and it is not tried again.
        """
        if self._gone:
            tags = self._gone_tags
            with suppress(CloudStackError):
                self._context.start(delete_tags(ResourceType.LOAD_BALANCER_RULE, self._gone, tags))


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
