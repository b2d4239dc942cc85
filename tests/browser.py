"""A real Chromium, driven by its DevTools protocol: what a page loads, says and looks like."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import websocket

from tests.controlplane.polling import PATIENCE, until
from tests.controlplane.processes import Process

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
#: What Chromium prints its address behind.
LISTENS = "DevTools listening on "


def program() -> str | None:
    """Return a Chromium of this machine, if there is one."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


class Page:
    """A tab.

    Attributes:
        events: what the protocol has told of it, in order.
    """

    def __init__(self, socket: websocket.WebSocket, session: str) -> None:
        self.events: list[dict[str, Any]] = []
        self._socket = socket
        self._session = session
        self._number = 1000

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol, and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        while True:
            answer: dict[str, Any] = json.loads(self._socket.recv())
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def open(self, url: str, *, width: int, dark: bool = False) -> None:
        """Show a page at a width, and wait until all of it is there."""
        self.events.clear()
        for domain in ("Page", "Network", "Runtime", "Log", "Accessibility"):
            self.call(f"{domain}.enable")
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=url)
        state = "document.readyState + ' ' + location.href"
        until(lambda: self.evaluate(state) == f"complete {url}", f"{url} is there")

    def evaluate(self, expression: str) -> Any:
        """Return what a JavaScript expression is; the page's own policy does not hold for it."""
        said = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    def told(self, *methods: str) -> list[dict[str, Any]]:
        """Return the parameters of events that came so far."""
        self.evaluate("1")
        return [each["params"] for each in self.events if each.get("method") in methods]


@contextmanager
def running(folder: Path) -> Iterator[Page]:
    """Start Chromium, with a profile of its own and no connection of its own."""
    chromium = program()
    assert chromium
    command = [
        chromium,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
    ]
    command += ["--remote-debugging-port=0", "--no-first-run", "--disable-background-networking"]
    command += [f"--user-data-dir={folder / 'profile'}", "about:blank"]
    process = Process("chromium", command, folder / "chromium.log")
    process.start()
    try:
        [address] = until(lambda: _address(process), "Chromium listens")
        socket = websocket.create_connection(address, timeout=PATIENCE, suppress_origin=True)
        try:
            browser = Page(socket, "")
            target = browser.call("Target.createTarget", url="about:blank")["targetId"]
            attached = browser.call("Target.attachToTarget", targetId=target, flatten=True)
            yield Page(socket, attached["sessionId"])
        finally:
            socket.close()
    finally:
        process.stop()


def _address(process: Process) -> list[str]:
    process.check()
    lines = process.log.read_text(errors="replace").splitlines()
    return [line.removeprefix(LISTENS) for line in lines if line.startswith(LISTENS)]
