"""Ending by a signal what a command runs, in order and with all that it has."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class Stop:
    """Who asked the run to end, from a signal handler, and how often."""

    reason: str = ""
    times: int = 0
    at_limit: bool = False
    """It was ended by us because it had reached its limit."""

    def ask(self, signal_name: str) -> None:
        """Note a signal."""
        self.reason = f"stopped by {signal_name}"
        self.times += 1

    @property
    def asked(self) -> bool:
        """Whether the run is to end."""
        return self.times > 0

    @property
    def impatient(self) -> bool:
        """Whether not even what comes after it is to be waited for."""
        return self.times > 1


@contextmanager
def stopping_on_signals() -> Iterator[Stop]:
    """SIGINT and SIGTERM end what runs, in order; whoever waits may take a second one for haste."""
    stop = Stop()

    def ask(number: int, _frame: object) -> None:
        stop.ask(signal.Signals(number).name)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
