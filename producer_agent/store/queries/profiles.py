"""The profiles as they are kept, and the last run of each in the agent."""

from __future__ import annotations

from dataclasses import dataclass

from sqlite_utils import Database


@dataclass(frozen=True, slots=True)
class LastRun:
    """The latest run under a profile."""

    uuid: str
    body: str
    """The profile's JSON as it was when the run began."""
    started_us: int
    ended_us: int | None
    end_reason: str | None
    accepted: int
    settled: int


@dataclass(frozen=True, slots=True)
class StoredProfile:
    """One profile, as JSON text, with the run that used it last."""

    name: str
    body: str
    shipped: bool
    """It came with the product and was never edited."""
    changed_us: int
    rate: float | None
    """Events a second as a person last set it, instead of the body's."""
    last_run: LastRun | None


def stored_profiles(db: Database) -> tuple[StoredProfile, ...]:
    """Every profile, by name."""
    rows = db.execute(
        "SELECT p.name, p.body, p.shipped, p.changed_us, p.rate, r.uuid, r.body, r.started_us, "
        "r.ended_us, r.end_reason, r.accepted, r.settled FROM profiles p "
        "LEFT JOIN runs r ON r.id = (SELECT max(id) FROM runs WHERE profile = p.name "
        "AND application IS NULL) "
        "ORDER BY p.name"
    ).fetchall()
    return tuple(
        StoredProfile(
            row[0],
            row[1],
            bool(row[2]),
            row[3],
            row[4],
            None if row[5] is None else LastRun(*row[5:]),
        )
        for row in rows
    )
