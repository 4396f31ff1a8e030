"""The first release: runs, deliveries and charts, dead letters, the replay ledger, commands."""

from __future__ import annotations

from sqlite_utils import Database

from producer_agent.store.schema.base import LOT_CAPACITY, migrations, script


@migrations()
def m0001_runs(db: Database) -> None:
    """Clusters, profiles, runs: who sent what where."""
    script(
        db,
        """
        -- One row a cluster that was ever spoken to. The embedded cluster is a new one each start.
        CREATE TABLE clusters (
            id INTEGER PRIMARY KEY,
            cluster_id TEXT NOT NULL UNIQUE,
            kind TEXT NOT NULL CHECK (kind IN ('embedded', 'lab', 'real')),
            bootstrap_servers TEXT NOT NULL,
            first_seen_us INTEGER NOT NULL
        );
        CREATE TABLE profiles (
            name TEXT PRIMARY KEY,
            body TEXT NOT NULL,            -- the profile as JSON
            shipped INTEGER NOT NULL,      -- came with the product and was never edited
            wanted INTEGER,                -- a person last started (1) or stopped (0) it
            rate REAL,                     -- events a second as a person last set it
            changed_us INTEGER NOT NULL
        ) WITHOUT ROWID;
        -- Names that were shipped at any time, so that a deleted one stays deleted.
        CREATE TABLE profiles_shipped (name TEXT PRIMARY KEY) WITHOUT ROWID;
        CREATE TABLE runs (
            id INTEGER PRIMARY KEY,
            uuid TEXT NOT NULL UNIQUE,     -- 32 hex digits, as in each event's identity header
            profile TEXT NOT NULL,
            acks TEXT NOT NULL,            -- '0', '1' or 'all'
            body TEXT NOT NULL,            -- frozen copy of the profile
            cluster INTEGER NOT NULL REFERENCES clusters(id),
            topic TEXT NOT NULL,
            started_us INTEGER NOT NULL,
            ended_us INTEGER,
            end_reason TEXT,
            accepted INTEGER NOT NULL DEFAULT 0,  -- sequences below this were given to librdkafka
            settled INTEGER NOT NULL DEFAULT 0,   -- outcomes recorded, of whatever kind
            queue_full INTEGER NOT NULL DEFAULT 0,
            not_sent INTEGER NOT NULL DEFAULT 0,  -- due by the pacer, yet never produced
            start_watermarks TEXT,         -- JSON {partition: [low, high]}
            end_watermarks TEXT,
            trimmed_below INTEGER NOT NULL DEFAULT 0  -- retention deleted lots up to here
        );
        CREATE INDEX runs_by_start ON runs (started_us);
        CREATE INDEX runs_by_profile ON runs (profile, id);
        CREATE INDEX runs_open ON runs (id) WHERE ended_us IS NULL;
        -- What charts are drawn by. One row a (profile, acks) that was ever run.
        CREATE TABLE series (
            id INTEGER PRIMARY KEY,
            profile TEXT NOT NULL,
            acks TEXT NOT NULL,
            UNIQUE (profile, acks)
        );
        """,
    )


@migrations()
def m0002_deliveries(db: Database) -> None:
    """Outcomes: packed lots of what was acknowledged, rows of what was not, and their view."""
    script(
        db,
        f"""
        -- Up to {LOT_CAPACITY} reports of one run in the order of their arrival; see
        -- docs/adr/0002-packed-lots.md. Columns are little-endian arrays of n numbers.
        CREATE TABLE delivery_lots (
            id INTEGER PRIMARY KEY,
            run INTEGER NOT NULL REFERENCES runs(id),
            outcome TEXT NOT NULL CHECK (outcome IN ('delivered', 'unconfirmed')),
            n INTEGER NOT NULL CHECK (n BETWEEN 1 AND {LOT_CAPACITY}),
            first_sequence INTEGER NOT NULL,
            last_sequence INTEGER NOT NULL,
            first_sent_us INTEGER NOT NULL,
            last_reported_us INTEGER NOT NULL,
            sequences BLOB NOT NULL,   -- uint32, less first_sequence
            sent BLOB NOT NULL,        -- uint32 microseconds, less first_sent_us
            partitions BLOB NOT NULL,  -- uint32
            offsets BLOB NOT NULL,     -- uint64, plus 1: 0 is "no offset told"
            latencies BLOB NOT NULL    -- uint32 microseconds
        );
        CREATE INDEX delivery_lots_by_run ON delivery_lots (run, id);
        CREATE INDEX delivery_lots_by_time ON delivery_lots (last_reported_us);
        -- Every outcome that is not an acknowledgement: a row each, with its reason.
        CREATE TABLE undelivered (
            id INTEGER PRIMARY KEY,
            run INTEGER NOT NULL REFERENCES runs(id),
            sequence INTEGER NOT NULL,
            outcome TEXT NOT NULL CHECK (outcome IN ('failed', 'rejected', 'unresolved')),
            topic TEXT NOT NULL,
            partition INTEGER,
            code INTEGER,
            code_name TEXT,
            reason TEXT NOT NULL,
            stored TEXT NOT NULL CHECK (stored IN ('no', 'maybe', 'yes')),
            sent_us INTEGER,           -- not known of events an agent's death left behind
            settled_us INTEGER NOT NULL,
            attempts TEXT,             -- JSON, see kafka/attempts.py
            UNIQUE (run, sequence)
        );
        CREATE INDEX undelivered_by_time ON undelivered (settled_us);
        -- Two helpers that let plain SQL unfold a lot, in any SQLite client.
        CREATE TABLE lot_positions (i INTEGER PRIMARY KEY);
        WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < {LOT_CAPACITY - 1})
            INSERT INTO lot_positions SELECT i FROM c;
        CREATE TABLE lot_bytes (b BLOB NOT NULL);
        INSERT INTO lot_bytes VALUES (X'{bytes(range(256)).hex()}');
        CREATE VIEW deliveries AS
            SELECT r.uuid AS run, r.profile, r.acks,
                   l.first_sequence + {_number("l.sequences", 4)} AS sequence,
                   l.outcome, NULL AS code_name, r.topic,
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


@migrations()
def m0003_rollups(db: Database) -> None:
    """Counts and latency bins in buckets of five widths: all that a chart reads."""
    script(
        db,
        """
        CREATE TABLE rollups (
            resolution INTEGER NOT NULL,   -- seconds, see store/rollups.py
            bucket INTEGER NOT NULL,       -- UTC seconds, start of the bucket
            series INTEGER NOT NULL REFERENCES series(id),
            delivered INTEGER NOT NULL DEFAULT 0,
            unconfirmed INTEGER NOT NULL DEFAULT 0,
            failed INTEGER NOT NULL DEFAULT 0,
            rejected INTEGER NOT NULL DEFAULT 0,
            unresolved INTEGER NOT NULL DEFAULT 0,
            queue_full INTEGER NOT NULL DEFAULT 0,
            not_sent INTEGER NOT NULL DEFAULT 0,
            late_polls INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (resolution, bucket, series)
        ) WITHOUT ROWID;
        CREATE TABLE latency_bins (
            resolution INTEGER NOT NULL,
            metric TEXT NOT NULL,          -- 'ack' or 'schedule'
            bucket INTEGER NOT NULL,
            series INTEGER NOT NULL REFERENCES series(id),
            bin INTEGER NOT NULL,          -- see store/latency_bins.py
            n INTEGER NOT NULL,
            PRIMARY KEY (resolution, metric, bucket, series, bin)
        ) WITHOUT ROWID;
        CREATE TABLE failure_rollups (
            resolution INTEGER NOT NULL,
            bucket INTEGER NOT NULL,
            series INTEGER NOT NULL REFERENCES series(id),
            topic TEXT NOT NULL,
            outcome TEXT NOT NULL,
            cause TEXT NOT NULL,           -- the code's name, or its cause from the attempts
            n INTEGER NOT NULL,
            PRIMARY KEY (resolution, bucket, series, topic, outcome, cause)
        ) WITHOUT ROWID;
        """,
    )


@migrations()
def m0004_dead_letters(db: Database) -> None:
    """The outbox of what failed, the dead letters read back, and the causes that group them."""
    script(
        db,
        """
        -- Written with the failure, in one transaction; emptied by the publisher.
        CREATE TABLE outbox (
            id INTEGER PRIMARY KEY,
            run INTEGER NOT NULL REFERENCES runs(id),
            sequence INTEGER NOT NULL,
            key BLOB,
            value BLOB,
            headers TEXT NOT NULL,
            created_us INTEGER NOT NULL,
            published_us INTEGER,
            published_to TEXT,             -- topic[partition]@offset
            refusal TEXT,                  -- why the broker would not take it whole
            UNIQUE (run, sequence)
        );
        CREATE INDEX outbox_waiting ON outbox (id) WHERE published_us IS NULL;
        CREATE TABLE causes (
            id INTEGER PRIMARY KEY,
            fingerprint TEXT NOT NULL UNIQUE,
            version INTEGER NOT NULL,
            title TEXT NOT NULL,
            first_seen_us INTEGER NOT NULL,
            last_seen_us INTEGER NOT NULL
        );
        CREATE TABLE dead_letters (
            id INTEGER PRIMARY KEY,
            cluster INTEGER NOT NULL REFERENCES clusters(id),
            topic TEXT NOT NULL,
            topic_id TEXT NOT NULL,        -- '' where the cluster does not tell
            partition INTEGER NOT NULL,
            "offset" INTEGER NOT NULL,
            timestamp_ms INTEGER,
            key BLOB,
            value BLOB,
            headers TEXT NOT NULL,
            size INTEGER NOT NULL,         -- bytes of key and value
            convention TEXT NOT NULL,
            side TEXT NOT NULL CHECK (side IN ('producer', 'consumer', 'unknown')),
            original_topic TEXT,
            original_partition INTEGER,
            original_offset INTEGER,
            original_timestamp_ms INTEGER,
            original_key_text TEXT,        -- for the list; the bytes are in the record
            error_class TEXT,
            error_code INTEGER,
            error_message TEXT,
            may_be_stored INTEGER,         -- 1 when the original may be on its topic after all
            profile TEXT,
            run_uuid TEXT,
            sequence INTEGER,
            letter_id TEXT,                -- our publisher's mark: one letter, one id
            replay_id TEXT,                -- of the replay that this record came back from
            cause INTEGER NOT NULL REFERENCES causes(id),
            status TEXT NOT NULL DEFAULT 'new',
            stored_us INTEGER NOT NULL,
            UNIQUE (cluster, topic, topic_id, partition, "offset")
        );
        CREATE INDEX dead_letters_by_time ON dead_letters (stored_us);
        CREATE INDEX dead_letters_by_status ON dead_letters (status, stored_us);
        CREATE INDEX dead_letters_by_cause ON dead_letters (cause, stored_us);
        CREATE INDEX dead_letters_by_letter ON dead_letters (letter_id) WHERE letter_id IS NOT NULL;
        CREATE INDEX dead_letters_by_topic ON dead_letters (original_topic, stored_us);
        -- Where reading goes on: committed with the records, so nothing is skipped or doubled.
        CREATE TABLE dead_letter_positions (
            cluster INTEGER NOT NULL REFERENCES clusters(id),
            topic TEXT NOT NULL,
            topic_id TEXT NOT NULL,
            partition INTEGER NOT NULL,
            next_offset INTEGER NOT NULL,
            PRIMARY KEY (cluster, topic, topic_id, partition)
        ) WITHOUT ROWID;
        """,
    )


@migrations()
def m0005_replays(db: Database) -> None:
    """The replay ledger: an intent before anything is sent, its outcome after."""
    script(
        db,
        """
        CREATE TABLE replays (
            id INTEGER PRIMARY KEY,
            replay_id TEXT NOT NULL UNIQUE,     -- travels in the record's header
            dead_letter INTEGER NOT NULL REFERENCES dead_letters(id),
            command INTEGER,
            target_topic TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('intent', 'done', 'failed', 'unknown')),
            reason TEXT,
            partition INTEGER,
            "offset" INTEGER,
            planned_us INTEGER NOT NULL,
            settled_us INTEGER
        );
        -- At most one replay of a record is under way or done: the second click finds the first.
        CREATE UNIQUE INDEX replays_once ON replays (dead_letter) WHERE state <> 'failed';
        CREATE INDEX replays_by_letter ON replays (dead_letter);
        """,
    )


@migrations()
def m0006_agent(db: Database) -> None:
    """What is asked of the agent, and what it says of itself."""
    script(
        db,
        """
        CREATE TABLE commands (
            id INTEGER PRIMARY KEY,
            kind TEXT NOT NULL,
            arguments TEXT NOT NULL,       -- JSON object
            who TEXT NOT NULL,
            why TEXT,
            state TEXT NOT NULL DEFAULT 'asked'
                CHECK (state IN ('asked', 'taken', 'done', 'failed')),
            asked_us INTEGER NOT NULL,
            taken_us INTEGER,
            settled_us INTEGER,
            result TEXT                    -- JSON object, or the error's text
        );
        CREATE INDEX commands_open ON commands (id) WHERE state IN ('asked', 'taken');
        -- Facts about now, each replaced whole: 'agent', 'cluster', 'faults', 'active_runs'.
        CREATE TABLE facts (
            name TEXT PRIMARY KEY,
            body TEXT NOT NULL,
            at_us INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE jobs (
            name TEXT PRIMARY KEY,
            last_run_us INTEGER NOT NULL,
            last_state TEXT NOT NULL,      -- 'done', 'failed' or 'missed'
            detail TEXT,
            failed_in_row INTEGER NOT NULL DEFAULT 0
        ) WITHOUT ROWID;
        """,
    )


def _number(column: str, width: int) -> str:
    """SQL that reads little-endian number ``p.i`` of ``width`` bytes out of a packed column.

    SQLite has no function from bytes to a number, but ``instr`` finds a byte in the blob that
    lists all 256 of them in order, one past its value.
    """
    return (
        "("
        + " + ".join(
            f"((instr(t.b, substr({column}, p.i * {width} + {byte + 1}, 1)) - 1) << {8 * byte})"
            for byte in range(width)
        )
        + ")"
    )
