"""The reference page is made from the commands, and as new as they are."""

from simulator.reference import PAGE, render
from simulator.registry import REGISTRY


def test_the_page_is_not_stale() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run: python -m simulator.reference"


def test_every_command_has_a_row_with_its_sentence() -> None:
    page = render()
    for name, command in REGISTRY.items():
        assert f"| `{name}`" in page
        assert command.summary.endswith(".")
        assert command.summary in page


def test_asynchronous_commands_name_the_class_of_their_jobs() -> None:
    for command in REGISTRY.values():
        assert command.java.endswith("Cmd") is command.asynchronous
