"""Acquires an address so that a crash at any point leaves a trace: a record, or the tags."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from hooks.cloudstack.commands import network
from hooks.cloudstack.commands.tags import ResourceType, create_tags
from hooks.cloudstack.errors import CloudStackError, Refused, Throttled, Unauthorized, Unreachable
from hooks.cloudstack.models.jobs import Job
from hooks.cloudstack.models.loadbalancing import LoadBalancerRule
from hooks.cloudstack.models.network import PublicIpAddress
from hooks.kube.client import Conflict, KubeError, NotFound
from hooks.kube.objects import annotations, is_deleting, part
from hooks.kube.services import load_balancers_path
from hooks.loadbalancers.context import CallContext
from hooks.loadbalancers.plan import ownership
from hooks.loadbalancers.plan.actions import Associate, Rerecord
from hooks.loadbalancers.plan.ownership import Own, Tags
from hooks.loadbalancers.plan.seals import seal
from hooks.loadbalancers.plan.wanted_address import Wanted
from hooks.names import ANNOTATION_ACQUIRING

#: How often a record is written if its object changes in between.
ATTEMPTS = 3
#: Seconds by which times of CloudStack may be rounded.
TIME_SLACK = 2.0


class RequestStale(KubeError):
    """The load balancer is no longer as the request shows it, so no answer to that may count."""


def associate(action: Associate, context: CallContext) -> PublicIpAddress | None:
    """Acquire an address, and tag it before its job ends; return it as CloudStack shows it then.

    None if it has to be read. The record is written first, or if CloudStack chooses, as soon as it
    has named an address. It is removed once the tags or a refusal say how it went. The address is
    read before it is tagged: an answer that names somebody else's gives it no tag of ours. If the
    tags are refused, the address is released again: nothing could show later that it is ours.

    Raises:
        RequestStale: another call may be acquiring an address; CloudStack was asked for nothing.
        Refused: CloudStack refused the address or its tags, and nothing is left.
        CloudStackError, KubeError: the outcome is unknown, and the record stays.
    """
    record = action.record
    if record and record.after:
        rerecord(record, context)
    command = network.associate_ip_address(
        network_id=None if action.vpc_id else action.network_id,
        vpc_id=action.vpc_id or None,
        ip_address=action.ip or None,
    )
    started = context.monotonic()
    try:
        job = context.start(command)
        wanted = _wanted(job, action, context.monotonic() - started, context)
        if record and not record.after:
            record = _record_chosen(record, job, wanted, action, context)
        _associated(job, wanted, context)
        shown = _Shown(job.resource_id, action.tags, context)
        tags = create_tags(ResourceType.ADDRESS, [job.resource_id], dict(action.tags))
        context.tag_made(job, tags, lambda: _release(job, wanted, context), shown.is_ready)
    except CloudStackError as error:
        if _is_settled(error):
            _forget(record, context)
        raise
    _forget(record, context)
    return shown.address


@dataclass
class _Shown:
    """An address that is being acquired, as one read shows it instead of a poll for each job.

    Attributes:
        address: as it was read with its tags and allocated; None before that.
    """

    id: str
    tags: Tags
    context: CallContext
    address: PublicIpAddress | None = None

    def is_ready(self) -> bool:
        """Read the address; tell whether it is allocated and has its tags."""
        client = self.context.cloud.client
        for each in client.list_all(PublicIpAddress, self.context.deadline, id=self.id):
            tags = {(tag.key, tag.value) for tag in each.tags}
            if each.state == "Allocated" and tags.issuperset(self.tags):
                self.address = each
        return self.address is not None


def rerecord(record: Rerecord, context: CallContext) -> None:
    """Write, replace or remove a record, if it is still what the plan saw.

    Raises:
        RequestStale: it is not, or the object is gone or is being deleted.
        KubeError: the API server does not answer, or refuses.
    """
    path = f"{load_balancers_path(record.namespace)}/{record.name}"
    for _ in range(ATTEMPTS):
        try:
            found = context.kube.get(path, deadline=context.deadline)
            metadata = part(found, "metadata")
            is_same = (
                metadata.get("uid") == record.uid
                and annotations(found).get(ANNOTATION_ACQUIRING, "") == record.before
                and not (record.after and is_deleting(found))
            )
            if not is_same:
                break
            change = {
                "resourceVersion": metadata.get("resourceVersion"),
                "annotations": {ANNOTATION_ACQUIRING: record.after or None},
            }
            context.kube.patch(path, {"metadata": change}, deadline=context.deadline)
            return
        except Conflict:
            continue
        except NotFound:
            break
    raise RequestStale(f"CloudStackLoadBalancer {record.namespace}/{record.name} has changed")


def forget(record: Rerecord, context: CallContext) -> None:
    """Remove a record unless another has taken its place. Raises KubeError."""
    with suppress(RequestStale):
        rerecord(record, context)


def _record_chosen(
    record: Rerecord, job: Job, wanted: Wanted, action: Associate, context: CallContext
) -> Rerecord:
    """Record the address that CloudStack chose, and return the record.

    If that fails, the call goes on: only its tags say then whose the address is.
    """
    place = f"{job.resource_id}/{int(wanted.since)}"
    made = seal(action.mark, context.cloud.seal_key, place, context.clock())
    written = replace(record, after=made.text)
    try:
        rerecord(written, context)
    except KubeError:
        return record
    return written


def _forget(record: Rerecord | None, context: CallContext) -> None:
    if record and record.after:
        forget(record.undo, context)


def _wanted(job: Job, action: Associate, seconds: float, context: CallContext) -> Wanted:
    """Return what a job was asked for. CloudStack allocates an address before it makes its job.

    Both times are of CloudStack's clock, and `seconds` those that its answer took.
    """
    try:
        status = context.cloud.client.job_status(job, context.deadline)
    except Refused:
        status = None
    created = status.created if status else None
    since = 0.0 if created is None else created - seconds - TIME_SLACK
    return Wanted(action.ip, action.network_id, since, action.vpc_id)


def _release(job: Job, wanted: Wanted, context: CallContext) -> None:
    """Release what a job acquired. A refused release is Unreachable: the record must stay."""
    try:
        context.wait_for(job)
    except Refused as error:
        if error.command == job.command:
            return  # CloudStack has released it
        raise
    client, address_id = context.cloud.client, job.resource_id
    rules = client.list_all(LoadBalancerRule, context.deadline, public_ip_id=address_id)
    own = _associated(job, wanted, context, rules)
    release = network.disassociate_ip_address(own.id)
    try:
        context.run(release)
    except Refused as error:
        raise Unreachable(release.name, f"{own.name} is still allocated: {error.text}") from error


def _associated(
    job: Job, wanted: Wanted, context: CallContext, rules: Sequence[LoadBalancerRule] = ()
) -> Own:
    """Read what a job acquires; return our title to it.

    Raises Unreachable if it has none, or may not be read: that refuses no address.
    """
    address_id = job.resource_id
    try:
        found = context.cloud.client.list_all(PublicIpAddress, context.deadline, id=address_id)
    except Unauthorized:
        raise
    except Refused as error:
        raise Unreachable(job.command, f"address {address_id} is hidden: {error.text}") from error
    try:
        [address] = found
        return ownership.associated(address, rules, wanted)
    except (ValueError, ownership.NotOurs):
        problem = f"address {address_id} is not the one that was asked for, and is left as it is"
        raise Unreachable(job.command, problem) from None


def _is_settled(error: CloudStackError) -> bool:
    """Tell whether an error says that no address was acquired, or that it was released."""
    was_not_sent = isinstance(error, Throttled) or (
        isinstance(error, Unreachable) and not error.sent
    )
    if error.command == "associateIpAddress":
        return isinstance(error, Refused) or was_not_sent
    return isinstance(error, Refused) and error.command == "createTags"
