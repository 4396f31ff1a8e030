"""Dead letters narrow, their bytes apart: lists and counts read no payload, and a status that
changes rewrites none."""

from __future__ import annotations

from sqlite_utils import Database

from producer_agent.store.schema.base import migrations, script


@migrations()
def m0007_dead_letter_records(db: Database) -> None:
    """Key, value and headers move to a table of their own."""
    script(
        db,
        """
        CREATE TABLE dead_letter_records (
            letter INTEGER PRIMARY KEY REFERENCES dead_letters(id) ON DELETE CASCADE,
            key BLOB,
            value BLOB,
            headers TEXT NOT NULL
        );
        INSERT INTO dead_letter_records SELECT id, key, value, headers FROM dead_letters;
        ALTER TABLE dead_letters DROP COLUMN key;
        ALTER TABLE dead_letters DROP COLUMN value;
        ALTER TABLE dead_letters DROP COLUMN headers;
        -- Whose it is, as far as the convention tells.
        ALTER TABLE dead_letters ADD COLUMN consumer_group TEXT;
        ALTER TABLE dead_letters ADD COLUMN connector TEXT;
        -- The dead letter whose replay came back as this one, and how often that happened in all.
        ALTER TABLE dead_letters ADD COLUMN previous INTEGER REFERENCES dead_letters(id);
        ALTER TABLE dead_letters ADD COLUMN times_back INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX dead_letters_by_previous ON dead_letters (previous)
            WHERE previous IS NOT NULL;
        """,
    )
