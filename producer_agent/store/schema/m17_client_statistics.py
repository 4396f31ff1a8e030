"""What librdkafka's statistics told of each run: where its events' time went, and its queue."""

from __future__ import annotations

from sqlite_utils import Database

from producer_agent.store.schema.base import migrations, script

_STAGES = """
            requests INTEGER NOT NULL,     -- produce requests sent
            queue_n INTEGER NOT NULL,      -- events that left the client's queue
            queue_us INTEGER NOT NULL,     -- the sum of what they had waited since produce()
            queue_p99_us INTEGER NOT NULL, -- of coarse rows: the highest of their samples'
            send_n INTEGER NOT NULL,       -- requests that were written to the socket
            send_us INTEGER NOT NULL,
            send_p99_us INTEGER NOT NULL,
            trip_n INTEGER NOT NULL,       -- answers
            trip_us INTEGER NOT NULL,
            trip_p99_us INTEGER NOT NULL,
            throttle_n INTEGER NOT NULL,   -- answers that told how long the broker held back
            throttle_ms INTEGER NOT NULL,
            throttle_most_ms INTEGER NOT NULL,
"""


@migrations()
def m0017_client_statistics(db: Database) -> None:
    """A row every few seconds of a run, one of each broker then, and sums of these by broker.

    Keys begin with the time: all that is asked for, and deleted, is a span of it.
    """
    script(
        db,
        f"""
        CREATE TABLE client_samples (
            until_us INTEGER NOT NULL,     -- when it was told
            run INTEGER NOT NULL REFERENCES runs(id),
            since_us INTEGER NOT NULL,     -- the one before, or the client's start
            queued INTEGER NOT NULL,       -- events in the client then
            queue_limit INTEGER NOT NULL,
            queued_bytes INTEGER NOT NULL,
            queue_limit_bytes INTEGER NOT NULL,
            produced INTEGER NOT NULL,     -- since then
            transmitted INTEGER NOT NULL,  -- likewise, an event as often as it was sent
            PRIMARY KEY (until_us, run)
        ) WITHOUT ROWID;
        CREATE TABLE client_broker_samples (
            until_us INTEGER NOT NULL,
            run INTEGER NOT NULL REFERENCES runs(id),
            broker INTEGER NOT NULL,
            since_us INTEGER NOT NULL,
            state TEXT NOT NULL,           -- of the connection then, in librdkafka's word
            unanswered INTEGER NOT NULL,   -- requests that waited for an answer then
            timeouts INTEGER NOT NULL,
            errors INTEGER NOT NULL,       -- in sending or receiving
            disconnects INTEGER NOT NULL,
            {_STAGES}
            PRIMARY KEY (until_us, run, broker)
        ) WITHOUT ROWID;
        CREATE TABLE client_stage_rollups (
            bucket INTEGER NOT NULL,       -- UTC seconds, start of its 600
            series INTEGER NOT NULL REFERENCES series(id),
            broker INTEGER NOT NULL,
            {_STAGES}
            PRIMARY KEY (bucket, series, broker)
        ) WITHOUT ROWID;
        """,
    )
