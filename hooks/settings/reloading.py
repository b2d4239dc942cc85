"""A file that is read again when it changes; a bad new content is refused."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")

#: Device, inode, size and change time of each file; they differ when a mounted Secret is swapped.
_Signature = tuple[tuple[int, ...] | None, ...]
#: Called when a file was read: with its name, and why its content was refused or None.
OnReload = Callable[[str, str | None], None]


class ReloadingFile(Generic[T]):
    """The content of one or several files, read again when one of them changes.

    The files are checked when their content is asked for, so nothing runs in between. The first
    check always reads: they may have changed since `first` was read.

    Args:
        name: what logs and metrics call the files.
        paths: the files.
        read: reads them. Raises OSError or ValueError, with a text fit for the log.
        first: the content until then.
        on_reload: called each time the files were read.
    """

    def __init__(
        self,
        name: str,
        paths: tuple[str, ...],
        read: Callable[[], T],
        *,
        first: T,
        on_reload: OnReload,
    ) -> None:
        self._name = name
        self._paths = paths
        self._read = read
        self._on_reload = on_reload
        self._lock = threading.Lock()
        self._signature: _Signature = ()
        self._content = first

    def current(self) -> T:
        """Return the newest good content.

        A bad content is reported once, and the one before stays in use until the files change.
        """
        with self._lock:
            signature = tuple(_signature(Path(path)) for path in self._paths)
            if signature != self._signature:
                self._signature = signature
                try:
                    self._content = self._read()
                except (OSError, ValueError) as error:
                    self._on_reload(self._name, str(error))
                else:
                    self._on_reload(self._name, None)
            return self._content


def _signature(path: Path) -> tuple[int, ...] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
