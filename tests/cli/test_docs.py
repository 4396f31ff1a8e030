"""docs/cli.md tells of every command and option there is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from producer_agent.cli.main import app

DOCS = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with its words."""
    below = getattr(command, "commands", None)
    if below is None:
        yield path, command
        return
    for name, child in below.items():
        yield from commands(child, (*path, name))


COMMANDS = dict(commands(typer.main.get_command(app)))


def section_of(path: tuple[str, ...]) -> str:
    heading = re.escape(" ".join(("producer_agent", *path)))
    found = re.search(rf"^#+ {heading}\n(.*?)(?=^#|\Z)", DOCS, re.MULTILINE | re.DOTALL)
    assert found is not None, f"docs/cli.md has no section {' '.join(path)}"
    return found[1]


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_has_a_section_with_every_option_in_it(path: tuple[str, ...]) -> None:
    section = section_of(path)
    for parameter in COMMANDS[path].params:
        if getattr(parameter, "hidden", False) or parameter.name == "help":
            continue
        for option in parameter.opts if parameter.param_type_name == "option" else ():
            assert re.search(rf"`{option}\b", section), f"{option} is missing in {' '.join(path)}"


def test_no_section_tells_of_a_command_that_is_gone() -> None:
    told = {tuple(line.split()) for line in re.findall(r"^#+ producer_agent (.*)$", DOCS, re.M)}
    assert told == set(COMMANDS)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_help_says_what_each_exit_code_means(path: tuple[str, ...]) -> None:
    assert "Exit codes:" in COMMANDS[path].help


def test_every_example_of_json_can_be_read() -> None:
    examples = re.findall(r"```json\n(.*?)```", DOCS, re.DOTALL)
    assert len(examples) >= 10
    for example in examples:
        json.loads(example)


def keys_of(document: Any) -> Any:
    """The shape of a document: its keys, all the way down; lists by their first entry."""
    if isinstance(document, dict):
        return {name: keys_of(value) for name, value in document.items()}
    if isinstance(document, list):
        return [keys_of(entry) for entry in document[:1]]
    return None


def example(*path: str) -> Any:
    """The example of a command's JSON."""
    found = re.search(r"```json\n(.*?)```", section_of(path), re.DOTALL)
    assert found is not None
    return json.loads(found[1])
