"""How the scheduled jobs fared: a row each, so that a page can show one that fails."""

from __future__ import annotations

from sqlite_utils import Database

from producer_agent.store.clock import now_us


def note(db: Database, name: str, state: str, detail: str | None) -> None:
    """Write how a job last went: ``done``, ``failed`` or ``missed``."""
    failed = int(state != "done")
    db.execute(
        "INSERT INTO jobs (name, last_run_us, last_state, detail, failed_in_row) "
        "VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
        "last_run_us = excluded.last_run_us, last_state = excluded.last_state, "
        "detail = excluded.detail, "
        "failed_in_row = CASE WHEN excluded.failed_in_row THEN failed_in_row + 1 ELSE 0 END",
        [name, now_us(), state, detail, failed],
    )
