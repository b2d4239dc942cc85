"""What people and autoscalers do to VMs behind the hooks' back, through the API itself."""

from dataclasses import dataclass
from typing import Any

from cs import CloudStack

from simulator.model import User
from simulator.server import Simulator


@dataclass
class Cloud:
    """A CloudStack account in the hands of a person."""

    api: CloudStack

    @classmethod
    def of(cls, simulator: Simulator, user: User | None = None) -> "Cloud":
        """Sign in to the simulator; as the ordinary user unless another is given."""
        user = user or simulator.user
        return cls(
            CloudStack(
                simulator.url, user.api_key, user.secret_key, method="post", poll_interval=0.05
            )
        )

    def find(self, name: str) -> dict[str, Any]:
        """Answer the VM of a name as CloudStack lists it."""
        answer = self.api.listVirtualMachines(listall=True, name=name)
        [vm] = [vm for vm in answer["virtualmachine"] if vm["name"] == name]
        return dict(vm)

    def stop(self, name: str) -> None:
        """Stop a VM, and wait until it has."""
        self.api.stopVirtualMachine(id=self.find(name)["id"], fetch_result=True)

    def start(self, name: str) -> None:
        """Start a VM, and wait until it has."""
        self.api.startVirtualMachine(id=self.find(name)["id"], fetch_result=True)

    def destroy(self, name: str) -> None:
        """Destroy a VM, and wait until it is; its owner is not shown it any more."""
        self.api.destroyVirtualMachine(id=self.find(name)["id"], fetch_result=True)

    def resize(self, name: str, offering: str) -> None:
        """Give a VM another offering, stopping and starting it."""
        offerings = self.api.listServiceOfferings()["serviceoffering"]
        [wanted] = [found["id"] for found in offerings if found["name"] == offering]
        vm = self.find(name)["id"]
        self.stop(name)
        self.api.scaleVirtualMachine(id=vm, serviceofferingid=wanted, fetch_result=True)
        self.start(name)

    def deploy_like(self, name: str) -> str:
        """Deploy another VM of the same name, in a network of its own; answer its id."""
        vm = self.find(name)
        offerings = self.api.listNetworkOfferings(guestiptype="Isolated", state="Enabled")
        network = self.api.createNetwork(
            name=f"{name}-twin",
            displaytext="twin",
            zoneid=vm["zoneid"],
            networkofferingid=offerings["networkoffering"][0]["id"],
        )["network"]["id"]
        made = self.api.deployVirtualMachine(
            name=name,
            zoneid=vm["zoneid"],
            serviceofferingid=vm["serviceofferingid"],
            templateid=vm["templateid"],
            networkids=network,
            fetch_result=True,
        )
        return str(made["virtualmachine"]["id"])
