"""The words of an audit: what was claimed of an event, what was found, and how both are counted.

The terms are those of Jepsen's Kafka workload
(https://github.com/jepsen-io/redpanda/blob/main/src/jepsen/redpanda/workload/queue.clj): lost,
unseen, duplicate, inconsistent offset, nonmonotonic; *trimmed* and *compacted* are ours, since a
topic that deletes by its own policy has lost nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import Any, Final, Self


class Claim(IntEnum):
    """What the producer's side says became of an event. Three bits."""

    NONE = 0
    """No outcome was recorded: it is under way, or the process died before it was written."""
    DELIVERED = 1
    UNCONFIRMED = 2
    """acks=0: sent, and no broker's word for it."""
    FAILED = 3
    """Reported failed by an error that says that it was not stored."""
    IN_DOUBT = 4
    """Reported failed by an error that leaves open whether it was stored, as a time-out does."""
    REJECTED = 5
    """It never left the client."""
    UNRESOLVED = 6
    """Its run ended without a report."""


class Found(IntEnum):
    """What reading the topic back found of an event."""

    ABSENT = 0
    """Everything was read where it could be, and it is not there."""
    ONCE = 1
    MORE = 2
    """At more than one offset."""
    TRIMMED = 3
    """Its place is below the low watermark: retention deleted it, or may have."""
    COMPACTED = 4
    """Absent from a topic that keeps only the last record of each key."""
    UNSEEN = 5
    """The place where it should be was not read."""


class Flag(IntFlag):
    """What else is wrong, or to be told, of an event that was found."""

    CORRUPT = 1
    """The checksum of a record's value is not the one that it was sent with."""
    REORDERED = 2
    """A record that was sent later lies before it on its partition."""
    REPLAYED = 4
    """A replay put it on a topic that was read."""
    OFFSET_DIFFERS = 8
    """It is at none of the offsets that its report told."""


class Kind(IntEnum):
    """What an event is listed as. One event may be of several kinds."""

    LOST = 1
    """Acknowledged, and absent."""
    DUPLICATE = 2
    PHANTOM = 3
    """Reported failed and not stored, or rejected, and yet there."""
    REORDERED = 4
    OFFSET_DIFFERS = 5
    CORRUPT = 6

    @property
    def word(self) -> str:
        """As keys and columns name it."""
        return self.name.lower()


PHANTOMS: Final = (Claim.FAILED, Claim.REJECTED)


@dataclass(slots=True)
class Matrix:
    """Claimed x found, in events; and what was seen besides."""

    cells: dict[tuple[Claim, Found], int] = field(default_factory=dict)
    excess: int = 0
    """Records too many: the sum of (n - 1) over events found n times."""
    flagged: dict[Flag, int] = field(default_factory=dict)
    replayed: int = 0
    """Records put there by a replay."""
    foreign: int = 0
    """Records of other producers, and of other runs."""
    before: int = 0
    """Records of the run's first events, whose outcomes retention has deleted."""

    def add(self, claim: Claim, found: Found, n: int = 1) -> None:
        """Count events."""
        if n:
            self.cells[claim, found] = self.cells.get((claim, found), 0) + n

    def of(self, claim: Claim | None = None, found: Found | None = None) -> int:
        """Events of one row, column or cell."""
        return sum(
            n
            for (its_claim, its_found), n in self.cells.items()
            if claim in (None, its_claim) and found in (None, its_found)
        )

    @property
    def lost(self) -> int:
        """Acknowledged and absent."""
        return self.of(Claim.DELIVERED, Found.ABSENT)

    @property
    def kept(self) -> int:
        """Acknowledged and there: once, or more often."""
        return self.of(Claim.DELIVERED, Found.ONCE) + self.of(Claim.DELIVERED, Found.MORE)

    @property
    def duplicated(self) -> int:
        """Events found more than once, whatever was claimed of them."""
        return self.of(found=Found.MORE)

    @property
    def phantoms(self) -> int:
        """Said not to be stored, and there."""
        return sum(
            self.of(claim, found) for claim in PHANTOMS for found in (Found.ONCE, Found.MORE)
        )

    @property
    def unknown(self) -> int:
        """Acknowledged, and not known whether it is there."""
        return sum(
            self.of(Claim.DELIVERED, found)
            for found in (Found.TRIMMED, Found.COMPACTED, Found.UNSEEN)
        )

    def to_json(self) -> dict[str, Any]:
        """Cells as ``{claim: {found: n}}``, both in lower case."""
        cells: dict[str, dict[str, int]] = {}
        for (claim, found), n in sorted(self.cells.items()):
            cells.setdefault(claim.name.lower(), {})[found.name.lower()] = n
        return {
            "cells": cells,
            "excess": self.excess,
            "flagged": {flag.name.lower(): n for flag, n in self.flagged.items() if flag.name},
            "replayed": self.replayed,
            "foreign": self.foreign,
            "before": self.before,
        }

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_json`."""
        return cls(
            {
                (Claim[claim.upper()], Found[found.upper()]): n
                for claim, row in body["cells"].items()
                for found, n in row.items()
            },
            body["excess"],
            {Flag[name.upper()]: n for name, n in body["flagged"].items()},
            body["replayed"],
            body["foreign"],
            body["before"],
        )


@dataclass(frozen=True, slots=True)
class Place:
    """A partition of a topic, and how far it was read."""

    topic: str
    partition: int
    start: int
    """The first offset that may hold a record of the run."""
    low: int
    """The low watermark once reading was over."""
    read_to: int
    """The offset after the last that was read."""
    whole: bool
    """Read to its end as it was when reading began; nothing of the run lies beyond."""
    compacted: bool = False
    """The topic's cleanup.policy has ``compact``."""

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]"
