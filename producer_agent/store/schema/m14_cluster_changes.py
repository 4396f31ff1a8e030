"""What changed on the cluster while it was watched, and who led each partition when."""

from __future__ import annotations

from sqlite_utils import Database

from producer_agent.store.schema.base import migrations, script


@migrations()
def m0014_cluster_changes(db: Database) -> None:
    """The history of changes in a few rows, and the exact states of partitions beside it."""
    script(
        db,
        """
        -- For people: a row a change, those of partitions summed by topic and look.
        CREATE TABLE cluster_changes (
            id INTEGER PRIMARY KEY,
            cluster INTEGER REFERENCES clusters(id),  -- null: none was reached yet
            at_us INTEGER NOT NULL,        -- the look that saw it
            after_us INTEGER,              -- the look before, which did not; null: there was none
            kind TEXT NOT NULL,            -- see store/cluster_changes.py
            broker INTEGER,
            topic TEXT,                    -- of partition changes, null: of many topics
            partitions INTEGER,            -- how many changed
            detail TEXT NOT NULL           -- JSON object, by kind
        );
        CREATE INDEX cluster_changes_by_time ON cluster_changes (at_us);
        CREATE INDEX cluster_changes_by_topic ON cluster_changes (topic, at_us)
            WHERE topic IS NOT NULL;
        CREATE INDEX cluster_changes_by_broker ON cluster_changes (broker, at_us)
            WHERE broker IS NOT NULL;
        -- For computation: a row at first sight and at each change of a partition. One agent looks
        -- at one cluster at a time, so a name and a time are enough to find the state then.
        CREATE TABLE partition_states (
            topic TEXT NOT NULL,
            partition INTEGER NOT NULL,
            at_us INTEGER NOT NULL,
            cluster INTEGER NOT NULL REFERENCES clusters(id),
            leader INTEGER,                -- null: there was none
            isrs TEXT NOT NULL,            -- broker ids with commas between
            replicas TEXT NOT NULL,        -- likewise; empty: the partition is gone
            PRIMARY KEY (topic, partition, at_us)
        ) WITHOUT ROWID;
        CREATE INDEX partition_states_by_time ON partition_states (at_us);
        """,
    )
