"""Looks in another process of Python for texts, in every object that is alive there.

That process has a `sitecustomize` which imports this module, and answers a signal: gunicorn leaves
this one alone. What it is asked for is written backwards, so that asking alone brings it nowhere.
"""

import gc
import io
import json
import os
import signal
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import FrameType

from tests.controlplane.polling import until

_VARIABLE = "LIVE_OBJECTS"
_SIGNAL = signal.SIGRTMIN
#: The class of private keys in `cryptography`, as a text: a process that has none imports nothing.
PRIVATE_KEY = "RSAPrivateKey"


def prepare(folder: Path, path: Path) -> Mapping[str, str]:
    """Return the environment of a process that can be looked into; `path` is its PYTHONPATH."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text("import tests.e2e.live_objects\n")
    return {_VARIABLE: str(folder), "PYTHONPATH": os.pathsep.join((str(folder), str(path)))}


def found_in(pid: int, folder: Path, texts: Collection[str]) -> set[str]:
    """Return the texts that a prepared process has in any object that is alive.

    PRIVATE_KEY is among them if there is a private key, asked for or not.
    """
    answer = folder / "found.json"
    answer.unlink(missing_ok=True)
    (folder / "wanted.json").write_text(json.dumps([text[::-1] for text in texts]))
    os.kill(pid, _SIGNAL)
    until(answer.exists, "the process has looked at its objects", within=120)
    return {text[::-1] for text in json.loads(answer.read_text())}


def child_of(pid: int) -> int:
    """Return the id of the only child of a process: of gunicorn's worker."""
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


def _answer(number: int, frame: FrameType | None) -> None:
    del number, frame
    folder = Path(os.environ[_VARIABLE])
    wanted: list[str] = json.loads((folder / "wanted.json").read_text())
    gc.collect()
    found = set()
    for alive in _alive():
        if type(alive).__name__ == PRIVATE_KEY:
            found.add(PRIVATE_KEY[::-1])
        backwards = _text(alive)[::-1]
        found |= {each for each in wanted if each in backwards}
    written = folder / "found.new"
    written.write_text(json.dumps(sorted(found)))
    written.rename(folder / "found.json")


def _alive() -> Iterator[object]:
    """Yield every object that can be reached: of the collector, and of each thread's calls."""
    waiting: list[object] = [*gc.get_objects(), *sys._current_frames().values()]
    seen = {id(waiting)}
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        waiting.extend(gc.get_referents(one))
        yield one


def _text(one: object) -> str:
    """Return what an object holds itself as text, if that may be one."""
    match one:
        case str():
            return one
        case bytes() | bytearray():
            return one.decode("latin-1")
        case memoryview():
            return one.tobytes().decode("latin-1")
        case io.BytesIO() if not one.closed:
            return one.getvalue().decode("latin-1")
    return ""


if _VARIABLE in os.environ:
    signal.signal(_SIGNAL, _answer)
