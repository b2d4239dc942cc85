"""What a simulated CloudStack has of load balancers, read past its API."""

from hooks.http.bounded_json import Json
from simulator.server import Simulator


class Holdings:
    """What a CloudStack has, and what was done to it.

    Attributes:
        simulator: the CloudStack.
    """

    simulator: Simulator

    def state(self) -> Json:
        return self.simulator.control.state()

    def rules(self, name: str = "") -> list[Json]:
        """Return the load balancer rules whose names begin with a text."""
        return [each for each in self.state()["loadbalancerrules"] if each["name"].startswith(name)]

    def addresses(self) -> list[Json]:
        """Return the acquired addresses, except the source NAT ones."""
        return [
            each
            for each in self.state()["addresses"]
            if not each["sourcenat"] and each["state"] != "Reserved"
        ]

    def firewall(self) -> list[tuple[str, int, int, tuple[str, ...]]]:
        """Return what the firewall admits, sorted."""
        return sorted(
            (each["protocol"], each["startport"], each["endport"], tuple(each["cidrlist"]))
            for each in self.state()["firewallrules"]
        )

    def writes(self) -> dict[str, int]:
        """Return the number of calls of each command that is neither a list nor a poll."""
        return {
            command: count
            for command, count in self.simulator.control.counts().items()
            if not command.startswith(("list", "query"))
        }

    def network(self, name: str) -> str:
        return str(next(each["id"] for each in self.state()["networks"] if each["name"] == name))

    def remains(self) -> Json:
        """Return everything that is left of load balancers; nothing if all is well."""
        state = self.state()
        return {
            "addresses": [each["ipaddress"] for each in self.addresses()],
            "rules": [
                each["name"]
                for kind in ("loadbalancerrules", "loadbalancers")
                for each in state[kind]
            ],
            "firewall": self.firewall(),
            "items": [each for each in self.items() if each["tags"] or each["reason"]],
            "certificates": [each["name"] for each in state["certificates"]],
            "tags": [
                each["tags"]
                for kind in ("addresses", "loadbalancerrules", "loadbalancers", "firewallrules")
                for each in state[kind]
                if each["tags"]
            ],
        }

    def items(self) -> list[Json]:
        """Return the items of all network ACL lists, each with the name of its list."""
        return [
            {**item, "list": each["name"]}
            for each in self.state()["networkacllists"]
            for item in each["items"]
        ]
