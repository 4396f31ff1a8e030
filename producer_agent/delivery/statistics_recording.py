"""Records what librdkafka's statistics tell of a run, beside its outcomes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any

from producer_agent.kafka.client_statistics import StatisticsReader
from producer_agent.store import client_statistics
from producer_agent.store.clock import now_us
from producer_agent.store.runs import RunRow
from producer_agent.store.writer import Writer

log = logging.getLogger(__name__)


class StatisticsRecording:
    """Called with each emission, by the thread that polls: it is not to wait for the database.

    A sample that cannot be written is dropped: outcomes are what must not be lost.
    """

    def __init__(self, writer: Writer, run: RunRow, name: str) -> None:
        self._writer = writer
        self._run = run
        self._name = name
        self._reader = StatisticsReader()

    def __call__(self, told: Mapping[str, Any]) -> None:
        """Take one emission, decoded."""
        recorded = self._writer.submit(
            partial(
                client_statistics.record,
                run=self._run.id,
                series=self._run.series,
                sample=self._reader.read(told, now_us()),
            )
        )
        recorded.add_done_callback(self._look)

    def _look(self, recorded: Future[None]) -> None:
        error = recorded.exception()
        if error is not None:
            log.warning("%s: a sample of its statistics was dropped: %s", self._name, error)
