"""Names the answers to the question whose something in CloudStack is; ownership.py decides."""

from enum import Enum, auto


class Whose(Enum):
    """Whose a resource is, by its mark.

    Attributes:
        OURS: all four tags are ours, or it is a shared address that the Service uses.
        INHERITED: of a Service of our cluster, namespace and name under another UID, or without
            one: ours if the Service that lives now has our UID.
        FROM_TAKEOVER: of our namespace and name in the cluster that the Service takes over from.
        SHARED: an address of the share that the Service asks for, which it does not use yet.
        FOREIGN_CLUSTER: another cluster's.
        OTHER: another Service's, or of a share that the Service has no part in.
        PARTLY: some of our tags, and none that differs.
        UNMARKED: none of them.
    """

    OURS = auto()
    INHERITED = auto()
    FROM_TAKEOVER = auto()
    SHARED = auto()
    FOREIGN_CLUSTER = auto()
    OTHER = auto()
    PARTLY = auto()
    UNMARKED = auto()


#: Whose a resource is that nobody has, as far as its mark says.
NOBODYS = (Whose.UNMARKED, Whose.PARTLY)
