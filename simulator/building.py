"""Makes and connects projects, VPCs, networks and VMs, for commands and for world files."""

from ipaddress import IPv4Address, IPv4Network

from simulator.errors import ApiError
from simulator.groups import SecurityGroup
from simulator.model import (
    Account,
    Address,
    InternalLoadBalancer,
    KubernetesCluster,
    LoadBalancerRule,
    Network,
    NetworkAclItem,
    NetworkAclList,
    NetworkOffering,
    Nic,
    Project,
    ServiceOffering,
    Template,
    User,
    VirtualMachine,
    Vpc,
    Zone,
)
from simulator.world import World

DEFAULT_CIDR = IPv4Network("10.1.1.0/24")
FIRST_VLAN = 100
DEFAULT_GROUP = "default"
SOURCE_STEP = 37  # between the addresses that internal load balancers get one after the other


def make_project(world: World, name: str, owner: Account, displaytext: str = "") -> Project:
    """Make a project and the account that owns its resources."""
    now = world.clock.now()
    project_id, number = world.identity("project", name)
    account_id, account_number = world.identity("account", f"project/{name}")
    account = world.accounts.add(
        Account(
            id=account_id,
            number=account_number,
            name=f"PrjAcct-{name}-{number}",
            created=now,
            role="Project",
            domain=owner.domain,
        )
    )
    account.project = Project(
        id=project_id,
        number=number,
        name=name,
        created=now,
        displaytext=displaytext or name,
        account=account,
        owner=owner,
        members=[owner],
    )
    return world.projects.add(account.project)


def make_vpc(world: World, name: str, owner: Account, zone: Zone, cidr: IPv4Network) -> Vpc:
    """Make a VPC, which takes an address for source NAT."""
    vpc_id, number = world.identity("vpc", name)
    vpc = world.vpcs.add(Vpc(vpc_id, number, name, world.clock.now(), owner, name, zone, cidr))
    take_source_nat(world, zone, owner, vpc)
    return vpc


def make_acl_list(
    world: World, name: str, vpc: Vpc | None, description: str | None = None
) -> NetworkAclList:
    """Make a list of network ACL items; one of no VPC is a default list."""
    kept_apart = name if vpc is None else f"{vpc.name}/{name}"
    acl_id, number = world.identity("acl", kept_apart)
    text = name if description is None else description
    return world.acl_lists.add(NetworkAclList(acl_id, number, name, world.clock.now(), text, vpc))


def make_acl_item(world: World, acl: NetworkAclList, position: int) -> NetworkAclItem:
    """Make an item that allows all ingress; callers set what differs."""
    item_id, number = world.identity("aclitem", f"{acl.id}/{position}")
    now = world.clock.now()
    return world.acl_items.add(NetworkAclItem(item_id, number, "", now, acl, position))


def make_group(
    world: World, name: str, owner: Account, description: str | None = None
) -> SecurityGroup:
    """Make a security group without rules."""
    group_id, number = world.identity("group", f"{owner.name}/{name}")
    now = world.clock.now()
    return world.groups.add(SecurityGroup(group_id, number, name, now, owner, description))


def default_group(world: World, owner: Account) -> SecurityGroup:
    """Return an account's group of VMs that ask for none; it is there with the account."""
    found = (each for each in world.groups if each.account is owner and each.name == DEFAULT_GROUP)
    text = "Default Security Group"
    return next(found, None) or make_group(world, DEFAULT_GROUP, owner, text)


def make_network(
    world: World, name: str, owner: Account, offering: NetworkOffering, zone: Zone
) -> Network:
    """Make a network with the usual range; callers set what differs."""
    network_id, number = world.identity("network", name)
    return world.networks.add(
        Network(
            id=network_id,
            number=number,
            name=name,
            created=world.clock.now(),
            account=owner,
            displaytext=name,
            zone=zone,
            offering=offering,
            cidr=DEFAULT_CIDR,
            vlan=FIRST_VLAN + number,
        )
    )


def implement(world: World, network: Network) -> None:
    """Implement a network for its first VM: it takes an address for source NAT, if it has none."""
    if network.state in ("Implemented", "Setup"):
        return
    network.state = "Implemented"
    if not lacks_source_nat(world, network):
        return
    take_source_nat(world, network.zone, network.account, network)


def take_source_nat(world: World, zone: Zone, owner: Account, place: Network | Vpc) -> None:
    """Give a network or a VPC the first free address of its zone, for source NAT."""
    free = next((a for a in world.addresses if a.state == "Free" and a.zone is zone), None)
    if free is None:
        raise ApiError(533, "Insufficient address capacity")
    allocate(world, free, owner, place)
    free.state, free.source_nat = "Allocated", True


def lacks_source_nat(world: World, network: Network) -> bool:
    """Tell whether a network's first address is still to become its source NAT address.

    A tier has none of its own: that of its VPC serves it.
    """
    if network.vpc is not None or "SourceNat" not in network.offering.services:
        return False
    return not any(a.source_nat for a in world.addresses if a.network is network)


def allocate(world: World, address: Address, owner: Account, place: Network | Vpc | None) -> None:
    """Give a free address to an account, for one of its networks or VPCs."""
    address.state = "Allocating"
    address.account = owner
    address.network = place if isinstance(place, Network) else None
    address.vpc = place if isinstance(place, Vpc) else None
    address.allocated = world.clock.now()


def release(world: World, address: Address) -> None:
    """Free an address, and clear everything of its user; before 4.18, its tags stay."""
    address.state, address.source_nat = "Free", False
    address.account, address.network, address.vpc, address.vm = None, None, None, None
    address.guest = ""
    address.allocated = 0.0
    if world.version >= (4, 18):
        address.tags.clear()


def remove_rule(world: World, rule: LoadBalancerRule) -> None:
    """Remove a load balancer rule with its policies; the server keeps its tags."""
    world.rules.remove(rule)
    for policy in rule.policies:
        world.policies.remove(policy)
    if rule.tags:
        world.tagged_remains.add(rule)
    if isinstance(rule, InternalLoadBalancer):
        leave_internal(world, rule.address)
    leave_tier(world, rule.address)


def leave_tier(world: World, address: Address) -> None:
    """Let a VPC's address without rules leave the tier: the next rule may be for another one."""
    if address.vpc is None:
        return
    if not any(each.address is address for each in (*world.rules, *world.forwarding_rules)):
        address.network = None


def take_internal(world: World, network: Network, index: int | None = None) -> Address:
    """Take an address of a network's range for internal load balancers; by default, any free one.

    A real server chooses at random, so the one that was given back is seldom the next.
    """
    count = network.cidr.num_addresses
    address_id, number = world.identity("internal", f"{network.name}/{world.number('source')}")
    if index is None:
        first = SOURCE_STEP * number % count
        places = (place % count for place in range(first, first + count))
        index = next((place for place in places if is_free(network, place)), 0)
    if not is_free(network, index):
        raise ApiError(
            533,
            f'Unable to acquire IP address for network Network {{"id": {network.number}, '
            f'"name": "{network.name}", "uuid": "{network.id}", '
            f'"networkofferingid": {network.offering.number}}}',
        )
    network.used.add(index)
    name, now = str(network.cidr[index]), world.clock.now()
    return Address(address_id, number, name, now, network.zone, network=network)


def is_free(network: Network, index: int) -> bool:
    """Tell whether an address of a network's range is nobody's: the first one is the gateway's."""
    return 1 < index < network.cidr.num_addresses - 1 and index not in network.used


def leave_internal(world: World, address: Address) -> None:
    """Free the address of internal load balancers after the last of them."""
    network = address.network
    if network is None or any(each.address is address for each in world.rules):
        return
    index = int(IPv4Address(address.name)) - int(network.cidr[0])
    network.used.discard(index)
    network.lowest_free = min(network.lowest_free, index)


def make_vm(
    world: World, name: str, user: User, offering: ServiceOffering, template: Template
) -> VirtualMachine:
    """Make a VM without NICs in the first zone; callers set what differs."""
    now = world.clock.now()
    vm_id, number = world.identity("vm", name)
    return world.vms.add(
        VirtualMachine(
            id=vm_id,
            number=number,
            name=name,
            created=now,
            account=user.account,
            displayname=name,
            user=user,
            zone=next(iter(world.zones)),
            offering=offering,
            template=template,
            host=world.identity("host", f"host-{number % 3}")[0],
            updated=now,
        )
    )


def make_cluster(world: World, name: str, owner: Account, network: Network) -> KubernetesCluster:
    """Make a Kubernetes cluster without VMs in a network; callers set what differs."""
    cluster_id, number = world.identity("kubernetescluster", name)
    now = world.clock.now()
    cluster = KubernetesCluster(cluster_id, number, name, now, owner, network.zone, network)
    return world.clusters.add(cluster)


def plug(world: World, vm: VirtualMachine, network: Network) -> Nic:
    """Add a NIC to a VM, with the next free address of a network."""
    index = network.lowest_free
    while index in network.used:
        index += 1
    if index >= network.cidr.num_addresses - 1:
        raise ApiError(533, f"Insufficient address capacity in network {network.name}")
    network.used.add(index)
    network.lowest_free = index + 1
    nic_id, number = world.identity("nic", f"{vm.id}/{network.id}")
    nic = Nic(
        id=nic_id,
        number=number,
        name="",
        created=world.clock.now(),
        network=network,
        ipaddress=str(network.cidr[index]),
        ip6address=None,
        macaddress="02:01:" + ":".join(f"{byte:02x}" for byte in number.to_bytes(4)),
        default=not vm.nics,
    )
    vm.nics.append(nic)
    return nic


def unplug(nic: Nic) -> None:
    """Free a NIC's address."""
    network = nic.network
    index = int(IPv4Address(nic.ipaddress)) - int(network.cidr[0])
    network.used.discard(index)
    network.lowest_free = min(network.lowest_free, index)
