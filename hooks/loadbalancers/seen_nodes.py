"""Remembers what a process has seen of the Nodes of VMs."""

from collections.abc import Iterable

from hooks.loadbalancers.instances import Instance
from hooks.loadbalancers.memory import LeastRecent

#: Of how many VMs the names of the Nodes are remembered, those that are gone among them.
MOST_NAMES = 20_000
#: Seconds for which a Node that is gone is not asked for again.
GONE_FOR = 60.0


class SeenNodes:
    """What a process has seen of the Nodes of VMs; losing it costs little."""

    def __init__(self) -> None:
        self._names = LeastRecent[str](MOST_NAMES)
        self._gone = LeastRecent[float](MOST_NAMES)

    def note(self, instances: Iterable[Instance]) -> None:
        """Note the Instances of a request: the Node's name need not be the VM's."""
        for each in instances:
            self._names.put(each.vm_id, each.name)
            self._gone.pop(each.vm_id)

    def name_of(self, vm_id: str) -> str | None:
        """Return the name of a VM's Node; None if none was seen."""
        return self._names.get(vm_id)

    def note_gone(self, vm_id: str, now: float) -> None:
        """Note that a VM has no Node, in monotonic seconds."""
        self._gone.put(vm_id, now)

    def is_gone(self, vm_id: str, now: float) -> bool:
        """Tell whether a VM had no Node a moment ago, so that it need not be asked for again."""
        since = self._gone.get(vm_id)
        return since is not None and now - since < GONE_FOR
