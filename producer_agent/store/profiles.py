"""Profiles in the database: what was shipped, what was edited, and what should be running."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlite_utils import Database

from producer_agent.store.clock import now_us


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """A profile as it is stored."""

    name: str
    body: str
    shipped: bool
    wanted: bool | None
    """Whether a person last started (True) or stopped (False) it; None: as its ``active`` says."""
    rate: float | None
    """Events a second as a person last set it, instead of the body's."""


_COLUMNS = "name, body, shipped, wanted, rate"


def ship(db: Database, bodies: Mapping[str, str]) -> None:
    """Insert shipped profiles; those that are there and were never edited are brought up to date.

    A shipped profile that was deleted stays deleted: it was shipped once, in an earlier start.
    """
    known = {name for (name,) in db.execute("SELECT name FROM profiles_shipped").fetchall()}
    for name, body in bodies.items():
        if name not in known:
            db.execute("INSERT INTO profiles_shipped (name) VALUES (?)", [name])
            db.execute(
                "INSERT INTO profiles (name, body, shipped, changed_us) VALUES (?, ?, 1, ?) "
                "ON CONFLICT DO NOTHING",
                [name, body, now_us()],
            )
        else:
            db.execute(
                "UPDATE profiles SET body = ? WHERE name = ? AND shipped = 1 AND body <> ?",
                [body, name, body],
            )


def all_profiles(db: Database) -> list[ProfileRow]:
    """Every profile, by name."""
    rows = db.execute(f"SELECT {_COLUMNS} FROM profiles ORDER BY name").fetchall()
    return [_row(*row) for row in rows]


def get(db: Database, name: str) -> ProfileRow | None:
    """One profile."""
    row = db.execute(f"SELECT {_COLUMNS} FROM profiles WHERE name = ?", [name]).fetchone()
    return None if row is None else _row(*row)


def save(db: Database, name: str, body: str) -> None:
    """Insert or replace a profile; from now on it counts as edited."""
    db.execute(
        "INSERT INTO profiles (name, body, shipped, changed_us) VALUES (?, ?, 0, ?) "
        "ON CONFLICT (name) DO UPDATE SET body = excluded.body, shipped = 0, rate = NULL, "
        "changed_us = excluded.changed_us",
        [name, body, now_us()],
    )


def delete(db: Database, name: str) -> None:
    """Delete a profile; its runs and their deliveries stay."""
    db.execute("DELETE FROM profiles WHERE name = ?", [name])


def want(db: Database, name: str, running: bool) -> None:
    """Remember that a person started or stopped it, for the agent's next start."""
    db.execute("UPDATE profiles SET wanted = ? WHERE name = ?", [running, name])


def set_rate(db: Database, name: str, rate: float) -> None:
    """Remember the rate a person set."""
    db.execute("UPDATE profiles SET rate = ? WHERE name = ?", [rate, name])


def _row(name: str, body: str, shipped: int, wanted: int | None, rate: float | None) -> ProfileRow:
    return ProfileRow(name, body, bool(shipped), None if wanted is None else bool(wanted), rate)
