"""Causes as something that a person owns, notes and closes; who changed what."""

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


@migrations()
def m0009_actions(db: Database) -> None:
    """Which letters and causes a command changed, and what they were before.

    A row a letter: a selection by filter cannot be told again once statuses have moved on, and
    restoring needs what each was. It costs some 30 bytes a letter and change.
    """
    script(
        db,
        """
        CREATE TABLE letter_actions (
            letter INTEGER NOT NULL REFERENCES dead_letters(id) ON DELETE CASCADE,
            command INTEGER NOT NULL,
            before TEXT NOT NULL,          -- statuses
            after TEXT NOT NULL,
            at_us INTEGER NOT NULL,
            PRIMARY KEY (letter, command)
        ) WITHOUT ROWID;
        CREATE TABLE cause_actions (
            cause INTEGER NOT NULL REFERENCES causes(id),
            command INTEGER NOT NULL,
            field TEXT NOT NULL CHECK (field IN ('state', 'note', 'owner')),
            before TEXT,
            after TEXT,
            at_us INTEGER NOT NULL,
            PRIMARY KEY (cause, command)
        ) WITHOUT ROWID;
        """,
    )
