"""One call: the caller, the checked arguments, and what the caller may see and change."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from simulator.errors import (
    ApiError,
    denied,
    invalid,
    invalid_value,
    missing_parameter,
    unknown_entity,
)
from simulator.groups import SecurityGroup, SecurityGroupRule
from simulator.jobs import Work
from simulator.model import (
    Account,
    FirewallRule,
    KubernetesCluster,
    LoadBalancerRule,
    PortForwardingRule,
    Project,
    SslCertificate,
    User,
    VirtualMachine,
)
from simulator.parameters import ENVELOPE, Arguments, Parameter, Version, unpack
from simulator.world import World

MAX_PAGE_SIZE = 500
#: What a caller may change only if it is the caller's; VMs are checked for more.
OWNED = (
    KubernetesCluster, LoadBalancerRule, FirewallRule, PortForwardingRule, SslCertificate,
    SecurityGroup, SecurityGroupRule,
)  # fmt: skip
T = TypeVar("T")
Answer = dict[str, Any]
Handler = Callable[["Call"], Answer | Work]
Ignored = Counter[tuple[str, str]]


class Tagged(Protocol):
    """A resource that has tags, and that an account may own."""

    id: str
    name: str
    tags: dict[str, str]

    @property
    def account(self) -> Account | None:
        """Return the owner; a free address has none."""


O = TypeVar("O", bound=Tagged)  # noqa: E741 - the letter of the protocol above


@dataclass(frozen=True)
class Command:
    """One command; `java` names the class that a job of it shows in its `cmd`."""

    name: str
    parameters: dict[str, Parameter]
    handler: Handler
    asynchronous: bool
    since: Version | None
    envelope: str
    java: str
    summary: str

    @property
    def label(self) -> str:
        """Return the name that error texts have."""
        return self.envelope.removesuffix("response")

    @property
    def listing(self) -> bool:
        """Tell whether the command lists, and so takes pages."""
        return "pagesize" in self.parameters

    @property
    def writes(self) -> bool:
        """Tell whether the command changes anything."""
        return not self.name.startswith(("list", "query"))


@dataclass(frozen=True)
class Call:
    """A call as its handler sees it."""

    world: World
    command: Command
    user: User
    args: Arguments

    @property
    def account(self) -> Account:
        """Return the caller's account."""
        return self.user.account

    def owner(self) -> Account:
        """Return the owner of a new resource: the project's account, or the caller's."""
        project = self.args.entity("projectid", Project)
        if project is not None:
            return self.member(project).account
        return self.account

    def member(self, project: Project) -> Project:
        """Return the project if the caller may use it."""
        if self.account.admin or self.account in project.members:
            return project
        raise denied(f"Account {describe(self.account)} can't access project id={project.id}")

    def may_use(self, owner: Account | None) -> bool:
        """Tell whether the caller may use what that account owns."""
        if self.account.admin or owner is self.account:
            return True
        return (
            owner is not None
            and owner.project is not None
            and (self.account in owner.project.members)
        )

    def check_owner(self, owner: Account | None) -> None:
        """Refuse (531) to change what belongs to another account."""
        if not self.may_use(owner):
            raise denied()

    def visible(self, resources: Iterable[O]) -> list[O]:
        """Return the resources that a list shows, by account, project, `listall` and tags.

        Several tags are alternatives: a resource with one of them is shown.
        """
        return [resource for resource in self.owned(resources) if self.has_tags(resource)]

    def owned(self, resources: Iterable[O]) -> list[O]:
        """Return the resources that a list shows by account, project and `listall`."""
        allowed = self._scope()
        return [
            resource
            for resource in resources
            if resource.account is not None and allowed(resource.account)
        ]

    def has_tags(self, resource: Tagged) -> bool:
        """Tell whether a resource has one of the tags in the filter, or there is no filter."""
        wanted = self.args.pairs("tags")
        return not wanted or any(resource.tags.get(key) == wanted[key] for key in wanted)

    def _scope(self) -> Callable[[Account], bool]:
        """Return a function that tells whether an owner's resources are listed."""
        listall = self.args.flag("listall")
        if self.args.text("projectid") == "-1":
            return lambda owner: self.may_use(owner) and (owner.project is not None or listall)
        project = self.args.entity("projectid", Project)
        if project is not None:
            wanted = self.member(project).account
            return lambda owner: owner is wanted
        if self.args.text("account") is not None:
            named = self._named_account()
            return lambda owner: owner is named
        if self.account.admin and listall:
            return lambda owner: owner.project is None
        if self.account.admin and "id" in self.args:
            return lambda _owner: True
        return lambda owner: owner is self.account

    def _named_account(self) -> Account:
        """Return the account that `account` names, if the caller may ask for it."""
        name = self.args.required("account")
        found = self.world.accounts.named(name)
        if found is None:
            raise invalid(f"Unable to find account by name {name} in domain")
        if not self.may_use(found):
            raise denied(
                f"Account {describe(self.account)} does not have permission to list resources "
                f"for account {name}"
            )
        return found

    def listing(
        self, key: str, resources: Iterable[T], view: Callable[[T], dict[str, Any]]
    ) -> Answer:
        """Return a list's answer: the requested page, and the count of all."""
        found = list(resources)
        if not found:
            return {}
        size, page = self.args.integer("pagesize"), self.args.integer("page")
        size = MAX_PAGE_SIZE if size is None else size
        start = 0 if page is None else max(page - 1, 0) * size
        shown = found if size < 0 else found[start : start + size]
        if not shown:
            return {"count": len(found)}
        return {"count": len(found), key: [view(resource) for resource in shown]}

    def matches(self, *names: str) -> bool:
        """Tell whether one of these names contains `keyword`, or there is no `keyword`."""
        keyword = self.args.text("keyword")
        return keyword is None or any(keyword.casefold() in name.casefold() for name in names)

    def equals(self, parameter: str, value: str | None) -> bool:
        """Tell whether a filter is absent, or is this value (the database ignores case)."""
        wanted = self.args.text(parameter)
        return wanted is None or (value is not None and wanted.casefold() == value.casefold())

    def selects(self, parameter: str, resource: object) -> bool:
        """Tell whether an id filter is absent, or names this resource."""
        if not self.args.text(parameter):
            return True
        return resource is not None and self.args.entity(parameter, object) is resource


def describe(account: Account) -> str:
    """Describe an account as the server does in error texts."""
    return (
        f'Account [{{"accountName":"{account.name}","id":{account.number},"uuid":"{account.id}"}}]'
    )


def check_arguments(
    world: World, user: User, command: Command, params: Mapping[str, str], ignored: Ignored
) -> Arguments:
    """Check the parameters that were sent; count those that the command does not know.

    Raises ApiError in the server's order. 431: pages, then each parameter in the order of its
    declaration: missing, of the wrong type, unknown id. 531: an id of another owner's resource.
    """
    plain, maps = unpack(params)
    for name in (*plain, *maps):
        if name not in command.parameters and name not in ENVELOPE:
            ignored[command.name, name] += 1
    if command.listing:
        check_paging(plain)
    entities: dict[str, list[object]] = {}
    for parameter in command.parameters.values():
        if parameter.name not in plain and parameter.name not in maps:
            if parameter.required:
                raise missing_parameter(command.label, parameter.name)
            continue
        check_version(world, command, parameter)
        if parameter.name in plain:
            check_value(command, parameter, plain[parameter.name])
            if parameter.entity:
                entities[parameter.name] = resolve(world, command, parameter, plain)
    if command.writes:
        check_access(Call(world, command, user, Arguments({}, {}, {})), entities)
    return Arguments(plain, maps, entities)


def check_paging(plain: Mapping[str, str]) -> None:
    """Refuse `page` without `pagesize`, `pagesize` without `page`, and pages over 500."""
    page, size = plain.get("page"), plain.get("pagesize")
    if size is not None and page is None and size != "-1":
        raise ApiError(431, '"page" parameter is required when "pagesize" is specified')
    if page is not None and size is None:
        raise ApiError(431, '"pagesize" parameter is required when "page" is specified')
    if size is None or not re.fullmatch(r"-?\d+", size):
        return
    if int(size) > MAX_PAGE_SIZE:
        raise invalid(f"Page size can't exceed max allowed page size value: {MAX_PAGE_SIZE}")
    if page is not None and int(size) == -1:
        raise invalid("Can't specify page parameter when pagesize is -1 (Unlimited)")


def check_version(world: World, command: Command, parameter: Parameter) -> None:
    """Refuse a parameter that is newer than the simulated version.

    A real server of that version ignores it, which would hide the mistake here.
    """
    if parameter.since is not None and parameter.since > world.version:
        since = ".".join(map(str, parameter.since))
        raise invalid(
            f"Parameter {parameter.name} of {command.name} came with {since}; "
            f"this is {world.api_version}"
        )


def check_value(command: Command, parameter: Parameter, value: str) -> None:
    """Refuse a value of the wrong type, or that is too long."""
    if parameter.kind == "integer" and not re.fullmatch(r"[+-]?\d{1,18}", value):
        raise invalid_value(command.label, parameter.name, value)
    longest = max(map(len, value.split(","))) if parameter.kind == "list" else len(value)
    if not parameter.many and longest > parameter.length:
        raise invalid(
            f"Value greater than max allowed length {parameter.length} for param: {parameter.name}"
        )


def resolve(
    world: World, command: Command, parameter: Parameter, plain: Mapping[str, str]
) -> list[object]:
    """Return the resources that a parameter's ids name; -1 means all, an empty id none."""
    value = plain[parameter.name]
    words = [word.strip() for word in value.split(",")] if parameter.many else [value]
    found = []
    for word in words:
        if word in {"", "-1"}:
            continue
        resource = world.find(parameter.kind, word)
        if resource is None:
            raise unknown_entity(command.label, parameter.name, word)
        found.append(resource)
    return found


def check_access(call: Call, entities: Mapping[str, list[object]]) -> None:
    """Refuse to change what is another account's, or a VM that is expunged."""
    for resource in (resource for resources in entities.values() for resource in resources):
        if isinstance(resource, VirtualMachine):
            if resource not in call.world.vms:
                raise invalid(
                    f"Unable to find UUID for id [{resource.number}] of type [VirtualMachine]"
                )
            call.check_owner(resource.account)
        if isinstance(resource, OWNED):
            call.check_owner(resource.account)
