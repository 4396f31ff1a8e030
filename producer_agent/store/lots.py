"""Packed lots: thousands of delivery reports in one row of ``delivery_lots``.

One SQLite row a report costs more than Kafka's own client does (the row binding holds the
interpreter's lock), so reports are kept as columns of a lot: 24 bytes an event, written with one
statement. The view ``deliveries`` unfolds them for plain SQL; :func:`unpack` does it for Python.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

LOT_CAPACITY = 512
"""Most events in one row of ``delivery_lots``: what the ``deliveries`` view can unfold."""

REPORT_WIDTH = 5
"""Numbers a report has: sequence, sent (us), partition, offset or -1, latency (s)."""

_MOST = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Reports:
    """Columns of delivery reports, all of one length, in the order of their arrival."""

    sequences: npt.NDArray[np.int64]
    sent_us: npt.NDArray[np.int64]
    partitions: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]
    """-1 where the report told none."""
    latencies_us: npt.NDArray[np.int64]
    """Clamped to 2**32 - 1: 71 minutes."""

    def __len__(self) -> int:
        return len(self.sequences)

    def __getitem__(self, at: slice) -> Reports:
        return Reports(
            self.sequences[at],
            self.sent_us[at],
            self.partitions[at],
            self.offsets[at],
            self.latencies_us[at],
        )

    @property
    def reported_us(self) -> npt.NDArray[np.int64]:
        """When each report was served: sent plus latency."""
        return self.sent_us + self.latencies_us


def from_flat(flat: array[float]) -> Reports:
    """Columns out of ``REPORT_WIDTH`` doubles a report, as the delivery callback lays them down.

    A double holds every whole number up to 2**53: enough for offsets and microseconds.
    """
    table = np.frombuffer(flat, dtype=np.float64).reshape(-1, REPORT_WIDTH)
    whole = table[:, :4].astype(np.int64)
    latencies = np.rint(table[:, 4] * 1e6).astype(np.int64)
    return Reports(whole[:, 0], whole[:, 1], whole[:, 2], whole[:, 3], np.clip(latencies, 0, _MOST))


def pack(
    run: int, outcome: str, reports: Reports, topic: str | None = None
) -> Iterator[tuple[Any, ...]]:
    """Rows for ``delivery_lots`` (without id), each within capacity and its columns' range.

    Args:
        topic: Where they were sent; None: to the run's own topic.
    """
    for start in range(0, len(reports), LOT_CAPACITY):
        yield from _pack_one(run, outcome, reports[start : start + LOT_CAPACITY], topic)


def _pack_one(
    run: int, outcome: str, reports: Reports, topic: str | None
) -> Iterator[tuple[Any, ...]]:
    first, last = int(reports.sequences.min()), int(reports.sequences.max())
    sent, sent_last = int(reports.sent_us.min()), int(reports.sent_us.max())
    if last - first > _MOST or sent_last - sent > _MOST:
        # Reports 71 minutes apart met in one lot (a very long delivery.timeout.ms): split it.
        half = len(reports) // 2
        yield from _pack_one(run, outcome, reports[:half], topic)
        yield from _pack_one(run, outcome, reports[half:], topic)
        return
    yield (
        run,
        outcome,
        len(reports),
        first,
        last,
        sent,
        int(reports.reported_us.max()),
        (reports.sequences - first).astype("<u4").tobytes(),
        (reports.sent_us - sent).astype("<u4").tobytes(),
        reports.partitions.astype("<u4").tobytes(),
        (reports.offsets + 1).astype("<u8").tobytes(),
        reports.latencies_us.astype("<u4").tobytes(),
        topic,
    )


INSERT = """
    INSERT INTO delivery_lots (run, outcome, n, first_sequence, last_sequence, first_sent_us,
        last_reported_us, sequences, sent, partitions, offsets, latencies, topic)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


def unpack(row: dict[str, Any]) -> Reports:
    """The reports of one row of ``delivery_lots``."""
    return Reports(
        np.frombuffer(row["sequences"], dtype="<u4").astype(np.int64) + row["first_sequence"],
        np.frombuffer(row["sent"], dtype="<u4").astype(np.int64) + row["first_sent_us"],
        np.frombuffer(row["partitions"], dtype="<u4").astype(np.int64),
        np.frombuffer(row["offsets"], dtype="<u8").astype(np.int64) - 1,
        np.frombuffer(row["latencies"], dtype="<u4").astype(np.int64),
    )
