"""The failures that end one sync of one parent, and are tried again."""


class SyncError(Exception):
    """A sync failed: an Event says so, and it is tried again later and later."""


class ThrottledError(Exception):
    """A hook asked to be called again later, which is no failure."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"asked to wait {seconds:g} s")
        self.seconds = seconds


class NotSyncedError(Exception):
    """An informer has not listed its objects yet: tried again, without an Event."""
