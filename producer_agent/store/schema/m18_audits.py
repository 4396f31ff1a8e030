"""Audits: what was found of each run on its topics, and how far one that goes on has come."""

from __future__ import annotations

from sqlite_utils import Database

from producer_agent.store.schema.base import migrations, script


@migrations()
def m0018_audits(db: Database) -> None:
    """A row an audit, one an event that is listed, and the checkpoint of one that is not over."""
    script(
        db,
        """
        CREATE TABLE audits (
            id INTEGER PRIMARY KEY,
            run INTEGER NOT NULL REFERENCES runs(id),
            state TEXT NOT NULL CHECK (state IN ('running', 'done', 'incomplete', 'failed')),
            reason TEXT,                   -- why it is incomplete, or could not be made
            started_us INTEGER NOT NULL,
            ended_us INTEGER,
            accepted INTEGER,              -- events of the run when it was judged
            records INTEGER NOT NULL DEFAULT 0,  -- read, whosever they were
            matrix TEXT,                   -- JSON, see durability/verdicts.py
            places TEXT                    -- JSON: how far each partition was read
        );
        CREATE INDEX audits_by_run ON audits (run, id);
        CREATE TABLE audit_findings (
            audit INTEGER NOT NULL REFERENCES audits(id) ON DELETE CASCADE,
            kind TEXT NOT NULL,            -- 'lost', 'duplicate', 'phantom', ...
            sequence INTEGER NOT NULL,
            claim TEXT NOT NULL,
            sent_us INTEGER,
            topic TEXT,                    -- where its report said that it is
            partition INTEGER,
            "offset" INTEGER,
            found TEXT NOT NULL,           -- JSON [[topic, partition, offset], ...]
            PRIMARY KEY (audit, kind, sequence)
        ) WITHOUT ROWID;
        CREATE TABLE audit_checkpoints (
            audit INTEGER PRIMARY KEY REFERENCES audits(id) ON DELETE CASCADE,
            body TEXT NOT NULL,            -- JSON, see durability/audit.py
            matcher BLOB NOT NULL
        );
        """,
    )
