"""Which dead-letter topics are read, and how each is understood."""

from __future__ import annotations

from sqlite_utils import Database

from producer_agent.store.schema.base import migrations, script


@migrations()
def m0008_dead_letter_topics(db: Database) -> None:
    """Policies by topic name or pattern."""
    script(
        db,
        """
        CREATE TABLE dead_letter_policies (
            id INTEGER PRIMARY KEY,
            topic TEXT NOT NULL UNIQUE,    -- a name, or a regular expression that begins with ^
            convention TEXT,               -- null: detected record by record
            default_target TEXT,           -- where its records go that do not tell
            start_from TEXT NOT NULL DEFAULT 'earliest'
                CHECK (start_from IN ('earliest', 'now')),
            keep_closed_days REAL,         -- null: what is done with is kept for good
            changed_us INTEGER NOT NULL
        );
        """,
    )
