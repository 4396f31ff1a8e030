"""What a plan was made of: dead letters by number, or all that match a filter, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from sqlite_utils import Database

from producer_agent.store.queries import dead_letters as letters
from producer_agent.store.queries.dead_letters import LetterFilter
from producer_agent.store.queries.letter_filter import filter_from_json, filter_to_json
from producer_agent.store.queries.letter_order import ids as matching_ids


class SelectionInvalid(Exception):
    """What was selected cannot be read; the text says why."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Either ``dead_letters`` or ``wanted`` is set."""

    dead_letters: tuple[int, ...] | None = None
    wanted: LetterFilter | None = None

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Self:
        """From ``{"dead_letters": [...]}`` or ``{"filter": {...}}``.

        Raises:
            SelectionInvalid: it is neither.
        """
        ids, wanted = given.get("dead_letters"), given.get("filter")
        if (ids is None) == (wanted is None):
            raise SelectionInvalid(
                "Give either dead_letters (a list of ids) or filter (an object)."
            )
        if wanted is not None:
            try:
                return cls(wanted=filter_from_json(wanted))
            except ValueError as error:
                raise SelectionInvalid(str(error)) from error
        if not isinstance(ids, list) or not all(type(item) is int for item in ids):
            raise SelectionInvalid("dead_letters is a list of row ids.")
        return cls(dead_letters=tuple(ids))

    def to_json(self) -> dict[str, Any]:
        """The reverse of :meth:`from_json`."""
        if self.wanted is not None:
            return {"filter": filter_to_json(self.wanted)}
        return {"dead_letters": list(self.dead_letters or ())}

    def frozen(self, db: Database) -> Selection:
        """The same, and nothing that arrives from now on."""
        if self.wanted is None or self.wanted.up_to_id is not None:
            return self
        return replace(self, wanted=replace(self.wanted, up_to_id=letters.newest_id(db)))

    def ids(self, db: Database) -> list[int]:
        """Row ids of the dead letters."""
        if self.wanted is not None:
            return matching_ids(db, self.wanted)
        return list(self.dead_letters or ())

    def title(self, count: int) -> str:
        """For people."""
        if self.dead_letters is not None:
            return (
                f"Dead letter {self.dead_letters[0]}" if count == 1 else f"{count:,} dead letters"
            )
        assert self.wanted is not None
        told = {
            name: value
            for name, value in filter_to_json(self.wanted).items()
            if name not in ("up_to_id", "since_us", "until_us")
        }
        words = ", ".join(
            f"{name} {'/'.join(map(str, value)) if isinstance(value, list) else value}"
            for name, value in told.items()
        )
        return f"{count:,} dead letters" + (f": {words}" if words else "")
