"""Stands in for the agent: takes commands from the database and answers each at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from producer_agent.store import commands
from producer_agent.store.commands import CommandRow
from producer_agent.store.database import open_database

Answer = Callable[[Database, CommandRow], dict[str, Any]]
"""The command's result; what it raises is the command's failure."""


@contextmanager
def answering(path: Path, answer: Answer) -> Iterator[list[CommandRow]]:
    """Answer commands while the block runs; yields the list of those that were taken."""
    taken: list[CommandRow] = []
    done = threading.Event()

    def serve() -> None:
        db = open_database(path)
        try:
            while not done.is_set():
                with db.atomic():
                    command = commands.take(db)
                if command is None:
                    done.wait(0.01)
                    continue
                taken.append(command)
                try:
                    state, result = "done", answer(db, command)
                except ValueError as error:
                    state, result = "failed", {"error": str(error)}
                with db.atomic():
                    commands.settle(db, command.id, state, result)
        finally:
            db.close()

    thread = threading.Thread(target=serve, name="stand-in-agent")
    thread.start()
    try:
        yield taken
    finally:
        done.set()
        thread.join()


def acknowledge(_db: Database, _command: CommandRow) -> dict[str, Any]:
    """An answer without content."""
    return {}
