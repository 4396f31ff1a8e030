"""Replay plans and their ledger."""

from __future__ import annotations

from sqlite_utils import Database

from producer_agent.store.schema.base import migrations, script


@migrations()
def m0010_replay_plans(db: Database) -> None:
    """A plan is frozen before anything is sent; its rows in ``replays`` are the ledger.

    A replay from before there were plans becomes a plan of its own.
    """
    script(
        db,
        """
        CREATE TABLE replay_plans (
            id INTEGER PRIMARY KEY,
            uuid TEXT NOT NULL UNIQUE,     -- 32 hex digits: in each record's header, and the tail
                                           -- of the transactional id
            cluster INTEGER REFERENCES clusters(id),
            title TEXT NOT NULL,
            selection TEXT NOT NULL,       -- JSON: what was asked for
            options TEXT NOT NULL,         -- JSON: see replay/options.py
            findings TEXT NOT NULL DEFAULT '{}',  -- JSON: what planning found
            method TEXT CHECK (method IN ('transactions', 'ledger')),
            state TEXT NOT NULL CHECK (state IN
                ('planning', 'planned', 'running', 'pausing', 'paused', 'stopped', 'cancelling',
                 'cancelled', 'done', 'failed')),
            reason TEXT,                   -- why it stopped, waits or failed
            progress TEXT,                 -- what it is at, in words, while it is planned or run
            rule INTEGER,                  -- the automatic rule that made it
            records INTEGER NOT NULL DEFAULT 0,  -- rows in the ledger
            landed INTEGER NOT NULL DEFAULT 0,   -- of these, done
            made_by TEXT NOT NULL,
            made_us INTEGER NOT NULL,
            started_us INTEGER,
            ended_us INTEGER
        );
        CREATE INDEX replay_plans_by_state ON replay_plans (state);
        INSERT INTO replay_plans (id, uuid, cluster, title, selection, options, method, state,
                                  reason, records, landed, made_by, made_us, started_us, ended_us)
            SELECT r.id, r.replay_id, d.cluster, 'Dead letter ' || r.dead_letter,
                   json_object('dead_letters', json_array(r.dead_letter)), '{}', 'ledger',
                   CASE WHEN r.state IN ('done', 'failed') THEN 'done' ELSE 'stopped' END,
                   CASE WHEN r.state NOT IN ('done', 'failed')
                        THEN 'it may have arrived: resume it, and its target is read back' END,
                   1, r.state = 'done',
                   coalesce(c.who, 'unknown'), r.planned_us, r.planned_us, r.settled_us
              FROM replays r JOIN dead_letters d ON d.id = r.dead_letter
              LEFT JOIN commands c ON c.id = r.command;
        ALTER TABLE replays RENAME TO replays_before_plans;
        DROP INDEX replays_once;
        DROP INDEX replays_by_letter;
        -- The ledger. A record travels with its replay id, "<uuid of the plan>-<sequence>".
        -- Ordered by plan and sequence, so that a batch is a stretch of neighbours; and narrow, as
        -- each row is written three times on its way.
        CREATE TABLE replays (
            plan INTEGER NOT NULL REFERENCES replay_plans(id),
            sequence INTEGER NOT NULL,     -- the order of sending within the plan
            dead_letter INTEGER NOT NULL REFERENCES dead_letters(id),
            edit INTEGER,                  -- the edit that is sent in place of the original
            own_bytes INTEGER NOT NULL DEFAULT 0,  -- 1: the dead letter's key and value are sent
            target_topic TEXT,
            target_partition INTEGER,      -- null: any
            state TEXT NOT NULL CHECK (state IN
                ('planned', 'refused', 'intent', 'done', 'already', 'failed', 'unknown',
                 'cancelled')),
            reason TEXT,
            batch INTEGER,                 -- the transaction that it goes with
            partition INTEGER,
            "offset" INTEGER,
            status_before TEXT NOT NULL,   -- of the dead letter, to go back to if nothing was sent
            came_back_us INTEGER,          -- when it was read from a dead-letter topic again
            planned_us INTEGER NOT NULL,
            settled_us INTEGER,
            PRIMARY KEY (plan, sequence)
        ) WITHOUT ROWID;
        INSERT INTO replays (plan, sequence, dead_letter, target_topic, state, reason, partition,
                             "offset", status_before, planned_us, settled_us)
            SELECT id, 0, dead_letter, target_topic, state, reason, partition, "offset", 'new',
                   planned_us, settled_us
              FROM replays_before_plans;
        DROP TABLE replays_before_plans;
        -- What each record is sent with; without a row: what its original is read to have.
        CREATE TABLE replay_headers (
            plan INTEGER NOT NULL REFERENCES replay_plans(id),
            sequence INTEGER NOT NULL,
            headers TEXT NOT NULL,
            PRIMARY KEY (plan, sequence)
        ) WITHOUT ROWID;
        -- At most one replay of a record is under way or done: the second click finds the first.
        CREATE UNIQUE INDEX replays_once ON replays (dead_letter)
            WHERE state IN ('intent', 'done', 'unknown');
        CREATE INDEX replays_by_letter ON replays (dead_letter);
        -- Records on their way through planned, intent and done touch as few indexes as can be:
        -- a plan of fifty thousand is to land in two seconds. How many are done, the plan counts.
        CREATE INDEX replays_planned ON replays (plan, sequence) WHERE state = 'planned';
        CREATE INDEX replays_set_apart ON replays (plan, state, sequence)
            WHERE state IN ('refused', 'already', 'failed', 'unknown', 'cancelled');
        CREATE INDEX replays_came_back ON replays (plan) WHERE came_back_us IS NOT NULL;
        -- What a person put in place of a record's bytes; the record itself is never changed.
        CREATE TABLE letter_edits (
            id INTEGER PRIMARY KEY,
            dead_letter INTEGER NOT NULL REFERENCES dead_letters(id),
            key BLOB,
            value BLOB,
            headers TEXT NOT NULL,
            who TEXT NOT NULL,
            made_us INTEGER NOT NULL,
            withdrawn_us INTEGER
        );
        CREATE INDEX letter_edits_by_letter ON letter_edits (dead_letter, id);
        -- One editor at a time.
        CREATE TABLE letter_edit_locks (
            dead_letter INTEGER PRIMARY KEY REFERENCES dead_letters(id),
            who TEXT NOT NULL,
            token TEXT NOT NULL,
            until_us INTEGER NOT NULL
        );
        CREATE TABLE replay_rules (
            id INTEGER PRIMARY KEY,
            cause TEXT NOT NULL UNIQUE,    -- its fingerprint
            enabled INTEGER NOT NULL,
            delay_s REAL NOT NULL,
            cap_per_hour INTEGER NOT NULL,
            options TEXT NOT NULL,         -- JSON: see replay/options.py
            made_by TEXT NOT NULL,
            made_us INTEGER NOT NULL,
            stopped_reason TEXT            -- why it switched itself off
        );
        """,
    )
