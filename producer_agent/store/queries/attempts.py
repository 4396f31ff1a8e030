"""What was recorded of the attempts behind the dead letters of one cause."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

MOST_LETTERS = 1_000


@dataclass(frozen=True, slots=True)
class LetterAttempts:
    """Of one dead letter of ours."""

    attempts: dict[str, Any] | None
    """See ``kafka/attempt_summary.py``; None also where its event is no longer kept here."""
    sent_us: int | None
    may_be_stored: bool


def attempts_of_cause(
    db: Database, cause: int, limit: int = MOST_LETTERS
) -> tuple[LetterAttempts, ...]:
    """Of the newest letters of a cause that come from a producer, at most ``limit``."""
    return tuple(
        LetterAttempts(None if attempts is None else json.loads(attempts), sent_us, bool(maybe))
        for attempts, sent_us, maybe in db.execute(
            "SELECT u.attempts, u.sent_us, coalesce(u.stored <> 'no', d.may_be_stored, 1) "
            "FROM dead_letters d LEFT JOIN runs r ON r.uuid = d.run_uuid "
            "LEFT JOIN undelivered u ON u.run = r.id AND u.sequence = d.sequence "
            "WHERE d.cause = ? AND d.side = 'producer' ORDER BY d.stored_us DESC LIMIT ?",
            [cause, limit],
        )
    )
