"""Moving dead letters from one status to another, and writing down what each was before.

A letter that is being replayed is never touched: what comes of it is the replay's to say. Nor is
one that was replayed opened again, as it must not be sent twice by mistake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from sqlite_utils import Database

from producer_agent.store.causes import RESTORED
from producer_agent.store.clock import now_us

STEP: Final = 1_000
"""Letters that one transaction moves: 0.1 s with a million stored, as each is counted anew and
written down, so that outcomes are not kept waiting."""

MOVES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "acknowledged": frozenset({"new"}),
        "resolved": frozenset({"new", "acknowledged"}),
        "archived": frozenset({"new", "acknowledged", "resolved", "replayed"}),
        "new": frozenset({"acknowledged", "resolved"}),
        RESTORED: frozenset({"archived"}),
    }
)
"""What a person may ask for, and from which statuses."""

CAUSE_MOVES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "acknowledged": frozenset({"new"}),
        "resolved": frozenset({"new", "acknowledged"}),
        "archived": frozenset({"new", "acknowledged"}),
        "new": frozenset({"acknowledged", "resolved"}),
        RESTORED: frozenset({"archived"}),
    }
)
"""The letters that go along with their cause: archiving it leaves what is settled as it is."""


@dataclass(slots=True)
class Moved:
    """What came of a move."""

    changed: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    """Letters that were left as they are, by the status that kept them; ``missing``: there is
    none of this number."""

    def add(self, other: Moved) -> None:
        """Add what came of another step."""
        self.changed += other.changed
        for status, n in other.skipped.items():
            self.skipped[status] = self.skipped.get(status, 0) + n


def move(
    db: Database,
    letters: Sequence[int],
    to: str,
    *,
    command: int,
    from_: frozenset[str] | None = None,
) -> Moved:
    """Move these letters, at most :data:`STEP` of them, in the caller's transaction.

    Args:
        db: The database.
        letters: Row ids.
        to: A key of :data:`MOVES`.
        command: The command that asks for it.
        from_: Statuses to move from; those of :data:`MOVES` if None.

    Raises:
        ValueError: more than :data:`STEP` letters.
    """
    if len(letters) > STEP:
        raise ValueError(f"{len(letters)} letters are more than one transaction should move")
    allowed = MOVES[to] if from_ is None else from_
    marks = ", ".join("?" * len(letters))
    before = dict(
        db.execute(f"SELECT id, status FROM dead_letters WHERE id IN ({marks})", list(letters))
    )
    result = Moved()
    going: list[int] = []
    for letter in dict.fromkeys(letters):
        status = before.get(letter, "missing")
        if status in allowed:
            going.append(letter)
        else:
            result.skipped[status] = result.skipped.get(status, 0) + 1
    after = _before_archived(db, going) if to == RESTORED else dict.fromkeys(going, to)
    at_us = now_us()
    assert db.conn is not None, "the database was closed"
    db.conn.executemany(
        "UPDATE dead_letters SET status = ? WHERE id = ?",
        [(after[letter], letter) for letter in going],
    )
    db.conn.executemany(
        "INSERT INTO letter_actions (letter, command, before, after, at_us) VALUES (?, ?, ?, ?, ?)",
        [(letter, command, before[letter], after[letter], at_us) for letter in going],
    )
    result.changed = len(going)
    return result


def _before_archived(db: Database, letters: Sequence[int]) -> dict[int, str]:
    """What each archived letter was: its last action tells, else it was new."""
    marks = ", ".join("?" * len(letters))
    told = dict(
        db.execute(
            "SELECT letter, before FROM letter_actions "
            f"WHERE letter IN ({marks}) AND after = 'archived' ORDER BY letter, command",
            list(letters),
        )
    )
    return {letter: told.get(letter, "new") for letter in letters}
