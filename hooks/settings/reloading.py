"""A file whose content is taken up anew when it changes; a bad new content is not."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")

#: Device, inode, size and change time of each file; they differ when a mounted Secret is swapped.
_Signature = tuple[tuple[int, ...] | None, ...]


#: Hears that a file was read: its name, and why its content was refused or None.
OnReload = Callable[[str, str | None], None]


class ReloadingFile(Generic[T]):
    """What one or several files say, read again when one of them changes.

    Files are looked at when their content is asked for, so that nothing runs in between.
    The first look always reads: they may have changed since `first` was read.

    Args:
        name: what the files are called in logs and metrics.
        paths: the files; `read` is called again when any of them changed.
        read: reads them. Raises OSError or ValueError, with a text fit for the log.
        first: what holds until then.
        told: hears of every time the files were read.
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
        """Answer the newest good content.

        A change that cannot be read is told once; what held before goes on holding until the
        files change again.
        """
        with self._lock:
            signature = self._look()
            if signature != self._signature:
                self._signature = signature
                try:
                    self._content = self._read()
                except (OSError, ValueError) as error:
                    self._on_reload(self._name, str(error))
                else:
                    self._on_reload(self._name, None)
            return self._content

    def _look(self) -> _Signature:
        return tuple(_signature(Path(path)) for path in self._paths)


def _signature(path: Path) -> tuple[int, ...] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
