"""Which dead-letter topics are read, how each is understood, and under which name."""

from __future__ import annotations

from sqlite_utils import Database

from producer_agent.store.schema.base import migrations, script


@migrations()
def m0008_dead_letter_topics(db: Database) -> None:
    """Policies by topic name or pattern, the board's name, and what was deleted unread."""
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
        -- When "now" was, on each cluster: a topic that appears later is read from its beginning.
        CREATE TABLE dead_letter_policies_begun (
            policy INTEGER NOT NULL REFERENCES dead_letter_policies(id) ON DELETE CASCADE,
            cluster INTEGER NOT NULL REFERENCES clusters(id),
            begun_us INTEGER NOT NULL,
            PRIMARY KEY (policy, cluster)
        ) WITHOUT ROWID;
        -- What the policy said when the record was read: whoever decodes it again reads the same.
        ALTER TABLE dead_letters ADD COLUMN fixed_convention TEXT;
        ALTER TABLE dead_letters ADD COLUMN default_target TEXT;
        -- Offsets that the topic's retention took before they were read here, and when last seen.
        ALTER TABLE dead_letter_positions
            ADD COLUMN deleted_unread INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE dead_letter_positions ADD COLUMN deleted_us INTEGER;
        CREATE INDEX dead_letters_closed ON dead_letters (topic, stored_us)
            WHERE status IN ('replayed', 'resolved', 'archived');
        CREATE TABLE board (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            name TEXT NOT NULL
        );
        """,
    )
