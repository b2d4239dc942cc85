"""What is read of the CloudStackInstances in a load balancer's request."""

import msgspec

from hooks.http.bounded_json import Json
from hooks.names import CLOUDSTACK_API, INSTANCE_KIND
from hooks.webhook.requests import NonEmpty, Object, View

#: Outer key of the Instances in `related`.
INSTANCES = f"{INSTANCE_KIND}.{CLOUDSTACK_API}"


class NetworkAttachment(View, frozen=True):
    """A network that a VM is on, and whether it is the VM's default one."""

    network_id: NonEmpty = msgspec.field(name="id")
    default: bool = False


class _InstanceSpec(View, frozen=True):
    vm_id: str = msgspec.field(name="instanceID", default="")


class _Observed(View, frozen=True):
    networks: tuple[NetworkAttachment, ...] = ()
    state: str = ""
    serves_load_balancers: bool = False
    missing: Json | None = None


class Instance(Object, frozen=True, kw_only=True):
    """A node's VM, as its CloudStackInstance tells."""

    spec: _InstanceSpec = _InstanceSpec()
    observed: _Observed = _Observed()

    @property
    def name(self) -> str:
        """Return the node's name."""
        return self.metadata.name

    @property
    def vm_id(self) -> str:
        """Return the VM's id in CloudStack; empty where it is not known yet."""
        return self.spec.vm_id

    @property
    def is_missing(self) -> bool:
        """Tell whether CloudStack lacked the VM when it was last asked."""
        return self.observed.missing is not None

    @property
    def is_stopped(self) -> bool:
        """Tell whether the VM was stopped when CloudStack was last asked."""
        return self.observed.state == "Stopped"

    def is_on(self, network_id: str) -> bool:
        """Tell whether the VM has a card on the network."""
        return any(attachment.network_id == network_id for attachment in self.observed.networks)
