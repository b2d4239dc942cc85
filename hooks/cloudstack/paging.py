"""Puts a list together from its pages, and notices when it changed on the way.

Pages are places in a list that goes on changing. Where something went away between two of them,
something else slipped from the second to the first, unseen: the count got smaller. Where
something came, another may be seen twice, and the newcomer not at all.
"""

from hooks.cloudstack.models import Answer

#: The most that CloudStack lists at once.
PAGE_SIZE = 500


class Pages:
    """A list as far as it is read.

    Attributes:
        rows: what was listed, in order.
        changed: the pages are not of one list; the rows are of no use.
        complete: there is no further page.
    """

    def __init__(self) -> None:
        self.rows: list[Answer] = []
        self.changed = False
        self.complete = False
        self._ids: set[str] = set()
        self._count = 0

    def add(self, listed: list[Answer], count: object) -> None:
        """Add a page; `count` is how many the server says there are in all, if it does."""
        ids = [str(row["id"]) for row in listed if "id" in row]
        twice = not self._ids.isdisjoint(ids)
        self._ids.update(ids)
        self.rows += listed
        told = count if isinstance(count, int) else self._count
        last = len(listed) < PAGE_SIZE
        self.complete = last or (told > 0 and len(self.rows) >= told)
        self.changed = twice or told < self._count or (last and len(self.rows) < told)
        self._count = told
