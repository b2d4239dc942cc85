"""The commands of the pages that need nothing but `make run`, carried out as they stand there."""

import http.client
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.controlplane.polling import PATIENCE, until
from tests.controlplane.processes import Process
from tests.documented.pages import PAGES, PROJECT, Block, blocks, named
from tests.documented.runs import on_this_machine
from tests.documented.shell import commands
from tests.integration.test_run import launcher

#: The content type that curl sends with data by default.
FORM = "application/x-www-form-urlencoded"
BLOCKS = [
    block
    for page in PAGES
    for block in blocks(page, "sh")
    if not block.reason and on_this_machine(block) and "curl" in block.code
]
DEFAULT_HOOKS = ""


def hooks_of(block: Block) -> str:
    """Return what a block's `make run` serves."""
    found = re.findall(r"HOOKS=(\S+) make run", block.code)
    return found[0] if found else DEFAULT_HOOKS


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Process]]:
    """Start what `make run` starts, once for each choice of hooks."""
    started = {}
    try:
        for hooks in sorted({hooks_of(block) for block in BLOCKS}):
            folder = tmp_path_factory.mktemp("run")
            started[hooks] = launcher(folder, {"HOOKS": hooks} if hooks else {})
            started[hooks].start()
        for process in started.values():
            until(lambda process=process: ready(process), "the hooks answer")  # type: ignore[misc]
        yield started
    finally:
        for process in started.values():
            process.stop()


def ready(process: Process) -> bool:
    process.check()
    return "curl " in process.log.read_text()


def test_there_are_such_blocks() -> None:
    pages = {named(block.page) for block in BLOCKS}
    assert {"README.md", "docs/tutorials/first-answer.md", "examples/01-node/README.md"} <= pages


def test_make_run_is_what_is_started_here() -> None:
    makefile = (PROJECT / "Makefile").read_text()
    assert re.search(r"^run: .*\n\t\$\(BIN\)/python -m tools\.run$", makefile, re.MULTILINE)


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_the_commands_are_answered(block: Block, services: dict[str, Process]) -> None:
    process = services[hooks_of(block)]
    for command in commands(block.code):
        if command.program == "curl":
            code, answer = carry_out(command.arguments, process)
            # A page that shows a mistake has it in the command itself, not in a file.
            mistake = "--data" in command.arguments and "@" not in "".join(command.arguments)
            assert code == (400 if mistake else 200), command
            assert not mistake or json.loads(answer)["field"]


def carry_out(arguments: tuple[str, ...], process: Process) -> tuple[int, bytes]:
    """Do what curl does, at the ports that are used here; fail at an argument that is not known."""
    ports = {
        "8080": process.environment["PORT"],
        "8383": process.environment["METRICS_PORT"],
        "8090": process.environment["SIMULATOR_PORT"],
        "8091": process.environment["API_SERVER_PORT"],
    }
    headers, body, url = {}, None, ""
    rest = iter(arguments)
    for argument in rest:
        match argument:
            case "-sS":
                pass
            case "-H":
                name, _, value = next(rest).partition(": ")
                headers[name] = value
            case "--data":
                body = read(next(rest))
                headers.setdefault("Content-Type", FORM)
            case _ if argument.startswith("http://127.0.0.1:"):
                url = argument
            case _:
                raise NotImplementedError(f"curl {shlex.join(arguments)}: {argument}")
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(
        "127.0.0.1", int(ports[str(parts.port)]), timeout=PATIENCE
    )
    try:
        connection.request("POST" if body else "GET", parts.path, body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def read(data: str) -> bytes:
    """Read what --data names, or is."""
    return (PROJECT / Path(data[1:])).read_bytes() if data.startswith("@") else data.encode()
