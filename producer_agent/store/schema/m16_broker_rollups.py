"""Outcomes and latencies by the broker that led the partition meanwhile."""

from __future__ import annotations

from sqlite_utils import Database

from producer_agent.store.schema.base import migrations, script


@migrations()
def m0016_broker_rollups(db: Database) -> None:
    """Like ``rollups`` and ``latency_bins``, by broker, and how far they have come."""
    script(
        db,
        """
        CREATE TABLE broker_rollups (
            resolution INTEGER NOT NULL,   -- seconds, 10 at least
            bucket INTEGER NOT NULL,       -- UTC seconds, start of the bucket
            series INTEGER NOT NULL REFERENCES series(id),
            broker INTEGER NOT NULL,       -- its id; below 0 see store/leader_timeline.py
            delivered INTEGER NOT NULL DEFAULT 0,
            unconfirmed INTEGER NOT NULL DEFAULT 0,
            failed INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (resolution, bucket, series, broker)
        ) WITHOUT ROWID;
        CREATE TABLE broker_latency_bins (
            resolution INTEGER NOT NULL,
            bucket INTEGER NOT NULL,
            series INTEGER NOT NULL REFERENCES series(id),
            broker INTEGER NOT NULL,
            bin INTEGER NOT NULL,          -- see store/latency_bins.py
            n INTEGER NOT NULL,
            PRIMARY KEY (resolution, bucket, series, broker, bin)
        ) WITHOUT ROWID;
        -- One row: outcomes up to these ids are in. Of older ones no leader was recorded.
        CREATE TABLE broker_rollups_done (lot INTEGER NOT NULL, undelivered INTEGER NOT NULL);
        INSERT INTO broker_rollups_done
            SELECT (SELECT coalesce(max(id), 0) FROM delivery_lots),
                   (SELECT coalesce(max(id), 0) FROM undelivered);
        """,
    )
