"""How fast a plan goes: its ramp, its rate, and when it stops by itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from producer_agent.replay.options import PlanOptions

BATCH_RECORDS = 5_000
"""The commit of a transaction costs some ten milliseconds however much it carries, so batches are
large where nothing asks for small ones; see docs/benchmarks.md."""

LATEST_LOOK_S = 0.25
"""How long a wait lasts at most before somebody looks again."""


class Pacing:
    """Decides how many records go next, and when.

    Args:
        options: Ramp, rate, and the share that may come back.
        sent, back: Of the plan so far.
        judged_from: Records sent and come back when somebody told a plan that had stopped by
            itself to go on: it is judged by what comes from then on.
        halt: Set when somebody wants something else of the plan.
    """

    def __init__(
        self,
        options: PlanOptions,
        sent: int,
        back: int,
        judged_from: tuple[int, int],
        halt: threading.Event,
    ) -> None:
        self._options = options
        self._halt = halt
        self._sent_before, self._back_before = judged_from
        self._sent, self._back = sent, back
        steps, total = [], 0
        for step in options.ramp:
            total += step
            steps.append(total)
        self._steps = [step for step in steps if step > sent]
        self._due_s = time.monotonic()
        self._step_ends_s: float | None = None

    @property
    def is_free(self) -> bool:
        """Nothing holds it back: no step to watch, no rate to keep."""
        return not self._steps and self._step_ends_s is None and self._options.rate_per_s is None

    def next_batch(self) -> int:
        """How many records may go next."""
        most = BATCH_RECORDS
        if self._steps:
            most = min(most, self._steps[0] - self._sent)
        if self._options.rate_per_s is not None:
            most = min(most, max(1, int(self._options.rate_per_s / 2)))
        return max(1, most)

    def wait(
        self, records: int, back: Callable[[], int], tell: Callable[[str | None], None]
    ) -> None:
        """Wait until the next ``records`` may go; ends early when somebody wants something else,
        or when too many came back."""
        while self._step_ends_s is not None:
            left_s = self._step_ends_s - time.monotonic()
            self._back = back()
            if left_s <= 0 or self.stop_reason() is not None:
                self._step_ends_s = None
                break
            tell(f"{self._sent:,} sent; watching {left_s:.0f} s for records that come back")
            if self._halt.wait(min(left_s, LATEST_LOOK_S)):
                return
        if self._options.rate_per_s is None:
            return
        # Never faster to make up for time that was lost: a burst is what a rate is to prevent.
        self._due_s = max(self._due_s, time.monotonic() - 0.5)
        while (left_s := self._due_s - time.monotonic()) > 0:
            if self._halt.wait(min(left_s, LATEST_LOOK_S)):
                return
        self._due_s += records / self._options.rate_per_s

    def sent(self, records: int, back: int) -> None:
        """Note what landed, and how many of the plan came back so far."""
        self._sent += records
        self._back = back
        if self._steps and self._sent >= self._steps[0]:
            self._steps.pop(0)
            self._step_ends_s = time.monotonic() + self._options.ramp_wait_s

    def finish(self, back: Callable[[], int]) -> None:
        """Nothing is left; a ramp longer than the plan is not watched any further."""
        self._back = back()

    def stop_reason(self) -> str | None:
        """Why the plan is to stop by itself, or None."""
        share = self._options.stop_share
        sent, back = self._sent - self._sent_before, self._back - self._back_before
        if share is None or sent <= 0 or back <= 0 or back / sent < share:
            return None
        return (
            f"{back:,} of {sent:,} records came back as dead letters, and it was to stop at "
            f"{share:.0%}"
        )

    def words(self) -> str:
        """For people."""
        return f"{self._sent:,} sent" + (f", {self._back:,} came back" if self._back else "")
