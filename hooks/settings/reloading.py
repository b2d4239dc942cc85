"""A file that is read again when it changes; a bad new content is refused."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")

#: Device, inode, size and change time of each file; they differ when a mounted Secret is swapped.
_Versions = tuple[tuple[int, ...], ...]

_log = logging.getLogger("hooks.settings")


class ReloadingFile(Generic[T]):
    """The content of one or several files, read again when one of them changes.

    The files are checked when their content is asked for, so nothing runs in between.

    Args:
        name: what logs and metrics call the files.
        paths: the files.
        read: reads them. Raises OSError or ValueError, with a text fit for the log.

    Raises:
        OSError, ValueError: the first content is bad.
    """

    def __init__(self, name: str, paths: tuple[str, ...], read: Callable[[], T]) -> None:
        self.name = name
        self._is_good = True
        self._paths = paths
        self._read = read
        self._lock = threading.Lock()
        self._versions = self._read_versions()
        self._content = read()

    def current(self) -> T:
        """Return the newest good content.

        A bad content is logged once, and the one before stays in use until the files change.
        """
        with self._lock:
            versions = self._read_versions()
            if versions != self._versions:
                self._versions = versions
                try:
                    self._content = self._read()
                except (OSError, ValueError) as error:
                    self._is_good = False
                    extra = {"file": self.name, "problem": str(error)}
                    _log.error("file refused, its former content stays in use", extra=extra)
                else:
                    self._is_good = True
                    _log.info("file read", extra={"file": self.name})
            return self._content

    def is_good(self) -> bool:
        """Return whether the newest content is in use."""
        self.current()
        return self._is_good

    def _read_versions(self) -> _Versions:
        return tuple(map(_version, self._paths))


def _version(path: str) -> tuple[int, ...]:
    try:
        status = Path(path).stat()
    except OSError:
        return ()
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
