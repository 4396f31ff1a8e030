"""Storing dead letters: each record once, together with how far its topic was read."""

from __future__ import annotations

from collections.abc import Sequence

from sqlite_utils import Database

from producer_agent.store import dead_letter_positions
from producer_agent.store.clock import now_us
from producer_agent.store.dead_letter_positions import Place
from producer_agent.store.letter import Letter, storable
from producer_agent.store.letter_insert import insert_new

__all__ = ["Letter", "insert"]


def insert(db: Database, cluster: int, letters: Sequence[Letter]) -> int:
    """Store what is not stored yet and move the positions on, in the caller's transaction.

    A record is known by (cluster, topic, topic id, partition, offset). A record of our own
    publisher that only repeats a letter already here (same id, same bytes: it was published
    twice across a crash) is passed over.

    Returns how many were new.
    """
    reached: dict[Place, int] = {}
    new = _New(db, cluster)
    for told in letters:
        letter = storable(told)
        place = (letter.topic, letter.topic_id, letter.partition)
        reached[place] = max(reached.get(place, 0), letter.offset + 1)
        new.add(letter, place)
    if new.letters:
        # Never before the latest: the order of ids is that of storing, whatever the clock does.
        (latest_us,) = db.execute("SELECT max(stored_us) FROM dead_letters").fetchone()
        insert_new(db, cluster, new.letters, max(now_us(), latest_us or 0))
    dead_letter_positions.advance(db, cluster, reached)
    return len(new.letters)


class _New:
    """Those letters of a batch that are not stored yet."""

    def __init__(self, db: Database, cluster: int) -> None:
        self.letters: list[Letter] = []
        self._db = db
        self._cluster = cluster
        self._taken: set[tuple[Place, int]] = set()
        self._highest: dict[Place, int] = {}
        self._marked: dict[tuple[str, str], set[tuple[bytes | None, bytes | None]]] = {}

    def add(self, letter: Letter, place: Place) -> None:
        """Take a letter, unless it is here already or only repeats one that is."""
        if (place, letter.offset) in self._taken or self._is_stored(place, letter.offset):
            return
        if letter.letter_id is not None:
            bytes_ = (letter.key, letter.value)
            marked = self._marked.setdefault((letter.letter_id, letter.topic), set())
            if bytes_ in marked or _is_repeat(self._db, letter):
                return
            marked.add(bytes_)
        self._taken.add((place, letter.offset))
        self.letters.append(letter)

    def _is_stored(self, place: Place, offset: int) -> bool:
        where = "WHERE cluster = ? AND topic = ? AND topic_id = ? AND partition = ?"
        values = [self._cluster, *place]
        if place not in self._highest:
            (highest,) = self._db.execute(
                f'SELECT max("offset") FROM dead_letters {where}', values
            ).fetchone()
            self._highest[place] = -1 if highest is None else highest
        if offset > self._highest[place]:
            return False  # as nearly all are: what is read is read once, and in order
        row = self._db.execute(
            f'SELECT 1 FROM dead_letters {where} AND "offset" = ?', [*values, offset]
        ).fetchone()
        return row is not None


def _is_repeat(db: Database, letter: Letter) -> bool:
    row = db.execute(
        "SELECT 1 FROM dead_letters d JOIN dead_letter_records r ON r.letter = d.id "
        "WHERE d.letter_id = ? AND d.topic = ? AND r.key IS ? AND r.value IS ?",
        [letter.letter_id, letter.topic, letter.key, letter.value],
    ).fetchone()
    return row is not None
