"""Shows owners and tags, the same in every answer."""

from typing import Any

from simulator.model import Account


def view_owner(owner: Account) -> dict[str, Any]:
    """Show the owner of a resource, a project or an account, and the domain."""
    if owner.project is not None:
        whose = {"projectid": owner.project.id, "project": owner.project.name}
    else:
        whose = {"account": owner.name}
    domain = owner.domain
    return {**whose, "domainid": domain.id, "domain": domain.name, "domainpath": domain.name}


def view_tags(tags: dict[str, str]) -> list[dict[str, str]]:
    """Show the tags of a resource."""
    return [{"key": key, "value": value} for key, value in sorted(tags.items())]
