"""The commands of the simulator: name, parameters, role, version, handler."""

from collections.abc import Callable

from simulator.call import Command, Handler
from simulator.parameters import PAGING, parse_parameters, version

# Ordinary users get 432 (no permission) for these, not 401 (unknown command), whether or not the
# simulator implements them for administrators.
ADMIN_ONLY = frozenset(
    {
        "addHost", "createAccount", "createZone", "createServiceOffering", "deleteAccount",
        "listClusters", "listConfigurations", "listHosts", "listInternalLoadBalancerVMs",
        "listManagementServers", "listManagementServersMetrics", "listPods", "listRouters",
        "listSystemVms", "migrateVirtualMachine", "updateConfiguration", "updateResourceCount",
        "updateResourceLimit",
    }
)  # fmt: skip

# Lists without pages.
UNPAGED = frozenset({"listApis"})

REGISTRY: dict[str, Command] = {}


def command(
    name: str,
    parameters: str = "",
    *,
    job: str | None = None,
    since: str | None = None,
    envelope: str | None = None,
) -> Callable[[Handler], Handler]:
    """Register a handler under the command's name.

    `parameters` is in the notation of `parse_parameters`, paging is added to lists; `job`, for an
    asynchronous command, is its class on a real server; `envelope` is the answer's only
    key where that is not the name in lower case with `response`.
    """
    if name.startswith("list") and name not in UNPAGED:
        parameters = f"{parameters} {PAGING}"

    def register(handler: Handler) -> Handler:
        assert name not in REGISTRY, name  # noqa: S101 - a mistake of ours, seen at import
        REGISTRY[name] = Command(
            name=name,
            parameters=parse_parameters(parameters),
            handler=handler,
            asynchronous=job is not None,
            since=version(since) if since else None,
            envelope=envelope or f"{name.lower()}response",
            java=job or "",
            summary=(handler.__doc__ or "").strip().splitlines()[0],
        )
        return handler

    return register
