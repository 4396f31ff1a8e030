"""Applications that record here beside the agent, transactions, and lots of a second topic."""

from __future__ import annotations

from sqlite_utils import Database

from producer_agent.store.schema.base import migrations, script
from producer_agent.store.schema.m01_recording import _number


@migrations()
def m0015_applications(db: Database) -> None:
    """Who owns a run; commits and aborts; the topic of a lot where it is not its run's."""
    script(
        db,
        f"""
        -- A producer in a service of a team's own, for as long as it lives. The agent's runs have
        -- none.
        CREATE TABLE applications (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL,            -- as its runs' profile
            host TEXT NOT NULL,
            pid INTEGER NOT NULL,
            version TEXT NOT NULL,         -- of the library it uses
            started_us INTEGER NOT NULL,
            heartbeat_us INTEGER NOT NULL, -- it was alive then, and could write here
            ended_us INTEGER,
            end_reason TEXT,
            not_kept INTEGER NOT NULL DEFAULT 0,    -- outcomes counted, yet not kept one by one
            letters_lost INTEGER NOT NULL DEFAULT 0 -- failures that found no way to a dead letter
        );
        CREATE INDEX applications_living ON applications (id) WHERE ended_us IS NULL;
        CREATE INDEX applications_by_name ON applications (name, id);
        ALTER TABLE runs ADD COLUMN application INTEGER REFERENCES applications(id);
        ALTER TABLE runs ADD COLUMN left_unresolved INTEGER NOT NULL DEFAULT 0;  -- when it ended
        ALTER TABLE runs ADD COLUMN commits INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE runs ADD COLUMN aborts INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX runs_by_application ON runs (application) WHERE application IS NOT NULL;
        ALTER TABLE rollups ADD COLUMN commits INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE rollups ADD COLUMN aborts INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE delivery_lots ADD COLUMN topic TEXT;  -- null: its run's
        DROP VIEW deliveries;
        CREATE VIEW deliveries AS
            SELECT r.uuid AS run, r.profile, r.acks,
                   l.first_sequence + {_number("l.sequences", 4)} AS sequence,
                   l.outcome, NULL AS code_name, coalesce(l.topic, r.topic) AS topic,
                   {_number("l.partitions", 4)} AS partition,
                   nullif({_number("l.offsets", 8)}, 0) - 1 AS "offset",
                   l.first_sent_us + {_number("l.sent", 4)} AS sent_us,
                   {_number("l.latencies", 4)} AS latency_us
              FROM delivery_lots l
              JOIN runs r ON r.id = l.run
              CROSS JOIN lot_bytes t
              JOIN lot_positions p ON p.i < l.n
            UNION ALL
            SELECT r.uuid, r.profile, r.acks, u.sequence, u.outcome, u.code_name, u.topic,
                   u.partition, NULL, u.sent_us, NULL
              FROM undelivered u JOIN runs r ON r.id = u.run;
        """,
    )
