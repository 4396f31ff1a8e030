"""A run records its client's statistics, and goes on where they cannot be."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import pytest

from producer_agent.delivery import producer as producing
from producer_agent.delivery.run import ProducerRun, RunLimits
from producer_agent.delivery.statistics_recording import StatisticsRecording
from producer_agent.kafka.embedded import EmbeddedCluster
from producer_agent.store.reader import Reader
from producer_agent.store.runs import RunRow
from producer_agent.store.writer import Writer
from tests.recording import begin_run, profile, register_cluster, rows
from tests.waiting import wait_until


def test_a_run_records_its_clients_statistics(
    shared_cluster: EmbeddedCluster,
    writer: Writer,
    reader: Reader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(producing, "STATISTICS_MS", 100)
    of = profile(topic="sampled")
    shared_cluster.create_topic("sampled", of.workload.partitions)
    run = ProducerRun(
        of,
        shared_cluster.client_defaults,
        writer,
        register_cluster(writer),
        limits=RunLimits(seconds=20),
    )
    run.start()
    try:
        wait_until(
            lambda: rows(reader, "SELECT coalesce(sum(transmitted), 0) FROM client_samples")[0] > 9,
            10,
            "no statistics were recorded",
        )
    finally:
        run.stop()
        run.join(20)
    assert rows(reader, "SELECT DISTINCT run FROM client_samples") == [run.id]
    waited, n = reader(
        lambda db: db.execute(
            "SELECT sum(queue_us), sum(queue_n) FROM client_stage_rollups"
        ).fetchone()
    )
    assert n >= 9
    assert 0 < waited / n < 5_000_000


def test_a_sample_that_cannot_be_written_is_dropped_and_said(
    writer: Writer, caplog: pytest.LogCaptureFixture
) -> None:
    told: dict[str, Any] = {
        "name": "a",
        "time": 1_000,
        "age": 5_000_000,
        "topics": {},
        "brokers": {},
        "msg_cnt": 0,
        "msg_max": 1,
        "msg_size": 0,
        "msg_size_max": 1,
    }
    row = begin_run(writer)
    recording = StatisticsRecording(writer, RunRow(row.id, row.series), "critical")
    writer.call(lambda db: db.execute("DROP TABLE client_samples"))
    with caplog.at_level(logging.WARNING):
        recording(told)
        writer.call(partial(lambda db: None))
        wait_until(lambda: "critical: a sample" in caplog.text, 5, "nothing was said")
    assert "no such table: client_samples" in caplog.text
