"""What people and autoscalers do to VMs behind the hooks' back, through the API itself."""

from dataclasses import dataclass
from typing import Any

from simulator.model import User
from simulator.server import Simulator
from tests.contract import cloud as contract


@dataclass
class Cloud:
    """A CloudStack account in the hands of a person."""

    api: contract.Cloud

    @classmethod
    def of(cls, simulator: Simulator, user: User | None = None) -> "Cloud":
        """Sign in to the simulator; as the ordinary user unless another is given."""
        user = user or simulator.user
        keys = contract.Credentials(user.api_key, user.secret_key)
        return cls(contract.Cloud(simulator.url, keys, poll=0.05))

    def find(self, name: str) -> dict[str, Any]:
        """Answer the VM of a name as CloudStack lists it."""
        listed = self.api.list("listVirtualMachines", "virtualmachine", listall=True, name=name)
        [vm] = [vm for vm in listed if vm["name"] == name]
        return vm

    def stop(self, name: str) -> None:
        """Stop a VM, and wait until it has."""
        self.api.done("stopVirtualMachine", id=self.find(name)["id"])

    def start(self, name: str) -> None:
        """Start a VM, and wait until it has."""
        self.api.done("startVirtualMachine", id=self.find(name)["id"])

    def destroy(self, name: str) -> None:
        """Destroy a VM, and wait until it is; its owner is not shown it any more."""
        self.api.done("destroyVirtualMachine", id=self.find(name)["id"])

    def resize(self, name: str, offering: str) -> None:
        """Give a VM another offering, stopping and starting it."""
        offerings = self.api.list("listServiceOfferings", "serviceoffering")
        [wanted] = [found["id"] for found in offerings if found["name"] == offering]
        vm = self.find(name)["id"]
        self.stop(name)
        self.api.done("scaleVirtualMachine", id=vm, serviceofferingid=wanted)
        self.start(name)

    def deploy_like(self, name: str) -> str:
        """Deploy another VM of the same name, in a network of its own; answer its id."""
        vm = self.find(name)
        offerings = self.api.list(
            "listNetworkOfferings", "networkoffering", guestiptype="Isolated", state="Enabled"
        )
        network = self.api.ok(
            "createNetwork",
            name=f"{name}-twin",
            displaytext="twin",
            zoneid=vm["zoneid"],
            networkofferingid=offerings[0]["id"],
        )["network"]["id"]
        made = self.api.done(
            "deployVirtualMachine",
            name=name,
            zoneid=vm["zoneid"],
            serviceofferingid=vm["serviceofferingid"],
            templateid=vm["templateid"],
            networkids=network,
        )
        return str(made["virtualmachine"]["id"])
