"""Comparisons of profiles, and what each of their turns measured."""

from __future__ import annotations

from sqlite_utils import Database

from producer_agent.store.schema.base import migrations, script


@migrations()
def m0013_comparisons(db: Database) -> None:
    """A comparison is frozen before it begins; a turn (one profile's part of a round) is written
    as it ends, so that whatever ends the agent leaves what was measured."""
    script(
        db,
        """
        CREATE TABLE comparisons (
            id INTEGER PRIMARY KEY,
            uuid TEXT NOT NULL UNIQUE,     -- 32 hex digits
            title TEXT NOT NULL,
            plan TEXT NOT NULL,            -- JSON: see advice/compare/plan.py; profiles whole
            environment TEXT NOT NULL,     -- JSON: cluster, versions, host
            cluster INTEGER REFERENCES clusters(id),
            state TEXT NOT NULL CHECK (state IN ('running', 'done', 'cancelled', 'incomplete')),
            reason TEXT,                   -- why it is incomplete
            progress TEXT,                 -- what it is at, in words, while it runs
            turns INTEGER NOT NULL,        -- rows in comparison_turns when it is complete
            expected_end_us INTEGER,       -- while it runs
            notes TEXT NOT NULL DEFAULT '[]',  -- JSON list of texts to read the figures with
            made_by TEXT NOT NULL,
            started_us INTEGER NOT NULL,
            ended_us INTEGER
        );
        -- At most one at a time: a second would be the first one's noise.
        CREATE UNIQUE INDEX comparisons_running ON comparisons (state) WHERE state = 'running';
        CREATE TABLE comparison_turns (
            comparison INTEGER NOT NULL REFERENCES comparisons(id) ON DELETE CASCADE,
            rate REAL NOT NULL,            -- events a second that were asked for
            round INTEGER NOT NULL,        -- from 1
            profile INTEGER NOT NULL,      -- from 0: its place in the plan
            position INTEGER NOT NULL,     -- from 1: its place in the round's shuffled order
            started_us INTEGER NOT NULL,
            ended_us INTEGER NOT NULL,
            measures TEXT NOT NULL,        -- JSON: see store/comparisons.py, TurnMeasures
            bins TEXT NOT NULL,            -- JSON: {"ack" | "end_to_end" | "delay": [[bin, n]]}
            PRIMARY KEY (comparison, rate, round, profile)
        );
        """,
    )
