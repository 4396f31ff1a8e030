"""Causes as something that a person owns, notes and closes."""

from __future__ import annotations

from sqlite_utils import Database

from producer_agent.store.schema.base import migrations, script


@migrations()
def m0009_causes(db: Database) -> None:
    """Owner, note and state of a cause; when it came up, and came back."""
    script(
        db,
        """
        ALTER TABLE causes ADD COLUMN owner TEXT;
        ALTER TABLE causes ADD COLUMN note TEXT;
        ALTER TABLE causes ADD COLUMN state TEXT NOT NULL DEFAULT 'new'
            CHECK (state IN ('new', 'acknowledged', 'resolved', 'archived'));
        ALTER TABLE causes ADD COLUMN state_us INTEGER;
        ALTER TABLE causes ADD COLUMN state_by TEXT;
        -- The first letter after a day without one (or ever): a cause that came up.
        ALTER TABLE causes ADD COLUMN came_up_us INTEGER;
        -- The first letter after it was resolved: a cause that came back.
        ALTER TABLE causes ADD COLUMN regressed_us INTEGER;
        UPDATE causes SET came_up_us = first_seen_us;
        UPDATE dead_letters SET status = 'new' WHERE status = 'replay_failed';
        UPDATE dead_letters SET status = 'replaying' WHERE status = 'replay_unknown';
        """,
    )
