"""Public addresses."""

from hooks.cloudstack.commands.parameters import Command, command


def associate_ip_address(
    *, network_id: str | None = None, vpc_id: str | None = None, ip_address: str | None = None
) -> Command:
    """Acquire an address for an isolated network or a VPC: the one given, else any.

    Its id is the job's `resource_id`, and it can be tagged at once. An address that is taken, even
    by us, is refused with ADDRESS_TAKEN. For the tier of a VPC, without the VPC, the job fails.
    """
    where = {"network_id": network_id, "vpc_id": vpc_id}
    return command("associateIpAddress", **where, ip_address=ip_address)


def disassociate_ip_address(address_id: str, *, rules: int = 0) -> Command:
    """Release an address with all its rules, as many as are known, in one job.

    A source NAT address fails in the job; for an address that was released before, 530.
    """
    return command("disassociateIpAddress", id=address_id)._replace(size=rules)
