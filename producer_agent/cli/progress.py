"""A progress bar on stderr where a person looks on, and nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn


class Bar(Protocol):
    """Moves the bar."""

    def __call__(self, done: float, told: str, total: float | None = None) -> None:
        """Show it at ``done`` of ``total``, with ``told`` behind it.

        Args:
            total: None leaves it as it is; while none was ever told the bar only moves.
        """


@contextmanager
def progress_bar(what: str, *, quiet: bool, total: float | None = None) -> Iterator[Bar]:
    """A bar while the block runs; gone after it.

    Args:
        what: Stands before the bar. Like all that is told it is shown as it is: escape what comes
            from elsewhere with :func:`output.visible`.
        quiet: Show none in any case.
    """
    if quiet or not (sys.stdout.isatty() and sys.stderr.isatty()):
        yield lambda done, told, total=None: None
        return
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[told]}", markup=False),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task(what, total=total, told="")

        def move(done: float, told: str, total: float | None = None) -> None:
            bar.update(task, completed=done, total=total, told=told)

        yield move
