"""Makes the simulator's reference page from its commands and from `reference.md`."""

import sys
from pathlib import Path

from simulator import commands  # noqa: F401 - imported for what it registers
from simulator.call import Command
from simulator.parameters import ENVELOPE, PAGING, Parameter, Version
from simulator.registry import ADMIN_ONLY, REGISTRY

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "simulator.md"
HEAD = Path(__file__).with_suffix(".md")
PAGED = frozenset(word.split(":")[0] for word in PAGING.split())


def render() -> str:
    """Return the whole page."""
    head = HEAD.read_text(encoding="utf-8")
    head = head.replace("{envelope}", ", ".join(f"`{name}`" for name in sorted(ENVELOPE)))
    head = head.replace("{paging}", ", ".join(f"`{name}`" for name in sorted(PAGED)))
    rows = [render_row(REGISTRY[name]) for name in sorted(REGISTRY)]
    known = ", ".join(f"`{name}`" for name in sorted(ADMIN_ONLY))
    tail = f"\nOnly administrators may call these; ordinary users get 432: {known}.\n"
    return head + "\n".join(rows) + "\n" + tail


def render_row(command: Command) -> str:
    """Return a command's row."""
    shown = [
        render_parameter(parameter)
        for parameter in command.parameters.values()
        if not (command.listing and parameter.name in PAGED)
    ]
    since = f" (since {render_version(command.since)})" if command.since else ""
    how = "a job" if command.asynchronous else "at once"
    return f"| `{command.name}`{since} | {command.summary} | {how} | {' '.join(shown) or '-'} |"


def render_parameter(parameter: Parameter) -> str:
    """Return a parameter with its marks."""
    marks = ("+" if parameter.many else "") + ("!" if parameter.required else "")
    since = f"@{render_version(parameter.since)}" if parameter.since else ""
    return f"`{parameter.name}{marks}{since}`"


def render_version(version: Version) -> str:
    """Return a version as it is written."""
    return ".".join(map(str, version))


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(render(), encoding="utf-8")
    sys.exit(0)
