"""What the tags of an address say that several Services share: which share it is, and who uses it.

The mark of a shared address names cluster, namespace and share. Each Service that uses it adds a
tag of its own, so any of them comes and goes without a change of the others' tags.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hooks import names
from hooks.cloudstack.models.network import PublicIpAddress
from hooks.cloudstack.models.tags import Tag
from hooks.loadbalancers.plan.whose import Whose

#: Keys of the mark of a shared address, beside the tags of its users.
SHARE_KEYS = (names.TAG_CLUSTER, names.TAG_NAMESPACE, names.TAG_SHARE)
#: Keys that only an address of one Service has.
_OF_ONE_SERVICE = (names.TAG_SERVICE, names.TAG_SERVICE_UID)


@dataclass(frozen=True, slots=True)
class Share:
    """A share, as the tags of an address have it; what is missing is empty.

    Attributes:
        name: of the share.
        users: the names of the Services that use the address, by their UIDs.
    """

    cluster: str
    namespace: str
    name: str
    users: Mapping[str, str]

    @classmethod
    def read(cls, tags: Iterable[Tag]) -> "Share | None":
        """Read the tags of a resource; None if it is no shared address.

        The tag of a user alone makes none: it may have been written late, after the address was
        released and became another's.
        """
        found = {tag.key: tag.value for tag in tags}
        users = {
            key.removeprefix(names.TAG_USER_PREFIX): text
            for key, text in found.items()
            if key.startswith(names.TAG_USER_PREFIX)
        }
        cluster, namespace, name = (found.get(key, "") for key in SHARE_KEYS)
        lost_name = (cluster or namespace) and users
        if not name and not (lost_name and found.keys().isdisjoint(_OF_ONE_SERVICE)):
            return None
        return cls(cluster, namespace, name, users)

    def whose(self, cluster: str, namespace: str, name: str, uid: str) -> Whose:
        """Tell whose the address is for a Service that asks for a share by this name, or none."""
        if self.cluster not in ("", cluster):
            return Whose.FOREIGN_CLUSTER
        if self.namespace not in ("", namespace):
            return Whose.OTHER
        if self.name not in ("", name) and uid not in self.users:
            return Whose.OTHER
        if not (self.cluster and self.namespace and self.name):
            return Whose.PARTLY
        return Whose.OURS if uid in self.users else Whose.SHARED


def share_order(address: PublicIpAddress) -> tuple[bool, float, str]:
    """Return what sorts the addresses of one share: those with users, then as they were allocated.

    All times are of CloudStack.
    """
    share, allocated_at = Share.read(address.tags), address.allocated_at
    has_users = share is not None and bool(share.users)
    return not has_users, allocated_at or 0.0, address.ip_address


def share_of(tags: Iterable[Tag], wanted: str) -> str:
    """Return the share that the mark of an address names, else the wanted one; empty for none.

    A mark that names one Service names no share.
    """
    tags = tuple(tags)
    if share := Share.read(tags):
        return share.name or wanted
    return "" if any(tag.key in _OF_ONE_SERVICE for tag in tags) else wanted


def describe(tags: Iterable[Tag]) -> str:
    """Name what the mark of a resource names: a Service or a share, and the cluster."""
    tags = tuple(tags)
    found = {tag.key: tag.value for tag in tags}
    namespace = found.get(names.TAG_NAMESPACE, "")
    text = f"Service {namespace}/{found.get(names.TAG_SERVICE, '')}"
    if share := Share.read(tags):
        users = ", ".join(sorted(share.users.values())) or "no Service"
        text = f"share {namespace}/{share.name}, used by {users},"
    cluster = found.get(names.TAG_CLUSTER, "")
    return f"{text} of cluster {cluster}" if cluster else text


def is_tag_of_ours(tag: Tag) -> bool:
    """Tell whether a tag is of a kind that only these hooks write, of this version or another."""
    return tag.key.startswith(f"{names.CLOUDSTACK_GROUP}/")


def user_key(uid: str) -> str:
    """Return the key of the tag that a user of a shared address adds; its value is the name."""
    return names.TAG_USER_PREFIX + uid


def opening_key(uid: str) -> str:
    """Return the key of the tag that shows which firewall rule a user is making."""
    return f"{names.TAG_OPENING}-{uid}"
